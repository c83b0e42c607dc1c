"""Finds the campaigns with a version on trial that earlier runs have not finished."""

from .aws import read_client
from .contract import RunContext, UnfinishedTrials
from .log import log_trials
from .personalize.unfinished_trials import unfinished_trials
from .texts import with_short_texts


@with_short_texts()
def handler(event: RunContext, _context: object) -> UnfinishedTrials:
    """Return the campaigns whose trials this run has to end."""
    return log_trials(event["run"], unfinished_trials(read_client(), event["settings"]))
