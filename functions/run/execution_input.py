"""Validates an execution's input, which a person or a program has written."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from difflib import get_close_matches
from typing import NamedTuple

from ..common.truncation import truncate
from ..constants import DATE_PLACEHOLDER
from ..contract import RunRequest, Settings, StartedExecution
from .execution_data import parse_request, parse_scheduled_time

REQUEST_KEYS = tuple(RunRequest.__annotations__)
"""The keys that an execution's input may have."""
SUGGESTED_KEYS = ("skipImport", "datasets", "solutions", "exportDate", "force")
"""The keys that messages suggest. Only programs use the others."""
ALLOWED_VALUES: Mapping[str, Sequence[object]] = {
    "trigger": ("schedule", "export"),
    "only": ("trials", "deployments"),
    "skipImport": (True, False),
    "force": (True, False),
}
"""Key of the input -> the values that it may have."""
DAY_PATTERN = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
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


def find_input_problems(settings: Settings, execution: StartedExecution) -> list[InputProblem]:
    """Find the mistakes in an execution's input, which may be any JSON."""
    execution_input: object = execution["request"]
    if not isinstance(execution_input, dict):
        reason = "is not a JSON object; to retrain as configured, use {}"
        return [_build_invalid_problem("input", execution_input, reason)]

    request = parse_request(execution_input)
    return [
        *_check_keys(request),
        *_check_values(request),
        *_check_scheduled_time(request),
        *_check_resources(settings, request),
        *_check_days(request, execution),
        *_check_export_date(settings, request),
        *_check_unused_keys(settings, request),
    ]


def _check_keys(request: RunRequest) -> Iterator[InputProblem]:
    """Yield a problem for each unknown key."""
    for key in request:
        if key not in REQUEST_KEYS:
            yield _build_unknown_problem("key", key, SUGGESTED_KEYS)


def _check_values(request: RunRequest) -> Iterator[InputProblem]:
    """Yield a problem for each value that its key doesn't allow."""
    for key, allowed_values in ALLOWED_VALUES.items():
        if key not in request:
            continue

        # Compare as JSON, because in Python 1 equals True.
        value: object = request.get(key)
        allowed_texts = [json.dumps(allowed) for allowed in allowed_values]
        if json.dumps(value) not in allowed_texts:
            reason = f"is not one of {', '.join(allowed_texts)}; use one of them or omit it"
            yield _build_invalid_problem(key, value, reason)


def _check_scheduled_time(request: RunRequest) -> Iterator[InputProblem]:
    """Yield a problem for an invalid scheduled time."""
    scheduled_time = request.get("scheduledTime")
    is_required = request.get("trigger") == "schedule"
    if (scheduled_time or is_required) and parse_scheduled_time(request) is None:
        reason = 'is not a time with a zone, for example "2026-11-29T03:00:00Z"'
        yield _build_invalid_problem("scheduledTime", scheduled_time, reason)


def _check_resources(settings: Settings, request: RunRequest) -> Iterator[InputProblem]:
    """Yield a problem for each dataset or solution that isn't in the config."""
    configured = {
        "datasets": [dataset["type"] for dataset in settings["datasets"]],
        "solutions": [solution["solutionArn"] for solution in settings["solutions"]],
    }

    for key, known_values in configured.items():
        chosen_values = request.get(key)
        # Without solutions or datasets, another check says that the key has no effect.
        if chosen_values is None or not known_values:
            continue

        if not isinstance(chosen_values, list) or not chosen_values:
            reason = f"is not a list of one or more of {json.dumps(known_values)}"
            yield _build_invalid_problem(key, chosen_values, reason)
            continue

        for value in chosen_values:
            if value not in known_values:
                yield _build_unknown_problem(key, value, known_values)


def _check_days(request: RunRequest, execution: StartedExecution) -> Iterator[InputProblem]:
    """Yield a problem for each day that doesn't exist or is in the future."""
    started_at = datetime.fromisoformat(execution["startedAt"])
    today = started_at.astimezone(UTC).date()

    last_days = {"exportDate": today, "day": today + MAX_ZONE_OFFSET}
    for key, last_day in last_days.items():
        if key not in request:
            continue

        value: object = request.get(key)
        day = _parse_day(value)
        if day is None:
            yield _build_invalid_problem(key, value, f'is not a day, for example "{today}"')
        elif day > last_day:
            yield InputProblem(key, f"{day} is in the future; today is {today} in UTC")


def _check_export_date(settings: Settings, request: RunRequest) -> Iterator[InputProblem]:
    """Yield a problem for an export date if none of the exports has a new location each day."""
    if "exportDate" in request and not _has_daily_export(settings, request):
        text = (
            f"no location contains {DATE_PLACEHOLDER}, so there is no export of an earlier day; "
            "write the earlier export to its location, and start a run without a day"
        )
        yield InputProblem("exportDate", text)


def _has_daily_export(settings: Settings, request: RunRequest) -> bool:
    """Check if any dataset that the run may import has a new location each day."""
    chosen_types: object = request.get("datasets")
    return any(
        DATE_PLACEHOLDER in dataset["dataLocation"]
        for dataset in settings["datasets"]
        # Without a valid list, the run would import all datasets.
        if not isinstance(chosen_types, list) or dataset["type"] in chosen_types
    )


def _parse_day(text: object) -> date | None:
    """Parse a day like 2026-11-29, or return None for anything else."""
    # Without this check, fromisoformat() would also accept other formats, such as 20261129.
    if not isinstance(text, str) or not DAY_PATTERN.fullmatch(text):
        return None

    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _check_unused_keys(settings: Settings, request: RunRequest) -> Iterator[InputProblem]:
    """Yield a problem for each key that has no effect, because nothing is imported or trained."""
    if request.get("skipImport"):
        for key in ("day", "datasets", "exportDate"):
            if key in request:
                text = "has no effect, because the run imports nothing; leave it out"
                yield InputProblem(key, text)

    missing_parts = (
        ("solutions", "this stack only imports: it has no solutions", settings["solutions"]),
        ("datasets", "this stack imports nothing: it has no datasets", settings["datasets"]),
    )
    for part, reason, configured in missing_parts:
        for key in ("skipImport", part):
            if request.get(key) and not configured:
                yield InputProblem(key, f"has no effect, because {reason}; leave it out")


def _build_unknown_problem(key: str, value: object, known_values: Sequence[str]) -> InputProblem:
    """Build the problem of an unknown value. It suggests a similar value, or lists all values."""
    searched_text = str(value)[:MAX_SHOWN_BYTES]
    similar_values = get_close_matches(searched_text, known_values, n=1)
    if similar_values:
        hint = f'did you mean "{similar_values[0]}"?'
    else:
        hint = f"expected one of {json.dumps(known_values)}"

    return _build_invalid_problem(key, value, f"is unknown; {hint}")


def _build_invalid_problem(key: str, value: object, reason: str) -> InputProblem:
    """Build the problem of an invalid value, which it quotes as JSON and truncates."""
    shown_value = truncate(json.dumps(value), MAX_SHOWN_BYTES)
    return InputProblem(key, f"{shown_value} {reason}")
