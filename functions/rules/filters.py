"""Validates the values that a probe passes to its filter's parameters.

The rules come from the guide:
https://docs.aws.amazon.com/personalize/latest/dg/creating-filter-expressions.html and
https://docs.aws.amazon.com/personalize/latest/dg/API_RS_GetRecommendations.html.
"""

import re
from collections.abc import Iterator, Mapping

from ..common.formatting import format_list
from ..constants import FILTER_VALUE_PATTERN, QUOTED_STRING_LIST_PATTERN, QUOTED_STRING_PATTERN
from ..contract import ProbeSettings

_PARAMETER = r"\$(\w+)"
_EXCLUDE_EXPRESSION = r"(?i)(^|\|)\s*EXCLUDE\b[^|]*"
"""A filter may consist of several expressions, separated by pipes."""
_LIST_AFTER_IN = r"(?i)\bIN\s*\([^)]*"
"""Matches, for example, `IN ($genre` in `Items.GENRE IN ($genre)`."""
_DATA_OF_USER = r"(?i)\b(CurrentUser|Interactions)\s*\."


def find_filter_problems(expression: str, probe: ProbeSettings) -> Iterator[str]:
    """Yield a message for each mistake in the parameters of a probe's filter."""
    # Dollar signs, pipes and keywords have no meaning inside a quoted string.
    unquoted = re.sub(QUOTED_STRING_PATTERN, "", expression)
    if re.search(_DATA_OF_USER, unquoted) and not probe.get("userId"):
        yield "has a filter that uses data of the user, but no userId; add a userId"

    yield from _check_parameters(unquoted, probe["filterValues"])
    yield from _check_quotes(unquoted, probe["filterValues"])


def _check_parameters(expression: str, values: Mapping[str, str]) -> Iterator[str]:
    """Yield a message if a parameter has no value, or a value has no parameter."""
    parameters = _find_parameter_names(expression)
    # Personalize ignores an EXCLUDE expression if its parameters have no values.
    required_parameters = _find_parameter_names(re.sub(_EXCLUDE_EXPRESSION, "", expression))
    if required_parameters <= values.keys() <= parameters:
        return

    given = format_list(sorted(values)) or "nothing"
    expected = format_list(sorted(parameters)) or "nothing"
    yield f"has filterValues for {given}, but the filter needs {expected}; correct them"


def _check_quotes(expression: str, values: Mapping[str, str]) -> Iterator[str]:
    """Yield a message for each value that lacks double quotes around its strings."""
    # IN only compares strings. The other operators also compare numbers.
    lists_after_in = " ".join(re.findall(_LIST_AFTER_IN, expression))
    string_parameters = _find_parameter_names(lists_after_in)

    for parameter, value in values.items():
        pattern = FILTER_VALUE_PATTERN
        if parameter in string_parameters:
            pattern = QUOTED_STRING_LIST_PATTERN
        if not re.fullmatch(pattern, value):
            yield (
                f"has {value!r} for {parameter} in its filterValues; put each text into double "
                "quotes, for example '\"Drama\"'"
            )


def _find_parameter_names(expression: str) -> set[str]:
    """Find the names of the parameters, without their dollar signs."""
    return {*re.findall(_PARAMETER, expression)}
