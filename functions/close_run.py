"""Close a run whose execution ended without a report: stop what it left training, and report."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypedDict

from .aws import stepfunctions, writer
from .executions import configuration_of, ending, run_of
from .log import log_report
from .personalize.imports import imports_of
from .personalize.statuses import phase_of
from .personalize.versions import left_by, stop
from .report import RunReport, report

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .contract import Configured, Finished

LEFT_RUNNING = "ABORTED"
"""Who aborts an execution by hand decides about its trainings by hand."""
LAST_CALL = timedelta(minutes=1)
"""A function that was at work when the execution ended may have started a training since."""


class Detail(TypedDict):
    """Of a Step Functions Execution Status Change event, what is read here."""

    executionArn: str
    stopDate: int
    """Milliseconds since 1970."""


class StatusChange(TypedDict):
    """The event; its status may be stale, so the execution itself is asked."""

    detail: Detail


def handler(event: StatusChange, _context: object) -> RunReport | None:
    """Close the run, unless it has reported itself; may be called more than once."""
    arn = event["detail"]["executionArn"]
    error = ending(stepfunctions(), arn)
    made = configuration_of(stepfunctions(), arn) if error else None
    if error is None or made is None:
        return None
    ended = datetime.fromtimestamp(event["detail"]["stopDate"] / 1000, UTC)
    left = _close(made, ended, stops=error["Error"] != LEFT_RUNNING)
    cause = "; ".join([error["Cause"], *left])
    finished: Finished = {"run": run_of(made), "error": {**error, "Cause": cause}}
    return log_report("close_run", report(finished))


def _close(made: Configured, ended: datetime, *, stops: bool) -> Iterator[str]:
    """Stop what is in training, and tell of each job of the run how it stands."""
    settings, run = made["settings"], run_of(made)
    before = ended + LAST_CALL
    for job in imports_of(writer(), settings, run, before):
        yield f"{job['datasetImportJobArn']} is {job['status']}"
    for version in left_by(writer(), settings, run, before):
        version_arn, status = version["solutionVersionArn"], version["status"]
        if stops and phase_of(status) == "UNDER_WAY":
            stop(writer(), version_arn, status)
            yield f"stopped {version_arn}"
        else:
            yield f"{version_arn} is {status}"
