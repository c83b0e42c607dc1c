"""Creates a dataset import job, or uses an import job of the same export."""

from .aws import write_client
from .contract import DatasetIteration, Job
from .log import log_job
from .personalize.imports import create_dataset_import_job
from .planning.current_import import current_import
from .texts import with_short_texts


@with_short_texts()
def handler(event: DatasetIteration, _context: object) -> Job:
    """Create the import job, or adopt an import job of the same export."""
    settings, run, last_try = event["settings"], event["run"], event["job"]
    planned = current_import(write_client(), settings, run, event["dataset"], last_try)
    job = create_dataset_import_job(write_client(), settings, planned, last_try)
    return log_job("create_dataset_import_job", run, job)
