"""Reports how a run ended."""

from .contract import FinishedRun, pipeline_name
from .report.send import ReportedRun, report_run


def handler(event: FinishedRun, _context: object) -> ReportedRun:
    """Send the report of the run, and return it as the output of the execution."""
    settings = event["settings"]
    return report_run("report_outcome", event, pipeline_name(settings), settings["notifications"])
