"""Watches a pipeline every 15 minutes: cleans up after runs that died, and measures ages.

If no run starts anymore, nobody gets a report, and the models just grow old. So alarms watch the
ages, which are measured without a run. Nothing is stored between invocations, because each one
reads from AWS what is left to do (docs/adr/0028-watcher.md).
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from .common import clock, metrics
from .common.aws import personalize_read_client, personalize_write_client, stepfunctions
from .common.errors import AWS_ERRORS
from .common.formatting import resource_name
from .common.log import log, logger
from .constants import EVENT_DATASETS
from .personalize.campaigns import describe_campaign, find_served_version_arn, parse_record
from .personalize.imports import list_import_jobs
from .personalize.lists import derive_group_arn, list_active_event_tracker_arns, list_recommenders
from .personalize.statuses import is_active, is_running, is_stopping
from .personalize.tags import CHECKED_TAG, RUN_TAG, parse_past_time, read_tags
from .personalize.trainings import describe_version, list_versions, stop_training
from .run.executions import list_latest_executions, read_state_machine

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mypy_boto3_personalize.type_defs import SolutionVersionSummaryTypeDef
    from mypy_boto3_stepfunctions.type_defs import ExecutionListItemTypeDef

    from .contract import DatasetSettings, Tags
    from .rules.campaigns import Trial

Value = TypeVar("Value")

REQUEST_TIME_LIMIT = timedelta(seconds=120)
"""How long after its start an invocation begins new calls. The last call may take 200 seconds if
Personalize doesn't respond (`common/aws.py`)."""
UNFINISHED_TRIAL_AGE = timedelta(hours=5)
"""How long after its beginning, or after the end of its bake, a trial counts as unfinished, even if
a run is working on it. By default, an update may take 3 hours."""
PAUSE_SHARE_OF_TRIAL_AGE = 0.5
"""The pause between two runs that try to end a trial, as a share of the trial's age, so that the
pauses grow if no run can end it."""
MAX_PAUSE_BETWEEN_RUNS = timedelta(hours=1)
"""The longest of these pauses. Only runs read the alarms of a bake and roll back, so they mustn't
wait longer."""


class NotMeasurableError(Exception):
    """A model's age can't be measured, for the reason in the message."""


def handler(event: dict[str, str], _context: object) -> metrics.Measurements:
    """Clean up after runs that died, publish what was measured, and return it.

    If a resource can't be read, its age is None, and no age is published for the whole pipeline.
    The alarm treats a missing age as too old.

    Raises:
        ClientError: the state machine, which contains the settings, can't be read.
    """
    watcher = Watcher(event["stateMachineArn"])
    # While it measures the models, the watcher finds the open trials that it cleans up.
    watcher.measure_models()
    watcher.clean_up()
    watcher.measure_data()
    watcher.count_inactive_recommenders()

    measurements = watcher.measurements
    metrics.publish_measurements(watcher.settings, measurements)
    log("watch_pipeline", "the ages were measured", **measurements)
    return measurements


class Watcher:
    """Measures a pipeline's ages, and cleans up after runs that died.

    Failures are logged, and don't affect the rest.
    """

    def __init__(self, machine_arn: str) -> None:
        # Runs use these settings, too. A copy in the event could differ.
        machine = read_state_machine(stepfunctions(), machine_arn)
        self.settings = machine.settings
        self.measurements: metrics.Measurements = {"models": {}, "data": {}, "unfinishedTrials": 0}
        """What has been measured so far."""

        self._trials: list[Trial] = []
        """The open trials found so far."""
        self._machine_arn = machine_arn
        self._deployed_at = machine.created_at
        self._deadline = clock.now() + REQUEST_TIME_LIMIT

    def measure_models(self) -> None:
        """Measure the age of the oldest model that each solution's campaigns serve.

        For a solution without campaigns, measure the age of its newest version.
        """
        for solution in self.settings["solutions"]:
            solution_arn = solution["solutionArn"]
            if solution["campaigns"]:
                ages = [
                    self._measure_campaign(campaign["campaignArn"], solution_arn)
                    for campaign in solution["campaigns"]
                ]
                age = metrics.find_max_age(ages)
            else:
                age = self._call_or_log(solution_arn, self._measure_newest_model_age, solution_arn)

            self.measurements["models"][resource_name(solution_arn)] = age

    def measure_data(self) -> None:
        """Measure the age of each dataset's data."""
        for dataset in self.settings["datasets"]:
            age = self._call_or_log(dataset["datasetArn"], self._measure_data_age, dataset)
            self.measurements["data"][dataset["type"]] = age

    def count_inactive_recommenders(self) -> None:
        """Count the recommenders that aren't ACTIVE, if the pipeline only imports."""
        if self.settings["solutions"]:
            return

        recommenders = self._call_or_log(
            "the recommenders", list_recommenders, personalize_read_client(), self.settings
        )
        if recommenders is None:
            # Without the list, one of them may be INACTIVE, so assume that.
            self.measurements["inactiveRecommenders"] = 1
            return

        inactive = [each for each in recommenders if not is_active(each["status"])]
        self.measurements["inactiveRecommenders"] = len(inactive)

    def clean_up(self) -> None:
        """Start a run for open trials, and stop trainings past their deadline.

        A run that's in progress does both itself, so then there's nothing to do here.
        """
        executions = self._call_or_log(
            self._machine_arn, list_latest_executions, stepfunctions(), self._machine_arn
        )
        if executions is None:
            return  # A run may be in progress.
        if any(execution["status"] == "RUNNING" for execution in executions):
            return

        self._call_or_log(self._machine_arn, self._start_run_for_trials, executions)
        self._stop_late_trainings()

    def _stop_late_trainings(self) -> None:
        """Stop the pipeline's trainings that are past their deadline."""
        for solution in self.settings["solutions"]:
            solution_arn = solution["solutionArn"]
            versions = self._call_or_log(
                solution_arn, list_versions, personalize_read_client(), solution_arn
            )
            for version in versions or ():
                self._call_or_log(version["solutionVersionArn"], self._stop_if_late, version)

    def _start_run_for_trials(self, executions: Sequence[ExecutionListItemTypeDef]) -> None:
        """Start a run that ends the open trials, unless the last run started too recently.

        `executions` are the latest ones, newest first.
        """
        if not self._trials:
            return

        now = clock.now()
        first_trial_began_at = min(trial.began_at for trial in self._trials)
        trial_pause = (now - first_trial_began_at) * PAUSE_SHARE_OF_TRIAL_AGE
        min_pause = min(trial_pause, MAX_PAUSE_BETWEEN_RUNS)
        if executions and now - executions[0]["startDate"] < min_pause:
            return

        execution_name = f"trial-{now:%Y%m%dT%H%M%SZ}"
        stepfunctions().start_execution(
            stateMachineArn=self._machine_arn,
            name=execution_name,
            input=json.dumps({"only": "trials"}),
        )
        log("watch_pipeline", f"started {execution_name}")

    def _stop_if_late(self, version: SolutionVersionSummaryTypeDef) -> None:
        """Stop the training of a version if it's past its deadline and a run started it."""
        status = version["status"]
        if not is_running(status) or is_stopping(status):
            return

        max_training_time = timedelta(hours=self.settings["limits"]["maxTrainingHours"])
        if clock.now() - version["creationDateTime"] < max_training_time:
            return

        # Only the versions that runs created have this tag.
        version_arn = version["solutionVersionArn"]
        if RUN_TAG in read_tags(personalize_read_client(), version_arn):
            stop_training(personalize_write_client(), version_arn)
            log("watch_pipeline", f"stopped {version_arn}")

    def _measure_campaign(self, campaign_arn: str, solution_arn: str) -> float | None:
        """Measure the age of the model that a campaign serves, and look for an open trial."""
        tags = self._call_or_log(campaign_arn, read_tags, personalize_read_client(), campaign_arn)
        if tags is None:
            # Only the tags would show a trial, so assume an unfinished one.
            self.measurements["unfinishedTrials"] += 1
            return None

        model_age = self._call_or_log(
            campaign_arn, self._measure_served_model_age, campaign_arn, tags
        )
        trial = parse_record(tags, solution_arn).trial
        if trial is not None:
            self._add_trial(trial, is_measured=model_age is not None)
        return model_age

    def _add_trial(self, trial: Trial, *, is_measured: bool) -> None:
        """Keep an open trial for `clean_up()`, and count it if it should have ended by now.

        If the campaign can't be measured, its trial counts at once, because a run couldn't read
        the campaign either, and would keep polling without a report.
        """
        self._trials.append(trial)

        trial_age = clock.now() - (trial.bake_ends_at or trial.began_at)
        if not is_measured or trial_age > UNFINISHED_TRIAL_AGE:
            self.measurements["unfinishedTrials"] += 1

    def _measure_served_model_age(self, campaign_arn: str, tags: Tags) -> float:
        """Measure the hours since the served version was trained or last found up to date."""
        campaign = describe_campaign(personalize_read_client(), campaign_arn)
        version_arn = find_served_version_arn(campaign)
        if version_arn is None:
            raise NotMeasurableError("the campaign serves nothing, because it is not ACTIVE")

        version = describe_version(personalize_read_client(), version_arn)
        return self._compute_age_hours(version["creationDateTime"], tags)

    def _measure_newest_model_age(self, solution_arn: str) -> float:
        """Measure the hours since the newest ACTIVE version was trained or found up to date."""
        for version in list_versions(personalize_read_client(), solution_arn):
            if is_active(version["status"]):
                tags = read_tags(personalize_read_client(), solution_arn)
                return self._compute_age_hours(version["creationDateTime"], tags)
        raise NotMeasurableError("the solution has no ACTIVE version")

    def _measure_data_age(self, dataset: DatasetSettings) -> float:
        """Measure the hours since the newest import, or since a run last found the data unchanged.

        An unchanged export only counts if the dataset may stay unchanged.
        """
        dataset_arn = dataset["datasetArn"]
        newest_import_at = self._deployed_at
        for job in list_import_jobs(personalize_read_client(), dataset_arn):
            if is_active(job["status"]):
                newest_import_at = max(newest_import_at, job["creationDateTime"])

        tags: Tags = {}
        if _may_stay_unchanged(dataset):
            tags = read_tags(personalize_read_client(), dataset_arn)
        return self._compute_age_hours(newest_import_at, tags)

    def _compute_age_hours(self, created_at: datetime, tags: Tags) -> float:
        """Compute the hours since a resource was created, or was last found up to date by a run.

        No age is greater than the pipeline's own. Otherwise, an alarm would go off as soon as a
        pipeline is deployed for an old model.
        """
        start = max(created_at, self._deployed_at)
        checked_at = parse_past_time(tags.get(CHECKED_TAG, ""))
        if checked_at is not None:
            start = max(start, checked_at)
        return round((clock.now() - start).total_seconds() / 3600, 2)

    def _call_or_log(self, arn: str, call: Callable[..., Value], *args: object) -> Value | None:
        """Return what `call` returns, or log why it can't be called or failed, and return None.

        Nothing is called after REQUEST_TIME_LIMIT, so that there's time to publish the ages.
        """
        if clock.now() >= self._deadline:
            _log_failure(arn, "the other resources took all the time")
            return None

        try:
            return call(*args)
        except (*AWS_ERRORS, NotMeasurableError) as error:
            _log_failure(arn, str(error))
            return None


def _may_stay_unchanged(dataset: DatasetSettings) -> bool:
    """Check if an unchanged export of the dataset may be up to date.

    Interactions happen every day, so an export of them should change, unless applications send
    events to Personalize as well.
    """
    if dataset["type"] not in EVENT_DATASETS or dataset["streamed"]:
        return True

    group_arn = derive_group_arn(dataset["datasetArn"])
    event_tracker_arns = list_active_event_tracker_arns(personalize_read_client(), group_arn)
    return len(event_tracker_arns) > 0


def _log_failure(arn: str, failure: str) -> None:
    """Log that a resource couldn't be read or changed."""
    logger.error(
        "watch_pipeline: %s: %s",
        arn,
        failure,
        extra={"step": "watch_pipeline", "arn": arn, "failure": failure},
    )
