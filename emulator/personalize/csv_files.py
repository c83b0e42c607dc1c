"""Parses CSV files, and raises JobFailed if Personalize wouldn't accept them.

The rules come from these pages of the guide: "Preparing training data", "Preparing item metadata
for training", "Creating schema JSON files" and "Endpoints and quotas".
"""

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, partial
from typing import NamedTuple

from emulator.personalize.errors import JobFailed
from emulator.personalize.tables import AVRO_TYPES, MAX_TEXT_LENGTH, Field, Row, Value

MAX_SHOWN_CHARACTERS = 20
"""How much of a wrong value a failure reason quotes."""
MAX_ID_LENGTH = 256
ID_FIELDS = ("USER_ID", "ITEM_ID", "ACTION_ID")
EARLIEST_INTERACTION = datetime(1990, 1, 1, tzinfo=UTC).timestamp()
MIN_MILLISECONDS = 10**11
"""From here on, a timestamp must be in milliseconds. In seconds, it would be in the year 5138."""
LINE_BREAK = re.compile(r"\r\n|\n|\r")
TOO_LONG_MESSAGE = (
    "Length cannot be more than {length} characters for {name}. If no values exceed the character "
    "limit, make sure your data follows the formatting guidelines listed in "
    "https://docs.aws.amazon.com/personalize/latest/dg/data-prep-formatting.html."
)
"""The error message that Personalize itself uses."""


class CsvFile(NamedTuple):
    """The contents of a parsed file."""

    columns: list[str]
    """The columns in the file's header."""

    rows: list[Row]
    """The rows, whose values are in the order of the schema instead of the header."""


class ColumnParser(NamedTuple):
    """Where the values of a column are in each line, and how to parse them."""

    position: int
    parse: Callable[[str], Value]


def read_csv(file_name: str, content: bytes, schema: Sequence[Field], today: date) -> CsvFile:
    """Parse a CSV file with a header, or raise JobFailed if it's invalid.

    Columns that aren't in the schema are dropped, and missing nullable columns are filled with
    None. Empty lines are skipped. `file_name` is only used in failure reasons. `today` is the date
    in UTC, so that interactions after tomorrow can be rejected.
    """
    text = _decode(file_name, content)
    numbered_lines = enumerate(LINE_BREAK.split(text), start=1)
    lines = [(number, line) for number, line in numbered_lines if line]
    if not lines:
        lines = [(1, "")]  # An empty file has an empty header.

    header = lines[0][1]
    columns = header.split(",")
    _check_header(columns, schema)

    parsers = _build_parsers(columns, schema, today)
    return CsvFile(columns, _parse_rows(file_name, lines[1:], len(columns), parsers))


def _decode(file_name: str, content: bytes) -> str:
    """Decode a file, and fail the job if it isn't UTF-8 text."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = "\0"

    if "\0" in text:
        raise JobFailed(f"{file_name} is not a CSV file in UTF-8")

    return text


def _check_header(columns: Sequence[str], schema: Sequence[Field]) -> None:
    """Fail the job if the header is malformed, or lacks a required column."""
    quoted = [name for name in columns if '"' in name]
    _reject_columns("has quotation marks in its header", quoted)

    # Names that only differ in underscores count as duplicates.
    counts = Counter(name.replace("_", "") for name in columns)
    repeated = [name for name in columns if counts[name.replace("_", "")] > 1]
    _reject_columns("has duplicate columns", repeated)

    required = [field.name for field in schema if not field.nullable]
    missing = [name for name in required if name not in columns]
    _reject_columns("is missing the following columns", missing)


def _reject_columns(problem: str, columns: Sequence[str]) -> None:
    """Fail the job if any columns have this problem."""
    if columns:
        # Escape control characters, because the failure reason may be shown on a terminal.
        shown_names = [name if name.isprintable() else repr(name) for name in columns]
        raise JobFailed(f"Input csv {problem}: [{', '.join(shown_names)}]")


def _build_parsers(
    columns: Sequence[str], schema: Sequence[Field], today: date
) -> list[ColumnParser]:
    """Build a parser for each field of the schema.

    Only a nullable column can be missing. Its parser gets the empty value that `_parse_rows`
    appends to each line, and turns it into None.
    """
    end_of_tomorrow = (datetime.combine(today, time(), UTC) + timedelta(days=2)).timestamp()

    parsers = []
    for field in schema:
        position = -1
        if field.name in columns:
            position = columns.index(field.name)

        # Most values occur in many lines, so cache the results for each column.
        parse = cache(partial(_parse_value, field, end_of_tomorrow))
        parsers.append(ColumnParser(position, parse))

    return parsers


def _parse_rows(
    file_name: str,
    lines: Iterable[tuple[int, str]],
    column_count: int,
    parsers: Sequence[ColumnParser],
) -> list[Row]:
    """Parse numbered lines, and fail the job at the first one that's invalid."""
    rows = []
    for number, line in lines:
        values = _split_line(line)
        if len(values) != column_count:
            raise JobFailed(f"{file_name}, line {number} does not have {column_count} values")

        values.append("")  # the value of missing columns
        try:
            rows.append(tuple([parse(values[position]) for position, parse in parsers]))
        except JobFailed as failure:
            raise JobFailed(f"{file_name}, line {number}: {failure}") from None

    return rows


def _split_line(line: str) -> list[str]:
    r"""Split a line into its values, where `\` is the escape character.

    If the line is malformed, return an empty list: a quotation mark isn't closed, text follows a
    closing one, or the line ends with the escape character.
    """
    if '"' not in line and "\\" not in line:
        return line.split(",")
    try:
        return next(csv.reader([line], escapechar="\\", strict=True))
    except csv.Error:
        return []


def _parse_value(field: Field, end_of_tomorrow: float, text: str) -> Value:
    """Parse a value as its Avro type, and fail the job if it's invalid."""
    if text == "" and field.nullable:
        return None

    avro_type = AVRO_TYPES[field.type]
    quoted_value = f"{field.name} {text[:MAX_SHOWN_CHARACTERS]!r}"
    if not avro_type.pattern.fullmatch(text):
        raise JobFailed(f"{quoted_value} is not a {field.type}")

    value = avro_type.parse(text)
    if isinstance(value, str):
        _check_length(field, value)
        return value

    if not -avro_type.range_end - 1 < value < avro_type.range_end:
        raise JobFailed(f"{quoted_value} is not a {field.type}")
    if not _is_possible_time(field.name, value, end_of_tomorrow):
        raise JobFailed(f"{quoted_value} is not a time in seconds since 1970")

    return value


def _check_length(field: Field, value: str) -> None:
    """Fail the job if a string is too long, except in a textual field, which AWS truncates."""
    max_length = MAX_TEXT_LENGTH
    if field.name in ID_FIELDS:
        max_length = MAX_ID_LENGTH
    if len(value) > max_length and not field.textual:
        raise JobFailed(TOO_LONG_MESSAGE.format(length=max_length, name=field.name))


def _is_possible_time(field_name: str, value: float, end_of_tomorrow: float) -> bool:
    """Return False for a time in milliseconds, or an interaction before 1990 or after tomorrow."""
    if field_name == "TIMESTAMP":
        return EARLIEST_INTERACTION <= value < end_of_tomorrow
    if field_name == "CREATION_TIMESTAMP":
        # An item may be much older than its interactions.
        return value < MIN_MILLISECONDS

    return True
