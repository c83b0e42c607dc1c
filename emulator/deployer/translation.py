"""Translates between Pulumi's inputs and the AWS API. An unknown input is refused by name."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from emulator.deployer.errors import InputRefusedError
from emulator.deployer.wire import UNKNOWN


@dataclass(frozen=True)
class Convert:
    """How the value of an input is written into a request and read from an answer."""

    to_api: Callable[[object, str], object]
    """Gets the value and its path, for an error message. Returns the value for the request."""
    from_api: Callable[[object, object], object]
    """Gets the answer's value and the declared value. Returns the answer's value in Pulumi's form,
    or the declared value if both have one meaning."""


Shape: TypeAlias = Mapping[str, str | tuple[str, Convert]]
"""Pulumi's name of an input -> the API's name, and what else happens to the value."""

Request: TypeAlias = dict[str, object]
"""Values under the API's names."""


def translate(inputs: Mapping[str, object], shape: Shape, path: str = "") -> Request:
    """Rename `inputs` as `shape` says. Raises InputRefusedError if an input is not in the shape.

    A value that is not known stays UNKNOWN.
    """
    request: Request = {}
    for name, value in inputs.items():
        if name not in shape:
            raise InputRefusedError(path + name, "unknown or not supported")
        api_name, convert = _target(shape, name)
        request[api_name] = UNKNOWN if value == UNKNOWN else convert.to_api(value, path + name)
    return request


def actual(declared: Mapping[str, object], answer: Mapping[str, object], shape: Shape) -> Request:
    """Return the values that the declared inputs have in an answer of the API.

    An input that the answer does not have is left out.
    """
    found: Request = {}
    for name, value in declared.items():
        api_name, convert = _target(shape, name)
        if api_name in answer:
            found[name] = convert.from_api(answer[api_name], value)
    return found


def api_name(shape: Shape, name: str) -> str:
    """Return the API's name of an input."""
    return _target(shape, name)[0]


def is_document(shape: Shape, name: str) -> bool:
    """Return True if an input is a JSON document, in which spaces and order mean nothing."""
    return name in shape and _target(shape, name)[1] is DOCUMENT


def take(request: Request, *names: str) -> Request:
    """Move what `request` has of `names` into a request of its own."""
    return {name: request.pop(name) for name in names if name in request}


def _target(shape: Shape, name: str) -> tuple[str, Convert]:
    target = shape[name]
    return (target, SAME) if isinstance(target, str) else target


def block(shape: Shape) -> Convert:
    """Convert a nested block."""

    def to_api(value: object, path: str) -> object:
        if not isinstance(value, Mapping):
            raise InputRefusedError(path, f"a block was expected, not {value!r}")
        return translate(value, shape, f"{path}.")

    def from_api(found: object, declared: object) -> object:
        assert isinstance(found, Mapping), "the service answers with a block"
        assert isinstance(declared, Mapping), "the program declared a block"
        return actual(declared, found, shape)

    return Convert(to_api, from_api)


def pairs(key: str, value: str) -> Convert:
    """Convert a mapping, as of tags, into a list of pairs with these names."""

    def to_api(mapping: object, path: str) -> object:
        if not isinstance(mapping, Mapping):
            raise InputRefusedError(path, f"a mapping was expected, not {mapping!r}")
        return [{key: name, value: item} for name, item in mapping.items()]

    def from_api(found: object, _declared: object) -> object:
        assert isinstance(found, list), "the service answers with a list of pairs"
        return {pair[key]: pair[value] for pair in found}

    return Convert(to_api, from_api)


def _write(value: object, _path: str) -> object:
    return value if isinstance(value, str) else json.dumps(value)


def _read_document(found: object, declared: object) -> object:
    """Return the program's spelling of a document if the service's has the same meaning."""
    return declared if parsed(found) == parsed(declared) else _write(found, "")


def parsed(document: object) -> object:
    """Return the content of a JSON document. boto3 has parsed some documents already."""
    try:
        return json.loads(document) if isinstance(document, str) else document
    except ValueError:  # a service may accept text that is no JSON
        return document


def _read_text(found: object, declared: object) -> object:
    return found if isinstance(declared, str) else json.loads(str(found))


SAME = Convert(lambda value, _path: value, lambda found, _declared: found)
DOCUMENT = Convert(_write, _read_document)
"""A JSON document. Pulumi takes text or a mapping, the API takes text."""
TEXT = Convert(_write, _read_text)
"""A value that the API keeps as text, for example 30 or true."""
TAGS = pairs("Key", "Value")
