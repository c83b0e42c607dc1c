"""Checks which commands the caller's credentials allow.

The *caller* is the IAM user or role whose credentials the commands use.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from retrain.account.permissions import GRANTS_BY_COMMAND, list_arns_by_kind, merge_grants
from retrain.check.findings import Finding
from retrain.check.policy_evaluation import format_actions
from retrain.check.role_policies import find_denied_requests

if TYPE_CHECKING:
    from collections.abc import Iterator

    from retrain.check.examined_pipeline import ExaminedPipeline


def check_caller(pipeline: ExaminedPipeline) -> Iterator[Finding]:
    """Check that the caller may run every command."""
    caller_arn = pipeline.access.fetch_caller_arn()
    yield Finding("ok", f"{caller_arn}, region {pipeline.environment.region}")

    # IAM can't simulate the permissions of an account's root user.
    if not caller_arn.endswith(":root"):
        yield from _check_commands(pipeline, _find_principal_arn(pipeline, caller_arn))


def _find_principal_arn(pipeline: ExaminedPipeline, caller_arn: str) -> str:
    """Find the ARN of the caller's user or role.

    If the caller is the session of a role, we need the role itself, because IAM can't simulate the
    permissions of a session.
    """
    if ":assumed-role/" not in caller_arn:
        return caller_arn

    # A session's ARN, which ends with `assumed-role/<role>/<session>`, lacks the role's path, so
    # we can't derive the role's ARN from it.
    role_name = caller_arn.split("/")[1]
    response = pipeline.client("iam").get_role(RoleName=role_name)
    return str(response["Role"]["Arn"])


def _check_commands(pipeline: ExaminedPipeline, principal_arn: str) -> Iterator[Finding]:
    """Warn about commands for which the caller lacks permissions."""
    denied_actions = _find_denied_actions(pipeline, principal_arn)
    if not denied_actions:
        yield Finding("ok", "every command is allowed")
        return

    policy_command = pipeline.command("doctor", "--policy")
    for command, grants in GRANTS_BY_COMMAND.items():
        missing_actions = denied_actions.intersection(chain.from_iterable(grants.values()))
        if missing_actions:
            text = f"`retrain {command}` lacks {format_actions(missing_actions)}"
            yield Finding("warn", text, policy_command)


def _find_denied_actions(pipeline: ExaminedPipeline, principal_arn: str) -> set[str]:
    """Find the IAM actions that our commands need, but the caller isn't allowed to call."""
    arns_by_kind = list_arns_by_kind(pipeline)
    all_grants = merge_grants(*GRANTS_BY_COMMAND.values())
    grants = [(actions, arns_by_kind[kind]) for kind, actions in all_grants.items()]
    denied_requests = find_denied_requests(pipeline, principal_arn, grants)
    return {request.action for request in denied_requests}
