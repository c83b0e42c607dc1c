"""Starts the training of a solution version, or uses a version that exists."""

from .aws import write_client
from .contract import Job, SolutionIteration, known_imports
from .log import log_job
from .personalize.trainings import create_solution_version
from .texts import with_short_texts


@with_short_texts()
def handler(event: SolutionIteration, _context: object) -> Job:
    """Start the training, or return the job of a version that the run can use instead."""
    settings, run, planned = event["settings"], event["run"], event["solution"]
    job = create_solution_version(
        write_client(),
        settings,
        run,
        planned,
        known_imports=known_imports(event["newestImports"], event["imports"]),
        last_try=event["version"],
    )
    return log_job("create_solution_version", run, job)
