"""Evaluates the policies of buckets, keys and roles. All functions are pure.

A policy is compared with one request. Conditions on keys whose value in the request is not known
make the result uncertain.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias, cast

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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


Result: TypeAlias = Literal["allowed", "denied", "not allowed", "uncertain"]


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

    result: Result
    keys: tuple[str, ...] = ()
    """The condition keys of the denial, or those that make the result uncertain."""


def build_service_context(home: Environment, service: str) -> Mapping[str, str | None]:
    """Build the context of the requests that a service makes for an account.

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
    """Build the ARN with which a policy lets the IAM policies of an account decide."""
    return f"arn:{home.partition}:iam::{home.account}:root"


def judge_request(document: Mapping[str, object], request: Request) -> Verdict:
    """Decide what a policy says about a request. A certain Deny outweighs everything else.

    A trust policy has no resources, so they are not compared in it.
    """
    is_allowed = False
    # The keys that would have to be known, by the effect of their statement.
    unknown_keys: dict[str, set[str]] = {"Allow": set(), "Deny": set()}
    for statement in _statements(document):
        conditions = _evaluate_conditions(statement, request.context)
        if not _matches(statement, request) or False in conditions.values():
            continue

        effect = str(statement.get("Effect"))
        if None in conditions.values():
            unknown_keys[effect].update(key for key, holds in conditions.items() if holds is None)
        elif effect == "Deny":
            return Verdict("denied", tuple(sorted(conditions)))
        else:
            is_allowed = True
    return _weigh_unknown_keys(is_allowed=is_allowed, unknown_keys=unknown_keys)


def _weigh_unknown_keys(*, is_allowed: bool, unknown_keys: Mapping[str, set[str]]) -> Verdict:
    """Decide about a request that no statement certainly denies."""
    if not is_allowed and not unknown_keys["Allow"]:
        return Verdict("not allowed")

    # What is certainly allowed stays so, whether or not other statements allow it too.
    deciding_keys = set(unknown_keys["Deny"])
    if not is_allowed:
        deciding_keys |= unknown_keys["Allow"]
    if deciding_keys:
        return Verdict("uncertain", tuple(sorted(deciding_keys)))
    return Verdict("allowed")


def find_denying_statements(
    document: Mapping[str, object], requests: Sequence[Request]
) -> list[Statement]:
    """Find the statements that deny one of the requests."""
    return [
        statement
        for statement in _statements(document)
        if any(
            judge_request({"Statement": [statement]}, request).result == "denied"
            for request in requests
        )
    ]


def format_statement_name(document: Mapping[str, object], statement: Statement) -> str:
    """Name a statement so that people find it in its policy: by its Sid, or its position."""
    sid = statement.get("Sid")
    if sid:
        return f"statement {sid}"

    position = list(_statements(document)).index(statement) + 1
    return f"statement number {position}"


def remove_statements(
    document: Mapping[str, object], removed: Sequence[Statement]
) -> dict[str, object]:
    """Copy a policy without some of its statements."""
    kept = [statement for statement in _statements(document) if statement not in removed]
    return {**document, "Statement": kept}


def add_statements(
    document: Mapping[str, object] | None, *statements: Statement
) -> dict[str, object]:
    """Copy a policy with more statements. `document` is None if there is no policy yet."""
    document = document or {"Version": "2012-10-17"}
    return {**document, "Statement": [*_statements(document), *statements]}


def _statements(document: Mapping[str, object]) -> list[Statement]:
    """List the statements of a policy. A single one need not be in a list."""
    statements = document.get("Statement", [])
    return cast("list[Statement]", statements if isinstance(statements, list) else [statements])


def _matches(statement: Statement, request: Request) -> bool:
    return (
        _is_about_principal(statement, request.principal)
        and _is_about(statement, "Action", request.action)
        and _is_about(statement, "Resource", request.resource)
    )


def _is_about(statement: Statement, element: str, text: str) -> bool:
    """Return True if `Action`, for example, lists the text, or `NotAction` doesn't."""
    if element in statement and not _is_listed(statement[element], text):
        return False
    excluding_element = f"Not{element}"
    if excluding_element not in statement:
        return True
    return not _is_listed(statement[excluding_element], text)


def _is_about_principal(statement: Statement, principal: str) -> bool:
    """Return True if a statement names the principal or everybody, or NotPrincipal others."""
    if "NotPrincipal" in statement:
        return principal not in _names(statement["NotPrincipal"])
    if "Principal" not in statement:
        # A statement in a policy of a role names nobody, because it is about the role.
        return True

    # The number of an account stands for the root of the account.
    account = principal.split(":")[4] if principal.startswith("arn:") else principal
    return not {"*", principal, account}.isdisjoint(_names(statement["Principal"]))


def _names(principals: object) -> list[str]:
    kinds = principals.values() if isinstance(principals, dict) else [principals]
    return [name for names in kinds for name in _texts(names)]


def _is_listed(patterns: object, text: str) -> bool:
    return any(_fits(pattern, text) for pattern in _texts(patterns))


def _fits(pattern: str, text: str) -> bool:
    """Return True if a text fits a pattern with the wildcards * and ?. The case is ignored."""
    regex = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(regex, text, re.IGNORECASE) is not None


def _evaluate_conditions(
    statement: Statement, context: Mapping[str, str | None]
) -> dict[str, bool | None]:
    """Decide, for each condition key, whether its conditions hold. None if it may be either."""
    results: dict[str, list[bool | None]] = defaultdict(list)
    conditions = cast("Mapping[str, Mapping[str, object]]", statement.get("Condition", {}))
    for operator, values in conditions.items():
        for key, value in values.items():
            holds = _condition_holds(operator.lower(), key.lower(), _texts(value), context)
            results[key].append(holds)
    return {key: _all_hold(results_of_key) for key, results_of_key in results.items()}


def _all_hold(results: list[bool | None]) -> bool | None:
    """Return whether all conditions on a key hold, or None if that cannot be decided."""
    if False in results:
        return False
    return None if None in results else True


def _condition_holds(
    operator: str, key: str, expected_values: list[str], context: Mapping[str, str | None]
) -> bool | None:
    """Return whether one condition holds in a context, or None if that cannot be decided."""
    if key not in context:
        return None
    actual = context[key]
    if operator == "null":
        return (actual is None) == (expected_values == ["true"])

    base_operator = operator.removesuffix("ifexists")
    positive_operator = base_operator.replace("not", "")
    is_negated = positive_operator != base_operator
    if positive_operator not in OPERATORS:
        return None
    if actual is None:
        # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
        return is_negated or base_operator != operator

    is_equal = _equals_any(expected_values, actual, is_pattern=OPERATORS[positive_operator])
    if is_equal is None:
        return None
    return is_equal != is_negated


def _equals_any(expected_values: list[str], actual: str, *, is_pattern: bool) -> bool | None:
    """Return whether one of the values fits that of the request, or None if one may."""
    results = [_equals(expected, actual, is_pattern=is_pattern) for expected in expected_values]
    if True in results:
        return True
    return None if None in results else False


def _equals(expected: str, actual: str, *, is_pattern: bool) -> bool | None:
    """Return whether the value of a condition fits that of the request, or None if it may."""
    # A policy variable like ${aws:username} has another value in each request.
    if "${" in expected:
        return None
    if is_pattern and _fits(expected, actual):
        return True
    if actual.endswith("*"):
        may_fit = _fits(actual, expected) and (is_pattern or "*" not in expected)
        return None if may_fit else False
    return expected.lower() == actual.lower()


def _texts(value: object) -> list[str]:
    """Return a value or a list of values as texts, because a policy may contain JSON's true."""
    values = value if isinstance(value, list) else [value]
    return [str(item).lower() if isinstance(item, bool) else str(item) for item in values]
