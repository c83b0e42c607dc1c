"""The operation that deletes users from a dataset group (guide, "Deleting users")."""

from emulator.personalize.csv_files import read_csv
from emulator.personalize.errors import in_use
from emulator.personalize.import_jobs import bucket_and_key, read_files
from emulator.personalize.lifecycle import active, create
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
    group = active(store, DatasetGroup, request["datasetGroupArn"])
    bucket, key = bucket_and_key(request["dataSource"].get("dataLocation", ""))
    datasets = store.all(Dataset, group.arn)
    users = [user for dataset in datasets for user in store.all(Resource, dataset.arn)]
    users += store.all(BatchJob, group.arn)
    unfinished = [user for user in users if user.is_unfinished(store.now)]
    if unfinished and store.switches.deletions_exclude_jobs:
        raise in_use(f"Resource {group.arn} is in use by {unfinished[0].arn}")
    jobs = store.all(DataDeletionJob, group.arn)
    if sum(job.status(store.now) == "PENDING" for job in jobs) >= MAX_PENDING:
        message = f"More than {MAX_PENDING} data deletion jobs with PENDING status"
        raise ApiError("LimitExceededException", message)

    def delete_users() -> None:
        files, today = read_files(store.objects, bucket, key, request["roleArn"]), store.now.date()
        contents = [read_csv(name, data, COLUMNS, today) for name, data in files.items()]
        deleted = {user for content in contents for (user,) in content.rows}
        old_size = sum(len(dataset.table) for dataset in datasets)
        for dataset in datasets:
            dataset.table = dataset.table.without("USER_ID", deleted)
        job.details["numDeleted"] = old_size - sum(len(dataset.table) for dataset in datasets)

    job = create(store, DataDeletionJob, request, belongs_to=[group.arn], on_end=delete_users)
    return job
