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


def caller_arn(access_key: str) -> str:
    """Return the ARN of the owner of an access key, or the key itself if it belongs to nobody."""
    identity = iam_evaluator.resolve_caller_identity(access_key)
    if not identity:
        return access_key
    return str(identity["userArn"])


def assume_role(role_arn: str, *, service: str, source_arn: str, session_name: str) -> Credentials:
    """Return the credentials of a role session for a service, for example states.amazonaws.com.

    An equal role, service and session name always get equal credentials. They do not expire. Raise
    AccessDeniedError unless the role trusts the service.
    """
    if not trusts(role_arn, service=service, source_arn=source_arn):
        raise AccessDeniedError(
            f"{service} is not authorized to perform: sts:AssumeRole on resource: {role_arn}"
            f" (aws:SourceArn: {source_arn})"
        )

    account = role_arn.split(":")[4]
    role_name = role_arn.rsplit("/", 1)[-1]
    digest = hashlib.sha256(f"{role_arn} {service} {session_name}".encode()).hexdigest()
    credentials: Credentials = {
        "aws_access_key_id": f"ASIA{digest[:16].upper()}",
        "aws_secret_access_key": hashlib.sha256(f"secret {digest}".encode()).hexdigest(),
        "aws_session_token": hashlib.sha256(f"token {digest}".encode()).hexdigest(),
    }
    session = {
        "Arn": f"arn:aws:sts::{account}:assumed-role/{role_name}/{session_name}",
        "UserId": f"{role_name}:{session_name}",
        "SecretAccessKey": credentials["aws_secret_access_key"],
        "SessionToken": credentials["aws_session_token"],
    }
    sts.register_session(credentials["aws_access_key_id"], session)
    return credentials


def trusts(role_arn: str, *, service: str, source_arn: str) -> bool:
    """Return True if a role lets `service` assume it when it acts for the resource `source_arn`."""
    account = role_arn.split(":")[4]
    name = role_arn.rsplit("/", 1)[-1]
    role = iam._roles.get_scoped(account, None, name)  # noqa: SLF001  # GetRole needs a caller
    if role is None or role["Arn"] != role_arn:
        return False

    statements = json.loads(role["AssumeRolePolicyDocument"])["Statement"]
    if not isinstance(statements, list):
        statements = [statements]  # A policy may have its only statement outside a list.

    # MiniStack's evaluator has no services as principals, but it lets the account's root stand for
    # any of them. So evaluate as root, and only the statements that name this service.
    own_policy = {"Statement": [each for each in statements if _names_service(each, service)]}
    root = f"arn:aws:iam::{account}:root"
    context = _context(root, "sts:AssumeRole", role_arn, source_arn)
    return bool(iam_evaluator.evaluate_trust_policy(own_policy, root, context))


def _names_service(statement: Policy, service: str) -> bool:
    return f'"{service}"' in json.dumps(statement.get("Principal"))


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

    if denial is not None:
        is_explicit = denial.decision == "Deny"
        message = iam_actions.identity_denial_message(
            action, denial.principal_arn, resource, is_explicit
        )
        raise AccessDeniedError(message)


def is_allowed(access_key: str, region: str, action: str, resource: str) -> bool:
    """Return True if the owner of an access key may perform an action on a resource."""
    try:
        authorize(access_key, region, action, resource)
    except AccessDeniedError:
        return False
    return True


def service_may(
    policy: Policy | None, service: str, action: str, resource: str, source_arn: str
) -> bool:
    """Return True if the policy of a resource lets `service` act on it for another resource."""
    if policy is None:
        return False
    context = _context(service, action, resource, source_arn)
    result = iam_evaluator.evaluate_resource_policy(policy, context, service=service)
    return bool(result.decision == "Allow")


def _context(
    principal: str, action: str, resource: str, source_arn: str
) -> iam_evaluator.EvalContext:
    """Return the call for MiniStack's evaluator that a service makes for the resource `source_arn`.

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
def simulated_request(extract: Callable[..., Any], query: Policy) -> tuple[list[str], Policy]:
    """Return the actions of SimulatePrincipalPolicy, and the whole query for the results."""
    return extract(query)[0], query


@ministack.replace(iam, "_build_simulate_results_real")
def simulated_results(_build: object, actions: list[str], query: Policy, *caller: Any) -> str:  # noqa: ANN401  # as in MiniStack
    """Return the result of each action as XML, which is the most restrictive of all resources.

    MiniStack knows only the first resource, and neither a context nor permissions boundaries. The
    context has one key here.
    https://docs.aws.amazon.com/IAM/latest/APIReference/API_EvaluationResult.html
    """
    principal, account, policies = caller
    store = iam._users  # noqa: SLF001  # as above
    if ":role/" in principal:
        store = iam._roles  # noqa: SLF001  # as above
    name = principal.rpartition("/")[2]
    limits = iam_evaluator._permissions_boundary(store, name, account)  # noqa: SLF001  # as above

    xml = ""
    for action in actions:
        decisions = {
            iam_evaluator.evaluate(context, policies, *limits).decision
            for context in _simulated_contexts(principal, account, action, query)
        }
        xml += f"<member><EvalActionName>{action}</EvalActionName>"
        xml += f"<EvalDecision>{_most_restrictive(decisions)}</EvalDecision></member>"
    return xml


def _simulated_contexts(
    principal: str, account: str, action: str, query: Policy
) -> Iterator[iam_evaluator.EvalContext]:
    """Yield the simulated call of an action on each resource that the query names."""
    key_field = "ContextEntries.member.1.ContextKey"
    context_key = query.get(f"{key_field}Name", [""])[0]
    context_value = query.get(f"{key_field}Values.member.1", [""])[0]

    arns = [query[name][0] for name in query if name.startswith("ResourceArns.")]
    if not arns:
        arns = ["*"]
    for arn in arns:
        context = _context(principal, action, arn, ":" * 5)  # no resource makes the call
        context.principal_type = "User"
        context.principal_account = account
        context.service_context = {context_key.lower(): context_value}
        yield context


def _most_restrictive(decisions: set[str]) -> str:
    if "Deny" in decisions:
        return "explicitDeny"
    if decisions == {"Allow"}:
        return "allowed"
    return "implicitDeny"


@ministack.replace(iam_actions, "extract_resource_arn")
def resource_arn(extract: Callable[..., str], service: str, *call: Any) -> str:  # noqa: ANN401  # as in MiniStack
    """Return the ARN on which a caller needs the permission for a call.

    For a schedule, MiniStack takes `schedule/default/NAME`, even if the call names another group.
    For SimulatePrincipalPolicy it takes `*`, which a policy for roles and users does not allow.
    """
    query: dict[str, list[str]] = call[4]
    if service == "iam" and "PolicySourceArn" in query:
        return query["PolicySourceArn"][0]

    group = query.get("groupName", ["default"])[0]
    return extract(service, *call).replace(":schedule/default/", f":schedule/{group}/", 1)
