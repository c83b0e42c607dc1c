"""Finds the campaigns with a version on trial that earlier runs have not finished."""

from .aws import read_client
from .contract import RunContext, UnfinishedTrials
from .log import log
from .personalize.unfinished_trials import unfinished_trials
from .texts import with_short_texts


@with_short_texts()
def handler(event: RunContext, _context: object) -> UnfinishedTrials:
    """Return the campaigns whose trials this run has to end."""
    trials = unfinished_trials(read_client(), event["settings"])
    count = len(trials["campaigns"])
    log("find_trials", f"{count} on trial", runId=event["run"]["id"], campaigns=count)
    return trials
