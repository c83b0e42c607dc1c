"""Reports a run whose execution ended without a report."""

from datetime import UTC, datetime
from typing import TypedDict

from .common.aws import stepfunctions
from .contract import NotificationSettings
from .report.send import ReportedRun, report_run
from .run.executions import find_unreported_error, read_first_state_output


class EndedExecution(TypedDict):
    """The event: an execution that ended without success, and where to send its report."""

    executionArn: str
    startDate: int
    """Milliseconds since 1970."""
    pipeline: str
    notifications: NotificationSettings


def handler(event: EndedExecution, _context: object) -> ReportedRun | None:
    """Send the report of a run that failed before it could send one, and return it.

    Return None if the run has sent its report. This function cleans nothing up, because
    `watch_pipeline` does.
    """
    execution_arn = event["executionArn"]
    error = find_unreported_error(stepfunctions(), execution_arn)
    if error is None:
        return None

    execution_data = read_first_state_output(stepfunctions(), execution_arn)
    if execution_data is None:
        # The first state failed because the input was too large, so the request is unknown.
        started_at = datetime.fromtimestamp(event["startDate"] / 1000, UTC).isoformat()
        execution_data = {
            "run": {"request": {}, "executionArn": execution_arn, "startedAt": started_at}
        }

    execution_data["error"] = error
    return report_run("close_run", execution_data, event["pipeline"], event["notifications"])
