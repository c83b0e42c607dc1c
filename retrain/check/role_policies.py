"""Finds permissions that roles and users lack, and the policies that are to blame.

A stack gives each role a single inline policy, named after the role. Any other policy is an *added
policy*: somebody added it by hand, which Pulumi doesn't notice. Roles may also have a permissions
boundary, which only comes from the stack if the stack's config names it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from functions.common.formatting import format_list
from retrain.check.findings import Finding
from retrain.check.policy_evaluation import (
    Request,
    evaluate_policy,
    find_denying_statements,
    format_actions,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from components.iam import Grant
    from retrain.check.examined_pipeline import ExaminedPipeline
    from retrain.check.policy_evaluation import Policy

PULUMI_SUFFIX = "[0-9a-f]{7}"
"""The random suffix that Pulumi appends to the names of resources, including a stack's policies."""
PASSED_TO_PERSONALIZE = {
    "ContextKeyName": "iam:PassedToService",
    "ContextKeyValues": ["personalize.amazonaws.com"],
    "ContextKeyType": "string",
}
"""Makes the simulator assume that roles are passed to Personalize, because our policies allow
iam:PassRole only for this service."""


def find_denied_requests(
    pipeline: ExaminedPipeline, principal_arn: str, grants: Iterable[Grant]
) -> list[Request]:
    """Find out which of these actions a role or a user isn't allowed to perform."""
    denied_requests = []
    for actions, arns in grants:
        # If the decision differs between resources, IAM returns the most restrictive one, so assume
        # that it applies to each:
        # https://docs.aws.amazon.com/IAM/latest/APIReference/API_EvaluationResult.html
        for action in _list_denied_actions(pipeline, principal_arn, actions, arns):
            denied_requests += [Request(principal_arn, action, arn, {}) for arn in arns]
    return denied_requests


def _list_denied_actions(
    pipeline: ExaminedPipeline, principal_arn: str, actions: Sequence[str], arns: Sequence[str]
) -> list[str]:
    """Ask IAM's policy simulator which of these actions are denied on any of the resources."""
    if not arns:
        return []

    paginator = pipeline.client("iam").get_paginator("simulate_principal_policy")
    pages = paginator.paginate(
        PolicySourceArn=principal_arn,
        ActionNames=[*actions],
        # The simulator doesn't accept patterns, except `*` alone for all resources, so replace each
        # wildcard by some text that it matches.
        ResourceArns=[arn if arn == "*" else arn.replace("*", "any") for arn in arns],
        ContextEntries=[PASSED_TO_PERSONALIZE],
    )
    return [
        result["EvalActionName"]
        for page in pages
        for result in page["EvaluationResults"]
        # If the simulator lacks the value of a condition key, such as aws:PrincipalOrgID, assume
        # that the action is allowed.
        if result["EvalDecision"] != "allowed" and not result.get("MissingContextValues")
    ]


def find_missing_permissions(
    pipeline: ExaminedPipeline, role_arn: str, grants: Iterable[Grant], grant_command: str
) -> Iterator[Finding]:
    """Report what a role isn't allowed to do, why, and how to change that.

    Usually, no policy allows it, and `grant_command` adds the permissions. But if an added policy
    or a permissions boundary blocks the requests, more permissions wouldn't help.
    """
    denied = find_denied_requests(pipeline, role_arn, grants)
    if not denied:
        return

    role_name = role_arn.rpartition("/")[2]
    blocking_policies = list(_find_blocking_policies(pipeline, role_name, denied))
    if blocking_policies:
        yield from blocking_policies
    else:
        actions = format_actions(request.action for request in denied)
        yield Finding("missing", f"{role_name} may not call {actions}", grant_command)


def _find_blocking_policies(
    pipeline: ExaminedPipeline, role_name: str, denied: Sequence[Request]
) -> Iterator[Finding]:
    """Find added policies that deny any of the requests, or a boundary that doesn't allow them."""
    for policy in list_added_policies(pipeline, role_name):
        statements = find_denying_statements(policy.document, denied)
        if statements:
            text = (
                f"{role_name}: {policy.description} denies what the role needs "
                f"({format_list([*statements])}); to take it away:"
            )
            yield Finding("missing", text, policy.removal_command)

    yield from _check_boundary(pipeline, role_name, denied)


def _check_boundary(
    pipeline: ExaminedPipeline, role_name: str, denied: Sequence[Request]
) -> Iterator[Finding]:
    """Report a role's permissions boundary if it doesn't allow the denied requests."""
    client = pipeline.client("iam")
    boundary = client.get_role(RoleName=role_name)["Role"].get("PermissionsBoundary")
    if boundary is None:
        return

    boundary_arn = boundary["PermissionsBoundaryArn"]
    policy = _read_managed_policy(client, boundary_arn)
    blocked_actions = [
        request.action for request in denied if evaluate_policy(policy, request) != "allowed"
    ]
    if blocked_actions:
        yield _explain_boundary(pipeline, role_name, boundary_arn, format_actions(blocked_actions))


def _explain_boundary(
    pipeline: ExaminedPipeline, role_name: str, boundary_arn: str, actions: str
) -> Finding:
    """Report a permissions boundary that blocks actions, and say how to change that."""
    text = f"{role_name}: the permissions boundary {boundary_arn} does not allow {actions}"
    if pipeline.args is not None and pipeline.args.permissions_boundary_arn == boundary_arn:
        # The boundary may also limit roles of other people, so don't print a command to extend it.
        return Finding("missing", f"{text}; extend it")

    # The stack didn't set this boundary, so it may be removed.
    remove_command = f"aws iam delete-role-permissions-boundary --role-name {role_name}"
    return Finding("missing", f"{text}; to take it away:", remove_command)


class AddedPolicy(NamedTuple):
    """A policy that somebody has added to a role by hand."""

    description: str
    """For example `the inline policy emergency`."""
    document: Policy
    removal_command: str


def list_added_policies(pipeline: ExaminedPipeline, role_name: str) -> Iterator[AddedPolicy]:
    """List the inline and managed policies of a role that aren't from the stack."""
    client = pipeline.client("iam")
    # The stack's own policy has the logical name of the role, but another random suffix.
    logical_name = role_name.rpartition("-")[0]
    stack_policy_name = f"{re.escape(logical_name)}-{PULUMI_SUFFIX}"

    for policy_name in client.list_role_policies(RoleName=role_name)["PolicyNames"]:
        if not re.fullmatch(stack_policy_name, policy_name):
            response = client.get_role_policy(RoleName=role_name, PolicyName=policy_name)
            yield AddedPolicy(
                f"the inline policy {policy_name}",
                response["PolicyDocument"],
                f"aws iam delete-role-policy --role-name {role_name} --policy-name {policy_name}",
            )

    # Stacks only use inline policies, so somebody must have attached these.
    response = client.list_attached_role_policies(RoleName=role_name)
    for policy in response["AttachedPolicies"]:
        policy_arn = policy["PolicyArn"]
        yield AddedPolicy(
            f"the policy {policy_arn}",
            _read_managed_policy(client, policy_arn),
            f"aws iam detach-role-policy --role-name {role_name} --policy-arn {policy_arn}",
        )


def _read_managed_policy(client: Any, policy_arn: str) -> Any:  # noqa: ANN401  # as in Access
    """Read a managed policy's default version, which is the only one that IAM applies."""
    policy = client.get_policy(PolicyArn=policy_arn)["Policy"]
    version = client.get_policy_version(PolicyArn=policy_arn, VersionId=policy["DefaultVersionId"])
    return version["PolicyVersion"]["Document"]
