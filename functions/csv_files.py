"""Reads the beginning of a CSV file as Personalize does, and finds what Personalize cannot read.

Source: https://docs.aws.amazon.com/personalize/latest/dg/preparing-training-data.html.
"""

import csv
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

CHECKED_ROWS = 1000
"""The most rows that are checked in each file. An import of interactions needs at least as many."""
SHOWN_CHARACTERS = 20
"""The most characters of a line or a value that a message shows."""
LINE_BREAK = re.compile(r"\r\n|\n|\r")


class Row(NamedTuple):
    """A row of a CSV file."""

    line: int
    """The line number. The first line of a file is 1."""
    values: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class FileSample:
    """The beginning of a CSV file: its header, and at most the first 1,000 rows after it."""

    key: str
    header: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    error: str | None = None
    """A message about the first line that Personalize cannot read. The rows end before it."""
    row_count: int | None = None
    """The number of rows in the file, or None if it has an error or was not read to its end."""
    values: Mapping[str, Counter[str]] = field(default_factory=dict)
    """Column -> each of its values -> the number of complete rows that have it, checked or not."""


def read_sample(
    key: str, content: bytes, *, is_whole_file: bool, max_rows: int | None = CHECKED_ROWS
) -> FileSample:
    """Return the header and the rows in a file's first bytes, without empty and cut-off lines."""
    if not is_whole_file:
        end = max(content.rfind(b"\n"), content.rfind(b"\r")) + 1
        content = content[:end] or content
    if error := encoding_error(content):
        return FileSample(key=key, error=error)

    numbered = enumerate(LINE_BREAK.split(content.decode("utf-8-sig")), start=1)
    (header_line, header), *lines = [(line, text) for line, text in numbered if text] or [(1, "")]
    if error := header_error(header):
        return FileSample(key=key, error=f"line {header_line}: {error}")

    names = tuple(header.split(",")) if header else ()
    checked_lines = len(lines) if max_rows is None else max_rows
    rows: list[Row] = []
    counts = {name: Counter[str]() for name in names}
    # All rows at once would need twice as much memory as those that are checked.
    for line, text in lines:
        values = cells(text)
        if len(rows) < checked_lines:
            if error := record_error(text, values, len(names)):
                error = f"line {line} {error}"
                return FileSample(key=key, header=names, rows=tuple(rows), error=error)
            rows.append(Row(line, values))

        if len(values) == len(names):
            for name, value in zip(names, values, strict=True):
                counts[name][value] += 1

    row_count = len(lines) if is_whole_file else None
    return FileSample(key=key, header=names, rows=tuple(rows), row_count=row_count, values=counts)


def cells(line: str) -> tuple[str, ...]:
    r"""Return the values in a line. `\` is the escape character.

    The result is empty if the line is not a record: a quotation mark is not closed, text follows
    the mark that closes a value, or the line ends in the escape character.
    """
    if '"' not in line and "\\" not in line:
        return tuple(line.split(","))
    try:
        return tuple(next(csv.reader([line], escapechar="\\", strict=True)))
    except csv.Error:
        return ()


def encoding_error(content: bytes) -> str | None:
    """Return a message about the first line with NUL or with bytes that are not UTF-8, or None."""
    try:
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


def header_error(header: str) -> str | None:
    """Return a message about the column names, or None."""
    if '"' in header:
        return (
            f"the header is {header[:SHOWN_CHARACTERS]!r}, but Personalize accepts no quotation "
            "marks there; write the column names without them"
        )
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


def record_error(line: str, values: Sequence[str], column_count: int) -> str | None:
    """Return a message if a line is not one complete row, or None."""
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
