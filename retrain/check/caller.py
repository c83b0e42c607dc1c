"""Checks who runs the commands: the account of the credentials, and their permissions."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from retrain.account.permissions import COMMANDS, list_arns_by_kind, merge_grants
from retrain.check.findings import Finding
from retrain.check.policy_evaluation import format_actions
from retrain.check.role_policies import find_denied_requests

if TYPE_CHECKING:
    from collections.abc import Iterator

    from retrain.check.findings import Account
    from retrain.check.policy_evaluation import Request


def check_caller(account: Account) -> Iterator[Finding]:
    """Check that the caller belongs to the pipeline's account, and may run each command."""
    home = account.pipeline.home
    if account.caller.split(":")[4] != home.account:
        text = (
            f"{account.caller} is not of the pipeline's account {home.account}; choose other "
            "credentials with --profile"
        )
        yield Finding("missing", text)
        return

    yield Finding("ok", f"{account.caller}, region {home.region}")

    # IAM simulates only users and roles.
    if not account.caller.endswith(":root"):
        yield from _check_commands(account, _find_principal_arn(account))


def _find_principal_arn(account: Account) -> str:
    """Find the caller's user or role, because IAM doesn't simulate the session of a role."""
    if ":assumed-role/" not in account.caller:
        return account.caller

    # The ARN of a session, which ends with `assumed-role/<role>/<session>`, lacks the role's path.
    role_name = account.caller.split("/")[1]
    response = account.client("iam").get_role(RoleName=role_name)
    return str(response["Role"]["Arn"])


def _check_commands(account: Account, principal_arn: str) -> Iterator[Finding]:
    """Warn of each command that the caller may not run."""
    denied_actions = _find_denied_actions(account, principal_arn)
    if not denied_actions:
        yield Finding("ok", "every command is allowed")
        return

    policy_command = account.pipeline.command("doctor", "--policy")
    for command, grants in COMMANDS.items():
        lacking = denied_actions.intersection(chain.from_iterable(grants.values()))
        if lacking:
            text = f"`retrain {command}` lacks {format_actions(lacking)}"
            yield Finding("warn", text, policy_command)


def _find_denied_actions(account: Account, principal_arn: str) -> set[str]:
    """Find the actions of all commands that the caller may not call."""
    arns_by_kind = list_arns_by_kind(account.pipeline)
    denied_requests: list[Request] = []
    for kind, actions in merge_grants(*COMMANDS.values()).items():
        denied_requests += find_denied_requests(account, principal_arn, actions, arns_by_kind[kind])
    return {request.action for request in denied_requests}
