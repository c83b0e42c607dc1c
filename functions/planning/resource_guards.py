"""Checks that the datasets, solutions and campaigns exist, are usable and belong together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..personalize.statuses import ACTIVE, is_active, is_deleted
from .guards import guard

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .situation import Situation


@guard("datasets", "REFUSE", "run")
def inactive_datasets(situation: Situation) -> Iterator[str]:
    """Yield a message for a dataset or dataset group that does not exist or is not ACTIVE."""
    world = situation.world
    for dataset in situation.settings["datasets"]:
        yield from _missing_or_inactive(dataset["datasetArn"], world.datasets)
    for group_arn in world.dataset_groups:
        yield from _missing_or_inactive(group_arn, world.dataset_groups)


@guard("solutions and campaigns", "REFUSE", "solution")
def unusable_solution(situation: Situation) -> Iterator[str]:
    """Yield a message for a solution or campaign that does not exist or is not usable.

    The solution must belong to the dataset group, and the campaign to the solution.
    """
    world, arn = situation.world, situation.solution["solutionArn"]
    yield from _missing_or_inactive(arn, world.solutions)
    solution, groups = world.solutions.get(arn), world.dataset_groups
    if solution and groups and solution["datasetGroupArn"] not in groups:
        group = solution["datasetGroupArn"]
        yield (
            f"{arn}: belongs to {group}, but the datasets of this stack belong to "
            f"{', '.join(groups)}; "
            f"correct the ARN, or give {group} a stack of its own"
        )
    for campaign in situation.solution["campaigns"]:
        yield from _unusable_campaign(situation, campaign["campaignArn"])


def _missing_or_inactive(arn: str, resources: Mapping[str, object]) -> Iterator[str]:
    """Yield a message if the resource does not exist or is not ACTIVE.

    `resources` maps the ARN of each resource that exists to its description.
    """
    resource = resources.get(arn)
    if not isinstance(resource, dict):
        yield f"{arn}: does not exist; create it, or correct the ARN in the stack's config"
    elif not is_active(resource["status"]):
        yield (
            f"{arn}: its status is {resource['status']}, but it has to be {ACTIVE}; wait if "
            "it is being created, otherwise repair it or take it out of the config"
        )


def _unusable_campaign(situation: Situation, arn: str) -> Iterator[str]:
    """Yield a message if the campaign is missing, deleted, or serves another solution.

    Its status need not be ACTIVE.
    """
    campaign = situation.world.campaigns.get(arn)
    solution_arn = situation.solution["solutionArn"]
    if campaign is None:
        yield f"{arn}: does not exist; create it, or take it out of the stack's config"
    elif is_deleted(campaign["status"]):
        yield f"{arn}: its status is {campaign['status']}; take it out of the stack's config"
    elif not campaign["solutionVersionArn"].startswith(f"{solution_arn}/"):
        yield (
            f"{arn}: serves {campaign['solutionVersionArn']}, which is not a version of "
            f"{solution_arn}; move the campaign to the solution of that version in the config"
        )
