"""Reports how a run ended."""

from . import metrics
from .aws import read_client, stepfunctions
from .contract import FinishedRun
from .personalize.standings import read_standings
from .report import ReportedRun, output_of, report_of, run_of_document
from .report_delivery import send_report
from .report_event import sender_of
from .trial_executions import finish_trials_later


def handler(event: FinishedRun, _context: object) -> ReportedRun:
    """Return the output of the execution with the report of the run, and send the report.

    If a version is still on trial, start an execution that finishes the trial.
    """
    standings = read_standings(read_client(), event["settings"])
    trials_note = finish_trials_later(stepfunctions(), run_of_document(event), standings)
    report = report_of(event, standings, trials_note)
    sender = sender_of(event["settings"])
    metrics.write_run(sender.pipeline, run_of_document(event), report["status"])
    send_report("report_outcome", sender, event, report, standings)
    return output_of(event, report)
