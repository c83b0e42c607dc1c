"""Checks the caller: the account, and the permissions of the commands."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from retrain.account.errors import code_of
from retrain.account.permissions import COMMANDS, merged, resource_arns
from retrain.check.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_iam import IAMClient

    from retrain.check.findings import Account

ASSUMED_ROLE = re.compile(
    r"arn:(?P<partition>[^:]+):sts::(?P<account>\d+):assumed-role/(?P<role>[^/]+)/.+"
)
ROOT = re.compile(r"arn:[^:]+:iam::\d+:root")


def check_account(account: Account) -> Iterator[Finding]:
    """Find out whether the credentials are of the account in the ARNs."""
    home, caller = account.pipeline.home, account.caller
    caller_account = caller.split(":")[4]
    if caller_account == home.account:
        yield Finding("ok", f"{caller}, region {home.region}")
    else:
        yield Finding(
            "missing",
            f"{caller} is of account {caller_account}, but the pipeline is in {home.account}",
            "choose other credentials with --profile",
        )


def check_permissions(account: Account) -> Iterator[Finding]:
    """Find out which commands the caller may run, as IAM's own simulation says."""
    if ROOT.fullmatch(account.caller):
        yield Finding("ok", "root may run every command")
        return
    client = account.access.session.client("iam", **account.access.client_options)
    denied = _denied_actions(account, client)
    commands = {
        command: sorted({action for actions in grants.values() for action in actions} & denied)
        for command, grants in COMMANDS.items()
    }
    lacking = {command: actions for command, actions in commands.items() if actions}
    for command, actions in lacking.items():
        yield Finding(
            "warn",
            f"`retrain {command}` lacks {', '.join(actions)}",
            account.pipeline.command("doctor", "--policy"),
        )
    if not lacking:
        yield Finding("ok", "the caller may run every command")


def _denied_actions(account: Account, client: IAMClient) -> set[str]:
    """Return the actions of all commands that the caller may not perform on some resource."""
    principal = principal_of(client, account.caller)
    arns = resource_arns(account.pipeline)
    denied = set()
    for kind, actions in merged(*COMMANDS.values()).items():
        for arn in arns[kind][:1]:  # a policy that allows one of a kind usually allows all
            # The simulation takes no patterns.
            resource = arn if arn == "*" else arn.replace("*", "any")
            response = client.simulate_principal_policy(
                PolicySourceArn=principal, ActionNames=actions, ResourceArns=[resource]
            )
            denied |= {
                result["EvalActionName"]
                for result in response["EvaluationResults"]
                if result["EvalDecision"] != "allowed"
            }
    return denied


def principal_of(client: IAMClient, caller: str) -> str:
    """Return the ARN of the user or the role whose policies decide.

    The ARN of a session lacks the path of its role.
    """
    session = ASSUMED_ROLE.fullmatch(caller)
    if session is None:
        return caller
    try:
        return client.get_role(RoleName=session["role"])["Role"]["Arn"]
    except ClientError as error:
        if code_of(error) != "NoSuchEntity":
            raise
        return f"arn:{session['partition']}:iam::{session['account']}:role/{session['role']}"
