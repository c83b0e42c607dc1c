"""The operations on dataset import jobs, which turn CSV files in S3 into rows of a dataset."""

import hashlib
from codecs import BOM_UTF8
from typing import TYPE_CHECKING

from emulator.personalize import rules
from emulator.personalize.csv_files import check_equal_columns, read_csv
from emulator.personalize.errors import AccessDenied, JobFailed, ObjectError
from emulator.personalize.lifecycle import create
from emulator.personalize.resources import Dataset, ImportJob
from emulator.personalize.store import Objects, Store
from emulator.personalize.tables import IDENTITY_FIELDS, Table

if TYPE_CHECKING:
    import mypy_boto3_personalize.type_defs as t


def create_dataset_import_job(
    store: Store, request: "t.CreateDatasetImportJobRequestTypeDef"
) -> dict[str, object]:
    """Start an import job. It fails if the files are not valid.

    It reads them when it ends, or when it is IN_PROGRESS if the switch `import_reads` is "start".
    """
    dataset = store.get(Dataset, request["datasetArn"])
    rules.check_is_active(store, dataset)
    location = rules.parse_location(request["dataSource"].get("dataLocation", ""))
    mode = request.get("importMode", "FULL")
    rules.check_full_import_exists(store, dataset, mode)
    role_arn = request.get("roleArn", "")
    reads_early = store.options.switches.import_reads == "start"

    def read() -> None:
        job.files = _read_files(store.options.objects, location, role_arn, dataset.type)

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
    return {"datasetImportJobArn": job.arn}


def _import(store: Store, dataset: Dataset, files: dict[str, bytes], mode: str) -> dict[str, str]:
    """Import files into the dataset, and return their hashes by URL. May raise JobFailed.

    The mode FULL replaces the rows of the dataset, and INCREMENTAL adds rows.
    """
    rules.check_incremental_size(mode, total_bytes=sum(len(data) for data in files.values()))
    schema = dataset.schema.rows
    today = store.now.date()
    rows = [row for name, data in files.items() for row in read_csv(name, data, schema, today)]
    check_equal_columns(files)
    rules.check_enough_to_import(dataset, mode, len(rows))
    old_rows = dataset.table if mode == "INCREMENTAL" else Table(schema.names)
    dataset.table = old_rows.with_rows(rows, IDENTITY_FIELDS[dataset.type])
    return {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}


def _read_files(
    objects: Objects, location: rules.S3Location, role_arn: str, dataset_type: str
) -> dict[str, bytes]:
    """Return the bytes of each CSV file by its URL, for example "s3://bucket/folder/users.csv".

    A byte-order mark is left out. Raise JobFailed if the files cannot be read.
    """
    bucket, prefix = location
    try:
        keys = _csv_keys(location, objects.keys(bucket, prefix, role_arn))
        return {
            f"s3://{bucket}/{key}": objects.read(bucket, key, role_arn).removeprefix(BOM_UTF8)
            for key in keys
        }
    except AccessDenied as error:
        raise JobFailed(
            f"Failed to create a data import job for {dataset_type} dataset. "
            f"Insufficient privileges for accessing data in S3: {error}"
        ) from error
    except ObjectError as error:
        raise JobFailed(f"Invalid Data location. {error}") from error


def _csv_keys(location: rules.S3Location, keys: list[str]) -> list[str]:
    """Return the keys of the files that an import job reads.

    Of a folder, only the files in its first level are imported (guide: "Importing bulk data"), and
    their keys must end in ".csv". An object whose key is the prefix does not count. The S3 console
    creates it to show a folder. Raise JobFailed if there is no file, or another file in a folder.
    """
    bucket, prefix = location
    if prefix == "" or prefix.endswith("/"):
        keys = [key for key in keys if key != prefix and "/" not in key.removeprefix(prefix)]
        if other_keys := [key for key in keys if not key.endswith(".csv")]:
            raise JobFailed(f"s3://{bucket}/{other_keys[0]} is not a CSV file")
    if not keys:
        raise JobFailed(f"Invalid Data location. There is no CSV file at s3://{bucket}/{prefix}")
    return keys
