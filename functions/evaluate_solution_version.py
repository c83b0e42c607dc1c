"""Judges the offline metrics of a new version for a campaign."""

from . import metrics
from .aws import write_client
from .contract import CampaignIteration, Evaluation
from .log import log_campaign
from .personalize.evaluate import evaluate_solution_version
from .texts import with_short_texts


@with_short_texts()
def handler(event: CampaignIteration, _context: object) -> Evaluation:
    """Judge the new version against the version that the campaign serves."""
    settings, solution_arn = event["settings"], event["solutionArn"]
    arn = event["campaign"]["campaignArn"]
    judgement = evaluate_solution_version(
        write_client(), settings, solution_arn, arn, event["version"]
    )
    metrics.write_offline_metrics(
        settings, solution_arn, judgement.new_metrics, judgement.live_metrics
    )
    evaluation = judgement.evaluation
    log_campaign("evaluate_solution_version", event["run"], arn, evaluation["verdict"])
    return evaluation
