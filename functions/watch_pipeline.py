"""Watches a pipeline every 15 minutes: finishes what a dead run has left, and measures ages.

A dead pipeline sends no report, and its models just grow old. So an alarm watches their ages, which
are measured without the help of a run. What has failed is still there at the next call, so nothing
is remembered from one call to the next (docs/adr/0028-watcher.md).
"""

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
"""How long a call sends requests. The last one may take 200 seconds longer if Personalize doesn't
respond (`aws.py`)."""
UNFINISHED_AGE = timedelta(hours=5)
"""The age of a trial, or the time since the end of its bake, from which it counts as unfinished,
even if a run takes care of it. By default, an update may take 3 hours."""
PAUSE_SHARE = 0.5
"""The pause between the starts of two runs for a trial, as a share of the trial's age. If no run
can end the trial, the pauses grow."""
MAX_PAUSE = timedelta(hours=1)
"""The longest of these pauses. It isn't longer, because only runs read the alarms of a bake and
roll back."""
DAILY_DATASETS = ("interactions", "actionInteractions")
"""The datasets that grow every day. If such an export doesn't change, its data has stopped
arriving, unless applications send events as well."""


class NotMeasurableError(Exception):
    """The age of a model can't be measured. The message says why, and is logged."""


def handler(event: dict[str, str], _context: object) -> metrics.Ages:
    """Finish what no run takes care of, publish the ages as metrics, and return them.

    If a resource can't be read, its age is None. Then the age of the whole pipeline isn't published
    either, and the alarm counts a missing value as too old.

    Raises:
        ClientError: the state machine can't be read, so the settings aren't known.
    """
    watcher = Watcher(event["stateMachineArn"])
    settings = watcher.settings

    # This also finds the trials that act() has to finish.
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
    """What one call of the function finds and does."""

    def __init__(self, machine_arn: str) -> None:
        # The definition has the settings that runs use. A copy in the event could differ from them.
        machine = deployed_machine(stepfunctions(), machine_arn)
        self.settings = machine.settings
        self.unfinished_trials = 0
        """The number of campaigns whose trial is too old, or that can't be read."""

        self._trials: list[Trial] = []
        self._arn = machine_arn
        self._deployed_at = machine.created_at
        self._client = read_client()
        self._end = clock.now() + WATCHING_TIME

    def model_age(self, solution: SolutionSettings) -> float | None:
        """Measure the age in hours of a solution's oldest model in use. None if it's unknown.

        Without campaigns, it's the age of the newest version.
        """
        solution_arn = solution["solutionArn"]
        if not solution["campaigns"]:
            return self._try(solution_arn, self._age_of_newest, solution_arn)

        arns = [campaign["campaignArn"] for campaign in solution["campaigns"]]
        return metrics.greatest_age([self._campaign_age(arn, solution_arn) for arn in arns])

    def data_age(self, dataset: DatasetSettings) -> float | None:
        """Measure the age in hours of a dataset's data. None if it can't be read."""
        return self._try(dataset["datasetArn"], self._age_of_data, dataset)

    def act(self) -> None:
        """Start a run for the trials that were found, and stop late trainings.

        If a run is at work, leave both to that run.
        """
        executions = self._try(self._arn, last_executions, stepfunctions(), self._arn)
        if executions is None or any(execution["status"] == "RUNNING" for execution in executions):
            return

        last_start = executions[0]["startDate"] if executions else None
        self._try(self._arn, self._start_run_for_trials, last_start)

        for solution in self.settings["solutions"]:
            arn = solution["solutionArn"]
            for version in self._try(arn, list_versions, self._client, arn) or ():
                self._try(version["solutionVersionArn"], self._stop_if_late, version)

    def _start_run_for_trials(self, last_start: datetime | None) -> None:
        """Start a run that finishes the trials, if there are any, unless one has just started."""
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
        """Stop a training past its deadline if it was started by this pipeline."""
        arn = version["solutionVersionArn"]
        status = version["status"]
        max_duration = timedelta(hours=self.settings["limits"]["maxTrainingHours"])

        is_late = clock.now() - version["creationDateTime"] >= max_duration
        is_stoppable = is_running(status) and not is_stopping(status)
        if is_late and is_stoppable and RUN in tags_of(self._client, arn):
            stop_training(write_client(), arn)
            log("watch_pipeline", f"stopped {arn}")

    def _campaign_age(self, arn: str, solution_arn: str) -> float | None:
        """Measure the age of the model that a campaign serves, and keep its trial for `act()`."""
        tags = self._try(arn, tags_of, self._client, arn)
        if tags is None:
            # There may be a trial.
            self.unfinished_trials += 1
            return None

        model_age = self._try(arn, self._age_of_served, arn, tags)

        trial = read_record(tags, solution_arn).trial
        if trial is not None:
            self._trials.append(trial)
            trial_age = clock.now() - (trial.bake_ends_at or trial.began_at)
            # A run that can't read the campaign either would poll it again without saying so.
            self.unfinished_trials += model_age is None or trial_age > UNFINISHED_AGE
        return model_age

    def _age_of_served(self, arn: str, tags: Tags) -> float:
        """Return the hours since the served version was trained or found up to date."""
        version_arn = served_version_arn(describe_campaign(self._client, arn))
        if version_arn is None:
            raise NotMeasurableError("the campaign serves nothing, because it is not ACTIVE")

        return self._hours(describe_version(self._client, version_arn)["creationDateTime"], tags)

    def _age_of_newest(self, solution_arn: str) -> float:
        """Return the hours since the newest ACTIVE version was trained or found up to date."""
        for version in list_versions(self._client, solution_arn):
            if is_active(version["status"]):
                return self._hours(version["creationDateTime"], tags_of(self._client, solution_arn))
        raise NotMeasurableError("the solution has no ACTIVE version")

    def _age_of_data(self, dataset: DatasetSettings) -> float:
        """Return the hours since the newest import, or since the data was found up to date.

        An unchanged export doesn't make interactions up to date, because these happen every day. It
        does if events arrive in another way.
        """
        arn = dataset["datasetArn"]
        import_times = [
            job["creationDateTime"]
            for job in list_imports(self._client, arn)
            if is_active(job["status"])
        ]

        may_stay_unchanged = dataset["type"] not in DAILY_DATASETS or dataset["streamed"]
        # The ARN is `dataset/<group>/<type>`, and the dataset is in `dataset-group/<group>`.
        group_arn = arn.rpartition("/")[0].replace(":dataset/", ":dataset-group/", 1)
        does_check_count = may_stay_unchanged or active_event_trackers(self._client, group_arn)
        tags = tags_of(self._client, arn) if does_check_count else {}

        return self._hours(max(import_times, default=self._deployed_at), tags)

    def _hours(self, created_at: datetime, tags: Tags) -> float:
        """Return the hours since the creation, the last check or the deployment, whichever is last.

        A pipeline that was just deployed isn't to blame for an old model. The time of the check is
        in the tags.
        """
        checked_at = past_time(tags.get(CHECKED, ""))
        start = max(created_at, checked_at or created_at, self._deployed_at)
        return round((clock.now() - start).total_seconds() / 3600, 2)

    def _try(self, arn: str, call: Callable[..., Value], *args: object) -> Value | None:
        """Return what `call` returns. If it fails, log why and return None.

        Nothing is called after WATCHING_TIME, because what was read still has to be published.
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
