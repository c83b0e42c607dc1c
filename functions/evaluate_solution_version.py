"""Judge the new version against the one that a campaign serves."""

from .documents import CampaignIteration, Evaluation
from .evaluation import evaluate_solution_version
from .personalize import reader


def handler(event: CampaignIteration, _context: object) -> Evaluation:
    """Judge the new version against the one that a campaign serves."""
    return evaluate_solution_version(
        reader(), event["campaign"], event["version"], event["qualityGate"]
    )
