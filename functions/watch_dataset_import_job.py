"""Look at the dataset import job; hold while its end is near."""

from .aws import reader
from .contract import DatasetJob, Job
from .log import log_job
from .personalize.imports import watch_dataset_import_job


def handler(event: DatasetJob, _context: object) -> Job:
    """Look at the dataset import job; hold while its end is near."""
    job = watch_dataset_import_job(reader(), event["dataset"], event["job"])
    return log_job("watch_dataset_import_job", event["run"], job)
