"""Shortens ARNs to names that people use, and finds resources by these names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retrain.account.errors import OperatorError

if TYPE_CHECKING:
    from retrain.account.target import Target


def short_name(arn: str) -> str:
    """Shorten an ARN to the name by which people tell resources of the same kind apart.

    A campaign's is `movies`, for example, and a solution version's is `movies/1a2b3c4d`. An import
    job's is only the dataset type, because job names have the form `<prefix>-<run>-<type>`.
    """
    resource = arn.rpartition(":")[2]
    kind, _, name = resource.partition("/")
    if kind == "dataset-import-job":
        return name.rpartition("-")[2]
    return name or resource


def is_named(version_arn: str, name: str) -> bool:
    """Return True if a name refers to a version: by its ARN, its short name, or just its ID."""
    version_id = version_arn.rpartition("/")[2]
    return name in (version_arn, short_name(version_arn), version_id)


def find_campaign_arn(target: Target, name: str | None) -> str:
    """Find a campaign by the name or ARN in `--campaign`. If that's None, it's the only campaign.

    Raises OperatorError if the name is unknown, or if it's missing but there are several campaigns.
    """
    campaign_arns = [
        campaign["campaignArn"]
        for solution in target.settings["solutions"]
        for campaign in solution["campaigns"]
    ]
    if name is None and len(campaign_arns) == 1:
        return campaign_arns[0]
    for campaign_arn in campaign_arns:
        if name in (campaign_arn, short_name(campaign_arn)):
            return campaign_arn

    problem = "--campaign is missing"
    if name is not None:
        problem = f"--campaign {name!r} is unknown"
    campaign_names = ", ".join(map(short_name, campaign_arns)) or "none"
    raise OperatorError(f"{problem}; the campaigns of this pipeline: {campaign_names}")
