"""Closes a run whose execution ended without a report."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypedDict

from .aws import stepfunctions, write_client
from .executions import configured_run_of, run_of, unreported_error
from .log import log_report
from .personalize.import_lists import imports_of_run
from .personalize.statuses import is_running
from .personalize.trainings import stop_training
from .personalize.versions import versions_of_run
from .report import RunReport, report_of

if TYPE_CHECKING:
    from .contract import ConfiguredRun, FinishedRun

STOPPED_BY_A_PERSON = "ABORTED"
"""The status of an execution that a person stopped. Its trainings go on, because this person can
stop them too."""
MAX_CREATION_DELAY = timedelta(minutes=1)
"""A function that was running when the execution ended may create a job within this time."""


class Detail(TypedDict):
    """The fields of a Step Functions Execution Status Change event that are read."""

    executionArn: str
    stopDate: int
    """Milliseconds since 1970."""


class StatusChange(TypedDict):
    """The event. Its status may be out of date, so the function describes the execution."""

    detail: Detail


def handler(event: StatusChange, _context: object) -> RunReport | None:
    """Stop the trainings of the run, and return its report, which is also written to the log.

    Nothing happens if the run has sent its report, or if the execution ended before its first
    state did. The handler may be called more than once for a run.
    """
    execution_arn = event["detail"]["executionArn"]
    error = unreported_error(stepfunctions(), execution_arn)
    if error is None:
        return None
    configured = configured_run_of(stepfunctions(), execution_arn)
    if configured is None:
        return None
    ended_at = datetime.fromtimestamp(event["detail"]["stopDate"] / 1000, UTC)
    created_before = ended_at + MAX_CREATION_DELAY
    job_states = [
        *_import_states(configured, created_before),
        *_close_trainings(
            configured, created_before, may_stop=error["Error"] != STOPPED_BY_A_PERSON
        ),
    ]
    document: FinishedRun = {
        "settings": configured["settings"],
        "run": run_of(configured),
        "error": {**error, "Cause": "; ".join([error["Cause"], *job_states])},
    }
    return log_report("close_run", report_of(document))


def _import_states(configured: ConfiguredRun, created_before: datetime) -> list[str]:
    """Return a message with the status of each import job of the run.

    Personalize has no request that stops an import job.
    """
    settings, run = configured["settings"], run_of(configured)
    jobs = imports_of_run(write_client(), settings, run, created_before)
    return [f"{job['datasetImportJobArn']} is {job['status']}" for job in jobs]


def _close_trainings(
    configured: ConfiguredRun, created_before: datetime, *, may_stop: bool
) -> list[str]:
    """Return a message about each training of the run, after stopping it if `may_stop` is true."""
    settings, run = configured["settings"], run_of(configured)
    messages = []
    for version in versions_of_run(write_client(), settings, run, created_before):
        arn, status = version["solutionVersionArn"], version["status"]
        if may_stop and is_running(status):
            stop_training(write_client(), arn, status)
            messages.append(f"{arn} was stopped")
        else:
            messages.append(f"{arn} is {status}")
    return messages
