"""Judge the new version against the one that a campaign serves."""

from .documents import CampaignIteration, Evaluation
from .evaluation import evaluate_solution_version
from .log import log_campaign
from .personalize import writer


def handler(event: CampaignIteration, _context: object) -> Evaluation:
    """Judge the new version against the one that a campaign serves."""
    campaign = event["campaign"]
    judged = evaluate_solution_version(writer(), campaign, event["version"], event["qualityGate"])
    arn, verdict = campaign["campaignArn"], judged["verdict"]
    log_campaign("evaluate_solution_version", event["run"], arn, verdict)
    return judged
