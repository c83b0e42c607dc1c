"""Finds settings that are an Output although the program needs their value.

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

IS_OUTPUT = "is an Output; the program needs this value when it runs, so give a plain value"

_EMPTY: Mapping[object, object] = {Sequence: (), Mapping: {}, bool: False, int: 0, float: 0}
"""Type to its empty value. For any other type, the empty value is an empty text."""


class PlainArgs(NamedTuple, Generic[Dataclass]):
    """Arguments without the outputs that should be plain values."""

    args: Dataclass
    """The arguments, with an empty value in place of each of these outputs."""
    problems: list[Problem]
    """A problem for each of these outputs."""


def without_outputs(args: Dataclass) -> PlainArgs[Dataclass]:
    """Replace the outputs that should be plain values, so that the other settings can be checked.

    Return `args` itself if there are none.
    """
    problems: list[Problem] = []
    plain_args = _plain_fields(args, "", problems)
    return PlainArgs(plain_args if problems else args, problems)


def _plain_fields(args: Dataclass, prefix: str, problems: list[Problem]) -> Dataclass:
    values = {
        field.name: _plain_value(
            getattr(args, field.name), field.type, f"{prefix}{camel_case(field.name)}", problems
        )
        for field in fields(args)
    }
    return replace(args, **values)


def _plain_value(value: object, type_: object, key: str, problems: list[Problem]) -> object:
    if any(get_origin(member) is Awaitable for member in _members(type_)):
        return value
    if isinstance(value, pulumi.Output):
        problems.append(Problem(key, IS_OUTPUT))
        return _empty(type_)
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


def _members(type_: object) -> tuple[object, ...]:
    """Return the types of a union, of which `pulumi.Input` is one, or the type itself."""
    return get_args(type_) if get_origin(type_) in (Union, UnionType) else (type_,)


def _element_type(type_: object) -> object:
    """Return the type of a collection's elements, or of a mapping's values."""
    return next((get_args(member)[-1] for member in _members(type_) if get_args(member)), str)


def _empty(type_: object) -> object:
    first = _members(type_)[0]
    if isinstance(first, type) and is_dataclass(first):
        required = [
            field
            for field in fields(first)
            if field.default is MISSING and field.default_factory is MISSING
        ]
        return first(**{field.name: _empty(field.type) for field in required})
    return _EMPTY.get(get_origin(first) or first, "")
