"""Look at the campaign's update; hold while its end is near."""

from .campaigns import watch_campaign_update
from .documents import CampaignUpdate, Job
from .log import log_job
from .personalize import reader


def handler(event: CampaignUpdate, _context: object) -> Job:
    """Look at the campaign's update; hold while its end is near."""
    job = watch_campaign_update(reader(), event["campaign"], event["version"], event["update"])
    return log_job("watch_campaign_update", event["run"], job)
