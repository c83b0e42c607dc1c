"""What botocore's service models say of values and botocore itself does not check.

These are the enumerations, greatest lengths and ranges. Patterns are not checked: they are written
for another language's regular expressions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sized
from typing import TYPE_CHECKING, cast

from emulator.deployer.errors import InputRefusedError

if TYPE_CHECKING:
    from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape


def check(shape: Shape | None, value: object, path: str) -> None:
    """Raise InputRefusedError, naming `path`, for a value that AWS would refuse.

    The types are botocore's to check.
    """
    kind = None if shape is None else shape.type_name
    if kind == "structure" and isinstance(value, Mapping):
        members = cast("StructureShape", shape).members
        for name, member in value.items():
            check(members.get(name), member, f"{path}.{name}")
    elif kind == "list" and isinstance(value, list):
        _check_range(cast("Shape", shape), value, path)
        for index, item in enumerate(value):
            check(cast("ListShape", shape).member, item, f"{path}[{index}]")
    elif kind == "map" and isinstance(value, Mapping):
        pairs = cast("MapShape", shape)
        for name, item in value.items():
            check(pairs.key, name, f"{path}.{name}")
            check(pairs.value, item, f"{path}.{name}")
    elif kind == "string" and isinstance(value, str):
        words = cast("StringShape", shape)
        if words.enum and value not in words.enum:
            raise InputRefusedError(path, f"{value!r} is none of {', '.join(words.enum)}")
        _check_range(words, value, path)
    elif shape is not None and not isinstance(value, bytes):
        _check_range(shape, value, path)


def _check_range(shape: Shape, value: object, path: str) -> None:
    if isinstance(value, Sized):
        size, unit = len(value), " items" if isinstance(value, list) else " characters"
    elif isinstance(value, int):
        size, unit = value, ""
    else:
        return
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if most is not None and size > most:
        raise InputRefusedError(path, f"{size}{unit} is more than AWS allows, {most}")
    if least is not None and size < least:
        raise InputRefusedError(path, f"{size}{unit} is less than AWS allows, {least}")
