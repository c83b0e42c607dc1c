"""The operations on schemas, dataset groups, datasets and event trackers."""

from uuid import NAMESPACE_URL, uuid5

from emulator.personalize.errors import already_exists, invalid_input
from emulator.personalize.lifecycle import create_resource, find_active
from emulator.personalize.resources import Dataset, DatasetGroup, EventTracker, Schema
from emulator.personalize.store import Request, Store
from emulator.personalize.tables import REQUIRED_FIELDS, Table, parse_schema


def create_schema(store: Store, request: Request) -> Schema:
    """Create a schema. It can be used immediately, because schemas have no status."""
    return create_resource(store, Schema, request, columns=parse_schema(request["schema"]))


def create_dataset_group(store: Store, request: Request) -> DatasetGroup:
    """Create an empty dataset group. With a domain, it may get recommenders."""
    return create_resource(store, DatasetGroup, request)


def create_dataset(store: Store, request: Request) -> Dataset:
    """Create an empty dataset. Its ARN ends with the group's name and the dataset type."""
    group = find_active(store, DatasetGroup, request["datasetGroupArn"])
    schema = store.get(Schema, request["schemaArn"])
    dataset_type = request["datasetType"].upper()
    column_names = tuple(column.name for column in schema.columns)
    _check_required_fields(dataset_type, column_names)

    return create_resource(
        store,
        Dataset,
        {**request, "datasetType": dataset_type},
        arn_suffix=f"{group.details['name']}/{dataset_type}",
        parent_arns=[schema.arn, group.arn],
        type=dataset_type,
        schema=schema,
        table=Table(column_names),
        events=Table(column_names),
    )


def _check_required_fields(dataset_type: str, column_names: tuple[str, ...]) -> None:
    """Reject an unknown type of dataset, or a schema that lacks one of its required fields."""
    if dataset_type not in REQUIRED_FIELDS:
        known_types = ", ".join(REQUIRED_FIELDS)
        raise invalid_input(f"Invalid dataset type {dataset_type}; it must be one of {known_types}")

    missing = [name for name in REQUIRED_FIELDS[dataset_type] if name not in column_names]
    if missing:
        raise invalid_input(
            f"Schema of the {dataset_type} dataset is missing the fields: [{', '.join(missing)}]"
        )


def find_dataset(store: Store, group_arn: str, dataset_type: str) -> Dataset | None:
    """Return a group's dataset of this type, or None. A group has at most one of each type."""
    for dataset in store.list_resources(Dataset, group_arn):
        if dataset.type == dataset_type:
            return dataset
    return None


def create_event_tracker(store: Store, request: Request) -> EventTracker:
    """Create the only event tracker that a dataset group can have."""
    group = find_active(store, DatasetGroup, request["datasetGroupArn"])
    for other_tracker in store.list_resources(EventTracker, group.arn):
        raise already_exists(other_tracker.arn)

    tracking_id = str(uuid5(NAMESPACE_URL, f"{group.arn} {request['name']}"))
    details = {**request, "accountId": store.account, "trackingId": tracking_id}
    return create_resource(store, EventTracker, details, parent_arns=[group.arn])
