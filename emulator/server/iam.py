"""The IAM decisions that MiniStack does not make by itself.

MiniStack (with `AUTH=true`) authorises every call to its own services. This module asks
MiniStack's evaluator three other questions. May a service assume a role? May a caller perform an
action of a service that MiniStack lacks? Does a resource's policy let a service in? The root
credentials of the account (the access key is the account's number) may do everything.

Some permissions are not enforced. No part of the emulator makes the calls `xray:Put*` and
`xray:GetSampling*`, and KMS keys are not used. `logs:CreateLogDelivery` and the other actions for
the logs of a state machine are checked when the state machine is created, and not later.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypedDict

from botocore.exceptions import ClientError
from ministack.core import iam_actions, iam_evaluator
from ministack.services import iam, sts

from emulator.server import ministack

Policy = Mapping[str, Any]
"""A policy document."""


class Credentials(TypedDict):
    """The credentials of a session, named like the arguments of boto3."""

    aws_access_key_id: str
    aws_secret_access_key: str
    aws_session_token: str


class AccessDeniedError(ClientError):
    """A caller or a service may not perform an action. The message is like AWS's."""

    def __init__(self, message: str) -> None:
        response: Any = {
            "Error": {"Code": "AccessDeniedException", "Message": message},
            "ResponseMetadata": {"HTTPStatusCode": 403, "RequestId": "-"},
        }
        super().__init__(response, "AssumeRole")
        self.message = message


def find_caller_arn(access_key: str) -> str:
    """Find the owner of an access key. Return the key itself if it belongs to nobody."""
    identity = iam_evaluator.resolve_caller_identity(access_key)
    if not identity:
        return access_key
    return str(identity["userArn"])


def assume_role(role_arn: str, *, service: str, source_arn: str, session_name: str) -> Credentials:
    """Open a session of a role for a service, for example states.amazonaws.com.

    Raise AccessDeniedError unless the role trusts the service.
    """
    if not trusts(role_arn, service=service, source_arn=source_arn):
        raise AccessDeniedError(
            f"{service} is not authorized to perform: sts:AssumeRole on resource: {role_arn}"
            f" (aws:SourceArn: {source_arn})"
        )

    credentials = _derive_credentials(f"{role_arn} {service} {session_name}")
    account = role_arn.split(":")[4]
    role_name = role_arn.rsplit("/", 1)[-1]
    session = {
        "Arn": f"arn:aws:sts::{account}:assumed-role/{role_name}/{session_name}",
        "UserId": f"{role_name}:{session_name}",
        "SecretAccessKey": credentials["aws_secret_access_key"],
        "SessionToken": credentials["aws_session_token"],
    }
    sts.register_session(credentials["aws_access_key_id"], session)
    return credentials


def _derive_credentials(session: str) -> Credentials:
    """Derive the credentials from what identifies a session.

    Equal sessions get equal credentials, which never expire, so that clients can be cached.
    """

    def digest(purpose: str) -> str:
        return hashlib.sha256(f"{purpose} {session}".encode()).hexdigest()

    return {
        "aws_access_key_id": f"ASIA{digest('key')[:16].upper()}",
        "aws_secret_access_key": digest("secret"),
        "aws_session_token": digest("token"),
    }


def trusts(role_arn: str, *, service: str, source_arn: str) -> bool:
    """Return True if a role lets `service` assume it when it acts for the resource `source_arn`."""
    account = role_arn.split(":")[4]
    name = role_arn.rsplit("/", 1)[-1]
    role = iam._roles.get_scoped(account, None, name)  # noqa: SLF001  # GetRole needs a caller
    if role is None or role["Arn"] != role_arn:
        return False

    # MiniStack's evaluator has no services as principals, but it lets the account's root stand for
    # any of them. So evaluate as root, and only the statements that name this service.
    statements = _select_statements(role["AssumeRolePolicyDocument"], service)
    root = f"arn:aws:iam::{account}:root"
    context = _build_context(root, "sts:AssumeRole", role_arn, source_arn)
    return bool(iam_evaluator.evaluate_trust_policy({"Statement": statements}, root, context))


def _select_statements(trust_policy: str, service: str) -> list[Policy]:
    """Select the statements of a trust policy that name a service as their principal."""
    statements = json.loads(trust_policy)["Statement"]
    if not isinstance(statements, list):
        statements = [statements]  # A policy may have its only statement outside a list.

    return [
        statement
        for statement in statements
        if f'"{service}"' in json.dumps(statement.get("Principal"))
    ]


def authorize(
    access_key: str, region: str, action: str, resource: str, conditions: Policy | None = None
) -> None:
    """Raise AccessDeniedError unless the owner of an access key may perform an action.

    `conditions` are the condition keys of the service. The key must be authenticated already.
    """
    service = action.partition(":")[0]
    denial = iam_evaluator.enforce(
        access_key, action, service, region, resource_arn=resource, service_context=conditions
    )
    if denial is None:
        return

    is_explicit = denial.decision == "Deny"
    raise AccessDeniedError(
        iam_actions.identity_denial_message(action, denial.principal_arn, resource, is_explicit)
    )


def is_allowed(access_key: str, region: str, action: str, resource: str) -> bool:
    """Return True if the owner of an access key may perform an action on a resource."""
    try:
        authorize(access_key, region, action, resource)
    except AccessDeniedError:
        return False
    return True


def is_service_allowed(
    policy: Policy | None, service: str, action: str, resource: str, source_arn: str
) -> bool:
    """Return True if the policy of a resource lets `service` act on it for another resource."""
    if policy is None:
        return False
    context = _build_context(service, action, resource, source_arn)
    result = iam_evaluator.evaluate_resource_policy(policy, context, service=service)
    return bool(result.decision == "Allow")


def _build_context(
    principal: str, action: str, resource: str, source_arn: str
) -> iam_evaluator.EvalContext:
    """Build the context in which MiniStack evaluates a call that a service makes for a resource.

    The evaluator expects condition keys in lower case.
    """
    return iam_evaluator.EvalContext(
        principal_arn=principal,
        principal_type="Service",
        principal_account="",
        action=action,
        resource_arn=resource,
        region="",
        service_context={
            "aws:sourcearn": source_arn,
            "aws:sourceaccount": source_arn.split(":")[4],
        },
    )


@ministack.replace(iam, "_extract_simulate_params")
def keep_query(extract: Callable[..., Any], query: Policy) -> tuple[list[str], Policy]:
    """Keep the whole query of SimulatePrincipalPolicy, which `simulate_actions` needs.

    MiniStack keeps the actions and the first resource.
    """
    actions, *_ = extract(query)
    return actions, query


@ministack.replace(iam, "_build_simulate_results_real")
def simulate_actions(_build: object, actions: list[str], query: Policy, *caller: Any) -> str:  # noqa: ANN401  # as in MiniStack
    """Simulate each action on all resources, and write the results as XML.

    MiniStack knows only the first resource, and neither a context nor permissions boundaries. The
    context has one key here.
    https://docs.aws.amazon.com/IAM/latest/APIReference/API_EvaluationResult.html
    """
    principal, account, policies = caller
    store = iam._users  # noqa: SLF001  # as above
    if ":role/" in principal:
        store = iam._roles  # noqa: SLF001  # as above
    name = principal.rpartition("/")[2]
    boundary = iam_evaluator._permissions_boundary(store, name, account)  # noqa: SLF001  # as above

    xml = ""
    for action in actions:
        decisions = {
            iam_evaluator.evaluate(context, policies, *boundary).decision
            for context in _build_contexts(principal, account, action, query)
        }
        xml += f"<member><EvalActionName>{action}</EvalActionName>"
        xml += f"<EvalDecision>{_most_restrictive(decisions)}</EvalDecision></member>"
    return xml


def _build_contexts(
    principal: str, account: str, action: str, query: Policy
) -> Iterator[iam_evaluator.EvalContext]:
    """Yield the context of an action on each resource that the query names."""
    key_field = "ContextEntries.member.1.ContextKey"
    context_key = query.get(f"{key_field}Name", [""])[0]
    context_value = query.get(f"{key_field}Values.member.1", [""])[0]
    resource_arns = [query[name][0] for name in query if name.startswith("ResourceArns.")]

    for resource_arn in resource_arns or ["*"]:
        yield iam_evaluator.EvalContext(
            principal_arn=principal,
            principal_type="User",
            principal_account=account,
            action=action,
            resource_arn=resource_arn,
            region="",
            service_context={context_key.lower(): context_value},
        )


def _most_restrictive(decisions: set[str]) -> str:
    """Sum up the decisions about several resources, in the words of SimulatePrincipalPolicy."""
    if "Deny" in decisions:
        return "explicitDeny"
    if decisions == {"Allow"}:
        return "allowed"
    return "implicitDeny"


@ministack.replace(iam_actions, "extract_resource_arn")
def extract_resource_arn(extract: Callable[..., str], service: str, *call: Any) -> str:  # noqa: ANN401  # as in MiniStack
    """Extract the ARN on which a caller needs the permission for a call.

    For a schedule, MiniStack takes `schedule/default/NAME`, even if the call names another group.
    For SimulatePrincipalPolicy it takes `*`, which a policy for roles and users does not allow.
    """
    query: dict[str, list[str]] = call[4]
    if service == "iam" and "PolicySourceArn" in query:
        return query["PolicySourceArn"][0]

    group_name = query.get("groupName", ["default"])[0]
    return extract(service, *call).replace(":schedule/default/", f":schedule/{group_name}/", 1)
