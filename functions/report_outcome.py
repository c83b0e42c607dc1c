"""Reports how a run ended."""

from .aws import read_client
from .contract import FinishedRun
from .log import log_report
from .personalize.standings import read_standings
from .report import RunReport, report_of


def handler(event: FinishedRun, _context: object) -> RunReport:
    """Return the report of the run, and write it to the log."""
    standings = read_standings(read_client(), event["settings"])
    return log_report("report_outcome", report_of(event, standings))
