"""How a run ended, in data and in words. Pure."""

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, TypedDict

from .contract import (
    CampaignResult,
    DatasetResult,
    Finished,
    Job,
    MetricValues,
    Outcome,
    Run,
    SolutionResult,
    StateError,
)
from .executions import run_of

if TYPE_CHECKING:
    from .contract import Configured

WORST_FIRST: tuple[Outcome, ...] = (
    "FAILED",
    "ROLLED_BACK",
    "REJECTED",
    "SKIPPED",
    "TRAINED",
    "DEPLOYED",
)
REFUSALS = ("InvalidInputException", "LimitExceededException", "NameTaken")
"""Errors after which it is known that nothing was created."""
LONGEST_TEXT = 30_000
"""Characters; a state machine's cause may have 32,768."""


class CampaignReport(TypedDict):
    """What became of one campaign."""

    campaignArn: str
    outcome: Outcome
    previousVersionArn: str | None
    metrics: dict[str, MetricValues]
    failure: str | None


class SolutionReport(TypedDict):
    """What became of one solution; `solutionVersionArn` is null where none was trained."""

    solutionArn: str
    outcome: Outcome
    solutionVersionArn: str | None
    trainingMode: str
    adopted: bool
    failure: str | None
    campaigns: list[CampaignReport]


class ImportReport(TypedDict):
    """What became of one dataset's import."""

    type: str
    outcome: str
    datasetImportJobArn: str | None
    failure: str | None


class RunReport(TypedDict):
    """What became of a run; `status` is the worst of its parts, `text` all of it in words."""

    status: Outcome
    runId: str
    executionArn: str
    reason: str | None
    imports: list[ImportReport]
    solutions: list[SolutionReport]
    warnings: list[str]
    text: str


def report(document: Finished) -> RunReport:
    """Give the report of a run that got as far as the document shows."""
    run = _run(document)
    imports = [_import(each) for each in _imports(document)]
    solutions = [_solution(each) for each in document.get("solutions", [])]
    reason = _reason(document)
    made: RunReport = {
        "status": _status(document, imports, solutions),
        "runId": run["id"],
        "executionArn": run["executionArn"],
        "reason": reason,
        "imports": imports,
        "solutions": solutions,
        "warnings": _warnings(document),
        "text": "",
    }
    return {**made, "text": "\n".join(_lines(made))[:LONGEST_TEXT]}


def worst(outcomes: list[Outcome]) -> Outcome:
    """Give the worst of some outcomes, at least one."""
    return next(outcome for outcome in WORST_FIRST if outcome in outcomes)


def _imports(document: Finished) -> list[DatasetResult]:
    return document["imports"]["results"] if "imports" in document else []


def _run(document: Finished) -> Run:
    if "run" in document:
        return document["run"]
    configured: Configured = {
        "settings": document["settings"],
        "request": document["request"],
        "executionArn": document["executionArn"],
        "startedAt": document["startedAt"],
    }
    return run_of(configured)


def _status(
    document: Finished, imports: list[ImportReport], solutions: list[SolutionReport]
) -> Outcome:
    if "error" in document or any(each["outcome"] == "FAILED" for each in imports):
        return "FAILED"
    if document["plan"]["skipped"]:
        return "SKIPPED"
    return worst([each["outcome"] for each in solutions])


def _reason(document: Finished) -> str | None:
    if "error" in document:
        return _words(document["error"])
    return document["plan"]["skipped"]


def _import(result: DatasetResult) -> ImportReport:
    job = result["job"]
    return {
        "type": result["dataset"]["type"],
        "outcome": result["outcome"],
        # A job that could not even be started has no creation time, and no ARN of its own.
        "datasetImportJobArn": job["arn"] if job and "createdAt" in job else None,
        "failure": _failure(result["error"], job),
    }


def _solution(result: SolutionResult) -> SolutionReport:
    version = result["version"]
    campaigns = [_campaign(each) for each in result["campaigns"]]
    return {
        "solutionArn": result["solution"]["solutionArn"],
        "outcome": _solution_outcome(result, campaigns),
        "solutionVersionArn": version["arn"] if version and "createdAt" in version else None,
        "trainingMode": result["solution"]["trainingMode"],
        "adopted": bool(version and not version["ours"]),
        "failure": _failure(result["error"], version),
        "campaigns": campaigns,
    }


def _solution_outcome(result: SolutionResult, campaigns: list[CampaignReport]) -> Outcome:
    version = result["version"]
    if result["error"] or version is None or version["phase"] not in ("ACTIVE", "SKIPPED"):
        return "FAILED"
    if version["phase"] == "SKIPPED":
        return "SKIPPED"
    return worst([each["outcome"] for each in campaigns] or ["TRAINED"])


def _campaign(result: CampaignResult) -> CampaignReport:
    update, evaluation = result["update"], result["evaluation"]
    return {
        "campaignArn": result["campaign"]["campaignArn"],
        "outcome": result["outcome"],
        "previousVersionArn": update.get("previousVersionArn") if update else None,
        "metrics": evaluation["metrics"] if evaluation else {},
        "failure": _failure(result["error"], None) or "; ".join(_reasons(result)) or None,
    }


def _reasons(result: CampaignResult) -> Iterator[str]:
    """Give why a campaign does not serve the new version, in the order of events."""
    evaluation, probing = result["evaluation"], result["probing"]
    if evaluation and evaluation["verdict"] == "REJECTED":
        yield from evaluation["reasons"]
    for job in (result["update"], result["rollback"]):
        if job and job["failure"]:
            yield job["failure"]
    if probing and probing["phase"] == "FAILED":
        yield f"the probe failed: {probing['failure']}"


def _failure(error: StateError | None, job: Job | None) -> str | None:
    return _words(error) if error else job["failure"] if job else None


def _words(error: StateError) -> str:
    """Give an error in words; where a function raised it, the cause is JSON around the message."""
    cause = error.get("Cause", "no cause given")
    with suppress(ValueError, TypeError, KeyError):
        cause = json.loads(cause)["errorMessage"]
    return f"{error['Error']}: {cause}"


def _warnings(document: Finished) -> list[str]:
    jobs = [
        *(each["job"] for each in _imports(document)),
        *(each["version"] for each in document.get("solutions", [])),
        *(
            job
            for each in document.get("solutions", [])
            for campaign in each["campaigns"]
            for job in (campaign["update"], campaign["rollback"])
        ),
    ]
    planned = document["plan"]["warnings"] if "plan" in document else []
    notes = [
        f"{campaign['campaign']['campaignArn']}: {note}"
        for each in document.get("solutions", [])
        for campaign in each["campaigns"]
        for note in (campaign["evaluation"] or {"notes": []})["notes"]
    ]
    said = [f"{job['arn']}: {each}" for job in jobs if job for each in job["warnings"]]
    return [*planned, *notes, *said, *_perhaps_started(document)]


def _perhaps_started(document: Finished) -> list[str]:
    """Give a warning for each job whose creation was never answered, so that no ARN is known."""
    created = [
        *((each["dataset"]["jobName"], each["job"], each["error"]) for each in _imports(document)),
        *(
            (each["solution"]["versionName"], each["version"], each["error"])
            for each in document.get("solutions", [])
        ),
    ]
    return [
        f"{name} may have been created all the same; to resume run {_run(document)['id']} adopts it"
        for name, job, error in created
        if job is None and error and error["Error"] not in REFUSALS
    ]


def _lines(made: RunReport) -> list[str]:
    because = f": {made['reason']}" if made["reason"] else ""
    lines = [f"Retraining run {made['runId']}: {made['status']}{because}"]
    lines += [
        _line(1, f"import of {each['type']}", each["outcome"], each["failure"])
        for each in made["imports"]
    ]
    for each in made["solutions"]:
        lines.append(_line(1, each["solutionArn"], each["outcome"], each["failure"]))
        if each["solutionVersionArn"]:
            adopted = ", adopted from somebody else" if each["adopted"] else ""
            lines.append(f"    version {each['solutionVersionArn']}{adopted}")
        lines += [
            _line(2, campaign["campaignArn"], campaign["outcome"], campaign["failure"])
            for campaign in each["campaigns"]
        ]
    return lines + [f"  warning: {warning}" for warning in made["warnings"]]


def _line(depth: int, what: str, outcome: str, failure: str | None) -> str:
    return "  " * depth + f"{what}: {outcome}" + (f": {failure}" if failure else "")
