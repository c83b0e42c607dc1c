"""Writes the exports for the runs that a user starts by hand on a deployed stack."""

from __future__ import annotations

import os
import select
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from functions.executions import DATE

if TYPE_CHECKING:
    from retrain.rehearsal.deployed_stack import DeployedStack

MAX_INPUT_BYTES = 1024


@dataclass
class KeptStack:
    """A deployed stack whose emulator keeps running, and the last export that was written.

    An export stays as it is until the user asks for another one. So an export that was
    brought back with `exportDate` is not followed by a newer one.
    """

    deployed: DeployedStack
    day: str = ""
    """The day of the last export. Empty if no export was written yet."""

    @property
    def is_daily(self) -> bool:
        """True if a location contains `{date}`, so that each day has an export of its own."""
        datasets = self.deployed.stack.args.datasets.configured().values()
        return any(DATE in str(dataset.data_location) for dataset in datasets)

    @property
    def place(self) -> str:
        """Where the last export is, for example ` at {date} = 2026-11-29`."""
        return f" at {DATE} = {self.day}" if self.is_daily else ""

    def write_export(self) -> None:
        """Write a newer export for a run by hand, which belongs to today."""
        self.day = self.deployed.write_export_for_today()

    def refresh(self) -> None:
        """Write a newer export if the user has pressed Enter, or if a new day has no export."""
        is_new_day = self.is_daily and self.day != datetime.now(UTC).date().isoformat()
        if enter_was_pressed() or is_new_day:
            self.write_export()
            self.deployed.report(f"S3 has a newer export{self.place} for the next run")


def enter_was_pressed() -> bool:
    """Return True if the user has typed a line into the terminal since the last call.

    Return False if there is no terminal, or if another command has it.
    """
    if sys.stdin is None or not sys.stdin.isatty():
        return False
    terminal = sys.stdin.fileno()
    try:
        # The terminal stops a command in the background that reads from it.
        if os.tcgetpgrp(terminal) != os.getpgrp():
            return False
    except OSError:
        return False
    is_ready = bool(select.select([terminal], [], [], 0)[0])
    return is_ready and bool(os.read(terminal, MAX_INPUT_BYTES))
