"""Finds the policies that people have added to a role, which Pulumi does not see.

The stack gives each role one inline policy, whose name begins like that of the role. All others are
foreign. A permissions boundary is the stack's own only if its config names it.
"""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING, Any, NamedTuple

from retrain.account.access import read_if_exists
from retrain.check.findings import Finding
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
    """Find what a role may not do although it needs it. A missing role has no requests."""
    denied_actions = read_if_exists(
        list_denied_actions, account=account, principal=role_arn, grants=grants, arns=arns
    )
    if denied_actions is None:
        return []

    return [
        Request(role_arn, action, arn, {})
        for kind, actions in grants.items()
        for action in actions
        if action in denied_actions
        for arn in arns[kind]
    ]


def find_blocking_policies(
    account: Account, role_name: str, denied: Sequence[Request]
) -> Iterator[Finding]:
    """Find the policies that take permissions away which a role needs."""
    for policy in list_added_policies(account, role_name):
        denying = find_denying_statements(policy.document, denied)
        if denying:
            names = ", ".join(format_statement_name(policy.document, each) for each in denying)
            text = (
                f"{role_name}: {policy.description} denies what the role needs ({names}); to take "
                "it away:"
            )
            yield Finding("missing", text, policy.removal)

    yield from _check_boundary(account, role_name, denied)


def _check_boundary(
    account: Account, role_name: str, denied: Sequence[Request]
) -> Iterator[Finding]:
    """Check that the permissions boundary of a role, if there is one, allows what it needs."""
    client = account.client("iam")
    boundary = client.get_role(RoleName=role_name)["Role"].get("PermissionsBoundary")
    if boundary is None:
        return

    boundary_arn = boundary["PermissionsBoundaryArn"]
    document = _read_document(client, boundary_arn)
    lacking = [
        request for request in denied if judge_request(document, request).result != "allowed"
    ]
    if lacking:
        yield _explain_boundary(account, role_name, boundary_arn, document, lacking)


def _explain_boundary(
    account: Account,
    role_name: str,
    boundary_arn: str,
    document: Mapping[str, object],
    lacking: Sequence[Request],
) -> Finding:
    """Explain what a permissions boundary doesn't allow, and how to mend that.

    The boundary of the config is extended, and one that people have added is taken away.
    """
    actions = sorted({request.action for request in lacking})
    text = (
        f"{role_name}: the permissions boundary {boundary_arn} does not allow "
        f"{format_actions(actions)}"
    )
    args = account.pipeline.args
    if args is None or args.permissions_boundary_arn != boundary_arn:
        remove = ["aws", "iam", "delete-role-permissions-boundary", "--role-name", role_name]
        return Finding("missing", f"{text}; to take it away:", shlex.join(remove))

    kept = remove_statements(document, find_denying_statements(document, lacking))
    allow = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    mended = json.dumps(add_statements(kept, allow))
    extend = ["aws", "iam", "create-policy-version", "--policy-arn", boundary_arn]
    extend += ["--set-as-default", "--policy-document", mended]
    return Finding("missing", f"{text}; to allow it there:", shlex.join(extend))


def list_added_policies(account: Account, role_name: str) -> Iterator[AddedPolicy]:
    """List the inline policies and the attached policies that the stack doesn't know."""
    client = account.client("iam")
    logical_name = role_name.rpartition("-")[0]
    own_name = re.compile(f"{re.escape(logical_name)}-{AUTOMATIC_SUFFIX}")
    for policy_name in client.list_role_policies(RoleName=role_name)["PolicyNames"]:
        if not own_name.fullmatch(policy_name):
            yield _read_inline_policy(client, role_name, policy_name)

    attached = client.list_attached_role_policies(RoleName=role_name)["AttachedPolicies"]
    for policy in attached:
        arn = policy["PolicyArn"]
        detach = ["aws", "iam", "detach-role-policy", "--role-name", role_name, "--policy-arn", arn]
        document = _read_document(client, arn)
        yield AddedPolicy(f"the policy {arn}", document, shlex.join(detach))


def _read_inline_policy(client: Any, role_name: str, policy_name: str) -> AddedPolicy:  # noqa: ANN401  # as in Access
    """Read an inline policy of a role."""
    policy = client.get_role_policy(RoleName=role_name, PolicyName=policy_name)
    delete = ["aws", "iam", "delete-role-policy"]
    delete += ["--role-name", role_name, "--policy-name", policy_name]
    return AddedPolicy(
        f"the inline policy {policy_name}", policy["PolicyDocument"], shlex.join(delete)
    )


def _read_document(client: Any, policy_arn: str) -> Any:  # noqa: ANN401  # as in Access
    """Read the document of a managed policy, in its default version, because only that counts."""
    policy = client.get_policy(PolicyArn=policy_arn)["Policy"]
    version = client.get_policy_version(PolicyArn=policy_arn, VersionId=policy["DefaultVersionId"])
    return version["PolicyVersion"]["Document"]
