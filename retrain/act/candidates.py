"""Finds the *candidate*, the version to approve or refuse, and predicts where runs deploy it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from functions.common import clock
from functions.common.messages import format_message, join_reasons
from functions.personalize.approvals import find_approval_status
from functions.personalize.campaigns import add_versions, read_campaign_state
from functions.personalize.imports import ImportReader
from functions.personalize.tags import RUN_TAG, read_tags
from functions.personalize.trainings import find_version, list_untagged_versions, read_version
from functions.rules.campaigns import DeploymentProgress
from functions.rules.deployments import decide, needs_run
from functions.rules.trainings import MONTH
from functions.run.deployment_spec import build_deployment_spec
from retrain.account.errors import FailedError, OperatorError
from retrain.look.versions import explain_no_answer
from retrain.names import is_named, short_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from functions.contract import MetricComparison, SolutionSettings, Tags
    from functions.personalize.approvals import ApprovalStatus
    from functions.rules.campaigns import CampaignState
    from functions.rules.steps import Step
    from functions.rules.versions import SolutionVersion
    from retrain.account.target import Target


class Candidate(NamedTuple):
    """A solution version that needs approval before a run may deploy it."""

    solution: SolutionSettings
    arn: str
    tags: Tags
    answer: ApprovalStatus | None
    """The approval status, or None if nobody has requested approval, or if the request expired."""
    newer_arns: Sequence[str]
    """The ARNs of newer versions, because a run prefers any of these that is approved as well."""

    def takes_answer(self, *, refuse: bool) -> bool:
        """Return True if a person can approve the version, or if `refuse` is True, refuse it.

        An approved version can be approved again, because the execution that deploys it may have
        failed to start.
        """
        return self.answer == "REQUESTED" or (self.answer == "APPROVED" and not refuse)

    def explain_unanswerable(self) -> str:
        """Explain why the version can't be approved or refused."""
        approval = self.solution["approval"]
        assert approval is not None, "the solution needs an approval"
        return f"{short_name(self.arn)}: {explain_no_answer(self.tags, approval)}"


class ExpectedDeployment(NamedTuple):
    """Whether a run would deploy the candidate to a campaign after an approval, and why not."""

    campaign_arn: str
    served_arn: str | None
    comparisons: Sequence[MetricComparison]
    """The quality gate's metric comparisons, empty if a run would decide without the gate."""
    obstacle: str | None
    """Why no run would deploy the candidate to the campaign, or None if one would."""


def choose_candidate(target: Target, name: str | None, *, refuse: bool) -> Candidate:
    """Return the version that the operator named, or else the only one waiting for approval.

    Raises:
        FailedError: no version is waiting for approval, or the named version isn't.
        OperatorError: the name is unknown, or several versions are waiting and none was named.
    """
    candidates = _find_candidates(target, name)
    waiting = _keep_newest(
        candidate for candidate in candidates if candidate.takes_answer(refuse=refuse)
    )
    if not waiting:
        reasons = [candidate.explain_unanswerable() for candidate in _keep_newest(candidates)]
        raise FailedError("; ".join(["no version is waiting for approval", *reasons]))

    if len(waiting) > 1:
        names = ", ".join(short_name(candidate.arn) for candidate in waiting)
        raise OperatorError(f"{len(waiting)} versions wait for an approval; name one of {names}")
    return waiting[0]


def _find_candidates(target: Target, name: str | None) -> list[Candidate]:
    """List the candidates with this name, or all candidates if it's None.

    Raises OperatorError if no candidate has this name.
    """
    candidates = _list_candidates(target)
    if name is None:
        return list(candidates)

    named_candidates = [candidate for candidate in candidates if is_named(candidate.arn, name)]
    if not named_candidates:
        raise OperatorError(
            f"{name!r} is not a version of the last month that a run has trained for a solution "
            "with an approval; retrain history lists the versions"
        )
    return named_candidates


def _keep_newest(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Keep only the newest version of each solution. The candidates are sorted, newest first."""
    newest: dict[str, Candidate] = {}
    for candidate in candidates:
        newest.setdefault(candidate.solution["solutionArn"], candidate)
    return list(newest.values())


def _list_candidates(target: Target) -> Iterator[Candidate]:
    """Yield the ACTIVE versions that runs may deploy after an approval.

    For each solution that needs approvals, these are versions of the last month, newest first.
    """
    for solution in target.settings["solutions"]:
        if solution["approval"] is None:
            continue

        newer_arns: list[str] = []
        for version, tags in _list_deployable_versions(target, solution):
            if version.is_active:
                answer = find_approval_status(tags, solution["approval"], clock.now())
                yield Candidate(solution, version.arn, tags, answer, [*newer_arns])
            newer_arns.append(version.arn)


def _list_deployable_versions(
    target: Target, solution: SolutionSettings
) -> Iterator[tuple[SolutionVersion, Tags]]:
    """Yield the versions of the last month that runs may deploy, with their tags, newest first.

    Unless Personalize trains the solution, runs only deploy versions that were trained by a run, so
    there's no point in approving any other version.
    """
    client = target.access.personalize
    for version in list_untagged_versions(client, solution["solutionArn"]):
        has_failed = not (version.is_active or version.is_running)
        if has_failed or version.created_at <= clock.now() - MONTH:
            continue

        tags = read_tags(client, version.arn)
        if solution["trainedBy"] == "personalize" or RUN_TAG in tags:
            yield version, tags


def predict_deployments(target: Target, candidate: Candidate) -> list[ExpectedDeployment]:
    """Predict for each campaign whether a run would deploy the candidate after an approval."""
    return [
        _predict_deployment(target, candidate, campaign["campaignArn"])
        for campaign in candidate.solution["campaigns"]
    ]


def _predict_deployment(
    target: Target, candidate: Candidate, campaign_arn: str
) -> ExpectedDeployment:
    """Predict whether a run would deploy the candidate to one campaign."""
    campaign, step = _decide_first_step(target, candidate, campaign_arn)
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
    target: Target, candidate: Candidate, campaign_arn: str
) -> tuple[CampaignState, Step]:
    """Read the state of a campaign, and find out what a run would do first to deploy the candidate.

    We apply the same rules as a run, so that the prediction agrees with what a run does later.
    """
    client = target.access.personalize
    now = clock.now()
    solution = candidate.solution
    spec = build_deployment_spec(
        target.settings, solution, campaign_arn, candidate.arn, is_candidate_from_earlier_run=True
    )
    # Predict as if the candidate was already approved.
    spec = replace(spec, approval=None)

    import_reader = ImportReader(client, target.settings["datasets"])
    campaign = add_versions(
        read_campaign_state(client, campaign_arn, solution["solutionArn"]),
        spec,
        find_version=partial(find_version, client),
        read_version=partial(read_version, client, solution, import_reader),
        now=now,
    )
    return campaign, decide(campaign, spec, DeploymentProgress(began_at=now), now)
