"""Stops a training that is past its deadline."""

from .aws import writer
from .contract import Job, SolutionVersion
from .log import log_job
from .personalize.versions import stop_solution_version


def handler(event: SolutionVersion, _context: object) -> Job:
    """Stop an overdue training of this pipeline. A foreign training is not stopped."""
    job = stop_solution_version(writer(), event["version"])
    return log_job("stop_solution_version", event["run"], job)
