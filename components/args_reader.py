"""Turns a config, or a program's arguments, into the dataclasses of `args.py`.

A single pass finds unknown keys, wrong types, outputs where a plain value is needed, and invisible
characters. It also applies the rules that the types declare. So all problems are reported at once,
rather than one for each `pulumi up`.
"""

import json
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from difflib import get_close_matches
from types import UnionType
from typing import Any, Literal, TypeAlias, Union, get_args, get_origin

from pulumi import Output

from .args import list_config_keys, to_camel_case
from .rules.arns import ArnRule, ArnSetting, parse_arn
from .rules.single_settings import ElementCount, NumberRange, Problem, without_rules

Value: TypeAlias = Any
"""A value of any type, before or after it's read."""
FieldType: TypeAlias = Any
"""A field's annotation in `args.py`, with or without rules."""
Rule: TypeAlias = Callable[[Value], str | None]
"""A rule for a single setting (`rules/single_settings.py`)."""

IS_OUTPUT = (
    "is an Output; give a plain value, because the program needs it before it creates resources"
)
ENCRYPTED = (
    "is encrypted, but the state machine shows this setting to everyone who may read it; "
    "set it again with pulumi config set --plaintext -s <stack>"
)
INVISIBLE = "has an invisible character, or a space at its beginning or end; delete it"
UNREAD: Value = object()
"""Stands for a value that couldn't be read. None won't do, because some fields may be None."""
EXPECTED: Mapping[object, str] = {
    Sequence: "a list",
    Mapping: "a mapping",
    str: "text; write it in quotes, or set it with pulumi config set --path --type string",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
}
"""Type of a field -> how messages describe its values."""
FILTER_PARAMETER = "text; write for example '\"Drama\",\"Comedy\"' or '5'"
"""How messages describe the value of a filter parameter, which is text with quotes inside."""
SCALARS: Mapping[object, tuple[type, ...]] = {bool: (bool,), int: (int,), float: (int, float)}
"""Type of a field -> the types that it accepts. Unlike in Python, a boolean isn't a number."""


@dataclass
class ArgsReader:
    """Reads values one after the other, and collects all problems with them."""

    secrets: Collection[str] = ()
    """The keys of encrypted values, which are refused without being shown."""
    problems: list[Problem] = field(default_factory=list)
    """The problems found so far."""
    objects: list[tuple[str, Value]] = field(default_factory=list)
    """The keys and dataclass instances read so far, with inner objects first."""
    arns: list[ArnSetting] = field(default_factory=list)
    """The valid ARNs read so far."""

    def read(self, annotation: FieldType, value: object, key: str) -> Value:
        """Read a field's value according to its annotation. Return UNREAD if that fails.

        `key` is the value's place in the config. A value that only breaks a rule is reported, but
        still returned, so that rules about several settings can report problems as well.
        """
        if key in self.secrets:
            return self._refuse(key, ENCRYPTED)
        if value is None:
            return self._refuse(key, "has no value; write one, or remove the key")
        if isinstance(value, Output | Awaitable):
            return self._read_output(annotation, value, key)

        type_ = _first_member(annotation)
        rules = getattr(annotation, "__metadata__", ())
        if type_ is str:
            result = self._read_text(value, rules, key)
        else:
            value = _decode_json(value)
            result = self._read_as(type_, value, key)

        if result is not UNREAD:
            self._apply_rules(rules, value, result, key)
        return result

    def _apply_rules(self, rules: Sequence[Rule], value: Value, result: Value, key: str) -> None:
        """Report each rule that a value breaks, and collect valid ARNs."""
        for rule in rules:
            checked = result
            if isinstance(rule, ElementCount):
                # Elements that couldn't be read count, too.
                checked = value

            if error := rule(checked):
                self._refuse(key, error, result)
            elif isinstance(rule, ArnRule):
                arn = parse_arn(result)
                assert arn is not None, "the ARN fits the pattern of its kind"
                self.arns.append(ArnSetting(key, arn))

    def _read_output(self, annotation: FieldType, output: object, key: str) -> Value:
        """Accept an output if the field is a `pulumi.Input`, which is a union with Awaitable."""
        members = get_args(without_rules(annotation))
        if any(get_origin(member) is Awaitable for member in members):
            return output
        return self._refuse(key, IS_OUTPUT)

    def _read_text(self, value: object, rules: Sequence[Rule], key: str) -> Value:
        """Read text, but refuse invisible mistakes, like a space at the end of an ARN."""
        if isinstance(value, str):
            if value.isprintable() and value == value.strip():
                return value
            return self._refuse(key, INVISIBLE, value)

        if type(value) in (int, float):
            # Don't recommend quotes around the number if a rule would still refuse it.
            for rule in rules:
                if error := rule(str(value)):
                    return self._refuse(key, error, value)

        if ".filterValues." in key:
            return self._refuse(key, f"is not {FILTER_PARAMETER}", value)
        return self._refuse(key, f"is not {EXPECTED[str]}", value)

    def _read_as(self, type_: FieldType, value: object, key: str) -> Value:
        """Read a value whose type is neither a union nor text, or refuse it."""
        origin: object = get_origin(type_)
        arguments = get_args(type_)

        if is_dataclass(type_) and isinstance(value, Mapping):
            return self._read_dataclass(type_, value, key)
        if origin is Mapping and isinstance(value, Mapping):
            return self._read_mapping(arguments[1], value, key)
        if origin is Sequence and isinstance(value, list | tuple):
            return self._read_sequence(arguments[0], value, key)
        if type(value) in SCALARS.get(type_, ()) or (origin is Literal and value in arguments):
            return value

        return self._refuse(key, f"is not {_describe(type_)}", value)

    def _read_dataclass(self, cls: FieldType, settings: Mapping[str, object], key: str) -> Value:
        """Read a mapping with camelCase keys. Return UNREAD if it lacks a field that rules need."""
        # The top level has no key.
        prefix = f"{key}." if key else ""
        known_keys = list_config_keys(cls)
        for name in settings:
            if name not in known_keys:
                self._refuse(f"{prefix}{name}", _suggest_key(name, known_keys))

        arguments = {}
        for field_, result in self._read_fields(cls, settings, prefix).items():
            if result is not UNREAD:
                arguments[field_.name] = result
            elif field_.default in (None, (), MISSING):
                # A rule about several fields would take this one for unset.
                return UNREAD

        instance = cls(**arguments)
        self.objects.append((key, instance))
        return instance

    def _read_fields(
        self,
        cls: FieldType,
        settings: Mapping[str, object],
        prefix: str,
    ) -> dict[Field[Any], Value]:
        """Read the fields that are set, and report required ones that are missing."""
        results = {}
        for field_ in fields(cls):
            name = to_camel_case(field_.name)
            key = f"{prefix}{name}"

            if name in settings:
                results[field_] = self.read(field_.type, settings[name], key)
            elif field_.default is MISSING and field_.default_factory is MISSING:
                results[field_] = self._refuse(key, f"missing; {_hint(field_.type)}")
        return results

    def _read_mapping(
        self, type_: FieldType, value: Mapping[str, object], key: str
    ) -> dict[str, Value]:
        """Read a mapping with arbitrary keys, and leave out unreadable values."""
        read_values = {}
        for name, inner_value in value.items():
            result = self.read(type_, inner_value, f"{key}.{name}")
            if result is not UNREAD:
                read_values[str(name)] = result
        return read_values

    def _read_sequence(self, type_: FieldType, value: Sequence[object], key: str) -> Value:
        """Read a list, and leave out unreadable elements. Return UNREAD if none is left."""
        results = [
            self.read(type_, element, f"{key}[{index}]") for index, element in enumerate(value)
        ]
        readable = tuple(result for result in results if result is not UNREAD)
        if value and not readable:
            return UNREAD
        return readable

    def _refuse(self, key: str, message: str, value: object = None) -> Value:
        """Report a problem and return UNREAD. Lists and mappings aren't shown: they may be long."""
        if not isinstance(value, str | int | float):
            value = None
        self.problems.append(Problem(key, message, value))
        return UNREAD


def _first_member(annotation: FieldType) -> FieldType:
    """Return the first type in a union, so that `Input[str]` and `str | None` are read as str."""
    type_ = without_rules(annotation)
    if get_origin(type_) in (Union, UnionType):
        return get_args(type_)[0]
    return type_


def _suggest_key(key: str, known_keys: Sequence[str]) -> str:
    """Suggest the most similar key for an unknown one. If none is similar, list all keys."""
    similar_keys = get_close_matches(key, known_keys, 1)
    if similar_keys:
        return f"unknown; did you mean {similar_keys[0]}?"
    return f"unknown; the known keys are {', '.join(known_keys)}"


def _hint(annotation: FieldType) -> str:
    """Explain what to write for a required field."""
    for rule in getattr(annotation, "__metadata__", ()):
        if isinstance(rule, NumberRange | ElementCount):
            return rule.hint
        # The rule's message for an empty string ends with the same advice.
        message: str = rule("")
        return message.partition("; ")[2]
    return f"expected {_describe(annotation)}"


def _describe(type_: FieldType) -> str:
    """Describe the values of a type for a message."""
    if is_dataclass(type_):
        description = f"a mapping with {', '.join(list_config_keys(type_))}"
        if all(field_.default not in (None, MISSING) for field_ in fields(type_)):
            return f"{description}; write {{}} for the defaults"
        return description

    origin: object = get_origin(type_) or type_
    if origin is Literal:
        return f"one of {', '.join(get_args(type_))}"
    return EXPECTED[origin]


def _decode_json(value: object) -> object:
    """Decode what the Pulumi CLI passes as JSON: a list, mapping, boolean or number."""
    if isinstance(value, str):
        with suppress(ValueError, RecursionError):
            return json.loads(value)
    return value
