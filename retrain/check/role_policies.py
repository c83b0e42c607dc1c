"""Finds the policies that people have added to a role, which Pulumi does not see.

The stack gives each role one inline policy, whose name begins like that of the role. All others are
foreign. A permissions boundary is the stack's own only if its config names it.
"""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING, Any, NamedTuple

from retrain.check.findings import Finding, read_if_exists
from retrain.check.policies import (
    Request,
    add_statements,
    find_denying_statements,
    format_statement_name,
    judge_request,
    remove_statements,
)
from retrain.check.questions import format_actions, list_denied_actions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from retrain.check.findings import Account


AUTOMATIC_SUFFIX = "[0-9a-f]{7}"
"""What Pulumi adds to the names of resources, so also to those of the policies of a stack."""


class AddedPolicy(NamedTuple):
    """A policy that people have added to a role."""

    description: str
    """For example `the inline policy emergency`."""
    document: Any
    removal: str
    """The command that takes it away."""


def find_denied_requests(
    account: Account,
    role_arn: str,
    grants: Mapping[Any, Sequence[str]],
    arns: Mapping[Any, Sequence[str]],
) -> list[Request]:
    """Return what a role may not do although it needs it. A missing role has no requests."""
    denied = read_if_exists(
        list_denied_actions, account=account, principal=role_arn, grants=grants, arns=arns
    )
    return [
        Request(role_arn, action, arn, {})
        for kind, actions in grants.items()
        for action in actions
        if action in (denied or ())
        for arn in arns[kind]
    ]


def find_blocking_policies(
    account: Account, role_name: str, denied: Sequence[Request]
) -> Iterator[Finding]:
    """Yield a finding for each policy that takes permissions away which a role needs."""
    for policy in list_added_policies(account, role_name):
        if denying := find_denying_statements(policy.document, denied):
            names = ", ".join(format_statement_name(policy.document, each) for each in denying)
            text = f"{role_name}: {policy.description} denies what the role needs ({names})"
            yield Finding("missing", f"{text}; to take it away:", policy.removal)

    response = account.client("iam").get_role(RoleName=role_name)
    if boundary := response["Role"].get("PermissionsBoundary"):
        yield from _check_boundary(account, role_name, boundary["PermissionsBoundaryArn"], denied)


def _check_boundary(
    account: Account, role_name: str, boundary_arn: str, denied: Sequence[Request]
) -> Iterator[Finding]:
    """Yield a finding if the permissions boundary of a role does not allow what the role needs."""
    document = _read_document(account.client("iam"), boundary_arn)
    lacking = [each for each in denied if judge_request(document, each).result != "allowed"]
    if not lacking:
        return

    actions = sorted({each.action for each in lacking})
    text = f"{role_name}: the permissions boundary {boundary_arn} does not allow"
    args = account.pipeline.args
    if args is None or args.permissions_boundary_arn != boundary_arn:
        command = ["delete-role-permissions-boundary", "--role-name", role_name]
        text = f"{text} {format_actions(actions)}; to take it away:"
    else:
        kept = remove_statements(document, find_denying_statements(document, lacking))
        allow = {"Effect": "Allow", "Action": actions, "Resource": "*"}
        mended = json.dumps(add_statements(kept, allow))
        command = ["create-policy-version", "--policy-arn", boundary_arn, "--set-as-default"]
        command += ["--policy-document", mended]
        text = f"{text} {format_actions(actions)}; to allow it there:"
    yield Finding("missing", text, shlex.join(["aws", "iam", *command]))


def list_added_policies(account: Account, role_name: str) -> Iterator[AddedPolicy]:
    """Yield the inline policies and the attached policies that the stack does not know."""
    client = account.client("iam")
    role = ["--role-name", role_name]
    own_name = re.compile(f"{re.escape(role_name.rpartition('-')[0])}-{AUTOMATIC_SUFFIX}")
    for name in client.list_role_policies(RoleName=role_name)["PolicyNames"]:
        if not own_name.fullmatch(name):
            policy = client.get_role_policy(RoleName=role_name, PolicyName=name)
            words = ["aws", "iam", "delete-role-policy", *role, "--policy-name", name]
            removal = shlex.join(words)
            yield AddedPolicy(f"the inline policy {name}", policy["PolicyDocument"], removal)

    attached = client.list_attached_role_policies(RoleName=role_name)["AttachedPolicies"]
    for arn in (item["PolicyArn"] for item in attached):
        removal = shlex.join(["aws", "iam", "detach-role-policy", *role, "--policy-arn", arn])
        yield AddedPolicy(f"the policy {arn}", _read_document(client, arn), removal)


def _read_document(client: Any, policy_arn: str) -> Any:  # noqa: ANN401  # as in Access
    """Read the document of a managed policy, in the version that counts."""
    policy = client.get_policy(PolicyArn=policy_arn)["Policy"]
    version = client.get_policy_version(PolicyArn=policy_arn, VersionId=policy["DefaultVersionId"])
    return version["PolicyVersion"]["Document"]
