"""Stops a training that is past its deadline."""

from .aws import write_client
from .contract import Job, StartedTraining
from .log import log_job
from .personalize.trainings import stop_solution_version
from .texts import with_short_texts


@with_short_texts()
def handler(event: StartedTraining, _context: object) -> Job:
    """Stop an overdue training of this pipeline. A foreign training is not stopped."""
    job = stop_solution_version(write_client(), event["version"])
    return log_job("stop_solution_version", event["run"], job)
