"""Judges a new version for a campaign, against the version that the campaign serves now."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..workflow_settings import solution_settings
from .approvals import approval_verdict
from .campaigns import describe_campaign, live_version
from .gate import judge
from .tags import write_tags
from .verdicts import rollback_reasons, verdict_tags
from .versions import is_latest

if TYPE_CHECKING:
    from mypy_boto3_personalize import PersonalizeClient

    from ..contract import Evaluation, Job
    from ..workflow_settings import Settings
    from .gate import Metrics


class Judgement(NamedTuple):
    """The judgement of a version, and all metrics that were compared. Without rules there are none.

    The evaluation has only the metrics of the rules, because it stays in the document of the run.
    """

    evaluation: Evaluation
    new_metrics: Metrics
    live_metrics: Metrics


def evaluate_solution_version(
    client: PersonalizeClient,
    settings: Settings,
    solution_arn: str,
    campaign_arn: str,
    version: Job,
) -> Judgement:
    """Judge the new version for this campaign, and return the judgement with the metrics.

    The quality gate compares the version with the version that the campaign serves. If the gate
    rejects the version, a tag of the campaign says so until the rules or the live version change. A
    version from which a campaign of the solution was rolled back is rejected, even if the gate
    accepts it. If the solution needs an approval, a version that the gate accepts waits for it.
    """
    solution = solution_settings(settings, solution_arn)
    rules, approval = solution["qualityGate"], solution.get("approval")
    live = live_version(describe_campaign(client, campaign_arn))
    # Without rules nothing is compared, so no metrics are requested.
    new_metrics = _metrics(client, version["arn"]) if rules else {}
    live_metrics = _live_metrics(client, live) if rules else {}
    evaluation = judge(new_metrics, live_metrics, rules, compared_with=live)
    if reasons := list(rollback_reasons(client, settings, campaign_arn, version["arn"])):
        evaluation["verdict"] = "REJECTED"
        evaluation["reasons"] += reasons
    elif evaluation["verdict"] == "REJECTED":
        verdict = verdict_tags(settings, campaign_arn, version["arn"], "REJECTED", live)
        write_tags(client, campaign_arn, verdict)
    elif approval:
        answer = approval_verdict(client, version["arn"], approval)
        evaluation["verdict"], evaluation["reasons"] = answer.verdict, answer.reasons
    return Judgement(evaluation, new_metrics, live_metrics)


def _live_metrics(client: PersonalizeClient, live: str | None) -> Metrics:
    """Return the metrics of the live version, or {} if the campaign serves nothing or $LATEST."""
    if live is None or is_latest(live):
        return {}
    return _metrics(client, live)


def _metrics(client: PersonalizeClient, version_arn: str) -> Metrics:
    """Return the offline metrics of a version by name, or {} if it has no metrics."""
    return client.get_solution_metrics(solutionVersionArn=version_arn).get("metrics", {})
