"""Look at the training; hold while its end is near."""

from .aws import reader
from .contract import Job, SolutionVersion
from .log import log_job
from .personalize.versions import watch_solution_version


def handler(event: SolutionVersion, _context: object) -> Job:
    """Look at the training; hold while its end is near."""
    job = watch_solution_version(reader(), event["solution"], event["version"])
    return log_job("watch_solution_version", event["run"], job)
