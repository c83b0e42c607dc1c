"""Turns a config, or a program's arguments, into the dataclasses of `args.py`.

A single pass finds unknown keys, wrong types, outputs where a plain value is needed, and invisible
characters. It also applies the rules that the types declare. So all problems are reported at once,
rather than one for each `pulumi up`.
"""

import json
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
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

        `key` is the value's place in the config. A value that breaks a rule is reported, but still
        returned, so that rules about several settings can report problems as well.
        """
        if key in self.secrets:
            return self._refuse(key, ENCRYPTED)
        if value is None:
            return self._refuse(key, "has no value; write one, or remove the key")
        if isinstance(value, Output | Awaitable):
            return self._read_output(annotation, value, key)

        field_type = _first_member(annotation)
        rules = getattr(annotation, "__metadata__", ())
        if field_type is str:
            decoded = value
            result = self._read_text(value, rules, key)
        else:
            decoded = _decode_json(value)
            result = self._read_typed_value(field_type, decoded, key)

        if result is not UNREAD:
            self._apply_rules(rules, decoded, result, key)
        return result

    def _apply_rules(self, rules: Sequence[Rule], decoded: Value, result: Value, key: str) -> None:
        """Report each rule that a field's value breaks, and collect valid ARNs."""
        for rule in rules:
            checked_value = result
            if isinstance(rule, ElementCount):
                # Elements that couldn't be read aren't in the result, but they count, too.
                checked_value = decoded

            error = rule(checked_value)
            if error is not None:
                self._refuse(key, error, result)
            elif isinstance(rule, ArnRule):
                arn = parse_arn(result)
                assert arn is not None, "the rule has accepted the ARN"
                self.arns.append(ArnSetting(key, arn))

    def _read_output(self, annotation: FieldType, output: object, key: str) -> Value:
        """Accept an output if the field is a `pulumi.Input`, which is a union with Awaitable."""
        members = get_args(without_rules(annotation))
        if any(get_origin(member) is Awaitable for member in members):
            return output
        return self._refuse(key, IS_OUTPUT)

    def _read_text(self, value: object, rules: Sequence[Rule], key: str) -> Value:
        """Return a value if it's text without invisible mistakes, like a space at its end.

        Otherwise, report what is wrong with it.
        """
        if isinstance(value, str):
            if value.isprintable() and value == value.strip():
                return value
            return self._refuse(key, INVISIBLE, value)

        if type(value) in (int, float):
            # Don't recommend quotes around the number if a rule would still refuse it.
            for rule in rules:
                if error := rule(str(value)):
                    return self._refuse(key, error, value)

        expected = EXPECTED[str]
        if ".filterValues." in key:
            expected = FILTER_PARAMETER
        return self._refuse(key, f"is not {expected}", value)

    def _read_typed_value(self, field_type: FieldType, value: object, key: str) -> Value:
        """Read a value that isn't text, for example a list, and refuse one of another type."""
        origin: object = get_origin(field_type)
        type_arguments = get_args(field_type)

        if is_dataclass(field_type) and isinstance(value, Mapping):
            return self._read_dataclass(field_type, value, key)
        if origin is Mapping and isinstance(value, Mapping):
            return self._read_mapping(type_arguments[1], value, key)
        if origin is Sequence and isinstance(value, list | tuple):
            return self._read_sequence(type_arguments[0], value, key)

        is_scalar = type(value) in SCALARS.get(field_type, ())
        is_literal = origin is Literal and value in type_arguments
        if is_scalar or is_literal:
            return value
        return self._refuse(key, f"is not {_describe_values(field_type)}", value)

    def _read_dataclass(self, cls: FieldType, settings: Mapping[str, object], key: str) -> Value:
        """Read a mapping with camelCase keys.

        A field that couldn't be read gets its default. If it has none, or if the default means that
        the field isn't set, return UNREAD. Otherwise, rules would report the field as missing.
        """
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
                results[field_] = self._refuse(key, f"missing; {_advise(field_.type)}")
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
        """Report a problem and return UNREAD."""
        shown_value = None
        # Lists and mappings may be long, so they aren't shown.
        if isinstance(value, str | int | float):
            shown_value = value

        self.problems.append(Problem(key, message, shown_value))
        return UNREAD


def _first_member(annotation: FieldType) -> FieldType:
    """Return the first type in a union, so that `Input[str]` and `str | None` are read as str."""
    type_ = without_rules(annotation)
    if get_origin(type_) in (Union, UnionType):
        return get_args(type_)[0]
    return type_


def _suggest_key(key: str, known_keys: Sequence[str]) -> str:
    """Suggest the most similar key for an unknown one. If none is similar, list all keys."""
    similar_keys = get_close_matches(key, known_keys, n=1)
    if similar_keys:
        return f"unknown; did you mean {similar_keys[0]}?"
    return f"unknown; the known keys are {', '.join(known_keys)}"


def _advise(annotation: FieldType) -> str:
    """Return advice on what to write for a required field that is missing."""
    rules = getattr(annotation, "__metadata__", ())
    if not rules:
        return f"expected {_describe_values(annotation)}"

    rule = rules[0]
    if isinstance(rule, NumberRange | ElementCount):
        return rule.hint

    # Other rules refuse an empty string, and give advice after a semicolon.
    error: str = rule("")
    _, _, advice = error.partition("; ")
    return advice


def _describe_values(type_: FieldType) -> str:
    """Describe which values a type has, for example `a number`."""
    if is_dataclass(type_):
        description = f"a mapping with {', '.join(list_config_keys(type_))}"
        all_have_defaults = all(field_.default not in (None, MISSING) for field_ in fields(type_))
        if all_have_defaults:
            return f"{description}; write {{}} for the defaults"
        return description

    origin: object = get_origin(type_) or type_
    if origin is Literal:
        return f"one of {', '.join(get_args(type_))}"
    return EXPECTED[origin]


def _decode_json(value: object) -> object:
    """Decode a list, mapping, boolean or number, which the Pulumi CLI passes as JSON.

    Text that isn't JSON, or that is nested too deeply, is returned unchanged.
    """
    if not isinstance(value, str):
        return value

    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value
