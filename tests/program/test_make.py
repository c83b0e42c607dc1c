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

FILES = ("Makefile", "requirements.txt", "requirements-dev.txt")
NEW = "exit 0"
OLD = "exit 1"
"""What a Python does when the Makefile checks whether it is new enough."""
INSTALLING = "installing the requirements into .venv (once)"


class Result(NamedTuple):
    """What `make` did."""

    exit_code: int
    output: list
    calls: list
    """The calls of the scripts that stand in for Python."""


@pytest.fixture
def make(tmp_path):
    """Return a function that runs `make` with a `.venv` and a `python3`, and returns a Result."""
    for name in FILES:
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


CREATED = [
    "./python3 -m venv --clear .venv",
    ".venv/bin/python -m pip install --quiet",  # uv alone
    ".venv/bin/python -m uv pip install",
]


AGAIN = "creating .venv again: its Python is older than 3.11, or no longer there"
TOO_OLD = (
    "Python 3.11 or newer is needed, and ./python3 is Python 3.9.18; try: make PYTHON=python3.12"
)


@pytest.mark.parametrize(
    "venv, python, expected",
    [
        (None, NEW, (0, [INSTALLING], CREATED)),
        (OLD, NEW, (0, [AGAIN, INSTALLING], CREATED)),
        ("gone", NEW, (0, [AGAIN, INSTALLING], CREATED)),
        (NEW, OLD, (0, [], [])),
        (None, OLD, (2, [TOO_OLD], [])),
        (OLD, OLD, (2, [TOO_OLD], [])),
        ("gone", OLD, (2, [TOO_OLD], [])),
    ],
)
def test_a_missing_or_unusable_venv_is_created_by_a_new_enough_python(make, venv, python, expected):
    assert make(venv, python) == expected


def test_the_command_runs_the_checkout_from_any_folder_and_through_a_link(tmp_path):
    """The Python of the checkout only runs a command line that prints its folder and arguments."""
    checkout = tmp_path / "a checkout"
    another = tmp_path / "another"
    for folder in (checkout, another):
        (folder / "retrain").mkdir(parents=True)
        program = f"import sys; print({folder.name!r}, sys.argv[1:])\n"
        (folder / "retrain" / "__main__.py").write_text(program)

    for name in FILES:
        shutil.copy(ROOT / name, checkout)
    python, command = (checkout / ".venv" / "bin" / name for name in ("python", "retrain"))
    python.parent.mkdir(parents=True)
    python.write_text(
        f'#!/bin/sh\ncase "$*" in "-P -m retrain"*) exec {sys.executable} "$@" ;; esac\n'
    )
    python.chmod(stat.S_IRWXU)
    subprocess.run(["make", ".venv/.requirements"], cwd=checkout, timeout=60, check=True)  # noqa: S607
    link = tmp_path / "bin" / "retrain"
    link.parent.mkdir()
    link.symlink_to(f"../{checkout.name}/.venv/bin/retrain")
    for called, folder in ((command, another), (".venv/bin/retrain", checkout), (link, tmp_path)):
        printed = subprocess.check_output([called, "watch", "a run"], cwd=folder, text=True)  # noqa: S603
        assert printed == "a checkout ['watch', 'a run']\n"
