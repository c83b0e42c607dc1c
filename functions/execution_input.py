"""Checks the input of an execution, which a person or the schedule wrote."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from difflib import get_close_matches
from typing import TYPE_CHECKING, NamedTuple, get_args

from .contract import Request
from .executions import DATE, request_of, scheduled_at
from .texts import shortened
from .workflow_settings import TrainingMode, solution_of_version

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from .contract import ConfiguredRun
    from .workflow_settings import DatasetSettings, Settings

SCHEDULE_ARN = re.compile(r"arn:[^:]+:scheduler:[^:]+:\d{12}:schedule/[^/]+/[^/]+")
KEYS = tuple(Request.__annotations__)
"""The keys that the input of an execution may have."""
AUTOMATIC_KEYS = ("scheduledTime", "scheduleArn", "deploy", "day")
"""The keys that only programs write. Messages do not suggest them."""
REMOVED_KEYS = {
    "resume": "is not an input any more; start a run without it, which goes on from what is there, "
    "and add exportDate for the exports of an earlier day",
    "dryRun": "is not an input any more; `retrain plan -s STACK` prints what a run would do",
}
"""The keys that an input had before -> what to do instead."""
TRIGGERS = ("schedule", "manual", "trial", "approval", "export")
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
EARLIER_ZONES = timedelta(days=1)
"""In some time zones a day begins up to 14 hours earlier than in UTC."""
MAX_SHOWN_BYTES = 200
"""The most bytes of a wrong value that a message shows."""


def input_problems(configured: ConfiguredRun) -> list[str]:
    """Return a message for each mistake in the input of an execution, which may be any JSON."""
    execution_input = configured["request"]
    if not isinstance(execution_input, dict):
        mistake = f"the input {_short_repr(execution_input)} is not a JSON object"
        return [f"{mistake}; to retrain as configured, use {{}}"]
    return list(_messages(configured))


def _messages(configured: ConfiguredRun) -> Iterator[str]:
    """Yield a message for each mistake in an input that is a JSON object."""
    settings, request = configured["settings"], request_of(configured["request"])
    for key in request:
        if key in REMOVED_KEYS:
            yield f"{key}: {REMOVED_KEYS[key]}"
        elif key not in KEYS:
            keys_for_people = [known for known in KEYS if known not in AUTOMATIC_KEYS]
            yield _unknown_message("key", key, keys_for_people)
    yield from _wrong_values(request)
    dataset_types = [dataset["type"] for dataset in settings["datasets"]]
    yield from _unknown_choices("datasets", request, dataset_types)
    solution_arns = [solution["solutionArn"] for solution in settings["solutions"]]
    yield from _unknown_choices("solutions", request, solution_arns)
    yield from _wrong_export_date(configured, request)
    yield from _wrong_subject(configured, request)
    yield from _keys_without_effect(request)


def _wrong_values(request: Request) -> Iterator[str]:
    """Yield a message for each key whose value has a wrong type or form."""
    for key, check in VALUE_CHECKS.items():
        value = request.get(key)
        if value is not None and (mistake := check(value)):
            yield f"{key}: {_short_repr(value)} {mistake}"
    scheduled = request.get("scheduledTime")
    is_needed = scheduled or request.get("trigger") == "schedule"
    if is_needed and scheduled_at(request) is None:
        yield (
            f"scheduledTime: {_short_repr(scheduled)} is not a time with a zone, "
            "for example '2026-11-29T03:00:00Z'"
        )


def _wrong_flag(value: object) -> str | None:
    """Return a message if the value is not true or false."""
    if isinstance(value, bool):
        return None
    return "is not a boolean; write true or false, without quotes"


def _wrong_trigger(value: object) -> str | None:
    """Return a message if the value is no trigger."""
    if value in TRIGGERS:
        return None
    return f"is not one of {', '.join(map(repr, TRIGGERS))}; leave it out"


def _wrong_schedule_arn(value: object) -> str | None:
    """Return a message if the value is not the ARN of a schedule."""
    if SCHEDULE_ARN.fullmatch(str(value)):
        return None
    return "is not the ARN of a schedule; leave it out"


def _wrong_training_mode(value: object) -> str | None:
    """Return a message if the value is not a training mode."""
    if value in get_args(TrainingMode):
        return None
    return "is neither 'FULL' nor 'UPDATE'; write one of them, or leave it out"


def _wrong_day(value: object) -> str | None:
    """Return a message if the value is not a day."""
    return None if _day(value) else "is not a day, for example '2026-11-29'"


class _KeyOfTrigger(NamedTuple):
    """The key that belongs to a trigger, and why other keys have no effect with it."""

    key: str | None
    reason: str


KEY_OF_TRIGGER: Mapping[str, _KeyOfTrigger] = {
    "trial": _KeyOfTrigger(None, "a run with 'trial' only finishes trials"),
    "approval": _KeyOfTrigger("deploy", "a run with 'approval' deploys one version"),
    "export": _KeyOfTrigger("day", "a run with 'export' imports the exports of one day"),
}
"""Trigger of a run that a program starts -> the only other key that the input may have."""
VALUE_CHECKS: Mapping[str, Callable[[object], str | None]] = {
    **dict.fromkeys(("skipImport", "force"), _wrong_flag),
    "trigger": _wrong_trigger,
    "scheduleArn": _wrong_schedule_arn,
    "trainingMode": _wrong_training_mode,
    "day": _wrong_day,
}
"""Key of the input -> the check of its value, which returns what is wrong with it, or None."""


def _unknown_choices(key: str, request: Request, configured: Sequence[str]) -> Iterator[str]:
    """Yield a message for each dataset or solution of the request that is not configured."""
    chosen = request.get(key)
    if chosen is None:
        return
    if not isinstance(chosen, list) or not chosen:
        yield f"{key}: {_short_repr(chosen)} is not a list of one or more of {configured}"
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
    today = _today(configured)
    if day is None:
        yield f"exportDate: {_short_repr(text)} is not a day, for example '{today}'"
        return
    if day > today:
        yield f"exportDate: {_short_repr(text)} is in the future; today is {today} in UTC"
    for dataset in _chosen_datasets(configured["settings"], request):
        if DATE not in dataset["dataLocation"]:
            yield (
                f"exportDate: the location of datasets.{dataset['type']}, "
                f"{dataset['dataLocation']}, does not contain {DATE}, so it has no export of an "
                "earlier day; choose the datasets with the key datasets, or write the earlier "
                "export to this location and start a run without exportDate"
            )


def _wrong_subject(configured: ConfiguredRun, request: Request) -> Iterator[str]:
    """Yield a message if an approval names no version of a solution, or an export no day."""
    version, trigger = request.get("deploy"), request.get("trigger")
    if trigger == "export" and "day" not in request:
        yield "day: missing, but trigger 'export' needs it; write the day of the exports"
    if (day := _day(request.get("day"))) and day > _today(configured) + EARLIER_ZONES:
        yield (
            f"day: {_short_repr(str(day))} is in the future; today is {_today(configured)} in UTC; "
            "correct the date in the location of the export and of its ready marker"
        )
    if version is None:
        if trigger == "approval":
            yield "deploy: missing, but trigger 'approval' needs it; write the ARN of the version"
        return
    solution_arns = [solution["solutionArn"] for solution in configured["settings"]["solutions"]]
    if solution_of_version(str(version)) not in solution_arns:
        yield (
            f"deploy: {_short_repr(version)} is not a version of one of the solutions "
            f"{solution_arns}; take its ARN from the report that asks for the approval"
        )


def _today(configured: ConfiguredRun) -> date:
    """Return the day in UTC on which the execution was started."""
    return datetime.fromisoformat(configured["startedAt"]).astimezone(UTC).date()


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
    trigger = str(request.get("trigger", "manual"))
    if trigger in KEY_OF_TRIGGER:
        key, reason = KEY_OF_TRIGGER[trigger]
        allowed = {"trigger", key} if key else {"trigger"}
        yield from _keys_not_allowed(request, allowed, f"trigger: {reason}")
        return
    for needed_trigger, (key, _) in KEY_OF_TRIGGER.items():
        if key and key in request:
            yield f"{key}: has an effect only with trigger {needed_trigger!r}; leave it out"
    if request.get("skipImport"):
        for key in ("datasets", "exportDate"):
            if key in request:
                yield f"{key}: has no effect with skipImport; leave one of them out"
    if "scheduleArn" in request and "scheduledTime" not in request:
        yield "scheduleArn: has no effect without scheduledTime; leave it out"


def _keys_not_allowed(request: Request, allowed: Collection[str], reason: str) -> Iterator[str]:
    """Yield a message if the request has known keys that are not allowed."""
    keys = [key for key in request if key in KEYS and key not in allowed]
    if keys:
        it = "it" if len(keys) == 1 else "them"
        yield f"{reason}, so {', '.join(keys)} would have no effect; leave {it} out"


def _unknown_message(key: str, value: object, known_values: Sequence[str]) -> str:
    """Return a message that names the known value that is most like this value, or all of them."""
    nearest = get_close_matches(str(value)[:MAX_SHOWN_BYTES], known_values, n=1)
    hint = f"did you mean {nearest[0]!r}?" if nearest else f"expected one of {list(known_values)}"
    return f"{key}: {_short_repr(value)} is unknown; {hint}"


def _short_repr(value: object) -> str:
    """Return a value as Python writes it. A long value is cut."""
    return shortened(repr(value), MAX_SHOWN_BYTES)
