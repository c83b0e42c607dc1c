"""The service models of botocore: they validate requests and select the fields of responses."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import cast

from botocore.loaders import Loader
from botocore.model import (
    ListShape,
    MapShape,
    OperationModel,
    ServiceModel,
    Shape,
    StringShape,
    StructureShape,
)

from emulator.personalize.errors import ApiError, invalid_input

CONTROL, RUNTIME, EVENTS = "personalize", "personalize-runtime", "personalize-events"

# The patterns are Java's. Python's \w is \p{L}, \p{N} and the underscore, which they allow too.
JAVA_CLASSES = {
    r"\p{L}": r"\w",
    r"\p{N}": r"\w",
    r"\p{Z}": "\u0020\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000",
    r"\p{ASCII}": r"[\x00-\x7f]",
}

PYTHON_TYPES: Mapping[str, tuple[type, ...]] = {
    "structure": (dict,),
    "map": (dict,),
    "list": (list, tuple),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "float": (int, float),
    "double": (int, float),
    "timestamp": (int, float),
}


@cache
def service_model(name: str) -> ServiceModel:
    """Return botocore's model of a service."""
    return ServiceModel(Loader().load_service_model(name, "service-2"), name)


def operation_names() -> list[str]:
    """Return the names of the operations of `personalize` and `personalize-runtime`."""
    return [*service_model(CONTROL).operation_names, *service_model(RUNTIME).operation_names]


@cache
def operation_model(name: str) -> OperationModel:
    """Return the model of an operation of any of the services.

    Raises:
        ApiError: UnknownOperationException if no service of Personalize has this operation.
    """
    for model in (service_model(CONTROL), service_model(RUNTIME), service_model(EVENTS)):
        if name in model.operation_names:
            return model.operation_model(name)
    raise ApiError("UnknownOperationException", f"Amazon Personalize has no operation {name}.")


def members(shape: Shape | None) -> Mapping[str, Shape]:
    """Return the shapes of a structure's fields by name, or nothing for any other shape.

    The shape is None for the input or output of an operation that has none.
    """
    return shape.members if isinstance(shape, StructureShape) else {}


def validate(operation_name: str, request: Mapping[str, object]) -> None:
    """Check a request to Personalize. Raise ApiError (InvalidInputException) if it is wrong."""
    if message := validation_errors(operation_model(operation_name), request):
        raise invalid_input(message)


def validation_errors(operation: OperationModel, request: Mapping[str, object]) -> str:
    """Return all errors of a request, in the words of AWS's services. It is empty without errors.

    A boto3 client also checks the types and fields of its requests, but not their patterns, enums
    and maxima.
    """
    shape = operation.input_shape
    errors = list(_errors(shape, dict(request), path="")) if shape else []
    noun = "error" if len(errors) == 1 else "errors"
    return f"{len(errors)} validation {noun} detected: {'; '.join(errors)}" if errors else ""


def select_fields(shape: Shape, fields: Mapping[str, object]) -> dict[str, object]:
    """Return the fields that an output shape has, at every depth, without nulls.

    The resources offer all their fields, and the shape of a List has fewer than that of a Describe.
    """
    return {
        name: _select_in_value(field_shape, fields[name])
        for name, field_shape in members(shape).items()
        if fields.get(name) is not None
    }


def _select_in_value(shape: Shape, value: object) -> object:
    """Return a value with only those fields in its structures that the shape has."""
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        return select_fields(shape, value)
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_select_in_value(shape.member, item) for item in value]
    return value


def _errors(shape: Shape, value: object, path: str) -> Iterator[str]:
    """Yield a message for each error in a value and in the values inside it.

    `path` is the place of the value in the request, for example `tags.1.member.tagKey`. It is
    empty for the request itself.
    """
    types = PYTHON_TYPES[shape.type_name]
    is_wrong_bool = isinstance(value, bool) and bool not in types  # a bool is an int in Python
    if not isinstance(value, types) or is_wrong_bool:
        yield f"Value {value!r} at '{path}' must be of type {shape.type_name}"
        return
    for constraint in _broken_constraints(shape, value):
        yield _message(f"'{value}'", path, constraint)
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        yield from _structure_errors(shape, value, f"{path}." if path else "")
    elif isinstance(shape, MapShape) and isinstance(value, dict):
        for key, item in value.items():
            yield from _errors(shape.key, key, f"{path}.{key}")
            yield from _errors(shape.value, item, f"{path}.{key}")
    elif isinstance(shape, ListShape) and isinstance(value, list | tuple):
        for position, item in enumerate(value, start=1):
            yield from _errors(shape.member, item, f"{path}.{position}.member")


def _structure_errors(
    shape: StructureShape, fields: Mapping[str, object], prefix: str
) -> Iterator[str]:
    """Yield a message for each missing, unknown or wrong field of a structure."""
    for name in shape.required_members:
        if fields.get(name) is None:
            yield _message("null", f"{prefix}{name}", "not be null")
    for name, value in fields.items():
        if name not in shape.members:
            yield f"'{prefix}{name}' is not a member of {shape.name}"
        elif value is not None:
            yield from _errors(shape.members[name], value, f"{prefix}{name}")


def _message(value: str, path: str, constraint: str) -> str:
    return f"Value {value} at '{path}' failed to satisfy constraint: Member must {constraint}"


def _broken_constraints(shape: Shape, value: object) -> Iterator[str]:
    """Yield each constraint that a value breaks, as text that can follow "Member must"."""
    limits = shape.metadata
    if isinstance(value, str | list | tuple | dict):
        subject, size = "length", float(len(value))
    else:
        subject, size = "value", cast("float", value)
    if size < limits.get("min", size):
        yield f"have {subject} greater than or equal to {limits['min']}"
    if size > limits.get("max", size):
        yield f"have {subject} less than or equal to {limits['max']}"
    if isinstance(shape, StringShape) and shape.enum and value not in shape.enum:
        yield f"satisfy enum value set: [{', '.join(shape.enum)}]"
    if "pattern" in limits and not _python_pattern(limits["pattern"]).fullmatch(str(value)):
        yield f"satisfy regular expression pattern: {limits['pattern']}"


@cache
def _python_pattern(java_pattern: str) -> re.Pattern[str]:
    """Return a regular expression of the service model for Python."""
    for java_class, python_class in JAVA_CLASSES.items():
        java_pattern = java_pattern.replace(java_class, python_class)
    return re.compile(java_pattern)
