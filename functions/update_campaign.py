"""Moves a campaign to the version that is on trial."""

from .aws import write_client
from .contract import CampaignToUpdate, Job
from .log import log_job
from .personalize.campaigns import update_campaign
from .texts import with_short_texts


@with_short_texts()
def handler(event: CampaignToUpdate, _context: object) -> Job:
    """Move the campaign to the version on trial, unless an earlier try has moved it."""
    job = update_campaign(
        write_client(),
        event["settings"],
        event["campaign"],
        event["evaluation"],
        event["update"],
    )
    return log_job("update_campaign", event["run"], job)
