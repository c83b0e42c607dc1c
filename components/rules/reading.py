"""Reads single values of a config as the types of the settings.

cattrs calls most of these functions with a value and the type to read it as.
"""

import re
from types import NoneType
from typing import TypeVar

Value = TypeVar("Value")

EXACT_NUMBERS = range(-(2**63), 2**63)
"""The whole numbers that the Pulumi CLI does not round (seen with 3.274.1)."""
TYPE_DESCRIPTIONS: dict[type, str] = {
    NoneType: "empty",
    bool: "is a boolean",
    int: "is a number",
    float: "is a number",
    str: "is text",
    list: "a list",
    dict: "a mapping",
}
"""Type of a value to the beginning of the message about it.

A beginning with `is` stands behind the value.
"""


class WrongTypeError(Exception):
    """The type of a value does not fit the setting. `expected` describes the right value."""

    def __init__(self, value: object, expected: str) -> None:
        self.value = value
        # The value in front of the message, or None if the message describes it.
        self.shown_value = None if isinstance(value, NoneType | list | dict) else value
        self.message = f"{TYPE_DESCRIPTIONS.get(type(value), 'is unknown')}; expected {expected}"
        super().__init__(self.message)


class WholeNumberError(WrongTypeError):
    """A whole number stands where text is expected.

    The number is no mistake, but deserves a warning. `digits` is its text.
    """

    def __init__(self, value: int) -> None:
        super().__init__(value, "text in quotes")
        self.digits = str(value)
        self.message = (
            f"is a number and is read as the text '{value}'; write it in quotes, because YAML "
            "reads 012 as 10 and 0x10 as 16, or set it with pulumi config set --path --type string "
            "-s <stack>"
        )


def value_of_type(type_: type[Value], expected: str, value: object) -> Value:
    """Return the value if it has this type, else raise WrongTypeError.

    `expected` describes the right value in the message.
    """
    if isinstance(value, type_):
        return value
    raise WrongTypeError(value, expected)


def text(value: object, _: object) -> str:
    """Return the text.

    Raises WholeNumberError for a whole number, and WrongTypeError for any other value.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        if value in EXACT_NUMBERS:
            raise WholeNumberError(value)
        raise WrongTypeError(
            value, "text in quotes, because the Pulumi CLI rounds numbers beyond 64 bits"
        )
    raise WrongTypeError(value, "text in quotes")


def boolean(value: object, _: object) -> bool:
    """Return the boolean. The value may be text, as `pulumi config set` stores it."""
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return value == "true"
    raise WrongTypeError(value, "true or false")


def number(value: object, _: object) -> float:
    """Return the number. The value may be text, as `pulumi config set` stores it."""
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,9}(\.[0-9]{1,9})?", value):
        return float(value) if "." in value else int(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise WrongTypeError(value, "a number")


def whole_number(value: object, type_: object) -> int:
    """Return the whole number. The value may be text, as `pulumi config set` stores it."""
    result = number(value, type_)
    if not isinstance(result, int):
        raise WrongTypeError(value, "a whole number")
    return result
