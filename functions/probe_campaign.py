"""Requests recommendations from a campaign, to find out whether its version works."""

from .aws import read_client, runtime_client
from .contract import ProbeState, UpdatedCampaign
from .log import log_campaign
from .personalize.probe import probe_campaign
from .texts import with_short_texts


@with_short_texts()
def handler(event: UpdatedCampaign, _context: object) -> ProbeState:
    """Probe the version on trial, or after a rollback the version that serves again."""
    arn, rollback = event["campaign"]["campaignArn"], event["rollback"]
    probing = probe_campaign(
        read_client(),
        runtime_client(),
        event["settings"],
        arn,
        version_arn=(rollback or event["update"])["targetVersionArn"],
        previous_state=event["rollbackProbing"] if rollback else event["probing"],
    )
    log_campaign("probe_campaign", event["run"], arn, probing["phase"])
    return probing
