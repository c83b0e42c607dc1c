"""Dataset import jobs, which read rows from CSV files in S3 into a dataset."""

import hashlib
from datetime import date
from functools import partial

from emulator.personalize.csv_files import read_csv
from emulator.personalize.errors import JobFailed, invalid_input
from emulator.personalize.lifecycle import check_no_unfinished_job, create_resource, find_active
from emulator.personalize.resources import DataDeletionJob, Dataset, ImportJob
from emulator.personalize.s3_files import parse_location, read_csv_files
from emulator.personalize.store import Request, Store
from emulator.personalize.tables import IDENTITY_FIELDS, MIN_INTERACTIONS, Row


def create_dataset_import_job(store: Store, request: Request) -> ImportJob:
    """Start a job that imports CSV files into a dataset, and fails if they're invalid.

    The switch `import_reads` decides if the files are read when the job becomes IN_PROGRESS, or
    when it ends.
    """
    dataset = find_active(store, Dataset, request["datasetArn"])
    location = parse_location(request["dataSource"].get("dataLocation", ""))
    check_no_unfinished_job(store, dataset.group_arn, DataDeletionJob)

    if request.get("importMode") == "INCREMENTAL":
        _require_full_import(store, dataset)

    job = create_resource(
        store,
        ImportJob,
        {"importMode": "FULL", **request},
        parent_arns=[dataset.arn, dataset.group_arn],
        dataset=dataset,
        location=location,
    )
    if store.switches.import_reads == "start":
        job.timeline.on_in_progress(partial(_read_files, store, job))

    job.timeline.on_active(partial(_import_rows, store, job))
    return job


def _require_full_import(store: Store, dataset: Dataset) -> None:
    """Reject an incremental import into a dataset that never had a successful FULL import."""
    for job in store.list_resources(ImportJob, dataset.arn):
        if job.is_active(store.now) and not job.is_incremental:
            return
    raise invalid_input(
        f"Dataset {dataset.arn} has no bulk data; import with importMode FULL first"
    )


def _read_files(store: Store, job: ImportJob) -> None:
    """Read the files of a job from S3 as its role, and keep their contents until the import."""
    role_arn = job.details.get("roleArn", "")
    job.files = read_csv_files(store.objects, job.location, role_arn)


def _import_rows(store: Store, job: ImportJob) -> None:
    """Import a job's rows into its dataset."""
    # Unless the switch `import_reads` says "start", the files are read now.
    if not job.files:
        _read_files(store, job)

    new_rows = _parse_rows(job, store.now.date())
    _check_enough_interactions(job, len(new_rows))

    dataset = job.dataset
    if not job.is_incremental:
        # A FULL import replaces all rows of earlier imports, but keeps the streamed events.
        dataset.table = dataset.events
        dataset.import_arns = ()

    dataset.table = dataset.table.with_rows(new_rows, IDENTITY_FIELDS[dataset.type])
    dataset.import_arns += (job.arn,)

    # The contents are in the dataset now, so don't keep them in memory.
    job.hashes = {url: hashlib.sha256(content).hexdigest() for url, content in job.files.items()}
    job.files = {}


def _parse_rows(job: ImportJob, today: date) -> list[Row]:
    """Parse the rows of all files, and fail the job if the files have different columns."""
    schema = job.dataset.schema.columns
    csv_files = [read_csv(url, content, schema, today) for url, content in job.files.items()]
    if len({frozenset(csv_file.columns) for csv_file in csv_files}) > 1:
        raise JobFailed("Input csv files do not have the same columns")

    return [row for csv_file in csv_files for row in csv_file.rows]


def _check_enough_interactions(job: ImportJob, row_count: int) -> None:
    """Fail the job if it contains too few interactions.

    For action interactions, there's only a minimum in the mode INCREMENTAL.
    """
    has_minimum = job.dataset.type == "INTERACTIONS"
    if job.dataset.type == "ACTION_INTERACTIONS":
        has_minimum = job.is_incremental

    if has_minimum and row_count < MIN_INTERACTIONS:
        raise JobFailed(
            f"Dataset import job has {row_count} interactions, fewer than {MIN_INTERACTIONS}"
        )
