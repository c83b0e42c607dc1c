"""Evaluates IAM policies like AWS does, and removes statements that deny a request.

We need this for resource policies, such as a bucket's, because IAM's policy simulator only tells us
what a role or a user may do, but not what a service may do.

We don't know the values that some condition keys will have in a real request. If the result depends
on such an *unknown key*, it's "uncertain".

All functions are pure.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from components.iam import build_arn
from functions.common.formatting import format_list
from retrain.check.findings import shorten_list

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from components.rules.arns import Environment

Policy: TypeAlias = "Mapping[str, Any]"
"""A policy document."""
Statement: TypeAlias = "Mapping[str, Any]"
RequestContext: TypeAlias = "Mapping[str, str | None]"
"""Condition key in lower case -> its value in a request, or None if the request lacks the key.

If a value ends with `*`, we only know how it begins. If a key isn't in the mapping, it's unknown,
and may have any value or none."""
Result: TypeAlias = Literal["allowed", "denied", "not allowed", "uncertain"]
"""What AWS calls an explicit deny is "denied" here, and an implicit deny is "not allowed"."""

SUPPORTED_OPERATORS = {
    "arnequals": True,
    "arnlike": True,
    "bool": False,
    "stringequals": False,
    "stringequalsignorecase": False,
    "stringlike": True,
}
"""Condition operator -> whether its values are patterns. Conditions with other operators are
uncertain, because we don't evaluate them."""


class Request(NamedTuple):
    """A request to AWS that a policy may allow or deny."""

    principal: str
    """A service, like `personalize.amazonaws.com`, or the ARN of a role or an account's root
    user."""
    action: str
    resource: str
    context: RequestContext


class Verdict(NamedTuple):
    """Whether a policy allows a request."""

    result: Result
    unknown_keys: Sequence[str] = ()
    """The condition keys that make the result uncertain."""


def build_service_context(environment: Environment, service: str) -> dict[str, str | None]:
    """Build the context of a request that a service sends on behalf of the pipeline's account.

    A service always uses TLS, and doesn't go through a VPC endpoint of the account. Personalize's
    values of `aws:SourceAccount` and `aws:SourceArn` are documented in
    https://docs.aws.amazon.com/personalize/latest/dg/cross-service-confused-deputy-prevention.html.
    """
    return {
        "aws:securetransport": "true",
        "aws:sourceaccount": environment.account,
        "aws:sourcearn": build_arn(environment, service, "*"),
        "aws:sourcevpc": None,
        "aws:sourcevpce": None,
    }


def evaluate_policy(policy: Policy, request: Request) -> Verdict:
    """Decide whether a policy allows a request.

    As in AWS, a Deny overrides every Allow, and by default, nothing is allowed.
    """
    deny_keys = _list_unknown_keys(policy, "Deny", request)
    allow_keys = _list_unknown_keys(policy, "Allow", request)

    # A statement with an empty set of unknown keys certainly applies.
    if set() in deny_keys:
        return Verdict("denied")
    if not allow_keys:
        return Verdict("not allowed")

    unknown_keys = set().union(*deny_keys)
    if set() not in allow_keys:
        unknown_keys.update(*allow_keys)
    if unknown_keys:
        return Verdict("uncertain", sorted(unknown_keys))
    return Verdict("allowed")


def name_denying_statements(policy: Policy, requests: Sequence[Request]) -> str:
    """Name the statements that deny any of the requests, by their Sid or their position."""
    names = []
    for position, statement in enumerate(_wrap_in_list(policy["Statement"]), start=1):
        if _denies_any(statement, requests):
            name = statement.get("Sid") or f"number {position}"
            names.append(f"statement {name}")
    return format_list(names)


def remove_denying_statements(policy: Policy, requests: Sequence[Request]) -> dict[str, Any]:
    """Copy a policy, leaving out the statements that deny any of the requests."""
    other_statements = [
        statement
        for statement in _wrap_in_list(policy["Statement"])
        if not _denies_any(statement, requests)
    ]
    return {**policy, "Statement": other_statements}


def format_actions(actions: Iterable[str]) -> str:
    """Format a list of actions for a message, without duplicates. A long list is shortened."""
    return format_list(shorten_list(sorted(set(actions))))


def _denies_any(statement: Statement, requests: Sequence[Request]) -> bool:
    """Return True if a statement is certain to deny any of the requests."""
    if statement["Effect"] != "Deny":
        return False
    return any(_find_unknown_keys(statement, request) == set() for request in requests)


def _wrap_in_list(value: Any) -> list[Any]:  # noqa: ANN401  # JSON
    """Wrap a value in a list if it isn't one, because a policy may omit the list around a value."""
    if isinstance(value, list):
        return value
    return [value]


def _list_unknown_keys(
    policy: Policy, effect: Literal["Allow", "Deny"], request: Request
) -> list[set[str]]:
    """Find the unknown keys of each statement with this effect that may apply to a request."""
    keys_by_statement = [
        _find_unknown_keys(statement, request)
        for statement in _wrap_in_list(policy["Statement"])
        if statement["Effect"] == effect
    ]
    return [keys for keys in keys_by_statement if keys is not None]


def _find_unknown_keys(statement: Statement, request: Request) -> set[str] | None:
    """Find the unknown keys that decide whether a statement applies to a request.

    The set is empty if the statement certainly applies. Returns None if it certainly doesn't.
    """
    if not _matches_request(statement, request):
        return None

    unknown_keys = set()
    for key, is_met in _evaluate_conditions(statement, request.context):
        if is_met is None:
            unknown_keys.add(key)
        elif not is_met:
            return None
    return unknown_keys


def _matches_request(statement: Statement, request: Request) -> bool:
    """Return True if a statement covers a request, unless its conditions rule that out."""
    return (
        _matches_principal(statement, request.principal)
        and _matches_element(statement, "Action", request.action)
        and _matches_element(statement, "Resource", request.resource)
    )


def _matches_element(statement: Statement, element: str, requested: str) -> bool:
    """Return True if an element like `Action` or its opposite `NotAction` covers a requested value.

    A statement without the element covers every value. Trust policies, for example, have no
    `Resource`.
    """
    if element in statement:
        return _matches_any(statement[element], requested)
    excluded_patterns = statement.get(f"Not{element}", [])
    return not _matches_any(excluded_patterns, requested)


def _matches_principal(statement: Statement, principal: str) -> bool:
    """Return True if a statement's `Principal` or `NotPrincipal` covers a principal."""
    if "NotPrincipal" in statement:
        return principal not in _list_principals(statement["NotPrincipal"])
    # A role's own policies don't name a principal, because they always apply to that role.
    if "Principal" not in statement:
        return True

    principals = _list_principals(statement["Principal"])
    if principal.startswith("arn:") and principal.split(":")[4] in principals:
        # In a policy, an account ID is short for the ARN of the account's root user.
        return True
    return principal in principals or "*" in principals


def _list_principals(element: Any) -> list[str]:  # noqa: ANN401  # JSON
    """List the principals in `"*"`, or in `{"AWS": ["arn:...", "..."], "Service": "..."}`."""
    if not isinstance(element, dict):
        return _wrap_in_list(element)
    return [principal for names in element.values() for principal in _wrap_in_list(names)]


def _evaluate_conditions(
    statement: Statement, context: RequestContext
) -> Iterator[tuple[str, bool | None]]:
    """Yield each condition's key, and whether the condition is met, or None if that's uncertain."""
    for operator, values_by_key in statement.get("Condition", {}).items():
        for key, values in values_by_key.items():
            is_met = None
            if key.lower() in context:
                expected_values = [str(value) for value in _wrap_in_list(values)]
                is_met = _evaluate_condition(
                    operator.lower(), expected_values, context[key.lower()]
                )
            yield key, is_met


def _evaluate_condition(
    operator: str, expected_values: Sequence[str], actual: str | None
) -> bool | None:
    """Return whether a key's value meets a condition, or None if that's uncertain.

    `actual` is None if the request lacks the key.
    """
    base_operator = operator.removesuffix("ifexists")
    positive_operator = base_operator.replace("not", "")
    is_negated = positive_operator != base_operator
    if positive_operator not in SUPPORTED_OPERATORS:
        return None

    if actual is None:
        # A missing key only meets a condition that is negated or has the suffix IfExists:
        # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
        return is_negated or base_operator != operator

    takes_patterns = SUPPORTED_OPERATORS[positive_operator]
    results = {
        _compare_values(value, actual, is_pattern=takes_patterns) for value in expected_values
    }
    # One match is enough to meet a condition, or to violate a negated one.
    if True in results:
        return not is_negated
    if None in results:
        return None
    return is_negated


def _compare_values(expected: str, actual: str, *, is_pattern: bool) -> bool | None:
    """Compare a condition's value with a request's. Return None if the result is uncertain."""
    # AWS replaces a policy variable, like ${aws:username}, with a value from the request.
    if "${" in expected:
        return None
    if is_pattern and _matches_pattern(expected, actual):
        return True
    if not actual.endswith("*"):
        return expected.lower() == actual.lower()

    # Without patterns, a `*` is an ordinary character, but no value in a request contains one.
    if "*" in expected and not is_pattern:
        return False

    # We only know how the request's value begins. If a part of the expected value matches this
    # prefix, the rest may match as well.
    known_prefix = actual.removesuffix("*")
    lengths = range(len(expected))
    if any(_matches_pattern(expected[:length], known_prefix) for length in lengths):
        return None
    return False


def _matches_any(patterns: Any, text: str) -> bool:  # noqa: ANN401  # JSON
    """Return True if a text matches a single pattern, or any pattern in a list."""
    return any(_matches_pattern(pattern, text) for pattern in _wrap_in_list(patterns))


def _matches_pattern(pattern: str, text: str) -> bool:
    """Return True if a text matches a pattern with the wildcards `*` and `?`, ignoring case."""
    regex = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(regex, text, re.IGNORECASE) is not None
