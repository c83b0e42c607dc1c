"""Creates a dataset import job, or uses the job that an earlier try created."""

from .aws import write_client
from .contract import DatasetIteration, Job
from .log import log_job
from .personalize.imports import create_dataset_import_job
from .texts import with_short_texts


@with_short_texts()
def handler(event: DatasetIteration, _context: object) -> Job:
    """Create the import job, or adopt it if an earlier try of this run created it."""
    job = create_dataset_import_job(
        write_client(), event["settings"], event["dataset"], event["job"]
    )
    return log_job("create_dataset_import_job", event["run"], job)
