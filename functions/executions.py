"""Reads what an execution says about its run: its input, its history, and how it ended."""

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
"""This placeholder in a location stands for the day of the export in UTC, like 2026-11-29."""
REPORTED_ERROR = "RetrainingFailed"
"""The error of a failed execution that has sent its report (`state_machine/definition.py`)."""
WITHOUT_SUCCESS = ("FAILED", "TIMED_OUT", "ABORTED")
"""The statuses of an execution that has ended without success."""
LISTED_EXECUTIONS = 100
"""The number of executions that are searched. With a run each day they go back three months."""


def run_of(started: StartedRun) -> Run:
    """Return the run of an execution."""
    request = request_of(started["request"])
    return {
        **started,
        "id": _run_id(started, request),
        "trigger": str(request.get("trigger") or request.get("only") or "manual"),
        "request": request,
    }


def _run_id(started: StartedRun, request: Request) -> str:
    """Return the id of a run.

    The id of a scheduled run is its scheduled time. `retrain start` names an execution with the id
    of its run. The id of any other run is the day and a hash of the execution's ARN and start time,
    because the name of an execution may be used again after 90 days.
    """
    if scheduled := scheduled_at(request):
        return scheduled.strftime("%Y%m%dT%H%M%SZ")
    day = datetime.fromisoformat(started["startedAt"]).astimezone(UTC).strftime("%Y%m%d")
    name = started["executionArn"].rpartition(":")[2]
    if re.fullmatch(f"{day}-[0-9a-f]{{8}}", name):
        return name
    execution = f"{started['executionArn']} {started['startedAt']}"
    return f"{day}-{short_hash(execution, 8)}"


def request_of(execution_input: object) -> Request:
    """Return the input of an execution without the keys that are null, or {} if it is no object."""
    if not isinstance(execution_input, dict):
        return {}
    return cast(
        "Request", {key: value for key, value in execution_input.items() if value is not None}
    )


def scheduled_at(request: Request) -> datetime | None:
    """Return the scheduled time of the run in UTC, or None if it has no time with a zone."""
    try:
        scheduled = datetime.fromisoformat(str(request.get("scheduledTime")))
        return scheduled.astimezone(UTC) if scheduled.tzinfo else None
    except (ValueError, OverflowError):
        return None


def run_began_at(run: Run) -> datetime:
    """Return the run's scheduled time, or the start of its execution if that is earlier.

    What an earlier execution did for the same scheduled time counts as done by this run.
    """
    started_at = datetime.fromisoformat(run["startedAt"])
    return min(started_at, scheduled_at(run["request"]) or started_at)


def short_hash(text: str, length: int) -> str:
    """Return the first `length` hex digits of the SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def job_name(settings: Settings, run: Run, suffix: str) -> str:
    """Return the name of a job of this run. Names are unique in an account and region."""
    return f"{settings['prefix']}-{run['id']}-{suffix}"


def export_day(run: Run) -> str:
    """Return the day whose exports the run imports. It may be the day with which the id begins."""
    request = run["request"]
    run_id = run["id"]
    day_of_run = f"{run_id[:4]}-{run_id[4:6]}-{run_id[6:8]}"
    return request.get("exportDate") or request.get("day") or day_of_run


def solution_results(document: FinishedRun) -> list[SolutionResult]:
    """Return the results of the trainings. There are none if the run ended before them."""
    return document.get("solutions", []) if _has_worked(document) else []


def trial_results(document: FinishedRun) -> list[CampaignResult]:
    """Return the results of the trials of earlier runs that the run has tried to end."""
    return document.get("trials", []) if _has_worked(document) else campaign_results(document)


def campaign_results(document: FinishedRun) -> list[CampaignResult]:
    """Return the results of all campaigns: of the trials, and of the trainings."""
    solutions = document.get("solutions", [])
    latest = [campaign for solution in solutions for campaign in solution["campaigns"]]
    return [*document.get("trials", []), *latest]


def _has_worked(document: FinishedRun) -> bool:
    """Return True if `solutions` are those of the trainings, and not those with trials."""
    return "plan" in document and document["plan"]["todo"] == "WORK"


def configured_run_of(client: SFNClient, execution_arn: str) -> FinishedRun | None:
    """Return the output of the execution's first state, or None if that state did not end."""
    # The result of the first state is among the first four events.
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
    """Return the settings in the definition of a state machine, and when it was created."""
    machine = client.describe_state_machine(stateMachineArn=machine_arn)
    definition = json.loads(machine["definition"])
    settings = definition["States"][definition["StartAt"]]["Parameters"]["settings"]
    return DeployedMachine(settings, machine["creationDate"])


def unreported_error(client: SFNClient, execution_arn: str) -> StateError | None:
    """Return the error of an execution that ended without success and without a report, or None.

    Raises:
        ServiceUnavailable: the response is out of date. Lambda retries the function, because an
            event has invoked it.
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
    """Return the ARNs of the running executions that are older than this run, oldest first.

    If two executions started at the same time, the one whose ARN sorts first counts as older. So at
    least one running execution finds no older one and goes on, even if the list is incomplete. The
    list may round start times, so this run's time is also taken from the list, if it is there.
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
    start_times.setdefault(own_arn, datetime.fromisoformat(run["startedAt"]))
    oldest_first = sorted(start_times, key=lambda arn: (start_times[arn], arn))
    return oldest_first[: oldest_first.index(own_arn)]


def last_executions(client: SFNClient, machine_arn: str) -> list[ExecutionListItemTypeDef]:
    """Return the last executions of a state machine, at most LISTED_EXECUTIONS, newest first."""
    response = client.list_executions(stateMachineArn=machine_arn, maxResults=LISTED_EXECUTIONS)
    return sorted(response["executions"], key=lambda item: item["startDate"], reverse=True)


def machine_arn_of(execution_arn: str) -> str:
    """Return the ARN of the state machine of an execution."""
    return execution_arn.replace(":execution:", ":stateMachine:").rpartition(":")[0]
