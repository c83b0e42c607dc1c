"""Checks the CSV files of the user by the rules with which a run checks its exports.

A run stops at the first problem of a file. These checks report all of them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from functions.csv_files import (
    SHOWN_CHARACTERS,
    cells,
    encoding_error,
    header_error,
    record_error,
)
from functions.planning.export_values import value_error
from retrain.rehearsal.data.csv_files import lines_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from functions.planning.world import SchemaField

LONG: SchemaField = {"name": "", "type": "long"}
FLOAT: SchemaField = {"name": "", "type": "float"}


def file_problems(content: bytes, required: Sequence[str]) -> Iterator[str]:
    """Yield each problem of the encoding, the header or the size of a CSV file."""
    if problem := encoding_error(content):
        yield problem
        return
    lines = lines_of(content)
    header = lines[0].text if lines else ""
    columns = header.split(",") if header else []
    if problem := header_error(header):
        yield problem
    if "" in columns:
        yield f"column {columns.index('') + 1} of the header has no name; name it"
    if missing := [name for name in required if name not in columns]:
        yield (
            f"the header lacks {', '.join(missing)}; it has {', '.join(columns) or 'no columns'}; "
            "rename the columns to the names that Personalize requires"
        )
    elif len(lines) == 1:
        yield "has no rows below its header; repeat the export"


def row_problems(content: bytes, types: Mapping[str, str | list[str]]) -> Iterator[str]:
    """Yield each problem of the rows of a file. Call `file_problems` first, which must find none.

    `types` has the Avro types of the columns that Personalize knows. Other columns are not checked,
    because their types are derived from their cells.
    """
    header, *rows = lines_of(content)
    columns = header.text.split(",")
    fields: list[SchemaField] = [
        {"name": name, "type": types[name]} for name in columns if name in types
    ]
    now = datetime.now(UTC)
    for row in rows:
        values = cells(row.text)
        if problem := record_error(row.text, values, len(columns)):
            yield f"line {row.number} {problem}"
            continue
        for field in fields:
            value = values[columns.index(field["name"])]
            if problem := value_error(value, field, now):
                shown_value = value[:SHOWN_CHARACTERS]
                yield f"line {row.number}: {field['name']} is {shown_value!r}, {problem}"


def is_whole(text: str) -> bool:
    """Return True if Personalize reads a text as a `long`."""
    return value_error(text, LONG, datetime.now(UTC)) is None


def is_number(text: str) -> bool:
    """Return True if Personalize reads a text as a `float`."""
    return value_error(text, FLOAT, datetime.now(UTC)) is None
