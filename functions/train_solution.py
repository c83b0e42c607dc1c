"""Trains a solution: looks, decides and acts until the solution has its version."""

from . import metrics
from .contract import SolutionIteration, TrainingItem
from .log import log_item
from .personalize.trainings import SolutionTraining
from .reconcile import reconcile
from .texts import with_short_texts
from .workflow_settings import pipeline_name


@with_short_texts()
def handler(event: SolutionIteration, _context: object) -> TrainingItem:
    """Train the solution until it has an outcome, or has to wait for long."""
    settings, run, planned = event["settings"], event["run"], event["solution"]
    training = SolutionTraining(event)
    item = training.item(reconcile(training.look, training.decide, training.act))
    if item["outcome"] and item["isOfRun"]:
        solution = metrics.short_name(planned["solutionArn"])
        hours = {"TrainingHours": item["trainingHours"]}
        metrics.write(pipeline_name(settings), hours, Solution=solution)
    log_item("train_solution", run, item["arn"] or planned["solutionArn"], item)
    return item
