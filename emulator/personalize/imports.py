"""Dataset import jobs: CSV files from S3 become the rows of a dataset."""

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
    """Where an import reads, and as whom."""

    bucket: str
    key: str
    role: str


def create_dataset_import_job(
    store: Store, request: "CreateDatasetImportJobRequestTypeDef"
) -> dict[str, object]:
    """Start an import; the files are read when it ends, and everything bad in them fails it."""
    arn = store.arn("dataset-import-job", request["jobName"])
    rules.name_is_free(store, arn)
    dataset = store.get(Dataset, request["datasetArn"])
    rules.must_be_active(store, dataset)
    location = request["dataSource"].get("dataLocation", "")
    bucket, key = rules.location_is_in_s3(location)
    mode = request.get("importMode", "FULL")
    rules.full_import_comes_first(store, dataset, mode)
    rules.import_quota(store)
    role = request.get("roleArn", "")

    def end() -> None:
        _import(store, dataset, Source(bucket, key, role), mode)

    tags = tags_of(request.get("tags", ()))
    store.add(
        ImportJob(
            arn=arn,
            details={"datasetImportJobArn": arn, **request, "importMode": mode},
            timeline=store.start(
                "dataset-import-job", arn, request["jobName"], dataset.arn, end=end
            ),
            belongs_to=(dataset.arn,),
            tags=tags,
        )
    )
    return {"datasetImportJobArn": arn}


def _import(store: Store, dataset: Dataset, source: Source, mode: str) -> None:
    """Read every file of the location; FULL replaces the bulk data, INCREMENTAL adds to it.

    Raises:
        JobFailed: The location cannot be read, or what it holds does not fit the dataset.
    """
    try:
        files = {
            f"s3://{source.bucket}/{key}": store.around.objects.read(
                source.bucket, key, source.role
            )
            for key in _csv_files(store, source)
        }
    except AccessDenied as error:
        raise JobFailed(
            f"Failed to create a data import job for {dataset.type} dataset. "
            f"Insufficient privileges for accessing data in S3: {error}"
        ) from error
    except ObjectError as error:
        raise JobFailed(f"Invalid Data location. {error}") from error
    rules.increment_is_small_enough(mode, sum(map(len, files.values())))
    schema = dataset.schema.rows
    rows = [row for name, data in files.items() for row in read_csv(name, data, schema)]
    rules.import_is_large_enough(dataset, len(rows))
    before = dataset.table if mode == "INCREMENTAL" else Table(schema.names)
    dataset.table = before.with_rows(rows, IDENTITY[dataset.type])


def _csv_files(store: Store, source: Source) -> list[str]:
    """The one object, or everything below the prefix; a folder's own empty marker is no file."""
    bucket, key, role = source
    keys = store.around.objects.keys(bucket, key, role)
    if not key.endswith("/") and key:
        files = [name for name in keys if name == key]
    else:
        files = [name for name in keys if name.endswith(".csv")]
        others = [name for name in keys if name not in files and name != key]
        if others and store.around.switches.other_files == "fail":
            raise JobFailed(f"s3://{bucket}/{others[0]} is not a CSV file")
    if not files:
        raise JobFailed(f"Invalid Data location. There is no CSV file at s3://{bucket}/{key}")
    return files
