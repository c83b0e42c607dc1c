"""Ends the trial of a version on a campaign."""

from .aws import write_client
from .contract import TrialEnd, UpdatedCampaign
from .log import log_campaign
from .personalize.trials import end_trial
from .texts import with_short_texts


@with_short_texts()
def handler(event: UpdatedCampaign, _context: object) -> TrialEnd:
    """Write to the campaign how the trial ended, and return it."""
    arn = event["campaign"]["campaignArn"]
    end = end_trial(write_client(), event["settings"], arn, event)
    log_campaign("end_trial", event["run"], arn, end["outcome"])
    return end
