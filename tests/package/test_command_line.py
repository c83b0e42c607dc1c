"""Proves that the installed command line goes from an empty folder to a pipeline.

With an emulator of the checkout. tests/engine proves that the engine deploys the same project.
"""

import os
import re
import shlex
import subprocess
import sys

import pytest

from tests.package.plugin import ROOT
from tests.package.test_wheel import PROJECT

VARIABLE = re.compile(r"^ *export (AWS_\w+)=(.*)$", re.MULTILINE)


@pytest.fixture(scope="module")
def emulated():
    """Run `retrain emulate` in the checkout. Return its variables, and its command `adopt`."""
    command = [sys.executable, "-u", "-m", "retrain", "emulate", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603
        text = ""
        for line in process.stderr:
            text += line
            if "retrain adopt " in line:
                break
        yield dict(VARIABLE.findall(text)), text[text.rindex("retrain adopt") :]
        process.terminate()


@pytest.fixture
def retrain(python, emulated, tmp_path):
    """Return a function that starts the installed command line in an empty folder.

    The function returns a function that waits for the exit code, the output and the errors.
    """

    def start(command):
        process = subprocess.Popen(  # noqa: S603  # the program that the wheel installs
            [python.with_name("retrain"), *shlex.split(command)[1:]],
            cwd=tmp_path,
            env={"HOME": str(tmp_path), "PATH": os.defpath, **emulated[0]},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

        def result():
            out, err = process.communicate(timeout=120)
            return process.returncode, out, err

        return result

    return start


def test_an_empty_folder_becomes_a_project_that_can_be_planned_and_rehearsed(
    retrain, emulated, tmp_path
):
    assert retrain("retrain --version")() == (0, f"retrain {PROJECT['version']}\n", "")
    code, out, err = retrain(emulated[1])()
    assert code == 0, err
    assert "pulumi install" in out

    files = ["Pulumi.prod.yaml", "Pulumi.yaml", "__main__.py", "requirements.txt"]
    assert sorted(file.name for file in tmp_path.glob("*.*")) == files
    assert re.fullmatch(
        r"personalize-retraining @ file:///.*\.whl\n", (tmp_path / "requirements.txt").read_text()
    ), "the same version is installed from the same place"

    for words, result in [
        (words, retrain(f"retrain {command} --stack prod"))
        for command, words in (
            ("rehearse", "DEPLOYED"),
            ("plan", "Plan: 3 to import, 1 to train, 1 to update."),
        )
    ]:
        code, out, err = result()
        assert (code, words in out) == (0, True), err
