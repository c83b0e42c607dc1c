"""The command `approve`, with which a person approves or refuses a solution version.

The person's *answer*, an approval or a refusal, is stored in the version's tags. An approval also
starts a run, which deploys the version.
"""

from __future__ import annotations

from json import dumps
from operator import itemgetter
from typing import TYPE_CHECKING

from functions.common import clock
from functions.common.formatting import format_metric_lines
from functions.common.hashes import compute_short_hash
from functions.personalize.approvals import build_approval_tags, parse_approval
from functions.personalize.tags import APPROVAL_TAG, write_tags
from functions.personalize.trainings import read_metrics
from retrain.account.errors import AWS_ERRORS, FailedError, OperatorError, explain_aws_error
from retrain.account.option_words import build_training_command
from retrain.account.output import confirm, print_command, print_json, print_message, print_result
from retrain.account.target import Target
from retrain.act.candidates import choose_candidate, predict_deployments
from retrain.look.runs import find_run_id, list_running_executions
from retrain.look.versions import build_deletion_warning
from retrain.names import short_name
from retrain.options import JsonOption, RefuseOption, VersionArgument, YesOption, command

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from functions.contract import MetricComparison, Tags
    from functions.personalize.approvals import ApprovalStatus
    from retrain.act.candidates import Candidate, ExpectedDeployment


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
    candidate = choose_candidate(target, version, refuse=refuse)
    deployments = predict_deployments(target, candidate)
    if not refuse:
        _require_deployment(candidate, deployments)
    if not yes:
        _print_metrics(target, candidate, deployments)
    if not refuse:
        for warning in _list_warnings(target, candidate, deployments):
            print_message(f"warning: {warning}")

    name = short_name(candidate.arn)
    if refuse:
        confirm(f"Never deploy {name}?", "nothing was changed", yes=yes)
        _refuse_version(target, candidate, as_json=as_json)
    else:
        confirm(f"Deploy {name}?", "nothing was changed", yes=yes)
        _approve_version(target, candidate, as_json=as_json)
    return 0


def _require_deployment(candidate: Candidate, deployments: Sequence[ExpectedDeployment]) -> None:
    """Raise FailedError if no campaign would get the version, even after an approval."""
    obstacles = [deployment.obstacle for deployment in deployments if deployment.obstacle]
    if len(obstacles) == len(deployments):
        reason = "; ".join(obstacles) or "its solution has no campaign"
        name = short_name(candidate.arn)
        raise FailedError(f"no version is waiting for approval; {name}: {reason}")


def _print_metrics(
    target: Target, candidate: Candidate, deployments: Sequence[ExpectedDeployment]
) -> None:
    """Print the candidate's offline metrics next to those of the version that a campaign serves."""
    client = target.access.personalize
    new_metrics = read_metrics(client, candidate.arn)
    for deployment in deployments:
        served_arn = deployment.served_arn
        if served_arn is None:
            continue

        campaign_name = short_name(deployment.campaign_arn)
        print_message(f"{campaign_name}: {short_name(served_arn)} → {short_name(candidate.arn)}")
        served_metrics = read_metrics(client, served_arn)
        comparisons = _compare_metrics(deployment, new_metrics, served_metrics)
        for line in format_metric_lines(comparisons):
            print_message(f"  {line}")


def _compare_metrics(
    deployment: ExpectedDeployment,
    new_metrics: Mapping[str, float],
    served_metrics: Mapping[str, float],
) -> list[MetricComparison]:
    """Compare the metrics of the new version and the served version, sorted by metric name.

    For metrics in the quality gate, return the gate's own comparison, because it may also include a
    baseline.
    """
    gate_metrics = {comparison["metric"] for comparison in deployment.comparisons}
    other_comparisons: list[MetricComparison] = [
        {"metric": metric, "new": new_metrics[metric], "served": served_metrics.get(metric)}
        for metric in new_metrics.keys() - gate_metrics
    ]
    return sorted([*deployment.comparisons, *other_comparisons], key=itemgetter("metric"))


def _list_warnings(
    target: Target, candidate: Candidate, deployments: Sequence[ExpectedDeployment]
) -> Iterator[str]:
    """Yield warnings to print before the operator confirms an approval.

    For example, the deployment has to wait if another run is under way.
    """
    for deployment in deployments:
        if deployment.obstacle is not None:
            yield deployment.obstacle

    deletion_warning = build_deletion_warning(target.access.personalize, candidate.arn)
    if deletion_warning is not None:
        yield deletion_warning

    for newer_arn in candidate.newer_arns:
        yield (
            f"{short_name(newer_arn)} is newer; where it passes the quality gate and a person has "
            f"approved it, runs deploy it instead of {short_name(candidate.arn)}"
        )
    for execution in list_running_executions(target):
        run_id = find_run_id(target, execution)
        yield f"the run {run_id} is under way; the deployment waits for its end"


def _refuse_version(target: Target, candidate: Candidate, *, as_json: bool) -> None:
    """Tag the version as refused, and print how to train another one on the same data."""
    _write_answer(target, candidate, "REFUSED")
    if as_json:
        print_json({"versionArn": candidate.arn, "answer": "REFUSED", "executionArn": None})
        return

    name = short_name(candidate.arn)
    print_result(f"{name} is refused; the campaigns keep the versions that they serve")
    train_command = build_training_command(candidate.solution, target.options)
    print_command("To train again on the same data", train_command)


def _approve_version(target: Target, candidate: Candidate, *, as_json: bool) -> None:
    """Tag the version as approved, and start a run that deploys it.

    If the version was approved before, only start the run, because the first attempt to start it
    may have failed.
    """
    tags = candidate.tags
    if candidate.answer != "APPROVED":
        tags = _write_answer(target, candidate, "APPROVED")
    execution_arn = _start_deployment(target, candidate.arn, tags)

    if as_json:
        print_json(
            {"versionArn": candidate.arn, "answer": "APPROVED", "executionArn": execution_arn}
        )
        return

    print_result(f"{short_name(candidate.arn)} is approved, and a run deploys it")
    run_id = execution_arn.rpartition(":")[2]
    print_command("To follow the run", target.command("watch", "--run", run_id))


def _write_answer(target: Target, candidate: Candidate, answer: ApprovalStatus) -> Tags:
    """Tag the version with the answer and the caller's ARN, and return these tags."""
    tags = build_approval_tags(answer, clock.now(), target.access.build_caller_tag())
    write_tags(target.access.personalize, candidate.arn, tags)
    return tags


def _start_deployment(target: Target, version_arn: str, tags: Tags) -> str:
    """Start an execution that deploys an approved version, and return the execution's ARN.

    The execution's name is derived from the version and its approval, so that each approval starts
    at most one execution.

    Raises:
        FailedError: an execution was already started for this approval.
        OperatorError: AWS didn't start the execution, so the operator has to approve again.
    """
    client = target.access.step_functions
    approval = parse_approval(tags)
    assert approval is not None, "the version was approved"
    # The execution's name becomes the run's ID, which has to begin with a date.
    digest = compute_short_hash(f"{version_arn} {tags[APPROVAL_TAG]}", 8)
    run_id = f"{approval.changed_at:%Y%m%d}-{digest}"
    version_name = short_name(version_arn)

    try:
        execution = client.start_execution(
            stateMachineArn=target.state_machine_arn,
            name=run_id,
            input=dumps({"only": "deployments"}),
        )
    except client.exceptions.ExecutionAlreadyExists as error:
        raise FailedError(
            f"{version_name} was approved before, and the run {run_id} was started; "
            f"`{target.command('watch', '--run', run_id)}` shows it"
        ) from error
    except AWS_ERRORS as error:
        raise OperatorError(
            f"{version_name} is approved, but no run was started: {explain_aws_error(error)}; "
            "then approve it again"
        ) from error
    return execution["executionArn"]
