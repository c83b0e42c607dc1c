"""Validates the parameters that a probe passes to its filter, against the filter's expression.

The rules are from the guide:
https://docs.aws.amazon.com/personalize/latest/dg/creating-filter-expressions.html and
https://docs.aws.amazon.com/personalize/latest/dg/API_RS_GetRecommendations.html.
"""

import re
from collections.abc import Iterator

from ..contract import ProbeSettings
from ..words import list_text

_TEXT = r'"[^"]*"'
_TEXTS = rf"\s*{_TEXT}(\s*,\s*{_TEXT})*\s*"
_VALUES = rf"{_TEXTS}|\s*[-+]?\d+(\.\d+)?\s*"
_PARAMETER = r"\$(\w+)"
_EXCLUDED = r"(?i)(^|\|)\s*EXCLUDE\b[^|]*"
_IN_LIST = r"(?i)\bIN\s*\([^)]*"
_OF_USER = r"(?i)\b(CurrentUser|Interactions)\s*\."


def filter_problems(expression: str, probe: ProbeSettings) -> Iterator[str]:
    """Yield a message for each mistake in the parameters of a probe's filter."""
    # A quoted text may contain a dollar sign, a pipe or a keyword, which mean nothing there.
    expression = re.sub(_TEXT, "", expression)
    if re.search(_OF_USER, expression) and not probe.get("userId"):
        yield "has a filter that uses data of the user, but no userId; add a userId"

    values = probe["filterValues"]
    parameters = {*re.findall(_PARAMETER, expression)}
    # Personalize leaves out an EXCLUDE expression whose parameters have no values.
    required = {*re.findall(_PARAMETER, re.sub(_EXCLUDED, "", expression))}
    has_right_parameters = required <= values.keys() <= parameters
    if not has_right_parameters:
        given = list_text(sorted(values)) or "nothing"
        expected = list_text(sorted(parameters)) or "nothing"
        yield f"has filterValues for {given}, but the filter needs {expected}; correct them"

    # IN compares only texts. The other operators compare numbers as well.
    text_parameters = {*re.findall(_PARAMETER, " ".join(re.findall(_IN_LIST, expression)))}
    for parameter, value in values.items():
        pattern = _TEXTS if parameter in text_parameters else _VALUES
        if not re.fullmatch(pattern, value):
            yield (
                f"has {value!r} for {parameter} in its filterValues; put each text into double "
                "quotes, for example '\"Drama\"'"
            )
