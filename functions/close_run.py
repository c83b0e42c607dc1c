"""Closes a run whose execution ended without a report: stops its trainings, and reports."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypedDict

from .aws import stepfunctions, write_client
from .executions import configured_run_of, run_of, unreported_error
from .log import log_report
from .personalize.imports import imports_of_run
from .personalize.statuses import is_running
from .personalize.versions import stop_training, versions_of_run
from .report import RunReport, report_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .contract import ConfiguredRun, FinishedRun

STOPPED_BY_A_PERSON = "ABORTED"
"""The status after which trainings go on. A person stopped the execution, and can stop them too."""
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
    """Close the run, unless it has sent its report. It may be called more than once for a run."""
    execution_arn = event["detail"]["executionArn"]
    error = unreported_error(stepfunctions(), execution_arn)
    if error is None:
        return None
    configured = configured_run_of(stepfunctions(), execution_arn)
    if configured is None:
        return None
    ended_at = datetime.fromtimestamp(event["detail"]["stopDate"] / 1000, UTC)
    stops = error["Error"] != STOPPED_BY_A_PERSON
    cause = "; ".join([error["Cause"], *_close_jobs(configured, ended_at, stops=stops)])
    document: FinishedRun = {
        "settings": configured["settings"],
        "run": run_of(configured),
        "error": {**error, "Cause": cause},
    }
    return log_report("close_run", report_of(document))


def _close_jobs(configured: ConfiguredRun, ended_at: datetime, *, stops: bool) -> Iterator[str]:
    """Stop the trainings of the run, and yield the state of each of its jobs."""
    settings, run = configured["settings"], run_of(configured)
    created_before = ended_at + MAX_CREATION_DELAY
    for job in imports_of_run(write_client(), settings, run, created_before):
        yield f"{job['datasetImportJobArn']} is {job['status']}"
    for version in versions_of_run(write_client(), settings, run, created_before):
        arn, status = version["solutionVersionArn"], version["status"]
        if stops and is_running(status):
            stop_training(write_client(), arn, status)
            yield f"stopped {arn}"
        else:
            yield f"{arn} is {status}"
