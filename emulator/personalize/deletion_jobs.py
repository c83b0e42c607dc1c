"""The operations on data deletion jobs, which delete users from a dataset group.

The rules are those of the page "Deleting users and their data with a data deletion job" of the
guide of Amazon Personalize.
"""

from collections.abc import Collection

from emulator.personalize.csv_files import read_csv
from emulator.personalize.errors import ApiError, JobFailed, in_use
from emulator.personalize.import_jobs import bucket_and_key, read_files
from emulator.personalize.lifecycle import active, create
from emulator.personalize.resources import (
    DataDeletionJob,
    Dataset,
    DatasetGroup,
    Resource,
    SolutionVersion,
)
from emulator.personalize.store import Request, Store
from emulator.personalize.tables import Field

MAX_PENDING = 5
MAX_BYTES = 50 * 10**6
COLUMNS = (Field("USER_ID", "string", nullable=False),)


def create_data_deletion_job(store: Store, request: Request) -> DataDeletionJob:
    """Start a job that deletes the users in a CSV file or in a folder of CSV files.

    It reads the files at its end. It fails if they are not valid.
    """
    group = active(store, DatasetGroup, request["datasetGroupArn"])
    bucket, key = bucket_and_key(request["dataSource"].get("dataLocation", ""))
    _check_no_jobs(store, group)
    jobs = store.all(DataDeletionJob, group.arn)
    if sum(job.status(store.now) == "PENDING" for job in jobs) >= MAX_PENDING:
        message = f"More than {MAX_PENDING} data deletion jobs with PENDING status"
        raise ApiError("LimitExceededException", message)

    def delete_users() -> None:
        files = read_files(store.objects, bucket, key, request["roleArn"])
        if (size := sum(map(len, files.values()))) > MAX_BYTES:
            raise JobFailed(f"Data deletion job has {size} bytes, more than 50 MB")
        today = store.now.date()
        contents = [read_csv(name, data, COLUMNS, today) for name, data in files.items()]
        users = {user for content in contents for (user,) in content.rows}
        job.details["numDeleted"] = _delete(store, group, users)

    job = create(store, DataDeletionJob, request, belongs_to=[group.arn], on_end=delete_users)
    return job


def _check_no_jobs(store: Store, group: DatasetGroup) -> None:
    """Raise ApiError if an import or a training of the group is unfinished.

    The guide only advises against it, so a switch decides.
    """
    if not store.switches.deletions_exclude_jobs:
        return
    for dataset in store.all(Dataset, group.arn):
        for job in store.all(Resource, dataset.arn):
            if job.is_unfinished(store.now):
                raise in_use(f"Dataset {dataset.arn} is in use by {job.arn}")


def _delete(store: Store, group: DatasetGroup, users: Collection[object]) -> int:
    """Delete users from the datasets and the models of a group. Return the number of rows."""
    deleted = 0
    for dataset in store.all(Dataset, group.arn):
        kept = dataset.table.without("USER_ID", users)
        deleted += len(dataset.table) - len(kept)
        dataset.table = kept
    for version in store.all(SolutionVersion, group.arn):
        version.model = version.model and version.model.without(users)
    return deleted
