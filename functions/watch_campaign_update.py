"""Polls a campaign update or a rollback."""

from .aws import read_client
from .contract import Job, UpdatedCampaign
from .log import log_job
from .personalize.campaigns import watch_campaign_update
from .texts import with_short_texts


@with_short_texts()
def handler(event: UpdatedCampaign, _context: object) -> Job:
    """Poll the update or its rollback until it ends or until this invocation has used its time."""
    update = event["rollback"] or event["update"]
    job = watch_campaign_update(read_client(), event["settings"], event["campaign"], update)
    return log_job("watch_campaign_update", event["run"], job)
