"""Requests recommendations from a campaign, to find out whether its new version works."""

from .aws import runtime_client
from .contract import ProbeState, UpdatedCampaign
from .log import log_campaign
from .personalize.probe import probe_campaign
from .texts import with_short_texts


@with_short_texts()
def handler(event: UpdatedCampaign, _context: object) -> ProbeState:
    """Request recommendations until the probe ends or until this invocation has used its time."""
    arn = event["campaign"]["campaignArn"]
    probing = probe_campaign(runtime_client(), event["settings"], arn, event["probing"])
    log_campaign("probe_campaign", event["run"], arn, probing["phase"])
    return probing
