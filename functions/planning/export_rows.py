"""Checks the columns, the values and the number of rows of an export. Each guard yields messages.

The rules are tables from a name to a check. Sources:
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

from ..csv_files import SHOWN_CHARACTERS, SHOWN_FILES, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ..csv_files import FileSample, Row
    from .situation import Situation
    from .world import SchemaField

MAX_HEADER_LENGTH = 200
"""A message shows this number of characters of a header. The first line of a file that is not CSV
may be very long."""
CHECKED_ROWS = 1000
"""The number of rows of each file whose values are checked."""
MIN_ROWS = 1000
"""An import of interactions needs this number of rows."""
MAX_ID_LENGTH = 256
MAX_LENGTH = 1000
ID_COLUMNS = ("USER_ID", "ITEM_ID", "ACTION_ID")
FIRST_YEAR = 1990
"""An interaction before this year is an error, for example a time that counts days."""
FIRST_TIME = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC).timestamp()
FIRST_MILLISECONDS = 10**11
"""A time from this number on is not in seconds, which would be the year 5138."""
WHOLE_NUMBER = re.compile(r"-?[0-9]+")
DECIMAL_NUMBER = re.compile(r"-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
BITS = {"int": 32, "long": 64}
"""Avro type -> the number of bits of a whole number."""


# Columns


def wrong_columns(situation: Situation) -> Iterator[str]:
    """Yield a message for a file whose header lacks a required field of the schema.

    The order of the columns does not matter. All files must have the same columns.
    """
    files = [file for file in situation.export.samples if not file.error]
    messages = (
        f"{situation.export.url(file.key)}: {message}"
        for file in files
        if (message := _wrong_columns(file, files, situation.fields))
    )
    yield from islice(messages, SHOWN_FILES)


def unknown_columns(situation: Situation) -> Iterator[str]:
    """Yield a message for columns that are not in the schema, which are not imported."""
    export = situation.export
    schema_columns = {field["name"] for field in situation.fields}
    columns = dict.fromkeys(name for file in export.samples for name in file.header)
    unknown = [printable(name[:SHOWN_CHARACTERS]) for name in columns if name not in schema_columns]
    if unknown and schema_columns:
        yield (
            f"{export.location} has columns that the dataset's schema lacks: {', '.join(unknown)}; "
            "they are not imported; remove them, or rename them if a name is misspelt"
        )


def order_of_columns(situation: Situation) -> Iterator[str]:
    """Yield a message for a file whose columns are in another order than in the schema.

    The guide asks for this order, and it is not known whether another one is a problem:
    https://docs.aws.amazon.com/personalize/latest/dg/how-it-works-dataset-schema.html.
    """
    names = [field["name"] for field in situation.fields]
    for file in situation.export.samples:
        in_file = [name for name in file.header if name in names]
        in_schema = [name for name in names if name in file.header]
        if in_file != in_schema:
            yield (
                f"{situation.export.url(file.key)}: the columns are in another order than in the "
                f"dataset's schema, which has {', '.join(in_schema)}; if values arrive in wrong "
                "columns, write them in this order"
            )
            return


def _wrong_columns(
    file: FileSample, files: Sequence[FileSample], fields: Sequence[SchemaField]
) -> str | None:
    """Return the first message about the columns of a file, or None."""
    messages = (check(file, files, fields) for check in COLUMN_RULES.values())
    return next(filter(None, messages), None)


def _required_columns(
    file: FileSample, files: Sequence[FileSample], fields: Sequence[SchemaField]
) -> str | None:
    """Return a message if the header lacks a field that may not be null."""
    del files
    required = [field["name"] for field in fields if not _is_nullable(field)]
    missing = [name for name in required if name not in file.header]
    if not missing:
        return None
    header = printable(", ".join(file.header)[:MAX_HEADER_LENGTH])
    return (
        f"the header lacks {', '.join(missing)}, which the dataset's schema requires; the header "
        f"is {header or 'empty'}; add or rename columns in the export"
    )


def _equal_columns(
    file: FileSample, files: Sequence[FileSample], fields: Sequence[SchemaField]
) -> str | None:
    """Return a message if the file has other columns than the first file."""
    del fields
    differing_columns = sorted(set(file.header) ^ set(files[0].header))
    if not differing_columns:
        return None
    column = printable(differing_columns[0][:SHOWN_CHARACTERS])
    return (
        f"this file and {files[0].key} do not both have the column {column}, but all files of an "
        "import must have the same columns; repeat the export"
    )


COLUMN_RULES: Mapping[
    str, Callable[[FileSample, Sequence[FileSample], Sequence[SchemaField]], str | None]
] = {
    "required columns": _required_columns,
    "equal columns": _equal_columns,
}
"""Name of a rule -> the check of a file's header."""


# Values


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
        if value == "" and _is_nullable(column.field):
            continue
        for check in column.checks:
            if problem := check(value, column.field, now):
                shown_value = value[:SHOWN_CHARACTERS]
                return f"line {row.line}: {column.field['name']} is {shown_value!r}, {problem}"
    return None


def _types(field: SchemaField) -> list[str]:
    """Return the Avro types of a field, for example `null` and `string`."""
    return [field["type"]] if isinstance(field["type"], str) else field["type"]


def _is_nullable(field: SchemaField) -> bool:
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
    return (
        f"but the schema requires {_type(field)}; write a value, or allow null in the schema of a "
        "new dataset"
    )


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


# The number of rows


def too_few_rows(situation: Situation) -> Iterator[str]:
    """Yield a message for an export that has fewer than the 1,000 interactions of an import."""
    if not _events_arrive(situation):
        yield from _too_few_rows(situation)


def few_rows_beside_events(situation: Situation) -> Iterator[str]:
    """Yield a message for a FULL export of fewer than 1,000 interactions beside recorded events.

    With the events of a tracker, or of a `streamed` dataset, there may be enough interactions.
    """
    if _events_arrive(situation):
        yield from _too_few_rows(situation)


def _events_arrive(situation: Situation) -> bool:
    """Return True if a FULL import of the selected dataset is not its only source of data."""
    dataset = situation.dataset
    is_streamed = bool(situation.world.event_trackers) or dataset.get("streamed", False)
    return dataset["importMode"] == "FULL" and is_streamed


def _too_few_rows(situation: Situation) -> Iterator[str]:
    """Yield a message if the export is known to have too few rows. Another guard finds no rows."""
    dataset, rows = situation.dataset, situation.export.row_count
    mode = dataset["importMode"]
    needs_rows = dataset["type"] == "interactions" or (
        dataset["type"] == "actionInteractions" and mode == "INCREMENTAL"
    )
    if not needs_rows or not rows or rows >= MIN_ROWS:
        return
    advice = {
        "FULL": "export all interactions, because a FULL import replaces all bulk data",
        "INCREMENTAL": (
            "import less often, or use importMode FULL with a complete export, because it "
            "replaces all bulk data"
        ),
    }
    yield (
        f"{situation.export.location} has {rows} interactions, but an import takes at least "
        f"{MIN_ROWS}; {advice[mode]}"
    )
