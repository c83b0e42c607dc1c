"""Measures every hour how old the models and the data are, and whether a trial is left open."""

from __future__ import annotations

import logging
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
    from collections.abc import Callable
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

logger = logging.getLogger("retraining")


class _Campaign(NamedTuple):
    """What is measured of a campaign."""

    age: float | None
    """The age of its model in hours, or None if that is not known."""
    is_on_trial: bool


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
    metrics.ages(machine.settings, ages)
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
    models: dict[str, float | None] = {}
    trial_count = 0
    for solution in settings["solutions"]:
        arn = solution["solutionArn"]
        campaigns = [
            _read_campaign(client, campaign["campaignArn"], arn, machine.created_at)
            for campaign in solution["campaigns"]
        ]
        trial_count += sum(campaign.is_on_trial for campaign in campaigns)
        ages = [campaign.age for campaign in campaigns] or [
            _age_without_campaigns(client, arn, machine.created_at)
        ]
        models[metrics.short_name(arn)] = metrics.oldest(ages)
    return {
        "models": models,
        "data": {
            dataset["type"]: _data_age(client, dataset, machine.created_at)
            for dataset in settings["datasets"]
        },
        "unfinishedTrials": _unfinished_trials(executions, machine_arn, trial_count),
    }


def _read_campaign(
    client: PersonalizeClient, arn: str, solution_arn: str, deployed_at: datetime
) -> _Campaign:
    """Return what is measured of a campaign. Tags that cannot be read name no trial."""
    tags = _read_or_log(arn, lambda: tags_of(client, arn))
    if tags is None:
        return _Campaign(age=None, is_on_trial=False)
    age = _read_or_log(
        arn, lambda: _hours(deployed_at, served_model_at(client, arn, solution_arn, tags))
    )
    trial = read_trial_tags(tags, solution_arn).trial
    return _Campaign(age, is_on_trial=trial is not None)


def _age_without_campaigns(
    client: PersonalizeClient, solution_arn: str, deployed_at: datetime
) -> float | None:
    """Return the age of a solution's newest version in hours, or None if it cannot be read."""
    return _read_or_log(solution_arn, lambda: _hours(deployed_at, trained_at(client, solution_arn)))


def _data_age(
    client: PersonalizeClient, dataset: DatasetSettings, deployed_at: datetime
) -> float | None:
    """Return the age of a dataset in hours, or None if it cannot be read."""
    return _read_or_log(
        dataset["datasetArn"], lambda: _hours(deployed_at, imported_at(client, dataset))
    )


def _unfinished_trials(client: SFNClient, machine_arn: str, trial_count: int) -> int | None:
    """Return the number of trials that no execution will finish, or None if that is not known.

    Every execution begins by finishing trials.
    """
    if trial_count == 0:
        return 0
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


def _read_or_log(arn: str, read: Callable[[], Value]) -> Value | None:
    """Return what `read` returns. If the resource cannot be read, log that and return None."""
    try:
        return read()
    except (ClientError, ServiceUnavailable, Throttled, NotMeasurableError) as error:
        logger.error(  # noqa: TRY400 - the stack trace says nothing more
            "measure_model_age: %s cannot be measured: %s",
            arn,
            error,
            extra={"step": "measure_model_age", "arn": arn, "failure": str(error)},
        )
        return None
