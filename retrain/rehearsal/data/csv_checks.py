"""Checks the CSV files of the user by the rules with which the emulator imports them.

The emulator stops at the first problem of a file. These checks report all of them.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from emulator.personalize.csv_files import (
    FILE_RULES,
    HEADER_RULES,
    LINE_RULES,
    VALUE_RULES,
    cells,
)
from emulator.personalize.tables import Field, RowSchema
from retrain.rehearsal.data.csv_files import lines_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

WAYS_OUT = {
    "TIMESTAMP": "write whole seconds since 1970, for example 1767225600",
    "CREATION_TIMESTAMP": "write whole seconds since 1970, for example 1767225600",
}
"""What to do about a wrong value of a column."""


def file_problems(content: bytes, required: Sequence[str]) -> Iterator[str]:
    """Yield each problem of the encoding, the header or the size of a CSV file."""
    for name, check_file in FILE_RULES.items():
        if reason := check_file(content):
            if name == "UTF-8":
                bad_lines = (row.number for row in lines_of(content) if check_file(row.content))
                reason = f"line {next(bad_lines)} {reason}"
            yield f"{reason}; save the file as CSV in UTF-8"
            return
    lines = lines_of(content)
    header = lines[0].text if lines else ""
    columns = header.split(",") if header else []
    for check_header in HEADER_RULES.values():
        if reason := check_header(header, RowSchema(())):
            yield f"{reason}; correct the header"
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
    fields = {name: _field(name, types[name]) for name in columns if name in types}
    today = datetime.now(UTC).date()
    for row in rows:
        if reason := _line_problem(row.text, len(columns)):
            yield f"line {row.number} {reason}; write one row per line, and quote commas"
            continue
        values = dict(zip(columns, cells(row.text), strict=True))
        for name, field in fields.items():
            if reason := _value_problem(values[name], field, today):
                way_out = WAYS_OUT.get(name, "correct the value")
                yield f"line {row.number}: {reason}; {way_out}"


def is_whole(text: str) -> bool:
    """Return True if Personalize reads a text as a `long`."""
    return _value_problem(text, Field("", "long", nullable=False), date.min) is None


def is_number(text: str) -> bool:
    """Return True if Personalize reads a text as a `float`."""
    return _value_problem(text, Field("", "float", nullable=False), date.min) is None


def _field(name: str, avro_type: str | list[str]) -> Field:
    """Return the field of a column with this Avro type. A list is a union with null."""
    if isinstance(avro_type, str):
        return Field(name, avro_type, nullable=False)
    return Field(name, avro_type[-1], nullable=True)


def _line_problem(line: str, columns: int) -> str | None:
    """Return why a line is not a row with this number of columns, or None if it is."""
    values = cells(line)
    reasons = (check_line(values, columns) for check_line in LINE_RULES.values())
    return next(filter(None, reasons), None)


def _value_problem(value: str, field: Field, today: date) -> str | None:
    """Return why a value does not fit its field, or None if it does."""
    if value == "" and field.nullable:
        return None
    for rule in VALUE_RULES.values():
        if rule.concerns(field) and not rule.is_kept(value, field, today):
            return rule.reason(value, field)
    return None
