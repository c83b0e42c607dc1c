"""The command `approve`: the answer of a person about a version that is waiting for approval."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial
from json import dumps
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

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
from retrain.options import JsonOption, YesOption, command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from mypy_boto3_personalize import PersonalizeClient

    from functions.contract import MetricComparison, SolutionSettings, Tags
    from functions.personalize.approvals import ApprovalStatus
    from functions.rules.campaigns import CampaignState
    from functions.rules.steps import Step
    from functions.rules.versions import SolutionVersion


class Candidate(NamedTuple):
    """A version of a solution whose versions need an approval."""

    arn: str
    tags: Tags
    answer: str | None
    """The answer that counts now (`find_approval_status`)."""
    error: str | None
    """Why the version does not take the answer of the command, or None if it does."""
    newer: Sequence[str] = ()
    """The ARNs of newer versions, to which runs prefer none but an approved one."""
    live: Mapping[str, str | None] = MappingProxyType({})
    """Campaign ARN -> the version that it serves."""
    compared: Mapping[str, Sequence[MetricComparison]] = MappingProxyType({})
    """Campaign ARN -> what the quality gate has compared, which is empty if it did not come to it.
    """
    reasons: Sequence[str] = ()
    """Why the version is not deployed to a campaign, for each such campaign."""


@command
def approve(
    target: Target,
    *,
    version: Annotated[
        str | None,
        typer.Argument(
            metavar="[VERSION]",
            help="The version: movies/1a2b3c4d, 1a2b3c4d or its ARN. Not needed if only one "
            "version is waiting for approval.",
        ),
    ] = None,
    refuse: Annotated[
        bool, typer.Option("--refuse", help="Refuse the version instead. No run deploys it.")
    ] = False,
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
    chosen = _chosen(target, version, refuse=refuse)
    client, name = target.access.personalize, short_name(chosen.arn)
    for line in () if yes else _comparison(client, chosen):
        print_message(line)
    if not refuse:
        for reason in chosen.reasons:
            print_message(f"warning: {reason}")
        if warning := build_deletion_warning(client, chosen.arn):
            print_message(f"warning: {warning}")
        for newer in chosen.newer:
            print_message(
                f"warning: {short_name(newer)} is newer; where it passes the quality gate and a "
                f"person has approved it, runs deploy it instead of {name}"
            )
        for execution in list_running_executions(target):
            run = find_run_id(target, execution)
            print_message(f"warning: the run {run} is under way; the deployment waits for its end")
    question = f"{'Never deploy' if refuse else 'Deploy'} {name}?"
    confirm(question, "nothing was changed", yes=yes)
    answer: ApprovalStatus = "REFUSED" if refuse else "APPROVED"
    tags = chosen.tags
    if chosen.answer != answer:
        tags = build_approval_tags(answer, clock.now(), target.access.caller_in_tag())
        write_tags(client, chosen.arn, tags)
    started = None if refuse else _start_deployment(target, chosen.arn, tags)
    if as_json:
        print_json({"versionArn": chosen.arn, "answer": answer, "executionArn": started})
    elif started:
        print_result(f"{name} is approved, and a run deploys it")
        run = started.rpartition(":")[2]
        print_command("To follow the run", target.command("watch", "--run", run))
    else:
        print_result(f"{name} is refused; the campaigns keep the versions that they serve")
        again = target.command("start", "--skip-import", "--force")
        print_command("To train again on the same data", again)
    return 0


def _chosen(target: Target, name: str | None, *, refuse: bool) -> Candidate:
    """Return the version with this name, or the only version that takes the answer.

    Raises FailedError if it takes no answer, and OperatorError if it is not clear which is meant.
    """
    candidates = [
        candidate
        for solution in target.settings["solutions"]
        if solution["approval"] and (candidate := _candidate(target, solution, name, refuse=refuse))
    ]
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


def _candidate(
    target: Target, solution: SolutionSettings, name: str | None, *, refuse: bool
) -> Candidate | None:
    """Return the newest version of a solution that takes the answer, or else the newest one.

    With a name, only the version of this name counts.
    """
    candidates: list[Candidate] = []
    newer: list[str] = []
    for arn, status, tags in _trained_versions(target, solution):
        if is_active(status) and (name is None or is_named(arn, name)):
            candidate = _judged_candidate(target, solution, arn, tags, newer, refuse=refuse)
            if candidate.error is None:
                return candidate
            candidates.append(candidate)
        newer.append(arn)

    return candidates[0] if candidates else None


def _trained_versions(
    target: Target, solution: SolutionSettings
) -> Iterator[tuple[str, str, Tags]]:
    """Yield ARN, status and tags of the last month's versions that runs have trained.

    The newest comes first. No run deploys the others any more, even if somebody approves them.
    """
    client = target.access.personalize
    for summary in list_versions(client, solution["solutionArn"]):
        status = summary["status"]
        is_recent = summary["creationDateTime"] > clock.now() - MONTH
        if is_recent and (is_active(status) or is_running(status)):
            arn = summary["solutionVersionArn"]
            tags = read_tags(client, arn)
            if RUN_TAG in tags:
                yield arn, status, tags


def _judged_candidate(
    target: Target,
    solution: SolutionSettings,
    arn: str,
    tags: Tags,
    newer: Sequence[str],
    *,
    refuse: bool,
) -> Candidate:
    """Return a version with what speaks against an answer, and against its deployment.

    An approval may be given again, because its execution may not have been started.
    """
    approval = solution["approval"]
    assert approval is not None, "the solution needs an approval"
    answer = find_approval_status(tags, approval, clock.now())
    error = explain_no_answer(tags, approval, clock.now())
    is_repeated = answer == "APPROVED" and not refuse
    if error is not None and not is_repeated:
        return Candidate(arn, tags, answer, error)

    find = cache(partial(find_version, target.access.personalize))
    read = cache(partial(read_version, target.access.personalize, solution))
    live = {}
    compared = {}
    obstacles = {}
    for campaign in solution["campaigns"]:
        campaign_arn = campaign["campaignArn"]
        state, step = _first_step(target, solution, campaign_arn, arn, find=find, read=read)
        live[campaign_arn] = state.served_version_arn
        compared[campaign_arn] = step.progress_changes.get("metrics", ())
        if not needs_run(step):
            reason = format_message(
                join_reasons(step.reasons or [f"{step.outcome}"]), target.options
            )
            obstacles[campaign_arn] = f"no run deploys it to {short_name(campaign_arn)}: {reason}"

    reasons = list(obstacles.values())
    error = None
    if not refuse and len(obstacles) == len(live):
        error = "; ".join(reasons) or "its solution has no campaign"
    return Candidate(arn, tags, answer, error, [*newer], live, compared, reasons)


def _first_step(
    target: Target,
    solution: SolutionSettings,
    campaign_arn: str,
    version_arn: str,
    *,
    find: Callable[[str], SolutionVersion | None],
    read: Callable[[str], SolutionVersion],
) -> tuple[CampaignState, Step]:
    """Return a campaign, and the first step of a run that deploys an approved version there."""
    client = target.access.personalize
    spec = build_deployment_spec(
        target.settings, solution, campaign_arn, version_arn, is_candidate_from_earlier_run=True
    )
    approved = replace(spec, approval=None)
    campaign = read_campaign_state(client, campaign_arn, solution["solutionArn"])
    now = clock.now()
    state = add_versions(campaign, approved, find_version=find, read_version=read, now=now)
    return state, decide(state, approved, DeploymentProgress(began_at=now), now)


def _comparison(client: PersonalizeClient, chosen: Candidate) -> Iterator[str]:
    """Yield the offline metrics of a version beside those of each version in use.

    A metric that the gate compares relative to a baseline shows both changes.
    """
    new = read_metrics(client, chosen.arn)
    for served in dict.fromkeys(chosen.live.values()):
        campaigns = [arn for arn, version in chosen.live.items() if version == served]
        live = read_metrics(client, served) if served else {}
        versions = f"{short_name(served or 'nothing')} → {short_name(chosen.arn)}"
        yield f"{', '.join(map(short_name, campaigns))}: {versions}"
        judged = [values for arn in campaigns for values in chosen.compared[arn]]
        for name, value in sorted(new.items()):
            plain: MetricComparison = {"metric": name, "new": value, "served": live.get(name)}
            of_gate = [values for values in judged if values["metric"] == name]
            yield from (f"  {line}" for line in format_metric_lines(of_gate or [plain]))


def _start_deployment(target: Target, version_arn: str, tags: Tags) -> str:
    """Start the execution that deploys an approved version, and return its ARN.

    Its name comes from the version and the answer, so a second call starts no second execution.
    Raises FailedError then.
    """
    client = target.access.step_functions
    day = tags[APPROVAL_TAG].split()[1][: len("2026-11-29")].replace("-", "")
    # The name is also the id of the run.
    name = f"{day}-{compute_short_hash(f'{version_arn} {tags[APPROVAL_TAG]}', 8)}"
    try:
        execution = client.start_execution(
            stateMachineArn=target.state_machine_arn,
            name=name,
            input=dumps({"only": "deployments"}),
        )
    except client.exceptions.ExecutionAlreadyExists as error:
        raise FailedError(
            f"{short_name(version_arn)} was approved before, and the run {name} was started; "
            f"`{target.command('watch', '--run', name)}` shows it"
        ) from error
    except AWS_ERRORS as error:
        text = f"{short_name(version_arn)} is approved, but no run was started: {aws_error(error)}"
        raise OperatorError(f"{text}; then approve it again") from error
    return execution["executionArn"]
