"""Writes the exports for the runs that a user starts by hand on a deployed stack."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from functions.executions import DATE
from retrain.rehearsal.jobs import started_jobs

if TYPE_CHECKING:
    from retrain.rehearsal.deployed_stack import DeployedStack

CHECK_SECONDS = 1
"""The seconds between two checks of the executions."""


@dataclass
class KeptStack:
    """A deployed stack whose emulator keeps running, and the last export that was written."""

    deployed: DeployedStack
    day: str = ""
    """The day of the last export. Empty if no export was written yet."""
    written_at: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    next_check: float = 0

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
        self.written_at = datetime.now(UTC)

    def refresh(self) -> None:
        """Write a newer export if a run has imported the last one, or if a new day has begun.

        Nothing is written while an execution is running, because it may be reading the export.
        """
        if time.monotonic() < self.next_check:
            return
        self.next_check = time.monotonic() + CHECK_SECONDS
        executions = self._executions()
        if "RUNNING" in executions.values():
            return
        is_new_day = self.is_daily and self.day != datetime.now(UTC).date().isoformat()
        if is_new_day or any(map(self._has_imported, executions)):
            self.write_export()
            self.deployed.report(f"S3 has a newer export{self.place} for the next run")

    def _executions(self) -> dict[str, str]:
        """Return the statuses of the executions since the last export, by ARN."""
        arn = self.deployed.output("state_machine_arn")
        response = self.deployed.step_functions.list_executions(stateMachineArn=arn)
        return {
            execution["executionArn"]: execution["status"]
            for execution in response["executions"]
            if execution["startDate"] > self.written_at
        }

    def _has_imported(self, execution_arn: str) -> bool:
        """Return True if an execution has started an import job."""
        jobs = started_jobs(self.deployed.step_functions, execution_arn)
        return any(job.kind == "import" for job in jobs)
