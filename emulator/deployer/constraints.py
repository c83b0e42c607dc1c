"""Checks the limits of AWS that are in botocore's service models, but that botocore does not check.

These are allowed values, lengths and ranges. Patterns are not checked, because they are written for
the regular expressions of another language.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, cast

from emulator.deployer.errors import InputRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape


def check_value(shape: Shape | None, value: object, path: str) -> None:
    """Raise InputRefusedError if AWS would refuse a value or a value inside it.

    `shape` is botocore's model of the value. The error has the path of the first refused value,
    which begins with `path`. A value whose type does not fit its shape is not checked, because
    botocore refuses it later.
    """
    if shape is None:
        return
    _check_allowed_values(shape, value, path)
    _check_range(shape, value, path)
    for inner in _inner_values(shape, value, path):
        check_value(inner.shape, inner.value, inner.path)


class _InnerValue(NamedTuple):
    """A value in a structure, a map or a list."""

    shape: Shape | None
    """None for a member that botocore's model does not have."""
    value: object
    path: str


def _inner_values(shape: Shape, value: object, path: str) -> Iterator[_InnerValue]:
    """Yield the values in a structure, a map or a list. Yield nothing for another shape."""
    if shape.type_name == "structure" and isinstance(value, Mapping):
        members = cast("StructureShape", shape).members
        for name, item in value.items():
            yield _InnerValue(members.get(name), item, f"{path}.{name}")
    elif shape.type_name == "map" and isinstance(value, Mapping):
        map_shape = cast("MapShape", shape)
        for key, item in value.items():
            yield _InnerValue(map_shape.key, key, f"{path}.{key}")
            yield _InnerValue(map_shape.value, item, f"{path}.{key}")
    elif shape.type_name == "list" and isinstance(value, list):
        member = cast("ListShape", shape).member
        for index, item in enumerate(value):
            yield _InnerValue(member, item, f"{path}[{index}]")


def _check_allowed_values(shape: Shape, value: object, path: str) -> None:
    """Raise InputRefusedError if a text is not one of the values that the model lists."""
    allowed = cast("StringShape", shape).enum if shape.type_name == "string" else []
    if allowed and value not in allowed:
        raise InputRefusedError(path, f"{value!r} is not one of {', '.join(allowed)}")


def _check_range(shape: Shape, value: object, path: str) -> None:
    """Raise InputRefusedError for a text or list of a wrong length, or a number out of range."""
    if shape.type_name == "string" and isinstance(value, str):
        size, unit = len(value), " characters"
    elif shape.type_name == "list" and isinstance(value, list):
        size, unit = len(value), " items"
    elif shape.type_name in ("integer", "long") and isinstance(value, int):
        size, unit = value, ""
    else:
        return
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if most is not None and size > most:
        raise InputRefusedError(path, f"{size}{unit} is more than AWS allows, {most}")
    if least is not None and size < least:
        raise InputRefusedError(path, f"{size}{unit} is less than AWS allows, {least}")
