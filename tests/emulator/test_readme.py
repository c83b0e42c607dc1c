"""Proves that the README of the emulator is true: its examples run, its tables are complete."""

import dataclasses
import json
import re
import subprocess
import sys

import pytest

from emulator.personalize import Switches
from emulator.personalize.faults import CALL_FAULTS, JOB_FAULTS
from emulator.process import ROOT

README = (ROOT / "emulator" / "README.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize(
    "example", EXAMPLES, ids=["campaign", "process", "clock", "states", "old lists"]
)
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


@pytest.mark.parametrize("first, kinds", [("call", CALL_FAULTS), ("job", JOB_FAULTS)])
def test_the_table_of_faults_is_complete(first, kinds):
    _, _, after_head = README.partition(f"| fault of a {first} | parameters | effect |\n")
    table, *_ = after_head.partition("\n\n")
    rows = re.findall(r"^\| `([\w-]+)` \| (.*?) \| .+ \|$", table, re.MULTILINE)
    assert rows == [(name, _parameters(parameters)) for name, parameters in kinds.items()]


def test_the_table_of_switches_is_complete():
    table = README.partition("| switch | default | meaning |\n| --- | --- | --- |\n")[2]
    rows = re.findall(r"^\| `(\w+)` \| `(.+?)` \| .+ \|$", table, re.MULTILINE)
    assert rows == [
        (switch.name, json.dumps(switch.default)) for switch in dataclasses.fields(Switches)
    ]


def _parameters(parameters):
    """Return the cell of a table for the parameters of a fault with their defaults."""
    return ", ".join(f"`{name}: {json.dumps(value)}`" for name, value in parameters.items())
