"""Rows of a dataset: the Avro schema that they keep to, and the CSV files that they come from."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import cast

from emulator.personalize.errors import JobFailed, invalid_input

Value = str | int | float | bool | None
Row = tuple[Value, ...]

# Fields that a schema must have, by type of dataset (guide: datasets and schemas).
REQUIRED_FIELDS: Mapping[str, tuple[str, ...]] = {
    "INTERACTIONS": ("USER_ID", "ITEM_ID", "TIMESTAMP"),
    "USERS": ("USER_ID",),
    "ITEMS": ("ITEM_ID",),
    "ACTIONS": ("ACTION_ID",),
    "ACTION_INTERACTIONS": ("USER_ID", "ACTION_ID", "EVENT_TYPE", "TIMESTAMP"),
}

# Rows that agree in these fields are the same record: the newer one replaces the older one.
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
        """The value that a CSV cell stands for.

        Raises:
            ValueError, KeyError: The text is not of the field's type.
        """
        if text == "":
            if self.nullable:
                return None
            raise ValueError
        return PARSERS[self.type](text)


@dataclass(frozen=True)
class RowSchema:
    """The columns of a dataset, in the schema's order."""

    fields: tuple[Field, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names."""
        return tuple(f.name for f in self.fields)

    @classmethod
    def parse(cls, text: str) -> "RowSchema":
        """Read Personalize's Avro JSON: a record of fields with primitive types.

        Raises:
            ApiError: InvalidInputException, when it is not such a record.
        """
        try:
            record = json.loads(text)
            fields = tuple(_field(f["name"], f["type"]) for f in record["fields"])
            if record["type"] != "record" or not fields:
                raise ValueError("not a record with fields")  # noqa: TRY301 - one way out for all
        except (ValueError, KeyError, TypeError) as error:
            raise invalid_input(f"Input schema is not a valid Avro record: {error}") from error
        return cls(fields)


def _field(name: str, kind: object) -> Field:
    kinds = kind if isinstance(kind, list) else [kind]
    match [k for k in kinds if k != "null"]:
        case [str(one)] if one in PARSERS:
            return Field(name, one, nullable="null" in kinds)
    raise ValueError(f"field {name} has the unknown type {kind!r}")


@dataclass(frozen=True)
class Table:
    """Rows by identity; a table is never changed, an import makes a new one."""

    columns: tuple[str, ...] = ()
    rows: Mapping[Row, Row] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)

    def column(self, name: str) -> list[Value]:
        """All values of a column, in the rows' order; None throughout if there is no such one."""
        if name not in self.columns:
            return [None] * len(self.rows)
        position = self.columns.index(name)
        return [row[position] for row in self.rows.values()]

    def where(self, name: str, value: object) -> "Table":
        """Only the rows that have this value in a column."""
        values = self.column(name)
        rows = zip(self.rows.items(), values, strict=True)
        return Table(self.columns, {key: row for (key, row), is_ in rows if is_ == value})

    def with_rows(self, rows: Iterable[Row], identity: Iterable[str]) -> "Table":
        """This table and more rows; rows of the same identity are replaced."""
        key = [self.columns.index(name) for name in identity if name in self.columns]
        added = {tuple(row[position] for position in key): row for row in rows}
        return Table(self.columns, {**self.rows, **added})


def read_csv(name: str, data: bytes, schema: RowSchema) -> list[Row]:
    """Rows of one CSV file with a header; columns that the schema does not have are left out.

    Raises:
        JobFailed: Columns are missing, or a value is not of its field's type.
    """
    try:
        lines = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""))
    except UnicodeDecodeError as error:
        raise JobFailed(f"{name} is not UTF-8 text: {error}") from error
    header = next(lines, [])
    missing = [f.name for f in schema.fields if f.name not in header and not f.nullable]
    if missing:
        raise JobFailed(f"Input csv is missing the following columns: [{', '.join(missing)}]")
    places = [(f, header.index(f.name) if f.name in header else None) for f in schema.fields]
    return [
        tuple(
            None if place is None else _cell(name, lines.line_num, column, line, place)
            for column, place in places
        )
        for line in lines
        if line
    ]


def _cell(name: str, line_number: int, column: Field, line: list[str], place: int) -> Value:
    try:
        return column.parse(line[place])
    except IndexError:
        raise JobFailed(f"{name}, line {line_number}: {column.name} is missing") from None
    except (ValueError, KeyError):
        raise JobFailed(
            f"{name}, line {line_number}: {column.name} {line[place]!r} is not a {column.type}"
        ) from None


def strings(values: Iterable[Value]) -> list[str]:
    """Values of a string column, whose schema forbids nulls."""
    return cast("list[str]", list(values))
