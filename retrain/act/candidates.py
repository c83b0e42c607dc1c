"""Finds the version that a person approves or refuses, and what would become of it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from functions.common import clock
from functions.common.messages import format_message, join_reasons
from functions.personalize.approvals import find_approval_status
from functions.personalize.campaigns import add_versions, read_campaign_state
from functions.personalize.statuses import is_active, is_running
from functions.personalize.tags import RUN_TAG, read_tags
from functions.personalize.trainings import find_version, list_versions, read_version
from functions.rules.campaigns import DeploymentProgress
from functions.rules.deployments import decide, needs_run
from functions.rules.trainings import MONTH
from functions.run.deployment_spec import build_deployment_spec
from retrain.account.errors import FailedError, OperatorError
from retrain.look.versions import explain_no_answer
from retrain.names import is_named, short_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from functions.contract import MetricComparison, SolutionSettings, Tags
    from functions.rules.campaigns import CampaignState
    from functions.rules.steps import Step
    from retrain.account.target import Target


class ExpectedDeployment(NamedTuple):
    """What a run would do at a campaign if the version was approved."""

    campaign_arn: str
    served_arn: str | None
    comparisons: Sequence[MetricComparison]
    """What the quality gate compares. Empty if another rule decides before the gate does."""
    obstacle: str | None
    """Why no run deploys the version there, or None."""


class TrainedVersion(NamedTuple):
    """A version that a run has trained."""

    arn: str
    tags: Tags
    is_active: bool


class Candidate(NamedTuple):
    """A version of a solution whose versions need an approval."""

    arn: str
    tags: Tags
    newer_arns: Sequence[str]
    """The newer versions, which runs prefer if they're approved."""
    is_approved: bool = False
    deployments: Sequence[ExpectedDeployment] = ()
    error: str | None = None
    """Why the version doesn't take the answer of the command, or None if it does."""


def choose_candidate(target: Target, name: str | None, *, refuse: bool) -> Candidate:
    """Choose the version with this name, or the only version that takes the answer.

    Raises FailedError if it takes no answer, and OperatorError if it is not clear which is meant.
    """
    candidates = _list_candidates(target, name, refuse=refuse)
    waiting = [candidate for candidate in candidates if candidate.error is None]
    if not waiting:
        reasons = [f"{short_name(candidate.arn)}: {candidate.error}" for candidate in candidates]
        raise FailedError("; ".join(["no version is waiting for approval", *reasons]))
    if len(waiting) > 1:
        names = ", ".join(short_name(candidate.arn) for candidate in waiting)
        raise OperatorError(f"{len(waiting)} versions wait for an approval; name one of {names}")
    return waiting[0]


def _list_candidates(target: Target, name: str | None, *, refuse: bool) -> list[Candidate]:
    """List a candidate for each solution with an approval, or only the one with this name.

    Raises OperatorError if there is none with this name.
    """
    candidates: list[Candidate] = []
    for solution in target.settings["solutions"]:
        if solution["approval"]:
            candidates += _find_candidate(target, solution, name, refuse=refuse)

    if name is not None and not candidates:
        raise OperatorError(
            f"{name!r} is not a version of the last month that a run has trained for a solution "
            "with an approval; retrain history lists the versions"
        )
    return candidates


def _find_candidate(
    target: Target, solution: SolutionSettings, name: str | None, *, refuse: bool
) -> list[Candidate]:
    """Find the newest version of a solution that takes the answer, or else the newest one.

    With a name, only the version with this name counts. The list is empty if there is none.
    """
    candidates: list[Candidate] = []
    newer_arns: list[str] = []
    for version in _list_trained_versions(target, solution):
        is_meant = name is None or is_named(version.arn, name)
        if version.is_active and is_meant:
            unjudged = Candidate(version.arn, version.tags, [*newer_arns])
            candidate = _judge_candidate(target, solution, unjudged, refuse=refuse)
            if candidate.error is None:
                return [candidate]
            candidates.append(candidate)
        newer_arns.append(version.arn)

    return candidates[:1]


def _list_trained_versions(target: Target, solution: SolutionSettings) -> Iterator[TrainedVersion]:
    """Yield the versions of the last month that runs have trained, newest first.

    No run deploys the others any more, even if somebody approves them.
    """
    client = target.access.personalize
    for version in list_versions(client, solution["solutionArn"]):
        status = version["status"]
        is_recent = version["creationDateTime"] > clock.now() - MONTH
        if not is_recent or not (is_active(status) or is_running(status)):
            continue

        version_arn = version["solutionVersionArn"]
        tags = read_tags(client, version_arn)
        if RUN_TAG in tags:
            yield TrainedVersion(version_arn, tags, is_active(status))


def _judge_candidate(
    target: Target, solution: SolutionSettings, candidate: Candidate, *, refuse: bool
) -> Candidate:
    """Add what would become of a version, and whether it takes the answer."""
    approval = solution["approval"]
    assert approval is not None, "the solution needs an approval"
    answer = find_approval_status(candidate.tags, approval, clock.now())
    candidate = candidate._replace(is_approved=answer == "APPROVED")

    # An approval may be given again, because its execution may not have been started.
    is_repeated_approval = candidate.is_approved and not refuse
    if answer != "REQUESTED" and not is_repeated_approval:
        return candidate._replace(error=explain_no_answer(candidate.tags, approval))

    deployments = [
        _predict_deployment(target, solution, campaign["campaignArn"], candidate.arn)
        for campaign in solution["campaigns"]
    ]
    error = None
    if not refuse:
        error = _explain_useless_approval(deployments)
    return candidate._replace(deployments=deployments, error=error)


def _explain_useless_approval(deployments: Sequence[ExpectedDeployment]) -> str | None:
    """Explain why no campaign would get the version, or return None if one would."""
    obstacles = [deployment.obstacle for deployment in deployments if deployment.obstacle]
    if len(obstacles) < len(deployments):
        return None
    return "; ".join(obstacles) or "its solution has no campaign"


def _predict_deployment(
    target: Target, solution: SolutionSettings, campaign_arn: str, version_arn: str
) -> ExpectedDeployment:
    """Predict what a run would do at a campaign if the version was approved."""
    campaign, step = _decide_first_step(target, solution, campaign_arn, version_arn)

    obstacle = None
    if not needs_run(step):
        reason = join_reasons(step.reasons or [str(step.outcome)])
        reason_text = format_message(reason, target.options)
        obstacle = f"no run deploys it to {short_name(campaign_arn)}: {reason_text}"
    return ExpectedDeployment(
        campaign_arn=campaign_arn,
        served_arn=campaign.served_version_arn,
        comparisons=step.progress_changes.get("metrics", ()),
        obstacle=obstacle,
    )


def _decide_first_step(
    target: Target, solution: SolutionSettings, campaign_arn: str, version_arn: str
) -> tuple[CampaignState, Step]:
    """Read a campaign, and let the rules decide on the first step of deploying a version there.

    It's the code of the pipeline that decides, so that the answer is the same as in the run.
    """
    client = target.access.personalize
    now = clock.now()
    spec = build_deployment_spec(
        target.settings, solution, campaign_arn, version_arn, is_candidate_from_earlier_run=True
    )
    # The question is what happens once the version is approved.
    spec = replace(spec, approval=None)

    campaign = add_versions(
        read_campaign_state(client, campaign_arn, solution["solutionArn"]),
        spec,
        find_version=partial(find_version, client),
        read_version=partial(read_version, client, solution),
        now=now,
    )
    return campaign, decide(campaign, spec, DeploymentProgress(began_at=now), now)
