"""Finds settings that are an Output although the program needs their plain value.

Every field of the dataclasses whose type is not `pulumi.Input` needs a plain value.
"""

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass, replace
from types import UnionType
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar, Union, get_args, get_origin

import pulumi

from ..args import camel_case
from .values import Problem

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Dataclass = TypeVar("Dataclass", bound="DataclassInstance")

IS_OUTPUT = (
    "is an Output; give a plain value, because the program needs it before it creates resources"
)

_EMPTY_VALUES: Mapping[object, object] = {Sequence: (), Mapping: {}, bool: False, int: 0, float: 0}
"""Type to its empty value. For any other type, the empty value is an empty text."""


class PlainArgs(NamedTuple, Generic[Dataclass]):
    """Arguments in which each Output that must be a plain value is replaced by an empty value."""

    args: Dataclass
    problems: list[Problem]
    """A problem for each replaced Output."""


def without_outputs(args: Dataclass) -> PlainArgs[Dataclass]:
    """Return the arguments with an empty value for each Output that must be a plain value.

    The other settings can then be checked. Return `args` itself if nothing is replaced.
    """
    problems: list[Problem] = []
    plain_args = _plain_fields(args, "", problems)
    return PlainArgs(plain_args if problems else args, problems)


def _plain_fields(args: Dataclass, prefix: str, problems: list[Problem]) -> Dataclass:
    """Return a dataclass without outputs, and append a problem for each of them to `problems`.

    `prefix` is the beginning of the keys of the fields, for example `limits.`.
    """
    values = {
        field.name: _plain_value(
            getattr(args, field.name), field.type, f"{prefix}{camel_case(field.name)}", problems
        )
        for field in fields(args)
    }
    return replace(args, **values)


def _plain_value(value: object, type_: object, key: str, problems: list[Problem]) -> object:
    """Return a value of this type without outputs, as `_plain_fields()` does for a dataclass."""
    # Awaitable is one of the types in pulumi.Input, which allows an Output.
    if any(get_origin(member) is Awaitable for member in _union_members(type_)):
        return value
    if isinstance(value, pulumi.Output):
        problems.append(Problem(key, IS_OUTPUT))
        return _empty_value(type_)
    if is_dataclass(value) and not isinstance(value, type):
        return _plain_fields(value, f"{key}.", problems)
    element_type = _element_type(type_)
    if isinstance(value, list | tuple):
        return [
            _plain_value(element, element_type, f"{key}[{index}]", problems)
            for index, element in enumerate(value)
        ]
    if isinstance(value, Mapping):
        return {
            name: _plain_value(element, element_type, f"{key}.{name}", problems)
            for name, element in value.items()
        }
    return value


def _union_members(type_: object) -> tuple[object, ...]:
    """Return the types of a union, for example of `pulumi.Input`, or a type that is not a union."""
    return get_args(type_) if get_origin(type_) in (Union, UnionType) else (type_,)


def _element_type(type_: object) -> object:
    """Return the type of a sequence's elements or of a mapping's values, and str for a scalar."""
    for member in _union_members(type_):
        if arguments := get_args(member):
            return arguments[-1]
    return str


def _empty_value(type_: object) -> object:
    """Return the empty value of a type. For a dataclass, only its required fields are empty."""
    first_type = _union_members(type_)[0]
    if isinstance(first_type, type) and is_dataclass(first_type):
        required = [
            field
            for field in fields(first_type)
            if field.default is MISSING and field.default_factory is MISSING
        ]
        return first_type(**{field.name: _empty_value(field.type) for field in required})
    return _EMPTY_VALUES.get(get_origin(first_type) or first_type, "")
