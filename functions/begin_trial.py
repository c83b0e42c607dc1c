"""Puts a new version on trial on a campaign, before the campaign is moved."""

from .aws import write_client
from .contract import EvaluatedCampaign, Job
from .log import log_job
from .personalize.trials import begin_trial
from .texts import with_short_texts


@with_short_texts()
def handler(event: EvaluatedCampaign, _context: object) -> Job:
    """Put the version on trial, unless the campaign serves it or a newer one."""
    job = begin_trial(
        write_client(),
        event["settings"],
        event["campaign"],
        event["evaluation"],
        target=event["version"]["arn"],
        last_try=event["update"],
    )
    return log_job("begin_trial", event["run"], job)
