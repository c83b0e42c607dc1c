"""Translates Pulumi's inputs into requests of the AWS API, and responses into inputs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from emulator.deployer.errors import InputRefusedError
from emulator.deployer.wire import UNKNOWN


@dataclass(frozen=True)
class Converter:
    """Two functions: one converts the value of an input for a request, one converts it back."""

    to_api: Callable[[object, str], object]
    """Takes the value of the input, and its path for an error message. Returns the value for the
    request. Raises InputRefusedError for a value of the wrong type."""
    from_api: Callable[[object, object], object]
    """Takes the value in a response, and the declared value of the input. Returns the value in
    Pulumi's form, or the declared value if both mean the same."""


InputTable: TypeAlias = Mapping[str, str | tuple[str, Converter]]
"""Pulumi's name of an input -> the API's name, or the API's name and the converter."""

Request: TypeAlias = dict[str, object]
"""Values under the API's names."""


def translate(inputs: Mapping[str, object], table: InputTable, path: str = "") -> Request:
    """Return inputs as a request: under the API's names, and with their values converted.

    A value that is not known stays UNKNOWN. Raises InputRefusedError for an input that the table
    does not have. The path in the error begins with `path`.
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
    """Return True if an input is a JSON document. Two documents may differ only in their spaces."""
    return name in table and _entry(table, name).converter is DOCUMENT


def pick_values(request: Request, *names: str) -> Request:
    """Return the part of a request that has these names. A name may be missing in the request."""
    return {name: request[name] for name in names if name in request}


def omit_values(request: Request, *names: str) -> Request:
    """Return the part of a request that does not have these names."""
    return {name: value for name, value in request.items() if name not in names}


class _Entry(NamedTuple):
    """An entry of an input table, always with a converter."""

    api_name: str
    converter: Converter


def _entry(table: InputTable, name: str) -> _Entry:
    value = table[name]
    return _Entry(value, UNCHANGED) if isinstance(value, str) else _Entry(*value)


def block(table: InputTable) -> Converter:
    """Return the converter of an input that is itself a mapping of inputs, such as `target`.

    `table` has the inputs of the mapping.
    """

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
    """Return the converter of a mapping, such as tags, that is a list of pairs in the API.

    `key` and `value` are the names of the two fields of a pair, for example `Key` and `Value`.
    """

    def to_api(mapping: object, path: str) -> object:
        if not isinstance(mapping, Mapping):
            raise InputRefusedError(path, f"a mapping was expected, not {mapping!r}")
        return [{key: item_key, value: item_value} for item_key, item_value in mapping.items()]

    def from_api(items: object, _declared: object) -> object:
        assert isinstance(items, list), "the service returns a list of pairs"
        return {pair[key]: pair[value] for pair in items}

    return Converter(to_api, from_api)


def parse_document(document: object) -> object:
    """Return the content of a JSON document. boto3 has already parsed some documents.

    A text that is not JSON is returned unchanged.
    """
    try:
        return json.loads(document) if isinstance(document, str) else document
    except ValueError:  # A service may accept text that is not JSON.
        return document


def _to_text(value: object, _path: str = "") -> object:
    """Return a value as text. A value that is not text becomes JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def _from_document(document: object, declared: object) -> object:
    """Return the declared document if the service's document means the same."""
    is_same = parse_document(document) == parse_document(declared)
    return declared if is_same else _to_text(document)


def _from_text(text: object, declared: object) -> object:
    """Return the number or boolean in a text, or the text itself if the program declares text."""
    return text if isinstance(declared, str) else json.loads(str(text))


UNCHANGED = Converter(lambda value, _path: value, lambda value, _declared: value)
"""A value that is equal in Pulumi and in the API."""
DOCUMENT = Converter(_to_text, _from_document)
"""A JSON document. Pulumi takes text or a mapping, and the API takes text."""
TEXT = Converter(_to_text, _from_text)
"""A number or a boolean that is text in the API."""
TAGS = pairs("Key", "Value")
"""Tags, under the names that most services give to the two parts of a tag."""
