"""Short names for ARNs, and the resources that people call by them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retrain.account.errors import OperatorError

if TYPE_CHECKING:
    from retrain.account.target import Target


def short_name(arn: str) -> str:
    """Shorten an ARN to the part that identifies a resource among others of its kind.

    For a solution version this is `movies/1a2b3c4d`, and for a campaign `movies`. For an import
    job it is the dataset type, because the job is named `<prefix>-<run>-<type>`.
    """
    resource = arn.rpartition(":")[2]
    kind, _, name = resource.partition("/")
    if kind == "dataset-import-job":
        return name.rpartition("-")[2]
    return name or resource


def is_named(version_arn: str, name: str) -> bool:
    """Tell whether a name is the ARN of a version, its short name, or its id alone."""
    version_id = version_arn.rpartition("/")[2]
    return name in (version_arn, short_name(version_arn), version_id)


def find_campaign_arn(target: Target, name: str | None) -> str:
    """Find the campaign with this name or ARN, or the only campaign if the option is missing."""
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
