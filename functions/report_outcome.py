"""Reports how a run ended."""

from . import metrics
from .aws import read_client
from .contract import FinishedRun
from .personalize.standings import read_standings
from .report import ReportedRun, output_of, report_of
from .report_delivery import send_report
from .report_event import sender_of


def handler(event: FinishedRun, _context: object) -> ReportedRun:
    """Return the output of the execution with the report of the run, and send the report."""
    standings = read_standings(read_client(), event["settings"])
    report = report_of(event, standings)
    sender = sender_of(event["settings"])
    metrics.write(sender.pipeline, {"Runs": 1}, Outcome=report["status"])
    send_report("report_outcome", sender, event, report, standings)
    return output_of(event, report)
