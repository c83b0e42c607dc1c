"""What the executions of the state machine tell about a run."""

from __future__ import annotations

import functools
import json
from datetime import datetime
from typing import TYPE_CHECKING, cast

import boto3

from .errors import ServiceUnavailable
from .passing import raise_passing_errors

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

    from .configuration import Configured
    from .documents import Run, StateError

REPORTED = "RetrainingFailed"
"""The error of an execution that failed and has reported (components/workflow.py)."""
FIRST_EVENTS = 10
"""History events to read: the first state's result is among the first four."""


@functools.cache
def executions() -> SFNClient:
    """Give the client of Step Functions."""
    client = boto3.client("stepfunctions")
    raise_passing_errors(client)
    return client


def configured(client: SFNClient, execution_arn: str) -> Configured | None:
    """Give what the execution's first state made; None if it did not come so far."""
    history = client.get_execution_history(
        executionArn=execution_arn, maxResults=FIRST_EVENTS, includeExecutionData=True
    )
    for event in history["events"]:
        if event["type"] == "PassStateExited":
            return cast("Configured", json.loads(event["stateExitedEventDetails"]["output"]))
    return None


def ending(client: SFNClient, execution_arn: str) -> StateError | None:
    """Give how an execution ended that has not reported; None if it has, or did not end badly.

    Raises:
        ServiceUnavailable: it is still said to run; an answer may be stale, and Lambda invokes a
            function that an event called and that fails twice more, after one and two minutes.
    """
    execution = client.describe_execution(executionArn=execution_arn)
    status, error = execution["status"], execution.get("error")
    if status == "RUNNING":
        raise ServiceUnavailable(f"{execution_arn} is still said to run")
    if status in ("SUCCEEDED", "PENDING_REDRIVE") or error == REPORTED:
        return None
    cause = execution.get("cause", "no cause given")
    return {"Error": status, "Cause": f"{error}: {cause}" if error else cause}


def older_run(client: SFNClient, run: Run) -> str | None:
    """Give an execution of the same machine that is under way and began earlier, or None.

    Of two that began at once the one whose ARN comes first is the older. So of all that are under
    way one always goes on, whatever the others see: the list is eventually consistent. Where the
    list has this run too, its time there counts, which may be less precise than the run's own.
    """
    ours = run["executionArn"]
    machine, _, _ = ours.replace(":execution:", ":stateMachine:").rpartition(":")
    pages = client.get_paginator("list_executions").paginate(
        stateMachineArn=machine, statusFilter="RUNNING"
    )
    began = {
        each["executionArn"]: each["startDate"] for page in pages for each in page["executions"]
    }
    began.setdefault(ours, datetime.fromisoformat(run["startedAt"]))
    oldest = min(began, key=lambda arn: (began[arn], arn))
    return None if oldest == ours else oldest
