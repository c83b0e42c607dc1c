"""Moves a campaign to a new version."""

from .aws import write_client
from .contract import EvaluatedCampaign, Job
from .log import log_job
from .personalize.campaigns import update_campaign
from .texts import with_short_texts


@with_short_texts()
def handler(event: EvaluatedCampaign, _context: object) -> Job:
    """Move the campaign to the new version, unless it serves that version or a newer one."""
    job = update_campaign(
        write_client(),
        event["settings"],
        event["campaign"],
        event["evaluation"],
        target=event["version"]["arn"],
        last_try=event["update"],
    )
    return log_job("update_campaign", event["run"], job)
