"""Follow a run: one live bar per job, until the execution ends."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Column

from retrain.rehearsal.jobs import Job, started
from retrain.rehearsal.names import shortened

if TYPE_CHECKING:
    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_stepfunctions import SFNClient
    from rich.console import Console

LOOK_SECONDS = 0.3
PATIENCE_SECONDS = 600
"""Jobs take seconds here: a run that goes on for so long is stuck."""
BAR_WIDTH = 24
STATUS_WIDTH = len("CREATE IN_PROGRESS")
BESIDE_LABEL = BAR_WIDTH + STATUS_WIDTH + len(" 600 s") + 3
"""Columns of a line that are not the label's."""
LABEL_WIDTH = 29
"""Columns that a label has at least, so that the bars stay where they are."""
COLOURS = {
    "ACTIVE": "green",
    "FAILED": "red",
    "STOPPED": "red",
    "REJECTED": "yellow",
    "ROLLED_BACK": "yellow",
    "SKIPPED": "yellow",
}


def follow(
    console: Console, states: SFNClient, personalize: PersonalizeClient, execution_arn: str
) -> list[Job]:
    """Show the run until it ends, or patience does; give its jobs.

    Without a terminal, each new status is a line.
    """
    jobs: dict[str, Job] = {}
    give_up = time.monotonic() + PATIENCE_SECONDS
    with _Bars(console) as bars:
        while True:
            status = states.describe_execution(executionArn=execution_arn)["status"]
            for job in started(states, execution_arn):
                if job.arn not in jobs:
                    jobs[job.arn] = job
                    bars.show(job, new=True)
            for job in jobs.values():
                if not job.ended:
                    bars.show(job, new=job.look(personalize))
            if status != "RUNNING" or time.monotonic() > give_up:
                return list(jobs.values())
            time.sleep(LOOK_SECONDS)


class _Bars(Progress):
    """A bar per job; on paper, a line per status."""

    def __init__(self, console: Console) -> None:
        self._animated = console.is_terminal and not console.is_dumb_terminal
        super().__init__(
            TextColumn(
                "{task.description}", markup=False, table_column=Column(min_width=LABEL_WIDTH)
            ),
            BarColumn(BAR_WIDTH),
            TextColumn("{task.fields[status]}", table_column=Column(min_width=STATUS_WIDTH)),
            TextColumn("{task.fields[seconds]:3.0f} s"),
            console=console,
            disable=not self._animated,
        )
        self._bars: dict[str, TaskID] = {}

    def show(self, job: Job, *, new: bool) -> None:
        """Bring the job's bar up to date; `new` tells whether its status was not shown before."""
        if new and not self._animated:
            self.console.print(f"{job.label}: {job.statuses[-1]}", markup=False, highlight=False)
        if job.arn not in self._bars:
            label = shortened(job.label, max(self.console.width - BESIDE_LABEL, LABEL_WIDTH))
            self._bars[job.arn] = self.add_task(label, total=1, status="", seconds=0)
        self.update(
            self._bars[job.arn],
            completed=job.share(),
            status=coloured(job.statuses[-1]),
            seconds=job.seconds,
            refresh=new,
        )


def coloured(status: str) -> str:
    """Give a status as Rich's markup, in the colour of good or bad ends."""
    colour = COLOURS.get(status.rpartition(" ")[2])
    return f"[{colour}]{status}[/]" if colour else status
