"""Trains a solution: polls, decides and acts until the solution has its version.

The rules are in `rules/trainings.py`. This module reads the state for them, and carries out their
actions.
"""

from datetime import datetime

from .common import (
    aws,
    clock,
    metrics,
)
from .common.formatting import resource_name
from .common.log import log_status
from .common.truncation import truncate_output
from .constants import TRAINING_HOURS
from .contract import (
    TrainingStatus,
    TrainSolutionInput,
    pipeline_name,
)
from .personalize.imports import ImportReader
from .personalize.lists import list_deletions
from .personalize.tags import (
    DIGEST_TAG,
    RUN_TAG,
    build_api_tags,
)
from .personalize.trainings import (
    SolutionReader,
    stop_training,
)
from .reconcile import (
    InvocationResult,
    reconcile,
    restore_progress,
    track_create_request,
)
from .rules.steps import (
    Action,
    Step,
)
from .rules.trainings import (
    Create,
    SolutionState,
    Stop,
    TrainingProgress,
    TrainingSpec,
    choose_monthly_limit,
    decide,
)
from .rules.versions import NO_VERSION


@truncate_output
def handler(event: TrainSolutionInput, _context: object) -> TrainingStatus:
    """Train the solution until there's an outcome, or the next poll is far off."""
    training = SolutionTraining(event)
    result = reconcile(training)

    status = training.build_status(result)
    solution_arn = event["solution"]["solutionArn"]
    # For an earlier run's version, the hours were published when its training ended.
    if status["outcome"] and not event["solution"]["existingVersionArn"]:
        hours = {TRAINING_HOURS: status["trainingHours"]}
        metrics.write(pipeline_name(event["settings"]), hours, Solution=resource_name(solution_arn))

    log_status("train_solution", event["run"], status["arn"] or solution_arn, status)
    return status


class SolutionTraining:
    """The part of a training that one invocation handles.

    `reconcile()` polls, decides and acts until there's an outcome or the invocation must end. Then
    `build_status` returns what the next invocation or the report needs.
    """

    def __init__(self, event: TrainSolutionInput) -> None:
        settings = event["settings"]
        run = event["run"]

        self._planned_training = event["solution"]
        self._tags = settings["tags"]
        self._reader = SolutionReader(aws.read_client())
        self._imports = ImportReader(aws.read_client(), settings["datasets"])

        requested_since = None
        if self._planned_training["requestedSince"]:
            requested_since = datetime.fromisoformat(self._planned_training["requestedSince"])

        self.progress = restore_progress(event["status"], TrainingProgress(clock.now()))
        self.spec = TrainingSpec(
            run_id=run["id"],
            datasets={
                dataset["datasetArn"]: dataset["importMode"] == "FULL"
                for dataset in settings["datasets"]
            },
            accepts_foreign=run["request"].get("skipImport", False),
            version_arn=self._planned_training["existingVersionArn"],
            requested_since=requested_since,
            max_per_month=choose_monthly_limit(settings, run),
            durations=self._planned_training["durations"],
            max_hours=settings["limits"]["maxTrainingHours"],
        )

    def poll(self) -> SolutionState:
        """Read the solution, all its versions, and the jobs of its dataset group.

        Once the run has a version of its own, only this version is read, because the rules need
        nothing else. An earlier run's version counts only as long as no data changes, so while
        the run waits for one, everything is read.
        """
        version_arn = self.spec.version_arn or self.progress.version_arn
        if version_arn:
            version = self._reader.find_version(version_arn)
            # Personalize may not find a version that was just created.
            if version and self.spec.is_for(version):
                return SolutionState(versions=[version])

        client = aws.read_client()
        response = client.describe_solution(solutionArn=self._planned_training["solutionArn"])
        group_arn = response["solution"]["datasetGroupArn"]
        return self._reader.read_state(
            response["solution"],
            imports=self._imports.list_group_imports(group_arn),
            deletions=list_deletions(client, group_arn),
        )

    def decide(self, state: SolutionState) -> Step:
        """Let the rules decide on the next step."""
        return decide(state, self.spec, self.progress, clock.now())

    def act(self, action: Action) -> None:
        """Carry out an action that the rules decided on."""
        match action:
            case Stop(version_arn):
                stop_training(aws.write_client(), version_arn)
            case Create(digest):
                self._create(digest)

    def _create(self, digest: str) -> None:
        """Start the training, tagged with the run and the digest.

        The tags are part of the request, so that a failure can't leave a version without them.
        """
        name = self._planned_training["versionName"]
        tags = {**self._tags, RUN_TAG: self.spec.run_id, DIGEST_TAG: digest}

        with track_create_request(self.progress, name):
            response = aws.write_client().create_solution_version(
                name=name,
                solutionArn=self._planned_training["solutionArn"],
                trainingMode=self._planned_training["trainingMode"],
                tags=build_api_tags(tags),
            )
            self.progress.version_arn = response["solutionVersionArn"]

    def build_status(self, result: InvocationResult[SolutionState]) -> TrainingStatus:
        """Return the status, with the version that the run waits for or deploys."""
        progress = self.progress
        versions = result.state.versions
        version = next(
            (version for version in versions if version.arn == progress.version_arn), None
        )

        # The last poll doesn't include a version that was just created.
        polled_version = version or NO_VERSION
        return {
            **result.build_status(progress, version, progress.warnings),
            "arn": progress.version_arn,
            "isNew": polled_version.run_id == self.spec.run_id,
            "trainingHours": polled_version.training_hours,
        }
