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
IDENTITY: Mapping[str, tuple[str, ...]] = {
    "INTERACTIONS": ("USER_ID", "ITEM_ID", "EVENT_TYPE", "TIMESTAMP"),
    "USERS": ("USER_ID",),
    "ITEMS": ("ITEM_ID",),
    "ACTIONS": ("ACTION_ID",),
    "ACTION_INTERACTIONS": ("USER_ID", "ACTION_ID", "EVENT_TYPE", "TIMESTAMP"),
}


def _boolean(text: str) -> bool:
    return {"true": True, "false": False}[text.lower()]


PARSERS: Mapping[str, Callable[[str], Value]] = {
    "string": str,
    "int": int,
    "long": int,
    "float": float,
    "double": float,
    "boolean": _boolean,
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
        """Return the schema of Personalize's Avro JSON, a record of fields with primitive types.

        Raises:
            ApiError: InvalidInputException if the text is not such a record.
        """
        try:
            record = json.loads(text)
            fields = tuple(_field(entry["name"], entry["type"]) for entry in record["fields"])
            if record["type"] != "record" or not fields:
                raise ValueError("not a record with fields")  # noqa: TRY301  # one handler for all
        except (ValueError, KeyError, TypeError) as error:
            raise invalid_input(f"Input schema is not a valid Avro record: {error}") from error
        return cls(fields)


def _field(name: str, avro_type: object) -> Field:
    types = avro_type if isinstance(avro_type, list) else [avro_type]
    match [member for member in types if member != "null"]:
        case [str(primitive)] if primitive in PARSERS:
            return Field(name, primitive, nullable="null" in types)
    raise ValueError(f"field {name} has the unknown type {avro_type!r}")


@dataclass(frozen=True)
class Table:
    """Rows by identity. A table never changes, so an import creates a new one."""

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
        """Return a table with more rows. They replace rows with the same identity."""
        positions = [self.columns.index(name) for name in identity if name in self.columns]
        added = {tuple(row[position] for position in positions): row for row in rows}
        return Table(self.columns, {**self.rows, **added})


def read_csv(name: str, data: bytes, schema: RowSchema) -> list[Row]:
    """Return the rows of a CSV file with a header, without the columns that the schema lacks.

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
    positions = {
        column: header.index(column.name) for column in schema.fields if column.name in header
    }
    return [
        tuple(
            _cell(name, lines.line_num, column, line, positions[column])
            if column in positions
            else None
            for column in schema.fields
        )
        for line in lines
        if line
    ]


def _cell(name: str, line_number: int, column: Field, line: list[str], position: int) -> Value:
    try:
        return column.parse(line[position])
    except IndexError:
        raise JobFailed(f"{name}, line {line_number}: {column.name} is missing") from None
    except (ValueError, KeyError):
        raise JobFailed(
            f"{name}, line {line_number}: {column.name} {line[position]!r} is not a {column.type}"
        ) from None


def strings(values: Iterable[Value]) -> list[str]:
    """Return the values of a string column whose schema forbids nulls."""
    return cast("list[str]", list(values))
