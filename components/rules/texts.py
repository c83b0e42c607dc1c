"""Finds invisible characters in the texts of the settings, and says where they are."""

import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, NamedTuple

from ..args import camel_case
from .values import Problem

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Zl", "Zp", "Zs"})
"""The Unicode categories of control characters, characters of no width, separators and spaces."""
CONTROL_NAMES = {"\n": "line break", "\r": "carriage return", "\t": "tab"}
"""The names of control characters, for which Unicode has no names."""
SHOWN_CHARACTERS = 20
"""The most characters that a message quotes from the text before a character."""

_IDS = ("user_id", "item_id", "input_list")
"""The fields with ids from the user's data. An id may contain any character except line breaks,
because a record of the data is one line."""
_TAGS = "tags"


class _Text(NamedTuple):
    """A text of the settings."""

    key: str
    text: str
    field: str
    """The name of the field that contains the text, for example `tags`."""


def problems(args: "DataclassInstance") -> Iterator[Problem]:
    """Yield a problem for each text with an invisible character.

    Values that are no text, for example outputs, are not checked.
    """
    for key, text, field in _texts("", args, ""):
        is_hidden = _is_line_break if field in _IDS else _is_hidden
        error = _hidden_character_error(text, is_hidden)
        if not error and field not in (*_IDS, _TAGS):
            error = _outer_space_error(text)
        if error:
            yield Problem(key, error, text)


def _is_line_break(character: str) -> bool:
    return character in "\n\r"


def _is_hidden(character: str) -> bool:
    """Return True for an invisible character, except the ordinary space."""
    return character != " " and unicodedata.category(character) in HIDDEN_CATEGORIES


def _hidden_character_error(text: str, is_hidden: Callable[[str], bool]) -> str | None:
    """Return an error message about the first hidden character of a text, or None without one."""
    for index, character in enumerate(text):
        if not is_hidden(character):
            continue
        name = CONTROL_NAMES.get(character, unicodedata.name(character, "control character"))
        before = text[max(0, index - SHOWN_CHARACTERS) : index]
        place = f"after {before!r}" if before else "at the beginning"
        is_space = unicodedata.category(character) == "Zs"
        instead = "write an ordinary space or nothing" if is_space else "delete it"
        return f"contains U+{ord(character):04X} ({name.lower()}) {place}; {instead}"
    return None


def _outer_space_error(text: str) -> str | None:
    """Return an error message if the text begins or ends with a space, else None."""
    if text.startswith(" "):
        return "begins with a space; delete it"
    return "ends with a space; delete it" if text.endswith(" ") else None


def _texts(key: str, value: object, field: str) -> Iterator[_Text]:
    """Yield every text in a value, including keys of mappings. `key` is the key of the value."""
    if isinstance(value, str):
        yield _Text(key, value, field)
    elif is_dataclass(value) and not isinstance(value, type):
        prefix = f"{key}." if key else ""
        for inner in fields(value):
            inner_key = f"{prefix}{camel_case(inner.name)}"
            yield from _texts(inner_key, getattr(value, inner.name), inner.name)
    elif isinstance(value, Mapping):
        for name, element in value.items():
            yield _Text(f"{key}.{name}", name, field)
            yield from _texts(f"{key}.{name}", element, field)
    elif isinstance(value, list | tuple):
        for index, element in enumerate(value):
            yield from _texts(f"{key}[{index}]", element, field)
