"""Validates the values in a CSV file against its dataset's schema.

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

from ..s3.csv_files import MAX_SHOWN_CHARACTERS, FileSample
from .snapshot import SchemaField

ID_COLUMNS = ("USER_ID", "ITEM_ID", "ACTION_ID")
MAX_ID_LENGTH = 256
"""The maximum length of a value in these columns."""
MAX_TEXT_LENGTH = 1000
"""The maximum length of a value in any other column that isn't textual."""
MIN_EVENT_YEAR = 1990
"""An interaction before this year is a mistake. For example, its time may be in days."""
MIN_EVENT_SECONDS = datetime(MIN_EVENT_YEAR, 1, 1, tzinfo=UTC).timestamp()
"""The start of that year in seconds since 1970."""
DAY_SECONDS = 24 * 60 * 60
MIN_MILLISECONDS = 10**11
"""Times from here on must be in milliseconds. In seconds, they would be in the year 5138."""
# Limit the digits, because Python refuses to parse thousands of them, even if all are zeros.
WHOLE_NUMBER = re.compile(rf"-?[0-9]{{1,{MAX_TEXT_LENGTH}}}")
DECIMAL_NUMBER = re.compile(r"-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")


class _NumberType(NamedTuple):
    """The format and range of a numeric Avro type."""

    pattern: re.Pattern[str]
    parse: Callable[[str], float]
    limit: float
    """A value is at least `-limit`, and less than `limit`."""
    advice: str


WHOLE_NUMBER_ADVICE = "write a {}-bit whole number: digits with an optional minus"
WHOLE_SECONDS_ADVICE = "write whole seconds since 1970"
TIME_COLUMNS = ("TIMESTAMP", "CREATION_TIMESTAMP")
"""The columns with times. Their values need more specific advice than other numbers."""
DECIMAL_TYPE = _NumberType(DECIMAL_NUMBER, float, math.inf, "write a number like -2.5 or 1e-3")
NUMBER_TYPES: Mapping[str, _NumberType] = {
    "int": _NumberType(WHOLE_NUMBER, int, 2**31, WHOLE_NUMBER_ADVICE.format(32)),
    "long": _NumberType(WHOLE_NUMBER, int, 2**63, WHOLE_NUMBER_ADVICE.format(64)),
    "float": DECIMAL_TYPE,
    "double": DECIMAL_TYPE,
}
"""Avro type -> the format and range of its numbers."""


def find_first_value_error(
    file: FileSample, fields: Sequence[SchemaField], now: datetime
) -> str | None:
    """Validate the rows of a file, and return a message about the first wrong value, or None."""
    # Cache the results, because many rows have the same values.
    validators = {
        field["name"]: cache(partial(find_value_error, field=field, now=now)) for field in fields
    }

    for line_number, values in file.rows:
        for name, value in zip(file.header, values, strict=True):
            # Personalize doesn't import columns that the schema lacks.
            if name not in validators:
                continue

            error = validators[name](value)
            if error:
                return f"line {line_number}: {name} is {value[:MAX_SHOWN_CHARACTERS]!r}, {error}"
    return None


def find_value_error(value: str, field: SchemaField, now: datetime) -> str | None:
    """Validate a field's value, and return what is wrong and how to correct it, or None.

    The caller puts the column's name and the value in front of this message.
    """
    avro_types = field["type"]
    if isinstance(avro_types, str):
        avro_types = [avro_types]

    # If a field allows several types, validate its values as strings.
    value_types = [name for name in avro_types if name != "null"]
    avro_type = "string"
    if len(value_types) == 1:
        avro_type = value_types[0]

    # An empty value is null.
    if not value:
        if "null" in avro_types:
            return None
        return f"but the schema requires {avro_type}; write a value"

    if avro_type in NUMBER_TYPES:
        return _find_number_error(value, avro_type, field["name"], now)
    if avro_type == "boolean":
        return _find_boolean_error(value)
    return _find_text_error(value, field)


def _find_boolean_error(value: str) -> str | None:
    """Explain why a value isn't a boolean, or return None if it is."""
    if value.lower() in ("true", "false"):
        return None
    return "but the schema requires boolean; write true or false"


def _find_text_error(value: str, field: SchemaField) -> str | None:
    """Explain that a string is too long, or return None if it isn't."""
    max_length = MAX_TEXT_LENGTH
    if field["name"] in ID_COLUMNS:
        max_length = MAX_ID_LENGTH

    # Personalize truncates textual values that are too long, and imports them.
    if len(value) <= max_length or field.get("textual") is True:
        return None
    return (
        f"which has {len(value)} characters, but Personalize accepts at most {max_length}; "
        "shorten it"
    )


def _find_number_error(value: str, avro_type: str, column: str, now: datetime) -> str | None:
    """Explain what is wrong with a number, or return None."""
    number_type = NUMBER_TYPES[avro_type]
    if number_type.pattern.fullmatch(value):
        number = number_type.parse(value)
        # Both comparisons are strict, so that infinity is out of range too.
        if -number_type.limit - 1 < number < number_type.limit:
            return _find_time_error(number, column, now)

    advice = number_type.advice
    if column in TIME_COLUMNS:
        advice = WHOLE_SECONDS_ADVICE
    if value != value.strip():
        advice = "write it without spaces around it"
    return f"but the schema requires {avro_type}; {advice}"


def _find_time_error(seconds: float, column: str, now: datetime) -> str | None:
    """Explain why a time isn't in seconds or is out of range, or return None.

    Columns without times aren't checked. Interactions must be between 1990 and the end of tomorrow
    in UTC. An item may have been created earlier. If it's only announced, its creation time may be
    in the future.
    """
    milliseconds_error = "which is in milliseconds; write seconds since 1970"
    if column == "CREATION_TIMESTAMP" and seconds >= MIN_MILLISECONDS:
        return milliseconds_error
    if column != "TIMESTAMP":
        return None

    days_since_1970 = now.timestamp() // DAY_SECONDS
    end_of_tomorrow = (days_since_1970 + 2) * DAY_SECONDS
    if MIN_EVENT_SECONDS <= seconds < end_of_tomorrow:
        return None
    if MIN_EVENT_SECONDS <= seconds / 1000 < end_of_tomorrow:
        return milliseconds_error

    if seconds < MIN_EVENT_SECONDS:
        return f"which is before {MIN_EVENT_YEAR}; write seconds since 1970"
    return "which is later than tomorrow; write seconds since 1970, not in the future"
