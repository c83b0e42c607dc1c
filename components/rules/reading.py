"""Reads a config, or the arguments of a program, as the dataclasses of `args.py`.

One walk along the types finds everything that the types can tell: unknown keys, wrong types,
outputs where a plain value is needed, and invisible characters. It also applies the rule that a
type declares for its field. Whatever cannot be read is left out, so that the rules in `pipeline.py`
can check the rest and all problems are reported at once.
"""

import re
import unicodedata
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from difflib import get_close_matches
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import pulumi

from ..args import camel_case, config_keys, config_paths
from .arns import ArnSetting, Kind, parse_arn
from .fields import Problem, without_rules

IS_OUTPUT = (
    "is an Output; give a plain value, because the program needs it before it creates resources"
)
IN_QUOTES = (
    "write it in quotes, because YAML reads 012 as 10 and 0x10 as 16, or set it with pulumi config "
    "set --path --type string -s <stack>"
)
EXACT_NUMBERS = range(-(2**63), 2**63)
"""The whole numbers that the Pulumi CLI does not round (seen with 3.274.1)."""
DESCRIPTIONS: Mapping[type, str] = {
    type(None): "empty",
    bool: "is a boolean",
    int: "is a number",
    float: "is a number",
    str: "is text",
    list: "a list",
    dict: "a mapping",
}
"""Type of a value to the beginning of the message about it. `is` stands behind the value."""
HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Zl", "Zp", "Zs"})
"""The Unicode categories of control characters, characters of no width, separators and spaces."""
LINE_BREAKS = "\n\r"
SHOWN_CHARACTERS = 20
"""The most characters that a message quotes from the text before a character."""
IDS = ("userId", "itemId", "inputList")
"""The keys with ids from the user's data. An id may contain any character except line breaks,
because a record of the data is one line."""
EMPTY_VALUES: Mapping[object, object] = {Sequence: (), Mapping: {}, bool: False, int: 0, float: 0}
"""Type -> its empty value. The empty value of any other type is an empty text."""
UNREAD: Any = object()
"""Stands for a value that cannot be read."""


def _boolean(value: object) -> bool | None:
    """Return the boolean, or None. `pulumi config set` stores it as text."""
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value)
    return value if isinstance(value, bool) else None


def _number(value: object) -> float | None:
    """Return the number, or None. `pulumi config set` stores it as text."""
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,9}(\.[0-9]{1,9})?", value):
        return float(value) if "." in value else int(value)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _whole_number(value: object) -> int | None:
    """Return the whole number, or None."""
    number = _number(value)
    return number if isinstance(number, int) else None


SCALARS: Mapping[object, tuple[Callable[[object], object], str]] = {
    bool: (_boolean, "true or false"),
    int: (_whole_number, "a whole number"),
    float: (_number, "a number"),
}
"""Type -> what reads a value as this type, and what the message about another value expects."""


@dataclass
class Reader:
    """Reads values, and collects what is wrong with them."""

    unread: list[Problem] = field(default_factory=list)
    """A problem for each value that could not be read, or that has an invisible character."""
    broken: list[Problem] = field(default_factory=list)
    """A problem for each value that breaks the rule of its field."""
    objects: list[tuple[str, Any]] = field(default_factory=list)
    """Each dataclass that was read, after its key. The dataclasses inside it come first."""
    arns: list[ArnSetting] = field(default_factory=list)
    """Each ARN that fits its field."""
    warnings: list[Problem] = field(default_factory=list)
    """A warning for each whole number that was read as text."""

    def read(self, type_: object, value: object, key: str) -> Any:  # noqa: ANN401
        """Return the value as this type, or UNREAD. `key` is the key of the value in the config.

        A text with an invisible character, or a value that breaks a rule, is returned and reported.
        """
        if isinstance(value, pulumi.Output | Awaitable):
            if _is_input(type_):
                return value
            self._refuse(key, IS_OUTPUT)
            return _empty(type_)
        read = self._read(_first_member(type_), value, key)
        if read is not UNREAD:
            for rule in getattr(type_, "__metadata__", ()):
                self._apply(rule, read, key)
        return read

    def _apply(self, rule: Callable[[Any], str | None], value: Any, key: str) -> None:  # noqa: ANN401
        """Report a value that breaks a rule. A list or mapping is not shown."""
        if error := rule(value):
            if value in ("", ()):
                error = f"missing or empty; {error.partition('; ')[2]}"
            is_shown = isinstance(value, str | float | int) and value != ""
            self.broken.append(Problem(key, error, value if is_shown else None))
        elif isinstance(rule, Kind):
            arn = parse_arn(value)
            assert arn is not None, "the ARN fits the pattern of its kind"
            self.arns.append(ArnSetting(key, arn))

    def _read(self, expected: Any, value: object, key: str) -> Any:  # noqa: ANN401
        """Read a value as a type that is not a union."""
        kind = get_origin(expected) or expected
        if is_dataclass(expected):
            return self._dataclass(expected, value, key)
        if kind is Sequence:
            return self._sequence(get_args(expected)[0], value, key)
        if kind is Mapping:
            return self._mapping(get_args(expected)[1], value, key)
        if kind is Literal:
            return self._choice(get_args(expected), value, key)
        return self._scalar(kind, value, key)

    def _dataclass(self, cls: Any, value: object, key: str) -> Any:  # noqa: ANN401
        """Read a mapping of a config with keys in camelCase, or the dataclass of a program."""
        prefix = f"{key}." if key else ""
        if isinstance(value, cls):
            given = {each.name: getattr(value, each.name) for each in fields(cls)}
            given = {name: inner for name, inner in given.items() if inner is not None}
        elif isinstance(value, Mapping):
            names = {camel_case(each.name): each.name for each in fields(cls)}
            for name in value:
                if name not in names:
                    self._refuse(f"{prefix}{name}", _unknown_key(name, config_keys(cls)))
            given = {names[name]: inner for name, inner in value.items() if name in names}
        else:
            return self._wrong_type(f"a mapping with {', '.join(config_keys(cls))}", value, key)
        # A required field that is missing is read as empty, and its rule says what it needs.
        given = {**{each.name: _empty(each.type) for each in _required(cls)}, **given}
        read = {
            each.name: self.read(each.type, given[each.name], f"{prefix}{camel_case(each.name)}")
            for each in fields(cls)
            if each.name in given
        }
        filled = _filled(cls, read)
        self.objects.append((key, filled))
        return filled

    def _sequence(self, type_: object, value: object, key: str) -> Any:  # noqa: ANN401
        """Read a list. An unread element becomes an empty one, so that the others keep numbers."""
        if not isinstance(value, list | tuple):
            return self._wrong_type("a list", value, key)
        elements = [
            self.read(type_, element, f"{key}[{index}]") for index, element in enumerate(value)
        ]
        return tuple(_empty(type_) if element is UNREAD else element for element in elements)

    def _mapping(self, type_: object, value: object, key: str) -> Any:  # noqa: ANN401
        """Read a mapping with free keys, without its unread values."""
        if not isinstance(value, Mapping):
            return self._wrong_type("a mapping", value, key)
        for name in value:
            self._find_hidden(name, f"{key}.{name}")
        read = {name: self.read(type_, each, f"{key}.{name}") for name, each in value.items()}
        return {name: each for name, each in read.items() if each is not UNREAD}

    def _choice(self, choices: Sequence[str], value: object, key: str) -> Any:  # noqa: ANN401
        """Read one of a few words. The case matters, but not for the suggestion."""
        word = self._text(value, key)
        if word is not UNREAD and word not in choices:
            spellings = {choice.lower(): choice for choice in choices}
            nearest = get_close_matches(word.lower(), spellings, 1)
            expected = f"expected {' or '.join(choices)}"
            if nearest:
                expected = f"did you mean {spellings[nearest[0]]}?"
            self.broken.append(Problem(key, f"is unknown; {expected}", word))
        return word

    def _scalar(self, kind: object, value: object, key: str) -> Any:  # noqa: ANN401
        """Read a boolean, a number or a text."""
        if kind not in SCALARS:
            return self._text(value, key)
        read, expected = SCALARS[kind]
        scalar = read(value)
        return self._wrong_type(expected, value, key) if scalar is None else scalar

    def _text(self, value: object, key: str) -> Any:  # noqa: ANN401
        """Read a text, or a whole number that the CLI has not rounded, with a warning."""
        if isinstance(value, str):
            self._find_hidden(value, key)
            return value
        if not isinstance(value, int) or isinstance(value, bool):
            return self._wrong_type("text in quotes", value, key)
        if value not in EXACT_NUMBERS:
            expected = "text in quotes, because the Pulumi CLI rounds numbers beyond 64 bits"
            return self._wrong_type(expected, value, key)
        message = f"is a number and is read as the text '{value}'; {IN_QUOTES}"
        self.warnings.append(Problem(key, message, value))
        return str(value)

    def _wrong_type(self, expected: str, value: object, key: str) -> Any:  # noqa: ANN401
        """Refuse a value whose type does not fit. A list or mapping is described, not shown."""
        shown = None if isinstance(value, list | dict) else value
        description = DESCRIPTIONS.get(type(value), "is unknown")
        return self._refuse(key, f"{description}; expected {expected}", shown)

    def _refuse(self, key: str, message: str, shown: object = None) -> Any:  # noqa: ANN401
        self.unread.append(Problem(key, message, shown))
        return UNREAD

    def _find_hidden(self, text: str, key: str) -> None:
        """Report the first invisible character of a text, or a space at its beginning or end."""
        is_id = key.rpartition(".")[2].partition("[")[0] in IDS
        message = _hidden_character(text, is_id=is_id)
        if not message and text != text.strip(" ") and not is_id and not key.startswith("tags."):
            message = f"{'begins' if text.startswith(' ') else 'ends'} with a space; delete it"
        if message:
            self._refuse(key, message, text)


def _first_member(type_: object) -> Any:  # noqa: ANN401
    """Return the first type of a union: `Input[str]` and `str | None` are read as str."""
    plain = without_rules(type_)
    return get_args(plain)[0] if get_origin(plain) in (Union, UnionType) else plain


def _is_input(type_: object) -> bool:
    """Return True for `pulumi.Input`, which is a union with Awaitable."""
    return any(get_origin(member) is Awaitable for member in get_args(without_rules(type_)))


def _required(cls: Any) -> list[Any]:  # noqa: ANN401
    """Return the fields of a dataclass that have no default."""
    return [
        each for each in fields(cls) if each.default is MISSING and each.default_factory is MISSING
    ]


def _unknown_key(key: str, known_keys: Sequence[str]) -> str:
    """Return the message about an unknown key. `known_keys` are the keys that may stand there.

    It suggests the place of the key in the config, or a similar key, or else lists the keys.
    """
    spelling = camel_case(key)
    places = [path for path in config_paths() if path.rpartition(".")[2] == spelling]
    if spelling in known_keys:
        return f"unknown; did you mean {spelling}?"
    if places:
        return f"unknown here; did you mean {' or '.join(places)}?"
    nearest = get_close_matches(key, known_keys, 1)
    if nearest:
        return f"unknown; did you mean {nearest[0]}?"
    return f"unknown; the known keys are {', '.join(known_keys)}"


def _filled(cls: Any, read: Mapping[str, object]) -> Any:  # noqa: ANN401
    """Return a dataclass. An unread field has its default, or an empty value, without a default."""
    values = {name: value for name, value in read.items() if value is not UNREAD}
    return cls(**{**{each.name: _empty(each.type) for each in _required(cls)}, **values})


def _empty(type_: object) -> Any:  # noqa: ANN401
    """Return a value of this type that the rules report as missing."""
    expected = _first_member(type_)
    if is_dataclass(expected):
        return _filled(expected, {})
    return EMPTY_VALUES.get(get_origin(expected) or expected, "")


def _hidden_character(text: str, *, is_id: bool) -> str | None:
    """Return a message about the first invisible character of a text, or None without one."""
    for index, character in enumerate(text):
        is_hidden = character != " " and unicodedata.category(character) in HIDDEN_CATEGORIES
        if character in LINE_BREAKS if is_id else is_hidden:
            name = unicodedata.name(character, "control character").lower()
            before = text[max(0, index - SHOWN_CHARACTERS) : index]
            return (
                f"contains U+{ord(character):04X} ({name}) after {before!r}; delete it, or write "
                "an ordinary space"
            )
    return None
