"""Evaluates IAM policies like AWS does, and removes what denies a request. All functions are pure.

IAM's own simulation evaluates what a role or a user may do, but not what a bucket's policy, for
example, lets a service do.

From here, the values of some condition keys in a request are unknown. If the result depends on
them, it's "uncertain".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from functions.common.formatting import format_list
from retrain.check.findings import abridge

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from components.rules.arns import Environment

Policy: TypeAlias = "Mapping[str, Any]"
"""A policy document."""
Statement: TypeAlias = "Mapping[str, Any]"
Context: TypeAlias = "Mapping[str, str | None]"
"""Condition key in lower case -> its value in a request, or None if the request doesn't have it.

If a value ends with `*`, only its beginning is known. A key that isn't in the mapping may have any
value."""
Result: TypeAlias = Literal["allowed", "denied", "not allowed", "uncertain"]
"""What AWS calls an explicit deny is "denied", and an implicit deny is "not allowed"."""

TAKES_PATTERNS = {
    "arnequals": True,
    "arnlike": True,
    "bool": False,
    "stringequals": False,
    "stringequalsignorecase": False,
    "stringlike": True,
}
"""Condition operator -> whether it compares with patterns. The results of other operators are
uncertain."""


class Request(NamedTuple):
    """A request that a policy may allow or deny."""

    principal: str
    """A service, like `personalize.amazonaws.com`, or the ARN of a role or an account's root."""
    action: str
    resource: str
    context: Context


class Verdict(NamedTuple):
    """What a policy says about a request."""

    result: Result
    unknown_keys: Sequence[str] = ()
    """The condition keys whose values would have to be known for a certain result."""


def build_service_context(home: Environment, service: str) -> dict[str, str | None]:
    """Build the context of a request that a service sends on behalf of the pipeline's account.

    Services use TLS, and no VPC endpoint of the account. The source keys of Personalize are in
    https://docs.aws.amazon.com/personalize/latest/dg/cross-service-confused-deputy-prevention.html.
    """
    return {
        "aws:securetransport": "true",
        "aws:sourceaccount": home.account,
        "aws:sourcearn": f"arn:{home.partition}:{service}:{home.region}:{home.account}:*",
        "aws:sourcevpc": None,
        "aws:sourcevpce": None,
    }


def evaluate_policy(policy: Policy, request: Request) -> Verdict:
    """Decide whether a policy allows a request.

    As in AWS, a Deny outweighs every Allow, and what no statement allows isn't allowed.
    """
    denials = _list_deciding_keys(policy, "Deny", request)
    permissions = _list_deciding_keys(policy, "Allow", request)

    # An empty set is from a statement that certainly applies.
    if set() in denials:
        return Verdict("denied")
    if not permissions:
        return Verdict("not allowed")

    unknown_keys = set().union(*denials)
    if set() not in permissions:
        unknown_keys.update(*permissions)
    if unknown_keys:
        return Verdict("uncertain", sorted(unknown_keys))
    return Verdict("allowed")


def name_denials(policy: Policy, requests: Sequence[Request]) -> str:
    """Name the statements that deny one of the requests, by their Sid or their position."""
    names = []
    for position, statement in enumerate(_as_list(policy["Statement"]), start=1):
        if _denies_any(statement, requests):
            name = statement.get("Sid") or f"number {position}"
            names.append(f"statement {name}")
    return format_list(names)


def remove_denials(policy: Policy, requests: Sequence[Request]) -> dict[str, Any]:
    """Copy a policy without the statements that deny one of the requests."""
    other_statements = [
        statement
        for statement in _as_list(policy["Statement"])
        if not _denies_any(statement, requests)
    ]
    return {**policy, "Statement": other_statements}


def format_actions(actions: Iterable[str]) -> str:
    """Format actions for a sentence, and only count the rest if there are many."""
    return format_list(abridge(sorted(set(actions))))


def _denies_any(statement: Statement, requests: Sequence[Request]) -> bool:
    """Return True if a statement certainly denies one of the requests."""
    if statement["Effect"] != "Deny":
        return False
    return any(_find_deciding_keys(statement, request) == set() for request in requests)


def _as_list(value: Any) -> list[Any]:  # noqa: ANN401  # JSON
    """Return a value of a policy as a list, because AWS accepts a single element without one."""
    if isinstance(value, list):
        return value
    return [value]


def _list_deciding_keys(
    policy: Policy, effect: Literal["Allow", "Deny"], request: Request
) -> list[set[str]]:
    """Find the deciding keys of each statement with this effect that may apply to a request."""
    keys_of_statements = [
        _find_deciding_keys(statement, request)
        for statement in _as_list(policy["Statement"])
        if statement["Effect"] == effect
    ]
    return [keys for keys in keys_of_statements if keys is not None]


def _find_deciding_keys(statement: Statement, request: Request) -> set[str] | None:
    """Find the unknown condition keys that decide whether a statement applies to a request.

    There are none if it certainly applies. Return None if it certainly doesn't apply.
    """
    if not _matches(statement, request):
        return None

    deciding_keys = set()
    for key, holds in _evaluate_conditions(statement, request.context):
        if holds is None:
            deciding_keys.add(key)
        elif not holds:
            return None
    return deciding_keys


def _matches(statement: Statement, request: Request) -> bool:
    """Return True if a statement applies to a request, apart from its conditions."""
    return (
        _matches_principal(statement, request.principal)
        and _matches_element(statement, "Action", request.action)
        and _matches_element(statement, "Resource", request.resource)
    )


def _matches_element(statement: Statement, element: str, requested: str) -> bool:
    """Return True if `Action`, for example, lists what is requested, or `NotAction` doesn't.

    A statement may have neither: trust policies don't have resources.
    """
    if element in statement:
        return _matches_any(statement[element], requested)
    excluded = statement.get(f"Not{element}", [])
    return not _matches_any(excluded, requested)


def _matches_principal(statement: Statement, principal: str) -> bool:
    """Return True if a statement names the principal or everybody, or NotPrincipal only others."""
    if "NotPrincipal" in statement:
        return principal not in _list_principals(statement["NotPrincipal"])
    # A permissions boundary, for example, names nobody, because it's about the role that has it.
    if "Principal" not in statement:
        return True

    principals = _list_principals(statement["Principal"])
    if principal.startswith("arn:") and principal.split(":")[4] in principals:
        # An account's number is a short form of the ARN of its root.
        return True
    return principal in principals or "*" in principals


def _list_principals(element: Any) -> list[str]:  # noqa: ANN401  # JSON
    """List the principals in `"*"`, or in `{"AWS": ["arn:...", "..."], "Service": "..."}`."""
    if not isinstance(element, dict):
        return _as_list(element)
    return [principal for names in element.values() for principal in _as_list(names)]


def _evaluate_conditions(
    statement: Statement, context: Context
) -> Iterator[tuple[str, bool | None]]:
    """Yield the key of each condition, and whether the condition holds, or None if it may."""
    for operator, values_by_key in statement.get("Condition", {}).items():
        for key, values in values_by_key.items():
            holds = None
            if key.lower() in context:
                expected_values = [str(value) for value in _as_list(values)]
                holds = _holds(operator.lower(), expected_values, context[key.lower()])
            yield key, holds


def _holds(operator: str, expected_values: Sequence[str], actual: str | None) -> bool | None:
    """Return whether a condition holds for a key's value, or None if it may."""
    base_operator = operator.removesuffix("ifexists")
    positive_operator = base_operator.replace("not", "")
    is_negated = positive_operator != base_operator
    if positive_operator not in TAKES_PATTERNS:
        return None

    if actual is None:
        # Without the key, a condition holds only if it's negated or has the suffix IfExists:
        # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
        return is_negated or base_operator != operator

    takes_patterns = TAKES_PATTERNS[positive_operator]
    results = {_equals(value, actual, is_pattern=takes_patterns) for value in expected_values}
    # One of the values has to be equal. If the condition is negated, none of them may be.
    if True in results:
        return not is_negated
    if None in results:
        return None
    return is_negated


def _equals(expected: str, actual: str, *, is_pattern: bool) -> bool | None:
    """Compare a value in a condition with that of a request. Return None if they may be equal."""
    # A policy variable, like ${aws:username}, has another value in each request.
    if "${" in expected:
        return None
    if is_pattern and _matches_pattern(expected, actual):
        return True
    if not actual.endswith("*"):
        return expected.lower() == actual.lower()

    # No value in a request contains a `*`, so it equals one only as a pattern.
    if "*" in expected and not is_pattern:
        return False

    # Only the beginning of the value is known, so compare it with each beginning of the pattern.
    beginning = actual.removesuffix("*")
    lengths = range(len(expected))
    if any(_matches_pattern(expected[:length], beginning) for length in lengths):
        return None
    return False


def _matches_any(patterns: Any, text: str) -> bool:  # noqa: ANN401  # JSON
    return any(_matches_pattern(pattern, text) for pattern in _as_list(patterns))


def _matches_pattern(pattern: str, text: str) -> bool:
    """Return True if a text matches a pattern with the wildcards `*` and `?`. Ignore the case."""
    regex = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(regex, text, re.IGNORECASE) is not None
