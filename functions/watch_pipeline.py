"""Watches a pipeline every 15 minutes: finishes what a dead run has left, and measures ages."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from . import clock, metrics
from .aws import read_client, stepfunctions, write_client
from .errors import AWS_ERRORS
from .executions import deployed_machine, last_executions
from .log import log, logger
from .personalize.campaigns import describe_campaign, read_record, served_version_arn
from .personalize.imports import list_imports
from .personalize.lists import active_event_trackers
from .personalize.statuses import is_active, is_running, is_stopping
from .personalize.tags import CHECKED, RUN, past_time, tags_of
from .personalize.trainings import describe_version, list_versions, stop_training
from .words import name_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_personalize.type_defs import SolutionVersionSummaryTypeDef

    from .contract import DatasetSettings, SolutionSettings, Tags
    from .rules.campaigns import Trial

Value = TypeVar("Value")

WATCHING_TIME = timedelta(seconds=120)
"""How long a call sends requests. The last one may take 200 seconds longer, if Personalize does not
answer (`aws.py`)."""
UNFINISHED_AGE = timedelta(hours=5)
"""A trial that is older, or whose bake ended longer ago, counts as unfinished, even if a run works
on it. By default, an update may take 3 hours."""
PAUSE_SHARE = 0.5
"""A run for a trial is started if no run was started for this share of the trial's age. So the
pauses grow if no run can end the trial."""
MAX_PAUSE = timedelta(hours=1)
"""The longest of these pauses. Meanwhile, nobody reads the alarms of a bake, or goes back."""
DAILY_DATASETS = ("interactions", "actionInteractions")
"""The datasets that grow every day. If such an export does not change, its data has stopped
arriving, unless applications send events as well."""


class NotMeasurableError(Exception):
    """The age of a model cannot be measured. The message is logged."""


def handler(event: dict[str, str], _context: object) -> metrics.Ages:
    """Start and stop what no run takes care of, write the ages as metrics, and return them.

    A resource that cannot be read is logged, and its age is not known. The age of the whole
    pipeline is then not known either, so the metric is missing, which the alarm counts as too old.
    Nothing is remembered from one call to the next.

    Raises:
        ClientError: the state machine cannot be read, so nothing is known.
    """
    watcher = Watcher(event["stateMachineArn"])
    settings = watcher.settings
    models = {
        name_of(solution["solutionArn"]): watcher.model_age(solution)
        for solution in settings["solutions"]
    }
    watcher.act()
    data = {dataset["type"]: watcher.data_age(dataset) for dataset in settings["datasets"]}
    unfinished = watcher.unfinished_trials
    ages: metrics.Ages = {"models": models, "data": data, "unfinishedTrials": unfinished}
    metrics.write_ages(settings, ages)
    log("watch_pipeline", "the ages were measured", **ages)
    return ages


class Watcher:
    """What one call finds and does."""

    def __init__(self, machine_arn: str) -> None:
        machine = deployed_machine(stepfunctions(), machine_arn)
        self.settings = machine.settings
        self.unfinished_trials = 0
        """The number of campaigns whose trial is too old, or that cannot be read."""
        self._trials: list[Trial] = []
        self._arn = machine_arn
        self._deployed_at = machine.created_at
        self._client = read_client()
        self._end = clock.now() + WATCHING_TIME

    def model_age(self, solution: SolutionSettings) -> float | None:
        """Return the age in hours of the oldest model in use, or of the newest version, or None."""
        arn = solution["solutionArn"]
        if not solution["campaigns"]:
            return self._try(arn, self._age_of_newest, arn)
        campaigns = [campaign["campaignArn"] for campaign in solution["campaigns"]]
        return metrics.greatest_age([self._campaign_age(campaign, arn) for campaign in campaigns])

    def data_age(self, dataset: DatasetSettings) -> float | None:
        """Return the age of the data of a dataset in hours, or None if it cannot be read."""
        return self._try(dataset["datasetArn"], self._age_of_data, dataset)

    def act(self) -> None:
        """If no run is at work, finish the trials that were found, and stop late trainings."""
        executions = self._try(self._arn, last_executions, stepfunctions(), self._arn)
        if executions is None or any(item["status"] == "RUNNING" for item in executions):
            return
        last_start = executions[0]["startDate"] if executions else None
        self._try(self._arn, self._start_run_for_trials, last_start)
        for solution in self.settings["solutions"]:
            arn = solution["solutionArn"]
            for version in self._try(arn, list_versions, self._client, arn) or ():
                self._try(version["solutionVersionArn"], self._stop_if_late, version)

    def _start_run_for_trials(self, last_start: datetime | None) -> None:
        """Start a run that finishes the trials, if there are any and no run has just started."""
        if not self._trials:
            return

        now = clock.now()
        began_at = min(trial.began_at for trial in self._trials)
        pause = min((now - began_at) * PAUSE_SHARE, MAX_PAUSE)
        if last_start and now - last_start < pause:
            return

        name = f"trial-{now:%Y%m%dT%H%M%SZ}"
        request = json.dumps({"only": "trials"})
        stepfunctions().start_execution(stateMachineArn=self._arn, name=name, input=request)
        log("watch_pipeline", f"started {name}")

    def _stop_if_late(self, version: SolutionVersionSummaryTypeDef) -> None:
        """Stop a training past its deadline if a run of this pipeline has started it."""
        arn = version["solutionVersionArn"]
        status = version["status"]
        longest = timedelta(hours=self.settings["limits"]["maxTrainingHours"])
        is_late = clock.now() - version["creationDateTime"] >= longest
        is_stoppable = is_running(status) and not is_stopping(status)
        if is_late and is_stoppable and RUN in tags_of(self._client, arn):
            stop_training(write_client(), arn)
            log("watch_pipeline", f"stopped {arn}")

    def _campaign_age(self, arn: str, solution_arn: str) -> float | None:
        """Return the age of the model that a campaign serves. Remember its trial, if any."""
        tags = self._try(arn, tags_of, self._client, arn)
        if tags is None:
            self.unfinished_trials += 1
            return None
        model_age = self._try(arn, self._age_of_served, arn, tags)

        trial = read_record(tags, solution_arn).trial
        if trial is not None:
            self._trials.append(trial)
            trial_age = clock.now() - (trial.bake_ends_at or trial.began_at)
            # A run that cannot read the campaign either polls it again and again, without a word.
            self.unfinished_trials += model_age is None or trial_age > UNFINISHED_AGE
        return model_age

    def _age_of_served(self, arn: str, tags: Tags) -> float:
        """Return the hours since the version that a campaign serves was trained or checked."""
        served = served_version_arn(describe_campaign(self._client, arn))
        if served is None:
            raise NotMeasurableError("the campaign serves nothing, because it is not ACTIVE")
        return self._hours(describe_version(self._client, served)["creationDateTime"], tags)

    def _age_of_newest(self, solution_arn: str) -> float:
        """Return the hours since a solution's newest ACTIVE version was trained or checked."""
        for version in list_versions(self._client, solution_arn):
            if is_active(version["status"]):
                return self._hours(version["creationDateTime"], tags_of(self._client, solution_arn))
        raise NotMeasurableError("the solution has no ACTIVE version")

    def _age_of_data(self, dataset: DatasetSettings) -> float:
        """Return the hours since the newest import, or since a check of data that may stay."""
        arn = dataset["datasetArn"]
        imported = [
            job["creationDateTime"]
            for job in list_imports(self._client, arn)
            if is_active(job["status"])
        ]
        may_stay = dataset["type"] not in DAILY_DATASETS or dataset["streamed"]
        # The ARN is `dataset/<group>/<type>`, and the dataset is in `dataset-group/<group>`.
        group_arn = arn.rpartition("/")[0].replace(":dataset/", ":dataset-group/", 1)
        counts = may_stay or active_event_trackers(self._client, group_arn)
        tags = tags_of(self._client, arn) if counts else {}
        return self._hours(max(imported, default=self._deployed_at), tags)

    def _hours(self, created_at: datetime, tags: Tags) -> float:
        """Return the hours since this time, since the check in the tags, or since the deployment.

        The last of them counts. A pipeline that was just deployed is not to blame for an old model.
        """
        checked_at = past_time(tags.get(CHECKED, ""))
        start = max(created_at, checked_at or created_at, self._deployed_at)
        return round((clock.now() - start).total_seconds() / 3600, 2)

    def _try(self, arn: str, call: Callable[..., Value], *args: object) -> Value | None:
        """Return what `call` returns. If it fails, log why and return None.

        After WATCHING_TIME nothing is called, so that there is time to write what was read.
        """
        try:
            if clock.now() < self._end:
                return call(*args)
            failure = "the other resources took all the time"
        except (*AWS_ERRORS, NotMeasurableError) as error:
            failure = str(error)
        extra = {"step": "watch_pipeline", "arn": arn, "failure": failure}
        logger.error("watch_pipeline: %s: %s", arn, failure, extra=extra)
        return None
