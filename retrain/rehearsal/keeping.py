"""Keeps the emulator up after a rehearsal, for whoever wants to look around in it."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from functions.planning.decide import DATE
from retrain.rehearsal.stage import FailedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from emulator import Emulator
    from retrain.rehearsal.stage import Stage

TICK_SECONDS = 0.2
OUTPUTS = {"MACHINE": "state_machine_arn", "GROUP": "log_group_name"}
"""The shell variables of README and operations guide, and the stack's outputs that they hold."""


def kept(stage: Stage, console: Console) -> None:
    """Say how to talk to the emulator, and stay until Ctrl-C or SIGTERM.

    There is a newer export for a run by hand. Raises FailedError if the emulator dies.
    """
    with until_interrupted(stage.emulator):
        console.print(_how_to(stage), highlight=False, markup=False)


@contextmanager
def until_interrupted(emulator: Emulator) -> Iterator[None]:
    """Run the block, then wait for Ctrl-C or SIGTERM. Raises FailedError if the emulator dies."""
    stop = threading.Event()
    before = {
        number: signal.signal(number, lambda *_: stop.set())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
        while emulator.alive() and not stop.wait(TICK_SECONDS):
            pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if not stop.is_set():
        raise FailedError("the emulator has died")


def _how_to(stage: Stage) -> str:
    today = stage.stock()
    datasets = stage.rehearsal.args.datasets.configured().values()
    dated = any(DATE in str(each.data_location) for each in datasets)
    outputs = {name: str(stage.deployment.outputs[key]) for name, key in OUTPUTS.items()}
    exports = {**stage.emulator.exports, **outputs}
    lines = "\n".join(f"export {name}={value}" for name, value in exports.items())
    where = f", where {DATE} is today, {today}" if dated else ""
    return (
        "\nThe emulator stays up until Ctrl-C. In the shells that use it, with the AWS CLI or "
        f"boto3:\n\n{lines}\n\n"
        f"For a run by hand a newer export lies in S3{where}.\n"
    )
