"""Proves which Pulumi CLI the tests of the engine use. Shell scripts stand in for it and for Go."""

import os
import subprocess
import sys

import pytest

from tests.program.sample_stack import ROOT

TOOLS = ROOT / "tests" / "engine" / "cli" / "tools.py"
PROVIDER = ROOT / "emulator" / "deployer" / "plugin"
MISSING = (
    "neither Go nor a new enough Pulumi CLI with its language hosts is on the PATH; install Go to "
    "build the CLI (https://go.dev/doc/install), or the CLI (https://www.pulumi.com/docs/install/)"
)


@pytest.fixture
def find_cli(tmp_path):
    """Return a function that runs tools.py with programs on the PATH, and an empty cache.

    It returns the exit code, the output, and the last line of the errors.
    """

    def run(programs):
        for name, command in programs.items():
            program = tmp_path / name
            program.write_text(f"#!/bin/sh\n{command}\n")
            program.chmod(0o755)
        process = subprocess.run(  # noqa: S603
            [sys.executable, TOOLS],
            env={**os.environ, "PATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")},
            capture_output=True,
            text=True,
            check=False,
        )
        return process.returncode, process.stdout, process.stderr.splitlines()[-1:]

    return run


HOST = {"pulumi-language-python": ""}


@pytest.mark.parametrize("version", ["v3.219.0", "v3.300.1", "v4.0.0"])
def test_without_go_a_complete_and_new_enough_cli_on_the_path_is_used(find_cli, version):
    programs = {"pulumi": f"echo {version}", **HOST}
    assert find_cli(programs) == (0, f'export PATH={PROVIDER}:"$PATH"\n', [])


@pytest.mark.parametrize(
    "programs",
    [{}, {"pulumi": "echo v3.300.1"}, {"pulumi": "echo v3.218.9", **HOST}],
    ids=["none", "without its language hosts", "too old"],
)
def test_without_go_and_a_usable_cli_the_tests_are_skipped(find_cli, programs):
    assert find_cli(programs) == (3, "", [MISSING])


def test_with_go_the_pinned_cli_is_built_even_if_another_one_is_on_the_path(find_cli):
    programs = {"pulumi": "echo v3.300.1", **HOST, "go": "exit 7"}
    exit_code, output, (error,) = find_cli(programs)
    assert (exit_code, output) == (1, "")
    assert "/go mod download github.com/pulumi/pulumi/sdk/v3' failed with exit code 7" in error
