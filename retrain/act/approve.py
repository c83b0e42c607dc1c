"""The command `approve`: the answer of a person about a version that is waiting for approval."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial
from json import dumps
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from functions.common import clock
from functions.common.formatting import format_metric_lines
from functions.common.hashes import compute_short_hash
from functions.common.messages import (
    format_message,
    join_reasons,
)
from functions.personalize.approvals import build_approval_tags, find_approval_status
from functions.personalize.campaigns import (
    add_versions,
    read_campaign_state,
)
from functions.personalize.statuses import is_active, is_running
from functions.personalize.tags import APPROVAL_TAG, RUN_TAG, read_tags, write_tags
from functions.personalize.trainings import (
    find_version,
    list_versions,
    read_metrics,
    read_version,
)
from functions.rules.campaigns import DeploymentProgress
from functions.rules.deployments import decide, needs_run
from functions.rules.trainings import MONTH
from functions.run.deployment_spec import build_deployment_spec
from retrain.account.errors import AWS_ERRORS, FailedError, OperatorError, aws_error
from retrain.account.output import confirm, print_command, print_json, print_message, print_result
from retrain.account.target import Target
from retrain.look.runs import find_run_id, list_running_executions
from retrain.look.versions import build_deletion_warning, explain_no_answer
from retrain.names import is_named, short_name
from retrain.options import JsonOption, RefuseOption, VersionArgument, YesOption, command

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mypy_boto3_personalize import PersonalizeClient

    from functions.contract import MetricComparison, SolutionSettings, Tags
    from functions.personalize.approvals import ApprovalStatus
    from functions.rules.campaigns import CampaignState
    from functions.rules.steps import Step


class Candidate(NamedTuple):
    """A version of a solution whose versions need an approval."""

    arn: str
    tags: Tags
    answer: str | None
    """The answer that counts now (`find_approval_status`)."""
    error: str | None
    """Why the version does not take the answer of the command, or None if it does."""
    newer_arns: Sequence[str] = ()
    """The newer versions, to which runs prefer none but an approved one."""
    served: Mapping[str, str | None] = MappingProxyType({})
    """Campaign ARN -> the version that it serves."""
    compared: Mapping[str, Sequence[MetricComparison]] = MappingProxyType({})
    """Campaign ARN -> what the quality gate has compared, which is empty if it did not come to it.
    """
    obstacles: Sequence[str] = ()
    """Why the version is not deployed to a campaign, for each such campaign."""


@command
def approve(
    target: Target,
    *,
    version: VersionArgument = None,
    refuse: RefuseOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> int:
    """Approve a version that is waiting for approval, and start its deployment. Or refuse it.

    For example: retrain approve movies/1a2b3c4d --stack prod

    An execution checks the quality gate again, and probes the campaigns like any run. If it could
    not be started, approve the version again.

    Exit code 0: the execution was started, or with --refuse the version is refused.
    Exit code 1: the version does not wait for an approval, or you answered no.
    Exit code 2: the pipeline or the version was not found.
    """
    candidate = _choose_candidate(target, version, refuse=refuse)
    client = target.access.personalize
    name = short_name(candidate.arn)
    if not yes:
        for line in _compare_metrics(client, candidate):
            print_message(line)
    if not refuse:
        for warning in _list_warnings(target, candidate):
            print_message(f"warning: {warning}")

    answer: ApprovalStatus = "REFUSED" if refuse else "APPROVED"
    confirm(f"{'Never deploy' if refuse else 'Deploy'} {name}?", "nothing was changed", yes=yes)
    tags = candidate.tags
    if candidate.answer != answer:
        tags = build_approval_tags(answer, clock.now(), target.access.caller_in_tag())
        write_tags(client, candidate.arn, tags)
    started_arn = None
    if not refuse:
        started_arn = _start_deployment(target, candidate.arn, tags)

    if as_json:
        print_json({"versionArn": candidate.arn, "answer": answer, "executionArn": started_arn})
    elif started_arn:
        print_result(f"{name} is approved, and a run deploys it")
        run_id = started_arn.rpartition(":")[2]
        print_command("To follow the run", target.command("watch", "--run", run_id))
    else:
        print_result(f"{name} is refused; the campaigns keep the versions that they serve")
        train_again = target.command("start", "--skip-import", "--force")
        print_command("To train again on the same data", train_again)
    return 0


def _list_warnings(target: Target, candidate: Candidate) -> Iterator[str]:
    """Yield what speaks against an approval, or delays the deployment."""
    yield from candidate.obstacles
    warning = build_deletion_warning(target.access.personalize, candidate.arn)
    if warning:
        yield warning

    for newer_arn in candidate.newer_arns:
        yield (
            f"{short_name(newer_arn)} is newer; where it passes the quality gate and a person has "
            f"approved it, runs deploy it instead of {short_name(candidate.arn)}"
        )
    for execution in list_running_executions(target):
        run_id = find_run_id(target, execution)
        yield f"the run {run_id} is under way; the deployment waits for its end"


def _choose_candidate(target: Target, name: str | None, *, refuse: bool) -> Candidate:
    """Choose the version with this name, or the only version that takes the answer.

    Raises FailedError if it takes no answer, and OperatorError if it is not clear which is meant.
    """
    candidates = []
    for solution in target.settings["solutions"]:
        if solution["approval"]:
            candidate = _find_candidate(target, solution, name, refuse=refuse)
            if candidate is not None:
                candidates.append(candidate)
    if name is not None and not candidates:
        raise OperatorError(
            f"{name!r} is not a version of the last month that a run has trained for a solution "
            "with an approval; retrain history lists the versions"
        )

    waiting = [candidate for candidate in candidates if candidate.error is None]
    if len(waiting) > 1:
        names = ", ".join(short_name(candidate.arn) for candidate in waiting)
        raise OperatorError(f"{len(waiting)} versions wait for an approval; name one of {names}")
    if waiting:
        return waiting[0]

    reasons = [f"{short_name(candidate.arn)}: {candidate.error}" for candidate in candidates]
    raise FailedError("; ".join(["no version is waiting for approval", *reasons]))


def _find_candidate(
    target: Target, solution: SolutionSettings, name: str | None, *, refuse: bool
) -> Candidate | None:
    """Find the newest version of a solution that takes the answer, or else the newest one.

    With a name, only the version of this name counts.
    """
    candidates: list[Candidate] = []
    newer_arns: list[str] = []
    for arn, status, tags in _list_trained_versions(target, solution):
        if is_active(status) and (name is None or is_named(arn, name)):
            candidate = _judge_candidate(target, solution, arn, tags, newer_arns, refuse=refuse)
            if candidate.error is None:
                return candidate
            candidates.append(candidate)
        newer_arns.append(arn)

    return candidates[0] if candidates else None


def _list_trained_versions(
    target: Target, solution: SolutionSettings
) -> Iterator[tuple[str, str, Tags]]:
    """Yield ARN, status and tags of the last month's versions that runs have trained.

    The newest comes first. No run deploys the others any more, even if somebody approves them.
    """
    client = target.access.personalize
    for summary in list_versions(client, solution["solutionArn"]):
        status = summary["status"]
        is_recent = summary["creationDateTime"] > clock.now() - MONTH
        if not is_recent or not (is_active(status) or is_running(status)):
            continue

        arn = summary["solutionVersionArn"]
        tags = read_tags(client, arn)
        if RUN_TAG in tags:
            yield arn, status, tags


def _judge_candidate(
    target: Target,
    solution: SolutionSettings,
    arn: str,
    tags: Tags,
    newer_arns: Sequence[str],
    *,
    refuse: bool,
) -> Candidate:
    """Find out what speaks against an answer, and against the deployment of a version.

    An approval may be given again, because its execution may not have been started.
    """
    approval = solution["approval"]
    assert approval is not None, "the solution needs an approval"
    answer = find_approval_status(tags, approval, clock.now())
    is_repeated = answer == "APPROVED" and not refuse
    if answer != "REQUESTED" and not is_repeated:
        return Candidate(arn, tags, answer, explain_no_answer(tags, approval))

    served = {}
    compared = {}
    obstacles = []
    for campaign_arn, (state, step) in _read_first_steps(target, solution, arn).items():
        served[campaign_arn] = state.served_version_arn
        compared[campaign_arn] = step.progress_changes.get("metrics", ())
        if not needs_run(step):
            reasons = join_reasons(step.reasons or [f"{step.outcome}"])
            obstacles.append(
                f"no run deploys it to {short_name(campaign_arn)}: "
                f"{format_message(reasons, target.options)}"
            )

    error = None
    if not refuse and len(obstacles) == len(served):
        error = "; ".join(obstacles) or "its solution has no campaign"
    return Candidate(arn, tags, answer, error, [*newer_arns], served, compared, obstacles)


def _read_first_steps(
    target: Target, solution: SolutionSettings, version_arn: str
) -> dict[str, tuple[CampaignState, Step]]:
    """Read each campaign, and decide the first step of a run that deploys the version there."""
    client = target.access.personalize
    # The campaigns of a solution often serve the same version.
    find = cache(partial(find_version, client))
    read = cache(partial(read_version, client, solution))

    first_steps = {}
    for campaign in solution["campaigns"]:
        campaign_arn = campaign["campaignArn"]
        spec = build_deployment_spec(
            target.settings, solution, campaign_arn, version_arn, is_candidate_from_earlier_run=True
        )
        # The question is what happens once the version is approved.
        approved_spec = replace(spec, approval=None)
        now = clock.now()
        state = add_versions(
            read_campaign_state(client, campaign_arn, solution["solutionArn"]),
            approved_spec,
            find_version=find,
            read_version=read,
            now=now,
        )
        step = decide(state, approved_spec, DeploymentProgress(began_at=now), now)
        first_steps[campaign_arn] = state, step
    return first_steps


def _compare_metrics(client: PersonalizeClient, candidate: Candidate) -> Iterator[str]:
    """Yield the offline metrics of a version beside those of each served version.

    A metric that the gate compares relative to a baseline shows both changes.
    """
    new_metrics = read_metrics(client, candidate.arn)
    for served_arn in dict.fromkeys(candidate.served.values()):
        campaign_arns = [arn for arn, served in candidate.served.items() if served == served_arn]
        names = ", ".join(map(short_name, campaign_arns))
        served_name = short_name(served_arn or "nothing")
        yield f"{names}: {served_name} → {short_name(candidate.arn)}"

        served_metrics = read_metrics(client, served_arn) if served_arn else {}
        by_gate = [values for arn in campaign_arns for values in candidate.compared[arn]]
        for metric, value in sorted(new_metrics.items()):
            plain: MetricComparison = {
                "metric": metric,
                "new": value,
                "served": served_metrics.get(metric),
            }
            comparisons = [values for values in by_gate if values["metric"] == metric] or [plain]
            yield from (f"  {line}" for line in format_metric_lines(comparisons))


def _start_deployment(target: Target, version_arn: str, tags: Tags) -> str:
    """Start the execution that deploys an approved version, and return its ARN.

    Its name comes from the version and the answer, so a second call starts no second execution.
    Raises FailedError then.
    """
    client = target.access.step_functions
    approval_tag = tags[APPROVAL_TAG]
    day = approval_tag.split()[1][: len("2026-11-29")].replace("-", "")
    # The name is also the id of the run.
    name = f"{day}-{compute_short_hash(f'{version_arn} {approval_tag}', 8)}"
    version_name = short_name(version_arn)

    try:
        execution = client.start_execution(
            stateMachineArn=target.state_machine_arn,
            name=name,
            input=dumps({"only": "deployments"}),
        )
    except client.exceptions.ExecutionAlreadyExists as error:
        raise FailedError(
            f"{version_name} was approved before, and the run {name} was started; "
            f"`{target.command('watch', '--run', name)}` shows it"
        ) from error
    except AWS_ERRORS as error:
        raise OperatorError(
            f"{version_name} is approved, but no run was started: {aws_error(error)}; then approve "
            "it again"
        ) from error
    return execution["executionArn"]
