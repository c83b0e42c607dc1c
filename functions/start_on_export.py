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
from .common.aws import (
    s3,
    stepfunctions,
)
from .common.errors import (
    ServiceUnavailable,
    Throttled,
)
from .common.hashes import compute_short_hash
from .common.log import log
from .constants import DATE_PLACEHOLDER
from .run.executions import read_state_machine
from .s3.exports import list_objects

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_stepfunctions import SFNClient

DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
DAY_LENGTH = len("2026-11-29")
RETRY_TIME = timedelta(minutes=5)
"""How long an invocation retries. Lambda itself retries a failed function only twice."""
PAUSE_SECONDS = 30


class WrittenObject(TypedDict):
    """The event: an object that was written, and the state machine to start."""

    stateMachineArn: str
    bucket: str
    key: str


def handler(event: WrittenObject, _context: object) -> str | None:
    """Start an execution if all exports of the marker's day are complete, and return its name.

    Return None if the object isn't a marker, or if another marker is missing. An event will follow
    when that marker is written.

    Raises:
        Throttled, ServiceUnavailable: a service didn't respond for RETRY_TIME.
    """
    location = f"s3://{event['bucket']}/{event['key']}"
    deadline = clock.now() + RETRY_TIME

    while True:
        try:
            return _start_if_ready(stepfunctions(), event["stateMachineArn"], location)
        except (Throttled, ServiceUnavailable):
            if clock.now() >= deadline:
                raise
            clock.sleep(PAUSE_SECONDS)


def _start_if_ready(client: SFNClient, machine_arn: str, location: str) -> str | None:
    """Try once to start the execution, and log the result. `location` is the object's."""
    datasets = read_state_machine(client, machine_arn).settings["datasets"]
    markers = [dataset["readyMarker"] for dataset in datasets if dataset["readyMarker"]]
    day = _find_day_of_marker(markers, location)

    name = None
    missing: list[str] = []
    if day:
        locations = [marker.replace(DATE_PLACEHOLDER, day) for marker in markers]
        written = {marker: list_objects(s3(), marker) for marker in locations}
        missing = [marker for marker, objects in written.items() if not objects]
        if not missing:
            # S3 and EventBridge may deliver an event late, out of order or more than once. So the
            # name depends only on the markers, and all their events start the same execution. If a
            # marker is written again, another execution starts.
            name = f"export-{day}-{compute_short_hash(repr(written), 16)}"
            _start_execution(client, machine_arn, name, day)

    details = {"locationWritten": location, "execution": name, "missing": missing}
    log("start_on_export", name or "nothing started", **details)
    return name


def _find_day_of_marker(markers: Sequence[str], location: str) -> str | None:
    """Return the day in a ready marker's location, or None if no marker has this location."""
    for marker in markers:
        start = marker.find(DATE_PLACEHOLDER)
        day = location[start : start + DAY_LENGTH]
        # Every `{date}` in a marker stands for the same day.
        if DAY.fullmatch(day) and location == marker.replace(DATE_PLACEHOLDER, day):
            return day
    return None


def _start_execution(client: SFNClient, machine_arn: str, name: str, day: str) -> None:
    """Start the execution for a day, unless an earlier event already did."""
    with suppress(client.exceptions.ExecutionAlreadyExists):
        client.start_execution(
            stateMachineArn=machine_arn,
            name=name,
            input=json.dumps({"trigger": "export", "day": day}),
        )
