"""Moves a campaign back to its good version."""

from .aws import write_client
from .contract import Job, UpdatedCampaign
from .log import log_job
from .personalize.rollback import roll_back_campaign
from .texts import with_short_texts


@with_short_texts()
def handler(event: UpdatedCampaign, _context: object) -> Job:
    """Move the campaign back, unless it was moved to another version since."""
    job = roll_back_campaign(
        write_client(),
        event["settings"],
        event["campaign"],
        event["update"],
        event["rollback"],
    )
    return log_job("roll_back_campaign", event["run"], job)
