"""Translates between Pulumi's inputs and the AWS API. An input without an API name is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from emulator.deployer.errors import InputRefusedError
from emulator.deployer.wire import UNKNOWN


@dataclass(frozen=True)
class Converter:
    """A pair of functions that write an input into a request and read it from a response."""

    to_api: Callable[[object, str], object]
    """Returns the value for the request. The second argument is the path for an error message."""
    from_api: Callable[[object, object], object]
    """Returns the value in a response in Pulumi's form. The second argument is the declared value,
    which is returned if both mean the same."""


InputTable: TypeAlias = Mapping[str, str | tuple[str, Converter]]
"""Pulumi's name of an input -> the API's name, or the API's name and the converter."""

Request: TypeAlias = dict[str, object]
"""Values under the API's names."""


def translate(inputs: Mapping[str, object], table: InputTable, path: str = "") -> Request:
    """Return the inputs under the API's names, with their values converted.

    Raises InputRefusedError for an input that is not in the table. A value that is not known stays
    UNKNOWN.
    """
    request: Request = {}
    for name, value in inputs.items():
        if name not in table:
            raise InputRefusedError(path + name, "unknown or not supported")
        entry = _entry(table, name)
        is_known = value != UNKNOWN
        request[entry.api_name] = entry.converter.to_api(value, path + name) if is_known else value
    return request


def current_inputs(
    declared: Mapping[str, object], response: Mapping[str, object], table: InputTable
) -> dict[str, object]:
    """Return the declared inputs with the values that they have in a response of the API.

    An input that the response does not have is left out.
    """
    values = {}
    for name, declared_value in declared.items():
        entry = _entry(table, name)
        if entry.api_name in response:
            value = response[entry.api_name]
            values[name] = entry.converter.from_api(value, declared_value)
    return values


def api_name(table: InputTable, name: str) -> str:
    """Return the API's name of an input."""
    return _entry(table, name).api_name


def is_document(table: InputTable, name: str) -> bool:
    """Return True if an input is a JSON document, in which spaces and order mean nothing."""
    return name in table and _entry(table, name).converter is DOCUMENT


def pop_values(request: Request, *names: str) -> Request:
    """Remove the named values from a request. Return those that it had."""
    return {name: request.pop(name) for name in names if name in request}


class _Entry(NamedTuple):
    """The value of an input table."""

    api_name: str
    converter: Converter


def _entry(table: InputTable, name: str) -> _Entry:
    value = table[name]
    return _Entry(value, UNCHANGED) if isinstance(value, str) else _Entry(*value)


def block(table: InputTable) -> Converter:
    """Return the converter of a nested block with these inputs."""

    def to_api(value: object, path: str) -> object:
        if not isinstance(value, Mapping):
            raise InputRefusedError(path, f"a block was expected, not {value!r}")
        return translate(value, table, f"{path}.")

    def from_api(value: object, declared: object) -> object:
        assert isinstance(value, Mapping), "the service returns a block"
        assert isinstance(declared, Mapping), "the program declared a block"
        return current_inputs(declared, value, table)

    return Converter(to_api, from_api)


def pairs(key: str, value: str) -> Converter:
    """Return the converter of a mapping, such as tags, that the API takes as a list of pairs.

    `key` and `value` are the names of the fields of a pair.
    """

    def to_api(mapping: object, path: str) -> object:
        if not isinstance(mapping, Mapping):
            raise InputRefusedError(path, f"a mapping was expected, not {mapping!r}")
        return [{key: name, value: item} for name, item in mapping.items()]

    def from_api(items: object, _declared: object) -> object:
        assert isinstance(items, list), "the service returns a list of pairs"
        return {pair[key]: pair[value] for pair in items}

    return Converter(to_api, from_api)


def parsed(document: object) -> object:
    """Return the content of a JSON document. boto3 has already parsed some documents."""
    try:
        return json.loads(document) if isinstance(document, str) else document
    except ValueError:  # A service may accept text that is not JSON.
        return document


def _to_text(value: object, _path: str = "") -> object:
    return value if isinstance(value, str) else json.dumps(value)


def _from_document(document: object, declared: object) -> object:
    """Return the declared document if the service's document means the same."""
    return declared if parsed(document) == parsed(declared) else _to_text(document)


def _from_text(text: object, declared: object) -> object:
    return text if isinstance(declared, str) else json.loads(str(text))


UNCHANGED = Converter(lambda value, _path: value, lambda value, _declared: value)
DOCUMENT = Converter(_to_text, _from_document)
"""A JSON document. Pulumi takes text or a mapping, the API takes text."""
TEXT = Converter(_to_text, _from_text)
"""A value that the API keeps as text, for example 30 or true."""
TAGS = pairs("Key", "Value")
