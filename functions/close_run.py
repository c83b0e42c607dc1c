"""Close a run whose execution ended without a report: stop what it left training, and report."""

from typing import TYPE_CHECKING, TypedDict

from .log import log_report
from .personalize import writer
from .report import RunReport, report
from .requests import run_of
from .runs import configured, ending, executions
from .solution_versions import stop_trainings

if TYPE_CHECKING:
    from .documents import Finished

LEFT_RUNNING = "ABORTED"
"""Who aborts an execution by hand decides about its trainings by hand."""


class Detail(TypedDict):
    """Of a Step Functions Execution Status Change event, what is read here."""

    executionArn: str


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
    if error["Error"] != LEFT_RUNNING:
        stopped = stop_trainings(writer(), made["settings"], run_of(made))
        error["Cause"] += "".join(f"; stopped {version}" for version in stopped)
    finished: Finished = {"run": run_of(made), "error": error}
    return log_report("close_run", report(finished))
