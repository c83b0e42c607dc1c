"""Schemas, dataset groups, datasets and event trackers: what holds the data."""

import hashlib
from typing import TYPE_CHECKING

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
    """A schema has no status: it is there at once."""
    arn = store.arn("schema", request["name"])
    rules.name_is_free(store, arn)
    rows = RowSchema.parse(request["schema"])
    line = Timeline([Moment(store.now, "ACTIVE")])
    store.add(Schema(arn=arn, details={"schemaArn": arn, **request}, timeline=line, rows=rows))
    return {"schemaArn": arn}


def delete_schema(store: Store, request: "DeleteSchemaRequestTypeDef") -> dict[str, object]:
    """A schema can be deleted when no dataset has it."""
    schema = store.get(Schema, request["schemaArn"])
    rules.can_be_deleted(store, schema, [d for d in store.all(Dataset) if d.schema is schema])
    store.delete(schema)
    return {}


def create_dataset_group(
    store: Store, request: "CreateDatasetGroupRequestTypeDef"
) -> dict[str, object]:
    """An empty group; with a domain it may hold recommenders too, which do not exist here."""
    arn = store.arn("dataset-group", request["name"])
    rules.name_is_free(store, arn)
    rules.group_quota(store)
    tags = tags_of(request.get("tags", ()))
    store.add(
        DatasetGroup(
            arn=arn,
            details={"datasetGroupArn": arn, **request},
            timeline=store.start("dataset-group", arn, request["name"]),
            tags=tags,
        )
    )
    return {"datasetGroupArn": arn, "domain": request.get("domain")}


def delete_dataset_group(
    store: Store, request: "DeleteDatasetGroupRequestTypeDef"
) -> dict[str, object]:
    """A group can be deleted when it holds no dataset, solution or event tracker."""
    group = store.get(DatasetGroup, request["datasetGroupArn"])
    held = [
        *store.all(Dataset, group.arn),
        *store.all(Solution, group.arn),
        *store.all(EventTracker, group.arn),
    ]
    rules.can_be_deleted(store, group, held)
    store.delete(group)
    return {}


def create_dataset(store: Store, request: "CreateDatasetRequestTypeDef") -> dict[str, object]:
    """An empty dataset; its ARN has the group's name and the type, not its own name."""
    group = store.get(DatasetGroup, request["datasetGroupArn"])
    schema = store.get(Schema, request["schemaArn"])
    rules.must_be_active(store, group)
    kind = request["datasetType"].upper()
    rules.schema_fits(kind, schema.rows)
    arn = store.arn("dataset", f"{group.details['name']}/{kind}")
    rules.name_is_free(store, arn)
    tags = tags_of(request.get("tags", ()))
    store.add(
        Dataset(
            arn=arn,
            details={"datasetArn": arn, **request, "datasetType": kind},
            timeline=store.start("dataset", arn, request["name"], group.arn),
            belongs_to=(group.arn,),
            tags=tags,
            type=kind,
            schema=schema,
            table=Table(schema.rows.names),
        )
    )
    return {"datasetArn": arn}


def delete_dataset(store: Store, request: "DeleteDatasetRequestTypeDef") -> dict[str, object]:
    """A dataset can be deleted when no import into it, and no training from it, is under way."""
    dataset = store.get(Dataset, request["datasetArn"])
    (group_arn,) = dataset.belongs_to
    imports = [job for job in store.all(ImportJob, dataset.arn) if job.under_way(store.now)]
    trainings = [
        version
        for solution in store.all(Solution, group_arn)
        for version in solution.versions
        if version.under_way(store.now)
    ]
    rules.can_be_deleted(store, dataset, [*imports, *trainings])
    store.delete(dataset)
    return {}


def create_event_tracker(
    store: Store, request: "CreateEventTrackerRequestTypeDef"
) -> dict[str, object]:
    """The door for streamed events; the streaming API itself is not emulated."""
    group = store.get(DatasetGroup, request["datasetGroupArn"])
    rules.must_be_active(store, group)
    arn = store.arn("event-tracker", request["name"])
    rules.name_is_free(store, arn)
    rules.one_tracker_per_group(store, group.arn)
    digest = hashlib.sha256(arn.encode()).hexdigest()
    tracking_id = f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}"
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
            timeline=store.start("event-tracker", arn, request["name"], group.arn),
            belongs_to=(group.arn,),
            tags=tags,
        )
    )
    return {"eventTrackerArn": arn, "trackingId": tracking_id}


def delete_event_tracker(
    store: Store, request: "DeleteEventTrackerRequestTypeDef"
) -> dict[str, object]:
    """Nothing depends on an event tracker."""
    tracker = store.get(EventTracker, request["eventTrackerArn"])
    rules.can_be_deleted(store, tracker, [])
    store.delete(tracker)
    return {}
