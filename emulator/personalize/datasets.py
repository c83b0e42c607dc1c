"""The operations on schemas, dataset groups, datasets and event trackers."""

import hashlib
from typing import TYPE_CHECKING
from uuid import UUID

from emulator.personalize import rules
from emulator.personalize.lifecycle import create
from emulator.personalize.resources import Dataset, DatasetGroup, EventTracker, Schema
from emulator.personalize.store import Store
from emulator.personalize.tables import RowSchema, Table
from emulator.personalize.timeline import Moment, Timeline

if TYPE_CHECKING:
    import mypy_boto3_personalize.type_defs as t


def create_schema(store: Store, request: "t.CreateSchemaRequestTypeDef") -> dict[str, object]:
    """Create a schema. It can be used immediately, because a schema has no status."""
    rows = RowSchema.parse(request["schema"])
    active = Timeline([Moment(store.now, "ACTIVE")])
    schema = create(store, Schema, request, timeline=active, fields={"rows": rows})
    return {"schemaArn": schema.arn}


def create_dataset_group(
    store: Store, request: "t.CreateDatasetGroupRequestTypeDef"
) -> dict[str, object]:
    """Create an empty dataset group. The emulator has no recommenders for a group's domain."""
    group = create(store, DatasetGroup, request)
    return {"datasetGroupArn": group.arn, "domain": request.get("domain")}


def create_dataset(store: Store, request: "t.CreateDatasetRequestTypeDef") -> dict[str, object]:
    """Create an empty dataset. Its ARN ends in the name of the group and the dataset's type."""
    group = store.get(DatasetGroup, request["datasetGroupArn"])
    schema = store.get(Schema, request["schemaArn"])
    rules.check_is_active(store, group)
    dataset_type = request["datasetType"].upper()
    rules.check_schema_fields(dataset_type, schema.rows)
    dataset = create(
        store,
        Dataset,
        {**request, "datasetType": dataset_type},
        path=f"{group.details['name']}/{dataset_type}",
        belongs_to=[group.arn],
        fields={"type": dataset_type, "schema": schema, "table": Table(schema.rows.names)},
    )
    return {"datasetArn": dataset.arn}


def create_event_tracker(
    store: Store, request: "t.CreateEventTrackerRequestTypeDef"
) -> dict[str, object]:
    """Create an event tracker. It receives no events, because the emulator has no PutEvents."""
    group = store.get(DatasetGroup, request["datasetGroupArn"])
    rules.check_is_active(store, group)
    rules.check_has_no_tracker(store, group.arn)
    digest = hashlib.sha256(f"{group.arn} {request['name']}".encode()).hexdigest()
    tracking_id = str(UUID(digest[:32]))
    details = {**request, "accountId": store.account, "trackingId": tracking_id}
    tracker = create(store, EventTracker, details, belongs_to=[group.arn])
    return {"eventTrackerArn": tracker.arn, "trackingId": tracking_id}
