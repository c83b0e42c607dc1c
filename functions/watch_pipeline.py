"""Watches a pipeline every 15 minutes: starts what a dead run has left, and measures ages."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypedDict, TypeVar

from botocore.exceptions import ClientError

from . import clock, metrics
from .aws import read_client, stepfunctions, write_client
from .errors import ServiceUnavailable, Throttled
from .executions import DeployedMachine, deployed_machine, is_any_running, last_executions
from .personalize.ages import NotMeasurableError, imported_at, served_model_at, trained_at
from .personalize.notes import read_notes
from .personalize.statuses import cannot_succeed, is_running
from .personalize.tags import RUN, tags_of
from .personalize.trainings import stop_training
from .personalize.versions import versions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize.type_defs import SolutionVersionSummaryTypeDef
    from mypy_boto3_stepfunctions import SFNClient
    from mypy_boto3_stepfunctions.type_defs import ExecutionListItemTypeDef

    from .workflow_settings import DatasetSettings, Settings, Tags

Value = TypeVar("Value")

GRANT_PAUSE = 5
"""The seconds between tries to read the state machine. A new policy of a role takes some seconds
until it is effective, and the first look happens while the stack is deployed."""
GRANT_TRIES = 13
"""The tries take a minute in all."""
READING_TIME = timedelta(seconds=120)
"""The time for which the resources are read. The last of them may take 200 seconds longer, if
Personalize does not answer (`aws.py`)."""
RINGING_AGE = timedelta(hours=5)
"""A trial that is older rings, whoever works on it. An update takes up to 3 hours by default."""
PAUSE_SHARE = 0.5
"""A run that plays trials is started if none was started for this share of the trial's age. So a
trial that no run can end is tried again after growing pauses."""

logger = logging.getLogger("retraining")


class Watch(TypedDict):
    """The input, which the schedule and the deployment send."""

    stateMachineArn: str


class _Reading(NamedTuple):
    """How the resources of a pipeline are read."""

    client: PersonalizeClient
    deployed_at: datetime
    end: datetime
    """The time after which nothing more is read."""


class _Campaign(NamedTuple):
    """What is known about a campaign."""

    age: float | None
    """The age of its model in hours, or None if it cannot be read."""
    is_read: bool
    trial_began_at: datetime | None = None
    """The beginning of its trial, or None without one."""


def handler(event: Watch, _context: object) -> metrics.Ages:
    """Start and stop what no run takes care of, write the ages as metrics, and return them.

    The settings come from the definition of the state machine, which is what runs use. A resource
    that cannot be read has its own log record. Its age is not known, and then the age of the whole
    pipeline is not known either: the metric is missing, and the alarm counts that as too old.

    Nothing is remembered from one call to the next. What has failed is tried again by the next
    call, because it is still there.

    Raises:
        ClientError: the state machine cannot be read, so nothing is known.
    """
    arn = event["stateMachineArn"]
    machine = _machine(stepfunctions(), arn)
    settings = machine.settings
    reading = _Reading(read_client(), machine.created_at, clock.now() + READING_TIME)
    campaigns = {
        solution["solutionArn"]: [
            _read_campaign(reading, campaign["campaignArn"], solution["solutionArn"])
            for campaign in solution["campaigns"]
        ]
        for solution in settings["solutions"]
    }
    all_campaigns = [campaign for found in campaigns.values() for campaign in found]
    executions = _read_or_log(arn, lambda: last_executions(stepfunctions(), arn))
    if executions is not None and not is_any_running(executions):
        _play_trials(stepfunctions(), arn, all_campaigns, executions)
        _stop_late_trainings(reading, settings)
    ages: metrics.Ages = {
        "models": {
            metrics.short_name(solution_arn): _model_age(reading, solution_arn, found)
            for solution_arn, found in campaigns.items()
        },
        "data": {dataset["type"]: _data_age(reading, dataset) for dataset in settings["datasets"]},
        "unfinishedTrials": sum(map(_rings, all_campaigns)),
    }
    metrics.write_ages(settings, ages)
    logger.info(
        "watch_pipeline: the oldest model has %s hours, and the data %s",
        metrics.oldest(ages["models"].values()),
        metrics.oldest(ages["data"].values()),
        extra={"step": "watch_pipeline", **ages},
    )
    return ages


def _rings(campaign: _Campaign) -> bool:
    """Return True if the trial of a campaign is too old, or if the campaign cannot be read."""
    began_at = campaign.trial_began_at
    return not campaign.is_read or (began_at is not None and clock.now() - began_at > RINGING_AGE)


def _play_trials(
    client: SFNClient,
    machine_arn: str,
    campaigns: Sequence[_Campaign],
    executions: Sequence[ExecutionListItemTypeDef],
) -> None:
    """Start a run that plays the trials, if there is one and no run was started just now."""
    trials = [campaign.trial_began_at for campaign in campaigns if campaign.trial_began_at]
    if not trials:
        return
    now = clock.now()
    pause = (now - min(trials)) * PAUSE_SHARE
    if executions and now - executions[0]["startDate"] < pause:
        return
    name = f"trial-{now:%Y%m%dT%H%M%SZ}"
    started = _read_or_log(
        machine_arn,
        lambda: client.start_execution(
            stateMachineArn=machine_arn, name=name, input=json.dumps({"trigger": "trial"})
        ),
    )
    if started:
        logger.info("watch_pipeline: started %s", name, extra={"step": "watch_pipeline"})


def _stop_late_trainings(reading: _Reading, settings: Settings) -> None:
    """Stop the trainings of this pipeline that are past their deadline."""
    longest = timedelta(hours=settings["limits"]["maxTrainingHours"])
    for solution in settings["solutions"]:
        arn = solution["solutionArn"]
        listed = _read_or_log(arn, partial(versions, reading.client, arn), reading.end)
        for version in listed or ():
            is_late = clock.now() - version["creationDateTime"] >= longest
            if is_late and not cannot_succeed(version["status"]) and is_running(version["status"]):
                _read_or_log(version["solutionVersionArn"], partial(_stop_if_own, reading, version))


def _stop_if_own(reading: _Reading, version: SolutionVersionSummaryTypeDef) -> None:
    """Stop a training if a run of this pipeline has started it."""
    arn = version["solutionVersionArn"]
    if RUN in tags_of(reading.client, arn):
        stop_training(write_client(), arn)
        logger.info("watch_pipeline: stopped %s", arn, extra={"step": "watch_pipeline"})


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


def _read_campaign(reading: _Reading, arn: str, solution_arn: str) -> _Campaign:
    """Return what is known about a campaign. A campaign that was deleted has no trial."""
    client, deployed_at, end = reading
    tags = _read_or_log(arn, lambda: _tags_of_campaign(client, arn), end)
    if tags is None:
        return _Campaign(age=None, is_read=False)
    age = _read_or_log(arn, lambda: _hours(deployed_at, served_model_at(client, arn, tags)), end)
    trial = read_notes(tags, solution_arn).trial
    return _Campaign(age, is_read=True, trial_began_at=trial.at if trial else None)


def _tags_of_campaign(client: PersonalizeClient, arn: str) -> Tags:
    """Return the tags of a campaign, or none if it was deleted."""
    try:
        return tags_of(client, arn)
    except client.exceptions.ResourceNotFoundException:
        return {}


def _model_age(
    reading: _Reading, solution_arn: str, campaigns: Sequence[_Campaign]
) -> float | None:
    """Return the age of the oldest model that the campaigns of a solution serve, in hours.

    Without campaigns it is the age of the newest version. It is None if it cannot be read.
    """
    client, deployed_at, end = reading
    if campaigns:
        return metrics.oldest(campaign.age for campaign in campaigns)
    return _read_or_log(
        solution_arn, lambda: _hours(deployed_at, trained_at(client, solution_arn)), end
    )


def _data_age(reading: _Reading, dataset: DatasetSettings) -> float | None:
    """Return the age of a dataset in hours, or None if it cannot be read."""
    client, deployed_at, end = reading
    return _read_or_log(
        dataset["datasetArn"], lambda: _hours(deployed_at, imported_at(client, dataset)), end
    )


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
            message = "the other resources took all the time"
            raise NotMeasurableError(message)  # noqa: TRY301 - it is logged like other errors
        return read()
    except (ClientError, ServiceUnavailable, Throttled, NotMeasurableError) as error:
        logger.error(  # noqa: TRY400 - the stack trace says nothing more
            "watch_pipeline: %s: %s",
            arn,
            error,
            extra={"step": "watch_pipeline", "arn": arn, "failure": str(error)},
        )
        return None
