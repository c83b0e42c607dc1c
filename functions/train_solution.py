"""Trains a solution: polls, decides and acts until the solution has its version."""

from contextlib import suppress
from datetime import datetime

from . import aws, clock, metrics
from .contract import SolutionIteration, TrainingItem, pipeline_name
from .log import log_item
from .personalize.imports import ImportReader
from .personalize.lists import list_deletions
from .personalize.tags import DIGEST, RUN, api_tags
from .personalize.trainings import SolutionReader, stop_training, wanted_training
from .reconcile import InvocationResult, creation, from_document, reconcile
from .rules import trainings
from .rules.steps import Action
from .rules.trainings import Create, Memory, SeenSolution, Stop
from .texts import with_short_texts
from .words import name_of


@with_short_texts
def handler(event: SolutionIteration, _context: object) -> TrainingItem:
    """Train the solution until it has an outcome, or has to wait for long."""
    solution_arn = event["solution"]["solutionArn"]
    job = SolutionTraining(event)
    item = job.item(reconcile(job.poll, trainings.decide, job.act, job.wanted, job.memory))
    if item["outcome"] and not event["solution"]["existingVersionArn"]:
        hours = {"TrainingHours": item["trainingHours"]}
        solution = name_of(solution_arn)
        metrics.write(pipeline_name(event["settings"]), hours, Solution=solution)
    return log_item("train_solution", event["run"], item["arn"] or solution_arn, item)


class SolutionTraining:
    """The training of one solution in one invocation. The item carries its memory to the next."""

    def __init__(self, event: SolutionIteration) -> None:
        self._settings, self._planned = event["settings"], event["solution"]
        since = self._planned["requestedSince"]
        self.wanted = wanted_training(
            self._settings,
            event["run"],
            requested_since=datetime.fromisoformat(since) if since else None,
            version=self._planned["existingVersionArn"],
            durations=self._planned["durations"],
        )
        item = event["item"]
        self.memory = from_document(Memory, item["memory"]) if item else Memory(clock.now())
        self._solutions = SolutionReader(aws.read_client())
        self._imports = ImportReader(aws.read_client(), self._settings["datasets"])

    def poll(self) -> SeenSolution:
        """Return the solution, all its versions and the jobs of its group as they are now.

        If the version is given, or if this run has created it, nothing else is read, because the
        rules need nothing else. Personalize may not find a version that was just created.
        """
        client = aws.read_client()
        if known_arn := self.wanted.version or self.memory.version:
            with suppress(client.exceptions.ResourceNotFoundException):
                version = self._solutions.training(known_arn)
                if known_arn == self.wanted.version or version.run == self.wanted.run:
                    return SeenSolution(config="", imports=(), trainings=[version])
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
                tags = {**self._settings["tags"], RUN: self.wanted.run, DIGEST: digest}
                with creation(self.memory, planned["versionName"]):
                    response = aws.write_client().create_solution_version(
                        name=planned["versionName"],
                        solutionArn=planned["solutionArn"],
                        trainingMode=planned["trainingMode"],
                        tags=api_tags(tags),
                    )
                    self.memory.version = response["solutionVersionArn"]

    def item(self, progress: InvocationResult[SeenSolution]) -> TrainingItem:
        """Return how far the training has come, and its version."""
        memory, seen = self.memory, progress.seen
        version = next((item for item in seen.trainings if item.arn == memory.version), None)
        return {
            **progress.item(memory, version, memory.warnings),
            "arn": memory.version,
            "isOfRun": version is not None and version.run == self.wanted.run,
            "trainingHours": version.hours if version else None,
        }
