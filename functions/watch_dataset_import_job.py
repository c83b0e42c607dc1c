"""Look at the dataset import job; hold while its end is near."""

from .documents import DatasetJob, Job
from .import_jobs import watch_dataset_import_job
from .log import log_job
from .personalize import reader


def handler(event: DatasetJob, _context: object) -> Job:
    """Look at the dataset import job; hold while its end is near."""
    job = watch_dataset_import_job(reader(), event["dataset"], event["job"])
    return log_job("watch_dataset_import_job", event["run"], job)
