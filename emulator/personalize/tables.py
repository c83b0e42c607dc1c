"""The rows of a dataset: their Avro schema, and the CSV files that they come from."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import cast

from emulator.personalize.errors import JobFailed, invalid_input

Value = str | int | float | bool | None
Row = tuple[Value, ...]

# The fields that a schema must have, by type of dataset (guide: datasets and schemas).
REQUIRED_FIELDS: Mapping[str, tuple[str, ...]] = {
    "INTERACTIONS": ("USER_ID", "ITEM_ID", "TIMESTAMP"),
    "USERS": ("USER_ID",),
    "ITEMS": ("ITEM_ID",),
    "ACTIONS": ("ACTION_ID",),
    "ACTION_INTERACTIONS": ("USER_ID", "ACTION_ID", "EVENT_TYPE", "TIMESTAMP"),
}

# Rows with equal values in these fields are one record. The newer row replaces the older one.
IDENTITY_FIELDS: Mapping[str, tuple[str, ...]] = {
    "INTERACTIONS": ("USER_ID", "ITEM_ID", "EVENT_TYPE", "TIMESTAMP"),
    "USERS": ("USER_ID",),
    "ITEMS": ("ITEM_ID",),
    "ACTIONS": ("ACTION_ID",),
    "ACTION_INTERACTIONS": ("USER_ID", "ACTION_ID", "EVENT_TYPE", "TIMESTAMP"),
}


def _parse_boolean(text: str) -> bool:
    """Return the value of "true" or "false", in any case. Raise KeyError for other texts."""
    return {"true": True, "false": False}[text.lower()]


PARSERS: Mapping[str, Callable[[str], Value]] = {
    "string": str,
    "int": int,
    "long": int,
    "float": float,
    "double": float,
    "boolean": _parse_boolean,
}


@dataclass(frozen=True)
class Field:
    """One column: its Avro type, and whether a value may be missing."""

    name: str
    type: str
    nullable: bool

    def parse(self, text: str) -> Value:
        """Return the value of a CSV cell.

        Raises:
            ValueError, KeyError: The text does not have the field's type.
        """
        if text == "":
            if self.nullable:
                return None
            raise ValueError
        return PARSERS[self.type](text)


@dataclass(frozen=True)
class RowSchema:
    """The columns of a dataset, in the order of the schema."""

    fields: tuple[Field, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(column.name for column in self.fields)

    @classmethod
    def parse(cls, text: str) -> "RowSchema":
        """Return the schema that an Avro JSON text describes, as CreateSchema receives it.

        The text must be a record whose fields have primitive types and may be nullable.

        Raises:
            ApiError: InvalidInputException if the text is not such a record.
        """
        try:
            record = json.loads(text)
            fields = tuple(_avro_field(entry["name"], entry["type"]) for entry in record["fields"])
            if record["type"] != "record" or not fields:
                raise ValueError("not a record with fields")  # noqa: TRY301  # one handler for all
        except (ValueError, KeyError, TypeError) as error:
            raise invalid_input(f"Input schema is not a valid Avro record: {error}") from error
        return cls(fields)


def _avro_field(name: str, avro_type: object) -> Field:
    """Return the field of a primitive Avro type, or of a union of one with "null".

    Raises:
        ValueError: The type is another one.
    """
    types = avro_type if isinstance(avro_type, list) else [avro_type]
    match [member for member in types if member != "null"]:
        case [str(primitive)] if primitive in PARSERS:
            return Field(name, primitive, nullable="null" in types)
    raise ValueError(f"field {name} has the unknown type {avro_type!r}")


@dataclass(frozen=True)
class Table:
    """The rows of a dataset, by the values of their identity fields.

    A table never changes. An import creates a new table.
    """

    columns: tuple[str, ...] = ()
    rows: Mapping[Row, Row] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)

    def column(self, name: str) -> list[Value]:
        """Return the values of a column in the order of the rows. A missing column is all None."""
        if name not in self.columns:
            return [None] * len(self.rows)
        position = self.columns.index(name)
        return [row[position] for row in self.rows.values()]

    def where(self, name: str, wanted: object) -> "Table":
        """Return a table with the rows that have the wanted value in a column."""
        rows = zip(self.rows.items(), self.column(name), strict=True)
        return Table(self.columns, {key: row for (key, row), value in rows if value == wanted})

    def with_rows(self, rows: Iterable[Row], identity: Iterable[str]) -> "Table":
        """Return a table with the old and the new rows.

        A new row replaces the old row that has equal values in the columns `identity`.
        """
        positions = [self.columns.index(name) for name in identity if name in self.columns]
        new_rows = {tuple(row[position] for position in positions): row for row in rows}
        return Table(self.columns, {**self.rows, **new_rows})


def read_csv(name: str, data: bytes, schema: RowSchema) -> list[Row]:
    """Return the rows of a CSV file with a header, in the order of the schema's columns.

    Other columns of the file are left out, and a missing nullable column is None in every row.
    `name` stands for the file in messages.

    Raises:
        JobFailed: Columns are missing, or a value does not have its field's type.
    """
    try:
        lines = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""))
    except UnicodeDecodeError as error:
        raise JobFailed(f"{name} is not UTF-8 text: {error}") from error
    header = next(lines, [])
    required = [column.name for column in schema.fields if not column.nullable]
    missing = [column_name for column_name in required if column_name not in header]
    if missing:
        raise JobFailed(f"Input csv is missing the following columns: [{', '.join(missing)}]")
    positions = [
        header.index(column.name) if column.name in header else None for column in schema.fields
    ]
    columns = list(zip(schema.fields, positions, strict=True))
    rows = []
    for cells in filter(None, lines):  # the reader returns an empty list for an empty line
        place = f"{name}, line {lines.line_num}"
        rows.append(tuple(_value(column, cells, position, place) for column, position in columns))
    return rows


def _value(column: Field, cells: list[str], position: int | None, place: str) -> Value:
    """Return the value of a column in one line, or None for a column that the file lacks.

    Raises:
        JobFailed: The line is too short or the cell is not valid. The message names `place`.
    """
    if position is None:
        return None
    try:
        return column.parse(cells[position])
    except IndexError:
        raise JobFailed(f"{place}: {column.name} is missing") from None
    except (ValueError, KeyError):
        raise JobFailed(
            f"{place}: {column.name} {cells[position]!r} is not a {column.type}"
        ) from None


def strings(values: Iterable[Value]) -> list[str]:
    """Return the values of a string column as a list of `str`.

    The schema of the column must forbid nulls. Nothing is checked.
    """
    return cast("list[str]", list(values))
