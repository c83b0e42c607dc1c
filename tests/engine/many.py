"""Measures previews of one program with many pipelines, and of one stack for each pipeline.

    python -m tests.engine.many 1 10 30

This prints the seconds of both on this machine for each number of pipelines.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from emulator import running
from tests.engine.cli import tools
from tests.engine.stacks import ROOT, Stack, copy_program, environment

PROGRAM = """\
import settings
from components import RetrainingPipeline

for number in range({count}):
    RetrainingPipeline(f"pipeline-{{number}}", settings.load())
"""


def main() -> None:
    """Measure, and print a row for each number of pipelines."""
    os.environ["PATH"] = os.pathsep.join([*map(str, tools.folders()), os.environ["PATH"]])
    print("pipelines  one program  one stack each")
    with running() as emulator:
        for count in map(int, sys.argv[1:]):
            one_program = _seconds(_prepare_one_program, count, emulator.endpoint)
            one_stack_each = _seconds(_prepare_stacks, count, emulator.endpoint)
            print(f"{count:9}  {one_program:9.1f} s  {one_stack_each:12.1f} s", flush=True)


def _seconds(prepare, count: int, endpoint: str) -> float:
    """Return the seconds of a preview. `prepare` writes the folder and returns the preview."""
    with tempfile.TemporaryDirectory() as temporary:
        checkout = copy_program(Path(temporary) / "checkout")
        preview = prepare(checkout, count, endpoint)
        started = time.monotonic()
        preview()
        return time.monotonic() - started


def _prepare_one_program(checkout: Path, count: int, endpoint: str):
    shutil.copy(ROOT / "Pulumi.dev.yaml", checkout)
    (checkout / "__main__.py").write_text(PROGRAM.format(count=count))
    stack = Stack(checkout, "dev", environment(checkout, endpoint))
    stack.pulumi("stack", "init")
    return stack.preview


def _prepare_stacks(checkout: Path, count: int, endpoint: str):
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
