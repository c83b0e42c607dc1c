"""The operations on schemas, dataset groups, datasets and event trackers."""

from uuid import NAMESPACE_URL, uuid5

from emulator.personalize.errors import already_exists, invalid_input
from emulator.personalize.lifecycle import create, find_active
from emulator.personalize.resources import Dataset, DatasetGroup, EventTracker, Schema
from emulator.personalize.store import Request, Store
from emulator.personalize.tables import REQUIRED_FIELDS, Table, parse_schema


def create_schema(store: Store, request: Request) -> Schema:
    """Create a schema. It can be used immediately, because a schema has no status."""
    return create(store, Schema, request, columns=parse_schema(request["schema"]))


def create_dataset_group(store: Store, request: Request) -> DatasetGroup:
    """Create an empty dataset group. The emulator has no recommenders for a group's domain."""
    return create(store, DatasetGroup, request)


def create_dataset(store: Store, request: Request) -> Dataset:
    """Create an empty dataset. Its ARN ends in the name of the group and the dataset's type."""
    group = find_active(store, DatasetGroup, request["datasetGroupArn"])
    schema = store.get(Schema, request["schemaArn"])
    dataset_type = request["datasetType"].upper()
    column_names = tuple(column.name for column in schema.columns)
    _check_required_fields(dataset_type, column_names)

    return create(
        store,
        Dataset,
        {**request, "datasetType": dataset_type},
        path=f"{group.details['name']}/{dataset_type}",
        belongs_to=[schema.arn, group.arn],
        type=dataset_type,
        schema=schema,
        table=Table(column_names),
    )


def _check_required_fields(dataset_type: str, column_names: tuple[str, ...]) -> None:
    """Reject a dataset of an unknown type, or whose schema lacks a field that its type requires."""
    if dataset_type not in REQUIRED_FIELDS:
        known_types = ", ".join(REQUIRED_FIELDS)
        raise invalid_input(f"Invalid dataset type {dataset_type}; it must be one of {known_types}")

    missing = [name for name in REQUIRED_FIELDS[dataset_type] if name not in column_names]
    if missing:
        raise invalid_input(
            f"Schema of the {dataset_type} dataset is missing the fields: [{', '.join(missing)}]"
        )


def find_dataset(store: Store, group_arn: str, dataset_type: str) -> Dataset | None:
    """Find the dataset of a type in a group, which has at most one."""
    for dataset in store.list_resources(Dataset, group_arn):
        if dataset.type == dataset_type:
            return dataset
    return None


def create_event_tracker(store: Store, request: Request) -> EventTracker:
    """Create the event tracker of a dataset group, which can have only one.

    It receives no events, because the emulator has no PutEvents.
    """
    group = find_active(store, DatasetGroup, request["datasetGroupArn"])
    for other_tracker in store.list_resources(EventTracker, group.arn):
        raise already_exists(other_tracker.arn)

    tracking_id = str(uuid5(NAMESPACE_URL, f"{group.arn} {request['name']}"))
    details = {**request, "accountId": store.account, "trackingId": tracking_id}
    return create(store, EventTracker, details, belongs_to=[group.arn])
