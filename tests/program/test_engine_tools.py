"""Proves the messages of `tests/engine/cli/tools.py` when the Pulumi CLI cannot be used.

`make engine` builds the CLI and so proves that it builds.
"""

import stat

import pytest

from tests.engine.cli import tools


@pytest.fixture
def path(monkeypatch, tmp_path):
    """Return a folder without the CLI and Go, which is the whole PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


@pytest.mark.usefixtures("path")
def test_without_cli_and_go_the_exit_code_tells_make_to_skip_the_tests(capsys):
    assert tools.main() == 3
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors == (
        "neither the Pulumi CLI nor Go is on the PATH; install the CLI "
        "(https://www.pulumi.com/docs/install/), or Go to build it (https://go.dev/doc/install)\n"
    )


def test_the_error_about_a_failed_build_names_its_command(path, capsys):
    go = path / "go"
    go.write_text("#!/bin/sh\nexit 7\n")
    go.chmod(stat.S_IRWXU)
    assert tools.main() == 1
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.splitlines()[-1] == (
        f"'{go} mod download github.com/pulumi/pulumi/sdk/v3' failed with exit code 7, as shown "
        "above"
    )
