"""Single values of a config, read as the types of the settings, or refused. Pure."""

import re
from types import NoneType
from typing import TypeVar

Shape = TypeVar("Shape")

EXACT = range(-(2**63), 2**63)
"""The whole numbers that the Pulumi CLI does not round (seen with 3.274.1)."""


class UnfitError(Exception):
    """A value of another type than the setting's."""

    def __init__(self, value: object, expected: str) -> None:
        kinds: dict[type, str] = {
            NoneType: "empty",
            bool: "is a boolean",
            int: "is a number",
            float: "is a number",
            str: "is text",
            list: "a list",
            dict: "a mapping",
        }
        self.given = value
        self.value = None if isinstance(value, NoneType | list | dict) else value
        self.message = f"{kinds.get(type(value), 'is unknown')}; expected {expected}"
        super().__init__(self.message)


class WholeNumberError(UnfitError):
    """A whole number where text is expected. `digits` can be used, and the message is a warning."""

    def __init__(self, value: int) -> None:
        super().__init__(value, "text in quotes")
        self.digits = str(value)
        self.message = (
            f"is a number and is read as the text '{value}'; YAML also reads 012 as 10 and 0x10 as "
            "16, so write it in quotes, or set it with pulumi config set --path --type string"
        )


def only(shape: type[Shape], expected: str, value: object) -> Shape:
    """Give a value of this shape as it is. Raises UnfitError for others."""
    if isinstance(value, shape):
        return value
    raise UnfitError(value, expected)


def text(value: object, _: object) -> str:
    """Return the text. Raises WholeNumberError for a whole number, UnfitError for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        if value in EXACT:
            raise WholeNumberError(value)
        raise UnfitError(value, "text in quotes, as the Pulumi CLI rounds numbers beyond 64 bits")
    raise UnfitError(value, "text in quotes")


def boolean(value: object, _: object) -> bool:
    """Read a boolean, also as the text that `pulumi config set` stores."""
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return value == "true"
    raise UnfitError(value, "true or false")


def number(value: object, _: object) -> float:
    """Read a number, also as text."""
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,9}(\.\d{1,9})?", value):
        return float(value) if "." in value else int(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise UnfitError(value, "a number")


def whole(value: object, type_: object) -> int:
    """Read a whole number, also as text."""
    found = number(value, type_)
    if not isinstance(found, int):
        raise UnfitError(value, "a whole number")
    return found
