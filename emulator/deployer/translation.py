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
from emulator.deployer.wire import UNKNOWN, build_zip, is_archive
from emulator.protocol.service_models import list_members

if TYPE_CHECKING:
    from botocore.model import ListShape, MapShape, Shape

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
    """Find the field of a structure that an input sets, or None if it has no such field.

    Without a path, the field has the name of the input, in any case of its letters. In a map of
    attributes, the name begins with a capital letter.
    """
    if api_path is None:
        api_path = _find_member(parent, name)
    if api_path is None:
        return None

    shape = parent
    for step in _split_path(api_path):
        shape = _follow_step(shape, step)
    return Field(api_path, shape)


def _find_member(parent: Shape, name: str) -> str | None:
    """Find the member of a structure with the name of an input, in any case of its letters."""
    if parent.type_name == "map":
        return name[0].upper() + name[1:]
    for member in list_members(parent):
        if member.casefold() == name.casefold():
            return member
    return None


def nest(path: str, value: object) -> object:
    """Put a value into nested structures and lists, in which it is the only one."""
    for step in reversed(_split_path(path)):
        value = _nest_once(step, value)
    return value


def _nest_once(step: str, value: object) -> object:
    if step == "0":
        return [value]
    return {step: value}


def merge(first: object, second: object) -> object:
    """Merge two structures, or two lists of one structure each. They set no value twice."""
    if isinstance(first, list) and isinstance(second, list):
        return [merge(first[0], second[0])]

    merged = dict(cast("Request", first))
    for name, value in cast("Request", second).items():
        if name in merged:
            merged[name] = merge(merged[name], value)
        else:
            merged[name] = value
    return merged


def value_at(value: object, path: str) -> object | None:
    """Read the value at a path in a request or response, or None if there is none."""
    for step in _split_path(path):
        if isinstance(value, list) and value:
            value = value[0]
        elif isinstance(value, Mapping):
            value = value.get(step)
        else:
            return None
    return value


def to_api(value: object, shape: Shape, path: str, api_names: Names) -> object:
    """Translate the value of an input into what the API takes.

    A value that is not known stays UNKNOWN, and an archive becomes a zip file. Raises
    DeploymentError with the path of a value that has the wrong type or that AWS would refuse.
    """
    if value == UNKNOWN:
        return value
    if is_archive(value):
        return {"ZipFile": build_zip(value, path)}
    if shape.type_name == "structure":
        return _structure_to_api(_require_mapping(value, path, "block"), shape, path, api_names)
    if shape.type_name == "map":
        return _map_to_api(value, cast("MapShape", shape).value, path, api_names)

    if shape.type_name == "list":
        value = _list_to_api(value, cast("ListShape", shape).member, path, api_names)
    elif shape.type_name == "string" and not isinstance(value, str):
        value = json.dumps(value)
    _check(shape, value, path)
    return value


def _map_to_api(value: object, item_shape: Shape, path: str, api_names: Names) -> Request:
    items = _require_mapping(value, path, "mapping").items()
    return {key: to_api(item, item_shape, f"{path}.{key}", api_names) for key, item in items}


def _list_to_api(value: object, item_shape: Shape, path: str, api_names: Names) -> list[object]:
    """Translate the items of a list. A program writes tags, which are pairs, as a mapping."""
    pair_names = _find_pair_names(item_shape)
    if pair_names is not None:
        key_name, value_name = pair_names
        tags = _require_mapping(value, path, "mapping")
        value = [{key_name: key, value_name: tag} for key, tag in tags.items()]

    if not isinstance(value, list):
        raise DeploymentError(f"{path}: a list was expected, not {value!r}")
    return [
        to_api(item, item_shape, f"{path}[{index}]", api_names) for index, item in enumerate(value)
    ]


def from_api(current: object, wanted: object, shape: Shape, path: str, api_names: Names) -> object:
    """Translate a value of a response back, so that it can be compared with the wanted value."""
    if isinstance(wanted, str):
        return current
    if isinstance(wanted, Mapping) and shape.type_name == "list":  # for example tags
        return tags_from_api(current, shape)
    if isinstance(wanted, Mapping) and shape.type_name == "structure":
        return _structure_from_api(current, wanted, shape, path, api_names)

    # Attributes, for example those of SQS, are texts even if they are numbers.
    return parse_document(current)


def _structure_from_api(
    current: object, wanted: Mapping[str, object], shape: Shape, path: str, api_names: Names
) -> Request:
    """Translate only the members that the wanted structure has, because services add members."""
    structure = {}
    for name, wanted_value in wanted.items():
        field_path = f"{path}.{name}"
        field = _find_known_field(shape, field_path, api_names)
        value = value_at(current, field.path)
        if value is not None:
            structure[name] = from_api(value, wanted_value, field.shape, field_path, api_names)
    return structure


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
    """Turn tags into a mapping. Some services return a list of pairs, or nothing."""
    if not isinstance(tags, list):
        return cast("Request", tags or {})
    key_name, value_name = _find_pair_names(cast("ListShape", shape).member) or []
    return {tag[key_name]: tag[value_name] for tag in tags}


def parse_document(document: object) -> object:
    """Parse a JSON document. Return anything else as it is."""
    if not isinstance(document, str):
        return document
    try:
        return json.loads(document)
    except ValueError:  # A service may accept text that is not JSON.
        return document


def _structure_to_api(
    inputs: Mapping[str, object], shape: Shape, path: str, api_names: Names
) -> object:
    """Translate a block of inputs. Several inputs may be parts of one member in the API."""
    request: object = {}
    for name, value in inputs.items():
        field_path = f"{path}.{name}"
        field = _find_known_field(shape, field_path, api_names)
        api_value = to_api(value, field.shape, field_path, api_names)
        request = merge(request, nest(field.path, api_value))
    return request


def _split_path(path: str) -> list[str]:
    """Split a path into its steps. An empty path has none."""
    if not path:
        return []
    return path.split(".")


def _find_pair_names(shape: Shape) -> list[str] | None:
    """Find the names of the two members of a pair, such as `Key` and `Value`.

    Return None if the structure is not a pair.
    """
    if shape.type_name != "structure":
        return None

    names = list(list_members(shape))
    if [name.casefold() for name in names] in (["key", "value"], ["name", "value"]):
        return names
    return None


def _find_known_field(parent: Shape, path: str, api_names: Names) -> Field:
    """Find the field of an input in a structure. Raises DeploymentError if there is none."""
    path_without_indexes = re.sub(r"\[\d+\]", "", path)
    input_name = path.rpartition(".")[2]
    field = find_field(parent, input_name, api_names.get(path_without_indexes))
    if field is None:
        raise DeploymentError(f"{path}: unknown or not supported")
    return field


def _follow_step(shape: Shape, step: str) -> Shape:
    """Follow one step of a path from a shape to the shape inside it."""
    if shape.type_name == "list":
        return cast("ListShape", shape).member
    if shape.type_name == "map":
        return cast("MapShape", shape).value
    return list_members(shape)[step]


def _require_mapping(value: object, path: str, noun: str) -> Mapping[str, object]:
    """Reject a value that should be a mapping and is none."""
    if not isinstance(value, Mapping):
        raise DeploymentError(f"{path}: a {noun} was expected, not {value!r}")
    return value


def _check(shape: Shape, value: object, path: str) -> None:
    """Raise DeploymentError for a value that is not allowed, too long, too short or too large."""
    allowed_values = getattr(shape, "enum", ())
    if allowed_values and value not in allowed_values:
        raise DeploymentError(f"{path}: {value!r} is not one of {', '.join(allowed_values)}")

    if isinstance(value, str):
        _check_size(shape, len(value), " characters", path)
    elif isinstance(value, list):
        _check_size(shape, len(value), " items", path)
    elif isinstance(value, int) and shape.type_name in ("integer", "long"):
        _check_size(shape, value, "", path)


def _check_size(shape: Shape, size: int, unit: str, path: str) -> None:
    """Raise DeploymentError for a size outside the limits of the model."""
    maximum = shape.metadata.get("max")
    if maximum is not None and size > maximum:
        raise DeploymentError(f"{path}: {size}{unit} is more than AWS allows, {maximum}")

    minimum = shape.metadata.get("min")
    if minimum is not None and size < minimum:
        raise DeploymentError(f"{path}: {size}{unit} is less than AWS allows, {minimum}")
