"""Translates a program's inputs into API requests, and responses back into inputs.

Names and types come from botocore's models.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from botocore.model import ListShape, MapShape, Shape, StructureShape

from emulator.deployer.errors import DeploymentError
from emulator.deployer.wire import Properties, is_archive, read_zip
from emulator.protocol.service_models import list_members

ApiValue = Any
"""A value in a request or a response."""
ApiStructure = dict[str, Any]
"""A request, or a structure inside one, with the field names of the AWS API."""
ApiPaths = Mapping[str, str]
"""Input path -> API path. An input path is complete, for example `target.input`, but an API path is
relative to the enclosing block."""


class ApiField(NamedTuple):
    """The field in the API that corresponds to an input."""

    path: str
    """The field names on the way to the field, separated by dots. The step `0` stands for the only
    item of a list."""
    shape: Shape
    """The field's type in botocore's model."""


# From Pulumi to the API


def find_field(parent: Shape | None, name: str, api_path: str | None = None) -> ApiField | None:
    """Find the field that corresponds to an input, or return None if there's no such field.

    Without `api_path`, look for a field that has the same name as the input, ignoring case.
    """
    if api_path is None:
        names = [member for member in list_members(parent) if member.casefold() == name.casefold()]
        api_path = "".join(names)
    if not api_path:
        return None

    shape = cast("Shape", parent)
    for step in _split_path(api_path):
        shape = _follow_step(shape, step)
    return ApiField(api_path, shape)


def nest(api_path: str, value: ApiValue) -> ApiValue:
    """Wrap a value in structures and lists: for `a.0.b`, 1 becomes `{"a": [{"b": 1}]}`."""
    for step in reversed(_split_path(api_path)):
        value = [value] if step == "0" else {step: value}
    return value


def merge(first: ApiValue, second: ApiValue) -> ApiValue:
    """Merge two nested structures that don't have values at the same path.

    Two lists have exactly one item each, and these items are merged.
    """
    if isinstance(first, list) and isinstance(second, list):
        return [merge(first[0], second[0])]

    merged = dict(first)
    for name, value in second.items():
        if name in merged:
            merged[name] = merge(merged[name], value)
        else:
            merged[name] = value
    return merged


def to_api(value: object, shape: Shape, input_path: str, api_paths: ApiPaths) -> ApiValue:
    """Translate an input's value into the form that the API expects.

    An archive becomes a zip file. What doesn't fit the shape stays as it is, either because it's
    UNKNOWN, or because it's invalid, which `Check` finds.

    Raises:
        DeploymentError: a block contains an unknown input, or an archive isn't supported. The
            message starts with the path of that input.
    """
    if is_archive(value):
        return {"ZipFile": read_zip(value, input_path)}
    if isinstance(shape, ListShape):
        return _list_to_api(value, shape.member, input_path, api_paths)

    if isinstance(value, Mapping) and isinstance(shape, StructureShape):
        return _structure_to_api(value, shape, input_path, api_paths)
    if isinstance(value, Mapping) and isinstance(shape, MapShape):
        return {
            key: to_api(item, shape.value, input_path, api_paths) for key, item in value.items()
        }

    if shape.type_name == "string" and not isinstance(value, str):
        return json.dumps(value)
    return value


def _structure_to_api(
    block: Mapping[str, object], shape: Shape, block_path: str, api_paths: ApiPaths
) -> ApiStructure:
    """Translate a block of inputs. Several inputs may end up in the same nested structure."""
    structure: ApiStructure = {}
    for name, value in block.items():
        input_path = f"{block_path}.{name}"
        field = _require_field(shape, input_path, api_paths)
        api_value = to_api(value, field.shape, input_path, api_paths)
        structure = merge(structure, nest(field.path, api_value))
    return structure


def _list_to_api(
    value: object, item_shape: Shape, input_path: str, api_paths: ApiPaths
) -> ApiValue:
    """Translate the items of a list.

    If the API expects a list of key-value pairs, for example tags, the input is a mapping.
    """
    pair_names = _find_pair_names(item_shape)
    if pair_names and isinstance(value, Mapping):
        key_name, value_name = pair_names
        value = [{key_name: key, value_name: item} for key, item in value.items()]

    if not isinstance(value, list):
        return value
    return [to_api(item, item_shape, input_path, api_paths) for item in value]


# From the API to Pulumi


def find_value(value: ApiValue, api_path: str) -> ApiValue:
    """Return the value at an API path in a request or response, or None if it isn't set."""
    for step in _split_path(api_path):
        if isinstance(value, list) and value:
            value = value[0]
        elif isinstance(value, Mapping):
            value = value.get(step)
        else:
            return None

    return value


def from_api(
    current: object, declared: object, shape: Shape, input_path: str, api_paths: ApiPaths
) -> object:
    """Translate a value from a response back into the form in which the input is declared."""
    if isinstance(declared, str):
        return current
    if isinstance(declared, Mapping) and shape.type_name == "list":  # for example tags
        return tags_from_api(current, shape)
    if isinstance(declared, Mapping) and shape.type_name == "structure":
        return _structure_from_api(current, declared, shape, input_path, api_paths)

    # In attributes, for example those of SQS, even numbers are strings.
    return parse_document(current)


def _structure_from_api(
    current: object,
    declared: Mapping[str, object],
    shape: Shape,
    block_path: str,
    api_paths: ApiPaths,
) -> Properties:
    """Translate a structure from a response, but only those fields that the program declares.

    Services add other fields to their responses.
    """
    block = {}
    for name, declared_value in declared.items():
        input_path = f"{block_path}.{name}"
        field = _require_field(shape, input_path, api_paths)
        value = find_value(current, field.path)

        # A field that's no longer set is left out, so that a refresh notices the change.
        if value is not None:
            block[name] = from_api(value, declared_value, field.shape, input_path, api_paths)
    return block


def tags_from_api(tags: ApiValue, shape: Shape) -> Properties:
    """Turn the tags in a response into a mapping, which is a list of pairs in some services."""
    if not isinstance(shape, ListShape):
        return tags or {}

    key_name, value_name = _find_pair_names(shape.member)
    return {tag[key_name]: tag[value_name] for tag in tags or []}


def satisfies(current: object, requested: object) -> bool:
    """Return whether a value from a response contains everything that a request would set.

    The response may have additional fields in structures, and another format of JSON documents.
    """
    if isinstance(current, Mapping) and isinstance(requested, Mapping):
        return all(satisfies(current.get(name), value) for name, value in requested.items())
    if isinstance(current, list) and isinstance(requested, list):
        return len(current) == len(requested) and all(map(satisfies, current, requested))
    return parse_document(current) == parse_document(requested)


def parse_document(document: object) -> object:
    """Parse a JSON document. Return a string that isn't JSON, or any other value, unchanged."""
    if not isinstance(document, str):
        return document
    try:
        return json.loads(document)
    except ValueError:  # Some inputs are strings that aren't JSON.
        return document


# The fields of a model


def _split_path(api_path: str) -> list[str]:
    """Split an API path into its steps. An empty path has no steps."""
    if not api_path:
        return []
    return api_path.split(".")


def _follow_step(shape: Shape, step: str) -> Shape:
    """Return the shape that one step of an API path leads to."""
    if isinstance(shape, ListShape):
        return shape.member
    if isinstance(shape, MapShape):
        return shape.value
    return list_members(shape)[step]


def _find_pair_names(shape: Shape) -> list[str]:
    """Return the two field names of a key-value pair, for example `Key` and `Value`.

    If the shape isn't a key-value pair, return an empty list.
    """
    names = list(list_members(shape))
    if [name.casefold() for name in names] in (["key", "value"], ["name", "value"]):
        return names
    return []


def _require_field(parent: Shape, input_path: str, api_paths: ApiPaths) -> ApiField:
    """Find the field for an input in a block. Raise DeploymentError if there's no such field."""
    input_name = input_path.rpartition(".")[2]
    field = find_field(parent, input_name, api_paths.get(input_path))
    if field is None:
        raise DeploymentError(f"{input_path}: unknown or not supported")
    return field
