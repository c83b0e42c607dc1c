"""Evaluates IAM policies like AWS does, and finds the statements that deny a request.

We need this for resource policies, such as a bucket's, because IAM's policy simulator only tells us
what a role or a user may do, but not what a service may do.

We can't judge some conditions, for example because we don't know the value of `aws:PrincipalOrgID`
in a real request. So we evaluate a policy twice, assuming first that these conditions are met, and
then that they aren't. If that makes a difference, the result is "uncertain".

All functions are pure.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
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
Effect: TypeAlias = Literal["Allow", "Deny"]
RequestContext: TypeAlias = "Mapping[str, str | None]"
"""Condition key in lower case -> its value in a request, or None if the request lacks the key.

If a value ends with UNKNOWN, we only know how it begins. Of a key that isn't in the mapping, we
know nothing."""
Result: TypeAlias = Literal["allowed", "denied", "not allowed", "uncertain"]
"""What AWS calls an explicit deny is "denied" here, and an implicit deny is "not allowed"."""

UNKNOWN = "(unknown)"
"""Stands in for the part of a value that we don't know."""
EXACT_OPERATORS = {"bool", "stringequals", "stringequalsignorecase"}
PATTERN_OPERATORS = {"arnequals", "arnlike", "stringlike"}
"""The operators whose values may contain wildcards. We can't judge conditions with operators that
are in neither set."""


class Request(NamedTuple):
    """A request to AWS that a policy may allow or deny."""

    principal: str
    """A service, like `personalize.amazonaws.com`, or the ARN of a role or an account's root
    user."""
    action: str
    resource: str
    context: RequestContext


def build_service_context(
    environment: Environment, service: str, source_resource: str = UNKNOWN
) -> dict[str, str | None]:
    """Build the context of a request that a service sends on behalf of the pipeline's account.

    A service always uses TLS, and doesn't go through a VPC endpoint of the account. Personalize's
    values of `aws:SourceAccount` and `aws:SourceArn` are documented in
    https://docs.aws.amazon.com/personalize/latest/dg/cross-service-confused-deputy-prevention.html.
    """
    return {
        "aws:securetransport": "true",
        "aws:sourceaccount": environment.account,
        "aws:sourcearn": build_arn(environment, service, source_resource),
        # A topic's default policy uses this key to allow the account's requests.
        "aws:sourceowner": environment.account,
        "aws:sourcevpc": None,
        "aws:sourcevpce": None,
    }


def evaluate_policy(policy: Policy, request: Request) -> Result:
    """Decide whether a policy allows a request.

    As in AWS, a Deny overrides every Allow, and by default, nothing is allowed.
    """
    if _has_statement(policy, "Deny", request, if_unknown=False):
        return "denied"
    if not _has_statement(policy, "Allow", request, if_unknown=True):
        return "not allowed"

    may_be_denied = _has_statement(policy, "Deny", request, if_unknown=True)
    is_surely_allowed = _has_statement(policy, "Allow", request, if_unknown=False)
    if may_be_denied or not is_surely_allowed:
        return "uncertain"
    return "allowed"


def list_unknown_keys(policy: Policy, requests: Sequence[Request]) -> list[str]:
    """List the condition keys for which the result for any of these requests is uncertain."""
    unknown_keys = {
        key
        for statement in list_statements(policy)
        for request in requests
        if _matches_request(statement, request)
        for key, is_met in _evaluate_conditions(statement, request.context)
        if is_met is None
    }

    return sorted(unknown_keys)


def find_denying_statements(policy: Policy, requests: Sequence[Request]) -> dict[str, Statement]:
    """Find the statements that are certain to deny any of the requests.

    The keys name the statements in messages, by their Sid or their position.
    """
    denying_statements = {}
    for position, statement in enumerate(list_statements(policy), start=1):
        if any(_has_effect(statement, "Deny", request, if_unknown=False) for request in requests):
            name = statement.get("Sid") or f"number {position}"
            denying_statements[f"statement {name}"] = statement
    return denying_statements


def list_statements(policy: Policy) -> list[Statement]:
    """List the statements of a policy, which may omit the list around a single one."""
    statements = policy["Statement"]
    if isinstance(statements, list):
        return statements
    return [statements]


def format_actions(actions: Iterable[str]) -> str:
    """Format a list of actions for a message, without duplicates. A long list is shortened."""
    return format_list(shorten_list(sorted(set(actions))))


def _has_statement(policy: Policy, effect: Effect, request: Request, *, if_unknown: bool) -> bool:
    """Return True if any statement of a policy has this effect on a request."""
    return any(
        _has_effect(statement, effect, request, if_unknown=if_unknown)
        for statement in list_statements(policy)
    )


def _has_effect(
    statement: Statement, effect: Effect, request: Request, *, if_unknown: bool
) -> bool:
    """Return True if a statement allows a request, or denies it, depending on `effect`.

    `if_unknown` is what we assume about conditions that we can't judge: whether they're met.
    """
    if statement["Effect"] != effect or not _matches_request(statement, request):
        return False

    conditions = [is_met for _, is_met in _evaluate_conditions(statement, request.context)]
    if None in conditions and not if_unknown:
        return False
    return False not in conditions


def _matches_request(statement: Statement, request: Request) -> bool:
    """Return True if a statement covers a request, unless its conditions rule that out."""
    # In a policy, an account ID is short for the ARN of the account's root user.
    principals = [request.principal, *request.principal.split(":")[4:5]]
    return (
        any(_matches_element(statement, "Principal", principal) for principal in principals)
        and _matches_element(statement, "Action", request.action)
        and _matches_element(statement, "Resource", request.resource)
    )


def _matches_element(statement: Statement, element: str, requested: str) -> bool:
    """Return True if an element like `Action` or its opposite `NotAction` covers a requested value.

    A statement without the element covers every value. A role's own policies, for example, have no
    `Principal`, and trust policies have no `Resource`.
    """
    if element in statement:
        return _matches_any(_flatten(statement[element]), requested)
    excluded_patterns = _flatten(statement.get(f"Not{element}", []))
    return not _matches_any(excluded_patterns, requested)


def _flatten(element: Any) -> list[str]:  # noqa: ANN401  # JSON
    """List the values of `"*"`, `["a", "b"]` or `{"AWS": ["a", "b"], "Service": "c"}`."""
    if isinstance(element, dict):
        return _flatten([*element.values()])
    if isinstance(element, list):
        return [value for item in element for value in _flatten(item)]
    return [str(element).lower()]


def _evaluate_conditions(
    statement: Statement, context: RequestContext
) -> Iterator[tuple[str, bool | None]]:
    """Yield each condition's key, and whether it's met, or None if we can't judge that."""
    for operator, values_by_key in statement.get("Condition", {}).items():
        for key, values in values_by_key.items():
            actual = context.get(key.lower(), UNKNOWN)
            yield key, _evaluate_condition(operator.lower(), _flatten(values), actual)


def _evaluate_condition(
    operator: str, expected_values: Sequence[str], actual: str | None
) -> bool | None:
    """Return whether a key's value meets a condition, or None if we can't judge that.

    `actual` is None if the request lacks the key.
    """
    base_operator = operator.removesuffix("ifexists")
    positive_operator = base_operator.replace("not", "")
    is_negated = positive_operator != base_operator
    if positive_operator not in EXACT_OPERATORS | PATTERN_OPERATORS:
        return None

    if actual is None:
        # A missing key only meets a condition that is negated or has the suffix IfExists:
        # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
        return is_negated or base_operator != operator

    has_match = actual.lower() in expected_values
    if positive_operator in PATTERN_OPERATORS:
        has_match = _matches_any(expected_values, actual)

    # We only know how the value begins, or AWS would replace a policy variable in the condition,
    # like ${aws:username}, so the real values may match.
    if not has_match and (actual.endswith(UNKNOWN) or "${" in str(expected_values)):
        return None
    # One match is enough to meet a condition, or to violate a negated one.
    return has_match != is_negated


def _matches_any(patterns: Iterable[str], text: str) -> bool:
    """Return True if a text matches any pattern with the wildcards `*` and `?`, ignoring case."""
    return any(fnmatchcase(text.lower(), pattern) for pattern in patterns)
