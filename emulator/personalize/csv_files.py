"""Reads the CSV files of an import job, and fails the job if a file breaks a rule of the service.

Sources: the pages "Preparing training data", "Preparing item metadata for training", "Creating
schema JSON files" and "Endpoints and quotas" of the guide of Amazon Personalize.
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

SHOWN_CHARACTERS = 20  # of a value in a failure reason
MAX_ID_LENGTH = 256
ID_FIELDS = ("USER_ID", "ITEM_ID", "ACTION_ID")
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC).timestamp()
FIRST_MILLISECONDS = 10**11  # in seconds it would be the year 5138
LINE_BREAK = re.compile(r"\r\n|\n|\r")
TOO_LONG = (
    "Length cannot be more than {length} characters for {name}. If no values exceed the character "
    "limit, make sure your data follows the formatting guidelines listed in "
    "https://docs.aws.amazon.com/personalize/latest/dg/data-prep-formatting.html."
)
"""The words of the service."""


class CsvFile(NamedTuple):
    """The columns of a file, and its rows. The rows have the columns of the schema."""

    columns: list[str]
    rows: list[Row]


class ColumnReader(NamedTuple):
    """The position of a column's values in a line, and the function that reads one of them."""

    position: int
    read: Callable[[str], Value]


def read_csv(name: str, data: bytes, schema: Sequence[Field], today: date) -> CsvFile:
    """Read a CSV file with a header, or fail the job if the file breaks a rule.

    The rows lack other columns of the file, and a missing nullable column is None in every row.
    Empty lines are left out. `name` stands for the file in messages. `today` is the day of the
    import in UTC.
    """
    text = _decode(name, data)
    numbered_lines = enumerate(LINE_BREAK.split(text), start=1)
    lines = [(number, line) for number, line in numbered_lines if line]
    if not lines:
        lines = [(1, "")]  # the header of an empty file is empty

    header = lines[0][1]
    columns = header.split(",")
    _check_header(columns, schema)

    readers = _build_readers(columns, schema, today)
    return CsvFile(columns, _read_rows(name, lines[1:], len(columns), readers))


def _decode(name: str, data: bytes) -> str:
    """Decode a file, which must be text."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = "\0"

    if "\0" in text:
        raise JobFailed(f"{name} is not a CSV file in UTF-8")

    return text


def _check_header(columns: Sequence[str], schema: Sequence[Field]) -> None:
    """Fail the job if a file cannot have these columns."""
    quoted = [name for name in columns if '"' in name]
    _reject_columns("has quotation marks in its header", quoted)

    # Two names are equal if they differ only in underscores.
    counts = Counter(name.replace("_", "") for name in columns)
    repeated = [name for name in columns if counts[name.replace("_", "")] > 1]
    _reject_columns("has duplicate columns", repeated)

    required = [field.name for field in schema if not field.nullable]
    missing = [name for name in required if name not in columns]
    _reject_columns("is missing the following columns", missing)


def _reject_columns(problem: str, columns: Sequence[str]) -> None:
    """Fail the job if any columns have a problem."""
    if columns:
        # The failure reason may be shown on a terminal.
        shown_names = [name if name.isprintable() else repr(name) for name in columns]
        raise JobFailed(f"Input csv {problem}: [{', '.join(shown_names)}]")


def _build_readers(
    columns: Sequence[str], schema: Sequence[Field], today: date
) -> list[ColumnReader]:
    """Build the reader of each field of the schema.

    A missing column is nullable, so it reads the empty value that is appended to each line.
    """
    end_of_tomorrow = (datetime.combine(today, time(), UTC) + timedelta(days=2)).timestamp()

    readers = []
    for field in schema:
        position = -1
        if field.name in columns:
            position = columns.index(field.name)

        # Most texts occur in many lines, so each column remembers their values.
        read = cache(partial(_read_value, field, end_of_tomorrow))
        readers.append(ColumnReader(position, read))

    return readers


def _read_rows(
    name: str, lines: Iterable[tuple[int, str]], count: int, readers: Sequence[ColumnReader]
) -> list[Row]:
    """Read the lines of a file, which come with their numbers and have `count` values each."""
    rows = []
    for number, line in lines:
        values = _split_line(line)
        if len(values) != count:
            raise JobFailed(f"{name}, line {number} does not have {count} values")

        values.append("")  # for missing columns
        try:
            rows.append(tuple([read(values[position]) for position, read in readers]))
        except JobFailed as failure:
            raise JobFailed(f"{name}, line {number}: {failure}") from None

    return rows


def _split_line(line: str) -> list[str]:
    r"""Split a line into its values. `\` is the escape character.

    The list is empty if the line is not one record: a quotation mark is not closed, text follows
    the mark that closes a value, or the line ends in the escape character.
    """
    if '"' not in line and "\\" not in line:
        return line.split(",")
    try:
        return next(csv.reader([line], escapechar="\\", strict=True))
    except csv.Error:
        return []


def _read_value(field: Field, end_of_tomorrow: float, text: str) -> Value:
    """Read the text of a value, or fail the job if it breaks a rule."""
    if text == "" and field.nullable:
        return None

    avro_type = AVRO_TYPES[field.type]
    shown = f"{field.name} {text[:SHOWN_CHARACTERS]!r}"
    if not avro_type.pattern.fullmatch(text):
        raise JobFailed(f"{shown} is not a {field.type}")

    value = avro_type.parse(text)
    if isinstance(value, str):
        _check_length(field, value)
        return value

    if not -avro_type.range_end - 1 < value < avro_type.range_end:
        raise JobFailed(f"{shown} is not a {field.type}")
    if not _is_possible_time(field.name, value, end_of_tomorrow):
        raise JobFailed(f"{shown} is not a time in seconds since 1970")

    return value


def _check_length(field: Field, value: str) -> None:
    """Fail the job if a text is too long, unless it's textual: those, the service cuts off."""
    max_length = MAX_TEXT_LENGTH
    if field.name in ID_FIELDS:
        max_length = MAX_ID_LENGTH
    if len(value) > max_length and not field.textual:
        raise JobFailed(TOO_LONG.format(length=max_length, name=field.name))


def _is_possible_time(field_name: str, value: float, end_of_tomorrow: float) -> bool:
    """Return False for a time in milliseconds, or for an interaction in the wrong era."""
    if field_name == "TIMESTAMP":
        return EARLIEST <= value < end_of_tomorrow
    if field_name == "CREATION_TIMESTAMP":
        # An item may be much older than its interactions.
        return value < FIRST_MILLISECONDS

    return True
