"""Reads a config, or the arguments of a program, as the dataclasses of `args.py`.

One walk along the types finds unknown keys, wrong types, outputs where a plain value is needed, and
invisible characters. It also applies the rule that the type of a field declares. So the problems of
all settings are reported at once.
"""

import json
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from difflib import get_close_matches
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import pulumi

from ..args import config_keys
from .arns import ArnSetting, Kind, parse_arn
from .fields import Between, Elements, Problem, without_rules

IS_OUTPUT = (
    "is an Output; give a plain value, because the program needs it before it creates resources"
)
ENCRYPTED = (
    "is encrypted, but the state machine shows this setting to everyone who may read it; "
    "set it again with pulumi config set --plaintext -s <stack>"
)
INVISIBLE = "has an invisible character, or a space at its beginning or end; delete it"
UNREAD: Any = object()
"""Stands for a value that cannot be read."""
EXPECTED: Mapping[object, str] = {
    Sequence: "a list",
    Mapping: "a mapping",
    str: "text; write it in quotes, or set it with pulumi config set --path --type string",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
}
"""Type of a field -> the words for its values in a message."""
PARAMETER = "text; write for example '\"Drama\",\"Comedy\"' or '5'"
"""The words for the value of a filter's parameter."""
SCALARS: Mapping[object, tuple[type, ...]] = {bool: (bool,), int: (int,), float: (int, float)}
"""Type of a field -> the types of its values. Unlike in Python, a boolean is not a number."""


@dataclass
class Reader:
    """Reads values, and collects what is wrong with them."""

    secrets: Collection[str] = ()
    """The keys whose values are encrypted. Such values are refused, but not shown."""
    problems: list[Problem] = field(default_factory=list)
    """A problem for each value that cannot be read, or that breaks the rule of its field."""
    objects: list[tuple[str, Any]] = field(default_factory=list)
    """The key and the dataclass of each object that was read. Inner objects come first."""
    arns: list[ArnSetting] = field(default_factory=list)
    """Each ARN of the kind that its field needs."""

    def read(self, type_: object, value: object, key: str) -> Any:  # noqa: ANN401
        """Return the value as this type, or UNREAD. `key` is the key of the value in the config.

        A value that breaks the rule of its field is reported, but still returned.
        """
        if key in self.secrets:
            return self._refuse(key, ENCRYPTED)
        if value is None:
            return self._refuse(key, "has no value; write one, or remove the key")
        if isinstance(value, pulumi.Output | Awaitable):
            return value if _takes_outputs(type_) else self._refuse(key, IS_OUTPUT)

        expected = _first_member(type_)
        rules = getattr(type_, "__metadata__", ())
        if expected is not str:
            value = _decoded(value)
        elif type(value) in (int, float):
            # Quotes would not be enough for a number that the rule of the text refuses.
            for error in filter(None, (rule(f"{value}") for rule in rules)):
                return self._refuse(key, error, value)

        read = self._read(expected, value, key)
        if read is not UNREAD:
            for rule in rules:
                # The number of elements includes those that could not be read.
                self._apply(rule, value if isinstance(rule, Elements) else read, key)
        return read

    def _apply(self, rule: Callable[[Any], str | None], value: Any, key: str) -> None:  # noqa: ANN401
        """Report the value if it breaks the rule, or else collect it if it is an ARN."""
        if error := rule(value):
            self._refuse(key, error, value)
        elif isinstance(rule, Kind):
            arn = parse_arn(value)
            assert arn is not None, "the ARN fits the pattern of its kind"
            self.arns.append(ArnSetting(key, arn))

    def _read(self, expected: Any, value: object, key: str) -> Any:  # noqa: ANN401
        """Read a value as a type that is not a union."""
        kind = get_origin(expected) or expected
        if is_dataclass(expected) and isinstance(value, Mapping):
            return self._dataclass(expected, value, key)
        if kind is Sequence and isinstance(value, list | tuple):
            return self._sequence(get_args(expected)[0], value, key)
        if kind is Mapping and isinstance(value, Mapping):
            return self._mapping(get_args(expected)[1], value, key)
        if kind is str and isinstance(value, str):
            is_plain = value.isprintable() and value == value.strip()
            return value if is_plain else self._refuse(key, INVISIBLE, value)

        words = get_args(expected) if kind is Literal else ()
        if type(value) in SCALARS.get(kind, ()) or value in words:
            return value
        expects = PARAMETER if kind is str and ".filterValues." in key else _description(expected)
        return self._refuse(key, f"is not {expects}", value)

    def _dataclass(self, cls: Any, value: Mapping[str, object], key: str) -> Any:  # noqa: ANN401
        """Read a mapping with keys in camelCase."""
        keys = config_keys(cls)
        prefix = f"{key}." if key else ""
        for name in value:
            if name not in keys:
                self._refuse(f"{prefix}{name}", _unknown_key(name, keys))

        read = {}
        for name, field_ in zip(keys, fields(cls), strict=True):
            if name in value:
                read[field_] = self.read(field_.type, value[name], f"{prefix}{name}")
            elif field_.default is MISSING and field_.default_factory is MISSING:
                read[field_] = self._refuse(f"{prefix}{name}", f"missing; {_hint(field_.type)}")

        unread = [field_ for field_, inner in read.items() if inner is UNREAD]
        if any(field_.default in (None, MISSING) for field_ in unread):
            # A rule about several fields would take an unread field for one that is not set.
            return UNREAD

        arguments = {field_.name: inner for field_, inner in read.items() if field_ not in unread}
        self.objects.append((key, cls(**arguments)))
        return self.objects[-1][1]

    def _sequence(self, type_: object, value: Sequence[object], key: str) -> Any:  # noqa: ANN401
        """Read a list without its unreadable elements, or return UNREAD if no element is left."""
        read = [self.read(type_, element, f"{key}[{index}]") for index, element in enumerate(value)]
        left = tuple(element for element in read if element is not UNREAD)
        return left if left or not value else UNREAD

    def _mapping(self, type_: object, value: Mapping[str, object], key: str) -> dict[str, Any]:
        """Read a mapping with any keys, without the values that cannot be read."""
        read = {f"{name}": self.read(type_, item, f"{key}.{name}") for name, item in value.items()}
        return {name: inner for name, inner in read.items() if inner is not UNREAD}

    def _refuse(self, key: str, message: str, value: object = None) -> Any:  # noqa: ANN401
        """Report a value. A list or mapping is not shown, because it may be long."""
        is_short = isinstance(value, str | int | float)
        self.problems.append(Problem(key, message, value if is_short else None))
        return UNREAD


def _takes_outputs(type_: object) -> bool:
    """Return True if the field is a `pulumi.Input`, which is a union with Awaitable."""
    members = get_args(without_rules(type_))
    return any(get_origin(member) is Awaitable for member in members)


def _first_member(type_: object) -> Any:  # noqa: ANN401
    """Return the first type of a union: `Input[str]` and `str | None` are read as str."""
    plain = without_rules(type_)
    return get_args(plain)[0] if get_origin(plain) in (Union, UnionType) else plain


def _unknown_key(key: str, known_keys: Sequence[str]) -> str:
    """Return a message that suggests the most similar known key, or lists all known keys."""
    for nearest in get_close_matches(key, known_keys, 1):
        return f"unknown; did you mean {nearest}?"
    return f"unknown; the known keys are {', '.join(known_keys)}"


def _hint(type_: Any) -> str:  # noqa: ANN401
    """Return what to write for a required field of this type."""
    for rule in getattr(type_, "__metadata__", ()):
        if isinstance(rule, Between | Elements):
            return rule.hint
        message: str = rule("")
        return message.partition("; ")[2]
    return f"expected {_description(type_)}"


def _description(type_: Any) -> str:  # noqa: ANN401
    """Return the words for the values of a type."""
    if is_dataclass(type_):
        has_defaults = all(item.default not in (None, MISSING) for item in fields(type_))
        example = "; write {} for the defaults" if has_defaults else ""
        return f"a mapping with {', '.join(config_keys(type_))}{example}"
    kind = get_origin(type_) or type_
    return f"one of {', '.join(get_args(type_))}" if kind is Literal else EXPECTED[kind]


def _decoded(value: object) -> object:
    """Return a value that the Pulumi CLI passed as JSON: a list, mapping, boolean or number."""
    if isinstance(value, str):
        with suppress(ValueError, RecursionError):
            return json.loads(value)
    return value
