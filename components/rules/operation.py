"""Checks the settings with which people operate a pipeline: messages, approvals and triggers."""

import re
from collections.abc import Iterator
from typing import get_args

from ..args import NotificationsArgs, ReportsOn, RetrainingPipelineArgs, SolutionArgs
from . import values
from .values import Check, Problem

MAX_APPROVAL_HOURS = 24 * 90
"""After 90 days, Step Functions has forgotten the execution that asked for the approval."""
MAX_MODEL_AGE_DAYS = 3650
"""An alarm that waits longer than ten years would never help anybody."""

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
"""An address as a person writes it. Only the confirmation shows that the address exists."""


def checks(args: RetrainingPipelineArgs) -> Iterator[Check]:
    """Yield a check for each of these settings."""
    yield from _notification_checks(args.notifications)
    for index, solution in enumerate(args.solutions):
        yield from _approval_checks(f"solutions[{index}].approval", solution)
    yield Check("limits.maxModelAgeDays", _age_error(args), value=args.limits.max_model_age_days)
    price = args.training_hour_price
    error = None if price is None or price >= 0 else "is not a price in dollars, for example 0.24"
    yield Check("trainingHourPrice", error, value=price)
    if args.trigger.on_export:
        yield from _trigger_checks(args)


def warnings(args: RetrainingPipelineArgs) -> Iterator[Problem]:
    """Yield a warning for each of these settings that has no effect."""
    for index, solution in enumerate(args.solutions):
        if solution.approval and not solution.campaigns:
            message = (
                "has no effect, because a version is approved for the campaigns of its solution "
                "and this solution has none; add campaigns or leave the approval out"
            )
            yield Problem(f"solutions[{index}].approval", message)


def _notification_checks(notifications: NotificationsArgs) -> Iterator[Check]:
    for index, address in enumerate(notifications.emails):
        error = None
        if not _EMAIL.fullmatch(address):
            error = "is not an email address; expected for example 'team@example.com'"
        elif address in notifications.emails[:index]:
            error = "is listed twice; leave one of them out"
        yield Check(f"notifications.emails[{index}]", error, value=address)
    error = values.choice_error(notifications.on, get_args(ReportsOn))
    yield Check("notifications.on", error, value=notifications.on)


def _approval_checks(key: str, solution: SolutionArgs) -> Iterator[Check]:
    if solution.approval is None:
        return
    hours = solution.approval.timeout_hours
    error = values.hours_error(
        hours, MAX_APPROVAL_HOURS, "a version that old is better trained again", example=72
    )
    yield Check(f"{key}.timeoutHours", error, value=hours)


def _age_error(args: RetrainingPipelineArgs) -> str | None:
    """Return an error message if the age at which the alarm rings is not possible, else None."""
    days = args.limits.max_model_age_days
    if days is None or 0 < days <= MAX_MODEL_AGE_DAYS:
        return None
    return (
        f"is not a possible age; expected a number of days above 0 and at most {MAX_MODEL_AGE_DAYS}"
    )


def _trigger_checks(args: RetrainingPipelineArgs) -> Iterator[Check]:
    """Yield the checks of the settings that a run on the arrival of an export needs."""
    datasets = args.datasets.configured()
    markers = {key: dataset.ready_marker for key, dataset in datasets.items()}
    if not any(marker is not None for marker in markers.values()):
        message = (
            "needs a ready marker, whose arrival starts the run; set for example "
            "datasets.interactions.readyMarker to 's3://bucket/{date}.SUCCESS'"
        )
        yield Check("trigger.onExport", message)
    for key, marker in markers.items():
        if isinstance(marker, str) and marker and values.DATE_PLACEHOLDER not in marker:
            message = (
                "needs {date} with trigger.onExport, because the day in the marker says which "
                "exports belong together; write for example 's3://bucket/{date}.SUCCESS'"
            )
            yield Check(f"datasets.{key}.readyMarker", message, value=marker)
    if args.limits.max_trainings_per_month is None:
        message = (
            "missing; trigger.onExport needs it, because the number of exports is not known; set "
            "for example 35, or 0 for no limit"
        )
        yield Check("limits.maxTrainingsPerMonth", message)
