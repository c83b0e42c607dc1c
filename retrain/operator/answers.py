"""The commands `approve` and `reject`: the answer of a person about a version that waits for it."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from functions.executions import short_hash
from functions.personalize.approvals import advice_about_newer, answer_about, answer_error
from functions.personalize.campaigns import describe_campaign
from functions.personalize.ownership import created_by_any_run
from functions.personalize.statuses import is_active
from functions.personalize.tags import (
    APPROVED_AT,
    APPROVED_BY,
    ASKED,
    REFUSED_BY,
    tags_of,
    write_tags,
)
from functions.personalize.versions import describe_version, versions
from functions.planning.approval_guards import moved_message
from functions.planning.waiting_campaigns import moved_to
from functions.workflow_settings import solution_of_version
from retrain.operator.errors import FailedError, OperatorError, code_of
from retrain.operator.output import confirm, print_json, print_message, print_result

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_personalize.type_defs import SolutionVersionTypeDef

    from functions.workflow_settings import ApprovalSettings, Tags
    from retrain.operator.target import Target

NOT_FOUND = ("ResourceNotFoundException", "InvalidInputException")
NOT_ALLOWED_IN_TAGS = re.compile(r"[^\w\s.:/=+\-@]")
"""The characters that the value of a tag in Personalize may not have. The name of a session may
contain a comma."""


@dataclass(frozen=True)
class WaitingVersion:
    """A version that waits for the answer of a person."""

    arn: str
    solution_arn: str
    created_at: datetime
    tags: Tags
    is_approved: bool
    """True if it was approved already, and only the execution that deploys it is missing."""
    metrics: Mapping[str, float]


def approve(target: Target, version_arn: str, *, yes: bool, as_json: bool) -> int:
    """Approve a version, and start an execution that deploys it. Return the exit code.

    An earlier call may have approved the version, but have started no execution.

    Raises FailedError if the version does not wait for an answer, or if somebody has moved all
    campaigns since it was created.
    """
    version = _waiting_version(target, version_arn, is_approval=True)
    _print_moved_campaigns(target, version)
    _print_metrics(version)
    if not confirm(f"Deploy {version.arn}?", yes=yes):
        raise FailedError("nothing was changed")
    if not version.is_approved:
        write_tags(target.access.personalize, version.arn, _approval_tags(target, version))
    execution_arn = _start_deployment(target, version)
    if as_json:
        print_json({"versionArn": version.arn, "answer": "APPROVED", "executionArn": execution_arn})
    else:
        print_result(f"approved; {execution_arn} deploys it")
        print_message(f"follow it with `{target.command('watch')}`")
    return 0


def reject(target: Target, version_arn: str, *, yes: bool, as_json: bool) -> int:
    """Refuse a version, so that no run deploys it. Return the exit code.

    Raises FailedError if the version does not wait for an answer.
    """
    version = _waiting_version(target, version_arn)
    _print_metrics(version)
    if not confirm(f"Never deploy {version.arn}?", yes=yes):
        raise FailedError("nothing was changed")
    write_tags(target.access.personalize, version.arn, {REFUSED_BY: _caller(target)})
    if as_json:
        print_json({"versionArn": version.arn, "answer": "REFUSED"})
    else:
        print_result("refused; the campaigns keep the version that they serve")
        print_message(
            "the next new export brings another version; to train again on the same data, use "
            f"`{target.command('start', '--force')}`"
        )
    return 0


def _waiting_version(
    target: Target, version_arn: str, *, is_approval: bool = False
) -> WaitingVersion:
    """Return the version, if it waits for an answer.

    Raises OperatorError for a text that names no version of the pipeline, and FailedError if there
    was an answer, if it would be too late, or if there is a newer version.
    """
    solution_arn = solution_of_version(version_arn)
    approval = _approval(target, version_arn, solution_arn)
    client = target.access.personalize
    version = _describe_version(target, version_arn)
    if not is_active(version["status"]):
        raise FailedError(f"{version_arn} is {version['status']}, so it cannot be deployed")
    tags = tags_of(client, version_arn)
    is_approved = is_approval and answer_about(tags, approval, _now()) == "APPROVED"
    if is_approved and not _is_started(target, version_arn, tags):
        print_message(
            f"{version_arn} was approved by {tags[APPROVED_BY]}, but no execution deploys it"
        )
    elif reason := answer_error(tags, approval, _now()):
        raise FailedError(f"{version_arn} takes no answer: {reason}")
    for newer in versions(client, solution_arn):
        arn = newer["solutionVersionArn"]
        if newer["creationDateTime"] <= version["creationDateTime"]:
            break
        tags_of_newer = tags_of(client, arn)
        if is_active(newer["status"]) and created_by_any_run(tags_of_newer):
            raise FailedError(
                f"{version_arn} is older than {arn}; {advice_about_newer(tags_of_newer)}"
            )
    metrics = client.get_solution_metrics(solutionVersionArn=version_arn).get("metrics", {})
    created_at = version["creationDateTime"]
    return WaitingVersion(version_arn, solution_arn, created_at, tags, is_approved, metrics)


def _approval_tags(target: Target, version: WaitingVersion) -> Tags:
    """Return the tags of the approval. The clock of this machine may be behind that of AWS."""
    asked_at = datetime.fromisoformat(version.tags[ASKED])
    approved_at = max(_now(), asked_at).isoformat(timespec="seconds")
    return {APPROVED_BY: _caller(target), APPROVED_AT: approved_at}


def _approval(target: Target, version_arn: str, solution_arn: str) -> ApprovalSettings:
    """Return the settings of the approval of a version's solution. Raise OperatorError if none."""
    solutions = {row["solutionArn"]: row for row in target.settings["solutions"]}
    if solution_arn not in solutions:
        raise OperatorError(
            f"{version_arn!r} is not a version of a solution of this pipeline; its solutions are "
            f"{', '.join(solutions)}"
        )
    approval = solutions[solution_arn].get("approval")
    if approval is None:
        raise OperatorError(
            f"{solution_arn} needs no approval; its versions are deployed when they have passed "
            "the gate"
        )
    return approval


def _describe_version(target: Target, version_arn: str) -> SolutionVersionTypeDef:
    """Return the version as Personalize describes it. Raise OperatorError if there is none."""
    try:
        return describe_version(target.access.personalize, version_arn)
    except ClientError as error:
        if code_of(error) not in NOT_FOUND:
            raise
        raise OperatorError(
            f"{version_arn} does not exist; `{target.command('history')}` lists the versions"
        ) from error


def _start_deployment(target: Target, version: WaitingVersion) -> str:
    """Start the execution that deploys an approved version, and return its ARN."""
    client = target.access.step_functions
    arn = _execution_arn(target, version.arn, version.tags)
    with suppress(client.exceptions.ExecutionAlreadyExists):
        client.start_execution(
            stateMachineArn=target.state_machine_arn,
            name=arn.rpartition(":")[2],
            input=json.dumps({"trigger": "approval", "deploy": version.arn}),
        )
    return arn


def _is_started(target: Target, version_arn: str, tags: Tags) -> bool:
    """Return True if the execution that deploys an approved version was started."""
    client = target.access.step_functions
    try:
        client.describe_execution(executionArn=_execution_arn(target, version_arn, tags))
    except client.exceptions.ExecutionDoesNotExist:
        return False
    return True


def _execution_arn(target: Target, version_arn: str, tags: Tags) -> str:
    """Return the ARN of the execution that deploys an approved version.

    The name comes from the version and the request, so a second call starts no second execution.
    """
    name = f"approval-{short_hash(f'{version_arn} {tags[ASKED]}', 16)}"
    return f"{target.state_machine_arn.replace(':stateMachine:', ':execution:')}:{name}"


def _caller(target: Target) -> str:
    """Return the ARN of the caller as the value of a tag."""
    return NOT_ALLOWED_IN_TAGS.sub("-", target.access.caller())


def _print_moved_campaigns(target: Target, version: WaitingVersion) -> None:
    """Print a message for each campaign that somebody has moved since the version was created.

    Raises FailedError if the approval would deploy the version nowhere.
    """
    client = target.access.personalize
    solutions = {row["solutionArn"]: row for row in target.settings["solutions"]}
    campaigns = [row["campaignArn"] for row in solutions[version.solution_arn]["campaigns"]]
    messages = []
    for arn in campaigns:
        campaign = describe_campaign(client, arn)
        moved_version = moved_to(campaign, tags_of(client, arn), version.arn, version.created_at)
        if moved_version:
            messages.append(moved_message(arn, moved_version, version.arn))
    if messages and len(messages) == len(campaigns):
        raise FailedError("\n".join(messages))
    for message in messages:
        print_message(message)


def _print_metrics(version: WaitingVersion) -> None:
    """Print the offline metrics of a version. The report of the run compares them."""
    print_message(f"{version.arn} waits for an answer since {version.tags[ASKED]}")
    for name, value in sorted(version.metrics.items()):
        print_message(f"  {name:48} {value:.4f}")


def _now() -> datetime:
    return datetime.now(tz=UTC)
