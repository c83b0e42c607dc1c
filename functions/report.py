"""Builds the report of a run, as data and as text. All functions are pure."""

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, TypedDict

from .contract import (
    CampaignResult,
    DatasetResult,
    FinishedRun,
    Job,
    MetricValues,
    Outcome,
    Run,
    SolutionResult,
    StateError,
)
from .executions import run_of
from .texts import MAX_REFUSAL_BYTES, MAX_TEXT_BYTES, shortened, shortened_list

if TYPE_CHECKING:
    from .contract import ConfiguredRun

WORST_FIRST: tuple[Outcome, ...] = (
    "FAILED",
    "ROLLED_BACK",
    "REJECTED",
    "SKIPPED",
    "TRAINED",
    "DEPLOYED",
)
ERRORS_WITHOUT_JOB = ("InvalidInputException", "LimitExceededException", "NameTaken")
"""After these errors of a create it is certain that no job was created."""
MAX_REPORT_BYTES = 30_000
"""The most bytes of the text of a report. The text becomes the cause of a failed execution, which
may have 32,768 characters."""
MAX_FAILURE_BYTES = 2 * MAX_TEXT_BYTES
"""The most bytes of the failure of a campaign: of its update and of its rollback."""
REST_OF_TEXT = "… and {} more lines; the output of this execution has the whole report"


class CampaignReport(TypedDict):
    """The result of one campaign."""

    campaignArn: str
    outcome: Outcome
    previousVersionArn: str | None
    metrics: dict[str, MetricValues]
    failure: str | None


class SolutionReport(TypedDict):
    """The result of one solution.

    `solutionVersionArn` is null if no version was created. `adopted` is true if the version is
    foreign.
    """

    solutionArn: str
    outcome: Outcome
    solutionVersionArn: str | None
    trainingMode: str
    adopted: bool
    failure: str | None
    campaigns: list[CampaignReport]


class ImportReport(TypedDict):
    """The result of the import of one dataset."""

    type: str
    outcome: str
    datasetImportJobArn: str | None
    failure: str | None


class RunReport(TypedDict):
    """The result of a run. `status` is the worst outcome of its imports and solutions."""

    status: Outcome
    runId: str
    executionArn: str
    reason: str | None
    imports: list[ImportReport]
    solutions: list[SolutionReport]
    warnings: list[str]
    text: str


def report_of(document: FinishedRun) -> RunReport:
    """Return the report of a run. The document may end at any state."""
    run = _run(document)
    imports = [_import_report(result) for result in _import_results(document)]
    solutions = [_solution_report(result) for result in _solution_results(document)]
    report: RunReport = {
        "status": _status(document, imports, solutions),
        "runId": run["id"],
        "executionArn": run["executionArn"],
        "reason": _reason(document),
        "imports": imports,
        "solutions": solutions,
        "warnings": shortened_list(list(_warnings(document))),
        "text": "",
    }
    return {**report, "text": _text(report)}


def worst_outcome(outcomes: list[Outcome]) -> Outcome:
    """Return the worst of one or more outcomes."""
    return next(outcome for outcome in WORST_FIRST if outcome in outcomes)


def _import_results(document: FinishedRun) -> list[DatasetResult]:
    """Return the results of the imports. There are none if the run ended before its imports."""
    return document["imports"]["results"] if "imports" in document else []


def _solution_results(document: FinishedRun) -> list[SolutionResult]:
    """Return the results of the solutions. There are none if the run ended before its trainings."""
    return document.get("solutions", [])


def _campaign_results(document: FinishedRun) -> list[CampaignResult]:
    """Return the results of the campaigns of all solutions."""
    return [
        campaign for solution in _solution_results(document) for campaign in solution["campaigns"]
    ]


def _run(document: FinishedRun) -> Run:
    """Return the run. If planning failed, the document has only the output of the first state."""
    if "run" in document:
        return document["run"]
    configured: ConfiguredRun = {
        "settings": document["settings"],
        "request": document["request"],
        "executionArn": document["executionArn"],
        "startedAt": document["startedAt"],
    }
    return run_of(configured)


def _status(
    document: FinishedRun, imports: list[ImportReport], solutions: list[SolutionReport]
) -> Outcome:
    """Return the status of the run, which is FAILED if the run ended with an error."""
    if "error" in document or any(report["outcome"] == "FAILED" for report in imports):
        return "FAILED"
    if document["plan"]["skipped"]:
        return "SKIPPED"
    return worst_outcome([report["outcome"] for report in solutions])


def _reason(document: FinishedRun) -> str | None:
    """Return the error that ended the run, or why the run was skipped, or None."""
    if "error" in document:
        return _error_text(document["error"])
    return document["plan"]["skipped"]


def _import_report(result: DatasetResult) -> ImportReport:
    return {
        "type": result["dataset"]["type"],
        "outcome": result["outcome"],
        "datasetImportJobArn": _created_arn(result["job"]),
        "failure": _failure(result["error"], result["job"]),
    }


def _solution_report(result: SolutionResult) -> SolutionReport:
    version = result["version"]
    campaigns = [_campaign_report(campaign) for campaign in result["campaigns"]]
    return {
        "solutionArn": result["solution"]["solutionArn"],
        "outcome": _solution_outcome(result, campaigns),
        "solutionVersionArn": _created_arn(version),
        "trainingMode": result["solution"]["trainingMode"],
        "adopted": version is not None and version["foreign"],
        "failure": _failure(result["error"], version),
        "campaigns": campaigns,
    }


def _solution_outcome(result: SolutionResult, campaigns: list[CampaignReport]) -> Outcome:
    """Return the outcome of the training, or the worst outcome of the campaigns after it."""
    version = result["version"]
    if result["error"] or version is None:
        return "FAILED"
    if version["phase"] == "SKIPPED":
        return "SKIPPED"
    if version["phase"] != "ACTIVE":
        return "FAILED"
    if not campaigns:
        return "TRAINED"
    return worst_outcome([report["outcome"] for report in campaigns])


def _campaign_report(result: CampaignResult) -> CampaignReport:
    update, evaluation = result["update"], result["evaluation"]
    return {
        "campaignArn": result["campaign"]["campaignArn"],
        "outcome": result["outcome"],
        "previousVersionArn": update.get("previousVersionArn") if update else None,
        "metrics": evaluation["metrics"] if evaluation else {},
        "failure": _campaign_failure(result),
    }


def _campaign_failure(result: CampaignResult) -> str | None:
    """Return why a campaign does not serve the new version, or None if it does.

    An error of the state machine may have come before a good end.
    """
    if result["outcome"] == "DEPLOYED":
        return None
    error = [_error_text(result["error"])] if result["error"] else []
    reasons = "; ".join([*error, *_campaign_reasons(result)])
    return shortened(reasons, MAX_FAILURE_BYTES) or None


def _campaign_reasons(result: CampaignResult) -> Iterator[str]:
    """Yield the reasons why a campaign does not serve the new version, in running order.

    There is none if the campaign serves it.
    """
    evaluation, probe_state, rollback = result["evaluation"], result["probing"], result["rollback"]
    if evaluation and evaluation["verdict"] == "REJECTED":
        yield from evaluation["reasons"]
    if result["update"] and result["update"]["failure"]:
        yield result["update"]["failure"]
    elif probe_state and probe_state["phase"] == "MOVED":
        yield str(probe_state["failure"])
    if probe_state and probe_state["phase"] == "FAILED":
        yield f"the probe failed: {probe_state['failure']}"
    if rollback and rollback["failure"]:
        yield rollback["failure"]
    if result["trialEnd"] and result["trialEnd"]["failure"]:
        yield result["trialEnd"]["failure"]


def _created_arn(job: Job | None) -> str | None:
    """Return the ARN of a job, or None if the job could not be created.

    The document of a job that was not created has the ARN of its dataset or solution instead.
    """
    return job["arn"] if job and "createdAt" in job else None


def _failure(error: StateError | None, job: Job | None) -> str | None:
    """Return why a job failed, or None. An error of the state machine comes before the job's."""
    if error:
        return _error_text(error)
    return job["failure"] if job else None


def _error_text(error: StateError) -> str:
    """Return an error as text.

    If a function raised the error, the cause is JSON with an `errorMessage`. Any other cause is
    already a text.
    """
    cause = error.get("Cause", "no cause given")
    with suppress(ValueError, TypeError, KeyError):
        cause = json.loads(cause)["errorMessage"]
    return shortened(f"{error['Error']}: {cause}", MAX_REFUSAL_BYTES)


def _warnings(document: FinishedRun) -> Iterator[str]:
    """Yield the warnings of the plan, of the gate and of each job, in running order."""
    if "plan" in document:
        yield from document["plan"]["warnings"]
    for campaign in _campaign_results(document):
        evaluation = campaign["evaluation"]
        for note in evaluation["notes"] if evaluation else []:
            yield f"{campaign['campaign']['campaignArn']}: {note}"
    for job in _jobs(document):
        for warning in job["warnings"]:
            yield f"{job['arn']}: {warning}"
    yield from _uncertain_creations(document)


def _jobs(document: FinishedRun) -> list[Job]:
    """Return the jobs of the run: import jobs, versions, then campaign updates and rollbacks."""
    jobs = [
        *(result["job"] for result in _import_results(document)),
        *(result["version"] for result in _solution_results(document)),
    ]
    for campaign in _campaign_results(document):
        jobs += [campaign["update"], campaign["rollback"]]
    return [job for job in jobs if job]


def _uncertain_creations(document: FinishedRun) -> Iterator[str]:
    """Yield a warning for each job that may have been created although its create failed.

    Without a response to the create, nobody knows the ARN of the job, nor whether it exists.
    """
    run_id = _run(document)["id"]
    creations = [
        *(
            (result["dataset"]["jobName"], result["job"], result["error"])
            for result in _import_results(document)
        ),
        *(
            (result["solution"]["versionName"], result["version"], result["error"])
            for result in _solution_results(document)
        ),
    ]
    for name, job, error in creations:
        if job is None and error and error["Error"] not in ERRORS_WITHOUT_JOB:
            yield (
                f"Personalize did not answer the request to create {name}, so it may exist; "
                f"resume run {run_id}, which uses it if it exists"
            )


def _text(report: RunReport) -> str:
    """Return the text of a report. If it would be too long, its worst parts come first."""
    lines = list(_lines(report))
    if shortened_list(lines, MAX_REPORT_BYTES) != lines:
        lines = shortened_list(
            list(_lines(_worst_first(report))), MAX_REPORT_BYTES, end=REST_OF_TEXT
        )
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


def _lines(report: RunReport) -> Iterator[str]:
    """Yield the lines of the report's text. Its first line is the status and the reason."""
    reason = f": {report['reason']}" if report["reason"] else ""
    yield f"Retraining run {report['runId']}: {report['status']}{reason}"
    for dataset in report["imports"]:
        yield _line(1, f"import of {dataset['type']}", dataset["outcome"], dataset["failure"])
    for solution in report["solutions"]:
        yield _line(1, solution["solutionArn"], solution["outcome"], solution["failure"])
        if solution["solutionVersionArn"]:
            adopted = ", foreign, used instead of a training" if solution["adopted"] else ""
            yield f"    version {solution['solutionVersionArn']}{adopted}"
        for campaign in solution["campaigns"]:
            yield _line(2, campaign["campaignArn"], campaign["outcome"], campaign["failure"])
    for warning in report["warnings"]:
        yield f"  warning: {warning}"


def _line(depth: int, subject: str, outcome: str, failure: str | None) -> str:
    """Return a line of the text, indented by two spaces for each level of depth."""
    reason = f": {failure}" if failure else ""
    return f"{'  ' * depth}{subject}: {outcome}{reason}"
