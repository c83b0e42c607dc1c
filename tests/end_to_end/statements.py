"""The statements of a deployed stack's policies, as IAM has them: list them, take one out."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from tests.end_to_end.stack import Stack

TRUST = "trust policy"


class Statement(NamedTuple):
    """One statement of a role's inline policy, or of the policy that says who may assume it."""

    role: str
    policy: str
    document: Mapping[str, object]

    @property
    def actions(self) -> tuple[str, ...]:
        """What it allows."""
        actions = self.document["Action"]
        return (actions,) if isinstance(actions, str) else tuple(actions)


class Permission(NamedTuple):
    """One statement of a function's own policy."""

    function: str
    document: Mapping[str, object]


def roles(stack: Stack) -> dict[str, str]:
    """The stack's roles: what follows the pipeline's name in the logical name -> the role's."""
    deployed = stack.resources("iam/role:Role")
    beginning = f"retraining-{stack.name}"
    return {name[len(beginning) + 1 :]: role["name"] for name, role in deployed.items()}


def statements(stack: Stack, role: str) -> list[Statement]:
    """Every statement of a role; the stack attaches no managed policies."""
    iam = stack.client("iam")
    managed = iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    assert managed == [], "their statements would be overlooked here"
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    found = [Statement(role, TRUST, each) for each in _read(stack, role, TRUST)]
    return found + [
        Statement(role, name, each) for name in names for each in _read(stack, role, name)
    ]


@contextmanager
def without(stack: Stack, *taken: Statement) -> Iterator[None]:
    """Take statements out of their policies for as long as the block lasts."""
    before = {(each.role, each.policy): _read(stack, each.role, each.policy) for each in taken}
    for (role, policy), documents in before.items():
        out = [each.document for each in taken if (each.role, each.policy) == (role, policy)]
        _write(stack, role, policy, [each for each in documents if each not in out])
    try:
        yield
    finally:
        for (role, policy), documents in before.items():
            _write(stack, role, policy, documents)


def permissions(stack: Stack) -> list[Permission]:
    """Every statement of the policies of the stack's functions: who else may call them."""
    client, found = stack.client("lambda"), []
    for function in stack.resources("lambda/function:Function").values():
        try:
            policy = json.loads(client.get_policy(FunctionName=function["name"])["Policy"])
        except client.exceptions.ResourceNotFoundException:
            continue  # AWS's answer for a function without a policy
        found += [Permission(function["name"], each) for each in policy["Statement"]]
    return found


@contextmanager
def without_permission(stack: Stack, taken: Permission) -> Iterator[None]:
    """Take a statement out of a function's policy for as long as the block lasts."""
    client, document = stack.client("lambda"), taken.document
    key = {"FunctionName": taken.function, "StatementId": document["Sid"]}
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
    answer = iam.get_role_policy(RoleName=role, PolicyName=policy)
    return answer["PolicyDocument"]["Statement"]


def _write(stack: Stack, role: str, policy: str, documents: list[Mapping[str, object]]) -> None:
    """Write a policy; IAM takes none without a statement, so an empty one is one that denies."""
    iam = stack.client("iam")
    nobody = {"Effect": "Deny", "Action": "sts:AssumeRole"}
    if policy == TRUST:
        nobody["Principal"] = {"AWS": "*"}
        text = json.dumps({"Version": "2012-10-17", "Statement": documents or [nobody]})
        iam.update_assume_role_policy(RoleName=role, PolicyDocument=text)
    elif documents:
        text = json.dumps({"Version": "2012-10-17", "Statement": documents})
        iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=text)
    else:
        iam.delete_role_policy(RoleName=role, PolicyName=policy)
