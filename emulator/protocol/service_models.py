"""botocore's models of AWS services: they validate requests and select the fields of responses."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from botocore.loaders import Loader
from botocore.model import ListShape, OperationModel, ServiceModel, Shape, StructureShape
from botocore.validate import ParamValidator

# The patterns are Java's. Python's \w is \p{L}, \p{N} and the underscore, which they allow too.
JAVA_CLASSES = {
    r"\p{L}": r"\w",
    r"\p{N}": r"\w",
    r"\p{Z}": "\u0020\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000",
    r"\p{ASCII}": r"[\x00-\x7f]",
}


LOADER = Loader()
"""The loader of botocore's files, which parses each file once."""


@cache
def load_service_model(service_name: str) -> ServiceModel:
    """Load botocore's model of a service."""
    return ServiceModel(LOADER.load_service_model(service_name, "service-2"), service_name)


def list_members(shape: Shape | None) -> Mapping[str, Shape]:
    """List the fields of a structure with their shapes, or nothing for any other shape.

    An operation without input or output has None as its shape.
    """
    if isinstance(shape, StructureShape):
        return shape.members
    return {}


def format_errors(operation: OperationModel, request: Mapping[str, object]) -> str:
    """Format everything that is wrong with a request as AWS does, or "" if nothing is."""
    errors = _find_errors(operation, request)
    if not errors:
        return ""

    count = "1 validation error"
    if len(errors) > 1:
        count = f"{len(errors)} validation errors"

    return f"{count} detected: {'; '.join(errors)}"


def _find_errors(operation: OperationModel, request: Mapping[str, object]) -> list[str]:
    """Find what botocore itself would reject, and which limits of the service are broken."""
    if operation.input_shape is None:
        return []

    validator = _Validator()
    report = validator.validate(request, operation.input_shape).generate_report()
    return [*report.splitlines(), *validator.broken_limits]


class _Validator(ParamValidator):
    """botocore's validator. It also lists the broken maxima, enums and patterns of the model."""

    VALIDATED_METADATA_ATTRS = ParamValidator.VALIDATED_METADATA_ATTRS | {"max", "enum", "pattern"}

    def __init__(self) -> None:
        self.broken_limits: list[str] = []

    def _validate(self, params: object, shape: Shape, errors: object, name: str) -> None:
        super()._validate(params, shape, errors, name)  # type: ignore[misc]  # not in the stubs
        place = name.lstrip(".")
        self.broken_limits += [
            f"Value '{params}' at '{place}' failed to satisfy constraint: Member must {limit}"
            for limit in _find_broken_limits(params, shape.metadata)
        ]


def _find_broken_limits(value: object, limits: Mapping[str, Any]) -> Iterator[str]:
    """Yield each limit of a shape that a value breaks, in the words of AWS's services."""
    subject = "value"
    size = value
    if isinstance(value, str | list | dict):
        subject = "length"
        size = len(value)

    if isinstance(size, int | float) and size > limits.get("max", size):
        yield f"have {subject} less than or equal to {limits['max']}"
    if value not in limits.get("enum", [value]):
        yield f"satisfy enum value set: [{', '.join(limits['enum'])}]"
    if "pattern" in limits and not _compile(limits["pattern"]).fullmatch(str(value)):
        yield f"satisfy regular expression pattern: {limits['pattern']}"


@cache
def _compile(java_pattern: str) -> re.Pattern[str]:
    """Compile one of the model's patterns, after replacing what only Java knows."""
    for java_class, python_class in JAVA_CLASSES.items():
        java_pattern = java_pattern.replace(java_class, python_class)
    return re.compile(java_pattern)


def select_fields(shape: Shape | None, value: object) -> object:
    """Keep only those fields of a value that the shape has, at every depth, without nulls.

    The resources offer all their fields, and the shape of a List has fewer than that of a Describe.
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
