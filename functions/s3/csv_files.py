"""Parses the beginning of a CSV file like Personalize, and finds what Personalize can't read.

A *sample* is the part of a file that was read. Its first rows are checked and kept. Of all
others, only the values are counted, because a function has little memory.

Source: https://docs.aws.amazon.com/personalize/latest/dg/preparing-training-data.html.
"""

import csv
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

CHECKED_ROWS = 1000
"""The most rows of a file to check. An import of interactions needs at least this many."""
SHOWN_CHARACTERS = 20
"""The most characters of a line or a name to show in a message."""
LINE_BREAK = re.compile(r"\r\n|\n|\r")
"""Unlike `str.splitlines()`, this leaves line separators like U+2028 in the values."""


class Row(NamedTuple):
    """A row of a CSV file."""

    line: int
    """The line number, counted from 1."""
    values: tuple[str, ...]
    """One value for each column. An empty value is null."""


@dataclass(frozen=True, kw_only=True)
class FileSample:
    """The beginning of a CSV file: its header, and the first rows after it."""

    key: str
    """The key of the file in S3."""
    header: tuple[str, ...] = ()
    """The column names. Empty if there's no line, or if the first one can't be read."""
    rows: tuple[Row, ...] = ()
    """The first rows, each with a value for every column."""
    error: str | None = None
    """A message about the first line that Personalize can't read. `rows` ends before it."""
    row_count: int | None = None
    """The number of rows in the file, or None if it has an error or wasn't read to its end."""
    values: Mapping[str, Counter[str]] = field(default_factory=dict)
    """Column -> how often each value occurs, including rows that aren't checked."""


def read_sample(
    key: str, content: bytes, *, is_whole_file: bool, max_rows: int | None = CHECKED_ROWS
) -> FileSample:
    """Parse the header and rows in the first bytes of a file.

    At most `max_rows` rows are checked and returned, but values are counted in all rows.
    """
    if not is_whole_file:
        content = _drop_cut_line(content)
    if error := find_encoding_error(content):
        return FileSample(key=key, error=error)

    # This codec drops a byte-order mark, which isn't part of the first column's name.
    lines = _split_into_lines(content.decode("utf-8-sig"))
    sample = FileSample(key=key)

    if lines:
        sample = _check_header(sample, *lines.pop(0))
    if not sample.error:
        sample = _check_rows(sample, lines[:max_rows])
    if sample.error:
        return sample

    sample = replace(sample, values=_count_values(sample.header, lines))
    if is_whole_file:
        sample = replace(sample, row_count=len(lines))
    return sample


def _drop_cut_line(content: bytes) -> bytes:
    """Drop the last line, which is probably cut off, unless it's the only one."""
    end = max(content.rfind(b"\n"), content.rfind(b"\r")) + 1
    return content[:end] or content


def _split_into_lines(text: str) -> list[tuple[int, str]]:
    """Split text into numbered lines. Like Personalize, skip empty ones."""
    lines = enumerate(LINE_BREAK.split(text), start=1)
    return [(number, line) for number, line in lines if line]


def _check_header(sample: FileSample, number: int, line: str) -> FileSample:
    """Add the column names, or an error if Personalize can't read them."""
    if error := find_header_error(line):
        return replace(sample, error=f"line {number}: {error}")
    return replace(sample, header=tuple(line.split(",")))


def _check_rows(sample: FileSample, lines: Sequence[tuple[int, str]]) -> FileSample:
    """Add the rows before the first line that Personalize can't read, and that line's error."""
    rows: list[Row] = []
    for number, line in lines:
        values = split_cells(line)
        if error := find_record_error(line, values, len(sample.header)):
            error = f"line {number} {error}"
            return replace(sample, rows=tuple(rows), error=error)
        rows.append(Row(number, values))

    return replace(sample, rows=tuple(rows))


def _count_values(
    columns: Sequence[str], lines: Sequence[tuple[int, str]]
) -> dict[str, Counter[str]]:
    """Count the values of each column in all complete rows.

    The rows themselves aren't kept, because that would take twice as much memory.
    """
    counts = {column: Counter[str]() for column in columns}

    for _, line in lines:
        values = split_cells(line)
        if len(values) == len(columns):
            for column, value in zip(columns, values, strict=True):
                counts[column][value] += 1
    return counts


def split_cells(line: str) -> tuple[str, ...]:
    r"""Split a line into its values. `\` is the escape character.

    The result is empty if the line isn't a record: a quotation mark isn't closed, text follows a
    closing quotation mark, or the line ends in the escape character.
    """
    # Most lines are simple, and splitting them is faster than parsing.
    if '"' not in line and "\\" not in line:
        return tuple(line.split(","))

    try:
        return tuple(next(csv.reader([line], escapechar="\\", strict=True)))
    except csv.Error:
        return ()


def find_encoding_error(content: bytes) -> str | None:
    """Reject text that contains NUL or isn't UTF-8.

    Like the two checks below, this returns a message or None.
    """
    try:
        # UTF-16 looks like UTF-8 with a NUL before or after each letter.
        readable, nul, _ = content.decode().partition("\0")
        if not nul:
            return None
    except UnicodeDecodeError as error:
        readable = content[: error.start].decode()

    line = len(LINE_BREAK.findall(readable)) + 1
    return (
        f"line {line} is not UTF-8 text; perhaps the file is compressed, Parquet, UTF-16, "
        "Latin-1 or Windows-1252; export plain CSV in UTF-8"
    )


def find_header_error(header: str) -> str | None:
    """Reject column names that contain quotation marks or that Personalize can't tell apart."""
    if '"' in header:
        return (
            f"the header is {header[:SHOWN_CHARACTERS]!r}, but Personalize accepts no quotation "
            "marks there; write the column names without them"
        )

    # To Personalize, GENRES_1 and GENRES1 are the same name.
    names = header.split(",")
    counts = Counter(name.replace("_", "") for name in names)
    duplicates = [name for name in names if counts[name.replace("_", "")] > 1]

    if duplicates:
        shown_names = " and ".join(repr(name[:SHOWN_CHARACTERS]) for name in duplicates[:2])
        return (
            f"the header has the columns {shown_names}, but Personalize needs names that differ, "
            "even without their underscores; rename or remove a column"
        )
    return None


def find_record_error(line: str, values: Sequence[str], column_count: int) -> str | None:
    """Reject a line that isn't a complete row. The message continues "line 7"."""
    if not values:
        return (
            f"is {line[:SHOWN_CHARACTERS]!r}, which is not a complete record; remove line breaks "
            "from values, put quotation marks around whole values, and write \\ before a quotation "
            "mark or backslash in a value"
        )

    if len(values) != column_count:
        return (
            f"has {len(values)} values for {column_count} columns; put quotation marks around "
            "values that contain a comma, and complete the row"
        )
    return None
