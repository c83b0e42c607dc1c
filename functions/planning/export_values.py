"""Checks the values of an export against the schema of its dataset. Each guard yields messages.

The rules are a table from a name to a check. Sources:
https://docs.aws.amazon.com/personalize/latest/dg/custom-datasets-and-schemas.html,
https://docs.aws.amazon.com/personalize/latest/dg/preparing-training-data.html,
https://docs.aws.amazon.com/personalize/latest/dg/how-it-works-dataset-schema.html and
https://docs.aws.amazon.com/personalize/latest/dg/limits.html.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from ..csv_files import SHOWN_CHARACTERS, SHOWN_FILES
from .guards import guard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ..csv_files import FileSample, Row
    from .situation import Situation
    from .world import SchemaField

CHECKED_ROWS = 1000
"""The number of rows of each file whose values are checked."""
MAX_ID_LENGTH = 256
MAX_LENGTH = 1000
ID_COLUMNS = ("USER_ID", "ITEM_ID", "ACTION_ID")
REQUIRED_COLUMNS = (*ID_COLUMNS, "TIMESTAMP", "EVENT_TYPE")
"""The columns that a schema of some type of dataset has to have. Their types do not allow null."""
FIRST_YEAR = 1990
"""An interaction before this year is an error, for example a time that counts days."""
FIRST_TIME = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC).timestamp()
FIRST_MILLISECONDS = 10**11
"""A time from this number on is not in seconds, which would be the year 5138."""
WHOLE_NUMBER = re.compile(r"-?[0-9]+")
DECIMAL_NUMBER = re.compile(r"-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
BITS = {"int": 32, "long": 64}
"""Avro type -> the number of bits of a whole number."""


class ValueRule(NamedTuple):
    """A rule of the values of some columns. An empty value only has to keep the rule "null"."""

    concerns: Callable[[SchemaField], bool]
    check: Callable[[str, SchemaField, datetime], str | None]
    """Returns what is wrong with a value and the way out, or None. The last argument is now."""


class _Column(NamedTuple):
    """A column of a file that the schema contains."""

    position: int
    field: SchemaField
    checks: Sequence[Callable[[str, SchemaField, datetime], str | None]]


@guard("values", "REFUSE", "export")
def wrong_values(situation: Situation) -> Iterator[str]:
    """Yield a message for a file that has a wrong value in one of its first 1,000 rows."""
    messages = (
        f"{situation.export.url(file.key)}: {message}"
        for file in situation.export.samples
        if (message := _first_wrong_value(file, situation.fields, situation.world.now))
    )
    yield from islice(messages, SHOWN_FILES)


def _first_wrong_value(
    file: FileSample, fields: Sequence[SchemaField], now: datetime
) -> str | None:
    """Return a message about the first wrong value of a file, or None."""
    columns = _columns(file, fields)
    messages = (_wrong_value(row, columns, now) for row in file.rows[:CHECKED_ROWS])
    return next(filter(None, messages), None)


def _columns(file: FileSample, fields: Sequence[SchemaField]) -> list[_Column]:
    """Return the columns of a file that the schema contains."""
    return [
        _Column(
            file.header.index(field["name"]),
            field,
            [rule.check for rule in VALUE_RULES.values() if rule.concerns(field)],
        )
        for field in fields
        if field["name"] in file.header
    ]


def _wrong_value(row: Row, columns: Sequence[_Column], now: datetime) -> str | None:
    """Return a message about the first wrong value of a row, or None."""
    for column in columns:
        value = row.values[column.position]
        if value == "" and is_nullable(column.field):
            continue
        for check in column.checks:
            if problem := check(value, column.field, now):
                shown_value = value[:SHOWN_CHARACTERS]
                return f"line {row.line}: {column.field['name']} is {shown_value!r}, {problem}"
    return None


def _types(field: SchemaField) -> list[str]:
    """Return the Avro types of a field, for example `null` and `string`."""
    return [field["type"]] if isinstance(field["type"], str) else field["type"]


def is_nullable(field: SchemaField) -> bool:
    """Return True if a value of the field may be empty, so that a file need not have the column."""
    return "null" in _types(field)


def _type(field: SchemaField) -> str:
    """Return the Avro type of the values that are not null. A value of several types is a text."""
    names = [name for name in _types(field) if name != "null"]
    return names[0] if len(names) == 1 else "string"


def _has_type(*names: str) -> Callable[[SchemaField], bool]:
    """Return a function that returns True for a field of one of these Avro types."""
    return lambda field: _type(field) in names


def _is_time(name: str) -> Callable[[SchemaField], bool]:
    """Return a function that returns True for the field of this name, if it is a number."""
    is_number = _has_type("int", "long", "float", "double")
    return lambda field: field["name"] == name and is_number(field)


def _null(value: str, field: SchemaField, now: datetime) -> str | None:
    """Return a message for an empty value. It is called only if the schema allows no null."""
    del now
    if value:
        return None
    message = f"but the schema requires {_type(field)}; write a value"
    if field["name"] in REQUIRED_COLUMNS:
        return message
    return f"{message}, or allow null in the schema of a new dataset"


def _whole_number(value: str, field: SchemaField, now: datetime) -> str | None:
    """Return a message for a text that is not an `int` or `long`."""
    del now
    if not WHOLE_NUMBER.fullmatch(value):
        return (
            f"but the schema requires {_type(field)}; write a whole number, as digits with an "
            "optional minus"
        )
    bits = BITS[_type(field)]
    limit = 2 ** (bits - 1)
    # Python refuses to parse a number of thousands of digits, even if they are zeros.
    if len(value) <= MAX_LENGTH and -limit <= int(value) < limit:
        return None
    return f"but the schema requires {_type(field)}, which has {bits} bits; write a smaller number"


def _decimal_number(value: str, field: SchemaField, now: datetime) -> str | None:
    """Return a message for a text that is not a `float` or `double`."""
    del now
    if DECIMAL_NUMBER.fullmatch(value) and math.isfinite(float(value)):
        return None
    return f"but the schema requires {_type(field)}; write a number like -2.5 or 1e-3"


def _boolean(value: str, field: SchemaField, now: datetime) -> str | None:
    """Return a message for a text that is not a `boolean`."""
    del field, now
    if value.lower() in ("true", "false"):
        return None
    return "but the schema requires boolean; write true or false"


def _length(value: str, field: SchemaField, now: datetime) -> str | None:
    """Return a message for a text that is too long."""
    del now
    limit = MAX_ID_LENGTH if field["name"] in ID_COLUMNS else MAX_LENGTH
    if len(value) <= limit:
        return None
    return f"which has {len(value)} characters, but Personalize accepts at most {limit}; shorten it"


def _timestamp(value: str, field: SchemaField, now: datetime) -> str | None:
    """Return a message for a time that is not between 1990 and the end of tomorrow in UTC."""
    del field
    seconds = float(value)
    start, end = FIRST_TIME, _end_of_tomorrow(now)
    if start <= seconds < end:
        return None
    if seconds < 0:
        return "which is negative; write seconds since 1970"
    if seconds < start:
        return f"which is before {FIRST_YEAR}; write seconds since 1970"
    if start <= seconds / 1000 < end:
        return "which is in milliseconds; write seconds since 1970"
    return "which is later than tomorrow; write seconds since 1970, and no future time"


@cache
def _end_of_tomorrow(now: datetime) -> float:
    """Return the first second after tomorrow in UTC. It is computed once for all values."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return (midnight + timedelta(days=2)).timestamp()


def _creation_timestamp(value: str, field: SchemaField, now: datetime) -> str | None:
    """Return a message for a time in milliseconds. An item may be old, or announced."""
    del field, now
    if float(value) < FIRST_MILLISECONDS:
        return None
    return "which is in milliseconds; write seconds since 1970"


VALUE_RULES: Mapping[str, ValueRule] = {
    "null": ValueRule(lambda _: True, _null),
    "whole number": ValueRule(_has_type("int", "long"), _whole_number),
    "decimal number": ValueRule(_has_type("float", "double"), _decimal_number),
    "boolean": ValueRule(_has_type("boolean"), _boolean),
    "length": ValueRule(
        # Personalize cuts a textual value off and imports it.
        lambda field: _type(field) == "string" and field.get("textual") is not True,
        _length,
    ),
    "timestamp": ValueRule(_is_time("TIMESTAMP"), _timestamp),
    "creation timestamp": ValueRule(_is_time("CREATION_TIMESTAMP"), _creation_timestamp),
}
"""Name of a rule -> the check of a value."""
