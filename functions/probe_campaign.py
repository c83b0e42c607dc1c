"""Ask a campaign for recommendations, to see whether its new version really serves."""

from .aws import runtime
from .contract import Probing, UpdatedCampaign
from .log import log_campaign
from .personalize.probe import probe_campaign


def handler(event: UpdatedCampaign, _context: object) -> Probing:
    """Ask a campaign for recommendations, to see whether its new version really serves."""
    campaign = event["campaign"]
    probing = probe_campaign(runtime(), campaign, event["probing"])
    log_campaign("probe_campaign", event["run"], campaign["campaignArn"], probing["phase"])
    return probing
