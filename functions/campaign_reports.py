"""Builds the report about one campaign: what a run did with it, and what it serves now."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TypedDict

from .contract import (
    CampaignResult,
    CampaignStanding,
    MetricValues,
    Outcome,
    Plan,
    StateError,
)
from .texts import MAX_REFUSAL_BYTES, MAX_TEXT_BYTES, shortened

WORST_FIRST: tuple[Outcome, ...] = (
    "FAILED",
    "ROLLED_BACK",
    "REJECTED",
    "AWAITING_APPROVAL",
    "SKIPPED",
    "TRAINED",
    "DEPLOYED",
)
Standings = Mapping[str, CampaignStanding]
"""Campaign ARN -> what it serves at the end of the run. A campaign that could not be described is
left out."""
MAX_FAILURE_BYTES = 2 * MAX_TEXT_BYTES
"""The most bytes of the failure of a campaign: of its update and of its rollback."""


class CampaignReport(TypedDict):
    """The result of one campaign."""

    campaignArn: str
    outcome: Outcome
    servedVersionArn: str | None
    """The version that the campaign serves at the end of the run, or null if that is not known."""
    previousVersionArn: str | None
    metrics: dict[str, MetricValues]
    failure: str | None


def campaign_report(result: CampaignResult, standings: Standings) -> CampaignReport:
    """Return the report of a campaign. A version is DEPLOYED only if the campaign serves it now."""
    arn, item = result["campaign"]["campaignArn"], result["item"]
    standing = standings.get(arn)
    served = standing["servedVersionArn"] if standing else None
    report: CampaignReport = {
        "campaignArn": arn,
        "outcome": result["outcome"],
        "servedVersionArn": served,
        "previousVersionArn": item["previousVersionArn"] if item else None,
        "metrics": item["metrics"] if item else {},
        "failure": _failure(result),
    }
    version = item["versionArn"] if item else None
    if standing is None:
        return report
    if report["outcome"] == "DEPLOYED" and served is None:
        failure = "the campaign serves nothing now, because it is not ACTIVE any more"
        return {**report, "outcome": "FAILED", "failure": failure}
    if report["outcome"] == "DEPLOYED" and served != version:
        failure = f"the campaign serves {served} now, not {version}: somebody has moved it since"
        return {**report, "outcome": "SKIPPED", "failure": failure}
    if report["outcome"] == "ROLLED_BACK" and served == version:
        failure = f"{report['failure']}; the campaign serves {served} again: somebody has moved it"
        return {**report, "outcome": "FAILED", "failure": failure}
    return report


def with_trials(plan: Plan, results: Sequence[CampaignResult]) -> Plan:
    """Return the plan with a line about each trial that the run finished, and their worst outcome.

    The plan replaces the results of these trials in the document. They would need as much space as
    the results of the campaigns, and the document of a large pipeline has no space for both.
    """
    trials = [campaign_report(result, {}) for result in results]
    lines = [trial_line(trial) for trial in trials]
    plan = {**plan, "warnings": [*lines, *plan["warnings"]]}
    if trials:
        plan["worstTrial"] = worst_outcome([trial["outcome"] for trial in trials])
    return plan


def trial_line(trial: CampaignReport) -> str:
    """Return the line of a report about a trial that an earlier run had left."""
    reason = f": {trial['failure']}" if trial["failure"] else ""
    return f"trial at {trial['campaignArn']}: {trial['outcome']}{reason}"


def worst_outcome(outcomes: Sequence[Outcome]) -> Outcome:
    """Return the worst of one or more outcomes."""
    return next(outcome for outcome in WORST_FIRST if outcome in outcomes)


def trial_warnings(standings: Standings) -> Iterator[str]:
    """Yield a warning for each campaign that still has a version on trial."""
    for arn, standing in standings.items():
        if version := standing["versionOnTrial"]:
            yield (
                f"{arn}: {version} is on trial, and the trial has not ended; watch_pipeline starts "
                "a run that finishes the trial"
            )


def error_text(error: StateError) -> str:
    """Return an error as text.

    If a function raised the error, the cause is JSON with an `errorMessage`. Any other cause is
    already a text.
    """
    cause = error.get("Cause", "no cause given")
    with suppress(ValueError, TypeError, KeyError):
        cause = json.loads(cause)["errorMessage"]
    return shortened(f"{error['Error']}: {cause}", MAX_REFUSAL_BYTES)


def _failure(result: CampaignResult) -> str | None:
    """Return why a campaign does not serve the new version, or None if it does."""
    if result["outcome"] == "DEPLOYED":
        return None
    error = [error_text(result["error"])] if result["error"] else []
    reasons = "; ".join([*error, *(result["item"]["reasons"] if result["item"] else [])])
    return shortened(reasons, MAX_FAILURE_BYTES) or None
