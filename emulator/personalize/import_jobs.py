"""The operations on dataset import jobs, which turn CSV files in S3 into rows of a dataset."""

import hashlib
from collections.abc import Sequence
from datetime import date
from functools import partial

from emulator.personalize.csv_files import read_csv
from emulator.personalize.errors import JobFailed, invalid_input
from emulator.personalize.lifecycle import check_no_unfinished_job, create, find_active
from emulator.personalize.resources import DataDeletionJob, Dataset, ImportJob
from emulator.personalize.s3_files import parse_location, read_csv_files
from emulator.personalize.store import Request, Store
from emulator.personalize.tables import IDENTITY_FIELDS, MIN_INTERACTIONS, Row, Table


def create_dataset_import_job(store: Store, request: Request) -> ImportJob:
    """Start an import job. It fails if the files are not valid.

    It reads them when it ends, or when it is IN_PROGRESS if the switch `import_reads` is "start".
    """
    dataset = find_active(store, Dataset, request["datasetArn"])
    location = parse_location(request["dataSource"].get("dataLocation", ""))
    check_no_unfinished_job(store, dataset.group_arn, DataDeletionJob)

    if request.get("importMode") == "INCREMENTAL":
        _check_bulk_data(store, dataset)

    job = create(
        store,
        ImportJob,
        {"importMode": "FULL", **request},
        belongs_to=[dataset.arn, dataset.group_arn],
        dataset=dataset,
        location=location,
    )
    if store.switches.import_reads == "start":
        job.timeline.when_in_progress(partial(_read_files, store, job))

    job.timeline.when_active(partial(_import, store, job))
    return job


def _check_bulk_data(store: Store, dataset: Dataset) -> None:
    """Reject an incremental import into a dataset without an earlier FULL import."""
    for job in store.list_resources(ImportJob, dataset.arn):
        if job.is_active(store.now) and not job.is_incremental:
            return
    raise invalid_input(
        f"Dataset {dataset.arn} has no bulk data; import with importMode FULL first"
    )


def _read_files(store: Store, job: ImportJob) -> None:
    """Read the files of a job as its role."""
    role_arn = job.details.get("roleArn", "")
    job.files = read_csv_files(store.objects, job.location, role_arn)


def _import(store: Store, job: ImportJob) -> None:
    """Import the files of a job into its dataset. A job that reads at its end reads them now."""
    if not job.files:
        _read_files(store, job)

    new_rows = _parse_rows(job, store.now.date())
    _check_enough_interactions(job, len(new_rows))

    if not job.is_incremental:
        job.dataset.table = Table(job.dataset.table.columns)
        job.dataset.imports = ()

    _add_rows(job, new_rows)

    job.hashes = {url: hashlib.sha256(data).hexdigest() for url, data in job.files.items()}
    job.files = {}


def _add_rows(job: ImportJob, new_rows: Sequence[Row]) -> None:
    """Add the rows of a job to its dataset, and remember where they came from."""
    dataset = job.dataset
    dataset.table = dataset.table.with_rows(new_rows, IDENTITY_FIELDS[dataset.type])
    dataset.imports = (*dataset.imports, job.arn)


def _parse_rows(job: ImportJob, today: date) -> list[Row]:
    """Parse the rows of all files, which must have the same columns."""
    schema = job.dataset.schema.columns
    csv_files = [read_csv(url, data, schema, today) for url, data in job.files.items()]
    if len({frozenset(csv_file.columns) for csv_file in csv_files}) > 1:
        raise JobFailed("Input csv files do not have the same columns")

    return [row for csv_file in csv_files for row in csv_file.rows]


def _check_enough_interactions(job: ImportJob, row_count: int) -> None:
    """Fail the job if it has too few interactions.

    Item interactions have a minimum in either mode, and action interactions only with INCREMENTAL.
    """
    has_minimum = job.dataset.type == "INTERACTIONS"
    if job.dataset.type == "ACTION_INTERACTIONS":
        has_minimum = job.is_incremental

    if has_minimum and row_count < MIN_INTERACTIONS:
        raise JobFailed(
            f"Dataset import job has {row_count} interactions, fewer than {MIN_INTERACTIONS}"
        )
