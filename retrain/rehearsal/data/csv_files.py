r"""Reads and writes CSV files as Personalize imports them: each line is a row, and `\` escapes."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, NamedTuple

from functions.csv_files import cells

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
BYTE_ORDER_MARK = "\ufeff"


class Line(NamedTuple):
    """A line of a CSV file, with its line break."""

    number: int
    """The first line of a file is 1."""
    content: bytes

    @property
    def text(self) -> str:
        """The text without the line break and the byte-order mark."""
        return self.content.decode().rstrip("\r\n").removeprefix(BYTE_ORDER_MARK)


class Export(NamedTuple):
    """The lines of a CSV file."""

    header: bytes
    rows: list[bytes]
    """Each row ends with a line break."""

    def with_rows(self, rows: Iterable[bytes]) -> bytes:
        """Return the content of a CSV file with the same header and with these rows."""
        return b"".join([self.header, *rows])


def lines_of(export: bytes) -> list[Line]:
    """Return the lines of a CSV file that are not empty. The first one is the header."""
    lines = enumerate(LINE.findall(export), start=1)
    return [Line(number, content) for number, content in lines if content.strip(b"\r\n")]


def parse(export: bytes) -> Export:
    """Return the lines of a CSV file. A line break is added to the last line if it has none."""
    header, *rows = [
        line.content if line.content.endswith((b"\r", b"\n")) else line.content + b"\n"
        for line in lines_of(export)
    ]
    return Export(header, rows)


def read_rows(export: bytes) -> list[list[str]]:
    """Return the cells of each row of a CSV file, the header first."""
    return [list(cells(line.text)) for line in lines_of(export)]


def to_csv(header: Iterable[str], rows: Iterable[Sequence[object]]) -> bytes:
    """Return the content of a CSV file in UTF-8, with the header as its first row."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n", doublequote=False, escapechar="\\")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()
