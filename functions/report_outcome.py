"""Reports how a run ended."""

from .contract import FinishedRun
from .log import log_report
from .report import RunReport, report_of


def handler(event: FinishedRun, _context: object) -> RunReport:
    """Return the report of the run, and write it to the log."""
    return log_report("report_outcome", report_of(event))
