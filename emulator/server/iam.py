"""Makes the IAM decisions that MiniStack doesn't make by itself.

With `AUTH=true`, MiniStack authorizes every call to its own services. With MiniStack's policy
evaluator, this module answers three more questions:

- May a service assume a role?
- May a caller perform an action that MiniStack doesn't check, for example one of Personalize?
- Does a resource policy let a service act on behalf of another resource?

The module also corrects SimulatePrincipalPolicy. The account's root user, whose access key is the
account ID, is allowed to do everything.

Some permissions aren't enforced. The emulator never calls `xray:Put*` or `xray:GetSampling*`, and
doesn't use KMS keys. The log delivery actions of state machines, such as `logs:CreateLogDelivery`,
are only checked when a state machine is created or updated.
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
"""A policy document, parsed from JSON."""
Query = Mapping[str, Any]
"""The query parameters of an IAM request, each with a list of values."""


class Credentials(TypedDict):
    """The credentials of an assumed role, with the names of boto3.Session's arguments."""

    aws_access_key_id: str
    aws_secret_access_key: str
    aws_session_token: str


class AccessDeniedError(ClientError):
    """Raised if a caller or service lacks a permission. The message is like AWS's."""

    def __init__(self, message: str) -> None:
        response: Any = {
            "Error": {"Code": "AccessDeniedException", "Message": message},
            "ResponseMetadata": {"HTTPStatusCode": 403, "RequestId": "-"},
        }
        super().__init__(response, "AssumeRole")
        self.message = message


def find_caller_arn(access_key: str) -> str:
    """Return the ARN of an access key's owner, or the access key itself if it's unknown."""
    identity = iam_evaluator.resolve_caller_identity(access_key)
    if not identity:
        return access_key
    return str(identity["userArn"])


def assume_role(role_arn: str, *, service: str, source_arn: str, session_name: str) -> Credentials:
    """Assume a role as a service that acts on behalf of the resource `source_arn`.

    `service` is a service principal, for example states.amazonaws.com.

    Raises:
        AccessDeniedError: the role doesn't trust the service.
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
    """Derive the credentials of a session from a string that identifies the session.

    The same session always gets the same credentials, which never expire. That's what makes it
    possible to cache clients.
    """

    def digest(purpose: str) -> str:
        return hashlib.sha256(f"{purpose} {session}".encode()).hexdigest()

    return {
        "aws_access_key_id": f"ASIA{digest('key')[:16].upper()}",
        "aws_secret_access_key": digest("secret"),
        "aws_session_token": digest("token"),
    }


def trusts(role_arn: str, *, service: str, source_arn: str) -> bool:
    """Return whether a role trusts a service that acts on behalf of the resource `source_arn`.

    Return False if the role doesn't exist.
    """
    account = role_arn.split(":")[4]
    name = role_arn.rsplit("/", 1)[-1]
    role = iam._roles.get_scoped(account, None, name)  # noqa: SLF001  # GetRole would need a caller
    if role is None or role["Arn"] != role_arn:
        return False

    # MiniStack's evaluator doesn't support service principals, but accepts the account's root user
    # for any of them. So select the statements for this service, and evaluate those as root.
    statements = _select_service_statements(role["AssumeRolePolicyDocument"], service)
    root = f"arn:aws:iam::{account}:root"
    context = _build_context(root, "sts:AssumeRole", role_arn, source_arn)
    return bool(iam_evaluator.evaluate_trust_policy({"Statement": statements}, root, context))


def _select_service_statements(trust_policy: str, service: str) -> list[Policy]:
    """Return the statements of a trust policy whose principal includes a service."""
    statements = json.loads(trust_policy)["Statement"]
    if not isinstance(statements, list):
        statements = [statements]  # A single statement doesn't have to be in a list.

    return [
        statement
        for statement in statements
        if f'"{service}"' in json.dumps(statement.get("Principal"))
    ]


def authorize(
    access_key: str,
    region: str,
    action: str,
    resource: str,
    conditions: Mapping[str, Any] | None = None,
) -> None:
    """Raise AccessDeniedError unless a caller's policies allow an action on a resource.

    `conditions` contains the values of the service's condition keys. The access key isn't checked
    here, so the request must already be authenticated.
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
    """Return whether the policies of an access key's owner allow an action on a resource."""
    try:
        authorize(access_key, region, action, resource)
    except AccessDeniedError:
        return False
    return True


def is_service_allowed(
    policy: Policy | None, service: str, action: str, resource: str, source_arn: str
) -> bool:
    """Return whether a resource policy allows an action of a service on behalf of `source_arn`."""
    if policy is None:
        return False
    context = _build_context(service, action, resource, source_arn)
    result = iam_evaluator.evaluate_resource_policy(policy, context, service=service)
    return bool(result.decision == "Allow")


def _build_context(
    principal: str, action: str, resource: str, source_arn: str
) -> iam_evaluator.EvalContext:
    """Build the evaluation context for a service that acts on behalf of `source_arn`.

    MiniStack's evaluator expects condition keys in lower case.
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
def pass_whole_query(extract: Callable[..., Any], query: Query) -> tuple[list[str], Query]:
    """Pass the whole query of SimulatePrincipalPolicy to `simulate_actions`.

    MiniStack would only pass the actions and the first resource.
    """
    actions, *_ = extract(query)
    return actions, query


@ministack.replace(iam, "_build_simulate_results_real")
def simulate_actions(_build: object, actions: list[str], query: Query, *caller: Any) -> str:  # noqa: ANN401  # as in MiniStack
    """Simulate each action on all resources and return the decisions as XML.

    MiniStack would only consider the first resource, and would ignore context entries and
    permissions boundaries. This function considers only the first context entry.
    https://docs.aws.amazon.com/IAM/latest/APIReference/API_EvaluationResult.html
    """
    principal, account, policies = caller
    principal_store = iam._users  # noqa: SLF001  # see trusts
    if ":role/" in principal:
        principal_store = iam._roles  # noqa: SLF001  # see trusts
    name = principal.rpartition("/")[2]
    boundary = iam_evaluator._permissions_boundary(principal_store, name, account)  # noqa: SLF001  # see trusts

    xml = ""
    for action in actions:
        decisions = {
            iam_evaluator.evaluate(context, policies, *boundary).decision
            for context in _build_simulation_contexts(principal, account, action, query)
        }
        xml += f"<member><EvalActionName>{action}</EvalActionName>"
        xml += f"<EvalDecision>{_combine_decisions(decisions)}</EvalDecision></member>"
    return xml


def _build_simulation_contexts(
    principal: str, account: str, action: str, query: Query
) -> Iterator[iam_evaluator.EvalContext]:
    """Yield the evaluation context for each resource in a query, or for `*` if there are none."""
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


def _combine_decisions(decisions: set[str]) -> str:
    """Return the most restrictive of several decisions, spelled as in SimulatePrincipalPolicy."""
    if "Deny" in decisions:
        return "explicitDeny"
    if decisions == {"Allow"}:
        return "allowed"
    return "implicitDeny"


@ministack.replace(iam_actions, "extract_resource_arn")
def find_resource_arn(extract: Callable[..., str], service: str, *call: Any) -> str:  # noqa: ANN401  # as in MiniStack
    """Return the ARN of the resource that the caller needs a permission for.

    This corrects MiniStack in two cases. For a schedule, MiniStack returns `schedule/default/NAME`,
    even if the schedule is in another group. For SimulatePrincipalPolicy, it returns `*`, so a
    policy that only allows certain roles or users wouldn't be enough.
    """
    query: dict[str, list[str]] = call[4]
    if service == "iam" and "PolicySourceArn" in query:
        return query["PolicySourceArn"][0]

    group_name = query.get("groupName", ["default"])[0]
    return extract(service, *call).replace(":schedule/default/", f":schedule/{group_name}/", 1)
