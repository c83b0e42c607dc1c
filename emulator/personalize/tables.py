"""The rows of a dataset in memory, and the Avro schema that defines their columns."""

import json
import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import compress
from typing import Any, NamedTuple

from emulator.personalize.errors import invalid_input

Value = str | int | float | bool | None
Row = tuple[Value, ...]

IDENTITY_FIELDS: Mapping[str, tuple[str, ...]] = {
    "INTERACTIONS": ("USER_ID", "ITEM_ID", "EVENT_TYPE", "TIMESTAMP"),
    "USERS": ("USER_ID",),
    "ITEMS": ("ITEM_ID",),
    "ACTIONS": ("ACTION_ID",),
    "ACTION_INTERACTIONS": ("USER_ID", "ACTION_ID", "EVENT_TYPE", "TIMESTAMP"),
}
"""Type of dataset -> the fields that identify a row, like a primary key.

A new row replaces an old one with the same values in these fields."""

REQUIRED_FIELDS = {**IDENTITY_FIELDS, "INTERACTIONS": ("USER_ID", "ITEM_ID", "TIMESTAMP")}
"""Type of dataset -> the fields that its schema must have (guide: datasets and schemas)."""

# The minimum data for a training (guide, "Amazon Personalize endpoints and quotas").
MIN_INTERACTIONS = 1000
MIN_USERS = 25
MIN_SHARE_OF_USERS = 0.01
MIN_INTERACTIONS_PER_USER = 2

MAX_TEXT_LENGTH = 1000
WHOLE_NUMBER = re.compile(rf"-?[0-9]{{1,{MAX_TEXT_LENGTH}}}")
DECIMAL_NUMBER = re.compile(r"-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")


class AvroType(NamedTuple):
    """How to recognize and parse the values of an Avro type in a CSV file."""

    pattern: re.Pattern[str]
    parse: Callable[[str], str | float]

    range_end: float = math.inf
    """The smallest number that is too large for the type."""


AVRO_TYPES = {
    "string": AvroType(re.compile(r"(?s).+"), str),
    "int": AvroType(WHOLE_NUMBER, int, 2**31),
    "long": AvroType(WHOLE_NUMBER, int, 2**63),
    "float": AvroType(DECIMAL_NUMBER, float),
    "double": AvroType(DECIMAL_NUMBER, float),
    "boolean": AvroType(re.compile(r"(?ai)true|false"), lambda text: text.lower() == "true"),
}


@dataclass(frozen=True)
class Field:
    """A field of an Avro schema, which becomes a column of the dataset."""

    name: str

    type: str
    """A primitive Avro type, for example "long"."""

    nullable: bool
    """True if the value may be null."""

    textual: bool = False
    """True for free text, such as the description of an item."""


def parse_schema(text: str) -> tuple[Field, ...]:
    """Parse the Avro schema in a CreateSchema request.

    It must be a record whose fields have primitive types, or unions of a primitive type with null.
    """
    try:
        record = json.loads(text)
        fields = tuple(_parse_field(entry) for entry in record["fields"])
        if record["type"] != "record" or not fields:
            raise ValueError("not a record with fields")  # noqa: TRY301  # handled like the others
    except (ValueError, KeyError, TypeError) as error:
        raise invalid_input(f"Input schema is not a valid Avro record: {error}") from error

    return fields


def _parse_field(entry: Mapping[str, Any]) -> Field:
    """Parse a field, and raise ValueError if it isn't a primitive type, or a union with null."""
    avro_type = entry["type"]
    types = avro_type
    if not isinstance(avro_type, list):
        types = [avro_type]

    primitives = [member for member in types if member != "null"]
    if len(primitives) != 1 or primitives[0] not in AVRO_TYPES:
        raise ValueError(f"field {entry['name']} has the unknown type {avro_type!r}")

    return Field(
        entry["name"],
        primitives[0],
        nullable="null" in types,
        textual=entry.get("textual") is True,
    )


@dataclass(frozen=True)
class Table:
    """The rows of a dataset.

    Tables are immutable, so a snapshot of a dataset doesn't need a copy.
    """

    columns: tuple[str, ...] = ()
    rows: Mapping[Row, Row] = field(default_factory=dict)
    """Values of the identity fields -> row."""

    def __len__(self) -> int:
        return len(self.rows)

    def column(self, name: str) -> list[Any]:
        """Return a column's value in each row. If there's no such column, all values are None."""
        if name not in self.columns:
            return [None] * len(self.rows)

        position = self.columns.index(name)
        return [row[position] for row in self.rows.values()]

    def where(self, column_name: str, wanted: object) -> "Table":
        """Return a table of the rows with the wanted value in a column."""
        return self._select(value == wanted for value in self.column(column_name))

    def without(self, column_name: str, unwanted: Collection[object]) -> "Table":
        """Return a table without the rows that have an unwanted value in a column."""
        return self._select(value not in unwanted for value in self.column(column_name))

    def _select(self, is_selected: Iterable[bool]) -> "Table":
        """Return a table of the rows for which `is_selected` yields True."""
        return Table(self.columns, dict(compress(self.rows.items(), is_selected)))

    def with_rows(self, rows: Iterable[Row], identity: Iterable[str]) -> "Table":
        """Return a table with additional rows, which replace old ones with the same identity.

        Two rows have the same identity if their values in the columns `identity` are equal.
        """
        positions = [self.columns.index(name) for name in identity if name in self.columns]
        new_rows = {tuple(row[position] for position in positions): row for row in rows}
        return Table(self.columns, {**self.rows, **new_rows})
