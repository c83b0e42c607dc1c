"""IAM where MiniStack has no answer: services that assume roles, services that it lacks.

MiniStack (with `AUTH=true`) authorises every call to its own services. This module asks its
evaluator the other questions: may this service assume that role, may this caller do that, does this
resource's policy let that service in? The root credentials of the account (the access key is the
account's number) may do everything.

Not enforced: `xray:Put*` and `xray:GetSampling*`, since nothing here makes these calls, and what
the use of a KMS key asks for. `logs:CreateLogDelivery` and its kin are asked for when a state
machine that logs is made, and never again, since nothing here delivers its log.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, TypedDict, cast

from ministack.core import iam_actions, iam_evaluator

from emulator.server import ministack_seams

if TYPE_CHECKING:
    from collections.abc import Mapping


class Credentials(TypedDict):
    """A session's credentials, named as boto3's arguments are."""

    aws_access_key_id: str
    aws_secret_access_key: str
    aws_session_token: str


class AccessDeniedError(Exception):
    """The caller or the service may not do this; the message says what, as AWS's does."""


def assume_role(role_arn: str, *, service: str, source_arn: str, session_name: str) -> Credentials:
    """Open a session of a role for a service ('states.amazonaws.com') acting for `source_arn`.

    The role's trust policy decides. The same role, service and session name get the same
    credentials each time; they do not expire. Raises AccessDeniedError where the role is missing or
    does not trust the service.
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
    ministack_seams.register_session(
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
    """Whether the role exists and lets `service`, acting for `source_arn`, assume it."""
    document = ministack_seams.trust_policy(role_arn)
    if document is None:
        return False
    # To the evaluator an account's root stands for any service: keep what names this one, ask as
    # root.
    named = [s for s in _statements(document) if service in _services(s)]
    root = f"arn:aws:iam::{role_arn.split(':')[4]}:root"
    context = _context(root, "sts:AssumeRole", role_arn, source(source_arn))
    return bool(iam_evaluator.evaluate_trust_policy({"Statement": named}, root, context))


def authorize(
    access_key: str,
    region: str,
    action: str,
    resource: str,
    conditions: Mapping[str, object] | None = None,
) -> None:
    """Raise AccessDeniedError unless the key's owner may do `action` to `resource`.

    The key must have been authenticated before.
    """
    service = action.partition(":")[0]
    denied = iam_evaluator.enforce(
        access_key, action, service, region, resource_arn=resource, service_context=conditions
    )
    if denied is not None:
        raise AccessDeniedError(
            iam_actions.identity_denial_message(
                action, denied.principal_arn, resource, denied.decision == "Deny"
            )
        )


def service_may(
    policy: Mapping[str, object] | None, service: str, action: str, resource: str, source_arn: str
) -> bool:
    """Whether a resource's policy lets `service`, acting for `source_arn`, do `action` to it."""
    if policy is None:
        return False
    context = _context(service, action, resource, source(source_arn))
    return bool(
        iam_evaluator.evaluate_resource_policy(policy, context, service=service).decision == "Allow"
    )


def source(arn: str) -> dict[str, object]:
    """The condition keys that tell on whose behalf a service acts."""
    return {"aws:SourceArn": arn, "aws:SourceAccount": arn.split(":")[4]}


def _context(
    principal: str, action: str, resource: str, conditions: Mapping[str, object]
) -> iam_evaluator.EvalContext:
    """What the evaluator decides about; it knows condition keys in lower case only."""
    return iam_evaluator.EvalContext(
        principal_arn=principal,
        principal_type="Service",
        principal_account="",
        action=action,
        resource_arn=resource,
        region="",
        service_context={key.lower(): value for key, value in conditions.items()},
    )


def _statements(document: Mapping[str, object]) -> list[Mapping[str, object]]:
    statements = document["Statement"]
    return cast(
        "list[Mapping[str, object]]", statements if isinstance(statements, list) else [statements]
    )


def _services(statement: Mapping[str, object]) -> list[str]:
    principal = statement.get("Principal")
    services = principal.get("Service", []) if isinstance(principal, dict) else []
    return [services] if isinstance(services, str) else services
