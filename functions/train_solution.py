"""Trains a solution: polls, decides and acts until the solution has its version."""

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
    """Train the solution until it has an outcome, or has to wait for long."""
    solution_arn = event["solution"]["solutionArn"]
    job = SolutionTraining(event)
    item = job.item(reconcile(job.poll, trainings.decide, job.act, job.spec, job.progress))
    if item["outcome"] and not event["solution"]["existingVersionArn"]:
        hours = {"TrainingHours": item["trainingHours"]}
        metrics.write(pipeline_name(event["settings"]), hours, Solution=name_of(solution_arn))
    return log_item("train_solution", event["run"], item["arn"] or solution_arn, item)


class SolutionTraining:
    """The training of one solution in one invocation. The item carries its progress on."""

    def __init__(self, event: SolutionIteration) -> None:
        settings = event["settings"]
        planned = event["solution"]
        run = event["run"]
        since = planned["requestedSince"]
        self._settings = settings
        self._planned = planned
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
        item = event["item"]
        self.progress = (
            from_document(TrainingProgress, item["progress"])
            if item
            else TrainingProgress(clock.now())
        )
        self._solutions = SolutionReader(aws.read_client())
        self._imports = ImportReader(aws.read_client(), self._settings["datasets"])

    def poll(self) -> SolutionState:
        """Return the solution, all its versions and the jobs of its group as they are now.

        If the version is given, or if this run has created it, nothing else is read, because the
        rules need nothing else. Personalize may not find a version that was just created.
        """
        known_arn = self.spec.version or self.progress.version
        version = self._solutions.version(known_arn) if known_arn else None
        if version and self.spec.is_for(version):
            return SolutionState(trainings=[version])

        client = aws.read_client()
        arn = self._planned["solutionArn"]
        solution = client.describe_solution(solutionArn=arn)["solution"]
        imports = self._imports.of_group(solution["datasetGroupArn"])
        deletions = list_deletions(client, solution["datasetGroupArn"])
        return self._solutions.solution(solution, imports, deletions)

    def act(self, action: Action) -> None:
        """Do what the rules have decided."""
        planned = self._planned
        match action:
            case Stop(arn):
                stop_training(aws.write_client(), arn)
            case Create(digest):
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
        """Return how far the training has come, and its version."""
        progress, state = self.progress, result.state
        version = next((item for item in state.trainings if item.arn == progress.version), None)
        return {
            **result.item(progress, version, progress.warnings),
            "arn": progress.version,
            "isOfRun": version is not None and version.run == self.spec.run,
            "trainingHours": version.hours if version else None,
        }
