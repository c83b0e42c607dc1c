"""Polls a dataset import job."""

from .aws import reader
from .contract import DatasetJob, Job
from .log import log_job
from .personalize.imports import watch_dataset_import_job


def handler(event: DatasetJob, _context: object) -> Job:
    """Poll the import job until it ends or until this invocation has used its time."""
    job = watch_dataset_import_job(reader(), event["settings"], event["dataset"], event["job"])
    return log_job("watch_dataset_import_job", event["run"], job)
