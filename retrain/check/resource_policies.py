"""Checks whether the policies of buckets, keys, topics and roles let AWS's services use them.

It also builds the policy that would, and the command that puts it in place of the current one.
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
    name_denials,
    remove_denials,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from components.rules.arns import Environment
    from retrain.check.policy_evaluation import Context, Policy, Result

NO_POLICY: Policy = {"Version": "2012-10-17", "Statement": []}
"""Stands for the policy of a resource that doesn't have one."""


class RequiredAccess(NamedTuple):
    """The access to a resource that its policy has to allow."""

    principal_name: str
    """Who needs the access, as messages call it, like `CloudWatch Logs`."""
    principal: str
    """A service, like `logs.eu-west-1.amazonaws.com`, or the ARN of an account's root."""
    actions: Sequence[str]
    resources: Sequence[str]
    """ARNs, or nothing for a trust policy, which only has actions."""
    context: Context
    condition: Mapping[str, object] = {}
    """The condition of the statement to add if the policy doesn't allow the access."""

    @property
    def requests(self) -> list[Request]:
        """The requests that the policy has to allow."""
        return [
            # A request has no wildcard, so kms:GenerateDataKey stands for `kms:GenerateDataKey*`.
            Request(self.principal, action.rstrip("*"), resource, self.context)
            for action in self.actions
            for resource in self.resources or [""]
        ]

    @property
    def statement(self) -> dict[str, object]:
        """The statement that allows the requests."""
        kind = "Service"
        if self.principal.startswith("arn:"):
            kind = "AWS"

        statement: dict[str, object] = {
            "Effect": "Allow",
            "Principal": {kind: self.principal},
            "Action": self.actions,
        }
        if self.resources:
            statement["Resource"] = self.resources
        if self.condition:
            statement["Condition"] = self.condition
        return statement


def build_personalize_access(
    home: Environment, actions: Sequence[str], arns: Sequence[str]
) -> RequiredAccess:
    """Build the access that Personalize needs on behalf of the pipeline's account."""
    context = build_service_context(home, "personalize")
    return RequiredAccess("Personalize", "personalize.amazonaws.com", actions, arns, context)


def build_account_access(home: Environment, actions: Sequence[str], arn: str) -> RequiredAccess:
    """Build the access that lets the IAM policies of the account decide.

    Without it, no role of the account may use a key, even if the role's own policy allows that.
    """
    root_arn = f"arn:{home.partition}:iam::{home.account}:root"
    return RequiredAccess("IAM policies", root_arn, actions, [arn], context={})


def build_alarm_access(home: Environment, actions: Sequence[str], arn: str) -> RequiredAccess:
    """Build the access that the alarms of the account need to a topic, or to the topic's key."""
    context = {
        **build_service_context(home, "cloudwatch"),
        "aws:sourcearn": build_arn(home, "cloudwatch", "alarm:any"),
        # The policy that SNS gives to a new topic allows the account's requests by this key.
        "aws:sourceowner": home.account,
    }

    condition = {"StringEquals": {"aws:SourceAccount": home.account}}
    return RequiredAccess("alarms", "cloudwatch.amazonaws.com", actions, [arn], context, condition)


def judge_policy(
    name: str, policy: Policy, write_command: str, *required: RequiredAccess
) -> Finding:
    """Judge whether a policy allows all the required access.

    `write_command` is the command to print if it doesn't. `{}` in it stands for a new policy that
    does, and replaces the current one.
    """
    decisions = _evaluate_access(policy, required)
    if denied := decisions["denied"]:
        statements = name_denials(policy, [decision.request for decision in denied])
        text = (
            f"{name} has a Deny, {statements}, that does not let {_format_calls(denied)}; "
            "to take it away:"
        )
        return Finding("missing", text, _fill_in_policy(write_command, policy, required))

    if lacking := decisions["not allowed"]:
        text = f"{name} does not let {_format_calls(lacking)}"
        return Finding("missing", text, _fill_in_policy(write_command, policy, required))

    if uncertain := decisions["uncertain"]:
        keys = {key for decision in uncertain for key in decision.unknown_keys}
        text = (
            f"{format_list(sorted(keys))} in {name} cannot be judged from here; ignore this if "
            "imports and messages work"
        )
        return Finding("warn", text)

    return Finding("ok", f"{name} is enough for {_format_principals(decisions['allowed'])}")


class _Decision(NamedTuple):
    """What a policy says about a request, and the name of the principal that sends it."""

    principal_name: str
    request: Request
    unknown_keys: Sequence[str]


def _evaluate_access(
    policy: Policy, required: Sequence[RequiredAccess]
) -> Mapping[Result, Sequence[_Decision]]:
    """Evaluate a policy for each request of the required access, and group them by the result."""
    decisions: dict[Result, list[_Decision]] = defaultdict(list)
    for access in required:
        for request in access.requests:
            verdict = evaluate_policy(policy, request)
            decision = _Decision(access.principal_name, request, verdict.unknown_keys)
            decisions[verdict.result].append(decision)
    return decisions


def _format_calls(decisions: Sequence[_Decision]) -> str:
    """Format who calls what, like `Personalize call s3:GetObject`."""
    actions = format_actions(decision.request.action for decision in decisions)
    return f"{_format_principals(decisions)} call {actions}"


def _format_principals(decisions: Sequence[_Decision]) -> str:
    # Unlike a set, a dict keeps the order.
    names = dict.fromkeys(decision.principal_name for decision in decisions)
    return format_list(list(names))


def _fill_in_policy(write_command: str, policy: Policy, required: Sequence[RequiredAccess]) -> str:
    """Put a policy that allows the required access into the command that replaces a policy.

    The new policy also has the statements of the current one, because others may need them. Only
    those that deny the required access are left out.
    """
    requests = [request for access in required for request in access.requests]
    new_policy = remove_denials(policy, requests)
    for access in required:
        results = [evaluate_policy(new_policy, request).result for request in access.requests]
        if "not allowed" in results:
            new_policy["Statement"].append(access.statement)
    return write_command.replace("{}", shlex.quote(json.dumps(new_policy)))
