"""Reads what an execution says about its run: its input, its history and how it ended."""

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
"""The format of the scheduled time in the id of a scheduled run."""
RUN_ID = re.compile(r"\d{8}T\d{6}Z|\d{8}-[0-9a-f]{8}")
SCHEDULE_ARN = re.compile(r"arn:[^:]+:scheduler:[^:]+:\d{12}:schedule/[^/]+/[^/]+")
FLAGS = ("skipImport", "dryRun", "force")
"""The keys whose value is true or false."""
KEYS = tuple(Request.__annotations__)
"""The keys that the input of an execution may have."""
REPORTED_ERROR = "RetrainingFailed"
"""The error of a failed execution that has sent its report (`state_machine/definition.py`)."""
FIRST_EVENTS = 10
"""The number of history events to read. The result of the first state is among the first four."""


def run_of(configured: ConfiguredRun) -> Run:
    """Return the run of an execution."""
    request = request_of(configured["request"])
    return {
        "id": _run_id(configured, request),
        "trigger": str(request.get("trigger", "manual")),
        "startedAt": configured["startedAt"],
        "executionArn": configured["executionArn"],
        "request": request,
    }


def _run_id(configured: ConfiguredRun, request: Request) -> str:
    """Return the id of a run. A resumed run keeps the id of the earlier execution.

    The id of a scheduled run is its scheduled time. The id of a manual run is the day and a hash of
    the execution's ARN and start time. The ARN alone is not enough, because the name of an
    execution may be used again after 90 days.
    """
    if request.get("resume"):
        return str(request["resume"])
    if scheduled := scheduled_at(request):
        return scheduled.strftime(RUN_ID_FORMAT)
    day = datetime.fromisoformat(configured["startedAt"]).astimezone(UTC).strftime("%Y%m%d")
    execution = f"{configured['executionArn']} {configured['startedAt']}"
    return f"{day}-{short_hash(execution, 8)}"


def request_of(execution_input: object) -> Request:
    """Return the input of an execution without the keys that are null.

    Return {} if the input is not a JSON object. `input_problems` has a message about this.
    """
    if not isinstance(execution_input, dict):
        return {}
    return cast(
        "Request", {key: value for key, value in execution_input.items() if value is not None}
    )


def scheduled_at(request: Request) -> datetime | None:
    """Return the scheduled time of the run in UTC, or None if a person started the run.

    Also return None for a time without a zone, and for a text that is no time.
    """
    try:
        scheduled = datetime.fromisoformat(str(request.get("scheduledTime")))
        return scheduled.astimezone(UTC) if scheduled.tzinfo else None
    except (ValueError, OverflowError):
        return None


def is_resumed(run: Run) -> bool:
    """Return True if the run goes on with the jobs of an earlier execution."""
    return "resume" in run["request"]


def short_hash(text: str, length: int) -> str:
    """Return the first `length` hex digits of the SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def day_of(run_id: str) -> str:
    """Return the day of a run, for example 2026-11-29. The day is part of the id of the run."""
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
        *(_unknown_message("key", key, KEYS) for key in request if key not in KEYS),
        *_wrong_values(request),
        *_unknown_choices("datasets", request, dataset_types),
        *_unknown_choices("solutions", request, solution_arns),
    ]


def _wrong_values(request: Request) -> Iterator[str]:
    """Yield a message for each key whose value has a wrong type or form."""
    values = dict(request)
    for flag in FLAGS:
        if flag in values and not isinstance(values[flag], bool):
            yield f"{flag}: {values[flag]!r} is not a boolean; write true or false, without quotes"
    trigger = values.get("trigger", "manual")
    if trigger not in ("schedule", "manual"):
        yield f"trigger: {trigger!r} is neither 'schedule' nor 'manual'; leave it out"
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
        yield (
            f"trainingMode: {mode!r} is neither 'FULL' nor 'UPDATE'; write one of them, or "
            "leave it out"
        )
    resume = values.get("resume")
    if resume is not None and not RUN_ID.fullmatch(str(resume)):
        yield (
            f"resume: {resume!r} is not a run id; take it from the report of the run, "
            "for example '20261129T030000Z'"
        )


def _unknown_choices(key: str, request: Request, configured: Sequence[str]) -> list[str]:
    """Return a message for each dataset or solution of the request that is not configured."""
    chosen = request.get(key)
    if chosen is None:
        return []
    if not isinstance(chosen, list) or not chosen:
        return [f"{key}: {chosen!r} is not a list of one or more of {configured}"]
    return [_unknown_message(key, value, configured) for value in chosen if value not in configured]


def _unknown_message(key: str, value: object, known: Sequence[str]) -> str:
    """Return a message that names the known value that is most like this value, or all of them."""
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

    Return None if the execution has sent its report, or if it did not fail. The `Error` is the
    status of the execution, for example TIMED_OUT.

    Raises:
        ServiceUnavailable: the response says RUNNING although the execution has ended, because the
            response is old. An event has invoked the function, so Lambda retries it twice, after
            one minute and after two minutes.
    """
    execution = client.describe_execution(executionArn=execution_arn)
    status, error = execution["status"], execution.get("error")
    if status == "RUNNING":
        raise ServiceUnavailable(f"the status of {execution_arn} is still RUNNING")
    if status in ("SUCCEEDED", "PENDING_REDRIVE") or error == REPORTED_ERROR:
        return None
    cause = execution.get("cause", "no cause given")
    return {"Error": status, "Cause": f"{error}: {cause}" if error else cause}


def older_run(client: SFNClient, run: Run) -> str | None:
    """Return the ARN of a running execution of this state machine that started earlier, or None.

    If two executions started at the same time, the execution whose ARN comes first in the alphabet
    counts as older. So at least one of the running executions finds no older one and goes on, even
    if the list does not contain every execution yet. The list may have rounded start times. So
    for this run too the time from the list counts, if the list contains this run.
    """
    arn = run["executionArn"]
    machine_arn, _, _ = arn.replace(":execution:", ":stateMachine:").rpartition(":")
    pages = client.get_paginator("list_executions").paginate(
        stateMachineArn=machine_arn, statusFilter="RUNNING"
    )
    start_times = {
        execution["executionArn"]: execution["startDate"]
        for page in pages
        for execution in page["executions"]
    }
    start_times.setdefault(arn, datetime.fromisoformat(run["startedAt"]))
    oldest = min(start_times, key=lambda execution: (start_times[execution], execution))
    return None if oldest == arn else oldest
