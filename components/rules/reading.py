"""Turns a config, or a program's arguments, into the dataclasses of `args.py`.

A single walk along their types finds unknown keys, wrong types, outputs where a plain value is
needed, and invisible characters. It also applies the rules that the types declare. So all problems
are reported at once, and not one in each `pulumi up`.
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
"""Stands for a value that couldn't be read. None won't do, because it's a value of some fields."""
EXPECTED: Mapping[object, str] = {
    Sequence: "a list",
    Mapping: "a mapping",
    str: "text; write it in quotes, or set it with pulumi config set --path --type string",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
}
"""Type of a field -> what a message calls its values."""
PARAMETER = "text; write for example '\"Drama\",\"Comedy\"' or '5'"
"""What a message calls the value of a filter's parameter, which is a text with quotes inside."""
SCALARS: Mapping[object, tuple[type, ...]] = {bool: (bool,), int: (int,), float: (int, float)}
"""Type of a field -> the types of its values. Unlike in Python, a boolean isn't a number."""


@dataclass
class Reader:
    """Reads values, and collects everything that is wrong with them."""

    secrets: Collection[str] = ()
    """The keys whose values are encrypted. They're refused without being shown."""
    problems: list[Problem] = field(default_factory=list)
    """What was refused so far."""
    objects: list[tuple[str, Any]] = field(default_factory=list)
    """The dataclasses that were read, with their keys. Inner objects come first."""
    arns: list[ArnSetting] = field(default_factory=list)
    """The ARNs that are of the kind which their fields need."""

    def read(self, type_: object, value: object, key: str) -> Any:  # noqa: ANN401
        """Read a value from the config, where it has this key. UNREAD if that isn't possible.

        A value that only breaks a rule is reported, but returned nevertheless. So the rules about
        several settings find their problems as well.
        """
        if key in self.secrets:
            return self._refuse(key, ENCRYPTED)
        if value is None:
            return self._refuse(key, "has no value; write one, or remove the key")
        if isinstance(value, pulumi.Output | Awaitable):
            if _takes_outputs(type_):
                return value
            return self._refuse(key, IS_OUTPUT)

        plain_type = _first_member(type_)
        rules = getattr(type_, "__metadata__", ())
        if plain_type is not str:
            value = _decoded(value)
        elif type(value) in (int, float):
            # Quotes would not be enough for a number that the rule of the text refuses.
            for error in filter(None, (rule(f"{value}") for rule in rules)):
                return self._refuse(key, error, value)

        read = self._read(plain_type, value, key)
        if read is not UNREAD:
            for rule in rules:
                # Elements that couldn't be read count as well.
                self._apply(rule, value if isinstance(rule, Elements) else read, key)
        return read

    def _apply(self, rule: Callable[[Any], str | None], value: Any, key: str) -> None:  # noqa: ANN401
        """Report a value that breaks the rule. Collect it if it's an ARN."""
        if error := rule(value):
            self._refuse(key, error, value)
        elif isinstance(rule, Kind):
            arn = parse_arn(value)
            assert arn is not None, "the ARN fits the pattern of its kind"
            self.arns.append(ArnSetting(key, arn))

    def _read(self, plain_type: Any, value: object, key: str) -> Any:  # noqa: ANN401
        """Read a value as a type that isn't a union. If it doesn't fit, refuse it."""
        origin = get_origin(plain_type) or plain_type
        if is_dataclass(plain_type) and isinstance(value, Mapping):
            return self._dataclass(plain_type, value, key)
        if origin is Sequence and isinstance(value, list | tuple):
            return self._sequence(get_args(plain_type)[0], value, key)
        if origin is Mapping and isinstance(value, Mapping):
            return self._mapping(get_args(plain_type)[1], value, key)
        if origin is str and isinstance(value, str):
            return self._text(value, key)

        literals = get_args(plain_type) if origin is Literal else ()
        if type(value) in SCALARS.get(origin, ()) or value in literals:
            return value

        is_parameter = origin is str and ".filterValues." in key
        description = PARAMETER if is_parameter else _description(plain_type)
        return self._refuse(key, f"is not {description}", value)

    def _text(self, value: str, key: str) -> Any:  # noqa: ANN401
        """Refuse invisible characters. Nobody would find a space at the end of an ARN."""
        if value.isprintable() and value == value.strip():
            return value
        return self._refuse(key, INVISIBLE, value)

    def _dataclass(self, cls: Any, value: Mapping[str, object], key: str) -> Any:  # noqa: ANN401
        """Read a mapping with keys in camelCase. UNREAD if it lacks a field that rules rely on."""
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
            # A rule about several fields would believe that such a field isn't set.
            return UNREAD

        arguments = {field_.name: inner for field_, inner in read.items() if field_ not in unread}
        self.objects.append((key, cls(**arguments)))
        return self.objects[-1][1]

    def _sequence(self, type_: object, value: Sequence[object], key: str) -> Any:  # noqa: ANN401
        """Read a list without its unreadable elements. UNREAD if nothing is left."""
        read = [self.read(type_, element, f"{key}[{index}]") for index, element in enumerate(value)]
        left = tuple(element for element in read if element is not UNREAD)
        if value and not left:
            return UNREAD
        return left

    def _mapping(self, type_: object, value: Mapping[str, object], key: str) -> dict[str, Any]:
        """Read a mapping with arbitrary keys, without its unreadable values."""
        read = {f"{name}": self.read(type_, item, f"{key}.{name}") for name, item in value.items()}
        return {name: inner for name, inner in read.items() if inner is not UNREAD}

    def _refuse(self, key: str, message: str, value: object = None) -> Any:  # noqa: ANN401
        """Report a value. Lists and mappings aren't shown, because they may be long."""
        is_short = isinstance(value, str | int | float)
        self.problems.append(Problem(key, message, value if is_short else None))
        return UNREAD


def _takes_outputs(type_: object) -> bool:
    """Return True for a `pulumi.Input`, which is a union with Awaitable."""
    members = get_args(without_rules(type_))
    return any(get_origin(member) is Awaitable for member in members)


def _first_member(type_: object) -> Any:  # noqa: ANN401
    """Choose a union's first type, so that `Input[str]` and `str | None` are read as str."""
    plain = without_rules(type_)
    if get_origin(plain) in (Union, UnionType):
        return get_args(plain)[0]
    return plain


def _unknown_key(key: str, known_keys: Sequence[str]) -> str:
    """Suggest the most similar key. If there's none, list all keys."""
    for nearest in get_close_matches(key, known_keys, 1):
        return f"unknown; did you mean {nearest}?"
    return f"unknown; the known keys are {', '.join(known_keys)}"


def _hint(type_: Any) -> str:  # noqa: ANN401
    """Say what to write for a required field."""
    for rule in getattr(type_, "__metadata__", ()):
        if isinstance(rule, Between | Elements):
            return rule.hint
        message: str = rule("")
        return message.partition("; ")[2]
    return f"expected {_description(type_)}"


def _description(type_: Any) -> str:  # noqa: ANN401
    """Say what a message calls the values of a type."""
    if is_dataclass(type_):
        has_defaults = all(item.default not in (None, MISSING) for item in fields(type_))
        example = "; write {} for the defaults" if has_defaults else ""
        return f"a mapping with {', '.join(config_keys(type_))}{example}"

    kind = get_origin(type_) or type_
    if kind is Literal:
        return f"one of {', '.join(get_args(type_))}"
    return EXPECTED[kind]


def _decoded(value: object) -> object:
    """Decode what the Pulumi CLI passes as JSON: a list, mapping, boolean or number."""
    if isinstance(value, str):
        with suppress(ValueError, RecursionError):
            return json.loads(value)
    return value
