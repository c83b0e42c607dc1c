"""Reports how a run ended."""

from . import metrics
from .aws import read_client, stepfunctions
from .contract import FinishedRun
from .log import log_report
from .personalize.standings import read_standings
from .report import ReportedRun, output_of, report_of, run_of_document
from .trial_executions import finish_trials_later


def handler(event: FinishedRun, _context: object) -> ReportedRun:
    """Return the output of the execution with the report of the run, and log the report.

    If a version is still on trial, start an execution that finishes the trial.
    """
    standings = read_standings(read_client(), event["settings"])
    trials_note = finish_trials_later(stepfunctions(), run_of_document(event), standings)
    report = report_of(event, standings, trials_note)
    metrics.ended_run(event["settings"], run_of_document(event), report["status"])
    return output_of(event, log_report("report_outcome", report))
