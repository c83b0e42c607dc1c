"""Reads the CSV files of an import job, and fails the job if a file breaks a rule of the service.

Sources: the pages "Preparing training data", "Preparing item metadata for training", "Creating
schema JSON files" and "Endpoints and quotas" of the guide of Amazon Personalize.
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


class CsvFile(NamedTuple):
    """The columns of a file, and its rows. The rows have the columns of the schema."""

    columns: list[str]
    rows: list[Row]


def read_csv(name: str, data: bytes, schema: Sequence[Field], today: date) -> CsvFile:
    """Return the content of a CSV file with a header.

    The rows lack other columns of the file, and a missing nullable column is None in every row.
    Empty lines are left out. `name` stands for the file in messages. `today` is the day of the
    import in UTC.

    Raises:
        JobFailed: The file breaks a rule.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise JobFailed(f"{name} is not a CSV file in UTF-8")
    numbered = enumerate(LINE_BREAK.split(text), start=1)
    (_, header), *lines = [(number, line) for number, line in numbered if line] or [(1, "")]
    names = header.split(",")
    _check_header(names, schema)
    end_of_tomorrow = (datetime.combine(today, time(), UTC) + timedelta(days=2)).timestamp()
    # Most texts occur in many lines, so each column remembers their values.
    columns = [
        (
            names.index(column.name) if column.name in names else None,
            cache(partial(_read_value, column, end_of_tomorrow)),
        )
        for column in schema
    ]
    rows = []
    for number, line in lines:
        values = _values(line)
        if len(values) != len(names):
            raise JobFailed(f"{name}, line {number} does not have {len(names)} values")
        try:
            row = [read(values[place]) if place is not None else None for place, read in columns]
        except JobFailed as failure:
            raise JobFailed(f"{name}, line {number}: {failure}") from None
        rows.append(tuple(row))
    return CsvFile(names, rows)


def _check_header(names: Sequence[str], schema: Sequence[Field]) -> None:
    """Raise JobFailed if a file cannot have these columns.

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


def _read_value(column: Field, end_of_tomorrow: float, text: str) -> Value:
    """Return the value of a text in a column. Raise JobFailed if it breaks a rule."""
    if text == "" and column.nullable:
        return None
    shown = f"{column.name} {text[:SHOWN_CHARACTERS]!r}"
    pattern, read, end = TYPES[column.type]
    if not pattern.fullmatch(text):
        raise JobFailed(f"{shown} is not a {column.type}")
    value = read(text)
    if isinstance(value, str):
        length = MAX_ID_LENGTH if column.name in ID_FIELDS else MAX_LENGTH
        # The service cuts a textual value off and imports it.
        if len(value) > length and "textual" not in column.attributes:
            raise JobFailed(TOO_LONG.format(length=length, name=column.name))
        return value
    if not -end - 1 < value < end:
        raise JobFailed(f"{shown} is not a {column.type}")
    # An item may be much older than its interactions, but its time is not in milliseconds.
    times = {
        "TIMESTAMP": (EARLIEST, end_of_tomorrow),
        "CREATION_TIMESTAMP": (-math.inf, FIRST_MILLISECONDS),
    }
    first, last = times.get(column.name, (value, math.inf))
    if not first <= value < last:
        raise JobFailed(f"{shown} is not a time in seconds since 1970")
    return value
