"""Checks whether automatic training fits the imports, the schedule and the limits of the pipeline.

Automatic training isn't part of a run: Personalize starts it at the rate in the solution, such as
`rate(7 days)`, which counts from the start of a training. So trainings keep their hour of the day.
https://docs.aws.amazon.com/personalize/latest/dg/solution-config-auto-training.html
"""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import TYPE_CHECKING

from components.args import DEFAULT_AUTO_TRAINING_DAYS
from functions.common.formatting import format_duration, format_time, resource_name
from retrain.account.option_words import build_training_command
from retrain.check.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from functions.contract import Settings, SolutionSettings
    from functions.planning.solutions import SolutionView
    from functions.rules.imports import Import
    from retrain.check.examined_pipeline import ExaminedPipeline

DEFAULT_EXPRESSION = f"rate({DEFAULT_AUTO_TRAINING_DAYS} days)"


def check_automatic_training(pipeline: ExaminedPipeline) -> Iterator[Finding]:
    """Check each solution that Personalize trains. A guard reports those that nobody trains."""
    for solution in pipeline.run_view.solutions:
        if solution.is_trained_by_personalize and solution.trains_automatically:
            interval = _read_interval(solution)
            name = resource_name(solution.arn)
            yield Finding("ok", f"Personalize trains {name} every {_format(interval)}")

            yield from _check_missed_versions(pipeline.settings, name, interval)
            yield from _check_age_limit(pipeline.settings, name, interval)
            yield from _check_hour(pipeline.settings, solution, interval)


def _read_interval(solution: SolutionView) -> timedelta:
    """Read the time between two automatic trainings of a solution."""
    description = solution.solution_snapshot.description
    assert description is not None, "only a solution that exists trains automatically"

    training_config = description.get("solutionConfig", {}).get("autoTrainingConfig", {})
    expression = training_config.get("schedulingExpression", DEFAULT_EXPRESSION)
    # AWS only accepts expressions like `rate(7 days)`.
    return timedelta(days=int(re.sub(r"\D", "", expression)))


def _format(duration: timedelta) -> str:
    return format_duration(duration.total_seconds())


def _check_missed_versions(settings: Settings, name: str, interval: timedelta) -> Iterator[Finding]:
    """Warn if runs are so rare that most versions are replaced before a run could deploy them."""
    cadence = timedelta(seconds=settings["cadenceSeconds"])

    if cadence >= 2 * interval:
        text = (
            f"Personalize trains {name} every {_format(interval)}, but a run deploys only the "
            f"newest version, and runs are {_format(cadence)} apart, so "
            "most versions are paid for and never deployed; let runs start more often "
            "(retrainingRate), or let Personalize train less often (schedulingExpression)"
        )
        yield Finding("warn", text)


def _check_age_limit(settings: Settings, name: str, interval: timedelta) -> Iterator[Finding]:
    """Warn if the alarm about the model's age would go off although everything is as it should be.

    A version serves until the next one is trained, and then until a run has deployed that one.
    """
    cadence = timedelta(seconds=settings["cadenceSeconds"])
    limit_days = settings["limits"]["maxModelAgeDays"]
    normal_age = interval + cadence

    if normal_age > timedelta(days=limit_days):
        # Leave a day for the training and the deployment.
        advice = (
            f"set limits.maxModelAgeDays to {math.ceil(normal_age / timedelta(days=1)) + 1} or more"
        )
        if interval < timedelta(days=limit_days):
            advice += ", or let runs start more often (retrainingRate)"
        text = (
            f"Personalize trains {name} every {_format(interval)}, and a version waits up to "
            f"{_format(cadence)} for a run, so the alarm model-too-old may "
            f"go off after {limit_days:g} days although nothing is wrong; {advice}"
        )
        yield Finding("warn", text)


def _check_hour(
    settings: Settings, solution: SolutionView, interval: timedelta
) -> Iterator[Finding]:
    """Warn if the next automatic training will probably start during an import of a run.

    Nobody knows whether the version would learn the rows of that import.
    """
    now = solution.data_snapshot.now
    next_start = _predict_next_start(solution, interval)
    if next_start is None:
        return

    period = _find_common_period(interval, timedelta(seconds=settings["cadenceSeconds"]))
    for job in _list_last_imports(solution.data_snapshot.imports):
        ended_at = now if job.is_running else job.ended_at
        if (next_start - job.created_at) % period <= ended_at - job.created_at:
            yield _warn_of_hour(solution.solution_settings, next_start, job)
            return


def _find_common_period(interval: timedelta, cadence: timedelta) -> timedelta:
    """Find after how many days a training and an import meet again, if they ever do.

    Of a training every 7 days and an import every 3 days, for example, some will fall on each day.
    """
    # With a run every hour, imports follow the exports, which we expect once a day.
    cadence_days = max(cadence.days, 1)
    return timedelta(days=math.gcd(interval.days, cadence_days))


def _predict_next_start(solution: SolutionView, interval: timedelta) -> datetime | None:
    """Predict when Personalize trains next, or return None if nobody has ever trained.

    Personalize skips a training if it finds no new data, so the last one may be long ago.
    """
    versions = solution.solution_state.versions
    if not versions:
        return None

    # The versions are sorted, newest first.
    last_start = versions[0].created_at
    skipped_count = (solution.data_snapshot.now - last_start) // interval
    return last_start + (skipped_count + 1) * interval


def _list_last_imports(imports: Sequence[Import]) -> Iterable[Import]:
    """List the newest import of each dataset that a run created. Others have no fixed hour."""
    # The imports are sorted, newest first, so the newest one has to overwrite the others.
    by_dataset = {job.dataset_arn: job for job in reversed(imports) if job.run_id is not None}
    return by_dataset.values()


def _warn_of_hour(solution: SolutionSettings, next_start: datetime, job: Import) -> Finding:
    text = (
        f"Personalize next trains {resource_name(solution['solutionArn'])} at about "
        f"{format_time(next_start)} UTC, and runs import at this hour, as "
        f"{resource_name(job.arn)} did from {format_time(job.created_at)} UTC, so the version may "
        "lack rows; let runs start some hours earlier (retrainingRate), or train a version now:"
    )
    return Finding("warn", text, build_training_command(solution, ()))
