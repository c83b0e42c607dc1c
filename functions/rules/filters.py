"""Checks what a probe gives to its filter. The expression of the filter says what it needs.

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
_IN_LIST = rf"(?i)\bIN\s*\([^)]*?{_PARAMETER}"
_OF_USER = r"(?i)\b(CurrentUser|Interactions)\s*\."


def filter_problems(expression: str, probe: ProbeSettings) -> Iterator[str]:
    """Yield what is wrong with a probe that uses a filter with this expression."""
    # A text may have a dollar sign, a pipe or a keyword in it, which mean nothing there.
    expression = re.sub(_TEXT, "", expression)
    if re.search(_OF_USER, expression) and not probe.get("userId"):
        yield "has a filter that uses data of the user, but no userId; add a userId"

    values = probe["filterValues"]
    parameters = {*re.findall(_PARAMETER, expression)}
    # Personalize leaves out an EXCLUDE expression whose parameters have no values.
    required = {*re.findall(_PARAMETER, re.sub(_EXCLUDED, "", expression))}
    if not required <= values.keys() <= parameters:
        given = list_text(sorted(values)) or "nothing"
        expected = list_text(sorted(parameters)) or "nothing"
        yield f"has filterValues for {given}, but the filter needs {expected}; correct them"

    # IN compares only texts. The other operators compare numbers as well.
    texts = {*re.findall(_IN_LIST, expression)}
    for name, value in values.items():
        if not re.fullmatch(_TEXTS if name in texts else _VALUES, value):
            yield (
                f"has {value!r} for {name} in its filterValues; put each text into double quotes, "
                "for example '\"Drama\"'"
            )
