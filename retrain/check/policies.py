"""Evaluates the policies of buckets, keys and roles. All functions are pure.

A policy is compared with one request. Conditions on keys whose value in the request is not known
make the result uncertain.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from components.rules.arns import Environment

Statement: TypeAlias = "Mapping[str, object]"

PERSONALIZE = "personalize.amazonaws.com"
OPERATORS = {
    "arnequals": True,
    "arnlike": True,
    "bool": False,
    "stringequals": False,
    "stringequalsignorecase": False,
    "stringlike": True,
}
"""Operator of a condition -> whether its values are patterns. All other operators are uncertain."""


class Request(NamedTuple):
    """A request about which a policy decides."""

    principal: str
    """A service, for example `personalize.amazonaws.com`, or the ARN of the root of an account."""
    action: str
    resource: str
    context: Mapping[str, str | None]
    """Condition key in lower case -> its value in the request, or None if the request has no such
    key. A value that ends with `*` is known only up to there. A key that is not in the mapping may
    have any value."""


class Verdict(NamedTuple):
    """What a policy says about a request."""

    result: Literal["allowed", "denied", "not allowed", "uncertain"]
    keys: tuple[str, ...] = ()
    """The condition keys of the denial, or those that make the result uncertain."""


def build_service_context(home: Environment, service: str) -> Mapping[str, str | None]:
    """Return what is known about the requests that a service makes for an account.

    The service uses TLS, and no VPC endpoint of the account. For Personalize, the source keys are
    on https://docs.aws.amazon.com/personalize/latest/dg/cross-service-confused-deputy-prevention.html.
    """
    return {
        "aws:securetransport": "true",
        "aws:sourceaccount": home.account,
        "aws:sourcearn": f"arn:{home.partition}:{service}:{home.region}:{home.account}:*",
        "aws:sourcevpc": None,
        "aws:sourcevpce": None,
    }


def build_root_arn(home: Environment) -> str:
    """Return the ARN with which a policy lets the IAM policies of an account decide."""
    return f"arn:{home.partition}:iam::{home.account}:root"


def judge_request(document: Mapping[str, object], request: Request) -> Verdict:
    """Return what a policy says about a request.

    A trust policy has no resources, so they are not compared in it.
    """
    is_allowed = False
    unknown: dict[str, set[str]] = {"Allow": set(), "Deny": set()}
    for statement in _statements(document):
        if not _matches(statement, request):
            continue
        effect, conditions = str(statement.get("Effect")), _conditions(statement, request.context)
        unknown_keys = {key for key, holds in conditions.items() if holds is None}
        if False in conditions.values():
            continue
        if unknown_keys:
            unknown[effect] |= unknown_keys
        elif effect == "Deny":
            return Verdict("denied", tuple(sorted(conditions)))
        else:
            is_allowed = True
    if not is_allowed and not unknown["Allow"]:
        return Verdict("not allowed")
    deciding_keys = unknown["Deny"] | (set() if is_allowed else unknown["Allow"])
    if deciding_keys:
        return Verdict("uncertain", tuple(sorted(deciding_keys)))
    return Verdict("allowed")


def find_denying_statements(
    document: Mapping[str, object], requests: Iterable[Request]
) -> list[Statement]:
    """Return the statements that deny one of the requests."""
    requests = list(requests)
    return [
        statement
        for statement in _statements(document)
        if any(
            judge_request({"Statement": [statement]}, each).result == "denied" for each in requests
        )
    ]


def format_statement_name(document: Mapping[str, object], statement: Statement) -> str:
    """Return how people find a statement in a policy: its Sid, or its position."""
    if sid := statement.get("Sid"):
        return f"statement {sid}"
    return f"statement number {[*_statements(document)].index(statement) + 1}"


def remove_statements(
    document: Mapping[str, object], removed: Sequence[Statement]
) -> dict[str, object]:
    """Return a policy without some of its statements."""
    kept = [statement for statement in _statements(document) if statement not in removed]
    return {**document, "Statement": kept}


def add_statements(
    document: Mapping[str, object] | None, *statements: Statement
) -> dict[str, object]:
    """Return a policy with more statements. `document` is None if there is no policy yet."""
    document = document or {"Version": "2012-10-17"}
    return {**document, "Statement": [*_statements(document), *statements]}


def _statements(document: Mapping[str, object]) -> Iterator[Statement]:
    statements = document.get("Statement", [])
    yield from cast("list[Statement]", statements if isinstance(statements, list) else [statements])


def _matches(statement: Statement, request: Request) -> bool:
    return _is_about(statement, request.principal) and all(
        (key not in statement or _is_listed(statement[key], text))
        and (f"Not{key}" not in statement or not _is_listed(statement[f"Not{key}"], text))
        for key, text in (("Action", request.action), ("Resource", request.resource))
    )


def _is_about(statement: Statement, principal: str) -> bool:
    """Return True if a statement names the principal or everybody, or NotPrincipal others.

    A statement in a policy of a role names nobody, because it is about the role.
    """
    if "Principal" not in statement and "NotPrincipal" not in statement:
        return True
    if "NotPrincipal" in statement:
        return principal not in _names(statement["NotPrincipal"])
    names = _names(statement.get("Principal"))
    # The number of an account stands for the root of the account.
    account = principal.split(":")[4] if principal.startswith("arn:") else principal
    return any(name in ("*", principal, account) for name in names)


def _names(principals: object) -> list[str]:
    kinds = principals.values() if isinstance(principals, dict) else [principals]
    return [name for names in kinds for name in _texts(names)]


def _is_listed(patterns: object, text: str) -> bool:
    return any(_fits(pattern, text) for pattern in _texts(patterns))


def _fits(pattern: str, text: str) -> bool:
    """Return True if a text fits a pattern with the wildcards * and ?. The case is ignored."""
    parts = (".*" if part == "*" else "." if part == "?" else re.escape(part) for part in pattern)
    return re.fullmatch("".join(parts), text, re.IGNORECASE) is not None


def _conditions(statement: Statement, context: Mapping[str, str | None]) -> dict[str, bool | None]:
    """Return condition key -> whether its conditions hold, or None if that cannot be decided."""
    results: dict[str, bool | None] = {}
    conditions = cast("Mapping[str, Mapping[str, object]]", statement.get("Condition", {}))
    for operator, values in conditions.items():
        for key, value in values.items():
            holds = _condition_holds(operator.lower(), key.lower(), _texts(value), context)
            # Every condition on a key has to hold.
            earlier = results.get(key, True)
            results[key] = False if False in (holds, earlier) else holds and earlier
    return results


def _condition_holds(
    operator: str, key: str, texts: list[str], context: Mapping[str, str | None]
) -> bool | None:
    """Return whether one condition holds in a context, or None if that cannot be decided."""
    if key not in context:
        return None
    actual = context[key]
    if operator == "null":
        return (actual is None) == (texts == ["true"])
    base = operator.removesuffix("ifexists")
    positive = base.replace("not", "")
    if positive not in OPERATORS:
        return None
    if actual is None:
        # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
        return positive != base or base != operator
    results = [_equals(text, actual, is_pattern=OPERATORS[positive]) for text in texts]
    holds = True if True in results else None if None in results else False
    return holds if holds is None or positive == base else not holds


def _equals(text: str, actual: str, *, is_pattern: bool) -> bool | None:
    """Return whether the value of a condition fits that of the request, or None if it may."""
    if "${" in text:
        return None
    if is_pattern and _fits(text, actual):
        return True
    if actual.endswith("*"):
        may_fit = _fits(actual, text) and (is_pattern or "*" not in text)
        return None if may_fit else False
    return text.lower() == actual.lower()


def _texts(value: object) -> list[str]:
    return [
        str(text).lower() if isinstance(text, bool) else str(text)
        for text in (value if isinstance(value, list) else [value])
    ]
