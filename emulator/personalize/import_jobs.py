"""The operations on dataset import jobs, which turn CSV files in S3 into rows of a dataset."""

import hashlib
from codecs import BOM_UTF8

from emulator.personalize.csv_files import read_csv
from emulator.personalize.errors import JobFailed, invalid_input
from emulator.personalize.lifecycle import active, check_no_deletion, create
from emulator.personalize.resources import Dataset, ImportJob
from emulator.personalize.store import Objects, Request, Store
from emulator.personalize.tables import IDENTITY_FIELDS, MIN_INTERACTIONS, Table

MAX_INCREMENTAL_BYTES = 10**9


def create_dataset_import_job(store: Store, request: Request) -> ImportJob:
    """Start an import job. It fails if the files are not valid.

    It reads them when it ends, or when it is IN_PROGRESS if the switch `import_reads` is "start".
    """
    dataset = active(store, Dataset, request["datasetArn"])
    bucket, key = bucket_and_key(request["dataSource"].get("dataLocation", ""))
    check_no_deletion(store, dataset.belongs_to[-1])
    mode = request.get("importMode", "FULL")
    has_full_import = any(
        job.details["importMode"] == "FULL" and job.is_active(store.now)
        for job in store.all(ImportJob, dataset.arn)
    )
    if mode == "INCREMENTAL" and not has_full_import:
        raise invalid_input(
            f"Dataset {dataset.arn} has no bulk data; import with importMode FULL first"
        )
    role_arn = request.get("roleArn", "")
    reads_early = store.switches.import_reads == "start"

    def read() -> None:
        job.files = read_files(store.objects, bucket, key, role_arn)

    def import_files() -> None:
        if not reads_early:
            read()
        job.hashes = _import(store, dataset, job.files, mode)
        job.files = {}
        dataset.imports = (*(dataset.imports if mode == "INCREMENTAL" else ()), job.arn)

    job = create(
        store,
        ImportJob,
        {**request, "importMode": mode},
        belongs_to=[dataset.arn],
        on_progress=read if reads_early else None,
        on_end=import_files,
    )
    return job


def bucket_and_key(location: str) -> tuple[str, str]:
    """Return the bucket, and the key or prefix, of a location in S3. Raise ApiError if it is none.

    The form of a location is `s3://bucket/key`.
    """
    scheme, _, path = location.partition("://")
    bucket, _, key = path.partition("/")
    if scheme != "s3" or not bucket:
        raise invalid_input("Invalid Data location.")
    return bucket, key


def _import(store: Store, dataset: Dataset, files: dict[str, bytes], mode: str) -> dict[str, str]:
    """Import files into the dataset, and return their hashes by URL. May raise JobFailed.

    The mode FULL replaces the rows of the dataset, and INCREMENTAL adds rows. Item interactions
    have a minimum in either mode, and action interactions only with INCREMENTAL.
    """
    is_incremental = mode == "INCREMENTAL"
    total_bytes = sum(len(data) for data in files.values())
    if is_incremental and total_bytes > MAX_INCREMENTAL_BYTES:
        raise JobFailed(f"Incremental dataset import job has {total_bytes} bytes, more than 1 GB")
    schema = dataset.schema.columns
    today = store.now.date()
    contents = [read_csv(name, data, schema, today) for name, data in files.items()]
    if len({frozenset(content.columns) for content in contents}) > 1:
        raise JobFailed("Input csv files do not have the same columns")
    rows = [row for content in contents for row in content.rows]
    adds_actions = is_incremental and dataset.type == "ACTION_INTERACTIONS"
    if (dataset.type == "INTERACTIONS" or adds_actions) and len(rows) < MIN_INTERACTIONS:
        raise JobFailed(
            f"Dataset import job has {len(rows)} interactions, fewer than {MIN_INTERACTIONS}"
        )
    old_rows = dataset.table if is_incremental else Table(dataset.table.columns)
    dataset.table = old_rows.with_rows(rows, IDENTITY_FIELDS[dataset.type])
    return {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}


def read_files(objects: Objects, bucket: str, prefix: str, role_arn: str) -> dict[str, bytes]:
    """Return the bytes of each CSV file by its URL, for example "s3://bucket/folder/users.csv".

    Of a folder, only the files in its first level are imported (guide: "Importing bulk data"), and
    their keys must end in ".csv". An object whose key is the prefix does not count. The S3 console
    creates it to show a folder. A byte-order mark is left out.

    Raise JobFailed if there is no file, or another file in a folder, or if a file cannot be read.
    """
    keys = objects.keys(bucket, prefix, role_arn)
    if prefix and not prefix.endswith("/"):
        keys = [key for key in keys if key == prefix]
    else:
        keys = [key for key in keys if key != prefix and "/" not in key.removeprefix(prefix)]
        if other_keys := [key for key in keys if not key.endswith(".csv")]:
            raise JobFailed(f"s3://{bucket}/{other_keys[0]} is not a CSV file")
    if not keys:
        raise JobFailed(f"Invalid Data location. There is no CSV file at s3://{bucket}/{prefix}")
    return {
        f"s3://{bucket}/{key}": objects.read(bucket, key, role_arn).removeprefix(BOM_UTF8)
        for key in keys
    }
