"""Translates Pulumi's inputs into requests of the AWS API, and compares them with responses.

Names and types come from botocore's models. The model of a value also says which values AWS
refuses: botocore itself checks no allowed values, lengths and ranges. Patterns are not checked,
because they are written for the regular expressions of another language.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, cast

from emulator.deployer.errors import DeploymentError
from emulator.deployer.models import members
from emulator.deployer.wire import UNKNOWN, is_archive, zip_file

if TYPE_CHECKING:
    from botocore.model import ListShape, MapShape, Shape, StringShape

Request: TypeAlias = dict[str, object]
"""Values under the API's names."""
Names: TypeAlias = Mapping[str, str]
"""Path of an input, for example `target.input` -> path in the API below the parent's path."""


class Field(NamedTuple):
    """The place of an input in the API."""

    path: str
    """Names of members, with dots between them. `0` stands for the only item of a list."""
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
    shape = parent
    for step in _steps(api_path):
        shape = _inner_shape(shape, step)
    return Field(api_path, shape)


def nest(path: str, value: object) -> object:
    """Return a value as the only one in nested structures and lists."""
    for step in reversed(_steps(path)):
        value = [value] if step == "0" else {step: value}
    return value


def merge(first: object, second: object) -> object:
    """Return two structures, or two lists of one structure each, as one."""
    if isinstance(first, list) and isinstance(second, list):
        return [merge(first[0], second[0])]
    first, second = cast("Request", first), cast("Request", second)
    both = {name: merge(first[name], second[name]) for name in first.keys() & second.keys()}
    return {**first, **second, **both}


def value_at(value: object, path: str) -> object | None:
    """Return the value at a path in a request or response, or None if there is none."""
    for step in _steps(path):
        if isinstance(value, list):
            value = value[0] if value else None
        else:
            value = value.get(step) if isinstance(value, Mapping) else None
    return value


def to_api(value: object, shape: Shape, path: str, names: Names) -> object:
    """Return the value of an input as the API takes it.

    A value that is not known stays UNKNOWN, and an archive becomes a zip file. Raises
    DeploymentError with the path of a value that has the wrong type or that AWS would refuse.
    """
    if value == UNKNOWN:
        return value
    if is_archive(value):
        return {"ZipFile": zip_file(value, path)}
    if shape.type_name == "structure":
        return _structure_to_api(_mapping(value, path, "block"), shape, path, names)
    if shape.type_name == "map":
        item_shape = cast("MapShape", shape).value
        items = _mapping(value, path, "mapping").items()
        return {key: to_api(item, item_shape, f"{path}.{key}", names) for key, item in items}
    if shape.type_name == "list":
        item_shape = cast("ListShape", shape).member
        if pair := _pair_names(item_shape):  # for example tags
            name, content = pair
            tags = _mapping(value, path, "mapping")
            value = [{name: key, content: item} for key, item in tags.items()]
        if not isinstance(value, list):
            raise DeploymentError(f"{path}: a list was expected, not {value!r}")
        value = [
            to_api(item, item_shape, f"{path}[{index}]", names) for index, item in enumerate(value)
        ]
    elif shape.type_name == "string" and not isinstance(value, str):
        value = json.dumps(value)
    _check(shape, value, path)
    return value


def from_api(current: object, wanted: object, shape: Shape, path: str, names: Names) -> object:
    """Return a value of a response under Pulumi's names, so that it can be compared with `wanted`.

    A structure gets only the members that the wanted one has, because services add members.
    """
    if isinstance(wanted, Mapping) and shape.type_name == "list":  # for example tags
        return tags_from_api(current, shape)
    if isinstance(wanted, Mapping) and shape.type_name == "structure":
        found = {}
        for name, value in wanted.items():
            field = _field(shape, f"{path}.{name}", names)
            inner = value_at(current, field.path)
            if inner is not None:
                found[name] = from_api(inner, value, field.shape, f"{path}.{name}", names)
        return found
    # Attributes, for example those of SQS, are texts even if they are numbers.
    return current if isinstance(wanted, str) else parse_document(current)


def contains(current: object, wanted: object) -> bool:
    """Return True if a value of a response has every value that a request sets.

    A service may add members to a structure, and write a document in another way.
    """
    if isinstance(current, Mapping) and isinstance(wanted, Mapping):
        return all(contains(current.get(name), value) for name, value in wanted.items())
    if isinstance(current, list) and isinstance(wanted, list):
        return len(current) == len(wanted) and all(map(contains, current, wanted))
    return parse_document(current) == parse_document(wanted)


def tags_from_api(tags: object, shape: Shape) -> Request:
    """Return tags as a mapping. Some services return a list of pairs, or nothing."""
    if not isinstance(tags, list):
        return cast("Request", tags or {})
    key, value = _pair_names(cast("ListShape", shape).member) or []
    return {tag[key]: tag[value] for tag in tags}


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


def _steps(path: str) -> list[str]:
    return path.split(".") if path else []


def _pair_names(shape: Shape) -> list[str] | None:
    """Return the names of the two parts of a pair, such as `Key` and `Value`, or None."""
    if shape.type_name != "structure":
        return None
    names = list(members(shape))
    is_pair = [name.casefold() for name in names] in (["key", "value"], ["name", "value"])
    return names if is_pair else None


def _field(parent: Shape, path: str, names: Names) -> Field:
    """Return the field of an input in a structure. Raises DeploymentError if there is none."""
    key = re.sub(r"\[\d+\]", "", path)
    field = find_field(parent, path.rpartition(".")[2], names.get(key))
    if field is None:
        raise DeploymentError(f"{path}: unknown or not supported")
    return field


def _inner_shape(shape: Shape, step: str) -> Shape:
    if shape.type_name == "list":
        return cast("ListShape", shape).member
    return cast("MapShape", shape).value if shape.type_name == "map" else members(shape)[step]


def _mapping(value: object, path: str, noun: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise DeploymentError(f"{path}: a {noun} was expected, not {value!r}")
    return value


def _check(shape: Shape, value: object, path: str) -> None:
    """Raise DeploymentError for a value that is not allowed, too long, too short or too large."""
    allowed = cast("StringShape", shape).enum if shape.type_name == "string" else []
    if allowed and value not in allowed:
        raise DeploymentError(f"{path}: {value!r} is not one of {', '.join(allowed)}")
    if isinstance(value, int) and shape.type_name in ("integer", "long"):
        size, unit = value, ""
    elif isinstance(value, str | list):
        size, unit = len(value), " characters" if isinstance(value, str) else " items"
    else:
        return
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if most is not None and size > most:
        raise DeploymentError(f"{path}: {size}{unit} is more than AWS allows, {most}")
    if least is not None and size < least:
        raise DeploymentError(f"{path}: {size}{unit} is less than AWS allows, {least}")
