"""Validates an execution's input, which may come from a person or a program."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from difflib import get_close_matches
from typing import NamedTuple

from ..common.truncation import truncate
from ..constants import DATE_PLACEHOLDER
from ..contract import (
    RunRequest,
    Settings,
    StartedExecution,
)
from .documents import (
    parse_request,
    parse_scheduled_time,
)

KEYS = tuple(RunRequest.__annotations__)
"""The keys that an execution's input may have."""
SUGGESTED_KEYS = ("skipImport", "datasets", "solutions", "exportDate", "force")
"""The keys that messages suggest. Only programs use the others."""
CHOICES: Mapping[str, Sequence[object]] = {
    "trigger": ("schedule", "export"),
    "only": ("trials", "deployments"),
    "skipImport": (True, False),
    "force": (True, False),
}
"""Key of the input -> the values that it may have."""
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
SCHEDULE_ARN = re.compile(r"(?a)arn:[a-z-]+:scheduler:[a-z0-9-]+:\d{12}:schedule(/[\w.-]{1,64}){2}")
MAX_ZONE_OFFSET = timedelta(days=1)
"""How far `day` may be ahead of UTC. Some time zones are 14 hours ahead."""
MAX_SHOWN_BYTES = 200
"""The size limit of an invalid value in a message."""


class InputProblem(NamedTuple):
    """A mistake in an execution's input."""

    key: str
    """The key with the mistake. The command line has an option for it."""
    text: str

    def __str__(self) -> str:
        return f"{self.key}: {self.text}"


def find_input_problems(settings: Settings, started: StartedExecution) -> list[InputProblem]:
    """Find the mistakes in an execution's input, which may be any JSON."""
    execution_input: object = started["request"]
    if not isinstance(execution_input, dict):
        reason = "is not a JSON object; to retrain as configured, use {}"
        return [_report_invalid("input", execution_input, reason)]

    request = parse_request(execution_input)
    return [
        *(_report_unknown("key", key, SUGGESTED_KEYS) for key in request if key not in KEYS),
        *_check_choices(request),
        *_check_schedule(request),
        *_check_resources(settings, request),
        *_check_days(settings, request, started),
        *_check_unused_keys(request),
        *_check_solutions_exist(settings, request),
    ]


def _check_choices(request: RunRequest) -> Iterator[InputProblem]:
    """Yield each value that its key doesn't allow."""
    for key, choices in CHOICES.items():
        # Compare as JSON, because in Python 1 equals True.
        allowed = [json.dumps(choice) for choice in choices]
        value: object = request.get(key)
        if key in request and json.dumps(value) not in allowed:
            expected = ", ".join(allowed)
            yield _report_invalid(
                key, value, f"is not one of {expected}; use one of them or omit it"
            )


def _check_schedule(request: RunRequest) -> Iterator[InputProblem]:
    """Yield a scheduled time without a zone, and an invalid ARN of a schedule."""
    scheduled = request.get("scheduledTime")
    is_needed = scheduled or request.get("trigger") == "schedule"
    if is_needed and parse_scheduled_time(request) is None:
        reason = 'is not a time with a zone, for example "2026-11-29T03:00:00Z"'
        yield _report_invalid("scheduledTime", scheduled, reason)

    schedule_arn: object = request.get("scheduleArn")
    if schedule_arn is not None and not SCHEDULE_ARN.fullmatch(str(schedule_arn)):
        yield _report_invalid(
            "scheduleArn", schedule_arn, "is not the ARN of a schedule; leave it out"
        )


def _check_resources(settings: Settings, request: RunRequest) -> Iterator[InputProblem]:
    """Yield each dataset or solution that isn't in the config."""
    configured = {
        "datasets": [dataset["type"] for dataset in settings["datasets"]],
        "solutions": [solution["solutionArn"] for solution in settings["solutions"]],
    }

    for key, known_values in configured.items():
        chosen = request.get(key)
        if chosen is None or not known_values:
            continue

        if not isinstance(chosen, list) or not chosen:
            expected = json.dumps(known_values)
            yield _report_invalid(key, chosen, f"is not a list of one or more of {expected}")
            continue

        for value in chosen:
            if value not in known_values:
                yield _report_unknown(key, value, known_values)


def _check_days(
    settings: Settings, request: RunRequest, started: StartedExecution
) -> Iterator[InputProblem]:
    """Yield each day that doesn't exist, is in the future, or has no effect."""
    today = datetime.fromisoformat(started["startedAt"]).astimezone(UTC).date()

    for key, last_day in (("exportDate", today), ("day", today + MAX_ZONE_OFFSET)):
        if key in request:
            day = _parse_day(request.get(key))
            if day is None:
                yield _report_invalid(key, request.get(key), f'is not a day, for example "{today}"')
            elif day > last_day:
                yield InputProblem(key, f"{day} is in the future; today is {today} in UTC")

    if "exportDate" in request and not _has_daily_export(settings, request):
        text = (
            f"no location contains {DATE_PLACEHOLDER}, so there is no export of an earlier day; "
            "write the earlier export to its location, and start a run without a day"
        )
        yield InputProblem("exportDate", text)


def _has_daily_export(settings: Settings, request: RunRequest) -> bool:
    """Check whether any of the run's datasets has an export for each day."""
    chosen: object = request.get("datasets")
    return any(
        DATE_PLACEHOLDER in dataset["dataLocation"]
        for dataset in settings["datasets"]
        if not isinstance(chosen, list) or dataset["type"] in chosen
    )


def _parse_day(text: object) -> date | None:
    """Parse a day like 2026-11-29, or return None for anything else."""
    # Without DAY, fromisoformat() would also accept other formats, such as 20261129.
    try:
        return date.fromisoformat(str(text)) if DAY.fullmatch(str(text)) else None
    except ValueError:
        return None


def _check_unused_keys(request: RunRequest) -> Iterator[InputProblem]:
    """Yield each key about imports if the run skips them."""
    if not request.get("skipImport"):
        return
    for key in ("day", "datasets", "exportDate"):
        if key in request:
            yield InputProblem(key, "has no effect, because the run imports nothing; leave it out")


def _check_solutions_exist(settings: Settings, request: RunRequest) -> Iterator[InputProblem]:
    """Yield each key that needs a solution, if the stack only imports."""
    if settings["solutions"]:
        return
    for key in ("skipImport", "solutions"):
        if request.get(key):
            text = "has no effect, because this stack only imports: it has no solutions"
            yield InputProblem(key, f"{text}; leave it out")


def _report_unknown(key: str, value: object, known_values: Sequence[str]) -> InputProblem:
    """Report an unknown value, with the most similar known value or all of them."""
    similar_values = get_close_matches(str(value)[:MAX_SHOWN_BYTES], known_values, n=1)
    if similar_values:
        hint = f'did you mean "{similar_values[0]}"?'
    else:
        hint = f"expected one of {json.dumps(known_values)}"

    return _report_invalid(key, value, f"is unknown; {hint}")


def _report_invalid(key: str, value: object, reason: str) -> InputProblem:
    """Report an invalid value, quoted as JSON and truncated, with the reason."""
    shown_value = truncate(json.dumps(value), MAX_SHOWN_BYTES)
    return InputProblem(key, f"{shown_value} {reason}")
