"""Parses the beginning of a CSV file like Personalize, and finds what Personalize can't read.

A *sample* is the part of a file that was read. Its first rows are checked and kept. In the others,
only the values are counted, because a function has little memory.

Source: https://docs.aws.amazon.com/personalize/latest/dg/preparing-training-data.html.
"""

import csv
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

MAX_CHECKED_ROWS = 1000
"""The most rows of a file to check. An import of interactions needs at least this many."""
MAX_SHOWN_CHARACTERS = 20
"""The most characters of a line or a name to show in a message."""
LINE_BREAK = re.compile(r"\r\n|\n|\r")
"""Unlike `str.splitlines()`, this leaves line separators like U+2028 in the values."""


class Row(NamedTuple):
    """A row of a CSV file."""

    line_number: int
    """Counted from 1."""
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
    value_counts: Mapping[str, Counter[str]] = field(default_factory=dict)
    """Column -> how often each value occurs, also in the rows that aren't checked."""


def parse_sample(
    key: str, file_bytes: bytes, *, is_whole_file: bool, max_rows: int | None = MAX_CHECKED_ROWS
) -> FileSample:
    """Parse the header and rows in the first bytes of a file.

    At most `max_rows` rows are checked and kept, but values are counted in all rows.
    """
    if not is_whole_file:
        file_bytes = _drop_cut_off_line(file_bytes)
    if error := find_encoding_error(file_bytes):
        return FileSample(key=key, error=error)

    # This codec drops a byte-order mark, which isn't part of the first column's name.
    lines = _split_into_lines(file_bytes.decode("utf-8-sig"))
    row_lines = lines[1:]
    sample = FileSample(key=key)

    if lines:
        header_line_number, header = lines[0]
        sample = _add_header(sample, header_line_number, header)
    if not sample.error:
        sample = _add_rows(sample, row_lines[:max_rows])
    if sample.error:
        return sample

    return replace(
        sample,
        value_counts=_count_values(sample.header, row_lines),
        row_count=len(row_lines) if is_whole_file else None,
    )


def _drop_cut_off_line(file_bytes: bytes) -> bytes:
    """Drop the last line, which is probably incomplete, unless it's the only one."""
    last_line_start = max(file_bytes.rfind(b"\n"), file_bytes.rfind(b"\r")) + 1
    return file_bytes[:last_line_start] or file_bytes


def _split_into_lines(text: str) -> list[tuple[int, str]]:
    """Split text into numbered lines. Like Personalize, skip empty ones."""
    lines = enumerate(LINE_BREAK.split(text), start=1)
    return [(number, line) for number, line in lines if line]


def _add_header(sample: FileSample, line_number: int, line: str) -> FileSample:
    """Add the column names, or an error if Personalize can't read them."""
    if error := find_header_error(line):
        return replace(sample, error=f"line {line_number}: {error}")
    return replace(sample, header=tuple(line.split(",")))


def _add_rows(sample: FileSample, lines: Sequence[tuple[int, str]]) -> FileSample:
    """Add the rows before the first line that Personalize can't read, and that line's error."""
    rows: list[Row] = []
    for line_number, line in lines:
        values = split_values(line)
        if error := find_row_error(line, values, len(sample.header)):
            error = f"line {line_number} {error}"
            return replace(sample, rows=tuple(rows), error=error)
        rows.append(Row(line_number, values))

    return replace(sample, rows=tuple(rows))


def _count_values(
    columns: Sequence[str], lines: Sequence[tuple[int, str]]
) -> dict[str, Counter[str]]:
    """Count the values of each column in all complete rows.

    The rows themselves aren't kept, because that would take twice as much memory.
    """
    value_counts = {column: Counter[str]() for column in columns}

    for _, line in lines:
        values = split_values(line)
        if len(values) == len(columns):
            for column, value in zip(columns, values, strict=True):
                value_counts[column][value] += 1
    return value_counts


def split_values(line: str) -> tuple[str, ...]:
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


def find_encoding_error(file_bytes: bytes) -> str | None:
    """Explain why the bytes can't be read as text, or return None if they can."""
    try:
        text = file_bytes.decode()
    except UnicodeDecodeError as error:
        readable_text = file_bytes[: error.start].decode()
    else:
        # UTF-16 looks like UTF-8 with a NUL before or after each letter.
        readable_text, nul, _ = text.partition("\0")
        if not nul:
            return None

    line_number = len(LINE_BREAK.findall(readable_text)) + 1
    return (
        f"line {line_number} is not UTF-8 text; perhaps the file is compressed, Parquet, UTF-16, "
        "Latin-1 or Windows-1252; export plain CSV in UTF-8"
    )


def find_header_error(header: str) -> str | None:
    """Explain why Personalize can't read a header, or return None if it can."""
    if '"' in header:
        return (
            f"the header is {header[:MAX_SHOWN_CHARACTERS]!r}, but Personalize accepts no "
            "quotation marks there; write the column names without them"
        )

    # To Personalize, GENRES_1 and GENRES1 are the same name.
    names = header.split(",")
    counts = Counter(name.replace("_", "") for name in names)
    duplicates = [name for name in names if counts[name.replace("_", "")] > 1]

    if duplicates:
        shown_names = " and ".join(repr(name[:MAX_SHOWN_CHARACTERS]) for name in duplicates[:2])
        return (
            f"the header has the columns {shown_names}, but Personalize needs names that differ, "
            "even without their underscores; rename or remove a column"
        )
    return None


def find_row_error(line: str, values: Sequence[str], column_count: int) -> str | None:
    """Explain why a line isn't a complete row, or return None if it is.

    The caller puts the line number in front of this message.
    """
    if not values:
        return (
            f"is {line[:MAX_SHOWN_CHARACTERS]!r}, which is not a complete record; remove line "
            "breaks from values, put quotation marks around whole values, and write \\ before a "
            "quotation mark or backslash in a value"
        )

    if len(values) != column_count:
        return (
            f"has {len(values)} values for {column_count} columns; put quotation marks around "
            "values that contain a comma, and complete the row"
        )
    return None
