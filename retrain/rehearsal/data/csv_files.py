"""Reads and writes CSV files as Personalize imports them."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Row(NamedTuple):
    """A row of a CSV file."""

    line: int
    """The number of the line in which the row begins. The first line of a file is 1."""
    cells: list[str]


def numbered_rows(export: bytes) -> list[Row]:
    """Return the rows of a CSV file, the header first. Empty rows are left out.

    A row covers several lines if a cell contains line breaks. Raises UnicodeDecodeError if the
    file is not UTF-8.
    """
    reader = csv.reader(io.StringIO(export.decode("utf-8-sig"), newline=""))
    rows = []
    first_line = 1
    for cells in reader:
        if cells:
            rows.append(Row(first_line, cells))
        first_line = reader.line_num + 1
    return rows


def read_rows(export: bytes) -> list[list[str]]:
    """Return the cells of each row of a CSV file, the header first."""
    return [row.cells for row in numbered_rows(export)]


def to_csv(header: Iterable[str], rows: Iterable[Sequence[object]]) -> bytes:
    """Return the content of a CSV file in UTF-8, with the header as its first row."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()
