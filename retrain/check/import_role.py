"""Checks that Personalize may assume the import role, and that the role may read the exports."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, NamedTuple, cast

from botocore.exceptions import ClientError

from retrain.account.errors import DENIED_CODES, code_of
from retrain.check.buckets import reads_of
from retrain.check.findings import Finding
from retrain.check.policies import (
    PERSONALIZE,
    Request,
    service_context,
    verdict,
    with_statements,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mypy_boto3_iam import IAMClient

    from retrain.check.findings import Account
    from retrain.check.policies import Verdict

ASSUME, DECRYPT = "sts:AssumeRole", "kms:Decrypt"
NO_ENTITY = "NoSuchEntity"
TRUST = {"Effect": "Allow", "Principal": {"Service": PERSONALIZE}, "Action": ASSUME}
"""The statement that lets Personalize assume a role."""
TRY_IMPORT = "start one import, which shows whether Personalize may use the role"


def check_import_role(account: Account) -> Iterator[Finding]:
    """Find out whether Personalize may assume the import role, and whether it reads the exports."""
    role_arn = account.pipeline.settings["importRoleArn"]
    if not role_arn:
        yield Finding("ok", "`pulumi up` creates the import role")
        return
    client = account.access.session.client("iam", **account.access.client_options)
    name = role_arn.rpartition("/")[2]
    try:
        role = client.get_role(RoleName=name)["Role"]
    except ClientError as error:
        if code_of(error) != NO_ENTITY:
            raise
        yield Finding(
            "missing",
            f"{role_arn} does not exist",
            "remove importRoleArn from the stack's file, and the pipeline creates a role",
        )
        return
    trust = cast("dict[str, object]", role["AssumeRolePolicyDocument"])
    context = service_context(account.pipeline.home, "personalize")
    result = verdict(trust, Request(PERSONALIZE, ASSUME, role_arn, context))
    yield _trust_finding(name, result, trust)
    try:
        yield from _policy_findings(account, client, role_arn)
    except ClientError as error:
        if code_of(error) not in DENIED_CODES:
            raise
        yield Finding(
            "warn",
            f"the policies of {name} are not checked without iam:SimulatePrincipalPolicy",
            account.pipeline.command("doctor", "--policy"),
        )


def _trust_finding(name: str, result: Verdict, trust: Mapping[str, object]) -> Finding:
    """Return the finding about the trust policy of the import role."""
    keys = ", ".join(result.keys)
    if result.result == "allowed":
        return Finding("ok", f"Personalize may assume {name}")
    if result.result == "uncertain":
        text = f"{keys} in the trust policy of {name} cannot be judged from here"
        return Finding("warn", text, TRY_IMPORT)
    if result.result == "denied":
        return Finding(
            "missing",
            f"the trust policy of {name} denies Personalize{f', by {keys}' if keys else ''}",
            f"correct the statement with Deny, which `aws iam get-role --role-name {name}` shows",
        )
    policy = shlex.quote(json.dumps(with_statements(trust, TRUST)))
    return Finding(
        "missing",
        f"Personalize may not assume {name}",
        f"aws iam update-assume-role-policy --role-name {name} --policy-document {policy}",
    )


class Simulation(NamedTuple):
    """What IAM's simulation says about an action on a resource."""

    action: str
    resource: str
    is_allowed: bool
    unknown_keys: Sequence[str]
    """The condition keys without which the simulation cannot decide."""


def _policy_findings(account: Account, client: IAMClient, role_arn: str) -> Iterator[Finding]:
    """Yield whether the policies of the import role allow to read the exports."""
    name, partition = role_arn.rpartition("/")[2], account.pipeline.home.partition
    all_reads = reads_of(account)
    permissions = [row for reads in all_reads for row in reads.permissions(partition)]
    args = account.pipeline.args
    if args and args.data_kms_key_arn:
        permissions.append((DECRYPT, str(args.data_kms_key_arn)))
    lacking = [
        row
        for row in (_simulation(client, role_arn, *permission) for permission in permissions)
        if not row.is_allowed
    ]
    missing = sorted({row.action for row in lacking if not row.unknown_keys})
    unknown_keys = sorted({key for row in lacking for key in row.unknown_keys})
    if missing:
        policy = shlex.quote(json.dumps(_policy_for(permissions)))
        yield Finding(
            "missing",
            f"{name} lacks {', '.join(missing)}",
            f"aws iam put-role-policy --role-name {name} --policy-name read-exports "
            f"--policy-document {policy}",
        )
    elif unknown_keys:
        text = f"{', '.join(unknown_keys)} in the policies of {name} cannot be judged from here"
        yield Finding("warn", text, TRY_IMPORT)
    else:
        yield Finding("ok", f"the policies of {name} allow it to read the exports")


def _policy_for(permissions: Sequence[tuple[str, str]]) -> dict[str, object]:
    """Return a policy with all permissions, because it may replace an earlier one."""
    resources: dict[str, list[str]] = {}
    for action, resource in permissions:
        resources.setdefault(action, []).append(_widened(resource))
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": action, "Resource": arns}
            for action, arns in resources.items()
        ],
    }


def _widened(resource: str) -> str:
    """Return the ARN of all objects of a folder for the ARN of the example file in it."""
    return (
        resource.removesuffix("export.csv") + "*" if resource.endswith("/export.csv") else resource
    )


def _simulation(client: IAMClient, role_arn: str, action: str, resource: str) -> Simulation:
    """Return what IAM's own simulation says about an action of a role."""
    results = client.simulate_principal_policy(
        PolicySourceArn=role_arn, ActionNames=[action], ResourceArns=[resource]
    )["EvaluationResults"]
    unknown_keys = {
        key
        for result in results
        for part in (result, *result.get("ResourceSpecificResults", []))
        for key in part.get("MissingContextValues", [])
    }
    is_allowed = all(result["EvalDecision"] == "allowed" for result in results)
    return Simulation(action, resource, is_allowed, sorted(unknown_keys))
