"""Follows the jobs of a run in the terminal until the execution ends."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Column

from retrain.rehearsal.jobs import Job, started_jobs
from retrain.rehearsal.screens import coloured

if TYPE_CHECKING:
    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_stepfunctions import SFNClient
    from rich.console import Console

POLL_SECONDS = 0.3
DEADLINE_SECONDS = 600
"""Jobs take seconds in the emulator. A run that takes so long will not end."""
BAR_WIDTH = 24
LABEL_WIDTH = 29
"""The least width of a label, so that the bars keep their place."""
STATUS_WIDTH = len("CREATE IN_PROGRESS")


def follow_jobs(
    console: Console, step_functions: SFNClient, personalize: PersonalizeClient, execution_arn: str
) -> list[Job]:
    """Show the jobs of an execution until it ends or DEADLINE_SECONDS have passed.

    Return the jobs in the order in which they were started. A terminal shows a bar for each job.
    Any other output gets a line for each status.
    """
    jobs: dict[str, Job] = {}
    deadline = time.monotonic() + DEADLINE_SECONDS
    with _JobProgress(console) as progress:
        while True:
            # The status is read first, so that a job is not missed when the execution ends.
            execution = step_functions.describe_execution(executionArn=execution_arn)
            for job in started_jobs(step_functions, execution_arn):
                if job.arn not in jobs and job.exists(personalize):
                    jobs[job.arn] = job
                    progress.show(job, is_new_status=True)
            for job in jobs.values():
                if not job.has_ended:
                    progress.show(job, is_new_status=job.poll(personalize))
            if execution["status"] != "RUNNING" or time.monotonic() > deadline:
                return list(jobs.values())
            time.sleep(POLL_SECONDS)


class _JobProgress(Progress):
    """Shows a bar for each job in a terminal, and prints a line for each status elsewhere."""

    def __init__(self, console: Console) -> None:
        self._is_animated = console.is_terminal and not console.is_dumb_terminal
        label_column = Column(min_width=LABEL_WIDTH, overflow="fold", ratio=1)
        super().__init__(
            TextColumn("{task.description}", markup=False, table_column=label_column),
            BarColumn(BAR_WIDTH),
            TextColumn("{task.fields[status]}", table_column=Column(min_width=STATUS_WIDTH)),
            TextColumn("{task.fields[seconds]:3.0f} s"),
            console=console,
            disable=not self._is_animated,
        )
        self._task_ids: dict[str, TaskID] = {}
        """The id of each job's bar, by the ARN of the job."""

    def show(self, job: Job, *, is_new_status: bool) -> None:
        """Show the last status of a job in its bar, or print it if there are no bars.

        The status is printed only if it is new.
        """
        status = job.statuses[-1]
        if is_new_status and not self._is_animated:
            self.console.print(f"{job.label}: {status}", markup=False, highlight=False)
        if job.arn not in self._task_ids:
            self._task_ids[job.arn] = self.add_task(job.label, total=1, status="", seconds=0)
        self.update(
            self._task_ids[job.arn],
            completed=job.progress(),
            status=coloured(status).markup,
            seconds=job.seconds,
            refresh=is_new_status,
        )
