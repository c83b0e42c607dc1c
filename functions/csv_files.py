"""Reads the beginning of a CSV file as Personalize does, and finds what Personalize cannot read.

The rules are tables from a name to a check. A check returns a message, or None. Source:
https://docs.aws.amazon.com/personalize/latest/dg/preparing-training-data.html.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

SHOWN_CHARACTERS = 20
"""A message shows this number of characters of a line or of a value."""
SHOWN_FILES = 3
"""A guard has messages about at most this number of files of an export."""
LINE_BREAK = re.compile(r"\r\n|\n|\r")
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
FORMATS = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip",
    b"BZh91AY&SY": "bzip2",
    b"\x28\xb5\x2f\xfd": "Zstandard",
    b"PAR1\x15": "Parquet",
}
"""The first bytes of a file -> the format that begins with them."""


class Row(NamedTuple):
    """A row of a CSV file."""

    line: int
    """The number of the line. The first line of a file is 1."""
    values: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class FileSample:
    """The beginning of a CSV file: its header, and the complete rows after it."""

    key: str
    header: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    error: str | None = None
    """A message about the first thing that Personalize cannot read. The rows end before it."""
    has_byte_order_mark: bool = False
    is_whole_file: bool = True
    """False if the file has more rows."""


class _Line(NamedTuple):
    number: int
    text: str


class _Rows(NamedTuple):
    """The rows before the first line that breaks a rule, and the message about this line."""

    rows: tuple[Row, ...]
    error: str | None


def read_sample(key: str, content: bytes, *, is_whole_file: bool) -> FileSample:
    """Return the header and the rows in the first bytes of a file. Empty lines are left out.

    Args:
        key: the key of the file.
        content: the first bytes of the file.
        is_whole_file: False if the file has more bytes, so that the last line may be cut off.
    """
    if not is_whole_file:
        content = _without_last_line(content)
    sample = FileSample(
        key=key,
        has_byte_order_mark=content.startswith(BYTE_ORDER_MARK),
        is_whole_file=is_whole_file,
    )
    for check_file in FILE_RULES.values():
        if error := check_file(content):
            return replace(sample, error=error)
    lines = _lines(content)
    if not lines:
        return sample
    header = lines[0]
    for check_header in HEADER_RULES.values():
        if error := check_header(header.text):
            return replace(sample, error=f"line {header.number}: {error}")
    names = tuple(header.text.split(","))
    rows, row_error = _read_rows(lines[1:], len(names))
    return replace(sample, header=names, rows=rows, error=row_error)


def printable(text: str) -> str:
    """Return a text of a file for a message. Control characters are escaped."""
    return text if text.isprintable() else repr(text)


def _without_last_line(content: bytes) -> bytes:
    """Return the bytes up to the last line break, or all bytes if there is no line break."""
    end = max(content.rfind(b"\n"), content.rfind(b"\r")) + 1
    return content[:end] if end else content


def _lines(content: bytes) -> list[_Line]:
    """Return the lines that are not empty."""
    lines = LINE_BREAK.split(content.decode("utf-8-sig"))
    return [_Line(number, text) for number, text in enumerate(lines, start=1) if text]


def _read_rows(lines: Sequence[_Line], columns: int) -> _Rows:
    """Return the rows in these lines, up to the first line that breaks a rule."""
    rows: list[Row] = []
    for number, text in lines:
        values = cells(text)
        for check_line in LINE_RULES.values():
            if error := check_line(text, values, columns):
                return _Rows(tuple(rows), f"line {number} {error}")
        rows.append(Row(number, values))
    return _Rows(tuple(rows), None)


def cells(line: str) -> tuple[str, ...]:
    r"""Return the values of a line. `\` is the escape character.

    The result is empty if the line is not a record: a quotation mark is not closed, text follows
    the mark that closes a value, or the line ends in the escape character.
    """
    if '"' not in line and "\\" not in line:
        return tuple(line.split(","))
    try:
        return tuple(next(csv.reader([line], escapechar="\\", strict=True)))
    except csv.Error:
        return ()


# The rules


def _other_format(content: bytes) -> str | None:
    """Return a message for a file that is compressed, or whose format is not CSV."""
    for first_bytes, name in FORMATS.items():
        if content.startswith(first_bytes):
            return f"is a {name} file, but Personalize reads only plain CSV; export plain CSV"
    return None


def _utf_16(content: bytes) -> str | None:
    """Return a message for a file in UTF-16, or with the bytes of a binary file."""
    if content.startswith(UTF_16_MARKS):
        return "is UTF-16, but Personalize reads only UTF-8; export it as UTF-8"
    if b"\0" in content:
        return (
            "contains NUL bytes, so it is UTF-16 or not a text; Personalize reads only UTF-8; "
            "export it as UTF-8"
        )
    return None


def _utf_8(content: bytes) -> str | None:
    """Return a message for a line that is not UTF-8. It shows no bytes of the file."""
    try:
        content.decode()
    except UnicodeDecodeError as error:
        line = len(LINE_BREAK.findall(content[: error.start].decode())) + 1
        return (
            f"line {line} is not UTF-8, perhaps it is Latin-1 or Windows-1252; Personalize reads "
            "only UTF-8; export it as UTF-8"
        )
    return None


def _quoted_header(header: str) -> str | None:
    """Return a message for a header with quotation marks."""
    if '"' in header:
        return (
            f"the header is {header[:SHOWN_CHARACTERS]!r}, but Personalize accepts no quotation "
            "marks there; write the names of the columns without them"
        )
    return None


def _unique_columns(header: str) -> str | None:
    """Return a message for two names that are equal, or that differ only in underscores."""
    names = header.split(",")
    counts = Counter(name.replace("_", "") for name in names)
    duplicates = [name for name in names if counts[name.replace("_", "")] > 1]
    if duplicates:
        shown_names = " and ".join(printable(name[:SHOWN_CHARACTERS]) for name in duplicates[:2])
        return (
            f"the header has the columns {shown_names}, but Personalize needs names that differ, "
            "even without their underscores; rename or remove a column"
        )
    return None


def _record_per_line(line: str, values: Sequence[str], columns: int) -> str | None:
    """Return a message for a line that is only a part of a record."""
    del columns
    if not values:
        return (
            f"is {line[:SHOWN_CHARACTERS]!r}, which is not a complete record; remove line breaks "
            "from values, put quotation marks around whole values, and write \\ before a quotation "
            "mark or backslash in a value"
        )
    return None


def _values_per_line(line: str, values: Sequence[str], columns: int) -> str | None:
    """Return a message for a line with more or fewer values than columns."""
    del line
    if len(values) != columns:
        return (
            f"has {len(values)} values for {columns} columns; put quotation marks around values "
            "with a comma, and complete the row"
        )
    return None


FILE_RULES: Mapping[str, Callable[[bytes], str | None]] = {
    "compression": _other_format,
    "UTF-16": _utf_16,
    "UTF-8": _utf_8,
}
"""Name of a rule -> the check of the bytes of a file."""
HEADER_RULES: Mapping[str, Callable[[str], str | None]] = {
    "quoted header": _quoted_header,
    "unique columns": _unique_columns,
}
"""Name of a rule -> the check of the line with the names of the columns."""
LINE_RULES: Mapping[str, Callable[[str, Sequence[str], int], str | None]] = {
    "record per line": _record_per_line,
    "values per line": _values_per_line,
}
"""Name of a rule -> the check of any other line, of its values and of the number of columns."""
