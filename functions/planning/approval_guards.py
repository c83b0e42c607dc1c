"""Checks a run that deploys a version which a person has approved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..personalize.approvals import answer_about, answer_error
from ..personalize.campaigns import live_version
from ..rules.trainings import newest_active
from .guards import guard
from .waiting_campaigns import moved_campaigns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..rules.trainings import Training
    from .situation import Situation


@guard("approval", "REFUSE", "solution")
def unapproved_deployment(situation: Situation) -> Iterator[str]:
    """Yield a message for a version that is not approved, or that a newer version has replaced."""
    arn = situation.run["request"].get("deploy")
    if arn is None:
        return
    version = situation.world.version_to_deploy
    if version is None:
        yield f"{arn} does not exist; take the ARN from the report that asks for the approval"
    elif not version.is_active:
        yield f"{arn} is {version.status}, so it cannot be deployed"
    else:
        yield from _answer_problems(situation, version)
        newer = list(_newer_versions(situation, version))
        yield from newer or _nowhere_to_deploy(situation, version)


def _nowhere_to_deploy(situation: Situation, version: Training) -> Iterator[str]:
    """Yield a message for each campaign if somebody has moved all of them meanwhile."""
    if len(moved_campaigns(situation, version)) == len(situation.solution["campaigns"]):
        yield from campaigns_moved_meanwhile.check(situation)


@guard("campaign moved by somebody", "WARN", "solution")
def campaigns_moved_meanwhile(situation: Situation) -> Iterator[str]:
    """Yield a message for each campaign that the approved version is not deployed to.

    Somebody has moved the campaign since the version was created, perhaps because of an incident,
    and the person who approves need not know that.
    """
    version = situation.world.version_to_deploy
    if version is not None:
        for arn, moved_version in moved_campaigns(situation, version).items():
            yield moved_message(arn, moved_version, version.arn)


def moved_message(campaign_arn: str, moved_version: str, version_arn: str) -> str:
    """Return a message about a campaign to which an approved version is not deployed."""
    return (
        f"{campaign_arn}: somebody has moved it to {moved_version} since {version_arn} was "
        "created, so an approval does not move it; to deploy the version there on purpose, without "
        f"a probe, use 'aws personalize update-campaign --campaign-arn {campaign_arn} "
        f"--solution-version-arn {version_arn}'"
    )


def _answer_problems(situation: Situation, version: Training) -> Iterator[str]:
    """Yield a message if nobody has approved the version in time."""
    approval, tags = situation.solution.get("approval"), situation.world.version_tags[version.arn]
    if approval is None:
        yield f"{situation.solution['solutionArn']} needs no approval; use retrain start"
    elif answer_about(tags, approval, situation.world.now) != "APPROVED":
        reason = answer_error(tags, approval, situation.world.now)
        reason = reason or "it waits for an answer"
        yield f"{version.arn} is not approved: {reason}; approve it with retrain approve"


def _newer_versions(situation: Situation, version: Training) -> Iterator[str]:
    """Yield a message if a newer version of the solution is served or waits for an answer."""
    created_at = {
        summary["solutionVersionArn"]: summary["creationDateTime"]
        for summary in situation.world.versions.get(situation.solution["solutionArn"], [])
    }
    for campaign in situation.solution["campaigns"]:
        described = situation.world.campaigns.get(campaign["campaignArn"])
        live = live_version(described) if described else None
        if live in created_at and created_at[live] > version.created_at:
            yield (
                f"{version.arn} is older than {live}, which {campaign['campaignArn']} serves; to "
                "go back to an earlier version, use retrain rollback"
            )
    newer = newest_active(situation.seen_solution.trainings) if situation.seen_solution else None
    if newer and newer.created_at > version.created_at:
        yield f"{version.arn} is older than {newer.arn}; only the newest version takes an answer"
