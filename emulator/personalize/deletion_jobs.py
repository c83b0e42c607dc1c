"""The operation that deletes users from a dataset group (guide, "Deleting users")."""

from collections.abc import Mapping, Sequence
from datetime import date

from emulator.personalize.csv_files import read_csv
from emulator.personalize.errors import in_use
from emulator.personalize.import_jobs import parse_location, read_files
from emulator.personalize.lifecycle import create, find_active
from emulator.personalize.resources import (
    BatchJob,
    DataDeletionJob,
    Dataset,
    DatasetGroup,
    Resource,
)
from emulator.personalize.store import Request, Store
from emulator.personalize.tables import Field
from emulator.protocol.errors import ApiError

MAX_PENDING = 5
COLUMNS = (Field("USER_ID", "string", nullable=False),)


def create_data_deletion_job(store: Store, request: Request) -> DataDeletionJob:
    """Start a job that deletes the users in CSV files. It fails if they are not valid.

    It reads the files when it ends. Models keep what they have learned.
    """
    group = find_active(store, DatasetGroup, request["datasetGroupArn"])
    location = parse_location(request["dataSource"].get("dataLocation", ""))
    datasets = store.list_resources(Dataset, group.arn)
    if store.switches.deletions_exclude_jobs:
        _check_no_unfinished_jobs(store, group.arn, datasets)

    _check_quota(store, group.arn)

    def delete_users() -> None:
        files = read_files(store.objects, location, request["roleArn"])
        job.details["numDeleted"] = _delete_users(datasets, files, store.now.date())

    job = create(store, DataDeletionJob, request, belongs_to=[group.arn], on_end=delete_users)
    return job


def _check_no_unfinished_jobs(store: Store, group_arn: str, datasets: Sequence[Dataset]) -> None:
    """Reject the deletion while another job works with the data of the group."""
    users: list[Resource] = []
    for dataset in datasets:
        users += store.list_resources(Resource, dataset.arn)
    users += store.list_resources(BatchJob, group_arn)

    for user in users:
        if user.is_unfinished(store.now):
            raise in_use(f"Resource {group_arn} is in use by {user.arn}")


def _check_quota(store: Store, group_arn: str) -> None:
    """Reject the deletion if too many others are waiting."""
    jobs = store.list_resources(DataDeletionJob, group_arn)
    pending_jobs = [job for job in jobs if job.status(store.now) == "PENDING"]
    if len(pending_jobs) >= MAX_PENDING:
        message = f"More than {MAX_PENDING} data deletion jobs with PENDING status"
        raise ApiError("LimitExceededException", message)


def _delete_users(datasets: Sequence[Dataset], files: Mapping[str, bytes], today: date) -> int:
    """Delete the users in files from all datasets, and return the number of deleted rows."""
    user_ids = set()
    for name, data in files.items():
        for (user_id,) in read_csv(name, data, COLUMNS, today).rows:
            user_ids.add(user_id)

    deleted_count = 0
    for dataset in datasets:
        old_count = len(dataset.table)
        dataset.table = dataset.table.without("USER_ID", user_ids)
        deleted_count += old_count - len(dataset.table)
    return deleted_count
