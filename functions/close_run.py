"""Reports a run whose execution ended without a report."""

from datetime import UTC, datetime
from typing import TypedDict

from .common.aws import stepfunctions
from .contract import NotificationSettings
from .report.send import (
    ReportedRun,
    report_run,
)
from .run.executions import (
    find_unreported_error,
    read_first_state_output,
)


class EndedExecution(TypedDict):
    """The event: an execution that ended without success, and where to send its report."""

    executionArn: str
    startDate: int
    """Milliseconds since 1970."""
    pipeline: str
    notifications: NotificationSettings


def handler(event: EndedExecution, _context: object) -> ReportedRun | None:
    """Send the report of the run and return it, unless the run has sent one itself.

    The handler may be called more than once for a run. It only reports, because `watch_pipeline`
    cleans up what the run left.
    """
    execution_arn = event["executionArn"]
    error = find_unreported_error(stepfunctions(), execution_arn)
    if error is None:
        return None

    document = read_first_state_output(stepfunctions(), execution_arn)
    if document is None:
        # The first state failed because the input was too large, so the request is unknown.
        started_at = datetime.fromtimestamp(event["startDate"] / 1000, UTC).isoformat()
        document = {"run": {"request": {}, "executionArn": execution_arn, "startedAt": started_at}}

    document["error"] = error
    return report_run("close_run", document, event["pipeline"], event["notifications"])
