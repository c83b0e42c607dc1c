"""Polls the training of a solution version."""

from .aws import read_client
from .contract import Job, StartedTraining
from .log import log_job
from .personalize.versions import watch_solution_version
from .texts import with_short_texts


@with_short_texts()
def handler(event: StartedTraining, _context: object) -> Job:
    """Poll the training until it ends or until this invocation has used its time."""
    job = watch_solution_version(
        read_client(), event["settings"], event["solution"], event["version"]
    )
    return log_job("watch_solution_version", event["run"], job)
