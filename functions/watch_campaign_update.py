"""Polls a campaign update or a rollback."""

from . import metrics
from .aws import read_client
from .contract import Job, UpdatedCampaign
from .log import log_job
from .personalize.campaigns import watch_campaign_update, watch_rollback
from .texts import with_short_texts


@with_short_texts()
def handler(event: UpdatedCampaign, _context: object) -> Job:
    """Poll the update or its rollback until it ends or until this invocation has used its time."""
    settings, campaign = event["settings"], event["campaign"]
    if event["rollback"]:
        job = watch_rollback(read_client(), settings, campaign, event["rollback"])
    else:
        job = watch_campaign_update(read_client(), settings, campaign, event["update"])
        metrics.write_update(settings, event["run"], campaign, job)
    return log_job("watch_campaign_update", event["run"], job)
