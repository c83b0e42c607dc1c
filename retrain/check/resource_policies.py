"""Checks whether the policies of buckets, keys, topics and roles let AWS services use them.

If a policy doesn't, we build one that does, and a command that replaces the current policy with it.
"""

from __future__ import annotations

import json
import shlex
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from functions.common.formatting import format_list
from retrain.check.findings import Finding
from retrain.check.policy_evaluation import (
    Request,
    build_service_context,
    evaluate_policy,
    find_denying_statements,
    format_actions,
    list_statements,
    list_unknown_keys,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from components.rules.arns import Environment
    from retrain.check.policy_evaluation import Policy, RequestContext, Result

NO_POLICY: Policy = {"Version": "2012-10-17", "Statement": []}
"""Stands in for the missing policy of a resource."""
SERVICE_NAMES = {
    "personalize": "Personalize",
    "logs": "CloudWatch Logs",
    "cloudwatch": "alarms",
}
"""What messages call a service. The only other principal is the account's root user, to whom a key
policy leaves the decision to IAM policies."""


class RequiredAccess(NamedTuple):
    """What a resource's policy has to allow to one principal."""

    principal: str
    """A service, like `logs.eu-west-1.amazonaws.com`, or the ARN of an account's root user."""
    actions: Sequence[str]
    resources: Sequence[str]
    """ARNs. Empty for a trust policy, whose statements don't name resources."""
    context: RequestContext
    condition: Mapping[str, object] = {}
    """The condition of the statement that we add if the policy doesn't allow the access."""

    @property
    def requests(self) -> list[Request]:
        """The requests that the policy has to allow."""
        return [
            # Only policies contain wildcards, so kms:GenerateDataKey stands for all actions that
            # match `kms:GenerateDataKey*`.
            Request(self.principal, action.rstrip("*"), resource, self.context)
            for action in self.actions
            for resource in self.resources or [""]
        ]

    @property
    def statement(self) -> dict[str, object]:
        """The policy statement that allows the requests."""
        principal_type = "Service"
        if self.principal.startswith("arn:"):
            principal_type = "AWS"

        statement: dict[str, object] = {
            "Effect": "Allow",
            "Principal": {principal_type: self.principal},
            "Action": self.actions,
        }
        if self.resources:
            statement["Resource"] = self.resources
        if self.condition:
            statement["Condition"] = self.condition
        return statement


def build_personalize_access(
    environment: Environment, actions: Sequence[str], arns: Sequence[str]
) -> RequiredAccess:
    """Describe access that Personalize needs when it works on behalf of the pipeline's account."""
    context = build_service_context(environment, "personalize")
    return RequiredAccess("personalize.amazonaws.com", actions, arns, context)


def build_account_access(
    environment: Environment, actions: Sequence[str], arn: str
) -> RequiredAccess:
    """Describe the access that a key policy needs in order to leave the decision to IAM policies.

    Without it, the account's roles couldn't use the key, even if their own policies allowed that.
    """
    root_arn = f"arn:{environment.partition}:iam::{environment.account}:root"
    return RequiredAccess(root_arn, actions, [arn], context={})


def build_alarm_access(
    environment: Environment, actions: Sequence[str], arn: str
) -> RequiredAccess:
    """Describe the access that the account's alarms need to a topic, or to the topic's KMS key."""
    context = build_service_context(environment, "cloudwatch", "alarm:any")
    condition = {"StringEquals": {"aws:SourceAccount": environment.account}}
    return RequiredAccess("cloudwatch.amazonaws.com", actions, [arn], context, condition)


def assess_policy(
    name: str, policy: Policy, command_template: str, *required: RequiredAccess
) -> Finding:
    """Check that a policy allows all the required access.

    If it doesn't, the finding's command is `command_template`, in which `{}` is replaced with a
    policy that allows the access.
    """
    requests = _group_by_result(policy, required)
    denied = requests["denied"]
    blocked = denied or requests["not allowed"]
    if blocked:
        text = f"{name} does not let {_format_calls(blocked)}"
        if denied:
            statements = format_list([*find_denying_statements(policy, denied)])
            text = (
                f"{name} has a Deny, {statements}, that does not let {_format_calls(denied)}; "
                "to take it away:"
            )
        return Finding("missing", text, _fill_in_policy(command_template, policy, required))

    if uncertain := requests["uncertain"]:
        unknown_keys = format_list(list_unknown_keys(policy, uncertain))
        text = (
            f"{unknown_keys} in {name} cannot be judged from here; ignore this if imports and "
            "messages work"
        )
        return Finding("warn", text)

    return Finding("ok", f"{name} is enough for {_format_principals(requests['allowed'])}")


def _group_by_result(
    policy: Policy, required: Sequence[RequiredAccess]
) -> Mapping[Result, Sequence[Request]]:
    """Evaluate a policy for every required request, and group the requests by the result."""
    requests: dict[Result, list[Request]] = defaultdict(list)
    for access in required:
        for request in access.requests:
            requests[evaluate_policy(policy, request)].append(request)
    return requests


def _format_calls(requests: Sequence[Request]) -> str:
    """Format what comes after "let" in a sentence, as in `Personalize call s3:GetObject`."""
    actions = format_actions(request.action for request in requests)
    return f"{_format_principals(requests)} call {actions}"


def _format_principals(requests: Sequence[Request]) -> str:
    """Name the principals that would send the requests, without duplicates."""
    services = [request.principal.partition(".")[0] for request in requests]
    names = [SERVICE_NAMES.get(service, "IAM policies") for service in services]
    # Unlike a set, a dict preserves the order.
    return format_list([*dict.fromkeys(names)])


def _fill_in_policy(
    command_template: str, policy: Policy, required: Sequence[RequiredAccess]
) -> str:
    """Fill in a command that replaces a policy with one that allows the required access.

    The new policy keeps the current statements, because others may rely on them. Only those that
    deny the required access are left out.
    """
    requests = [request for access in required for request in access.requests]
    denying_statements = find_denying_statements(policy, requests).values()
    statements = [
        statement for statement in list_statements(policy) if statement not in denying_statements
    ]
    new_policy = {**policy, "Statement": statements}

    for access in required:
        # An earlier statement may be enough for this access, too, so evaluate what we have so far.
        results = [evaluate_policy(new_policy, request) for request in access.requests]
        if "not allowed" in results:
            statements.append(access.statement)
    return command_template.replace("{}", shlex.quote(json.dumps(new_policy)))
