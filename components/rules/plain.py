"""Finds settings that are an Output although the program needs their value. Pure.

Every field of the dataclasses whose type is not `pulumi.Input` needs a plain value.
"""

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass, replace
from types import UnionType
from typing import TYPE_CHECKING, TypeVar, Union, get_args, get_origin

import pulumi

from ..args import camel_case
from .values import Problem

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Dataclass = TypeVar("Dataclass", bound="DataclassInstance")

AN_OUTPUT = "is an Output; this setting has to be known when the program runs, give a plain value"

_EMPTY: Mapping[object, object] = {Sequence: (), Mapping: {}, bool: False, int: 0, float: 0}
"""Type to its empty value. For any other type, the empty value is an empty text."""


def plain(args: Dataclass) -> tuple[Dataclass, list[Problem]]:
    """Return the arguments without outputs that must be plain values, and a problem for each.

    An empty value replaces each of these outputs, so that the other settings can be checked.
    """
    found: list[Problem] = []
    known = _fields(args, "", found)
    return known if found else args, found


def _fields(args: Dataclass, at: str, found: list[Problem]) -> Dataclass:
    known = {
        each.name: _value(
            getattr(args, each.name), each.type, f"{at}{camel_case(each.name)}", found
        )
        for each in fields(args)
    }
    return replace(args, **known)


def _value(value: object, type_: object, key: str, found: list[Problem]) -> object:
    if any(get_origin(member) is Awaitable for member in _members(type_)):
        return value
    if isinstance(value, pulumi.Output):
        found.append(Problem(key, None, AN_OUTPUT))
        return _empty(type_)
    if is_dataclass(value) and not isinstance(value, type):
        return _fields(value, f"{key}.", found)
    if isinstance(value, list | tuple):
        element = _element(type_)
        return [
            _value(each, element, f"{key}[{number}]", found) for number, each in enumerate(value)
        ]
    if isinstance(value, Mapping):
        element = _element(type_)
        return {name: _value(each, element, f"{key}.{name}", found) for name, each in value.items()}
    return value


def _members(type_: object) -> tuple[object, ...]:
    """Return the types of a union, of which `pulumi.Input` is one, or the type itself."""
    return get_args(type_) if get_origin(type_) in (Union, UnionType) else (type_,)


def _element(type_: object) -> object:
    """Return the type of a collection's elements, or of a mapping's values."""
    return next((get_args(each)[-1] for each in _members(type_) if get_args(each)), str)


def _empty(type_: object) -> object:
    first = _members(type_)[0]
    if isinstance(first, type) and is_dataclass(first):
        required = [
            each
            for each in fields(first)
            if each.default is MISSING and each.default_factory is MISSING
        ]
        return first(**{each.name: _empty(each.type) for each in required})
    return _EMPTY.get(get_origin(first) or first, "")
