"""Requests recommendations from a campaign, to find out whether its new version works."""

from .aws import runtime
from .contract import Probing, UpdatedCampaign
from .log import log_campaign
from .personalize.probe import probe_campaign


def handler(event: UpdatedCampaign, _context: object) -> Probing:
    """Request recommendations until the probe ends or until this invocation has used its time."""
    arn = event["campaign"]["campaignArn"]
    probing = probe_campaign(runtime(), event["settings"], arn, event["probing"])
    log_campaign("probe_campaign", event["run"], arn, probing["phase"])
    return probing
