"""Close a run whose execution ended without a report: stop what it left training, and report."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypedDict

from .log import log_report
from .personalize import writer
from .report import RunReport, report
from .requests import run_of
from .runs import configured, ending, executions
from .solution_versions import stop, trainings

if TYPE_CHECKING:
    from .documents import Finished

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
    error = ending(executions(), arn)
    made = configured(executions(), arn) if error else None
    if error is None or made is None:
        return None
    ended = datetime.fromtimestamp(event["detail"]["stopDate"] / 1000, UTC)
    for version in trainings(writer(), made["settings"], run_of(made), before=ended + LAST_CALL):
        if error["Error"] == LEFT_RUNNING:
            error["Cause"] += f"; {version['solutionVersionArn']} is in training and goes on"
        else:
            stop(writer(), version["solutionVersionArn"], version["status"])
            error["Cause"] += f"; stopped {version['solutionVersionArn']}"
    finished: Finished = {"run": run_of(made), "error": error}
    return log_report("close_run", report(finished))
