"""The operations on dataset import jobs, which turn CSV files in S3 into rows of a dataset."""

import hashlib
from codecs import BOM_UTF8
from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

from emulator.personalize.csv_files import read_csv
from emulator.personalize.errors import JobFailed, invalid_input
from emulator.personalize.lifecycle import check_no_deletion, create, find_active
from emulator.personalize.resources import Dataset, ImportJob
from emulator.personalize.store import Objects, Request, Store
from emulator.personalize.tables import IDENTITY_FIELDS, MIN_INTERACTIONS, Row, Table

MAX_INCREMENTAL_BYTES = 10**9


class Location(NamedTuple):
    """A location in S3. The key may also be a prefix of keys."""

    bucket: str
    key: str


def parse_location(url: str) -> Location:
    """Parse a location like `s3://bucket/key`."""
    scheme, _, path = url.partition("://")
    bucket, _, key = path.partition("/")
    if scheme != "s3" or not bucket:
        raise invalid_input("Invalid Data location.")
    return Location(bucket, key)


def create_dataset_import_job(store: Store, request: Request) -> ImportJob:
    """Start an import job. It fails if the files are not valid.

    It reads them when it ends, or when it is IN_PROGRESS if the switch `import_reads` is "start".
    """
    dataset = find_active(store, Dataset, request["datasetArn"])
    location = parse_location(request["dataSource"].get("dataLocation", ""))
    check_no_deletion(store, dataset.belongs_to[-1])
    if request.get("importMode") == "INCREMENTAL":
        _check_bulk_data(store, dataset)

    def read() -> None:
        job.files = read_files(store.objects, location, request.get("roleArn", ""))

    def import_files() -> None:
        if not job.files:
            read()
        _import(store, dataset, job)

    on_progress = read if store.switches.import_reads == "start" else None
    job = create(
        store,
        ImportJob,
        details={"importMode": "FULL", **request},
        belongs_to=[dataset.arn],
        on_progress=on_progress,
        on_end=import_files,
    )
    return job


def _check_bulk_data(store: Store, dataset: Dataset) -> None:
    """Reject an incremental import into a dataset without an earlier FULL import."""
    for job in store.list_resources(ImportJob, dataset.arn):
        if job.details["importMode"] == "FULL" and job.is_active(store.now):
            return
    raise invalid_input(
        f"Dataset {dataset.arn} has no bulk data; import with importMode FULL first"
    )


def _import(store: Store, dataset: Dataset, job: ImportJob) -> None:
    """Import the files that a job has read into its dataset.

    The mode FULL replaces the rows of the dataset, and INCREMENTAL adds rows.
    """
    is_incremental = job.details["importMode"] == "INCREMENTAL"
    total_bytes = sum(len(data) for data in job.files.values())
    if is_incremental and total_bytes > MAX_INCREMENTAL_BYTES:
        raise JobFailed(f"Incremental dataset import job has {total_bytes} bytes, more than 1 GB")

    new_rows = _read_rows(job.files, dataset, store.now.date())
    _check_enough_interactions(len(new_rows), dataset.type, is_incremental=is_incremental)

    if not is_incremental:
        dataset.table = Table(dataset.table.columns)
        dataset.imports = ()
    dataset.table = dataset.table.with_rows(new_rows, IDENTITY_FIELDS[dataset.type])
    dataset.imports = (*dataset.imports, job.arn)

    job.hashes = {name: hashlib.sha256(data).hexdigest() for name, data in job.files.items()}
    job.files = {}


def _read_rows(files: Mapping[str, bytes], dataset: Dataset, today: date) -> list[Row]:
    """Read the rows of all files, which must have the same columns."""
    schema = dataset.schema.columns
    contents = [read_csv(name, data, schema, today) for name, data in files.items()]
    if len({frozenset(content.columns) for content in contents}) > 1:
        raise JobFailed("Input csv files do not have the same columns")
    return [row for content in contents for row in content.rows]


def _check_enough_interactions(count: int, dataset_type: str, *, is_incremental: bool) -> None:
    """Fail the job if it has too few interactions.

    Item interactions have a minimum in either mode, and action interactions only with INCREMENTAL.
    """
    has_minimum = dataset_type == "INTERACTIONS"
    if dataset_type == "ACTION_INTERACTIONS":
        has_minimum = is_incremental

    if has_minimum and count < MIN_INTERACTIONS:
        raise JobFailed(
            f"Dataset import job has {count} interactions, fewer than {MIN_INTERACTIONS}"
        )


def read_files(objects: Objects, location: Location, role_arn: str) -> dict[str, bytes]:
    """Read the CSV files of a job by their URLs, for example "s3://bucket/folder/users.csv".

    A byte-order mark is left out. The job fails if there is no file, or another file in a folder,
    or if a file cannot be read.
    """
    keys = _list_csv_keys(objects, location, role_arn)
    bucket = location.bucket
    if not keys:
        raise JobFailed(
            f"Invalid Data location. There is no CSV file at s3://{bucket}/{location.key}"
        )
    return {
        f"s3://{bucket}/{key}": objects.read(bucket, key, role_arn).removeprefix(BOM_UTF8)
        for key in keys
    }


def _list_csv_keys(objects: Objects, location: Location, role_arn: str) -> list[str]:
    """List the key at a location, or the keys in a folder, all of which must end in ".csv"."""
    prefix = location.key
    all_keys = objects.keys(location.bucket, prefix, role_arn)
    if prefix and not prefix.endswith("/"):
        return [key for key in all_keys if key == prefix]

    # Only the files in the first level of a folder are imported (guide: "Importing bulk data").
    # The key of the folder itself doesn't count, because the S3 console creates it to show one.
    keys = [key for key in all_keys if key != prefix and "/" not in key.removeprefix(prefix)]
    for key in keys:
        if not key.endswith(".csv"):
            raise JobFailed(f"s3://{location.bucket}/{key} is not a CSV file")
    return keys
