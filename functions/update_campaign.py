"""Move a campaign to the new version, never to an older one."""

from .aws import writer
from .contract import EvaluatedCampaign, Job
from .log import log_job
from .personalize.campaigns import update_campaign


def handler(event: EvaluatedCampaign, _context: object) -> Job:
    """Move a campaign to the new version, never to an older one."""
    job = update_campaign(
        writer(), event["campaign"], event["version"], event["evaluation"], event["update"]
    )
    return log_job("update_campaign", event["run"], job)
