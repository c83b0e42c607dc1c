"""Judge the new version against the one that a campaign serves."""

from .aws import writer
from .contract import CampaignIteration, Evaluation
from .log import log_campaign
from .personalize.evaluate import evaluate_solution_version


def handler(event: CampaignIteration, _context: object) -> Evaluation:
    """Judge the new version against the one that a campaign serves."""
    campaign = event["campaign"]
    judged = evaluate_solution_version(writer(), campaign, event["version"], event["qualityGate"])
    arn, verdict = campaign["campaignArn"], judged["verdict"]
    log_campaign("evaluate_solution_version", event["run"], arn, verdict)
    return judged
