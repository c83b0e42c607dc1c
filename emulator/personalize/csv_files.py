"""Reads the CSV files of an import job, and fails the job if a file breaks a rule of the service.

Sources: the pages "Preparing training data", "Preparing item metadata for training", "Creating
schema JSON files" and "Endpoints and quotas" of the guide of Amazon Personalize.
"""

import csv
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, partial
from typing import NamedTuple

from emulator.personalize.errors import JobFailed
from emulator.personalize.tables import Field, Row, Value

SHOWN_CHARACTERS = 20  # of a value in a failure reason
MAX_ID_LENGTH = 256
MAX_LENGTH = 1000
ID_FIELDS = ("USER_ID", "ITEM_ID", "ACTION_ID")
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC).timestamp()
FIRST_MILLISECONDS = 10**11  # in seconds it would be the year 5138
LINE_BREAK = re.compile(r"\r\n|\n|\r")
WHOLE_NUMBER = re.compile(rf"-?[0-9]{{1,{MAX_LENGTH}}}")
DECIMAL_NUMBER = re.compile(r"-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
TOO_LONG = (
    "Length cannot be more than {length} characters for {name}. If no values exceed the character "
    "limit, make sure your data follows the formatting guidelines listed in "
    "https://docs.aws.amazon.com/personalize/latest/dg/data-prep-formatting.html."
)
"""The words of the service."""


TYPES: Mapping[str, tuple[re.Pattern[str], Callable[[str], str | float], float]] = {
    "string": (re.compile(r"(?s).+"), str, math.inf),
    "int": (WHOLE_NUMBER, int, 2**31),
    "long": (WHOLE_NUMBER, int, 2**63),
    "float": (DECIMAL_NUMBER, float, math.inf),
    "double": (DECIMAL_NUMBER, float, math.inf),
    "boolean": (re.compile(r"(?ai)true|false"), lambda text: text.lower() == "true", math.inf),
}
"""Avro type -> the pattern of its texts, the function that reads them, and the end of its range."""


Reader = tuple[int, Callable[[str], Value]]
"""The position of a column's values in a line, and the function that reads one of them."""


class CsvFile(NamedTuple):
    """The columns of a file, and its rows. The rows have the columns of the schema."""

    columns: list[str]
    rows: list[Row]


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
    names = header.split(",")
    _check_header(names, schema)

    readers = _build_readers(names, schema, today)
    return CsvFile(names, _read_rows(name, lines[1:], len(names), readers))


def _read_rows(
    name: str, lines: Iterable[tuple[int, str]], count: int, readers: Sequence[Reader]
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


def _decode(name: str, data: bytes) -> str:
    """Decode a file, which must be text."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise JobFailed(f"{name} is not a CSV file in UTF-8")
    return text


def _build_readers(names: Sequence[str], schema: Sequence[Field], today: date) -> list[Reader]:
    """Build the reader of each column of the schema.

    A missing column is nullable, so it reads the empty value that is appended to each line.
    """
    end_of_tomorrow = (datetime.combine(today, time(), UTC) + timedelta(days=2)).timestamp()

    readers: list[Reader] = []
    for column in schema:
        position = -1
        if column.name in names:
            position = names.index(column.name)

        # Most texts occur in many lines, so each column remembers their values.
        readers.append((position, cache(partial(_read_value, column, end_of_tomorrow))))
    return readers


def _check_header(names: Sequence[str], schema: Sequence[Field]) -> None:
    """Fail the job if a file cannot have these columns.

    Two names are equal if they differ only in underscores.
    """
    counts = Counter(name.replace("_", "") for name in names)
    required = [column.name for column in schema if not column.nullable]
    wrong_names = {
        "has quotation marks in its header": [name for name in names if '"' in name],
        "has duplicate columns": [name for name in names if counts[name.replace("_", "")] > 1],
        "is missing the following columns": [name for name in required if name not in names],
    }

    for reason, wrong in wrong_names.items():
        if wrong:
            shown = [name if name.isprintable() else repr(name) for name in wrong]
            raise JobFailed(f"Input csv {reason}: [{', '.join(shown)}]")


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


def _read_value(column: Field, end_of_tomorrow: float, text: str) -> Value:
    """Read the text of a value in a column, or fail the job if it breaks a rule."""
    if text == "" and column.nullable:
        return None

    pattern, read, range_end = TYPES[column.type]
    if not pattern.fullmatch(text):
        raise JobFailed(f"{_shorten(column, text)} is not a {column.type}")

    value = read(text)
    if isinstance(value, str):
        _check_length(column, value)
        return value

    if not -range_end - 1 < value < range_end:
        raise JobFailed(f"{_shorten(column, text)} is not a {column.type}")
    if not _is_possible_time(column.name, value, end_of_tomorrow):
        raise JobFailed(f"{_shorten(column, text)} is not a time in seconds since 1970")
    return value


def _shorten(column: Field, text: str) -> str:
    """Name a value for a failure reason, by its column and its first characters."""
    return f"{column.name} {text[:SHOWN_CHARACTERS]!r}"


def _check_length(column: Field, value: str) -> None:
    """Fail the job if a text is too long, unless it's textual: those, the service cuts off."""
    max_length = MAX_LENGTH
    if column.name in ID_FIELDS:
        max_length = MAX_ID_LENGTH
    if len(value) > max_length and "textual" not in column.attributes:
        raise JobFailed(TOO_LONG.format(length=max_length, name=column.name))


def _is_possible_time(name: str, value: float, end_of_tomorrow: float) -> bool:
    """Return False for a time in milliseconds, or for an interaction in the wrong era."""
    if name == "TIMESTAMP":
        return EARLIEST <= value < end_of_tomorrow
    if name == "CREATION_TIMESTAMP":
        # An item may be much older than its interactions.
        return value < FIRST_MILLISECONDS
    return True
