"""Builds the report of a run, as data and as text. All functions are pure."""

import json
from collections.abc import Iterator
from typing import TypedDict

from .campaign_reports import (
    WORST_FIRST,
    CampaignReport,
    Standings,
    campaign_report,
    error_text,
    trial_line,
    trial_warnings,
    worst_outcome,
)
from .contract import (
    CampaignResult,
    DatasetResult,
    FinishedRun,
    Item,
    Outcome,
    Run,
    SolutionResult,
    StateError,
)
from .executions import played_trials, run_of, solution_results
from .report_words import metric_change, one_line
from .texts import shortened_list

ERRORS_WITHOUT_JOB = ("InvalidInputException", "LimitExceededException")
"""After these errors of a create it is certain that no job was created."""
MAX_REPORT_BYTES = 24_000
"""The most bytes of the text of a report. The text becomes the cause of a failed execution, which
may have 32,768 characters. The reason in its first line has at most MAX_REFUSAL_BYTES."""
MAX_OUTPUT_BYTES = 250_000
"""The most bytes of the output of an execution, which may have 256 KiB. If it would be larger, it
has only the report."""
REST_OF_TEXT = "… and {} more lines; the output of this execution has the whole report"


class SolutionReport(TypedDict):
    """The result of one solution. `solutionVersionArn` is null if there is no version."""

    solutionArn: str
    outcome: Outcome
    solutionVersionArn: str | None
    trainingMode: str
    failure: str | None
    campaigns: list[CampaignReport]


class ImportReport(TypedDict):
    """The result of the import of one dataset."""

    type: str
    outcome: str
    datasetImportJobArn: str | None
    failure: str | None


class RunReport(TypedDict):
    """The result of a run. `status` is the worst outcome of its imports, solutions and trials.

    `trials` are the campaigns whose trials an earlier run had left, if this execution does nothing
    else or was refused. In any other run they are lines of the warnings.
    """

    status: Outcome
    runId: str
    executionArn: str
    reason: str | None
    imports: list[ImportReport]
    solutions: list[SolutionReport]
    trials: list[CampaignReport]
    warnings: list[str]
    text: str


class ReportedRun(FinishedRun, total=False):
    """The output of an execution: the document of the run with its report."""

    outcome: RunReport


def report_of(document: FinishedRun, standings: Standings | None = None) -> RunReport:
    """Return the report of a run, which may have ended at any state.

    Args:
        document: the output of the last state that succeeded. It lacks the results of later states.
        standings: what the campaigns serve now.
    """
    standings = standings or {}
    run = run_of_document(document)
    imports = [_import_report(result) for result in _import_results(document)]
    solutions = [_solution_report(result, standings) for result in solution_results(document)]
    trials = [campaign_report(result, standings) for result in played_trials(document)]
    warnings = [*trial_warnings(standings), *_warnings(document, solutions)]
    report: RunReport = {
        "status": _status(document, imports, solutions, trials),
        "runId": run["id"],
        "executionArn": run["executionArn"],
        "reason": _reason(document),
        "imports": imports,
        "solutions": solutions,
        "trials": trials,
        "warnings": shortened_list(warnings),
        "text": "",
    }
    return {**report, "text": _report_text(report)}


def output_of(document: FinishedRun, report: RunReport) -> ReportedRun:
    """Return the output of the execution: the document and the report, or the report alone.

    The report repeats the document, and both together may be too large for an output.
    """
    output: ReportedRun = {**document, "outcome": report}
    if len(json.dumps(output)) <= MAX_OUTPUT_BYTES:
        return output
    return {"run": run_of_document(document), "outcome": report}


def _import_results(document: FinishedRun) -> list[DatasetResult]:
    """Return the results of the imports. There are none if the run ended before its imports."""
    return document["imports"]["results"] if "imports" in document else []


def _campaign_results(document: FinishedRun) -> list[CampaignResult]:
    """Return the results of the campaigns of all solutions."""
    return [
        campaign for solution in solution_results(document) for campaign in solution["campaigns"]
    ]


def run_of_document(document: FinishedRun) -> Run:
    """Return the run. If it was not planned, the document has only the first state's output."""
    return run_of(document["run"])


def _status(
    document: FinishedRun,
    imports: list[ImportReport],
    solutions: list[SolutionReport],
    trials: list[CampaignReport],
) -> Outcome:
    """Return the status of the run, which is FAILED if the run ended with an error.

    A finished trial counts in an execution that does nothing else. In any other run only a trial
    counts that has failed or that ended with a rollback.
    """
    if "error" in document or any(report["outcome"] == "FAILED" for report in imports):
        return "FAILED"
    of_trials = [report["outcome"] for report in trials]
    if "plan" in document and "worstTrial" in document["plan"]:
        of_trials.append(document["plan"]["worstTrial"])
    if _reason(document) is not None:
        of_solutions: list[Outcome] = ["SKIPPED"]
    elif document["plan"]["todo"] == "NOTHING":
        return worst_outcome(of_trials)
    else:
        # If all trainings were held back, there are none. The warnings say why.
        of_solutions = [report["outcome"] for report in solutions] or ["SKIPPED"]
    bad_trials = [outcome for outcome in of_trials if outcome in ("FAILED", "ROLLED_BACK")]
    return worst_outcome([*of_solutions, *bad_trials])


def _reason(document: FinishedRun) -> str | None:
    """Return the error that ended the run, or why the run was skipped, or None."""
    if "error" in document:
        return error_text(document["error"])
    return document["plan"]["reason"]


def _import_report(result: DatasetResult) -> ImportReport:
    item = result["item"]
    return {
        "type": result["dataset"]["type"],
        "outcome": result["outcome"],
        "datasetImportJobArn": item["arn"] if item else None,
        "failure": _item_failure(result["error"], item),
    }


def _solution_report(result: SolutionResult, standings: Standings) -> SolutionReport:
    version = result["version"]
    campaigns = [campaign_report(campaign, standings) for campaign in result["campaigns"]]
    return {
        "solutionArn": result["solution"]["solutionArn"],
        "outcome": _solution_outcome(result, campaigns),
        "solutionVersionArn": version["arn"] if version else None,
        "trainingMode": result["solution"]["trainingMode"],
        "failure": _item_failure(result["error"], version),
        "campaigns": campaigns,
    }


def _solution_outcome(result: SolutionResult, campaigns: list[CampaignReport]) -> Outcome:
    """Return the outcome of the training, or the worst outcome of the campaigns after it."""
    version = result["version"]
    if result["error"] or version is None or version["outcome"] is None:
        return "FAILED"
    if version["outcome"] != "TRAINED":
        return "SKIPPED" if version["outcome"] == "SKIPPED" else "FAILED"
    if not campaigns:
        return "TRAINED"
    return worst_outcome([report["outcome"] for report in campaigns])


def _item_failure(error: StateError | None, item: Item | None) -> str | None:
    """Return why an item failed or was skipped, or None."""
    if error:
        return error_text(error)
    return "; ".join(item["reasons"]) or None if item else None


def _warnings(document: FinishedRun, solutions: list[SolutionReport]) -> Iterator[str]:
    """Yield the warnings of the plan, of each campaign and of each job, in this order."""
    if "plan" in document:
        yield from document["plan"]["warnings"]
    for campaign in [*played_trials(document), *_campaign_results(document)]:
        item = campaign["item"]
        for warning in item["warnings"] if item else []:
            yield f"{campaign['campaign']['campaignArn']}: {warning}"
    for result in solution_results(document):
        for warning in result["version"]["warnings"] if result["version"] else ():
            yield f"{result['solution']['solutionArn']}: {warning}"
    yield from _warnings_about_old_versions(solutions)


def _warnings_about_old_versions(solutions: list[SolutionReport]) -> Iterator[str]:
    """Yield a warning for each solution with a campaign that has refused its new version.

    Personalize updates only the newest version of a solution, and does not say so in a response. A
    version that waits for an approval may still be deployed.
    """
    for solution in solutions:
        outcomes = {campaign["outcome"] for campaign in solution["campaigns"]}
        if outcomes & {"REJECTED", "ROLLED_BACK"}:
            yield (
                f"{solution['solutionArn']}: a campaign keeps an older version. With the recipes "
                "User-Personalization and Next-Best-Action, Personalize adds new items to the "
                "newest version only; correct the data or the rules, and train again soon"
            )


def _report_text(report: RunReport) -> str:
    """Return the text of a report.

    If it would be too long, its worst parts come first, and the metrics are left out.
    """
    lines = [*_lines(report)]
    if shortened_list(lines, MAX_REPORT_BYTES) != lines:
        worst_first = [*_lines(_worst_first(report), with_metrics=False)]
        lines = shortened_list(worst_first, MAX_REPORT_BYTES, end=REST_OF_TEXT)
    return "\n".join(lines)


def _worst_first(report: RunReport) -> RunReport:
    """Return a report in which the worst imports, solutions and campaigns come first."""

    def badness(part: CampaignReport | SolutionReport) -> int:
        return WORST_FIRST.index(part["outcome"])

    solutions: list[SolutionReport] = [
        {**solution, "campaigns": sorted(solution["campaigns"], key=badness)}
        for solution in report["solutions"]
    ]
    return {
        **report,
        "imports": sorted(report["imports"], key=lambda part: part["outcome"] != "FAILED"),
        "solutions": sorted(solutions, key=badness),
    }


def _lines(report: RunReport, *, with_metrics: bool = True) -> Iterator[str]:
    """Yield the lines of the report's text. Its first line is the status and the reason."""
    reason = f": {report['reason']}" if report["reason"] else ""
    yield f"Retraining run {report['runId']}: {report['status']}{reason}"
    for trial in report["trials"]:
        yield f"  {one_line(trial_line(trial))}"
    for dataset in report["imports"]:
        yield _line(1, f"import of {dataset['type']}", dataset["outcome"], dataset["failure"])
    for solution in report["solutions"]:
        yield _line(1, solution["solutionArn"], solution["outcome"], solution["failure"])
        if solution["solutionVersionArn"]:
            yield f"    version {solution['solutionVersionArn']}"
        for campaign in solution["campaigns"]:
            yield _line(2, campaign["campaignArn"], campaign["outcome"], campaign["failure"])
            if with_metrics:
                for name, metric in campaign["metrics"].items():
                    yield f"      {name}: {metric_change(metric['new'], metric['live'])}"
    for warning in report["warnings"]:
        yield f"  warning: {one_line(warning)}"


def _line(depth: int, subject: str, outcome: str, failure: str | None) -> str:
    """Return a line of the text, indented by two spaces for each level of depth."""
    reason = f": {one_line(failure)}" if failure else ""
    return f"{'  ' * depth}{subject}: {outcome}{reason}"
