"""Validates the values in a CSV file against the schema of its dataset.

Sources:
https://docs.aws.amazon.com/personalize/latest/dg/custom-datasets-and-schemas.html,
https://docs.aws.amazon.com/personalize/latest/dg/preparing-training-data.html,
https://docs.aws.amazon.com/personalize/latest/dg/how-it-works-dataset-schema.html and
https://docs.aws.amazon.com/personalize/latest/dg/limits.html.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache, partial
from typing import NamedTuple

from ..csv_files import SHOWN_CHARACTERS, FileSample
from .snapshot import SchemaField

ID_COLUMNS = ("USER_ID", "ITEM_ID", "ACTION_ID")
MAX_ID_LENGTH = 256
"""The most characters of a value in these columns."""
MAX_LENGTH = 1000
"""The most characters of any other value that isn't textual."""
FIRST_YEAR = 1990
"""An interaction before this year is a mistake, for example a time that counts days."""
FIRST_TIME = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC).timestamp()
"""The beginning of this year in seconds since 1970."""
DAY_SECONDS = 24 * 60 * 60
FIRST_MILLISECONDS = 10**11
"""From this number on, a time can't be in seconds, because it would be in the year 5138."""
# The digits are limited, because Python refuses to parse thousands of them, even if all are zeros.
WHOLE_NUMBER = re.compile(rf"-?[0-9]{{1,{MAX_LENGTH}}}")
DECIMAL_NUMBER = re.compile(r"-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")


class _Number(NamedTuple):
    """What a value of a numeric Avro type may look like."""

    pattern: re.Pattern[str]
    parse: Callable[[str], float]
    limit: float
    """A value is in the range from `-limit` to below `limit`."""
    advice: str


WHOLE_ADVICE = "write a {}-bit whole number: digits with an optional minus"
WHOLE_SECONDS = "write whole seconds since 1970"
TIMES = ("TIMESTAMP", "CREATION_TIMESTAMP")
"""The columns of times, for which the advice about numbers would not be enough."""
DECIMALS = _Number(DECIMAL_NUMBER, float, math.inf, "write a number like -2.5 or 1e-3")
NUMBERS: Mapping[str, _Number] = {
    "int": _Number(WHOLE_NUMBER, int, 2**31, WHOLE_ADVICE.format(32)),
    "long": _Number(WHOLE_NUMBER, int, 2**63, WHOLE_ADVICE.format(64)),
    "float": DECIMALS,
    "double": DECIMALS,
}
"""Avro type -> what its numbers look like."""


def find_wrong_value(file: FileSample, fields: Sequence[SchemaField], now: datetime) -> str | None:
    """Validate the rows of a file, and return a message about the first wrong value, or None."""
    # A value that was checked once isn't checked again, because many rows have the same values.
    checks = {
        field["name"]: cache(partial(find_value_error, field=field, now=now)) for field in fields
    }

    for line, values in file.rows:
        for name, value in zip(file.header, values, strict=True):
            if name in checks and (error := checks[name](value)):
                return f"line {line}: {name} is {value[:SHOWN_CHARACTERS]!r}, {error}"
    return None


def find_value_error(value: str, field: SchemaField, now: datetime) -> str | None:
    """Validate a field's value, and return what is wrong and how to correct it, or None.

    The message follows the name of the column and the value.
    """
    avro_types = field["type"]
    if isinstance(avro_types, str):
        avro_types = [avro_types]

    # If a field allows several types, its values are checked like texts.
    value_types = [name for name in avro_types if name != "null"]
    avro_type = "string"
    if len(value_types) == 1:
        avro_type = value_types[0]

    # An empty value is null.
    if not value and "null" in avro_types:
        return None
    if not value:
        return f"but the schema requires {avro_type}; write a value"
    if avro_type in NUMBERS:
        return _find_number_error(value, avro_type, field["name"], now)
    if avro_type == "boolean":
        return _find_boolean_error(value)
    return _find_text_error(value, field)


def _find_boolean_error(value: str) -> str | None:
    """Reject what isn't a boolean."""
    if value.lower() in ("true", "false"):
        return None
    return "but the schema requires boolean; write true or false"


def _find_text_error(value: str, field: SchemaField) -> str | None:
    """Reject a text that is too long."""
    max_length = MAX_LENGTH
    if field["name"] in ID_COLUMNS:
        max_length = MAX_ID_LENGTH

    # Personalize truncates a longer textual value and imports it.
    if len(value) <= max_length or field.get("textual") is True:
        return None
    return (
        f"which has {len(value)} characters, but Personalize accepts at most {max_length}; "
        "shorten it"
    )


def _find_number_error(value: str, avro_type: str, column: str, now: datetime) -> str | None:
    """Validate a number, and return what is wrong with it, or None."""
    number = NUMBERS[avro_type]
    is_number = number.pattern.fullmatch(value)
    # Both comparisons are strict, so that infinity is out of range too.
    if is_number and -number.limit - 1 < number.parse(value) < number.limit:
        return _find_time_error(number.parse(value), column, now)

    advice = number.advice
    if column in TIMES:
        advice = WHOLE_SECONDS
    if value != value.strip():
        advice = "write it without spaces around it"
    return f"but the schema requires {avro_type}; {advice}"


def _find_time_error(seconds: float, column: str, now: datetime) -> str | None:
    """Reject a number in a column of times that isn't in seconds or can't be right.

    An interaction is between 1990 and the end of tomorrow in UTC. The creation of an item may be
    earlier, or in the future if the item is only announced.
    """
    in_milliseconds = "which is in milliseconds; write seconds since 1970"
    if column == "CREATION_TIMESTAMP" and seconds >= FIRST_MILLISECONDS:
        return in_milliseconds
    if column != "TIMESTAMP":
        return None

    days_since_1970 = now.timestamp() // DAY_SECONDS
    end = (days_since_1970 + 2) * DAY_SECONDS
    if FIRST_TIME <= seconds < end:
        return None
    if FIRST_TIME <= seconds / 1000 < end:
        return in_milliseconds

    if seconds < FIRST_TIME:
        return f"which is before {FIRST_YEAR}; write seconds since 1970"
    return "which is later than tomorrow; write seconds since 1970, not in the future"
