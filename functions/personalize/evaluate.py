"""Ask the gate about a campaign: the new version against the one that it serves now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .campaigns import live_version
from .gate import verdict
from .tags import VERDICT, recall, remember
from .versions import LATEST

if TYPE_CHECKING:
    from mypy_boto3_personalize import PersonalizeClient

    from ..contract import Evaluation, Job, PlannedCampaign, QualityRule


def evaluate_solution_version(
    client: PersonalizeClient,
    campaign: PlannedCampaign,
    version: Job,
    rules: list[QualityRule],
) -> Evaluation:
    """Judge the version for this campaign; a rejected one is marked, and never deployed again.

    A version that another campaign was rolled back from meanwhile is rejected here too.
    """
    described = client.describe_campaign(campaignArn=campaign["campaignArn"])["campaign"]
    served = live_version(described)
    comparable = served if served and not served.endswith(LATEST) else None
    judged = verdict(
        _metrics(client, version["arn"]) if rules else {},
        _metrics(client, comparable) if rules and comparable else None,
        rules,
        compared_with=served,
    )
    if recall(client, version["arn"]).get(VERDICT) == "ROLLED_BACK":
        judged["verdict"] = "REJECTED"
        judged["reasons"].append("a campaign was rolled back from it")
    elif judged["verdict"] == "REJECTED":
        remember(client, version["arn"], VERDICT, "REJECTED")
    return judged


def _metrics(client: PersonalizeClient, version_arn: str) -> dict[str, float]:
    return client.get_solution_metrics(solutionVersionArn=version_arn).get("metrics", {})
