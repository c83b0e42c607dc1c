"""Polls the training of a solution version."""

from . import metrics
from .aws import read_client
from .contract import Job, StartedTraining, known_imports
from .log import log_job
from .personalize.trainings import watch_solution_version
from .texts import with_short_texts


@with_short_texts()
def handler(event: StartedTraining, _context: object) -> Job:
    """Poll the training, and judge what the version has learned when it is ACTIVE."""
    settings, run, planned = event["settings"], event["run"], event["solution"]
    job = watch_solution_version(
        read_client(),
        settings,
        run,
        planned,
        known_imports=known_imports(event["newestImports"], event["imports"]),
        training=event["version"],
    )
    metrics.write_training(settings, run, planned, job)
    return log_job("watch_solution_version", run, job)
