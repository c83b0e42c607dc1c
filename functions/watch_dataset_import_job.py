"""Polls a dataset import job."""

from .aws import read_client
from .contract import Job, StartedImport
from .log import log_job
from .personalize.imports import watch_dataset_import_job
from .texts import with_short_texts


@with_short_texts()
def handler(event: StartedImport, _context: object) -> Job:
    """Poll the import job until it ends or until this invocation has used its time."""
    job = watch_dataset_import_job(read_client(), event["settings"], event["dataset"], event["job"])
    return log_job("watch_dataset_import_job", event["run"], job)
