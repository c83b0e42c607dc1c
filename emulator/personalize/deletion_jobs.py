"""Data deletion jobs, which delete users from a dataset group (guide, "Deleting users")."""

from collections.abc import Mapping
from datetime import date
from functools import partial

from emulator.personalize.csv_files import read_csv
from emulator.personalize.lifecycle import check_no_unfinished_job, create_resource, find_active
from emulator.personalize.resources import (
    BatchJob,
    DataDeletionJob,
    Dataset,
    DatasetGroup,
    ImportJob,
    SolutionVersion,
)
from emulator.personalize.s3_files import parse_location, read_csv_files
from emulator.personalize.store import Request, Store
from emulator.personalize.tables import Field, Value

USER_ID_SCHEMA = (Field("USER_ID", "string", nullable=False),)


def create_data_deletion_job(store: Store, request: Request) -> DataDeletionJob:
    """Start a job that deletes the users who are listed in CSV files.

    The job reads the files when it ends, and fails if they're invalid. It doesn't change models
    that were trained on these users.
    """
    group = find_active(store, DatasetGroup, request["datasetGroupArn"])
    location = parse_location(request["dataSource"].get("dataLocation", ""))
    check_no_unfinished_job(store, group.arn, ImportJob, SolutionVersion, BatchJob)

    job = create_resource(
        store, DataDeletionJob, request, parent_arns=[group.arn], location=location
    )
    job.timeline.on_active(partial(_delete_users, store, job))
    return job


def _delete_users(store: Store, job: DataDeletionJob) -> None:
    """Delete the users from all datasets of the group, and count their rows in `numDeleted`."""
    files = read_csv_files(store.objects, job.location, job.details["roleArn"])
    user_ids = _parse_user_ids(files, store.now.date())

    deleted_count = 0
    for dataset in store.list_resources(Dataset, job.group_arn):
        old_count = len(dataset.table)
        dataset.table = dataset.table.without("USER_ID", user_ids)
        dataset.events = dataset.events.without("USER_ID", user_ids)
        deleted_count += old_count - len(dataset.table)

    job.details["numDeleted"] = deleted_count


def _parse_user_ids(files: Mapping[str, bytes], today: date) -> set[Value]:
    """Parse the user IDs in all files. Other columns are ignored."""
    return {
        user_id
        for url, content in files.items()
        for (user_id,) in read_csv(url, content, USER_ID_SCHEMA, today).rows
    }
