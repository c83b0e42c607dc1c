"""Reads executions from Step Functions: their input, how they ended, and which are older."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, cast

from ..common.errors import ServiceUnavailable
from ..constants import REPORTED_ERROR, STOPPED_ERROR

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient
    from mypy_boto3_stepfunctions.type_defs import ExecutionListItemTypeDef

    from ..contract import ExecutionData, Run, Settings, StateError

MAX_LISTED_EXECUTIONS = 100
"""How many executions are searched. With one run a day, that's three months."""


def read_first_state_output(client: SFNClient, execution_arn: str) -> ExecutionData | None:
    """Read the output of an execution's first state, or return None if it didn't end.

    The first state adds the settings to the execution's input.
    """
    # The state ends within the first four events of the history.
    history = client.get_execution_history(
        executionArn=execution_arn, maxResults=10, includeExecutionData=True
    )

    for event in history["events"]:
        if event["type"] == "PassStateExited":
            return cast("ExecutionData", json.loads(event["stateExitedEventDetails"]["output"]))
    return None


class DeployedStateMachine(NamedTuple):
    """The settings in the deployed definition, and when the state machine was created."""

    settings: Settings
    created_at: datetime


def read_state_machine(client: SFNClient, machine_arn: str) -> DeployedStateMachine:
    """Read a state machine's settings, which are a parameter of its first state."""
    machine = client.describe_state_machine(stateMachineArn=machine_arn)
    definition = json.loads(machine["definition"])

    first_state = definition["States"][definition["StartAt"]]
    settings = first_state["Parameters"]["settings"]
    return DeployedStateMachine(settings, machine["creationDate"])


def find_unreported_error(client: SFNClient, execution_arn: str) -> StateError | None:
    """Find the error of an ended execution, or return None if it succeeded or sent its report.

    Raises:
        ServiceUnavailable: the response is stale, because the execution has already ended. Lambda
            will invoke the function again.
    """
    execution = client.describe_execution(executionArn=execution_arn)
    status = execution["status"]
    if status == "RUNNING":
        raise ServiceUnavailable(f"the status of {execution_arn} is still RUNNING")

    error = execution.get("error")
    if status in ("SUCCEEDED", "PENDING_REDRIVE") or error == REPORTED_ERROR:
        return None

    cause = execution.get("cause", "no cause given")
    # The report treats a stopped run differently from a failed one.
    if error == STOPPED_ERROR:
        return {"Error": error, "Cause": cause}

    if error:
        cause = f"{error}: {cause}"
    return {"Error": status, "Cause": cause}


def list_older_executions(client: SFNClient, run: Run) -> list[str]:
    """List the ARNs of running executions that are older than this run, oldest first.

    All runs sort executions in the same order, even if some started at the same time. So exactly
    one run is the oldest and goes on.
    """
    own_arn = run["executionArn"]
    pages = client.get_paginator("list_executions").paginate(
        stateMachineArn=derive_state_machine_arn(own_arn), statusFilter="RUNNING"
    )
    start_times = {
        execution["executionArn"]: execution["startDate"]
        for page in pages
        for execution in page["executions"]
    }

    # The list may round times, so use the run's own start only if the run isn't in the list.
    start_times.setdefault(own_arn, datetime.fromisoformat(run["startedAt"]))
    oldest_first = sorted(start_times, key=lambda arn: (start_times[arn], arn))
    return oldest_first[: oldest_first.index(own_arn)]


def list_latest_executions(client: SFNClient, machine_arn: str) -> list[ExecutionListItemTypeDef]:
    """List a state machine's latest executions, at most MAX_LISTED_EXECUTIONS, newest first."""
    response = client.list_executions(stateMachineArn=machine_arn, maxResults=MAX_LISTED_EXECUTIONS)
    executions = response["executions"]

    return sorted(executions, key=lambda execution: execution["startDate"], reverse=True)


def derive_state_machine_arn(execution_arn: str) -> str:
    """Derive a state machine's ARN from an execution's ARN."""
    return execution_arn.replace(":execution:", ":stateMachine:").rpartition(":")[0]
