"""Evaluates the policies of buckets, keys and roles. All functions are pure.

The module understands the parts of a policy that usually decide: effect, principal, action,
resource, and the conditions on the source account and on TLS. Anything else is uncertain.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Verdict: TypeAlias = Literal["allowed", "denied", "not allowed", "uncertain"]
Statement: TypeAlias = "Mapping[str, object]"

PERSONALIZE = "personalize.amazonaws.com"
EQUAL_OPERATORS = {"stringequals", "stringlike", "arnlike", "arnequals"}
SOURCE_KEYS = {"aws:sourceaccount", "aws:sourcearn"}


def verdict(document: Mapping[str, object], *, account: str, action: str, resource: str) -> Verdict:
    """Return whether a policy lets Personalize perform an action on a resource.

    A trust policy has no resources, so they are not compared in it.
    """
    uncertain = is_allowed = False
    for statement in _statements(document):
        if not _matches(statement, action, resource):
            continue
        holds = _holds(statement, account)
        if statement.get("Effect") == "Deny" and holds:
            return "denied"
        if statement.get("Effect") == "Allow" and holds:
            is_allowed = True
        uncertain = uncertain or holds is None
    if uncertain:
        return "uncertain"
    return "allowed" if is_allowed else "not allowed"


def with_statement(
    document: Mapping[str, object] | None, statement: Statement
) -> dict[str, object]:
    """Return a policy with one more statement. `document` is None if there is no policy yet."""
    document = document or {"Version": "2012-10-17"}
    return {**document, "Statement": [*_statements(document), statement]}


def _statements(document: Mapping[str, object]) -> Iterator[Statement]:
    """Yield the statements of a policy. A single one need not be in a list."""
    statements = document.get("Statement", [])
    yield from cast("list[Statement]", statements if isinstance(statements, list) else [statements])


def _matches(statement: Statement, action: str, resource: str) -> bool:
    """Return True if a statement is about Personalize, the action and the resource."""
    return (
        _is_about_personalize(statement)
        and _is_listed(statement, "Action", action)
        and ("Resource" not in statement or _is_listed(statement, "Resource", resource))
        and not ("NotResource" in statement and _is_listed(statement, "NotResource", resource))
        and not ("NotAction" in statement and _is_listed(statement, "NotAction", action))
    )


def _is_about_personalize(statement: Statement) -> bool:
    """Return True if a statement names Personalize or everybody as its principal.

    A statement with NotPrincipal is about Personalize too, unless it names Personalize.
    """
    if "NotPrincipal" in statement:
        return PERSONALIZE not in str(statement["NotPrincipal"])
    principal = statement.get("Principal")
    if not isinstance(principal, dict):
        return principal == "*"
    services = _texts(principal.get("Service"))
    return PERSONALIZE in services or "*" in services or "*" in _texts(principal.get("AWS"))


def _is_listed(statement: Statement, key: str, text: str) -> bool:
    """Return True if a pattern in a list of the statement fits a text. A missing list fits all."""
    if key not in statement:
        return True
    return any(_fits(pattern, text) for pattern in _texts(statement[key]))


def _fits(pattern: str, text: str) -> bool:
    """Return True if a text fits a pattern with the wildcards * and ?. The case is ignored."""
    parts = (".*" if part == "*" else "." if part == "?" else re.escape(part) for part in pattern)
    return re.fullmatch("".join(parts), text, re.IGNORECASE) is not None


def _holds(statement: Statement, account: str) -> bool | None:
    """Return whether the conditions of a statement hold, or None if that cannot be decided here."""
    results = [
        _condition_holds(operator, key, value, account)
        for operator, conditions in cast(
            "Mapping[str, Mapping[str, object]]", statement.get("Condition", {})
        ).items()
        for key, value in conditions.items()
    ]
    if False in results:
        return False
    return None if None in results else True


def _condition_holds(operator: str, key: str, value: object, account: str) -> bool | None:
    """Return whether one condition holds for a request of Personalize for this account.

    Personalize calls S3 over TLS. AWS documents the source keys for the trust of a role.
    """
    operator, key, texts = operator.lower(), key.lower(), _texts(value)
    if (operator, key) == ("bool", "aws:securetransport"):
        return texts == ["true"]
    if operator in EQUAL_OPERATORS and key in SOURCE_KEYS:
        return any(account in text or text == "*" for text in texts)
    return None


def _texts(value: object) -> list[str]:
    """Return the texts in a value of a policy, which is one text or a list."""
    if value is None:
        return []
    return [
        str(text).lower() if isinstance(text, bool) else str(text)
        for text in (value if isinstance(value, list) else [value])
    ]
