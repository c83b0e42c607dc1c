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
    """Judge the version for this campaign. A rejected version is tagged and not deployed again.

    A version is also rejected if another campaign was rolled back from it.
    """
    rules = solution_settings(settings, solution_arn)["qualityGate"]
    described = client.describe_campaign(campaignArn=campaign_arn)["campaign"]
    served = live_version(described)
    evaluation = judge(
        _metrics(client, version["arn"]) if rules else {},
        _live_metrics(client, served) if rules else None,
        rules,
        compared_with=served,
    )
    if was_rolled_back(client, version["arn"]):
        evaluation["verdict"] = "REJECTED"
        evaluation["reasons"].append("a campaign was rolled back from it")
    elif evaluation["verdict"] == "REJECTED":
        write_tag(client, version["arn"], VERDICT, "REJECTED")
    return evaluation


def _live_metrics(client: PersonalizeClient, served: str | None) -> Metrics | None:
    """Return the metrics of the served version, or None if no version is served or named."""
    if served is None or is_latest(served):
        return None
    return _metrics(client, served)


def _metrics(client: PersonalizeClient, version_arn: str) -> Metrics:
    return client.get_solution_metrics(solutionVersionArn=version_arn).get("metrics", {})
