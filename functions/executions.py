"""Reads an execution: its input, its history, how it ended, and which ones are older."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple, cast

from .errors import ServiceUnavailable

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient
    from mypy_boto3_stepfunctions.type_defs import ExecutionListItemTypeDef

    from .contract import (
        CampaignResult,
        FinishedRun,
        Request,
        Run,
        Settings,
        SolutionResult,
        StartedRun,
        StateError,
    )

RUN_ID = re.compile(r"[0-9]{8}T[0-9]{6}Z|[0-9]{8}-[0-9a-f]{8}")
DATE = "{date}"
"""This placeholder in a location stands for the export's day in UTC, for example 2026-11-29."""
REPORTED_ERROR = "RetrainingFailed"
"""The error of a failed execution that has sent its report (`state_machine/definition.py`)."""
WITHOUT_SUCCESS = ("FAILED", "TIMED_OUT", "ABORTED")
"""The statuses of an execution that has ended without success."""
LISTED_EXECUTIONS = 100
"""How many executions are searched. With one run a day, they go back three months."""


def run_of(started: StartedRun) -> Run:
    """Derive the run from the execution that has started."""
    request = request_of(started["request"])
    return {
        **started,
        "id": _run_id(started, request),
        "trigger": str(request.get("trigger") or request.get("only") or "manual"),
        "request": request,
    }


def _run_id(started: StartedRun, request: Request) -> str:
    """Derive the run's id: its scheduled time, or else the day of its start and a hash."""
    if scheduled := scheduled_at(request):
        return scheduled.strftime("%Y%m%dT%H%M%SZ")

    day = datetime.fromisoformat(started["startedAt"]).astimezone(UTC).strftime("%Y%m%d")
    execution_name = started["executionArn"].rpartition(":")[2]
    # `retrain start` names an execution with the id of its run.
    if re.fullmatch(f"{day}-[0-9a-f]{{8}}", execution_name):
        return execution_name

    # The ARN isn't enough, because an execution's name may be used again after 90 days.
    execution = f"{started['executionArn']} {started['startedAt']}"
    return f"{day}-{short_hash(execution, 8)}"


def request_of(execution_input: object) -> Request:
    """Return an execution's input without the keys that are null, or {} if it isn't an object."""
    if not isinstance(execution_input, dict):
        return {}

    return cast(
        "Request", {key: value for key, value in execution_input.items() if value is not None}
    )


def scheduled_at(request: Request) -> datetime | None:
    """Parse the run's scheduled time. It's in UTC, or None without a valid time with a zone."""
    try:
        scheduled = datetime.fromisoformat(str(request.get("scheduledTime")))
        return scheduled.astimezone(UTC) if scheduled.tzinfo else None
    except (ValueError, OverflowError):
        return None


def run_began_at(run: Run) -> datetime:
    """Return the run's scheduled time, or its execution's start if that's earlier or the only one.

    What an earlier execution has done for the same scheduled time counts as done by this run.
    """
    started_at = datetime.fromisoformat(run["startedAt"])
    return min(started_at, scheduled_at(run["request"]) or started_at)


def short_hash(text: str, length: int) -> str:
    """Return the first `length` hex digits of a text's SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def job_name(settings: Settings, run: Run, suffix: str) -> str:
    """Build a job's name, which has to be unique in the account and region."""
    return f"{settings['prefix']}-{run['id']}-{suffix}"


def export_day(run: Run) -> str:
    """Return the day whose exports the run imports. By default, the run's id begins with it."""
    request = run["request"]
    run_id = run["id"]
    day_of_run = f"{run_id[:4]}-{run_id[4:6]}-{run_id[6:8]}"
    return request.get("exportDate") or request.get("day") or day_of_run


def solution_results(document: FinishedRun) -> list[SolutionResult]:
    """Return the results of the trainings. There are none if the run ended before them."""
    return document.get("solutions", []) if _has_worked(document) else []


def trial_results(document: FinishedRun) -> list[CampaignResult]:
    """Return the results of the earlier runs' trials that this run has tried to end."""
    # Until the work begins, `solutions` are those with trials.
    return document.get("trials", []) if _has_worked(document) else campaign_results(document)


def campaign_results(document: FinishedRun) -> list[CampaignResult]:
    """Return the results of all campaigns: those of earlier runs' trials come first."""
    solutions = document.get("solutions", [])
    campaigns = [campaign for solution in solutions for campaign in solution["campaigns"]]
    return [*document.get("trials", []), *campaigns]


def _has_worked(document: FinishedRun) -> bool:
    """Return True if `solutions` have the results of trainings instead of earlier runs' trials."""
    return "plan" in document and document["plan"]["todo"] == "WORK"


def configured_run_of(client: SFNClient, execution_arn: str) -> FinishedRun | None:
    """Read the output of the execution's first state, or None if that state didn't end."""
    # It's among the first four events of the history.
    history = client.get_execution_history(
        executionArn=execution_arn, maxResults=10, includeExecutionData=True
    )

    for event in history["events"]:
        if event["type"] == "PassStateExited":
            return cast("FinishedRun", json.loads(event["stateExitedEventDetails"]["output"]))
    return None


class DeployedMachine(NamedTuple):
    """A state machine as it is deployed now."""

    settings: Settings
    created_at: datetime


def deployed_machine(client: SFNClient, machine_arn: str) -> DeployedMachine:
    """Read a state machine's settings, which are in its definition, and its creation time."""
    machine = client.describe_state_machine(stateMachineArn=machine_arn)
    definition = json.loads(machine["definition"])
    settings = definition["States"][definition["StartAt"]]["Parameters"]["settings"]
    return DeployedMachine(settings, machine["creationDate"])


def unreported_error(client: SFNClient, execution_arn: str) -> StateError | None:
    """Find the error of an execution that ended without success and without a report.

    Raises:
        ServiceUnavailable: the response is outdated. An event has invoked the function, so Lambda
            will invoke it again.
    """
    execution = client.describe_execution(executionArn=execution_arn)
    status = execution["status"]
    error = execution.get("error")
    if status == "RUNNING":
        raise ServiceUnavailable(f"the status of {execution_arn} is still RUNNING")

    if status in ("SUCCEEDED", "PENDING_REDRIVE") or error == REPORTED_ERROR:
        return None

    cause = execution.get("cause", "no cause given")
    return {"Error": status, "Cause": f"{error}: {cause}" if error else cause}


def older_executions(client: SFNClient, run: Run) -> list[str]:
    """List the ARNs of the running executions that are older than this run, oldest first.

    All runs sort executions in the same way, even if several started at the same time. So the
    oldest run finds no older one and goes on.
    """
    own_arn = run["executionArn"]
    pages = client.get_paginator("list_executions").paginate(
        stateMachineArn=machine_arn_of(own_arn), statusFilter="RUNNING"
    )
    start_times = {
        execution["executionArn"]: execution["startDate"]
        for page in pages
        for execution in page["executions"]
    }

    # The list may round times, so the run's own time is only used if the list doesn't have it.
    start_times.setdefault(own_arn, datetime.fromisoformat(run["startedAt"]))
    oldest_first = sorted(start_times, key=lambda arn: (start_times[arn], arn))
    return oldest_first[: oldest_first.index(own_arn)]


def last_executions(client: SFNClient, machine_arn: str) -> list[ExecutionListItemTypeDef]:
    """List the last LISTED_EXECUTIONS executions of a state machine, newest first."""
    response = client.list_executions(stateMachineArn=machine_arn, maxResults=LISTED_EXECUTIONS)
    return sorted(
        response["executions"], key=lambda execution: execution["startDate"], reverse=True
    )


def machine_arn_of(execution_arn: str) -> str:
    """Derive the state machine's ARN from that of an execution."""
    return execution_arn.replace(":execution:", ":stateMachine:").rpartition(":")[0]
