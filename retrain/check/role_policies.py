"""Finds what roles and users may not do, and the policies that forbid it.

A stack gives each role one inline policy, whose name begins like that of the role. People may have
added others by hand, and Pulumi doesn't see those. A permissions boundary is from the stack only if
its config names it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from functions.common.formatting import format_list
from retrain.account.access import read_if_exists
from retrain.check.findings import Finding
from retrain.check.policy_evaluation import (
    Request,
    evaluate_policy,
    format_actions,
    name_denials,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from retrain.check.examined_pipeline import ExaminedPipeline
    from retrain.check.findings import Account
    from retrain.check.policy_evaluation import Policy

AUTOMATIC_SUFFIX = "[0-9a-f]{7}"
"""What Pulumi appends to the names of resources, and so to those of a stack's policies."""
PASSED_TO_PERSONALIZE = {
    "ContextKeyName": "iam:PassedToService",
    "ContextKeyValues": ["personalize.amazonaws.com"],
    "ContextKeyType": "string",
}
"""Tells the simulation to which service a role is passed, because only Personalize may get one."""


def find_denied_requests(
    account: Account, principal_arn: str, actions: Sequence[str], arns: Sequence[str]
) -> list[Request]:
    """Find what a role or a user may not do, of these actions on these resources.

    A role that doesn't exist is denied nothing, because that is a finding of its own.
    """
    if not arns:
        return []

    results = read_if_exists(
        _simulate, account=account, principal_arn=principal_arn, actions=actions, arns=arns
    )
    return [
        Request(principal_arn, result["EvalActionName"], arn, {})
        for result in results or ()
        if _is_denied(result)
        for arn in arns
    ]


def _simulate(
    account: Account, principal_arn: str, actions: Sequence[str], arns: Sequence[str]
) -> list[Mapping[str, Any]]:
    """Let IAM simulate the policies of a role or a user. Return its decision about each action.

    It is the most restrictive one of all resources:
    https://docs.aws.amazon.com/IAM/latest/APIReference/API_EvaluationResult.html
    """
    paginator = account.client("iam").get_paginator("simulate_principal_policy")
    pages = paginator.paginate(
        PolicySourceArn=principal_arn,
        ActionNames=[*actions],
        # The simulation takes no patterns, apart from `*` alone for all resources.
        ResourceArns=[arn if arn == "*" else arn.replace("*", "any") for arn in arns],
        ContextEntries=[PASSED_TO_PERSONALIZE],
    )

    return [result for page in pages for result in page["EvaluationResults"]]


def _is_denied(result: Mapping[str, Any]) -> bool:
    """Return True if the simulation certainly denies an action.

    It may lack the value of a condition key, for example of aws:PrincipalOrgID. Then the action
    gets the benefit of the doubt.
    """
    return result["EvalDecision"] != "allowed" and not result.get("MissingContextValues")


def explain_denied_requests(
    account: Account, role_name: str, denied: Sequence[Request], grant_command: str
) -> Iterator[Finding]:
    """Name the policies that keep a role from what it needs.

    If there are none, the role simply lacks the permissions, which `grant_command` gives to it.
    """
    blocking = list(_find_blocking_policies(account, role_name, denied))
    if blocking:
        yield from blocking
        return

    actions = format_actions(request.action for request in denied)
    yield Finding("missing", f"{role_name} may not call {actions}", grant_command)


def _find_blocking_policies(
    account: Account, role_name: str, denied: Sequence[Request]
) -> Iterator[Finding]:
    """Find added policies that deny a request, and a boundary that doesn't allow it."""
    for policy in list_added_policies(account, role_name):
        statements = name_denials(policy.document, denied)
        if statements:
            text = (
                f"{role_name}: {policy.description} denies what the role needs ({statements}); "
                "to take it away:"
            )
            yield Finding("missing", text, policy.removal_command)

    yield from _check_boundary(account, role_name, denied)


def _check_boundary(
    account: Account, role_name: str, denied: Sequence[Request]
) -> Iterator[Finding]:
    """Check that a role's permissions boundary, if it has one, allows what the role needs."""
    client = account.client("iam")
    boundary = client.get_role(RoleName=role_name)["Role"].get("PermissionsBoundary")
    if boundary is None:
        return

    boundary_arn = boundary["PermissionsBoundaryArn"]
    policy = _read_managed_policy(client, boundary_arn)
    lacking = {
        request.action for request in denied if evaluate_policy(policy, request).result != "allowed"
    }
    if lacking:
        yield _explain_boundary(account.pipeline, role_name, boundary_arn, lacking)


def _explain_boundary(
    pipeline: ExaminedPipeline, role_name: str, boundary_arn: str, lacking: Collection[str]
) -> Finding:
    """Say what a permissions boundary doesn't allow, and how to change that."""
    text = f"{role_name}: the permissions boundary {boundary_arn} does not allow"
    if pipeline.args is not None and pipeline.args.permissions_boundary_arn == boundary_arn:
        # The boundary may also limit roles of others, so we print no command that widens it.
        return Finding("missing", f"{text} {format_list(sorted(lacking))}; extend it")

    # The stack has not set this boundary, so people may take it away.
    remove = f"aws iam delete-role-permissions-boundary --role-name {role_name}"
    return Finding("missing", f"{text} {format_actions(lacking)}; to take it away:", remove)


class AddedPolicy(NamedTuple):
    """A policy that people have added to a role."""

    description: str
    """For example `the inline policy emergency`."""
    document: Policy
    removal_command: str


def list_added_policies(account: Account, role_name: str) -> Iterator[AddedPolicy]:
    """List the inline and attached policies of a role that aren't from the stack."""
    client = account.client("iam")
    logical_name = role_name.rpartition("-")[0]
    own_name = re.compile(f"{re.escape(logical_name)}-{AUTOMATIC_SUFFIX}")

    for policy_name in client.list_role_policies(RoleName=role_name)["PolicyNames"]:
        if not own_name.fullmatch(policy_name):
            yield _read_inline_policy(client, role_name, policy_name)

    # The stack attaches no policy, so people have added all of these.
    attached = client.list_attached_role_policies(RoleName=role_name)["AttachedPolicies"]
    for policy in attached:
        policy_arn = policy["PolicyArn"]
        yield AddedPolicy(
            f"the policy {policy_arn}",
            _read_managed_policy(client, policy_arn),
            f"aws iam detach-role-policy --role-name {role_name} --policy-arn {policy_arn}",
        )


def _read_inline_policy(client: Any, role_name: str, policy_name: str) -> AddedPolicy:  # noqa: ANN401  # as in Access
    policy = client.get_role_policy(RoleName=role_name, PolicyName=policy_name)
    return AddedPolicy(
        f"the inline policy {policy_name}",
        policy["PolicyDocument"],
        f"aws iam delete-role-policy --role-name {role_name} --policy-name {policy_name}",
    )


def _read_managed_policy(client: Any, policy_arn: str) -> Any:  # noqa: ANN401  # as in Access
    """Read the document of a managed policy in its default version, which is the only one used."""
    policy = client.get_policy(PolicyArn=policy_arn)["Policy"]
    version = client.get_policy_version(PolicyArn=policy_arn, VersionId=policy["DefaultVersionId"])
    return version["PolicyVersion"]["Document"]
