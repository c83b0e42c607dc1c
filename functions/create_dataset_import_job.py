"""Start a dataset import; adopt the job where this run started it before."""

from .aws import writer
from .contract import DatasetIteration, Job
from .log import log_job
from .personalize.imports import create_dataset_import_job


def handler(event: DatasetIteration, _context: object) -> Job:
    """Start a dataset import; adopt the job where this run started it before."""
    job = create_dataset_import_job(writer(), event["dataset"], event["job"])
    return log_job("create_dataset_import_job", event["run"], job)
