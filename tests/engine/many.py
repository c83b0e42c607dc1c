"""Measures the two ways to deploy many pipelines: in one program, or as one stack for each.

    python -m tests.engine.many 1 10 30

For each number of pipelines, this prints how many seconds a preview takes on this machine in
either way.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import yaml

from emulator import running
from tests.engine.cli import tools
from tests.engine.stacks import ROOT, Stack, copy_program, environment

PROGRAM = """\
from components import settings
from components import RetrainingPipeline

for number in range({count}):
    RetrainingPipeline(f"pipeline-{{number}}", settings.load())
"""
"""A program with several pipelines. All have the config of the sample stack."""

Preview: TypeAlias = Callable[[], object]
"""Runs a preview and waits until it has ended."""


def main() -> None:
    """Print a table with a row for each number of pipelines on the command line."""
    os.environ["PATH"] = os.pathsep.join([*map(str, tools.folders()), os.environ["PATH"]])
    print("pipelines  one program  one stack each")
    with running() as emulator:
        for count in map(int, sys.argv[1:]):
            one_program = _preview_seconds(_write_one_program, count, emulator.endpoint)
            one_stack_each = _preview_seconds(_write_stacks, count, emulator.endpoint)
            print(f"{count:9}  {one_program:9.1f} s  {one_stack_each:12.1f} s", flush=True)


def _preview_seconds(
    write: Callable[[Path, int, str], Preview], count: int, endpoint: str
) -> float:
    """Return the seconds of a preview of `count` pipelines, without the time of preparing it."""
    with tempfile.TemporaryDirectory() as temporary:
        checkout = copy_program(Path(temporary) / "checkout")
        preview = write(checkout, count, endpoint)
        started = time.monotonic()
        preview()
        return time.monotonic() - started


def _write_one_program(checkout: Path, count: int, endpoint: str) -> Preview:
    """Write a program with `count` pipelines into a checkout. Return its preview."""
    shutil.copy(ROOT / "Pulumi.dev.yaml", checkout)
    (checkout / "__main__.py").write_text(PROGRAM.format(count=count))
    stack = Stack(checkout, "dev", environment(checkout, endpoint))
    stack.pulumi("stack", "init")
    return stack.preview


def _write_stacks(checkout: Path, count: int, endpoint: str) -> Preview:
    """Write `count` stacks with one pipeline each into a checkout. Return their preview."""
    shutil.copytree(ROOT / "examples", checkout / "examples")
    sample = yaml.safe_load((ROOT / "Pulumi.dev.yaml").read_text())["config"]
    table = checkout / "fleet.yaml"
    stacks = {f"stack-{number}": sample for number in range(count)}
    table.write_text(yaml.safe_dump({"stacks": stacks}))
    command = [sys.executable, "examples/fleet/fleet.py", "preview", "--table", str(table)]
    variables = {**os.environ, **environment(checkout, endpoint)}
    return lambda: subprocess.run(  # noqa: S603
        command, cwd=checkout, env=variables, check=True, capture_output=True
    )


if __name__ == "__main__":
    main()
