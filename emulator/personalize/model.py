"""The service models on disk: what a request must be like, and which fields an answer has."""

import re
from collections.abc import Iterator, Mapping
from functools import cache

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
def service(name: str) -> ServiceModel:
    """The model of one of Personalize's services, as botocore has it."""
    return ServiceModel(Loader().load_service_model(name, "service-2"), name)


def operation_names() -> list[str]:
    """The operations of both services that are emulated."""
    return [*service(CONTROL).operation_names, *service(RUNTIME).operation_names]


@cache
def operation(name: str) -> OperationModel:
    """The model of an operation of any of the services.

    Raises:
        ApiError: UnknownOperationException, when no service has it.
    """
    for model in (service(CONTROL), service(RUNTIME), service(EVENTS)):
        if name in model.operation_names:
            return model.operation_model(name)
    raise ApiError("UnknownOperationException", f"Amazon Personalize has no operation {name}.")


def members(shape: Shape | None) -> Mapping[str, Shape]:
    """The fields of a structure; none for an operation without input or output."""
    return shape.members if isinstance(shape, StructureShape) else {}


def validate(operation_name: str, request: Mapping[str, object]) -> None:
    """Hold a request against the model: types, required and unknown fields, patterns, sizes.

    botocore's own check on the client's side leaves out patterns, enums and maxima.

    Raises:
        ApiError: InvalidInputException with every problem, in the words of AWS's services.
    """
    shape = operation(operation_name).input_shape
    problems = list(_problems(shape, dict(request), "")) if shape else []
    if problems:
        noun = "error" if len(problems) == 1 else "errors"
        raise invalid_input(f"{len(problems)} validation {noun} detected: " + "; ".join(problems))


def only_modelled(shape: Shape, fields: Mapping[str, object]) -> dict[str, object]:
    """Those fields that the output shape has, at every depth: List shows less than Describe."""
    return {
        name: _modelled(member, fields[name])
        for name, member in members(shape).items()
        if fields.get(name) is not None
    }


def _modelled(shape: Shape, value: object) -> object:
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        return only_modelled(shape, value)
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_modelled(shape.member, item) for item in value]
    return value


def _problems(shape: Shape, value: object, path: str) -> Iterator[str]:
    expected = PYTHON_TYPES[shape.type_name]
    if not isinstance(value, expected) or (isinstance(value, bool) and bool not in expected):
        yield f"Value {value!r} at '{path}' must be of type {shape.type_name}"
        return
    yield from (
        f"Value '{value}' at '{path}' failed to satisfy constraint: Member must {constraint}"
        for constraint in _broken_constraints(shape, value)
    )
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        yield from _structure_problems(shape, value, path)
    elif isinstance(shape, MapShape) and isinstance(value, dict):
        for key, item in value.items():
            yield from _problems(shape.key, key, f"{path}.{key}")
            yield from _problems(shape.value, item, f"{path}.{key}")
    elif isinstance(shape, ListShape) and isinstance(value, list | tuple):
        for position, item in enumerate(value, start=1):
            yield from _problems(shape.member, item, f"{path}.{position}.member")


def _structure_problems(
    shape: StructureShape, value: dict[str, object], path: str
) -> Iterator[str]:
    for name in shape.required_members:
        if value.get(name) is None:
            yield (
                f"Value null at '{_join(path, name)}' failed to satisfy constraint: "
                "Member must not be null"
            )
    for name, item in value.items():
        if name not in shape.members:
            yield f"'{_join(path, name)}' is not a member of {shape.name}"
        elif item is not None:
            yield from _problems(shape.members[name], item, _join(path, name))


def _broken_constraints(shape: Shape, value: object) -> Iterator[str]:
    rules = shape.metadata
    size = value if isinstance(value, int | float) else None
    low, high = (
        ("value greater than", "value less than")
        if size is not None
        else (
            "length greater than",
            "length less than",
        )
    )
    if size is None and isinstance(value, str | list | tuple | dict):
        size = len(value)
    if size is not None and "min" in rules and size < rules["min"]:
        yield f"have {low} or equal to {rules['min']}"
    if size is not None and "max" in rules and size > rules["max"]:
        yield f"have {high} or equal to {rules['max']}"
    if isinstance(shape, StringShape) and isinstance(value, str):
        if shape.enum and value not in shape.enum:
            yield f"satisfy enum value set: [{', '.join(shape.enum)}]"
        if "pattern" in rules and not _pattern(rules["pattern"]).fullmatch(value):
            yield f"satisfy regular expression pattern: {rules['pattern']}"


@cache
def _pattern(java: str) -> re.Pattern[str]:
    for there, here in JAVA_CLASSES.items():
        java = java.replace(there, here)
    return re.compile(java)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
