"""`tests/engine/cli/tools.py` says what is missing where it cannot put the Pulumi CLI on the PATH.

Does not prove that the CLI builds: `make engine` builds it.
"""

import stat

import pytest

from tests.engine.cli import tools


@pytest.fixture
def path(monkeypatch, tmp_path):
    """Return a folder that is the whole PATH, and has neither the CLI nor Go."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


@pytest.mark.usefixtures("path")
def test_without_cli_and_go_the_exit_code_lets_make_skip_the_tests(capsys):
    assert tools.main() == 3
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors == (
        "neither the Pulumi CLI nor Go is on the PATH; install the CLI "
        "(https://www.pulumi.com/docs/install/), or Go to build it (https://go.dev/doc/install)\n"
    )


def test_a_build_that_fails_is_named_with_its_command(path, capsys):
    go = path / "go"
    go.write_text("#!/bin/sh\nexit 7\n")
    go.chmod(stat.S_IRWXU)
    assert tools.main() == 1
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.splitlines()[-1] == (
        f"'{go} list -m -f '{{{{.Dir}}}} {{{{.Version}}}}' github.com/pulumi/pulumi/sdk/v3' failed "
        "with 7, as shown above"
    )
