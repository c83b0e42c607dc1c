"""Starts a run when the ready markers of all exports of a day are written."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, TypedDict

from . import clock
from .aws import s3, stepfunctions
from .errors import ServiceUnavailable, Throttled
from .executions import settings_of_machine
from .log import log
from .ready_markers import day_of_marker, read_ready_exports

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

    from .ready_markers import ReadyExports


PATIENCE = timedelta(minutes=5)
"""An invocation repeats its work for this time if a service does not respond.

Lambda invokes a function that has failed only twice more, after one minute and after two minutes.
After that, nothing starts the run."""
PAUSE_SECONDS = 30


class WrittenObject(TypedDict):
    """The event: an object that was written, and the state machine to start."""

    stateMachineArn: str
    bucket: str
    key: str


def handler(event: WrittenObject, _context: object) -> str | None:
    """Start an execution if all exports of the marker's day are ready, and return its name.

    Return None if the object is no marker, or if another marker is missing. Its event will follow.
    S3 and EventBridge may deliver an event more than once, late, and out of order. The name of the
    execution comes from the markers, so the same exports start no second execution.

    Raises:
        Throttled, ServiceUnavailable: a service has not responded for PATIENCE.
    """
    end = clock.now() + PATIENCE
    while True:
        try:
            return _start_if_ready(event)
        except (Throttled, ServiceUnavailable):
            if clock.now() >= end:
                raise
            clock.sleep(PAUSE_SECONDS)


def _start_if_ready(event: WrittenObject) -> str | None:
    """Start an execution as `handler` does, in one attempt."""
    location = f"s3://{event['bucket']}/{event['key']}"
    settings = settings_of_machine(stepfunctions(), event["stateMachineArn"])
    day = day_of_marker(settings, location)
    ready = read_ready_exports(s3(), settings, day) if day else None
    started = None
    if ready and not ready.missing:
        _start(stepfunctions(), event["stateMachineArn"], ready)
        started = ready.execution_name
    log(
        "start_on_export",
        started or "nothing started",
        locationWritten=location,
        execution=started,
        missing=list(ready.missing) if ready else [],
    )
    return started


def _start(client: SFNClient, machine_arn: str, ready: ReadyExports) -> None:
    """Start the execution that imports these exports, unless it was started before."""
    with suppress(client.exceptions.ExecutionAlreadyExists):
        client.start_execution(
            stateMachineArn=machine_arn,
            name=ready.execution_name,
            input=json.dumps({"trigger": "export", "day": ready.day}),
        )
