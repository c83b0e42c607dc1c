"""Polls a dataset import job."""

from . import metrics
from .aws import read_client
from .contract import Job, StartedImport
from .log import log_job
from .personalize.imports import watch_dataset_import_job
from .texts import with_short_texts


@with_short_texts()
def handler(event: StartedImport, _context: object) -> Job:
    """Poll the import job until it ends or until this invocation has used its time."""
    settings, run, planned = event["settings"], event["run"], event["dataset"]
    job = watch_dataset_import_job(read_client(), settings, planned, event["job"])
    metrics.write_import(settings, run, planned, job)
    return log_job("watch_dataset_import_job", run, job)
