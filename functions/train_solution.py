"""Trains a solution: looks, decides and acts until the solution has its version."""

from . import metrics
from .contract import SolutionIteration, TrainingItem
from .log import log_item
from .personalize.trainings import SolutionTraining
from .texts import with_short_texts
from .workflow_settings import pipeline_name


@with_short_texts()
def handler(event: SolutionIteration, _context: object) -> TrainingItem:
    """Train the solution until it has an outcome, or has to wait for long."""
    settings, run, planned = event["settings"], event["run"], event["solution"]
    item = SolutionTraining(event).item()
    if item["outcome"] and item["isOfRun"]:
        solution = metrics.short_name(planned["solutionArn"])
        hours = {"TrainingHours": item["trainingHours"]}
        metrics.write(pipeline_name(settings), hours, Solution=solution)
    return log_item("train_solution", run, item["arn"] or planned["solutionArn"], item)
