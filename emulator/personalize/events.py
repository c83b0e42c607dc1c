"""The operation of `personalize-events` that streams interactions into a dataset."""

from collections.abc import Mapping
from typing import Any

from emulator.personalize.datasets import find_dataset
from emulator.personalize.errors import invalid_input, not_found
from emulator.personalize.resources import EventTracker
from emulator.personalize.store import Request, Store
from emulator.personalize.tables import IDENTITY_FIELDS, Row


def put_events(store: Store, request: Request) -> None:
    """Add the events of a user to the interactions of the tracker's dataset group.

    Events without a user are dropped. The service keeps them until it learns who the user is.
    """
    tracker = find_tracker(store, request["trackingId"])
    dataset = find_dataset(store, tracker.group_arn, "INTERACTIONS")
    if dataset is None:
        raise invalid_input(f"Dataset group {tracker.group_arn} has no INTERACTIONS dataset")
    if "userId" not in request:
        return

    columns = dataset.table.columns
    rows = [_build_row(columns, request["userId"], event) for event in request["eventList"]]
    identity = IDENTITY_FIELDS[dataset.type]
    dataset.events = dataset.events.with_rows(rows, identity)
    dataset.table = dataset.table.with_rows(rows, identity)
    dataset.last_event_at = store.now


def find_tracker(store: Store, tracking_id: str) -> EventTracker:
    """Find the event tracker with a tracking id."""
    for tracker in store.list_resources(EventTracker):
        if tracker.details["trackingId"] == tracking_id:
            return tracker
    raise not_found(tracking_id)


def _build_row(columns: tuple[str, ...], user_id: str, event: Mapping[str, Any]) -> Row:
    """Build the row of an event. Columns that have no field in the API stay empty."""
    values = {
        "USER_ID": user_id,
        "ITEM_ID": event.get("itemId"),
        "TIMESTAMP": int(event["sentAt"]),
        "EVENT_TYPE": event["eventType"],
        "EVENT_VALUE": event.get("eventValue"),
    }
    return tuple(values.get(column) for column in columns)
