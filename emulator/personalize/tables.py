"""The rows of a dataset, and their Avro schema."""

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

# Rows with equal values in these fields are one record. The newer row replaces the older one.
IDENTITY_FIELDS: Mapping[str, tuple[str, ...]] = {
    "INTERACTIONS": ("USER_ID", "ITEM_ID", "EVENT_TYPE", "TIMESTAMP"),
    "USERS": ("USER_ID",),
    "ITEMS": ("ITEM_ID",),
    "ACTIONS": ("ACTION_ID",),
    "ACTION_INTERACTIONS": ("USER_ID", "ACTION_ID", "EVENT_TYPE", "TIMESTAMP"),
}
# The fields that a schema must have, by type of dataset (guide: datasets and schemas).
REQUIRED_FIELDS = {**IDENTITY_FIELDS, "INTERACTIONS": ("USER_ID", "ITEM_ID", "TIMESTAMP")}
# What a training needs (guide, "Amazon Personalize endpoints and quotas").
MIN_INTERACTIONS = 1000
MIN_USERS = 25
MIN_SHARE_OF_USERS = 0.01
MIN_INTERACTIONS_PER_USER = 2
MAX_TEXT_LENGTH = 1000
WHOLE_NUMBER = re.compile(rf"-?[0-9]{{1,{MAX_TEXT_LENGTH}}}")
DECIMAL_NUMBER = re.compile(r"-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")


class AvroType(NamedTuple):
    """How a CSV file has the values of a type."""

    pattern: re.Pattern[str]
    parse: Callable[[str], str | float]

    range_end: float = math.inf
    """The first number that is too large for the type."""


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
    """A field of a schema, which is a column of a dataset."""

    name: str

    type: str
    """A primitive Avro type, for example "long"."""

    nullable: bool
    """True if a value may be missing."""

    textual: bool = False
    """True for free text, from which a recipe may learn."""


def parse_schema(text: str) -> tuple[Field, ...]:
    """Parse the columns that an Avro JSON text describes, as CreateSchema receives it.

    It must be a record with fields of primitive types, which may be nullable.
    """
    try:
        record = json.loads(text)
        fields = tuple(_parse_field(entry) for entry in record["fields"])
        if record["type"] != "record" or not fields:
            raise ValueError("not a record with fields")  # noqa: TRY301  # one handler for all
    except (ValueError, KeyError, TypeError) as error:
        raise invalid_input(f"Input schema is not a valid Avro record: {error}") from error

    return fields


def _parse_field(entry: Mapping[str, Any]) -> Field:
    """Parse the field of a primitive Avro type, or of a union of one with "null"."""
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
    """The rows of a dataset, by the values of their identity fields.

    A table never changes. An import creates a new table.
    """

    columns: tuple[str, ...] = ()
    rows: Mapping[Row, Row] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)

    def column(self, name: str) -> list[Any]:
        """List the values of a column in the order of the rows. A missing column is all None."""
        if name not in self.columns:
            return [None] * len(self.rows)

        position = self.columns.index(name)
        return [row[position] for row in self.rows.values()]

    def where(self, name: str, wanted: object) -> "Table":
        """Select the rows that have the wanted value in a column."""
        return self._select(value == wanted for value in self.column(name))

    def without(self, name: str, unwanted: Collection[object]) -> "Table":
        """Leave out the rows that have one of the unwanted values in a column."""
        return self._select(value not in unwanted for value in self.column(name))

    def _select(self, is_selected: Iterable[bool]) -> "Table":
        """Select the rows for which there is a True, in the order of the rows."""
        return Table(self.columns, dict(compress(self.rows.items(), is_selected)))

    def with_rows(self, rows: Iterable[Row], identity: Iterable[str]) -> "Table":
        """Merge new rows into the old ones.

        A new row replaces the old row that has equal values in the columns `identity`.
        """
        positions = [self.columns.index(name) for name in identity if name in self.columns]
        new_rows = {tuple(row[position] for position in positions): row for row in rows}
        return Table(self.columns, {**self.rows, **new_rows})
