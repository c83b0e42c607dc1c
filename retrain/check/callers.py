"""Checks the caller: the account, and the permissions of the commands."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from retrain.account.permissions import COMMANDS, merged, resource_arns
from retrain.check.findings import Finding, found
from retrain.check.questions import actions_text, denied_actions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from retrain.check.findings import Account

SESSION = re.compile(r"arn:([^:]+):sts::(\d+):assumed-role/([^/]+)/.+")


def check_account(account: Account) -> Iterator[Finding]:
    """Find out whether the credentials are of the account in the ARNs."""
    home, caller = account.pipeline.home, account.caller
    number = caller.split(":")[4]
    if number == home.account:
        yield Finding("ok", f"{caller}, region {home.region}")
    else:
        text = f"{caller} is of account {number}, but the pipeline is in {home.account}"
        yield Finding("missing", text, "choose other credentials with --profile")


def check_permissions(account: Account) -> Iterator[Finding]:
    """Find out which commands the caller may run, as IAM's own simulation says."""
    if account.caller.endswith(":root"):
        yield Finding("ok", "root may run every command")
        return
    principal = account.caller
    if session := SESSION.fullmatch(principal):
        partition, number, name = session.groups()
        # The ARN of a session lacks the path of its role.
        response = found(account.client("iam").get_role, RoleName=name)
        unknown = f"arn:{partition}:iam::{number}:role/{name}"
        principal = response["Role"]["Arn"] if response else unknown
    grants = merged(*COMMANDS.values())
    denied = denied_actions(account, principal, grants, resource_arns(account.pipeline))
    policy_command = account.pipeline.command("doctor", "--policy")
    for command, of_command in COMMANDS.items():
        lacking = denied.intersection(*[[action for row in of_command.values() for action in row]])
        if lacking:
            text = f"`retrain {command}` lacks {actions_text(lacking)}"
            yield Finding("warn", text, policy_command)
    if not denied:
        yield Finding("ok", "the caller may run every command")
