"""Proves that the Makefile creates `.venv` with a suitable Python, and the command `retrain`.

Shell scripts stand in for Python and record how they are called. Nothing is installed.
"""

import os
import shutil
import stat
import subprocess
import sys
from typing import NamedTuple

import pytest

from tests.program.sample_stack import ROOT

NEW, OLD = "exit 0", "exit 1"
"""What a Python does when the Makefile checks whether it is new enough."""
INSTALLING = "installing the requirements into .venv (once; about a minute)"


class Result(NamedTuple):
    """What `make` did."""

    exit_code: int
    output: list
    calls: list
    """The calls of the scripts that stand in for Python."""


@pytest.fixture
def make(tmp_path):
    """Return a function that runs `make` with a `.venv` and a `python3`, and returns a Result."""
    for name in ("Makefile", "requirements.txt", "requirements-dev.txt"):
        shutil.copy(ROOT / name, tmp_path)
    calls = tmp_path / "calls"

    def write_python(path, check):
        """Write a script that stands in for Python. `check` is its answer to the version check."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            "#!/bin/sh\n"
            f'case "$1" in -c) {check} ;; --version) echo Python 3.9.18; exit ;; esac\n'
            f'echo "$0 $1 $2 $3 $4" >> {calls}\n'
            'if [ "$2" = venv ]; then\n'
            "    rm -rf .venv && mkdir -p .venv/bin && cp new .venv/bin/python\n"
            "fi\n"
        )
        path.chmod(stat.S_IRWXU)

    def run_make(venv, check):
        write_python(tmp_path / "new", NEW)
        write_python(tmp_path / "python3", check)
        if venv == "gone":
            (tmp_path / ".venv/bin").mkdir(parents=True)
            (tmp_path / ".venv/bin/python").symlink_to(tmp_path / "no-such-python")
        elif venv:
            write_python(tmp_path / ".venv/bin/python", venv)
            (tmp_path / ".venv/.requirements").touch()
        # Without the settings of a `make` that runs the tests.
        env = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
        process = subprocess.run(
            ["make", "PYTHON=./python3", ".venv/.requirements"],  # noqa: S607
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        lines = (process.stdout + process.stderr).splitlines()
        return Result(
            process.returncode,
            [line for line in lines if not line.startswith("make: ")],
            calls.read_text().splitlines() if calls.exists() else [],
        )

    return run_make


CREATED = ["./python3 -m venv --clear .venv", ".venv/bin/python -m pip install --quiet"]


def test_a_missing_venv_is_created(make):
    assert make(None, NEW) == (0, [INSTALLING], CREATED)


@pytest.mark.parametrize("venv", [OLD, "gone"])
def test_a_venv_whose_python_is_too_old_or_gone_is_created_again(make, venv):
    reason = "creating .venv again: its Python is older than 3.11, or no longer there"
    assert make(venv, NEW) == (0, [reason, INSTALLING], CREATED)


def test_a_good_venv_is_kept_even_if_the_other_python_is_too_old(make):
    assert make(NEW, OLD) == (0, [], [])


@pytest.mark.parametrize("venv", [None, OLD, "gone"])
def test_a_python_that_is_too_old_creates_no_venv(make, venv):
    result = make(venv, OLD)
    assert result == (
        2,
        [
            (
                "Python 3.11 or newer is needed, and ./python3 is Python 3.9.18; "
                "try: make PYTHON=python3.12"
            )
        ],
        [],
    )


def test_the_command_runs_the_command_line_of_the_checkout_from_any_folder(tmp_path):
    checkout = tmp_path / "checkout"
    (checkout / "retrain").mkdir(parents=True)
    for name in ("Makefile", "requirements.txt", "requirements-dev.txt"):
        shutil.copy(ROOT / name, checkout)
    (checkout / "retrain" / "__main__.py").write_text("import sys; print(sys.argv[1:])\n")
    python = checkout / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(
        f'#!/bin/sh\ncase "$*" in "-P -m retrain"*) exec {sys.executable} "$@" ;; esac\n'
    )
    python.chmod(stat.S_IRWXU)
    subprocess.run(["make", ".venv/.requirements"], cwd=checkout, timeout=60, check=True)  # noqa: S607

    other_folder = tmp_path / "other"
    (other_folder / "retrain").mkdir(parents=True)
    (other_folder / "retrain" / "__main__.py").write_text("raise SystemExit('another retrain')\n")
    command = subprocess.run(  # noqa: S603  # the command that make has just written
        [checkout / ".venv" / "bin" / "retrain", "watch", "a run"],
        cwd=other_folder,
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=True,
    )
    assert command.stdout == "['watch', 'a run']\n"
