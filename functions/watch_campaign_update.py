"""Look at a campaign's update, or its way back; hold while its end is near."""

from .aws import reader
from .contract import Job, UpdatedCampaign
from .log import log_job
from .personalize.campaigns import watch_campaign_update


def handler(event: UpdatedCampaign, _context: object) -> Job:
    """Look at a campaign's update, or its way back; hold while its end is near."""
    job = watch_campaign_update(reader(), event["campaign"], event["rollback"] or event["update"])
    return log_job("watch_campaign_update", event["run"], job)
