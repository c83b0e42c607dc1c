"""Checks whether the policies of buckets, keys, topics and roles let AWS services use them.

If a policy doesn't, we build one that does, and a command that replaces the current policy with it.
"""

from __future__ import annotations

import json
import shlex
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from components.iam import build_arn
from functions.common.formatting import format_list
from retrain.check.findings import Finding
from retrain.check.policy_evaluation import (
    Request,
    build_service_context,
    evaluate_policy,
    format_actions,
    name_denying_statements,
    remove_denying_statements,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from components.rules.arns import Environment
    from retrain.check.policy_evaluation import Policy, RequestContext, Result

NO_POLICY: Policy = {"Version": "2012-10-17", "Statement": []}
"""Stands in for the missing policy of a resource."""


class RequiredAccess(NamedTuple):
    """What a resource's policy has to allow to one principal."""

    principal_name: str
    """What messages call the principal, for example `CloudWatch Logs`."""
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
    return RequiredAccess("Personalize", "personalize.amazonaws.com", actions, arns, context)


def build_account_access(
    environment: Environment, actions: Sequence[str], arn: str
) -> RequiredAccess:
    """Describe the access that a key policy needs in order to leave the decision to IAM policies.

    Without it, the account's roles couldn't use the key, even if their own policies allowed that.
    """
    root_arn = f"arn:{environment.partition}:iam::{environment.account}:root"
    return RequiredAccess("IAM policies", root_arn, actions, [arn], context={})


def build_alarm_access(
    environment: Environment, actions: Sequence[str], arn: str
) -> RequiredAccess:
    """Describe the access that the account's alarms need to a topic, or to the topic's KMS key."""
    context = {
        **build_service_context(environment, "cloudwatch"),
        "aws:sourcearn": build_arn(environment, "cloudwatch", "alarm:any"),
        # A topic's default policy uses this condition key to allow the account's requests.
        "aws:sourceowner": environment.account,
    }

    condition = {"StringEquals": {"aws:SourceAccount": environment.account}}
    return RequiredAccess("alarms", "cloudwatch.amazonaws.com", actions, [arn], context, condition)


def assess_policy(
    name: str, policy: Policy, command_template: str, *required: RequiredAccess
) -> Finding:
    """Check that a policy allows all the required access.

    If it doesn't, the finding's command is `command_template`, in which `{}` is replaced with a
    policy that allows the access.
    """
    decisions = _evaluate_access(policy, required)
    if denied := decisions["denied"]:
        statements = name_denying_statements(policy, [decision.request for decision in denied])
        text = (
            f"{name} has a Deny, {statements}, that does not let {_format_calls(denied)}; "
            "to take it away:"
        )
        return Finding("missing", text, _fill_in_policy(command_template, policy, required))

    if not_allowed := decisions["not allowed"]:
        text = f"{name} does not let {_format_calls(not_allowed)}"
        return Finding("missing", text, _fill_in_policy(command_template, policy, required))

    if uncertain := decisions["uncertain"]:
        keys = {key for decision in uncertain for key in decision.unknown_keys}
        text = (
            f"{format_list(sorted(keys))} in {name} cannot be judged from here; ignore this if "
            "imports and messages work"
        )
        return Finding("warn", text)

    return Finding("ok", f"{name} is enough for {_format_principals(decisions['allowed'])}")


class _Decision(NamedTuple):
    """A request for which a policy was evaluated, and the principal that would send it."""

    principal_name: str
    request: Request
    unknown_keys: Sequence[str]


def _evaluate_access(
    policy: Policy, required: Sequence[RequiredAccess]
) -> Mapping[Result, Sequence[_Decision]]:
    """Evaluate a policy for every required request, and group the decisions by their result."""
    decisions: dict[Result, list[_Decision]] = defaultdict(list)
    for access in required:
        for request in access.requests:
            verdict = evaluate_policy(policy, request)
            decision = _Decision(access.principal_name, request, verdict.unknown_keys)
            decisions[verdict.result].append(decision)
    return decisions


def _format_calls(decisions: Sequence[_Decision]) -> str:
    """Format what comes after "let" in a sentence, as in `Personalize call s3:GetObject`."""
    actions = format_actions(decision.request.action for decision in decisions)
    return f"{_format_principals(decisions)} call {actions}"


def _format_principals(decisions: Sequence[_Decision]) -> str:
    """Name the principals of the decisions, without duplicates."""
    # Unlike a set, a dict preserves the order.
    names = dict.fromkeys(decision.principal_name for decision in decisions)
    return format_list(list(names))


def _fill_in_policy(
    command_template: str, policy: Policy, required: Sequence[RequiredAccess]
) -> str:
    """Fill in a command that replaces a policy with one that allows the required access.

    The new policy keeps the current statements, because others may rely on them. Only those that
    deny the required access are left out.
    """
    requests = [request for access in required for request in access.requests]
    new_policy = remove_denying_statements(policy, requests)
    for access in required:
        results = [evaluate_policy(new_policy, request).result for request in access.requests]
        if "not allowed" in results:
            new_policy["Statement"].append(access.statement)
    return command_template.replace("{}", shlex.quote(json.dumps(new_policy)))
