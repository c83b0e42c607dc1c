"""Reads the CSV files of an import job, and fails the job if a file breaks a rule of the service.

The rules are tables from a name to a check. A check returns the reason for which the job fails, or
None. Sources: the pages "Preparing training data", "Preparing item metadata for training",
"Creating schema JSON files" and "Endpoints and quotas" of the guide of Amazon Personalize.
"""

import csv
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import NamedTuple

from emulator.personalize.errors import JobFailed
from emulator.personalize.tables import Field, Row, RowSchema, Value

SHOWN_CHARACTERS = 20
"""A failure reason shows this number of characters of a value."""
MAX_ID_LENGTH = 256
MAX_LENGTH = 1000
ID_FIELDS = ("USER_ID", "ITEM_ID", "ACTION_ID")
FORMAT_PAGE = "https://docs.aws.amazon.com/personalize/latest/dg/data-prep-formatting.html"
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC).timestamp()
FIRST_MILLISECONDS = 10**11
"""A time from this number on is not in seconds, which would be the year 5138."""

LINE_BREAK = re.compile(r"\r\n|\n|\r")
FIRST_LINE = re.compile(r"[^\r\n]+")
WHOLE_NUMBER = re.compile(r"-?[0-9]+")
DECIMAL_NUMBER = re.compile(r"-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
BITS = {"int": 32, "long": 64}
NUMBERS = ("int", "long", "float", "double")
BYTE_ORDER_MARKS = (b"\xff\xfe", b"\xfe\xff")
COMPRESSIONS = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip",
    b"BZh91AY&SY": "bzip2",
    b"\x28\xb5\x2f\xfd": "Zstandard",
    b"PAR1\x15": "Parquet",
}
"""The first bytes of a file -> the format that begins with them."""


class Line(NamedTuple):
    """A line of a CSV file, with its number. The first line of a file is 1."""

    number: int
    text: str


# The rules of a whole file


def _compressed(data: bytes) -> str | None:
    """Return the reason for a file that is compressed, or whose format is not CSV."""
    for first_bytes, name in COMPRESSIONS.items():
        if data.startswith(first_bytes):
            return f"is {name}, not CSV"
    return None


def _utf_16(data: bytes) -> str | None:
    """Return the reason for a file in UTF-16, or with the bytes of a binary file."""
    return "is UTF-16, not UTF-8" if data.startswith(BYTE_ORDER_MARKS) or b"\0" in data else None


def _utf_8(data: bytes) -> str | None:
    """Return the reason for a file that is not UTF-8."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return "is not UTF-8"
    return None


FILE_RULES: Mapping[str, Callable[[bytes], str | None]] = {
    "compression": _compressed,
    "UTF-16": _utf_16,
    "UTF-8": _utf_8,
}


# The rules of the header


def _quoted_header(line: str, schema: RowSchema) -> str | None:
    """Return the reason for a header with quotation marks."""
    del schema
    return "Input csv has quotation marks in its header" if '"' in line else None


def _unique_columns(line: str, schema: RowSchema) -> str | None:
    """Return the reason for two names that are equal except for underscores."""
    del schema
    names = Counter(name.replace("_", "") for name in line.split(","))
    duplicates = [name for name in line.split(",") if names[name.replace("_", "")] > 1]
    shown = [name if name.isprintable() else repr(name) for name in duplicates]
    return f"Input csv has duplicate columns: [{', '.join(shown)}]" if duplicates else None


def _required_columns(line: str, schema: RowSchema) -> str | None:
    """Return the reason for a header that lacks a column that may not be null."""
    header = line.split(",")
    required = [column.name for column in schema.fields if not column.nullable]
    missing = [name for name in required if name not in header]
    if missing:
        return f"Input csv is missing the following columns: [{', '.join(missing)}]"
    return None


HEADER_RULES: Mapping[str, Callable[[str, RowSchema], str | None]] = {
    "quoted header": _quoted_header,
    "unique columns": _unique_columns,
    "required columns": _required_columns,
}


# The rules of a line


def _record_per_line(values: Sequence[str], columns: int) -> str | None:
    """Return the reason for a line that is only a part of a record."""
    del columns
    return None if values else "is not one record"


def _values_per_line(values: Sequence[str], columns: int) -> str | None:
    """Return the reason for a line with more or fewer values than columns."""
    return None if len(values) == columns else f"has {len(values)} values for {columns} columns"


LINE_RULES: Mapping[str, Callable[[Sequence[str], int], str | None]] = {
    "record per line": _record_per_line,
    "values per line": _values_per_line,
}


# The rules of a value


class ValueRule(NamedTuple):
    """A rule of the values of some columns. An empty value only has to keep the rule "null"."""

    concerns: Callable[[Field], bool]
    is_kept: Callable[[str, Field, date], bool]
    """The last argument is the day of the import in UTC."""
    reason: Callable[[str, Field], str]
    """Returns the reason for which a job with this value fails."""


def _is_whole_number(value: str, column: Field, today: date) -> bool:
    """Return True if a text is an `int` or `long`."""
    del today
    limit = 2 ** (BITS[column.type] - 1)
    # Python refuses to parse a number of thousands of digits, even if they are zeros.
    is_short = len(value) <= MAX_LENGTH
    return bool(WHOLE_NUMBER.fullmatch(value)) and is_short and -limit <= int(value) < limit


def _is_decimal_number(value: str, column: Field, today: date) -> bool:
    """Return True if a text is a `float` or `double`."""
    del column, today
    return bool(DECIMAL_NUMBER.fullmatch(value)) and math.isfinite(float(value))


def _is_boolean(value: str, column: Field, today: date) -> bool:
    """Return True if a text is a `boolean`."""
    del column, today
    return value.lower() in ("true", "false")


def _has_length(value: str, column: Field, today: date) -> bool:
    """Return True if a text is not too long."""
    del today
    return len(value) <= _max_length(column)


def _max_length(column: Field) -> int:
    """Return the largest number of characters of a text in a column."""
    return MAX_ID_LENGTH if column.name in ID_FIELDS else MAX_LENGTH


def _is_timestamp(value: str, column: Field, today: date) -> bool:
    """Return True if a time is between 1990 and the end of tomorrow in UTC."""
    del column
    return EARLIEST <= float(value) < _end_of_tomorrow(today)


@cache
def _end_of_tomorrow(today: date) -> float:
    """Return the first second after tomorrow in UTC. It is computed once for all values."""
    return (datetime.combine(today, time(), UTC) + timedelta(days=2)).timestamp()


def _is_creation_timestamp(value: str, column: Field, today: date) -> bool:
    """Return False for a time in milliseconds. An item may be much older than its interactions."""
    del column, today
    return float(value) < FIRST_MILLISECONDS


def _wrong_type(value: str, column: Field) -> str:
    """Return the reason for a value of another type."""
    return f"{column.name} {value[:SHOWN_CHARACTERS]!r} is not a {column.type}"


def _too_long(value: str, column: Field) -> str:
    """Return the reason for a text that is too long, in the words of the service."""
    del value
    return (
        f"Length cannot be more than {_max_length(column)} characters for {column.name}. If no "
        "values exceed the character limit, make sure your data follows the formatting guidelines "
        f"listed in {FORMAT_PAGE}."
    )


def _wrong_time(value: str, column: Field) -> str:
    """Return the reason for a time in another unit or in the future."""
    return f"{column.name} {value[:SHOWN_CHARACTERS]!r} is not a time in seconds since 1970"


VALUE_RULES: Mapping[str, ValueRule] = {
    "null": ValueRule(
        lambda _: True, lambda value, column, _: bool(value) or column.nullable, _wrong_type
    ),
    "whole number": ValueRule(lambda column: column.type in BITS, _is_whole_number, _wrong_type),
    "decimal number": ValueRule(
        lambda column: column.type in ("float", "double"), _is_decimal_number, _wrong_type
    ),
    "boolean": ValueRule(lambda column: column.type == "boolean", _is_boolean, _wrong_type),
    "length": ValueRule(
        # The service cuts a textual value off and imports it.
        lambda column: column.type == "string" and not column.textual,
        _has_length,
        _too_long,
    ),
    "timestamp": ValueRule(
        lambda column: column.name == "TIMESTAMP" and column.type in NUMBERS,
        _is_timestamp,
        _wrong_time,
    ),
    "creation timestamp": ValueRule(
        lambda column: column.name == "CREATION_TIMESTAMP" and column.type in NUMBERS,
        _is_creation_timestamp,
        _wrong_time,
    ),
}


# Reading


def read_csv(name: str, data: bytes, schema: RowSchema, today: date) -> list[Row]:
    """Return the rows of a CSV file with a header, in the order of the schema's columns.

    Other columns of the file are left out, and a missing nullable column is None in every row.
    Empty lines are left out. `name` stands for the file in messages.

    Raises:
        JobFailed: The file breaks a rule.
    """
    for check_file in FILE_RULES.values():
        if reason := check_file(data):
            raise JobFailed(f"{name} {reason}")
    header, *lines = _lines(data) or [Line(1, "")]
    for check_header in HEADER_RULES.values():
        if reason := check_header(header.text, schema):
            raise JobFailed(reason)
    names = header.text.split(",")
    columns = [_Column.of(column, names, today) for column in schema.fields]
    rows = []
    for line in lines:
        place = f"{name}, line {line.number}"
        values = cells(line.text)
        for check_line in LINE_RULES.values():
            if reason := check_line(values, len(names)):
                raise JobFailed(f"{place} {reason}")
        rows.append(tuple(column.value(values, place) for column in columns))
    return rows


def check_equal_columns(files: Mapping[str, bytes]) -> None:
    """Raise JobFailed if the files of an import job do not have the same columns.

    `read_csv` must have accepted each file.
    """
    headers = [FIRST_LINE.search(data.decode()) for data in files.values()]
    if len({frozenset(header[0].split(",")) for header in headers if header}) > 1:
        raise JobFailed("Input csv files do not have the same columns")


def cells(line: str) -> list[str]:
    r"""Return the values of a line. `\` is the escape character.

    The list is empty if the line is not one record: a quotation mark is not closed, text follows
    the mark that closes a value, or the line ends in the escape character.
    """
    if '"' not in line and "\\" not in line:
        return line.split(",")
    try:
        return next(csv.reader([line], escapechar="\\", strict=True))
    except csv.Error:
        return []


@dataclass(frozen=True)
class _Column:
    """A column of the schema in a file: its position, and the rules of its values."""

    field: Field
    position: int | None
    """None if the file lacks the column."""
    rules: Sequence[ValueRule]
    today: date
    checked: dict[str, Value] = dataclass_field(default_factory=dict)
    """The values by their texts, because most texts occur in many lines."""

    @classmethod
    def of(cls, field: Field, header: Sequence[str], today: date) -> "_Column":
        """Return the column of a field in a file with this header."""
        position = header.index(field.name) if field.name in header else None
        rules = [rule for rule in VALUE_RULES.values() if rule.concerns(field)]
        return cls(field, position, rules, today)

    def value(self, values: Sequence[str], place: str) -> Value:
        """Return the value of this column in a line, or None if the file lacks the column.

        Raises:
            JobFailed: The value breaks a rule. The message names `place`.
        """
        text = "" if self.position is None else values[self.position]
        if text in self.checked:
            return self.checked[text]
        if text == "" and self.field.nullable:
            return None
        for rule in self.rules:
            if not rule.is_kept(text, self.field, self.today):
                raise JobFailed(f"{place}: {rule.reason(text, self.field)}")
        self.checked[text] = self.field.parse(text)
        return self.checked[text]


def _lines(data: bytes) -> list[Line]:
    """Return the lines of a file that are not empty. The first one is the header."""
    lines = LINE_BREAK.split(data.decode())
    return [Line(number, text) for number, text in enumerate(lines, start=1) if text]
