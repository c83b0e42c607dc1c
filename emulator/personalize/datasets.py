"""The operations on schemas, dataset groups, datasets and event trackers."""

import hashlib
from uuid import UUID

from emulator.personalize.errors import already_exists, invalid_input
from emulator.personalize.lifecycle import check_is_active, create
from emulator.personalize.resources import Dataset, DatasetGroup, EventTracker, Schema
from emulator.personalize.store import Request, Response, Store
from emulator.personalize.tables import REQUIRED_FIELDS, Table, parse_schema
from emulator.personalize.timeline import Moment, Timeline


def create_schema(store: Store, request: Request) -> Response:
    """Create a schema. It can be used immediately, because a schema has no status."""
    columns = parse_schema(request["schema"])
    active = Timeline([Moment(store.now, "ACTIVE")])
    schema = create(store, Schema, request, timeline=active, columns=columns)
    return {"schemaArn": schema.arn}


def create_dataset_group(store: Store, request: Request) -> Response:
    """Create an empty dataset group. The emulator has no recommenders for a group's domain."""
    group = create(store, DatasetGroup, request)
    return {"datasetGroupArn": group.arn, "domain": request.get("domain")}


def create_dataset(store: Store, request: Request) -> Response:
    """Create an empty dataset. Its ARN ends in the name of the group and the dataset's type."""
    group = store.get(DatasetGroup, request["datasetGroupArn"])
    schema = store.get(Schema, request["schemaArn"])
    check_is_active(store, group)
    dataset_type = request["datasetType"].upper()
    if dataset_type not in REQUIRED_FIELDS:
        known = ", ".join(REQUIRED_FIELDS)
        raise invalid_input(f"Invalid dataset type {dataset_type}; it must be one of {known}")
    names = tuple(column.name for column in schema.columns)
    if missing := [name for name in REQUIRED_FIELDS[dataset_type] if name not in names]:
        raise invalid_input(
            f"Schema of the {dataset_type} dataset is missing the fields: [{', '.join(missing)}]"
        )
    dataset = create(
        store,
        Dataset,
        {**request, "datasetType": dataset_type},
        path=f"{group.details['name']}/{dataset_type}",
        belongs_to=[group.arn],
        type=dataset_type,
        schema=schema,
        table=Table(names),
    )
    return {"datasetArn": dataset.arn}


def create_event_tracker(store: Store, request: Request) -> Response:
    """Create the event tracker of a dataset group, which can have only one.

    It receives no events, because the emulator has no PutEvents.
    """
    group = store.get(DatasetGroup, request["datasetGroupArn"])
    check_is_active(store, group)
    for tracker in store.all(EventTracker, group.arn):
        raise already_exists(tracker.arn)
    digest = hashlib.sha256(f"{group.arn} {request['name']}".encode()).hexdigest()
    tracking_id = str(UUID(digest[:32]))
    details = {**request, "accountId": store.account, "trackingId": tracking_id}
    tracker = create(store, EventTracker, details, belongs_to=[group.arn])
    return {"eventTrackerArn": tracker.arn, "trackingId": tracking_id}
