"""The statements of a stack's policies as IAM has them: lists them, and removes some."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import NamedTuple

from tests.end_to_end.stack import Stack

TRUST = "trust policy"


class Statement(NamedTuple):
    """A statement of a role's inline policy, or of its trust policy."""

    role: str
    policy: str
    document: Mapping[str, object]

    @property
    def actions(self) -> tuple[str, ...]:
        """The actions that the statement allows."""
        actions = self.document["Action"]
        return (actions,) if isinstance(actions, str) else tuple(actions)

    def allows(self, action: str, arns: list[str] | None) -> bool:
        """Return True if the statement allows an action on one of these resources.

        Without a list of resources, only the action is compared.
        """
        if self.policy == TRUST or action not in self.actions:
            return False
        patterns = self.document["Resource"]
        return arns is None or any(fnmatchcase(arn, each) for arn in arns for each in patterns)


class Permission(NamedTuple):
    """A statement of a function's own policy."""

    function: str
    document: Mapping[str, object]


def roles(stack: Stack) -> dict[str, str]:
    """Return the names of the stack's roles, by logical name without the pipeline's name."""
    resources = stack.resources("iam/role:Role")
    prefix = f"retraining-{stack.name}"
    return {name[len(prefix) + 1 :]: role["name"] for name, role in resources.items()}


def statements(stack: Stack, role: str) -> list[Statement]:
    """Return every statement of a role. The stack attaches no managed policies."""
    iam = stack.client("iam")
    managed = iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    assert managed == [], "their statements are not in the list"
    policies = [TRUST, *iam.list_role_policies(RoleName=role)["PolicyNames"]]
    return [
        Statement(role, policy, document)
        for policy in policies
        for document in _read(stack, role, policy)
    ]


@contextmanager
def without(stack: Stack, *removed: Statement) -> Iterator[None]:
    """Remove statements from their policies during the block."""
    policies = {(statement.role, statement.policy) for statement in removed}
    original = {(role, policy): _read(stack, role, policy) for role, policy in policies}
    for (role, policy), documents in original.items():
        kept = [each for each in documents if Statement(role, policy, each) not in removed]
        _write(stack, role, policy, kept)
    try:
        yield
    finally:
        for (role, policy), documents in original.items():
            _write(stack, role, policy, documents)


def permissions(stack: Stack) -> list[Permission]:
    """Return every statement of the policies of the stack's functions."""
    client = stack.client("lambda")
    found = []
    for function in stack.resources("lambda/function:Function").values():
        try:
            policy = json.loads(client.get_policy(FunctionName=function["name"])["Policy"])
        except client.exceptions.ResourceNotFoundException:
            continue  # the response of AWS for a function without a policy
        found += [Permission(function["name"], document) for document in policy["Statement"]]
    return found


@contextmanager
def without_permission(stack: Stack, removed: Permission) -> Iterator[None]:
    """Remove a statement from a function's policy during the block."""
    client, document = stack.client("lambda"), removed.document
    key = {"FunctionName": removed.function, "StatementId": document["Sid"]}
    client.remove_permission(**key)
    try:
        yield
    finally:
        client.add_permission(
            **key,
            Action=document["Action"],
            Principal=document["Principal"]["Service"],
            SourceArn=document["Condition"]["ArnLike"]["AWS:SourceArn"],
        )


def _read(stack: Stack, role: str, policy: str) -> list[Mapping[str, object]]:
    iam = stack.client("iam")
    if policy == TRUST:
        return iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]["Statement"]
    response = iam.get_role_policy(RoleName=role, PolicyName=policy)
    return response["PolicyDocument"]["Statement"]


def _write(stack: Stack, role: str, policy: str, documents: list[Mapping[str, object]]) -> None:
    """Write a policy. IAM takes no policy without a statement, so an empty one denies instead."""
    iam = stack.client("iam")
    if policy == TRUST:
        deny = {"Effect": "Deny", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}}
        text = json.dumps({"Version": "2012-10-17", "Statement": documents or [deny]})
        iam.update_assume_role_policy(RoleName=role, PolicyDocument=text)
    elif documents:
        text = json.dumps({"Version": "2012-10-17", "Statement": documents})
        iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=text)
    else:
        iam.delete_role_policy(RoleName=role, PolicyName=policy)
