"""Starts a run as soon as a day's exports are complete.

Each export may have a *ready marker*, an object that is written after it. The run starts once the
markers of all datasets are there.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, TypedDict

from .common import clock
from .common.aws import s3, stepfunctions
from .common.errors import ServiceUnavailable, Throttled
from .common.hashes import compute_short_hash
from .common.log import log
from .constants import DATE_PLACEHOLDER
from .run.executions import read_state_machine
from .s3.exports import list_objects

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_stepfunctions import SFNClient

DAY_PATTERN = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
DAY_LENGTH = len("2026-11-29")
MAX_RETRY_TIME = timedelta(minutes=5)
"""How long an invocation retries. Lambda itself retries a failed function only twice."""
RETRY_PAUSE_SECONDS = 30


class ObjectWrittenEvent(TypedDict):
    """An S3 object that was written, and the state machine to start."""

    stateMachineArn: str
    bucket: str
    key: str


def handler(event: ObjectWrittenEvent, _context: object) -> str | None:
    """Start an execution if all exports of the marker's day are complete, and return its name.

    Return None if the object isn't a marker, or if another marker is still missing. Writing that
    marker will cause the next event.

    Raises:
        Throttled, ServiceUnavailable: a service was unavailable for MAX_RETRY_TIME.
    """
    written_location = f"s3://{event['bucket']}/{event['key']}"
    deadline = clock.now() + MAX_RETRY_TIME

    while True:
        try:
            return _start_if_ready(stepfunctions(), event["stateMachineArn"], written_location)
        except (Throttled, ServiceUnavailable):
            if clock.now() >= deadline:
                raise
            clock.sleep(RETRY_PAUSE_SECONDS)


def _start_if_ready(client: SFNClient, machine_arn: str, written_location: str) -> str | None:
    """Start an execution if all markers of the day are there, and return its name or None."""
    datasets = read_state_machine(client, machine_arn).settings["datasets"]
    markers = [dataset["readyMarker"] for dataset in datasets if dataset["readyMarker"]]
    day = _parse_day(written_location, markers)

    execution_name = None
    missing_markers: list[str] = []
    if day:
        locations = [marker.replace(DATE_PLACEHOLDER, day) for marker in markers]
        objects_by_marker = {location: list_objects(s3(), location) for location in locations}
        missing_markers = [marker for marker, objects in objects_by_marker.items() if not objects]
        if not missing_markers:
            # S3 and EventBridge may deliver an event late, out of order or more than once. So the
            # name depends only on the markers, and all their events start the same execution. If a
            # marker is written again, another execution starts.
            execution_name = f"export-{day}-{compute_short_hash(repr(objects_by_marker), 16)}"
            _start_execution(client, machine_arn, execution_name, day)

    log_fields = {
        "locationWritten": written_location,
        "execution": execution_name,
        "missing": missing_markers,
    }
    log("start_on_export", execution_name or "nothing started", **log_fields)
    return execution_name


def _parse_day(location: str, markers: Sequence[str]) -> str | None:
    """Parse the day in the location of a marker, or return None for any other object."""
    for marker in markers:
        day_start = marker.find(DATE_PLACEHOLDER)
        day = location[day_start : day_start + DAY_LENGTH]
        # Every `{date}` in a marker stands for the same day.
        if DAY_PATTERN.fullmatch(day) and location == marker.replace(DATE_PLACEHOLDER, day):
            return day
    return None


def _start_execution(client: SFNClient, machine_arn: str, name: str, day: str) -> None:
    """Start the execution for a day, unless an earlier event has already started it."""
    with suppress(client.exceptions.ExecutionAlreadyExists):
        client.start_execution(
            stateMachineArn=machine_arn,
            name=name,
            input=json.dumps({"trigger": "export", "day": day}),
        )
