"""Shortens ARNs to the names that commands print, and finds resources by these names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retrain.account.errors import OperatorError

if TYPE_CHECKING:
    from retrain.account.target import Target


def short_name(arn: str) -> str:
    """Shorten an ARN to the name that commands print.

    For a campaign, that's `movies`, for example, and for a solution version `movies/1a2b3c4d`. For
    an import job, it's only the dataset type, which is the last part of the job's name
    (`<prefix>-<run>-<type>`).
    """
    resource = arn.rpartition(":")[2]
    kind, _, name = resource.partition("/")
    if kind == "dataset-import-job":
        return name.rpartition("-")[2]
    return name or resource


def is_named(version_arn: str, name: str) -> bool:
    """Return True if `name` is a solution version's ARN, its short name, or its ID."""
    version_id = version_arn.rpartition("/")[2]
    return name in (version_arn, short_name(version_arn), version_id)


def find_campaign_arn(target: Target, name: str | None) -> str:
    """Find the ARN of the campaign that the operator has named with `--campaign`.

    `name` is a short name, an ARN, or None. If it's None, the pipeline must have a single campaign.

    Raises:
        OperatorError: the pipeline has no such campaign, or `name` is needed to choose one.
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
