"""Start a dataset import; adopt the job where this run started it before."""

from .documents import DatasetIteration, Job
from .import_jobs import create_dataset_import_job
from .log import log_job
from .personalize import writer


def handler(event: DatasetIteration, _context: object) -> Job:
    """Start a dataset import; adopt the job where this run started it before."""
    job = create_dataset_import_job(writer(), event["dataset"], event["job"])
    return log_job("create_dataset_import_job", event["run"], job)
