"""The operations on dataset import jobs, which turn CSV files in S3 into rows of a dataset."""

import hashlib
from codecs import BOM_UTF8
from typing import TYPE_CHECKING, NamedTuple

from emulator.personalize import rules
from emulator.personalize.csv_files import check_equal_columns, read_csv
from emulator.personalize.errors import AccessDenied, JobFailed, ObjectError
from emulator.personalize.resources import Dataset, ImportJob
from emulator.personalize.store import Store
from emulator.personalize.tables import IDENTITY_FIELDS, Table
from emulator.personalize.tagging import tags_of

if TYPE_CHECKING:
    from mypy_boto3_personalize.type_defs import CreateDatasetImportJobRequestTypeDef


class Source(NamedTuple):
    """The location of an import job's files, and the role that reads them.

    `key` is the key of one object, or a prefix that ends in "/", or empty for the whole bucket.
    """

    bucket: str
    key: str
    role_arn: str


def create_dataset_import_job(
    store: Store, request: "CreateDatasetImportJobRequestTypeDef"
) -> dict[str, object]:
    """Start an import job. It fails if the files are not valid.

    It reads them when it ends, or when it is IN_PROGRESS if the switch `import_reads` is "start".
    """
    arn = store.arn("dataset-import-job", request["jobName"])
    rules.check_name_is_free(store, arn)
    dataset = store.get(Dataset, request["datasetArn"])
    rules.check_is_active(store, dataset)
    rules.check_is_not_importing(store, dataset)
    location = rules.parse_location(request["dataSource"].get("dataLocation", ""))
    mode = request.get("importMode", "FULL")
    rules.check_full_import_exists(store, dataset, mode)
    rules.check_import_quota(store)
    source = Source(*location, request.get("roleArn", ""))
    reads_early = store.options.switches.import_reads == "start"

    def read() -> None:
        job.files = _read_source(store, dataset, source)

    def import_files() -> None:
        if not reads_early:
            read()
        job.hashes = _import(store, dataset, job.files, mode)
        job.files = {}
        dataset.imports = (*(dataset.imports if mode == "INCREMENTAL" else ()), arn)

    job = ImportJob(
        arn=arn,
        details={"datasetImportJobArn": arn, **request, "importMode": mode},
        timeline=store.start_job(
            "dataset-import-job",
            arn,
            request["jobName"],
            dataset.arn,
            on_progress=read if reads_early else None,
            on_end=import_files,
        ),
        belongs_to=(dataset.arn,),
        tags=tags_of(request.get("tags", ())),
    )
    store.add(job)
    return {"datasetImportJobArn": arn}


def _read_source(store: Store, dataset: Dataset, source: Source) -> dict[str, bytes]:
    """Return the bytes of each CSV file of a source by its URL.

    Raises:
        JobFailed: The location cannot be read.
    """
    try:
        return _read_files(store, source)
    except AccessDenied as error:
        raise JobFailed(
            f"Failed to create a data import job for {dataset.type} dataset. "
            f"Insufficient privileges for accessing data in S3: {error}"
        ) from error
    except ObjectError as error:
        raise JobFailed(f"Invalid Data location. {error}") from error


def _import(store: Store, dataset: Dataset, files: dict[str, bytes], mode: str) -> dict[str, str]:
    """Import files into the dataset, and return their hashes by URL.

    The mode FULL replaces the rows of the dataset, and INCREMENTAL adds rows.

    Raises:
        JobFailed: The rows do not fit the dataset.
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


def _read_files(store: Store, source: Source) -> dict[str, bytes]:
    """Return the bytes of each CSV file by its URL, for example "s3://bucket/folder/users.csv".

    Raises:
        ObjectError: The role may not read an object, or an object is missing.
        JobFailed: The source has no CSV file, or a file that is not a CSV file.
    """
    objects = store.options.objects
    keys = objects.keys(source.bucket, source.key, source.role_arn)
    is_prefix = source.key == "" or source.key.endswith("/")
    csv_keys = _csv_keys_in_folder(store, source, keys) if is_prefix else keys
    if not csv_keys:
        raise JobFailed(
            f"Invalid Data location. There is no CSV file at s3://{source.bucket}/{source.key}"
        )
    mark = BOM_UTF8 if store.options.switches.byte_order_mark == "skip" else b""
    return {
        f"s3://{source.bucket}/{key}": objects.read(
            source.bucket, key, source.role_arn
        ).removeprefix(mark)
        for key in csv_keys
    }


def _csv_keys_in_folder(store: Store, source: Source, keys: list[str]) -> list[str]:
    """Return those of the keys in the first level of a folder that end in ".csv".

    Files in subfolders are not imported (guide: "Importing bulk data"). `keys` are all keys below
    the prefix of the source.

    Raises:
        JobFailed: There is another file, and the switch `other_files` is "fail". An object whose
            key is the prefix does not count. The S3 console creates it to show a folder.
    """
    first_level = [key for key in keys if "/" not in key.removeprefix(source.key)]
    csv_keys = [key for key in first_level if key.endswith(".csv")]
    other_keys = [key for key in first_level if key not in csv_keys and key != source.key]
    if other_keys and store.options.switches.other_files == "fail":
        raise JobFailed(f"s3://{source.bucket}/{other_keys[0]} is not a CSV file")
    return csv_keys
