"""Checks the input of an execution, which a person or the schedule wrote."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, get_args

from .contract import Request
from .executions import DATE, RUN_ID, request_of, scheduled_at
from .texts import shortened
from .workflow_settings import TrainingMode

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from .contract import ConfiguredRun
    from .workflow_settings import DatasetSettings, Settings

SCHEDULE_ARN = re.compile(r"arn:[^:]+:scheduler:[^:]+:\d{12}:schedule/[^/]+/[^/]+")
FLAGS = ("skipImport", "dryRun", "force")
"""The keys whose value is true or false."""
KEYS = tuple(Request.__annotations__)
"""The keys that the input of an execution may have."""
TRIGGERS = ("schedule", "manual", "trial")
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
MAX_ATTEMPTS = 3
"""The most executions in a row that only finish trials."""
MAX_SHOWN_BYTES = 200
"""The most bytes of a wrong value that a message shows."""


def input_problems(configured: ConfiguredRun) -> list[str]:
    """Return a message for each mistake in the input of an execution, which may be any JSON."""
    execution_input = configured["request"]
    if not isinstance(execution_input, dict):
        problem = f"the input {_shown(execution_input)} is not a JSON object"
        return [f"{problem}; to retrain as configured, use {{}}"]
    return list(_messages(configured))


def _messages(configured: ConfiguredRun) -> Iterator[str]:
    """Yield a message for each mistake in an input that is a JSON object."""
    settings, request = configured["settings"], request_of(configured["request"])
    for key in request:
        if key not in KEYS:
            yield _unknown_message("key", key, KEYS)
    yield from _wrong_values(request)
    dataset_types = [dataset["type"] for dataset in settings["datasets"]]
    yield from _unknown_choices("datasets", request, dataset_types)
    solution_arns = [solution["solutionArn"] for solution in settings["solutions"]]
    yield from _unknown_choices("solutions", request, solution_arns)
    yield from _wrong_export_date(configured, request)
    yield from _keys_without_effect(request)


def _wrong_values(request: Request) -> Iterator[str]:
    """Yield a message for each key whose value has a wrong type or form."""
    values = dict(request)
    for flag in FLAGS:
        if flag in values and not isinstance(values[flag], bool):
            yield (
                f"{flag}: {_shown(values[flag])} is not a boolean; write true or false, without "
                "quotes"
            )
    trigger = values.get("trigger", "manual")
    if trigger not in TRIGGERS:
        yield (
            f"trigger: {_shown(trigger)} is none of {', '.join(map(repr, TRIGGERS))}; leave it out"
        )
    scheduled = values.get("scheduledTime")
    if (scheduled or trigger == "schedule") and scheduled_at(request) is None:
        yield (
            f"scheduledTime: {_shown(scheduled)} is not a time with a zone, "
            "for example '2026-11-29T03:00:00Z'"
        )
    schedule_arn = values.get("scheduleArn")
    if schedule_arn is not None and not SCHEDULE_ARN.fullmatch(str(schedule_arn)):
        yield f"scheduleArn: {_shown(schedule_arn)} is not the ARN of a schedule; leave it out"
    mode = values.get("trainingMode", "FULL")
    if mode not in get_args(TrainingMode):
        yield (
            f"trainingMode: {_shown(mode)} is neither 'FULL' nor 'UPDATE'; write one of them, or "
            "leave it out"
        )
    resume = values.get("resume")
    if resume is not None and not RUN_ID.fullmatch(str(resume)):
        yield (
            f"resume: {_shown(resume)} is not a run id; take it from the report of the run, "
            "for example '20261129T030000Z'"
        )
    attempt = values.get("attempt", 1)
    if isinstance(attempt, bool) or attempt not in range(1, MAX_ATTEMPTS + 1):
        yield f"attempt: {_shown(attempt)} is not a whole number of 1 to {MAX_ATTEMPTS}"


def _unknown_choices(key: str, request: Request, configured: Sequence[str]) -> Iterator[str]:
    """Yield a message for each dataset or solution of the request that is not configured."""
    chosen = request.get(key)
    if chosen is None:
        return
    if not isinstance(chosen, list) or not chosen:
        yield f"{key}: {_shown(chosen)} is not a list of one or more of {configured}"
        return
    for value in chosen:
        if value not in configured:
            yield _unknown_message(key, value, configured)


def _wrong_export_date(configured: ConfiguredRun, request: Request) -> Iterator[str]:
    """Yield a message for an `exportDate` that is no day of an export, or that has no effect."""
    text = request.get("exportDate")
    if text is None:
        return
    day = _day(text)
    today = datetime.fromisoformat(configured["startedAt"]).astimezone(UTC).date()
    if day is None:
        yield f"exportDate: {_shown(text)} is not a day, for example '{today}'"
    elif day > today:
        yield f"exportDate: {_shown(text)} is in the future; today is {today} in UTC"
    for dataset in _chosen_datasets(configured["settings"], request):
        if DATE not in dataset["dataLocation"]:
            yield (
                f"exportDate: the location of datasets.{dataset['type']}, "
                f"{dataset['dataLocation']}, does not contain {DATE}, so it has no export of an "
                "earlier day; choose the datasets with the key datasets, or write the earlier "
                "export to this location and start a run without exportDate"
            )


def _day(text: object) -> date | None:
    """Return the day of a text like 2026-11-29, or None for anything else."""
    try:
        return date.fromisoformat(str(text)) if DAY.fullmatch(str(text)) else None
    except ValueError:
        return None


def _chosen_datasets(settings: Settings, request: Request) -> list[DatasetSettings]:
    """Return the datasets of the request. Without a choice these are all configured datasets."""
    chosen = request.get("datasets")
    if not isinstance(chosen, list):
        return settings["datasets"]
    return [dataset for dataset in settings["datasets"] if dataset["type"] in chosen]


def _keys_without_effect(request: Request) -> Iterator[str]:
    """Yield a message for each combination in which a key would have no effect."""
    trigger = request.get("trigger", "manual")
    if request.get("resume"):
        allowed = {"resume", "dryRun", "trigger"} if trigger == "manual" else {"resume", "dryRun"}
        yield from _beside(request, allowed, "resume: the run goes on with its first input")
        return
    if trigger == "trial":
        allowed = {"trigger", "attempt"}
        yield from _beside(request, allowed, "trigger: a run with 'trial' only finishes trials")
        return
    if "attempt" in request:
        yield "attempt: has an effect only beside trigger 'trial'; leave it out"
    if request.get("skipImport"):
        for key in ("datasets", "exportDate"):
            if key in request:
                yield f"{key}: has no effect beside skipImport; leave one of them out"
    if "scheduleArn" in request and "scheduledTime" not in request:
        yield "scheduleArn: has no effect without scheduledTime; leave it out"


def _beside(request: Request, allowed: Collection[str], reason: str) -> Iterator[str]:
    """Yield a message if the request has known keys that are not allowed."""
    keys = [key for key in request if key in KEYS and key not in allowed]
    if keys:
        it = "it" if len(keys) == 1 else "them"
        yield f"{reason}, so {', '.join(keys)} would have no effect; leave {it} out"


def _unknown_message(key: str, value: object, known: Sequence[str]) -> str:
    """Return a message that names the known value that is most like this value, or all of them."""
    nearest = get_close_matches(str(value)[:MAX_SHOWN_BYTES], known, n=1)
    hint = f"did you mean {nearest[0]!r}?" if nearest else f"expected one of {list(known)}"
    return f"{key}: {_shown(value)} is unknown; {hint}"


def _shown(value: object) -> str:
    """Return a value as Python writes it. A long value is cut."""
    return shortened(repr(value), MAX_SHOWN_BYTES)
