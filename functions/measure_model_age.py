"""Measures every hour how old the models and the data are, and whether a trial is left open."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple, TypedDict, TypeVar

from botocore.exceptions import ClientError

from . import clock, metrics
from .aws import read_client, stepfunctions
from .errors import ServiceUnavailable, Throttled
from .executions import DeployedMachine, deployed_machine, is_any_running
from .personalize.ages import NotMeasurableError, imported_at, served_model_at, trained_at
from .personalize.tags import tags_of
from .personalize.trial_tags import read_trial_tags

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_stepfunctions import SFNClient

    from .workflow_settings import DatasetSettings

Value = TypeVar("Value")

GRANT_PAUSE = 5
"""The seconds between tries to read the state machine. A new policy of a role takes some seconds
until it is effective, and the first measurement runs while the stack is deployed."""
GRANT_TRIES = 13
"""The tries take a minute in all."""
READING_TIME = timedelta(seconds=120)
"""The time for which the resources are read. The last of them may take 200 seconds longer, if
Personalize does not answer (`aws.py`)."""

logger = logging.getLogger("retraining")


class _Reading(NamedTuple):
    """How the resources of a pipeline are read."""

    client: PersonalizeClient
    deployed_at: datetime
    end: datetime
    """The time after which nothing more is read."""


class _Campaign(NamedTuple):
    """What is measured of a campaign. A value that cannot be read is None."""

    age: float | None
    """The age of its model in hours."""
    is_on_trial: bool | None


class Measurement(TypedDict):
    """The input, which the schedule and the deployment send."""

    stateMachineArn: str


def handler(event: Measurement, _context: object) -> metrics.Ages:
    """Write the age of each model and of each dataset as metrics, and return them.

    The settings come from the definition of the state machine, which is what runs use. A resource
    that cannot be read has its own log record. Its age is not known, and then the age of the whole
    pipeline is not known either: the metric is missing, and the alarm counts that as too old.

    Raises:
        ClientError: the state machine cannot be read, so nothing is known.
    """
    machine = _machine(stepfunctions(), event["stateMachineArn"])
    ages = _measure(read_client(), stepfunctions(), event["stateMachineArn"], machine)
    metrics.write_ages(machine.settings, ages)
    logger.info(
        "measure_model_age: the oldest model has %s hours, and the data %s",
        metrics.oldest(ages["models"].values()),
        metrics.oldest(ages["data"].values()),
        extra={"step": "measure_model_age", **ages},
    )
    return ages


def _machine(client: SFNClient, arn: str) -> DeployedMachine:
    """Return the state machine, after waiting until the role of this function may read it."""
    for _ in range(GRANT_TRIES - 1):
        try:
            return deployed_machine(client, arn)
        except ClientError as error:
            if error.response["Error"]["Code"] != "AccessDeniedException":
                raise
        clock.sleep(GRANT_PAUSE)
    return deployed_machine(client, arn)


def _measure(
    client: PersonalizeClient, executions: SFNClient, machine_arn: str, machine: DeployedMachine
) -> metrics.Ages:
    """Return the ages in hours, and the number of trials that are left open."""
    settings = machine.settings
    reading = _Reading(client, machine.created_at, clock.now() + READING_TIME)
    models: dict[str, float | None] = {}
    on_trial: list[bool | None] = []
    for solution in settings["solutions"]:
        arn = solution["solutionArn"]
        campaigns = [
            _read_campaign(reading, campaign["campaignArn"], arn)
            for campaign in solution["campaigns"]
        ]
        on_trial += [campaign.is_on_trial for campaign in campaigns]
        ages = [campaign.age for campaign in campaigns] or [_age_without_campaigns(reading, arn)]
        models[metrics.short_name(arn)] = metrics.oldest(ages)
    return {
        "models": models,
        "data": {dataset["type"]: _data_age(reading, dataset) for dataset in settings["datasets"]},
        "unfinishedTrials": _unfinished_trials(executions, machine_arn, on_trial),
    }


def _read_campaign(reading: _Reading, arn: str, solution_arn: str) -> _Campaign:
    """Return what is measured of a campaign."""
    client, deployed_at, end = reading
    tags = _read_or_log(arn, lambda: tags_of(client, arn), end)
    if tags is None:
        return _Campaign(age=None, is_on_trial=None)
    age = _read_or_log(
        arn, lambda: _hours(deployed_at, served_model_at(client, arn, solution_arn, tags)), end
    )
    trial = read_trial_tags(tags, solution_arn).trial
    return _Campaign(age, is_on_trial=trial is not None)


def _age_without_campaigns(reading: _Reading, solution_arn: str) -> float | None:
    """Return the age of a solution's newest version in hours, or None if it cannot be read."""
    client, deployed_at, end = reading
    return _read_or_log(
        solution_arn, lambda: _hours(deployed_at, trained_at(client, solution_arn)), end
    )


def _data_age(reading: _Reading, dataset: DatasetSettings) -> float | None:
    """Return the age of a dataset in hours, or None if it cannot be read."""
    client, deployed_at, end = reading
    return _read_or_log(
        dataset["datasetArn"], lambda: _hours(deployed_at, imported_at(client, dataset)), end
    )


def _unfinished_trials(
    client: SFNClient, machine_arn: str, on_trial: Sequence[bool | None]
) -> int | None:
    """Return the number of trials that no execution will finish, or None if that is not known.

    Every execution begins by finishing trials. A campaign that could not be read may have a trial,
    so without a known trial the number is not known.
    """
    trial_count = on_trial.count(True)
    if trial_count == 0:
        return None if None in on_trial else 0
    is_running = _read_or_log(machine_arn, lambda: is_any_running(client, machine_arn))
    if is_running is None:
        return None
    return 0 if is_running else trial_count


def _hours(deployed_at: datetime, time: datetime | None) -> float:
    """Return the hours since a time, but not more than since the deployment of the pipeline.

    A pipeline that was deployed just now is not to blame for an old model. Without a time, return
    the hours since the deployment.
    """
    start = max(time, deployed_at) if time else deployed_at
    return round((clock.now() - start).total_seconds() / 3600, 2)


def _read_or_log(arn: str, read: Callable[[], Value], end: datetime | None = None) -> Value | None:
    """Return what `read` returns. If the resource cannot be read, log that and return None.

    After `end` nothing is read, so that what was read before is still written.
    """
    try:
        if end and clock.now() >= end:
            message = "the other resources took all the time of this measurement"
            raise NotMeasurableError(message)  # noqa: TRY301 - it is logged like other errors
        return read()
    except (ClientError, ServiceUnavailable, Throttled, NotMeasurableError) as error:
        logger.error(  # noqa: TRY400 - the stack trace says nothing more
            "measure_model_age: %s cannot be measured: %s",
            arn,
            error,
            extra={"step": "measure_model_age", "arn": arn, "failure": str(error)},
        )
        return None
