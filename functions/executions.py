"""Executions of the state machine: what one was started with, which run it is, and how it ended."""

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
    from mypy_boto3_stepfunctions import SFNClient

    from .contract import Configured, Run, Settings, StateError

SLOT = "%Y%m%dT%H%M%SZ"
RUN_ID = re.compile(r"\d{8}T\d{6}Z|\d{8}-[0-9a-f]{8}")
SCHEDULE = re.compile(r"arn:[^:]+:scheduler:[^:]+:\d{12}:schedule/[^/]+/[^/]+")
FLAGS = ("skipImport", "dryRun", "force")
KEYS = tuple(Request.__annotations__)
REPORTED = "RetrainingFailed"
"""The error of an execution that failed and has reported (`state_machine/definition.py`)."""
FIRST_EVENTS = 10
"""History events to read: the first state's result is among the first four."""


def run_of(configured: Configured) -> Run:
    """Return the run. Its id is the slot of the schedule, or the day and a hash of the execution.

    Execution names may come back after 90 days, so the hash is of the ARN and the start.
    """
    request = asked(configured["request"])
    slot = scheduled_at(request)
    day = datetime.fromisoformat(configured["startedAt"]).astimezone(UTC).strftime("%Y%m%d")
    made = short_hash(f"{configured['executionArn']} {configured['startedAt']}", 8)
    return {
        "id": str(request.get("resume") or (slot.strftime(SLOT) if slot else f"{day}-{made}")),
        "trigger": str(request.get("trigger", "manual")),
        "startedAt": configured["startedAt"],
        "executionArn": configured["executionArn"],
        "request": request,
    }


def asked(given: object) -> Request:
    """Return the input of an execution without keys that are null; {} if it is no object."""
    if not isinstance(given, dict):
        return {}
    return cast("Request", {key: value for key, value in given.items() if value is not None})


def scheduled_at(request: Request) -> datetime | None:
    """Return the slot that the schedule fired for; None if a person started the run."""
    try:
        slot = datetime.fromisoformat(str(request.get("scheduledTime")))
        return slot.astimezone(UTC) if slot.tzinfo else None
    except (ValueError, OverflowError):
        return None


def short_hash(text: str, length: int) -> str:
    """Return the first hex digits of a text's SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def day_of(run_id: str) -> str:
    """Return the day of a run, as 2026-11-29. A resumed run keeps its day."""
    return f"{run_id[:4]}-{run_id[4:6]}-{run_id[6:8]}"


def problems(given: object, settings: Settings) -> list[str]:
    """Return a message for each problem of an execution's input, which may be any JSON."""
    if not isinstance(given, dict):
        return [f"the input {given!r} is no JSON object; to retrain as configured, give {{}}"]
    request = asked(given)
    return [
        *(_unknown("key", key, KEYS) for key in request if key not in KEYS),
        *_wrong_values(request),
        *_not_configured("datasets", request, [each["type"] for each in settings["datasets"]]),
        *_not_configured(
            "solutions", request, [each["solutionArn"] for each in settings["solutions"]]
        ),
    ]


def _wrong_values(request: Request) -> list[str]:
    found = [
        f"{flag}: {request[flag]!r} is neither true nor false"  # type: ignore[literal-required]
        for flag in FLAGS
        if flag in request and not isinstance(request[flag], bool)  # type: ignore[literal-required]
    ]
    trigger = request.get("trigger", "manual")
    if trigger not in ("schedule", "manual"):
        found.append(f"trigger: {trigger!r} is neither 'schedule' nor 'manual'")
    slot = request.get("scheduledTime")
    if (slot or trigger == "schedule") and scheduled_at(request) is None:
        found.append(f"scheduledTime: {slot!r} is no time such as '2026-11-29T03:00:00Z'")
    schedule = request.get("scheduleArn")
    if schedule is not None and not SCHEDULE.fullmatch(str(schedule)):
        found.append(f"scheduleArn: {schedule!r} is no ARN of a schedule; leave it out")
    mode = request.get("trainingMode", "FULL")
    if mode not in get_args(TrainingMode):
        found.append(f"trainingMode: {mode!r} is neither 'FULL' nor 'UPDATE'")
    resume = request.get("resume")
    if resume is not None and not RUN_ID.fullmatch(str(resume)):
        found.append(
            f"resume: {resume!r} is no run id; take it from the report of the run, "
            "for example '20261129T030000Z'"
        )
    return found


def _not_configured(key: str, request: Request, configured: list[str]) -> list[str]:
    chosen = request.get(key)
    if chosen is None:
        return []
    if not isinstance(chosen, list) or not chosen:
        return [f"{key}: {chosen!r} is no list of some of {configured}"]
    return [_unknown(key, each, configured) for each in chosen if each not in configured]


def _unknown(key: str, value: object, known: tuple[str, ...] | list[str]) -> str:
    nearest = get_close_matches(str(value), known, n=1)
    hint = f"did you mean {nearest[0]!r}?" if nearest else f"expected one of {list(known)}"
    return f"{key}: {value!r} is unknown; {hint}"


def configuration_of(client: SFNClient, execution_arn: str) -> Configured | None:
    """Return the output of the execution's first state; None if that state did not end."""
    history = client.get_execution_history(
        executionArn=execution_arn, maxResults=FIRST_EVENTS, includeExecutionData=True
    )
    for event in history["events"]:
        if event["type"] == "PassStateExited":
            return cast("Configured", json.loads(event["stateExitedEventDetails"]["output"]))
    return None


def ending(client: SFNClient, execution_arn: str) -> StateError | None:
    """Return how an execution ended without a report; None if it reported or did not end badly.

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
    """Return a running execution of the same machine that began earlier, or None.

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
