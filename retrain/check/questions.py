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
    from collections.abc import Iterable, Mapping, Sequence

    from components.rules.arns import Environment
    from retrain.check.findings import Account

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
        more = {"Resource": list(self.resources), "Condition": self.condition}
        return {
            "Effect": "Allow",
            "Principal": {kind: self.principal},
            "Action": list(self.actions),
            **{key: value for key, value in more.items() if value},
        }


def build_alarms_question(home: Environment, actions: Sequence[str], arn: str) -> Question:
    """Return the question if the account's alarms may call actions on a topic or its key.

    The policy that a topic has by default lets the account in by aws:SourceOwner.
    """
    context = {
        **build_service_context(home, "cloudwatch"),
        "aws:sourcearn": build_arn(home, "cloudwatch", "alarm:any"),
        "aws:sourceowner": home.account,
    }
    of_account = {"StringEquals": {"aws:SourceAccount": home.account}}
    return Question("alarms", "cloudwatch.amazonaws.com", actions, [arn], context, of_account)


def judge_policy(
    name: str, document: Mapping[str, object] | None, mend: str, *questions: Question
) -> Finding:
    """Return the finding about a policy: it has to allow what the questions ask for.

    `mend` is the command that writes the policy. `{}` in it stands for the whole new document.
    """
    judged = [
        (question, request.action, judge_request(document or {}, request))
        for question in questions
        for request in question.requests
    ]
    results = {result.result for *_, result in judged}
    worst = next((name for name in ("denied", "not allowed", "uncertain") if name in results), None)
    decisive = [item for item in judged if item[2].result == worst]
    who = format_list([*dict.fromkeys(question.who for question, *_ in decisive or judged)])
    keys = format_list(sorted({key for *_, result in decisive for key in result.keys}))
    what = f"{who} call {format_actions(action for _, action, _ in decisive)}"
    if worst == "denied":
        condition = f" by its condition on {keys}" if keys else ""
        denied = [request for question in questions for request in question.requests]
        denying = find_denying_statements(document or {}, denied)
        names = format_list([format_statement_name(document or {}, each) for each in denying])
        text = f"{name} has a Deny, {names}, that does not let {what}{condition}; to take it away:"
        return Finding("missing", text, _mended(document, mend, questions))
    if worst == "not allowed":
        text = f"{name} does not let {what}"
        return Finding("missing", text, _mended(document, mend, questions))
    if worst == "uncertain":
        text = (
            f"{keys} in {name} cannot be judged from here; ignore this if imports and messages work"
        )
        return Finding("warn", text)
    return Finding("ok", f"{name} is enough for {who}")


def _mended(document: Mapping[str, object] | None, mend: str, questions: Sequence[Question]) -> str:
    """Return the command that writes a policy which allows what the questions ask for."""
    requests = [request for question in questions for request in question.requests]
    denying = find_denying_statements(document or {}, requests)
    kept = remove_statements(document, denying) if document and denying else document
    added = [
        question.statement
        for question in questions
        if any(
            judge_request(kept or {}, each).result == "not allowed" for each in question.requests
        )
    ]
    return mend.replace("{}", shlex.quote(json.dumps(add_statements(kept, *added))))


def format_actions(actions: Iterable[str]) -> str:
    """Return some actions in a sentence. Many are counted after the first ones."""
    names = sorted(set(actions))
    shown, rest = names[:SHOWN_ACTIONS], names[SHOWN_ACTIONS:]
    return format_list([*shown, f"{len(rest)} more actions"] if len(rest) > 1 else names)


def list_denied_actions(
    account: Account,
    principal: str,
    grants: Mapping[Any, Sequence[str]],
    arns: Mapping[Any, Sequence[str]],
) -> set[str]:
    """Return the actions that IAM does not let a role or a user call on some resource.

    `grants` and `arns` map a kind of resource to its actions and to its ARNs. A condition that
    IAM's simulation cannot decide counts as true. The decision about an action is the most
    restrictive one of its resources:
    https://docs.aws.amazon.com/IAM/latest/APIReference/API_EvaluationResult.html
    """
    pages = account.client("iam").get_paginator("simulate_principal_policy")
    return {
        result["EvalActionName"]
        for kind, actions in grants.items()
        if arns[kind]
        for page in pages.paginate(
            PolicySourceArn=principal,
            ActionNames=[*actions],
            # The simulation takes no patterns.
            ResourceArns=[arn if arn == "*" else arn.replace("*", "any") for arn in arns[kind]],
            ContextEntries=[PASSED_TO_PERSONALIZE],
        )
        for result in page["EvaluationResults"]
        if result["EvalDecision"] != "allowed" and not result.get("MissingContextValues")
    }
