"""From Pulumi's inputs to a request of the AWS API: every input is renamed, or refused by name."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TypeAlias

from emulator.deployer.errors import InputRefusedError

Convert: TypeAlias = Callable[[object, str], object]
"""Turns the input's value into the request's; gets the input's path to name in an error."""

Shape: TypeAlias = Mapping[str, str | tuple[str, Convert]]
"""Pulumi's name of an input -> the API's name, and what else happens to the value."""

Request: TypeAlias = dict[str, object]


def translate(inputs: Mapping[str, object], shape: Shape, path: str = "") -> Request:
    """Rename `inputs` as `shape` says. Raises InputRefusedError for one that it does not list."""
    request: Request = {}
    for name, value in inputs.items():
        if name not in shape:
            raise InputRefusedError(path + name, "unknown or not supported")
        target = shape[name]
        api_name, convert = (target, _same) if isinstance(target, str) else target
        request[api_name] = convert(value, path + name)
    return request


def take(request: Request, *names: str) -> Request:
    """Move what `request` has of `names` into a request of its own."""
    return {name: request.pop(name) for name in names if name in request}


def _same(value: object, _path: str) -> object:
    return value


def block(shape: Shape) -> Convert:
    """Convert a nested block."""

    def convert(value: object, path: str) -> object:
        if not isinstance(value, Mapping):
            raise InputRefusedError(path, f"a block was expected, not {value!r}")
        return translate(value, shape, f"{path}.")

    return convert


def blocks(shape: Shape) -> Convert:
    """Convert a list of nested blocks."""

    def convert(value: object, path: str) -> object:
        if not isinstance(value, list):
            raise InputRefusedError(path, f"a list was expected, not {value!r}")
        one = block(shape)
        return [one(item, f"{path}[{index}]") for index, item in enumerate(value)]

    return convert


def document(value: object, _path: str) -> object:
    """Convert a JSON document: Pulumi takes text or a mapping, the API text."""
    return value if isinstance(value, str) else json.dumps(value)


def text(value: object, _path: str) -> object:
    """Convert to the text that an attribute map wants: true, 30, name."""
    return value if isinstance(value, str) else json.dumps(value)


def pairs(key: str, value: str) -> Convert:
    """Convert a mapping, as of tags, into a list of pairs with these names."""

    def convert(mapping: object, path: str) -> object:
        if not isinstance(mapping, Mapping):
            raise InputRefusedError(path, f"a mapping was expected, not {mapping!r}")
        return [{key: name, value: item} for name, item in mapping.items()]

    return convert


TAGS = pairs("Key", "Value")
