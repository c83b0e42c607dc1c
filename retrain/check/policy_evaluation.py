"""Evaluates IAM policies like AWS does, and removes statements that deny a request.

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

If a value ends with UNKNOWN, we only know how it begins. If a key isn't in the mapping, it may have
any value or none."""
Result: TypeAlias = Literal["allowed", "denied", "not allowed", "uncertain"]
"""What AWS calls an explicit deny is "denied" here, and an implicit deny is "not allowed"."""

UNKNOWN = "(unknown)"
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


def build_service_context(environment: Environment, service: str) -> dict[str, str | None]:
    """Build the context of a request that a service sends on behalf of the pipeline's account.

    A service always uses TLS, and doesn't go through a VPC endpoint of the account. Personalize's
    values of `aws:SourceAccount` and `aws:SourceArn` are documented in
    https://docs.aws.amazon.com/personalize/latest/dg/cross-service-confused-deputy-prevention.html.
    """
    return {
        "aws:securetransport": "true",
        "aws:sourceaccount": environment.account,
        "aws:sourcearn": build_arn(environment, service, UNKNOWN),
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
    """List the keys of the conditions that we can't judge, of all statements about the requests."""
    unknown_keys = {
        key
        for statement in _list_statements(policy)
        for request in requests
        if _matches_request(statement, request)
        for key, is_met in _evaluate_conditions(statement, request.context)
        if is_met is None
    }
    return sorted(unknown_keys)


def name_denying_statements(policy: Policy, requests: Sequence[Request]) -> str:
    """Name the statements that deny any of the requests, by their Sid or their position."""
    names = []
    for position, statement in enumerate(_list_statements(policy), start=1):
        if _denies_any(statement, requests):
            name = statement.get("Sid") or f"number {position}"
            names.append(f"statement {name}")
    return format_list(names)


def remove_denying_statements(policy: Policy, requests: Sequence[Request]) -> dict[str, Any]:
    """Copy a policy, leaving out the statements that deny any of the requests."""
    other_statements = [
        statement for statement in _list_statements(policy) if not _denies_any(statement, requests)
    ]
    return {**policy, "Statement": other_statements}


def format_actions(actions: Iterable[str]) -> str:
    """Format a list of actions for a message, without duplicates. A long list is shortened."""
    return format_list(shorten_list(sorted(set(actions))))


def _list_statements(policy: Policy) -> list[Statement]:
    return _wrap_in_list(policy["Statement"])


def _wrap_in_list(value: Any) -> list[Any]:  # noqa: ANN401  # JSON
    """Wrap a value in a list if it isn't one, because a policy may omit the list around a value."""
    if isinstance(value, list):
        return value
    return [value]


def _denies_any(statement: Statement, requests: Sequence[Request]) -> bool:
    """Return True if a statement is certain to deny any of the requests."""
    return any(_has_effect(statement, "Deny", request, if_unknown=False) for request in requests)


def _has_statement(policy: Policy, effect: Effect, request: Request, *, if_unknown: bool) -> bool:
    """Return True if any statement of a policy has this effect on a request."""
    return any(
        _has_effect(statement, effect, request, if_unknown=if_unknown)
        for statement in _list_statements(policy)
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
    """Yield each condition's key, and whether it's met, or None if we can't judge that."""
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

    if positive_operator in PATTERN_OPERATORS:
        has_match = _matches_any(expected_values, actual)
    else:
        has_match = actual.lower() in [value.lower() for value in expected_values]

    # We only know how the value begins, or AWS would replace a policy variable in the condition,
    # like ${aws:username}, so the real values may match.
    if not has_match and (actual.endswith(UNKNOWN) or "${" in str(expected_values)):
        return None
    # One match is enough to meet a condition, or to violate a negated one.
    return has_match != is_negated


def _matches_any(patterns: Any, text: str) -> bool:  # noqa: ANN401  # JSON
    """Return True if a text matches a single pattern, or any pattern in a list.

    The wildcards are `*` and `?`, and case doesn't matter.
    """
    return any(
        fnmatchcase(text.lower(), pattern.lower().replace("[", "[[]"))
        for pattern in _wrap_in_list(patterns)
    )
