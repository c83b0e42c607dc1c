"""Reports how a run ended."""

from .aws import read_client
from .contract import FinishedRun
from .log import log_report
from .personalize.standings import read_standings
from .report import ReportedRun, output_of, report_of


def handler(event: FinishedRun, _context: object) -> ReportedRun:
    """Return the output of the execution with the report of the run, and log the report."""
    standings = read_standings(read_client(), event["settings"])
    return output_of(event, log_report("report_outcome", report_of(event, standings)))
