"""Translates Pulumi's inputs into requests of the AWS API, and responses into inputs.

Names and types come from botocore's models. The model of a value also says which values AWS
refuses: botocore itself checks no allowed values, lengths and ranges. Patterns are not checked,
because they are written for the regular expressions of another language.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, cast

from emulator.deployer.errors import InputRefusedError
from emulator.deployer.models import members
from emulator.deployer.wire import UNKNOWN, is_archive

if TYPE_CHECKING:
    from botocore.model import ListShape, MapShape, Shape, StringShape

Request: TypeAlias = dict[str, object]
"""Values under the API's names."""
Names: TypeAlias = Mapping[str, str]
"""Path of an input, for example `target.input` -> path in the API below the parent's path."""


class Field(NamedTuple):
    """The place of an input in the API."""

    path: tuple[str, ...]
    """Names of members. `0` stands for the only item of a list."""
    shape: Shape


def find_field(parent: Shape, name: str, api_path: str | None = None) -> Field | None:
    """Return the field of a structure that an input sets, or None if it has no such field.

    Without a path, the field has the name of the input, in any case of its letters. In a map of
    attributes, the name begins with a capital letter.
    """
    if api_path is None and parent.type_name == "map":
        api_path = name[0].upper() + name[1:]
    elif api_path is None:
        same = (member for member in members(parent) if member.casefold() == name.casefold())
        api_path = next(same, None)
    if api_path is None:
        return None
    path = split_path(api_path)
    shape = parent
    for step in path:
        shape = _inner_shape(shape, step)
    return Field(path, shape)


def split_path(path: str) -> tuple[str, ...]:
    """Return the steps of a path in the API. An empty path has none."""
    return tuple(path.split(".")) if path else ()


def nest(path: tuple[str, ...], value: object) -> object:
    """Return a value as the only one in nested structures and lists."""
    for step in reversed(path):
        value = [value] if step == "0" else {step: value}
    return value


def merge(first: object, second: object) -> object:
    """Return two structures, or two lists of one structure each, as one."""
    if isinstance(first, list) and isinstance(second, list):
        return [merge(first[0], second[0])]
    first, second = cast("Request", first), cast("Request", second)
    both = {name: merge(first[name], second[name]) for name in first.keys() & second.keys()}
    return {**first, **second, **both}


def value_at(value: object, path: tuple[str, ...]) -> object | None:
    """Return the value at a path in a request or response, or None if there is none."""
    for step in path:
        if isinstance(value, list):
            value = value[0] if value else None
        else:
            value = value.get(step) if isinstance(value, Mapping) else None
    return value


def to_api(value: object, shape: Shape, path: str, names: Names) -> object:
    """Return the value of an input as the API takes it.

    A value that is not known stays UNKNOWN, and an archive is not translated. Raises
    InputRefusedError with the path of a value that has the wrong type or that AWS would refuse.
    """
    if value == UNKNOWN or is_archive(value):
        return value
    if shape.type_name == "structure":
        return _structure_to_api(_mapping(value, path, "block"), shape, path, names)
    if shape.type_name == "map":
        map_shape = cast("MapShape", shape)
        return {
            to_api(key, map_shape.key, f"{path}.{key}", names): to_api(
                item, map_shape.value, f"{path}.{key}", names
            )
            for key, item in _mapping(value, path, "mapping").items()
        }
    if shape.type_name == "list":
        value = _list_to_api(value, cast("ListShape", shape).member, path, names)
    elif shape.type_name == "string" and not isinstance(value, str):
        value = json.dumps(value)
    _check(shape, value, path)
    return value


def from_api(value: object, declared: object, shape: Shape, path: str, names: Names) -> object:
    """Return a value of a response in the form in which the program declares the input.

    A structure has only the members that are declared. A member that is not set is left out.
    """
    if shape.type_name == "structure" and isinstance(declared, Mapping):
        current = {
            name: current_value(
                value, _field(shape, f"{path}.{name}", names), item, f"{path}.{name}", names
            )
            for name, item in declared.items()
        }
        return {name: item for name, item in current.items() if item is not None}
    if shape.type_name == "list" and isinstance(value, list):
        return _list_from_api(value, declared, cast("ListShape", shape).member, path, names)
    if shape.type_name == "string" and not isinstance(value, str):
        return json.dumps(value)  # boto3 has already parsed some documents
    if shape.type_name == "string" and not isinstance(declared, str):
        return parse_document(value)
    return value


def current_value(
    response: object, field: Field, declared: object, path: str, names: Names
) -> object | None:
    """Return the value of an input in a response, or None if the input is not set.

    Services return an empty text, list or mapping for an input that is not set.
    """
    value = value_at(response, field.path)
    if value is None:
        return None
    current = from_api(value, declared, field.shape, path, names)
    return None if current in ("", [], {}) and current != declared else current


def parse_document(document: object) -> object:
    """Return the content of a JSON document, or the document itself if it is not JSON."""
    try:
        return json.loads(document) if isinstance(document, str) else document
    except ValueError:  # A service may accept text that is not JSON.
        return document


def _structure_to_api(
    inputs: Mapping[str, object], shape: Shape, path: str, names: Names
) -> object:
    request: object = {}
    for name, value in inputs.items():
        field = _field(shape, f"{path}.{name}", names)
        api_value = to_api(value, field.shape, f"{path}.{name}", names)
        request = merge(request, nest(field.path, api_value))
    return request


def _list_to_api(value: object, item_shape: Shape, path: str, names: Names) -> list[object]:
    """Return a list, or the pairs for a mapping such as tags."""
    if pair := _pair_names(item_shape):
        shapes = members(item_shape)
        return [
            {
                name: to_api(part, shapes[name], f"{path}.{key}", names)
                for name, part in zip(pair, (key, item), strict=True)
            }
            for key, item in _mapping(value, path, "mapping").items()
        ]
    if not isinstance(value, list):
        raise InputRefusedError(path, f"a list was expected, not {value!r}")
    return [to_api(item, item_shape, f"{path}[{index}]", names) for index, item in enumerate(value)]


def _list_from_api(
    values: list[object], declared: object, item_shape: Shape, path: str, names: Names
) -> object:
    if pair := _pair_names(item_shape):
        pairs = cast("list[dict[str, object]]", values)
        return {str(item[pair[0]]): item[pair[1]] for item in pairs}
    if item_shape.type_name != "structure":
        return values
    known = declared if isinstance(declared, list) else []
    return [
        from_api(value, known[index] if index < len(known) else {}, item_shape, path, names)
        for index, value in enumerate(values)
    ]


def _pair_names(shape: Shape) -> list[str] | None:
    """Return the names of the two parts of a pair, such as `Key` and `Value`, or None."""
    if shape.type_name != "structure":
        return None
    names = list(members(shape))
    is_pair = [name.casefold() for name in names] in (["key", "value"], ["name", "value"])
    return names if is_pair else None


def _field(parent: Shape, path: str, names: Names) -> Field:
    """Return the field of an input in a structure. Raises InputRefusedError if there is none."""
    key = re.sub(r"\[\d+\]", "", path)
    field = find_field(parent, path.rpartition(".")[2], names.get(key))
    if field is None:
        raise InputRefusedError(path, "unknown or not supported")
    return field


def _inner_shape(shape: Shape, step: str) -> Shape:
    if shape.type_name == "list":
        return cast("ListShape", shape).member
    return cast("MapShape", shape).value if shape.type_name == "map" else members(shape)[step]


def _mapping(value: object, path: str, noun: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise InputRefusedError(path, f"a {noun} was expected, not {value!r}")
    return value


def _check(shape: Shape, value: object, path: str) -> None:
    """Raise InputRefusedError for a value that is not allowed, too long, too short or too large."""
    allowed = cast("StringShape", shape).enum if shape.type_name == "string" else []
    if allowed and value not in allowed:
        raise InputRefusedError(path, f"{value!r} is not one of {', '.join(allowed)}")
    if isinstance(value, int) and shape.type_name in ("integer", "long"):
        size, unit = value, ""
    elif isinstance(value, str | list):
        size, unit = len(value), " characters" if isinstance(value, str) else " items"
    else:
        return
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if most is not None and size > most:
        raise InputRefusedError(path, f"{size}{unit} is more than AWS allows, {most}")
    if least is not None and size < least:
        raise InputRefusedError(path, f"{size}{unit} is less than AWS allows, {least}")
