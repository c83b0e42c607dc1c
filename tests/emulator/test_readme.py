"""The examples of the emulator's README run as they are printed."""

import re
import subprocess
import sys

import pytest

from emulator.process import ROOT

README = (ROOT / "emulator" / "README.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=["campaign", "process", "clock", "states"])
def test_an_example_of_the_readme_runs(aws, example):
    command = subprocess.run(  # noqa: S603 - the README of this repository
        [sys.executable, "-c", example],
        cwd=ROOT,
        env=aws.exports,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert command.returncode == 0, command.stderr
