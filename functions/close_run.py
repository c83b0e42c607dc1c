"""Reports a run whose execution ended without a report."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NotRequired, TypedDict

from . import clock, metrics
from .aws import read_client, stepfunctions
from .errors import ServiceUnavailable
from .executions import (
    configured_run_of,
    deployed_settings,
    machine_arn_of,
    run_of,
    unreported_error,
)
from .personalize.imports import imports_of_run
from .personalize.standings import read_standings
from .personalize.trainings import versions_of_run
from .report import RunReport, report_of
from .report_delivery import send_report
from .report_event import Sender, sender_of
from .texts import shortened

if TYPE_CHECKING:
    from .campaign_reports import Standings
    from .contract import FinishedRun, StartedRun
    from .workflow_settings import NotificationSettings

MAX_CREATION_DELAY = timedelta(minutes=1)
"""A function that was running when the execution ended may create a job within this time."""
TOO_LARGE = "States.DataLimitExceeded"
"""The error of an execution whose input, or the result of a state, is larger than 256 KiB. No state
can catch it."""
WAY_OUT = "start a new run with a shorter input, for example {}"
MAX_CAUSE_BYTES = 1_000
"""The most bytes of the cause of an execution, which may contain its whole document. The messages
about the jobs of the run follow it, and the message to people has 4,000 bytes for both."""
RETRIED_FOR = timedelta(minutes=2)
"""A failure this soon after the end of the execution is retried: after one minute, and after two
more minutes. An execution that does not exist later was deleted with its state machine."""
LOOK = "look for import jobs and trainings that are running, and check what the campaigns serve"
DELETED = (
    f"its state machine was deleted, so its jobs and the versions on trial cannot be read; {LOOK}"
)
UNREAD = f"its jobs cannot be read, so {LOOK}"

logger = logging.getLogger("retraining")


class Detail(TypedDict):
    """The fields of a Step Functions Execution Status Change event that are read."""

    executionArn: str
    startDate: int
    """Milliseconds since 1970."""
    stopDate: int


class StatusChange(TypedDict):
    """The event. Its status may be out of date, so the function describes the execution.

    The rule adds where to send the report of a run whose state machine was deleted. Earlier
    releases had a rule that does not add this.
    """

    detail: Detail
    pipeline: NotRequired[str]
    notifications: NotRequired[NotificationSettings]


def handler(event: StatusChange, _context: object) -> RunReport | None:
    """Send the report of the run, and return it. Nothing happens if the run has sent it itself.

    The handler may be called more than once for a run. It starts and stops nothing: what the run
    has left is the business of `watch_pipeline`.

    Raises:
        Exception: the execution or its jobs cannot be read. Lambda retries the function, and the
            last try sends a report without them.
    """
    try:
        return _close_run(event)
    except stepfunctions().exceptions.ExecutionDoesNotExist:
        return _report_deleted_run(event)


def _close_run(event: StatusChange) -> RunReport | None:
    """Close the run of an execution that exists."""
    detail = event["detail"]
    error = unreported_error(stepfunctions(), detail["executionArn"])
    if error is None:
        return None
    messages = [
        shortened(error["Cause"], MAX_CAUSE_BYTES),
        *([WAY_OUT] if TOO_LARGE in error["Cause"] else []),
    ]
    started, settings = _started_run(detail), None
    try:
        configured = configured_run_of(stepfunctions(), detail["executionArn"])
        if configured is None:
            settings = deployed_settings(stepfunctions(), detail["executionArn"])
        else:
            started, settings = configured["run"], configured["settings"]
            messages += _jobs_of_run(configured)
    except Exception as failure:
        if _is_retried(detail):
            raise
        logger.exception("close_run: the run could not be read")
        messages.append(f"{UNREAD} ({shortened(f'{type(failure).__name__}: {failure}')})")
    document: FinishedRun = {
        "run": run_of(started),
        "error": {**error, "Cause": "; ".join(messages)},
    }
    if settings is None:
        return _report(event, document, {})
    standings = read_standings(read_client(), settings)
    return _report(event, {"settings": settings, **document}, standings)


def _report(event: StatusChange, document: FinishedRun, standings: Standings) -> RunReport:
    """Send the report of a run, and return it.

    The event says where to send it, if the document has no settings or those of an earlier release.
    """
    name = machine_arn_of(event["detail"]["executionArn"]).rpartition(":")[2]
    sender = Sender(event.get("pipeline", name), event.get("notifications"))
    if "settings" in document:
        configured = sender_of(document["settings"])
        sender = configured._replace(notifications=configured.notifications or sender.notifications)
    report = report_of(document, standings)
    metrics.write(sender.pipeline, {"Runs": 1}, Outcome=report["status"])
    return send_report("close_run", sender, document, report, standings)


def _is_retried(detail: Detail) -> bool:
    """Return True if Lambda calls the function again if it fails now."""
    ended_at = datetime.fromtimestamp(detail["stopDate"] / 1000, UTC)
    return clock.now() - ended_at < RETRIED_FOR


def _report_deleted_run(event: StatusChange) -> RunReport:
    """Send the report of a run whose execution does not exist any more, and return it.

    Raises:
        ServiceUnavailable: the execution has just ended, so it may exist and not be visible yet.
    """
    detail = event["detail"]
    if _is_retried(detail):
        arn = detail["executionArn"]
        raise ServiceUnavailable(f"Step Functions answers that {arn} does not exist")
    document: FinishedRun = {
        "run": run_of(_started_run(detail)),
        "error": {"Error": "ExecutionDoesNotExist", "Cause": DELETED},
    }
    return _report(event, document, {})


def _started_run(detail: Detail) -> StartedRun:
    """Return the start of an execution whose input is not known."""
    started_at = datetime.fromtimestamp(detail["startDate"] / 1000, UTC)
    return {
        "request": {},
        "executionArn": detail["executionArn"],
        "startedAt": started_at.isoformat(),
    }


def _jobs_of_run(configured: FinishedRun) -> list[str]:
    """Return a message about each job of a run."""
    settings, run = configured["settings"], run_of(configured["run"])
    imports = imports_of_run(read_client(), settings, run)
    versions = versions_of_run(read_client(), settings, run)
    return [
        *(f"{job['datasetImportJobArn']} is {job['status']}" for job in imports),
        *(f"{version['solutionVersionArn']} is {version['status']}" for version in versions),
    ]
