"""The operations on schemas, dataset groups, datasets and event trackers."""

import hashlib
from typing import TYPE_CHECKING
from uuid import UUID

from emulator.personalize import rules
from emulator.personalize.resources import (
    Dataset,
    DatasetGroup,
    EventTracker,
    ImportJob,
    Schema,
    Solution,
)
from emulator.personalize.store import Store
from emulator.personalize.tables import RowSchema, Table
from emulator.personalize.tagging import tags_of
from emulator.personalize.timeline import Moment, Timeline

if TYPE_CHECKING:
    from mypy_boto3_personalize.type_defs import (
        CreateDatasetGroupRequestTypeDef,
        CreateDatasetRequestTypeDef,
        CreateEventTrackerRequestTypeDef,
        CreateSchemaRequestTypeDef,
        DeleteDatasetGroupRequestTypeDef,
        DeleteDatasetRequestTypeDef,
        DeleteEventTrackerRequestTypeDef,
        DeleteSchemaRequestTypeDef,
    )


def create_schema(store: Store, request: "CreateSchemaRequestTypeDef") -> dict[str, object]:
    """Create a schema. It can be used immediately, because a schema has no status."""
    arn = store.arn("schema", request["name"])
    rules.check_name_is_free(store, arn)
    rows = RowSchema.parse(request["schema"])
    active = Timeline([Moment(store.now, "ACTIVE")])
    store.add(Schema(arn=arn, details={"schemaArn": arn, **request}, timeline=active, rows=rows))
    return {"schemaArn": arn}


def delete_schema(store: Store, request: "DeleteSchemaRequestTypeDef") -> dict[str, object]:
    """Start to delete a schema.

    Raises:
        ApiError: A dataset uses the schema.
    """
    schema = store.get(Schema, request["schemaArn"])
    users = [dataset for dataset in store.all(Dataset) if dataset.schema is schema]
    rules.check_can_be_deleted(store, schema, users)
    store.delete(schema)
    return {}


def create_dataset_group(
    store: Store, request: "CreateDatasetGroupRequestTypeDef"
) -> dict[str, object]:
    """Create an empty dataset group. The emulator has no recommenders for a group's domain."""
    arn = store.arn("dataset-group", request["name"])
    rules.check_name_is_free(store, arn)
    rules.check_group_quota(store)
    tags = tags_of(request.get("tags", ()))
    store.add(
        DatasetGroup(
            arn=arn,
            details={"datasetGroupArn": arn, **request},
            timeline=store.start_job("dataset-group", arn, request["name"]),
            tags=tags,
        )
    )
    return {"datasetGroupArn": arn, "domain": request.get("domain")}


def delete_dataset_group(
    store: Store, request: "DeleteDatasetGroupRequestTypeDef"
) -> dict[str, object]:
    """Start to delete a dataset group.

    Raises:
        ApiError: The group contains a dataset, a solution or an event tracker.
    """
    group = store.get(DatasetGroup, request["datasetGroupArn"])
    contents = [
        *store.all(Dataset, group.arn),
        *store.all(Solution, group.arn),
        *store.all(EventTracker, group.arn),
    ]
    rules.check_can_be_deleted(store, group, contents)
    store.delete(group)
    return {}


def create_dataset(store: Store, request: "CreateDatasetRequestTypeDef") -> dict[str, object]:
    """Create an empty dataset. Its ARN ends in the name of the group and the dataset's type."""
    group = store.get(DatasetGroup, request["datasetGroupArn"])
    schema = store.get(Schema, request["schemaArn"])
    rules.check_is_active(store, group)
    dataset_type = request["datasetType"].upper()
    rules.check_schema_fields(dataset_type, schema.rows)
    arn = store.arn("dataset", f"{group.details['name']}/{dataset_type}")
    rules.check_name_is_free(store, arn)
    tags = tags_of(request.get("tags", ()))
    store.add(
        Dataset(
            arn=arn,
            details={"datasetArn": arn, **request, "datasetType": dataset_type},
            timeline=store.start_job("dataset", arn, request["name"], group.arn),
            belongs_to=(group.arn,),
            tags=tags,
            type=dataset_type,
            schema=schema,
            table=Table(schema.rows.names),
        )
    )
    return {"datasetArn": arn}


def delete_dataset(store: Store, request: "DeleteDatasetRequestTypeDef") -> dict[str, object]:
    """Start to delete a dataset.

    Raises:
        ApiError: An unfinished import job or training uses the dataset.
    """
    dataset = store.get(Dataset, request["datasetArn"])
    (group_arn,) = dataset.belongs_to
    imports = [job for job in store.all(ImportJob, dataset.arn) if job.is_unfinished(store.now)]
    trainings = [
        version
        for solution in store.all(Solution, group_arn)
        for version in solution.versions
        if version.is_unfinished(store.now)
    ]
    rules.check_can_be_deleted(store, dataset, [*imports, *trainings])
    store.delete(dataset)
    return {}


def create_event_tracker(
    store: Store, request: "CreateEventTrackerRequestTypeDef"
) -> dict[str, object]:
    """Create an event tracker. It receives no events, because the emulator has no PutEvents."""
    group = store.get(DatasetGroup, request["datasetGroupArn"])
    rules.check_is_active(store, group)
    arn = store.arn("event-tracker", request["name"])
    rules.check_name_is_free(store, arn)
    rules.check_has_no_tracker(store, group.arn)
    tracking_id = str(UUID(hashlib.sha256(arn.encode()).hexdigest()[:32]))
    tags = tags_of(request.get("tags", ()))
    store.add(
        EventTracker(
            arn=arn,
            details={
                "eventTrackerArn": arn,
                "accountId": store.account,
                "trackingId": tracking_id,
                **request,
            },
            timeline=store.start_job("event-tracker", arn, request["name"], group.arn),
            belongs_to=(group.arn,),
            tags=tags,
        )
    )
    return {"eventTrackerArn": arn, "trackingId": tracking_id}


def delete_event_tracker(
    store: Store, request: "DeleteEventTrackerRequestTypeDef"
) -> dict[str, object]:
    """Start to delete an event tracker. No other resource depends on it."""
    tracker = store.get(EventTracker, request["eventTrackerArn"])
    rules.check_can_be_deleted(store, tracker, [])
    store.delete(tracker)
    return {}
