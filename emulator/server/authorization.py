"""The IAM decisions that MiniStack does not make by itself.

MiniStack (with `AUTH=true`) authorises every call to its own services. This module asks
MiniStack's evaluator three other questions. May a service assume a role? May a caller perform an
action of a service that MiniStack lacks? Does a resource's policy let a service in? The root
credentials of the account (the access key is the account's number) may do everything.

Some permissions are not enforced. No part of the emulator makes the calls `xray:Put*` and
`xray:GetSampling*`, and KMS keys are not used. `logs:CreateLogDelivery` and the other actions for
the logs of a state machine are checked when the state machine is created, and not later.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, TypedDict, cast

from ministack.core import iam_actions, iam_evaluator

from emulator.server import ministack_internals

if TYPE_CHECKING:
    from collections.abc import Mapping


class Credentials(TypedDict):
    """The credentials of a session, named like the arguments of boto3."""

    aws_access_key_id: str
    aws_secret_access_key: str
    aws_session_token: str


class AccessDeniedError(Exception):
    """A caller or a service may not perform an action. The message is like AWS's."""


def assume_role(role_arn: str, *, service: str, source_arn: str, session_name: str) -> Credentials:
    """Return the credentials of a role session for a service, for example states.amazonaws.com.

    The service acts for the resource `source_arn`. An equal role, service and session name always
    get equal credentials. They do not expire.

    Raises:
        AccessDeniedError: The role is missing or does not trust the service.
    """
    if not trusts(role_arn, service=service, source_arn=source_arn):
        raise AccessDeniedError(
            f"{service} is not authorized to perform: sts:AssumeRole on resource: {role_arn}"
            f" (aws:SourceArn: {source_arn})"
        )
    account, role_name = role_arn.split(":")[4], role_arn.rsplit("/", 1)[-1]
    digest = hashlib.sha256(f"{role_arn} {service} {session_name}".encode()).hexdigest()
    access_key = f"ASIA{digest[:16].upper()}"
    secret = hashlib.sha256(f"secret {digest}".encode()).hexdigest()
    token = hashlib.sha256(f"token {digest}".encode()).hexdigest()
    ministack_internals.register_session(
        access_key,
        {
            "Arn": f"arn:aws:sts::{account}:assumed-role/{role_name}/{session_name}",
            "UserId": f"{role_name}:{session_name}",
            "SecretAccessKey": secret,
            "SessionToken": token,
        },
    )
    return {
        "aws_access_key_id": access_key,
        "aws_secret_access_key": secret,
        "aws_session_token": token,
    }


def trusts(role_arn: str, *, service: str, source_arn: str) -> bool:
    """Return True if the role exists and its trust policy lets `service` assume it.

    The service acts for the resource `source_arn`.
    """
    policy = ministack_internals.trust_policy(role_arn)
    if policy is None:
        return False
    # MiniStack's evaluator has no services as principals, but it lets the account's root stand for
    # any of them. So evaluate as root, and only the statements that name this service.
    statements = [statement for statement in _statements(policy) if service in _services(statement)]
    root = f"arn:aws:iam::{role_arn.split(':')[4]}:root"
    context = _context(root, "sts:AssumeRole", role_arn, source_conditions(source_arn))
    return bool(iam_evaluator.evaluate_trust_policy({"Statement": statements}, root, context))


def authorize(
    access_key: str,
    region: str,
    action: str,
    resource: str,
    conditions: Mapping[str, object] | None = None,
) -> None:
    """Check that the owner of an access key may perform an action on a resource.

    `conditions` are the condition keys of the service. The key must be authenticated already.

    Raises:
        AccessDeniedError: The policies of the owner do not allow it.
    """
    service = action.partition(":")[0]
    denial = iam_evaluator.enforce(
        access_key, action, service, region, resource_arn=resource, service_context=conditions
    )
    if denial is not None:
        raise AccessDeniedError(
            iam_actions.identity_denial_message(
                action, denial.principal_arn, resource, denial.decision == "Deny"
            )
        )


def service_may(
    policy: Mapping[str, object] | None,
    service: str,
    action: str,
    resource: str,
    source_arn: str | None,
) -> bool:
    """Return True if the policy of a resource lets `service` perform an action on it.

    The service acts for the resource `source_arn`. If that is None, the call does not say for
    which. Without a policy nothing is allowed.
    """
    if policy is None:
        return False
    conditions = {} if source_arn is None else source_conditions(source_arn)
    context = _context(service, action, resource, conditions)
    return bool(
        iam_evaluator.evaluate_resource_policy(policy, context, service=service).decision == "Allow"
    )


def source_conditions(arn: str) -> dict[str, object]:
    """Return the condition keys of a call that a service makes for the resource `arn`."""
    return {"aws:SourceArn": arn, "aws:SourceAccount": arn.split(":")[4]}


def _context(
    principal: str, action: str, resource: str, conditions: Mapping[str, object]
) -> iam_evaluator.EvalContext:
    """Return the call for MiniStack's evaluator, which expects condition keys in lower case."""
    return iam_evaluator.EvalContext(
        principal_arn=principal,
        principal_type="Service",
        principal_account="",
        action=action,
        resource_arn=resource,
        region="",
        service_context={key.lower(): value for key, value in conditions.items()},
    )


def _statements(policy: Mapping[str, object]) -> list[Mapping[str, object]]:
    """Return the statements of a policy, which can have a list of them or only one."""
    statements = policy["Statement"]
    return cast(
        "list[Mapping[str, object]]", statements if isinstance(statements, list) else [statements]
    )


def _services(statement: Mapping[str, object]) -> list[str]:
    """Return the services that a statement names as principals."""
    principal = statement.get("Principal")
    services = principal.get("Service", []) if isinstance(principal, dict) else []
    return [services] if isinstance(services, str) else services
