"""Validates requests and trims responses with botocore's models of AWS services."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from botocore.loaders import Loader
from botocore.model import ListShape, OperationModel, ServiceModel, Shape, StructureShape
from botocore.validate import ParamValidator

# The patterns in the models use Java's character classes, which Python's `re` doesn't support. \w
# replaces both \p{L} and \p{N}. Unlike them, it also matches an underscore, but the patterns that
# contain them allow underscores anyway.
PYTHON_CLASSES = {
    r"\p{L}": r"\w",
    r"\p{N}": r"\w",
    r"\p{Z}": "\u0020\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000",
    r"\p{ASCII}": r"[\x00-\x7f]",
}


LOADER = Loader()
"""Loads botocore's data files, each of which is parsed only once."""


@cache
def load_service_model(service_name: str) -> ServiceModel:
    """Load botocore's model of a service, for example `stepfunctions`."""
    return ServiceModel(LOADER.load_service_model(service_name, "service-2"), service_name)


def list_members(shape: Shape | None) -> Mapping[str, Shape]:
    """Map the field names of a structure to the shapes of the fields.

    Return an empty mapping for any other shape, and for None, which an operation without input or
    output has instead of a shape.
    """
    if isinstance(shape, StructureShape):
        return shape.members
    return {}


def format_errors(operation: OperationModel, request: Mapping[str, object]) -> str:
    """Describe all errors in a request in one message like AWS's, or return "" if it's valid."""
    errors = _find_errors(operation, request)
    if not errors:
        return ""

    count = "1 validation error"
    if len(errors) > 1:
        count = f"{len(errors)} validation errors"

    return f"{count} detected: {'; '.join(errors)}"


def _find_errors(operation: OperationModel, request: Mapping[str, object]) -> list[str]:
    """List the errors that botocore's validator reports, and the constraints that are violated."""
    if operation.input_shape is None:
        return []

    validator = _Validator()
    report = validator.validate(request, operation.input_shape).generate_report()
    return [*report.splitlines(), *validator.violations]


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


def select_fields(shape: Shape | None, value: object) -> object:
    """Drop all fields that are None or that the response shape doesn't have, at every depth.

    List operations return fewer fields of a resource than Describe operations. Because of this
    function, a resource can offer the same fields to both.
    """
    if isinstance(value, dict) and (shape is None or isinstance(shape, StructureShape)):
        return {
            name: select_fields(member, value[name])
            for name, member in list_members(shape).items()
            if value.get(name) is not None
        }

    if isinstance(value, list) and isinstance(shape, ListShape):
        return [select_fields(shape.member, item) for item in value]

    return value
