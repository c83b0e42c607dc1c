"""Reads the CSV files of an import job, and fails the job if a file breaks a rule of the service.

The rules are tables by their names. Sources: the pages "Preparing training data", "Preparing item
metadata for training", "Creating schema JSON files" and "Endpoints and quotas" of the guide of
Amazon Personalize.
"""

import csv
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, partial
from typing import NamedTuple

from emulator.personalize.errors import JobFailed
from emulator.personalize.tables import PARSERS, Field, Row, RowSchema, Value

SHOWN_CHARACTERS = 20
"""A failure reason shows this number of characters of a value."""
MAX_ID_LENGTH = 256
MAX_LENGTH = 1000
ID_FIELDS = ("USER_ID", "ITEM_ID", "ACTION_ID")
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC).timestamp()
FIRST_MILLISECONDS = 10**11
"""A time from this number on is not in seconds, which would be the year 5138."""
LINE_BREAK = re.compile(r"\r\n|\n|\r")
FIRST_LINE = re.compile(r"[^\r\n]+")
WHOLE_NUMBER = re.compile(r"-?[0-9]+")
DECIMAL_NUMBER = re.compile(r"-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
BITS = {"int": 32, "long": 64}
NUMBERS = ("int", "long", "float", "double")
UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
OTHER_FORMATS = (b"\x1f\x8b", b"PK\x03\x04", b"BZh91AY&SY", b"\x28\xb5\x2f\xfd", b"PAR1\x15")
"""The first bytes of files of gzip, zip, bzip2, Zstandard and Parquet."""

WRONG_TYPE = "{name} {value!r} is not a {type}"
WRONG_TIME = "{name} {value!r} is not a time in seconds since 1970"
TOO_LONG = (
    "Length cannot be more than {length} characters for {name}. If no values exceed the character "
    "limit, make sure your data follows the formatting guidelines listed in "
    "https://docs.aws.amazon.com/personalize/latest/dg/data-prep-formatting.html."
)
"""The words of the service."""


class HeaderRule(NamedTuple):
    """A rule of the names of the columns. `wrong` returns the names that break it."""

    reason: str
    wrong: Callable[[Sequence[str], RowSchema], list[str]]


class ValueRule(NamedTuple):
    """A rule of the values of some columns. `today` is the day of the import in UTC."""

    concerns: Callable[[Field], bool]
    is_kept: Callable[[str, Field, date], bool]
    reason: str = WRONG_TYPE


def _is_utf_8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _duplicates(names: Sequence[str]) -> list[str]:
    """Return the names that are equal except for underscores."""
    counts = Counter(name.replace("_", "") for name in names)
    return [name for name in names if counts[name.replace("_", "")] > 1]


def _is_whole_number(text: str, column: Field) -> bool:
    limit = 2 ** (BITS[column.type] - 1)
    # Python refuses to parse a number of thousands of digits, even if they are zeros.
    is_short = len(text) <= MAX_LENGTH
    return bool(WHOLE_NUMBER.fullmatch(text)) and is_short and -limit <= int(text) < limit


def _max_length(column: Field) -> int:
    """Return the largest number of characters of a text in a column."""
    return MAX_ID_LENGTH if column.name in ID_FIELDS else MAX_LENGTH


@cache
def _end_of_tomorrow(today: date) -> float:
    """Return the first second after tomorrow in UTC. It is computed once for all values."""
    return (datetime.combine(today, time(), UTC) + timedelta(days=2)).timestamp()


def _is_time(name: str) -> Callable[[Field], bool]:
    """Return a function that returns True for the column of this name, if it is a number."""
    return lambda column: column.name == name and column.type in NUMBERS


FILE_RULES: Mapping[str, Callable[[bytes], bool]] = {
    "compression": lambda data: not data.startswith(OTHER_FORMATS),
    "UTF-16": lambda data: not data.startswith(UTF_16_MARKS) and b"\0" not in data,
    "UTF-8": _is_utf_8,
}
HEADER_RULES: Mapping[str, HeaderRule] = {
    "quoted header": HeaderRule(
        "has quotation marks in its header",
        lambda names, _: [name for name in names if '"' in name],
    ),
    "unique columns": HeaderRule("has duplicate columns", lambda names, _: _duplicates(names)),
    "required columns": HeaderRule(
        "is missing the following columns",
        lambda names, schema: [
            column.name
            for column in schema.fields
            if not column.nullable and column.name not in names
        ],
    ),
}
LINE_RULES: Mapping[str, Callable[[Sequence[str], int], bool]] = {
    "record per line": lambda values, _: bool(values),
    "values per line": lambda values, columns: len(values) == columns,
}
VALUE_RULES: Mapping[str, ValueRule] = {
    "null": ValueRule(lambda _: True, lambda text, *_: bool(text)),
    "whole number": ValueRule(
        lambda column: column.type in BITS, lambda text, column, _: _is_whole_number(text, column)
    ),
    "decimal number": ValueRule(
        lambda column: column.type in ("float", "double"),
        lambda text, *_: bool(DECIMAL_NUMBER.fullmatch(text)) and math.isfinite(float(text)),
    ),
    "boolean": ValueRule(
        lambda column: column.type == "boolean",
        lambda text, *_: text.lower() in ("true", "false"),
    ),
    "length": ValueRule(
        # The service cuts a textual value off and imports it.
        lambda column: column.type == "string" and not column.textual,
        lambda text, column, _: len(text) <= _max_length(column),
        TOO_LONG,
    ),
    "timestamp": ValueRule(
        _is_time("TIMESTAMP"),
        lambda text, _, today: EARLIEST <= float(text) < _end_of_tomorrow(today),
        WRONG_TIME,
    ),
    # An item may be much older than its interactions, but its time is not in milliseconds.
    "creation timestamp": ValueRule(
        _is_time("CREATION_TIMESTAMP"),
        lambda text, *_: float(text) < FIRST_MILLISECONDS,
        WRONG_TIME,
    ),
}


def read_csv(name: str, data: bytes, schema: RowSchema, today: date) -> list[Row]:
    """Return the rows of a CSV file with a header, in the order of the schema's columns.

    Other columns of the file are left out, and a missing nullable column is None in every row.
    Empty lines are left out. `name` stands for the file in messages.

    Raises:
        JobFailed: The file breaks a rule.
    """
    if not all(is_kept(data) for is_kept in FILE_RULES.values()):
        raise JobFailed(f"{name} is not a CSV file in UTF-8")
    numbered = enumerate(LINE_BREAK.split(data.decode()), start=1)
    (_, header), *lines = [(number, text) for number, text in numbered if text] or [(1, "")]
    names = header.split(",")
    for rule in HEADER_RULES.values():
        if wrong := rule.wrong(names, schema):
            shown = [column if column.isprintable() else repr(column) for column in wrong]
            raise JobFailed(f"Input csv {rule.reason}: [{', '.join(shown)}]")
    columns = [
        (names.index(column.name) if column.name in names else None, _reader(column, today))
        for column in schema.fields
    ]
    rows = []
    for number, text in lines:
        values = _values(text)
        if not all(is_kept(values, len(names)) for is_kept in LINE_RULES.values()):
            raise JobFailed(f"{name}, line {number} does not have {len(names)} values")
        try:
            row = [read(values[place]) if place is not None else None for place, read in columns]
        except JobFailed as failure:
            raise JobFailed(f"{name}, line {number}: {failure}") from None
        rows.append(tuple(row))
    return rows


def check_equal_columns(files: Mapping[str, bytes]) -> None:
    """Raise JobFailed if the files of an import job do not have the same columns.

    `read_csv` must have accepted each file.
    """
    headers = [FIRST_LINE.search(data.decode()) for data in files.values()]
    if len({frozenset(header[0].split(",")) for header in headers if header}) > 1:
        raise JobFailed("Input csv files do not have the same columns")


def _values(line: str) -> list[str]:
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


def _reader(column: Field, today: date) -> Callable[[str], Value]:
    """Return a function that reads the values of a column.

    It remembers them, because most texts occur in many lines.
    """
    rules = [rule for rule in VALUE_RULES.values() if rule.concerns(column)]
    return cache(partial(_read_value, column, rules, today))


def _read_value(column: Field, rules: Sequence[ValueRule], today: date, text: str) -> Value:
    """Return the value of a text in a column. Raise JobFailed if it breaks a rule."""
    if text == "" and column.nullable:
        return None
    for rule in rules:
        if not rule.is_kept(text, column, today):
            shown, length = text[:SHOWN_CHARACTERS], _max_length(column)
            reason = rule.reason.format(
                name=column.name, value=shown, type=column.type, length=length
            )
            raise JobFailed(reason)
    return PARSERS[column.type](text)
