"""Reads CSV files of the user as the data of a rehearsal: `<key>.csv` for each dataset.

The schema is derived from the header and the cells. The first solution version is trained on the
older 80% of the interactions, by TIMESTAMP. The newer export contains all of them. The exports of
the other datasets never change.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from emulator.personalize.rules import MIN_INTERACTIONS
from emulator.personalize.tables import REQUIRED_FIELDS
from retrain.rehearsal.data.csv_files import Row, numbered_rows, to_csv
from retrain.rehearsal.data.data_sets import TYPES, avro_schema
from retrain.rehearsal.errors import RehearsalError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

OLDER_SHARE = 0.8
"""The share of the interactions on which the first solution version is trained."""
TEXT_COLUMNS = ("USER_ID", "ITEM_ID", "ACTION_ID", "EVENT_TYPE")
"""Columns that are text even if they look like numbers."""
TITLE_COLUMNS = ("TITLE", "NAME")
"""Columns of items.csv that may contain the title, in order of preference."""
GENRE_COLUMNS = ("GENRES", "GENRE", "CATEGORIES", "CATEGORY", "CATEGORY_L1")
"""Columns of items.csv that may contain the genres, in order of preference."""


class Table(NamedTuple):
    """The contents of a CSV file."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    def column(self, name: str) -> list[str]:
        """Return the cells of a column. A cell is empty if its row is too short."""
        index = self.header.index(name)
        return [row[index] if index < len(row) else "" for row in self.rows]


@dataclass(frozen=True)
class CustomData:
    """The tables by dataset type, as a DataSet. Rows with a TIMESTAMP are sorted by it."""

    tables: Mapping[str, Table]

    def schema(self, dataset_type: str) -> str:
        """Return an Avro schema in JSON that fits the header and all cells."""
        table = self.tables[dataset_type]
        fields = [
            {"name": name, "type": _avro_type(name, table.column(name))} for name in table.header
        ]
        return avro_schema(dataset_type, fields)

    def older(self, dataset_type: str) -> bytes:
        """Return the oldest OLDER_SHARE of the rows, or all rows if they have no TIMESTAMP."""
        header, rows = self.tables[dataset_type]
        if "TIMESTAMP" not in header:
            return to_csv(header, rows)
        return to_csv(header, rows[: int(len(rows) * OLDER_SHARE)])

    def newer(self, dataset_type: str) -> bytes:
        """Return the whole table."""
        return to_csv(*self.tables[dataset_type])

    def titles(self) -> Mapping[str, str]:
        """Return the titles of the items by id, if a column contains them."""
        return self._item_column(TITLE_COLUMNS)

    def genres(self) -> Mapping[str, str]:
        """Return the genres of the items by id, if a column contains them."""
        return self._item_column(GENRE_COLUMNS)

    def _item_column(self, names: Sequence[str]) -> Mapping[str, str]:
        """Return the cells of a column of items.csv by item id.

        The column is the first of `names` that the file has. If it has none of them, or if there
        is no such file, return an empty mapping.
        """
        items = self.tables.get("ITEMS", Table(["ITEM_ID"], []))
        for name in names:
            if name in items.header:
                return dict(zip(items.column("ITEM_ID"), items.column(name), strict=True))
        return {}


def read_custom_data(directory: Path, keys: Iterable[str]) -> CustomData:
    """Read `<key>.csv` for each of these keys of the setting `datasets`.

    Interactions are read even if they are not among the keys, because Personalize cannot train
    without them. Raises RehearsalError with a message for each file that cannot be used.
    """
    tables: dict[str, Table] = {}
    problems: list[str] = []
    for key in dict.fromkeys(["interactions", *keys]):
        file = directory / f"{key}.csv"
        try:
            tables[TYPES[key]] = _read_table(file, TYPES[key])
        except FileNotFoundError:
            problems.append(f"{file}: does not exist; export the {key} to it")
        except UnicodeDecodeError as error:
            valid_part = error.object[: error.start]
            line = valid_part.count(b"\n") + 1
            problems.append(f"{file}: line {line} is not UTF-8; save the file as UTF-8")
        except (OSError, ValueError, csv.Error) as error:
            problems.append(f"{file}: {error}")
    if problems:
        raise RehearsalError("\n".join(problems))
    return CustomData(tables)


def _read_table(file: Path, dataset_type: str) -> Table:
    """Read a CSV file. Sort its rows by TIMESTAMP if it has this column.

    Raises ValueError with a message for the user if Personalize could not use the file.
    """
    empty_file = [Row(1, [])]
    header_row, *rows = numbered_rows(file.read_bytes()) or empty_file
    header = header_row.cells
    if missing := [name for name in REQUIRED_FIELDS[dataset_type] if name not in header]:
        raise ValueError(
            f"the header lacks {', '.join(missing)}; it has {', '.join(header) or 'no columns'}; "
            "rename the columns to the names that Personalize requires"
        )
    if "TIMESTAMP" in header:
        rows = _sorted_by_timestamp(rows, header.index("TIMESTAMP"))
    if dataset_type == "INTERACTIONS" and len(rows) * OLDER_SHARE < MIN_INTERACTIONS:
        raise ValueError(
            f"has {len(rows)} interactions; export at least {MIN_INTERACTIONS / OLDER_SHARE:.0f}, "
            f"because the first version is trained on the older {OLDER_SHARE:.0%}, and Personalize "
            f"needs {MIN_INTERACTIONS} to train"
        )
    return Table(header, [row.cells for row in rows])


def _sorted_by_timestamp(rows: Sequence[Row], column: int) -> list[Row]:
    """Return the rows sorted by TIMESTAMP, the oldest first. `column` is the index of TIMESTAMP.

    Raises ValueError if a timestamp is not a whole number.
    """
    for row in rows:
        timestamp = _timestamp(row, column)
        if not _is_number(int, timestamp):
            raise ValueError(
                f"line {row.line}: TIMESTAMP is {timestamp!r}; write whole seconds since 1970, for "
                "example 1767225600"
            )
    return sorted(rows, key=lambda row: int(_timestamp(row, column)))


def _timestamp(row: Row, column: int) -> str:
    """Return the cell of a column, or an empty text if the row is too short."""
    return row.cells[column] if column < len(row.cells) else ""


def _avro_type(name: str, cells: Sequence[str]) -> str | list[str]:
    """Return the narrowest Avro type that fits the cells of a column.

    An empty cell is null. If there is one, the type is a union with null.
    """
    values = [cell for cell in cells if cell]
    if name in TEXT_COLUMNS or not values:
        avro_type = "string"
    elif all(_is_number(int, value) for value in values):
        avro_type = "long"
    elif all(_is_number(float, value) for value in values):
        avro_type = "float"
    else:
        avro_type = "string"
    return avro_type if len(values) == len(cells) else ["null", avro_type]


def _is_number(number_type: Callable[[str], object], text: str) -> bool:
    """Return True if `number_type`, which is int or float, can parse a text."""
    try:
        number_type(text)
    except ValueError:
        return False
    return True
