"""Trains a solution: polls, decides and acts until the solution has its version.

The rules are in `rules/trainings.py`. This module reads what they have to know, and sends what they
have decided.
"""

from datetime import datetime

from . import aws, clock, metrics
from .contract import SolutionIteration, TrainingItem, pipeline_name
from .log import log_item
from .personalize.imports import ImportReader
from .personalize.lists import list_deletions
from .personalize.tags import DIGEST, RUN, api_tags
from .personalize.trainings import SolutionReader, stop_training
from .reconcile import InvocationResult, creation, from_document, reconcile
from .rules import trainings
from .rules.steps import Action
from .rules.trainings import Create, SolutionState, Stop, TrainingProgress, TrainingSpec
from .texts import with_short_texts
from .words import name_of


@with_short_texts
def handler(event: SolutionIteration, _context: object) -> TrainingItem:
    """Train the solution until there's an outcome, or a long wait for the next poll."""
    solution_arn = event["solution"]["solutionArn"]
    job = SolutionTraining(event)
    item = job.item(reconcile(job.poll, trainings.decide, job.act, job.spec, job.progress))

    if item["outcome"] and not event["solution"]["existingVersionArn"]:
        hours = {"TrainingHours": item["trainingHours"]}
        metrics.write(pipeline_name(event["settings"]), hours, Solution=name_of(solution_arn))

    return log_item("train_solution", event["run"], item["arn"] or solution_arn, item)


class SolutionTraining:
    """The part of a training that happens in one invocation."""

    def __init__(self, event: SolutionIteration) -> None:
        settings = event["settings"]
        planned = event["solution"]
        run = event["run"]
        item = event["item"]
        self._settings = settings
        self._planned = planned

        since = planned["requestedSince"]
        self.spec = TrainingSpec(
            run=run["id"],
            datasets={
                dataset["datasetArn"]: dataset["importMode"] == "FULL"
                for dataset in settings["datasets"]
            },
            accepts_foreign=run["request"].get("skipImport", False),
            version=planned["existingVersionArn"],
            requested_since=datetime.fromisoformat(since) if since else None,
            max_per_month=trainings.monthly_limit(settings, run),
            durations=planned["durations"],
            max_hours=settings["limits"]["maxTrainingHours"],
        )
        if item:
            self.progress = from_document(TrainingProgress, item["progress"])
        else:
            self.progress = TrainingProgress(clock.now())

        self._solutions = SolutionReader(aws.read_client())
        self._imports = ImportReader(aws.read_client(), self._settings["datasets"])

    def poll(self) -> SolutionState:
        """Read the solution, all its versions, and the jobs of its dataset group.

        As soon as the run has its version, nothing else is read, because the rules need nothing
        else.
        """
        version_arn = self.spec.version or self.progress.version
        # Personalize may not find a version that was just created. Then it's None, too.
        version = self._solutions.version(version_arn) if version_arn else None
        if version and self.spec.is_for(version):
            return SolutionState(trainings=[version])

        client = aws.read_client()
        solution_arn = self._planned["solutionArn"]
        solution = client.describe_solution(solutionArn=solution_arn)["solution"]
        imports = self._imports.of_group(solution["datasetGroupArn"])
        deletions = list_deletions(client, solution["datasetGroupArn"])
        return self._solutions.solution(solution, imports, deletions)

    def act(self, action: Action) -> None:
        """Do what the rules have decided."""
        match action:
            case Stop(arn):
                stop_training(aws.write_client(), arn)
            case Create(digest):
                self._create(digest)

    def _create(self, digest: str) -> None:
        """Start the training. Its tags say which run did so, and on which data."""
        planned = self._planned
        tags = {**self._settings["tags"], RUN: self.spec.run, DIGEST: digest}

        with creation(self.progress, planned["versionName"]):
            response = aws.write_client().create_solution_version(
                name=planned["versionName"],
                solutionArn=planned["solutionArn"],
                trainingMode=planned["trainingMode"],
                tags=api_tags(tags),
            )
            self.progress.version = response["solutionVersionArn"]

    def item(self, result: InvocationResult[SolutionState]) -> TrainingItem:
        """Return the item, with the version that the run waits for or deploys."""
        progress = self.progress
        versions = result.state.trainings
        version = next((version for version in versions if version.arn == progress.version), None)

        return {
            **result.item(progress, version, progress.warnings),
            "arn": progress.version,
            "isOfRun": version is not None and version.run == self.spec.run,
            "trainingHours": version.hours if version else None,
        }
