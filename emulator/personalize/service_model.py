"""The service models of botocore: they validate requests and select the fields of responses."""

import re
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from typing import Any

from botocore.loaders import Loader
from botocore.model import ListShape, OperationModel, ServiceModel, Shape, StructureShape
from botocore.validate import ParamValidator

from emulator.personalize.errors import ApiError, invalid_input

CONTROL, RUNTIME = "personalize", "personalize-runtime"

# The patterns are Java's. Python's \w is \p{L}, \p{N} and the underscore, which they allow too.
JAVA_CLASSES = {
    r"\p{L}": r"\w",
    r"\p{N}": r"\w",
    r"\p{Z}": "\u0020\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000",
    r"\p{ASCII}": r"[\x00-\x7f]",
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
    for model in (service_model(CONTROL), service_model(RUNTIME)):
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
    try:
        message = _errors_of_poll(operation_name, **request)
    except TypeError:  # A list or a structure has no hash, but the request of a poll has neither.
        message = validation_errors(operation_model(operation_name), request)
    if message:
        raise invalid_input(message)


@lru_cache(maxsize=1024, typed=True)
def _errors_of_poll(operation_name: str, /, **request: object) -> str:
    """Return all errors of a request. Most requests are polls, which repeat an earlier one."""
    return validation_errors(operation_model(operation_name), request)


def validation_errors(operation: OperationModel, request: Mapping[str, object]) -> str:
    """Return all errors of a request. It is empty without errors."""
    shape, validator = operation.input_shape, _Validator()
    errors = validator.validate(request, shape).generate_report() if shape else ""
    messages = [*errors.splitlines(), *validator.broken_limits]
    noun = "error" if len(messages) == 1 else "errors"
    return f"{len(messages)} validation {noun} detected: {'; '.join(messages)}" if messages else ""


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
            for limit in _broken_limits(params, shape.metadata)
        ]


def _broken_limits(value: object, limits: Mapping[str, Any]) -> Iterator[str]:
    """Yield each limit of a shape that a value breaks, in the words of AWS's services."""
    subject, size = "value", value
    if isinstance(value, str | list | dict):
        subject, size = "length", len(value)
    if isinstance(size, int | float) and size > limits.get("max", size):
        yield f"have {subject} less than or equal to {limits['max']}"
    if value not in limits.get("enum", [value]):
        yield f"satisfy enum value set: [{', '.join(limits['enum'])}]"
    if "pattern" in limits and not _python_pattern(limits["pattern"]).fullmatch(str(value)):
        yield f"satisfy regular expression pattern: {limits['pattern']}"


@cache
def _python_pattern(java_pattern: str) -> re.Pattern[str]:
    for java_class, python_class in JAVA_CLASSES.items():
        java_pattern = java_pattern.replace(java_class, python_class)
    return re.compile(java_pattern)


def select_fields(shape: Shape | None, value: object) -> object:
    """Return a value with only those fields that the shape has, at every depth, without nulls.

    The resources offer all their fields, and the shape of a List has fewer than that of a Describe.
    """
    if isinstance(value, dict) and (shape is None or isinstance(shape, StructureShape)):
        return {
            name: select_fields(field, value[name])
            for name, field in members(shape).items()
            if value.get(name) is not None
        }
    if isinstance(value, list) and isinstance(shape, ListShape):
        return [select_fields(shape.member, item) for item in value]
    return value
