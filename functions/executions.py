"""Executions of the state machine: their input, the run that they belong to, and how they ended."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, cast, get_args

from .contract import Request, TrainingMode
from .errors import ServiceUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mypy_boto3_stepfunctions import SFNClient

    from .contract import ConfiguredRun, Run, Settings, StateError

RUN_ID_FORMAT = "%Y%m%dT%H%M%SZ"
RUN_ID = re.compile(r"\d{8}T\d{6}Z|\d{8}-[0-9a-f]{8}")
SCHEDULE_ARN = re.compile(r"arn:[^:]+:scheduler:[^:]+:\d{12}:schedule/[^/]+/[^/]+")
FLAGS = ("skipImport", "dryRun", "force")
KEYS = tuple(Request.__annotations__)
REPORTED = "RetrainingFailed"
"""The error of an execution that failed and sent its report (`state_machine/definition.py`)."""
FIRST_EVENTS = 10
"""The number of history events to read. The result of the first state is among the first four."""


def run_of(configured: ConfiguredRun) -> Run:
    """Return the run of an execution.

    The id of a scheduled run is its scheduled time. The id of a manual run is the day and a hash of
    the execution's ARN and start, because the name of an execution may be used again after 90 days.
    """
    request = request_of(configured["request"])
    return {
        "id": _run_id(configured, request),
        "trigger": str(request.get("trigger", "manual")),
        "startedAt": configured["startedAt"],
        "executionArn": configured["executionArn"],
        "request": request,
    }


def _run_id(configured: ConfiguredRun, request: Request) -> str:
    if request.get("resume"):
        return str(request["resume"])
    if scheduled := scheduled_at(request):
        return scheduled.strftime(RUN_ID_FORMAT)
    day = datetime.fromisoformat(configured["startedAt"]).astimezone(UTC).strftime("%Y%m%d")
    execution = f"{configured['executionArn']} {configured['startedAt']}"
    return f"{day}-{short_hash(execution, 8)}"


def request_of(execution_input: object) -> Request:
    """Return the input of an execution without keys that are null. {} if it is not an object."""
    if not isinstance(execution_input, dict):
        return {}
    return cast(
        "Request", {key: value for key, value in execution_input.items() if value is not None}
    )


def scheduled_at(request: Request) -> datetime | None:
    """Return the scheduled time of the run, or None if a person started it."""
    try:
        scheduled = datetime.fromisoformat(str(request.get("scheduledTime")))
        return scheduled.astimezone(UTC) if scheduled.tzinfo else None
    except (ValueError, OverflowError):
        return None


def is_resumed(run: Run) -> bool:
    """Return True if the run goes on with the jobs of an earlier execution."""
    return "resume" in run["request"]


def short_hash(text: str, length: int) -> str:
    """Return the first hex digits of the SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def day_of(run_id: str) -> str:
    """Return the day of a run, for example 2026-11-29. A resumed run keeps its day."""
    return f"{run_id[:4]}-{run_id[4:6]}-{run_id[6:8]}"


def input_problems(execution_input: object, settings: Settings) -> list[str]:
    """Return a message for each mistake in the input of an execution, which may be any JSON."""
    if not isinstance(execution_input, dict):
        problem = f"the input {execution_input!r} is not a JSON object"
        return [f"{problem}; to retrain as configured, use {{}}"]
    request = request_of(execution_input)
    dataset_types = [dataset["type"] for dataset in settings["datasets"]]
    solution_arns = [solution["solutionArn"] for solution in settings["solutions"]]
    return [
        *(_unknown("key", key, KEYS) for key in request if key not in KEYS),
        *_wrong_values(request),
        *_not_configured("datasets", request, dataset_types),
        *_not_configured("solutions", request, solution_arns),
    ]


def _wrong_values(request: Request) -> Iterator[str]:
    values = dict(request)
    for flag in FLAGS:
        if flag in values and not isinstance(values[flag], bool):
            yield f"{flag}: {values[flag]!r} is neither true nor false"
    trigger = values.get("trigger", "manual")
    if trigger not in ("schedule", "manual"):
        yield f"trigger: {trigger!r} is neither 'schedule' nor 'manual'"
    scheduled = values.get("scheduledTime")
    if (scheduled or trigger == "schedule") and scheduled_at(request) is None:
        yield (
            f"scheduledTime: {scheduled!r} is not a time with a zone, "
            "for example '2026-11-29T03:00:00Z'"
        )
    schedule_arn = values.get("scheduleArn")
    if schedule_arn is not None and not SCHEDULE_ARN.fullmatch(str(schedule_arn)):
        yield f"scheduleArn: {schedule_arn!r} is not the ARN of a schedule; leave it out"
    mode = values.get("trainingMode", "FULL")
    if mode not in get_args(TrainingMode):
        yield f"trainingMode: {mode!r} is neither 'FULL' nor 'UPDATE'"
    resume = values.get("resume")
    if resume is not None and not RUN_ID.fullmatch(str(resume)):
        yield (
            f"resume: {resume!r} is not a run id; take it from the report of the run, "
            "for example '20261129T030000Z'"
        )


def _not_configured(key: str, request: Request, configured: Sequence[str]) -> list[str]:
    """Return a message for each value of a list that the stack does not configure."""
    chosen = request.get(key)
    if chosen is None:
        return []
    if not isinstance(chosen, list) or not chosen:
        return [f"{key}: {chosen!r} is not a list of one or more of {configured}"]
    return [_unknown(key, value, configured) for value in chosen if value not in configured]


def _unknown(key: str, value: object, known: Sequence[str]) -> str:
    nearest = get_close_matches(str(value), known, n=1)
    hint = f"did you mean {nearest[0]!r}?" if nearest else f"expected one of {list(known)}"
    return f"{key}: {value!r} is unknown; {hint}"


def configured_run_of(client: SFNClient, execution_arn: str) -> ConfiguredRun | None:
    """Return the output of the execution's first state, or None if that state did not end."""
    history = client.get_execution_history(
        executionArn=execution_arn, maxResults=FIRST_EVENTS, includeExecutionData=True
    )
    for event in history["events"]:
        if event["type"] == "PassStateExited":
            return cast("ConfiguredRun", json.loads(event["stateExitedEventDetails"]["output"]))
    return None


def unreported_error(client: SFNClient, execution_arn: str) -> StateError | None:
    """Return the error of an execution that ended without a report.

    Return None if the execution has sent its report, or if it did not fail.

    Raises:
        ServiceUnavailable: the response still says RUNNING, because it may be old. Lambda retries
            a function that an event invoked twice, after one and two minutes.
    """
    execution = client.describe_execution(executionArn=execution_arn)
    status, error = execution["status"], execution.get("error")
    if status == "RUNNING":
        raise ServiceUnavailable(f"the status of {execution_arn} is still RUNNING")
    if status in ("SUCCEEDED", "PENDING_REDRIVE") or error == REPORTED:
        return None
    cause = execution.get("cause", "no cause given")
    return {"Error": status, "Cause": f"{error}: {cause}" if error else cause}


def older_run(client: SFNClient, run: Run) -> str | None:
    """Return the ARN of a running execution of this state machine that started earlier, or None.

    Of two executions that started at once, the first by ARN is the older. So of all running
    executions at least one goes on, also if the list is not complete yet. If the list contains this
    run, the start time of the list counts, because the run may know its start more precisely.
    """
    arn = run["executionArn"]
    machine_arn, _, _ = arn.replace(":execution:", ":stateMachine:").rpartition(":")
    pages = client.get_paginator("list_executions").paginate(
        stateMachineArn=machine_arn, statusFilter="RUNNING"
    )
    started = {
        execution["executionArn"]: execution["startDate"]
        for page in pages
        for execution in page["executions"]
    }
    started.setdefault(arn, datetime.fromisoformat(run["startedAt"]))
    oldest = min(started, key=lambda execution_arn: (started[execution_arn], execution_arn))
    return None if oldest == arn else oldest
