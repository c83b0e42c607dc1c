"""Deploys a version to a campaign: judge it, put it on trial, then keep it or go back."""

from . import metrics
from .contract import CampaignIteration, DeploymentItem
from .log import log_item
from .personalize.deployments import Deploying
from .texts import with_short_texts


@with_short_texts()
def handler(event: CampaignIteration, _context: object) -> DeploymentItem:
    """Look, decide and act, until there is an outcome or the next look is later."""
    settings, arn = event["settings"], event["campaign"]["campaignArn"]
    deploying = Deploying(event)
    item = deploying.deploy()
    solution_arn = deploying.solution["solutionArn"]
    if compared := deploying.gate.last:
        metrics.write_offline_metrics(settings, solution_arn, compared.new, compared.live)
    if update := deploying.ended_update:
        metrics.write_update(settings, solution_arn, update)
    return log_item("deploy_version", event["run"], arn, item)
