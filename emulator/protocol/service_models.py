"""Validates requests and trims responses with botocore's models of AWS services."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from botocore.loaders import Loader
from botocore.model import ListShape, OperationModel, ServiceModel, Shape, StructureShape
from botocore.validate import ParamValidator

# The models' patterns are Java's, with character classes that Python's `re` doesn't know. \w stands
# for both \p{L} and \p{N}. It also matches an underscore, but those patterns allow that anyway.
PYTHON_CLASSES = {
    r"\p{L}": r"\w",
    r"\p{N}": r"\w",
    r"\p{Z}": "\u0020\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000",
    r"\p{ASCII}": r"[\x00-\x7f]",
}


LOADER = Loader()
"""Loads botocore's data files, and parses each one only once."""


@cache
def load_service_model(service_name: str) -> ServiceModel:
    """Load botocore's model of a service, for example `stepfunctions`."""
    return ServiceModel(LOADER.load_service_model(service_name, "service-2"), service_name)


def list_members(shape: Shape | None) -> Mapping[str, Shape]:
    """Map the names of a structure's fields to their shapes. Any other shape has no fields.

    The shape is None if an operation has no input or no output.
    """
    if isinstance(shape, StructureShape):
        return shape.members
    return {}


def format_errors(operation: OperationModel, request: Mapping[str, object]) -> str:
    """List all errors in a request in a single message, worded like AWS's, or "" if it's valid."""
    errors = _find_errors(operation, request)
    if not errors:
        return ""

    count = "1 validation error"
    if len(errors) > 1:
        count = f"{len(errors)} validation errors"

    return f"{count} detected: {'; '.join(errors)}"


def _find_errors(operation: OperationModel, request: Mapping[str, object]) -> list[str]:
    """Find what botocore's own validator would reject, and which constraints are violated."""
    if operation.input_shape is None:
        return []

    validator = _Validator()
    report = validator.validate(request, operation.input_shape).generate_report()
    return [*report.splitlines(), *validator.violations]


class _Validator(ParamValidator):
    """botocore's validator, which also collects violations of maxima, enums and patterns.

    botocore itself leaves these constraints to the service.
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
    """Yield each rule that a value violates, worded like AWS's error messages."""
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
    """Compile a service model's pattern, after replacing Java's character classes."""
    for java_class, python_class in PYTHON_CLASSES.items():
        java_pattern = java_pattern.replace(java_class, python_class)
    return re.compile(java_pattern)


def select_fields(shape: Shape | None, value: object) -> object:
    """Drop the fields that a response shape doesn't have, and those that are None, at every depth.

    Resources offer all their fields, but the response of a List operation has fewer of them than
    that of a Describe operation.
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
