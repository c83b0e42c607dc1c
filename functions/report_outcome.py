"""Say how the run ended."""

from .contract import Finished
from .log import log_report
from .report import RunReport, report


def handler(event: Finished, _context: object) -> RunReport:
    """Say how the run ended, in the log and as the execution's result."""
    return log_report("report_outcome", report(event))
