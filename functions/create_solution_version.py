"""Start the training of a new version; adopt it where it was started before."""

from .aws import writer
from .contract import Job, SolutionIteration
from .log import log_job
from .personalize.versions import create_solution_version


def handler(event: SolutionIteration, _context: object) -> Job:
    """Start the training of a new version; adopt it where it was started before."""
    job = create_solution_version(writer(), event["solution"], event["run"], event["imports"])
    return log_job("create_solution_version", event["run"], job)
