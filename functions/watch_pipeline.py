"""Watches a pipeline every 15 minutes: starts what a dead run has left, and measures ages."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from botocore.exceptions import ClientError

from . import clock, metrics
from .aws import read_client, stepfunctions, write_client
from .errors import ServiceUnavailable, Throttled
from .executions import deployed_machine, is_any_running, last_executions
from .log import log, logger
from .personalize.campaigns import describe_campaign, live_version, read_notes
from .personalize.imports import list_imports
from .personalize.lists import active_event_trackers
from .personalize.statuses import is_active, is_running, is_stopping
from .personalize.tags import CHECKED, RUN, tags_of
from .personalize.trainings import describe_version, stop_training, versions

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_personalize.type_defs import SolutionVersionSummaryTypeDef

    from .contract import DatasetSettings, SolutionSettings, Tags

Arguments = ParamSpec("Arguments")
Value = TypeVar("Value")

WATCHING_TIME = timedelta(seconds=120)
"""The time for which requests are sent. The last one may take 200 seconds longer, if Personalize
does not answer (`aws.py`)."""
RINGING_AGE = timedelta(hours=5)
"""A trial that is older rings, whoever works on it. An update takes up to 3 hours by default."""
PAUSE_SHARE = 0.5
"""A run that plays trials is started if none was started for this share of the trial's age. So a
trial that no run can end is tried again after growing pauses."""
CLOCKS_DIFFER = timedelta(minutes=5)
"""A time that is further in the future than this was not written by a run."""
SENT_BY_APPLICATIONS = ("interactions", "actionInteractions")
"""The datasets that grow every day. If the export of such a dataset does not change, its data have
stopped arriving, unless applications send events as well."""


class NotMeasurableError(Exception):
    """The age of a model cannot be measured. The log has the message."""


def handler(event: dict[str, str], _context: object) -> metrics.Ages:
    """Start and stop what no run takes care of, write the ages as metrics, and return them.

    The settings come from the definition of the state machine, which is what runs use. A resource
    that cannot be read has its own log record. Its age is not known, and then the age of the whole
    pipeline is not known either: the metric is missing, and the alarm counts that as too old.

    Nothing is remembered from one call to the next. What has failed is tried again by the next
    call, because it is still there.

    Raises:
        ClientError: the state machine cannot be read, so nothing is known.
    """
    watcher = Watcher(event["stateMachineArn"])
    settings = watcher.settings
    models = {
        metrics.short_name(solution["solutionArn"]): watcher.model_age(solution)
        for solution in settings["solutions"]
    }
    watcher.act()
    data = {dataset["type"]: watcher.data_age(dataset) for dataset in settings["datasets"]}
    ages: metrics.Ages = {"models": models, "data": data, "unfinishedTrials": watcher.ringing}
    metrics.write_ages(settings, ages)
    model, export = metrics.oldest(models.values()), metrics.oldest(data.values())
    log("watch_pipeline", f"the oldest model has {model} hours, and the data {export}", **ages)
    return ages


class Watcher:
    """What one call finds and does."""

    def __init__(self, machine_arn: str) -> None:
        machine = deployed_machine(stepfunctions(), machine_arn)
        self.settings = machine.settings
        self.ringing = 0
        """The number of campaigns whose trial is too old, or that cannot be read."""
        self._trials_began_at: list[datetime] = []
        self._arn, self._deployed_at = machine_arn, machine.created_at
        self._client = read_client()
        self._end = clock.now() + WATCHING_TIME

    def model_age(self, solution: SolutionSettings) -> float | None:
        """Return the age of the oldest model that the campaigns of a solution serve, in hours.

        Without campaigns it is the age of the newest version. It is None if it cannot be read.
        """
        arn = solution["solutionArn"]
        if not solution["campaigns"]:
            return self._try(arn, self._age_of_newest, arn)
        campaigns = [campaign["campaignArn"] for campaign in solution["campaigns"]]
        return metrics.oldest([self._campaign_age(campaign, arn) for campaign in campaigns])

    def data_age(self, dataset: DatasetSettings) -> float | None:
        """Return the age of the data of a dataset in hours, or None if it cannot be read."""
        return self._try(dataset["datasetArn"], self._age_of_data, dataset)

    def act(self) -> None:
        """If no run is at work, play the trials that were found, and stop what is late."""
        executions = self._try(self._arn, last_executions, stepfunctions(), self._arn)
        if executions is None or is_any_running(executions):
            return
        last_start = executions[0]["startDate"] if executions else None
        self._try(self._arn, self._play_trials, last_start)
        for solution in self.settings["solutions"]:
            arn = solution["solutionArn"]
            for version in self._try(arn, versions, self._client, arn) or ():
                self._try(version["solutionVersionArn"], self._stop_if_late, version)

    def _play_trials(self, last_start: datetime | None) -> None:
        """Start a run that plays the trials, if there is one and no run was started just now."""
        now = clock.now()
        began_at = min(self._trials_began_at, default=now)
        if began_at == now or (last_start and now - last_start < (now - began_at) * PAUSE_SHARE):
            return
        name, request = f"trial-{now:%Y%m%dT%H%M%SZ}", json.dumps({"only": "trials"})
        stepfunctions().start_execution(stateMachineArn=self._arn, name=name, input=request)
        log("watch_pipeline", f"started {name}")

    def _stop_if_late(self, version: SolutionVersionSummaryTypeDef) -> None:
        """Stop a training past its deadline if a run of this pipeline has started it."""
        arn, status = version["solutionVersionArn"], version["status"]
        longest = timedelta(hours=self.settings["limits"]["maxTrainingHours"])
        if not is_running(status) or is_stopping(status):
            return
        if clock.now() - version["creationDateTime"] < longest:
            return
        if RUN in tags_of(self._client, arn):
            stop_training(write_client(), arn)
            log("watch_pipeline", f"stopped {arn}")

    def _campaign_age(self, arn: str, solution_arn: str) -> float | None:
        """Return the age of the model that a campaign serves. Note its trial, if it has one."""
        tags = self._try(arn, tags_of, self._client, arn)
        if tags is None:
            self.ringing += 1
            return None
        if trial := read_notes(tags, solution_arn).trial:
            self._trials_began_at.append(trial.at)
            self.ringing += clock.now() - trial.at > RINGING_AGE
        return self._try(arn, self._age_of_served, arn, tags)

    def _age_of_served(self, arn: str, tags: Tags) -> float:
        """Return the age of the version that a campaign serves, or of the last check."""
        served = live_version(describe_campaign(self._client, arn))
        if served is None:
            raise NotMeasurableError("the campaign serves nothing, because it is not ACTIVE")
        trained_at = describe_version(self._client, served)["creationDateTime"]
        return self._hours(trained_at, checked_at(tags))

    def _age_of_newest(self, solution_arn: str) -> float:
        """Return the age of the newest ACTIVE version of a solution, or of the last check."""
        for version in versions(self._client, solution_arn):
            if is_active(version["status"]):
                checked = checked_at(tags_of(self._client, solution_arn))
                return self._hours(version["creationDateTime"], checked)
        raise NotMeasurableError("the solution has no ACTIVE version")

    def _age_of_data(self, dataset: DatasetSettings) -> float:
        """Return the age of the newest import, or of the last check if the export may stay."""
        arn = dataset["datasetArn"]
        imported = [
            job["creationDateTime"]
            for job in list_imports(self._client, arn)
            if is_active(job["status"])
        ]
        may_stay = dataset["type"] not in SENT_BY_APPLICATIONS or dataset["streamed"]
        # The ARN is `dataset/<group>/<type>`, and the dataset is in `dataset-group/<group>`.
        group_arn = arn.rpartition("/")[0].replace(":dataset/", ":dataset-group/", 1)
        if may_stay or active_event_trackers(self._client, group_arn):
            checked = checked_at(tags_of(self._client, arn))
        else:
            checked = None
        return self._hours(max(imported, default=None), checked)

    def _hours(self, *times: datetime | None) -> float:
        """Return the hours since the last of these times, or since the deployment of the pipeline.

        A pipeline that was deployed just now is not to blame for an old model.
        """
        start = max([self._deployed_at, *filter(None, times)])
        return round((clock.now() - start).total_seconds() / 3600, 2)

    def _try(
        self,
        arn: str,
        call: Callable[Arguments, Value],
        *args: Arguments.args,
        **options: Arguments.kwargs,
    ) -> Value | None:
        """Return what `call` returns. If it fails, log that and return None.

        At the end of the time nothing more is tried, so that what was read is still written.
        """
        try:
            if clock.now() < self._end:
                return call(*args, **options)
            failure = "the other resources took all the time"
        except (ClientError, ServiceUnavailable, Throttled, NotMeasurableError) as error:
            failure = str(error)
        extra = {"step": "watch_pipeline", "arn": arn, "failure": failure}
        logger.error("watch_pipeline: %s: %s", arn, failure, extra=extra)
        return None


def checked_at(tags: Tags) -> datetime | None:
    """Return when a run has found a resource up to date, or None.

    A time that no run can have written does not count: one without a zone, or in the future.
    """
    try:
        time = datetime.fromisoformat(tags.get(CHECKED, ""))
        return time if time <= clock.now() + CLOCKS_DIFFER else None
    except (ValueError, TypeError):
        return None
