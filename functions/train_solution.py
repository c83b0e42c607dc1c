"""Trains a solution: polls, decides and acts until there is a solution version to deploy.

The rules are in `rules/trainings.py`. This module reads what they need and carries out their
actions.
"""

from datetime import datetime

from .common import aws, clock, metrics
from .common.formatting import resource_name
from .common.log import log_status
from .common.truncation import truncate_output
from .constants import DATE_PLACEHOLDER, TRAINING_HOURS
from .contract import TrainingStatus, TrainSolutionInput, find_solution_settings, pipeline_name
from .personalize.imports import ImportReader
from .personalize.lists import list_deletions
from .personalize.tags import DIGEST_TAG, RUN_TAG, build_api_tags
from .personalize.trainings import SolutionReader, stop_training
from .reconcile import InvocationResult, reconcile, restore_progress, track_create_request
from .rules.steps import Action
from .rules.trainings import (
    SolutionState,
    StartTraining,
    StopTraining,
    TrainingProgress,
    TrainingSpec,
    choose_monthly_limit,
    decide,
)


@truncate_output
def handler(event: TrainSolutionInput, _context: object) -> TrainingStatus:
    """Go on with the training of a version, and return its status.

    The state machine invokes the function again until the status has an outcome.
    """
    training = SolutionTraining(event)
    result = reconcile(training, decide)
    status = training.build_status(result)

    solution_arn = event["solution"]["solutionArn"]
    # If the version is from an earlier run, that run has published its training hours.
    if status["outcome"] and not event["solution"]["existingVersionArn"]:
        metrics.publish(
            pipeline_name(event["settings"]),
            {TRAINING_HOURS: status["trainingHours"]},
            Solution=resource_name(solution_arn),
        )

    log_status("train_solution", event["run"], status["arn"] or solution_arn, status)
    return status


class SolutionTraining:
    """One invocation's share of the training of a version.

    `reconcile()` calls `poll` and `act` until the invocation ends. Then `build_status` returns what
    the next invocation or the report needs.
    """

    def __init__(self, event: TrainSolutionInput) -> None:
        settings = event["settings"]
        run = event["run"]

        self._planned_solution = event["solution"]
        self._tags = settings["tags"]
        solution_settings = find_solution_settings(settings, self._planned_solution["solutionArn"])
        self._solution_reader = SolutionReader(
            aws.personalize_read_client(), solution_settings["trainedBy"]
        )
        self._import_reader = ImportReader(aws.personalize_read_client(), settings["datasets"])

        created_since = None
        if self._planned_solution["requestedSince"]:
            created_since = datetime.fromisoformat(self._planned_solution["requestedSince"])

        self.progress = restore_progress(event["status"], TrainingProgress(clock.now()))
        self.spec = TrainingSpec(
            run_id=run["id"],
            is_full_by_dataset_arn=self._import_reader.is_full_by_dataset_arn,
            daily_types={
                dataset["datasetArn"]: dataset["type"]
                for dataset in settings["datasets"]
                if DATE_PLACEHOLDER in dataset["dataLocation"]
            },
            accepts_foreign_data=run["request"].get("skipImport", False),
            existing_version_arn=self._planned_solution["existingVersionArn"],
            created_since=created_since,
            max_trainings_per_month=choose_monthly_limit(settings, run),
            durations=self._planned_solution["durations"],
            max_hours=settings["limits"]["maxTrainingHours"],
        )

    def poll(self) -> SolutionState:
        """Read the solution, all its versions, and the jobs of its dataset group.

        If this run has created the version, or only deploys it, the version itself is enough. But
        while the run waits for an earlier run's training, new data would make its version useless,
        so the rules need everything.
        """
        version_arn = self.spec.existing_version_arn or self.progress.version_arn
        if version_arn:
            version = self._solution_reader.find_version_with_tags(version_arn)
            # Personalize may not find a version that was just created.
            if version and self.spec.is_version_for_run(version):
                return SolutionState(versions=[version])

        client = aws.personalize_read_client()
        response = client.describe_solution(solutionArn=self._planned_solution["solutionArn"])
        group_arn = response["solution"]["datasetGroupArn"]
        return self._solution_reader.read_state(
            response["solution"],
            imports=self._import_reader.list_group_imports(group_arn),
            deletions=list_deletions(client, group_arn),
        )

    def act(self, action: Action) -> None:
        """Carry out the action of a step."""
        match action:
            case StopTraining(version_arn):
                stop_training(aws.personalize_write_client(), version_arn)
            case StartTraining(digest):
                self._create_version(digest)

    def _create_version(self, digest: str) -> None:
        """Start the training, with tags that let later runs recognize the version.

        The tags are part of the request, so that a failure can't leave a version without them.
        """
        name = self._planned_solution["versionName"]
        tags = {**self._tags, RUN_TAG: self.spec.run_id, DIGEST_TAG: digest}

        with track_create_request(self.progress, name):
            response = aws.personalize_write_client().create_solution_version(
                name=name,
                solutionArn=self._planned_solution["solutionArn"],
                trainingMode=self._planned_solution["trainingMode"],
                tags=build_api_tags(tags),
            )
            self.progress.version_arn = response["solutionVersionArn"]

    def build_status(self, result: InvocationResult[SolutionState]) -> TrainingStatus:
        """Build the status, with the version that the run waits for or deploys."""
        version_arn = self.progress.version_arn
        version = None
        is_new = False
        training_hours = None
        for polled_version in result.state.versions:
            if polled_version.arn == version_arn:
                version = polled_version
                is_new = version.run_id == self.spec.run_id
                training_hours = version.training_hours

        # A version that was just created isn't among those of the last poll.
        return {
            **result.build_status(self.progress, version, self.progress.warnings),
            "arn": version_arn,
            "isNew": is_new,
            "trainingHours": training_hours,
        }
