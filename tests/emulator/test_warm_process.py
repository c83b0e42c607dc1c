"""Proves that a copy of a warm process does what a process of its own would do."""

import socket
import subprocess
import sys

import pytest
from small_stack import eventually, is_running

from emulator.process import ROOT
from tests.warm_commands import warm_command

SHOW = """
import json, os, sys
print(json.dumps([sys.argv[1:], os.getcwd(), os.environ.get("MEAL"), sys.stdin.read(), __name__]))
"""
ENDINGS = {
    "pass": (0, ""),
    "import sys; sys.exit(7)": (7, ""),
    "import sys; sys.exit(-1)": (255, ""),
    "import sys; sys.exit('no bread')": (1, "no bread\n"),
    "raise ValueError('no bread')": (1, "ValueError: no bread\n"),
    "import subprocess, sys; sys.exit(subprocess.call(['false']))": (1, ""),
    "import os, signal; os.kill(os.getpid(), signal.SIGKILL)": (1, ""),
}
"""Code, and its exit code and the end of its standard error."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with the program `lunch`, which runs the module `lunch` of the folder."""
    path = tmp_path_factory.mktemp("lunch")
    with warm_command(path, "lunch", "lunch", ["colorsys"], ["sts"]):
        yield path


def lunch(folder, code, *arguments, **options):
    """Run the program `lunch` with this code, and return the ended process."""
    (folder / "lunch.py").write_text(code)
    return subprocess.run(  # noqa: S603 - the program of the fixture
        [folder / "lunch", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        **options,
    )


def test_a_copy_has_the_arguments_environment_folder_and_streams_of_its_caller(folder):
    shown = lunch(folder, SHOW, "bread", "a b", env={"MEAL": "soup"}, input="salt")
    assert shown.stdout == f'[["bread", "a b"], "{folder}", "soup", "salt", "__main__"]\n'


@pytest.mark.parametrize("code", ENDINGS)
def test_the_caller_ends_as_the_copy_does(folder, code):
    ended = lunch(folder, code)
    exit_code, error = ENDINGS[code]
    assert (ended.returncode, ended.stderr.endswith(error)) == (exit_code, True), ended.stderr


def test_a_copy_ends_with_its_caller(folder):
    (folder / "lunch.py").write_text(
        "import os, time; print(os.getpid(), flush=True)\ntime.sleep(99)"
    )
    with subprocess.Popen([folder / "lunch"], cwd=folder, stdout=subprocess.PIPE) as caller:  # noqa: S603
        pid = int(caller.stdout.readline())
        caller.kill()
    eventually(lambda: is_running(pid), lambda running: not running)


def test_a_warm_process_ends_with_its_parent(tmp_path):
    code = (
        "import pathlib, sys, time; from tests.warm_commands import warm_command\n"
        "with warm_command(pathlib.Path(sys.argv[1]), 'lunch', 'lunch', []):\n"
        "    print('ready', flush=True); time.sleep(99)"
    )
    command = [sys.executable, "-c", code, tmp_path]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as parent:  # noqa: S603
        assert parent.stdout.readline() == b"ready\n"
        parent.kill()

    def is_listening():
        with socket.socket(socket.AF_UNIX) as client:
            return client.connect_ex(str(tmp_path / "lunch.socket")) == 0

    eventually(is_listening, lambda listening: not listening)
