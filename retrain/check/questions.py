"""Asks what a principal may do: IAM's simulation about roles, and `policies.py` about resources.

IAM's simulation cannot answer for a service about the policy of a bucket, a key, a topic or a role.
"""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any, NamedTuple

from components.iam import build_arn
from functions.common.formatting import format_list
from retrain.check.findings import Finding
from retrain.check.policies import (
    Request,
    add_statements,
    build_service_context,
    find_denying_statements,
    format_statement_name,
    judge_request,
    remove_statements,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from components.rules.arns import Environment
    from retrain.check.findings import Account
    from retrain.check.policies import Result, Verdict

SHOWN_ACTIONS = 3
PASSED_TO_PERSONALIZE = {
    "ContextKeyName": "iam:PassedToService",
    "ContextKeyValues": ["personalize.amazonaws.com"],
    "ContextKeyType": "string",
}


class Question(NamedTuple):
    """Who has to be allowed which actions on which resources, in which context."""

    who: str
    principal: str
    """A service like `personalize.amazonaws.com`, or an ARN."""
    actions: Sequence[str]
    resources: Sequence[str]
    """The ARNs, or nothing in a trust policy."""
    context: Mapping[str, str | None] = {}
    condition: Mapping[str, object] = {}
    """The condition of the statement that is added if it is missing."""

    @property
    def requests(self) -> list[Request]:
        """The requests that a policy has to allow."""
        return [
            Request(self.principal, action.rstrip("*"), resource, self.context)
            for action in self.actions
            for resource in self.resources or [""]
        ]

    @property
    def statement(self) -> dict[str, object]:
        """The statement that allows the requests."""
        kind = "AWS" if self.principal.startswith("arn:") else "Service"
        statement: dict[str, object] = {
            "Effect": "Allow",
            "Principal": {kind: self.principal},
            "Action": list(self.actions),
        }
        # A trust policy has no resources.
        if self.resources:
            statement["Resource"] = list(self.resources)
        if self.condition:
            statement["Condition"] = self.condition
        return statement


def build_alarms_question(home: Environment, actions: Sequence[str], arn: str) -> Question:
    """Build the question whether the account's alarms may call actions on a topic or its key."""
    context = {
        **build_service_context(home, "cloudwatch"),
        "aws:sourcearn": build_arn(home, "cloudwatch", "alarm:any"),
        # The policy that a topic has by default lets the account in by this key.
        "aws:sourceowner": home.account,
    }
    of_account = {"StringEquals": {"aws:SourceAccount": home.account}}
    return Question("alarms", "cloudwatch.amazonaws.com", actions, [arn], context, of_account)


class Answer(NamedTuple):
    """What a policy says about one request of a question."""

    who: str
    request: Request
    verdict: Verdict


def judge_policy(
    name: str, policy: Mapping[str, object] | None, mend: str, *questions: Question
) -> Finding:
    """Judge whether a policy allows what the questions ask for.

    `mend` is the command that writes the policy. `{}` in it stands for the whole new document.
    """
    document = policy or {}
    answers = [
        Answer(question.who, request, judge_request(document, request))
        for question in questions
        for request in question.requests
    ]

    # The worst answer decides.
    if denied := _with_result(answers, "denied"):
        text = _explain_denial(name, document, denied)
        return Finding("missing", text, _build_mending_command(policy, mend, questions))
    if lacking := _with_result(answers, "not allowed"):
        text = f"{name} does not let {_format_calls(lacking)}"
        return Finding("missing", text, _build_mending_command(policy, mend, questions))
    if uncertain := _with_result(answers, "uncertain"):
        text = (
            f"{_format_condition_keys(uncertain)} in {name} cannot be judged from here; ignore "
            "this if imports and messages work"
        )
        return Finding("warn", text)
    return Finding("ok", f"{name} is enough for {_format_askers(answers)}")


def _with_result(answers: Sequence[Answer], result: Result) -> list[Answer]:
    return [answer for answer in answers if answer.verdict.result == result]


def _explain_denial(name: str, document: Mapping[str, object], denied: Sequence[Answer]) -> str:
    """Name the statements that deny something, and the keys of their conditions."""
    denying = find_denying_statements(document, [answer.request for answer in denied])
    statements = format_list([format_statement_name(document, each) for each in denying])

    condition = ""
    condition_keys = _format_condition_keys(denied)
    if condition_keys:
        condition = f" by its condition on {condition_keys}"
    return (
        f"{name} has a Deny, {statements}, that does not let {_format_calls(denied)}{condition}; "
        "to take it away:"
    )


def _format_calls(answers: Sequence[Answer]) -> str:
    """Format who calls what, for example `Personalize call s3:GetObject`."""
    actions = format_actions(answer.request.action for answer in answers)
    return f"{_format_askers(answers)} call {actions}"


def _format_askers(answers: Sequence[Answer]) -> str:
    return format_list(list(dict.fromkeys(answer.who for answer in answers)))


def _format_condition_keys(answers: Sequence[Answer]) -> str:
    return format_list(sorted({key for answer in answers for key in answer.verdict.keys}))


def _build_mending_command(
    policy: Mapping[str, object] | None, mend: str, questions: Sequence[Question]
) -> str:
    """Build the command that writes a policy which allows what the questions ask for."""
    requests = [request for question in questions for request in question.requests]
    document = policy or {}
    denying = find_denying_statements(document, requests)
    kept = remove_statements(policy, denying) if policy else None

    added = []
    for question in questions:
        verdicts = [judge_request(kept or {}, request) for request in question.requests]
        if any(verdict.result == "not allowed" for verdict in verdicts):
            added.append(question.statement)

    mended = json.dumps(add_statements(kept, *added))
    return mend.replace("{}", shlex.quote(mended))


def format_actions(actions: Iterable[str]) -> str:
    """Format actions for a sentence. If there are many, the rest is counted."""
    names = sorted(set(actions))
    hidden_count = len(names) - SHOWN_ACTIONS
    # "1 more actions" would not be shorter than the action.
    if hidden_count > 1:
        names = [*names[:SHOWN_ACTIONS], f"{hidden_count} more actions"]
    return format_list(names)


def list_denied_actions(
    account: Account,
    principal: str,
    grants: Mapping[Any, Sequence[str]],
    arns: Mapping[Any, Sequence[str]],
) -> set[str]:
    """List the actions that IAM doesn't let a role or a user call on at least one resource.

    `grants` and `arns` map a kind of resource to its actions and to its ARNs. A condition that
    IAM's simulation cannot decide counts as true. The decision about an action is the most
    restrictive one of its resources:
    https://docs.aws.amazon.com/IAM/latest/APIReference/API_EvaluationResult.html
    """
    denied = set()
    for kind, actions in grants.items():
        for result in _simulate(account, principal, actions, arns[kind]):
            is_undecided = bool(result.get("MissingContextValues"))
            if result["EvalDecision"] != "allowed" and not is_undecided:
                denied.add(result["EvalActionName"])
    return denied


def _simulate(
    account: Account, principal: str, actions: Sequence[str], arns: Sequence[str]
) -> Iterator[Any]:
    """Let IAM evaluate the policies of a role or a user for these actions and resources."""
    if not arns:
        return

    paginator = account.client("iam").get_paginator("simulate_principal_policy")
    pages = paginator.paginate(
        PolicySourceArn=principal,
        ActionNames=[*actions],
        # The simulation takes no patterns.
        ResourceArns=[arn if arn == "*" else arn.replace("*", "any") for arn in arns],
        ContextEntries=[PASSED_TO_PERSONALIZE],
    )
    for page in pages:
        yield from page["EvaluationResults"]
