"""Checks values against botocore's service models, as strictly as the services themselves do."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, cast

from botocore.model import OperationModel, Shape
from botocore.validate import ParamValidator, ValidationErrors

# The patterns in the models use Java's character classes, which Python's `re` doesn't support. \w
# replaces both \p{L} and \p{N}. Unlike them, it also matches an underscore, but the patterns that
# contain them allow underscores anyway.
PYTHON_CLASSES = {
    r"\p{L}": r"\w",
    r"\p{N}": r"\w",
    r"\p{Z}": "\u0020\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000",
    r"\p{ASCII}": r"[\x00-\x7f]",
}


def format_errors(operation: OperationModel, request: Mapping[str, object]) -> str:
    """Describe all errors in a request in one message like AWS's, or return "" if it's valid."""
    # All operations of the emulated services have parameters, and so an input shape.
    errors = find_errors(cast("Shape", operation.input_shape), request)
    if not errors:
        return ""

    count = "1 validation error"
    if len(errors) > 1:
        count = f"{len(errors)} validation errors"

    return f"{count} detected: {'; '.join(errors)}"


def find_errors(shape: Shape, value: object, path: str = "") -> list[str]:
    """List what's wrong with a value, including everything inside it.

    The messages call the value `path`, which is empty for a whole request.
    """
    validator = _Validator()
    report = ValidationErrors()
    validator._validate(value, shape, report, path)  # noqa: SLF001  # `validate` takes no path
    return [*report.generate_report().splitlines(), *validator.violations]


class _Validator(ParamValidator):
    """Extends botocore's validator, which doesn't check maxima, enums and patterns.

    `violations` collects the messages about these constraints.
    """

    VALIDATED_METADATA_ATTRS = ParamValidator.VALIDATED_METADATA_ATTRS | {"max", "enum", "pattern"}

    def __init__(self) -> None:
        self.violations: list[str] = []

    def _validate(self, params: object, shape: Shape, errors: object, name: str) -> None:
        super()._validate(params, shape, errors, name)  # type: ignore[misc]  # not in the stubs
        field_path = name.lstrip(".")
        self.violations += [
            f"Value '{params}' at '{field_path}' failed to satisfy constraint: Member must {rule}"
            for rule in _find_violated_rules(params, shape.metadata)
        ]


def _find_violated_rules(value: object, constraints: Mapping[str, Any]) -> Iterator[str]:
    """Yield each rule that a value violates, in the wording of AWS's error messages."""
    subject = "value"
    size = value
    if isinstance(value, str | list | dict):
        subject = "length"
        size = len(value)

    if isinstance(size, int | float) and size > constraints.get("max", size):
        yield f"have {subject} less than or equal to {constraints['max']}"

    if value not in constraints.get("enum", [value]):
        yield f"satisfy enum value set: [{', '.join(constraints['enum'])}]"

    pattern = constraints.get("pattern")
    if pattern is not None and not _compile_pattern(pattern).fullmatch(str(value)):
        yield f"satisfy regular expression pattern: {pattern}"


@cache
def _compile_pattern(java_pattern: str) -> re.Pattern[str]:
    """Replace Java's character classes in a service model's pattern and compile the pattern."""
    for java_class, python_class in PYTHON_CLASSES.items():
        java_pattern = java_pattern.replace(java_class, python_class)
    return re.compile(java_pattern)
