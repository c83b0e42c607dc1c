"""Checks the policies of buckets, keys, topics and roles that let AWS's services use them."""

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

    user: str
    """Who needs the access, in words, like `CloudWatch Logs`."""
    principal: str
    """The same as a service, like `logs.amazonaws.com`, or as the ARN of an account's root."""
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
    name: str, policy: Policy, write_command: str, *accesses: RequiredAccess
) -> Finding:
    """Judge whether a policy allows all the required access.

    `write_command` is the command that replaces the policy. `{}` in it stands for the new document.
    """
    decisions = _evaluate_access(policy, accesses)
    if denied := decisions["denied"]:
        statements = name_denials(policy, [decision.request for decision in denied])
        text = (
            f"{name} has a Deny, {statements}, that does not let {_format_calls(denied)}; "
            "to take it away:"
        )
        return Finding("missing", text, _fill_in_policy(write_command, policy, accesses))

    if lacking := decisions["not allowed"]:
        text = f"{name} does not let {_format_calls(lacking)}"
        return Finding("missing", text, _fill_in_policy(write_command, policy, accesses))

    if uncertain := decisions["uncertain"]:
        keys = {key for decision in uncertain for key in decision.unknown_keys}
        text = (
            f"{format_list(sorted(keys))} in {name} cannot be judged from here; ignore this if "
            "imports and messages work"
        )
        return Finding("warn", text)

    return Finding("ok", f"{name} is enough for {_format_users(decisions['allowed'])}")


class _Decision(NamedTuple):
    """What a policy says about a request, and who sends it."""

    user: str
    request: Request
    unknown_keys: Sequence[str]


def _evaluate_access(
    policy: Policy, accesses: Sequence[RequiredAccess]
) -> Mapping[Result, Sequence[_Decision]]:
    """Evaluate a policy for each request of the required access, and group them by the result."""
    decisions: dict[Result, list[_Decision]] = defaultdict(list)
    for access in accesses:
        for request in access.requests:
            verdict = evaluate_policy(policy, request)
            decision = _Decision(access.user, request, verdict.unknown_keys)
            decisions[verdict.result].append(decision)
    return decisions


def _format_calls(decisions: Sequence[_Decision]) -> str:
    """Format who calls what, like `Personalize call s3:GetObject`."""
    actions = format_actions(decision.request.action for decision in decisions)
    return f"{_format_users(decisions)} call {actions}"


def _format_users(decisions: Sequence[_Decision]) -> str:
    # Unlike a set, a dict keeps the order.
    users = dict.fromkeys(decision.user for decision in decisions)
    return format_list(list(users))


def _fill_in_policy(write_command: str, policy: Policy, accesses: Sequence[RequiredAccess]) -> str:
    """Complete the command that replaces a policy by one that allows the required access.

    The command replaces the whole policy, so the statements of others stay in it, apart from those
    that deny the access.
    """
    requests = [request for access in accesses for request in access.requests]
    new_policy = remove_denials(policy, requests)
    for access in accesses:
        results = [evaluate_policy(new_policy, request).result for request in access.requests]
        if "not allowed" in results:
            new_policy["Statement"].append(access.statement)
    return write_command.replace("{}", shlex.quote(json.dumps(new_policy)))
