"""The operations on dataset import jobs, which turn CSV files in S3 into rows of a dataset."""

from typing import TYPE_CHECKING, NamedTuple

from emulator.personalize import rules
from emulator.personalize.errors import AccessDenied, JobFailed, ObjectError
from emulator.personalize.resources import Dataset, ImportJob
from emulator.personalize.store import Store
from emulator.personalize.tables import IDENTITY, Table, read_csv
from emulator.personalize.tagging import tags_of

if TYPE_CHECKING:
    from mypy_boto3_personalize.type_defs import CreateDatasetImportJobRequestTypeDef


class Source(NamedTuple):
    """The location of the files of an import job, and the role that reads them."""

    bucket: str
    key: str
    role: str


def create_dataset_import_job(
    store: Store, request: "CreateDatasetImportJobRequestTypeDef"
) -> dict[str, object]:
    """Start an import job. It reads the files when it ends, and any problem in them fails it."""
    arn = store.arn("dataset-import-job", request["jobName"])
    rules.check_name_is_free(store, arn)
    dataset = store.get(Dataset, request["datasetArn"])
    rules.check_is_active(store, dataset)
    location = rules.parse_location(request["dataSource"].get("dataLocation", ""))
    mode = request.get("importMode", "FULL")
    rules.check_full_import_exists(store, dataset, mode)
    rules.check_import_quota(store)
    source = Source(*location, request.get("roleArn", ""))

    def import_files() -> None:
        _import(store, dataset, source, mode)

    tags = tags_of(request.get("tags", ()))
    store.add(
        ImportJob(
            arn=arn,
            details={"datasetImportJobArn": arn, **request, "importMode": mode},
            timeline=store.start(
                "dataset-import-job", arn, request["jobName"], dataset.arn, on_end=import_files
            ),
            belongs_to=(dataset.arn,),
            tags=tags,
        )
    )
    return {"datasetImportJobArn": arn}


def _import(store: Store, dataset: Dataset, source: Source, mode: str) -> None:
    """Read every file of the location. FULL replaces the bulk data, INCREMENTAL adds to it.

    Raises:
        JobFailed: The location cannot be read, or the rows do not fit the dataset.
    """
    try:
        files = _read_files(store, source)
    except AccessDenied as error:
        raise JobFailed(
            f"Failed to create a data import job for {dataset.type} dataset. "
            f"Insufficient privileges for accessing data in S3: {error}"
        ) from error
    except ObjectError as error:
        raise JobFailed(f"Invalid Data location. {error}") from error
    rules.check_incremental_size(mode, sum(map(len, files.values())))
    schema = dataset.schema.rows
    rows = [row for name, data in files.items() for row in read_csv(name, data, schema)]
    rules.check_enough_to_import(dataset, len(rows))
    old_rows = dataset.table if mode == "INCREMENTAL" else Table(schema.names)
    dataset.table = old_rows.with_rows(rows, IDENTITY[dataset.type])


def _read_files(store: Store, source: Source) -> dict[str, bytes]:
    """Return the content of each CSV file by its URL."""
    objects = store.options.objects
    return {
        f"s3://{source.bucket}/{key}": objects.read(source.bucket, key, source.role)
        for key in _csv_keys(store, source)
    }


def _csv_keys(store: Store, source: Source) -> list[str]:
    """Return the key of the one object, or the keys of the CSV files below the prefix.

    The empty object with the name of a prefix is not a file. S3's console creates it for a folder.
    """
    bucket, location, role = source
    keys = store.options.objects.keys(bucket, location, role)
    if location and not location.endswith("/"):
        files = [key for key in keys if key == location]
    else:
        files = [key for key in keys if key.endswith(".csv")]
        others = [key for key in keys if key not in files and key != location]
        if others and store.options.switches.other_files == "fail":
            raise JobFailed(f"s3://{bucket}/{others[0]} is not a CSV file")
    if not files:
        raise JobFailed(f"Invalid Data location. There is no CSV file at s3://{bucket}/{location}")
    return files
