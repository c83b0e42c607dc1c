"""Judges a new version for a campaign, against the version that the campaign serves now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..contract import solution_settings
from .campaigns import live_version, was_rolled_back
from .gate import judge
from .tags import VERDICT, write_tag
from .versions import is_latest

if TYPE_CHECKING:
    from mypy_boto3_personalize import PersonalizeClient

    from ..contract import Evaluation, Job, Settings
    from .gate import Metrics


def evaluate_solution_version(
    client: PersonalizeClient,
    settings: Settings,
    solution_arn: str,
    campaign_arn: str,
    version: Job,
) -> Evaluation:
    """Judge the new version for this campaign, and return the judgement.

    The quality gate compares the version with the version that the campaign serves. If the gate
    rejects the version, a tag is written, so that no run deploys the version later. A version from
    which any campaign was rolled back is rejected, even if the gate accepts it.
    """
    rules = solution_settings(settings, solution_arn)["qualityGate"]
    campaign = client.describe_campaign(campaignArn=campaign_arn)["campaign"]
    live = live_version(campaign)
    # Without rules nothing is compared, so no metrics are requested.
    new_metrics = _metrics(client, version["arn"]) if rules else {}
    live_metrics = _live_metrics(client, live) if rules else {}
    evaluation = judge(new_metrics, live_metrics, rules, compared_with=live)
    if was_rolled_back(client, version["arn"]):
        evaluation["verdict"] = "REJECTED"
        evaluation["reasons"].append(f"a campaign was rolled back from {version['arn']}")
    elif evaluation["verdict"] == "REJECTED":
        write_tag(client, version["arn"], VERDICT, "REJECTED")
    return evaluation


def _live_metrics(client: PersonalizeClient, live: str | None) -> Metrics:
    """Return the metrics of the live version, or {} if the campaign serves nothing or $LATEST."""
    if live is None or is_latest(live):
        return {}
    return _metrics(client, live)


def _metrics(client: PersonalizeClient, version_arn: str) -> Metrics:
    """Return the offline metrics of a version by name, or {} if it has no metrics."""
    return client.get_solution_metrics(solutionVersionArn=version_arn).get("metrics", {})
