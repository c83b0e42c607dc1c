"""The Makefile sets up `.venv` with a Python that can run the program, and the command `retrain`.

Programs in the place of Python write down how they are called; nothing is installed.
"""

import os
import shutil
import stat
import subprocess
import sys

import pytest

from tests.program.sample_stack import ROOT

NEW, OLD = "exit 0", "exit 1"
"""What each Python answers to the question whether it is new enough."""
INSTALLING = "installing the requirements into .venv (once; about a minute)"


@pytest.fixture
def made(tmp_path):
    """Return a function that runs `make` with a `.venv` and a `python3`, and what happened."""
    for name in ("Makefile", "requirements.txt", "requirements-dev.txt"):
        shutil.copy(ROOT / name, tmp_path)
    calls = tmp_path / "calls"

    def python(path, answer):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            "#!/bin/sh\n"
            f'case "$1" in -c) {answer} ;; --version) echo Python 3.9.18; exit ;; esac\n'
            f'echo "$0 $1 $2 $3 $4" >> {calls}\n'
            'if [ "$2" = venv ]; then\n'
            "    rm -rf .venv && mkdir -p .venv/bin && cp new .venv/bin/python\n"
            "fi\n"
        )
        path.chmod(stat.S_IRWXU)

    def make(venv, answer):
        python(tmp_path / "new", NEW)
        python(tmp_path / "python3", answer)
        if venv == "gone":
            (tmp_path / ".venv/bin").mkdir(parents=True)
            (tmp_path / ".venv/bin/python").symlink_to(tmp_path / "no-such-python")
        elif venv:
            python(tmp_path / ".venv/bin/python", venv)
            (tmp_path / ".venv/.requirements").touch()
        # The make that runs the tests must not speak through this one.
        outside = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
        done = subprocess.run(
            ["make", "PYTHON=./python3", ".venv/.requirements"],  # noqa: S607
            cwd=tmp_path,
            env=outside,
            capture_output=True,
            text=True,
            check=False,
        )
        lines = (done.stdout + done.stderr).splitlines()
        said = [each for each in lines if not each.startswith("make: ")]
        called = calls.read_text().splitlines() if calls.exists() else []
        return done.returncode, said, called

    return make


CREATED = ["./python3 -m venv --clear .venv", ".venv/bin/python -m pip install --quiet"]


def test_a_missing_venv_is_made(made):
    assert made(None, NEW) == (0, [INSTALLING], CREATED)


@pytest.mark.parametrize("venv", [OLD, "gone"])
def test_a_venv_whose_python_is_too_old_or_gone_is_made_anew(made, venv):
    reason = "making .venv anew: its Python is older than 3.11, or no longer there"
    assert made(venv, NEW) == (0, [reason, INSTALLING], CREATED)


def test_a_good_venv_is_left_alone_whatever_python_there_is_beside_it(made):
    assert made(NEW, OLD) == (0, [], [])


@pytest.mark.parametrize("venv", [None, OLD, "gone"])
def test_a_python_that_is_too_old_makes_no_venv(made, venv):
    code, said, called = made(venv, OLD)
    assert code == 2
    assert said == [
        (
            "Python 3.11 or newer is needed, and ./python3 is Python 3.9.18; "
            "try: make PYTHON=python3.12"
        )
    ]
    assert called == []


def test_the_command_runs_the_checkouts_command_line_from_any_folder(tmp_path):
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

    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "retrain").mkdir(parents=True)
    (elsewhere / "retrain" / "__main__.py").write_text("raise SystemExit('another retrain')\n")
    command = subprocess.run(  # noqa: S603  # the command that make has just written
        [checkout / ".venv" / "bin" / "retrain", "watch", "a run"],
        cwd=elsewhere,
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=True,
    )
    assert command.stdout == "['watch', 'a run']\n"
