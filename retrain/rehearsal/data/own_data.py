"""Somebody's own CSV files as the data of a rehearsal: `<key>.csv` for each dataset of the stack.

The header becomes the schema. The first version is trained on the older 80% of the interactions,
by TIMESTAMP; the newer data are all of them. The other datasets are the same both times.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from emulator.personalize.rules import MIN_INTERACTIONS
from emulator.personalize.tables import REQUIRED_FIELDS
from retrain.rehearsal.data.data_sets import TYPES, numbered_rows
from retrain.rehearsal.data.sample_data import to_csv
from retrain.rehearsal.data.world import RehearsalError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

OLDER = 0.8
"""The share of the interactions that the first version is trained on."""
TEXT = ("USER_ID", "ITEM_ID", "ACTION_ID", "EVENT_TYPE")
"""Columns that are text also where they look like numbers."""
TITLES = ("TITLE", "NAME")
"""Columns of the items that people would read, the better one first."""
GENRES = ("GENRES", "GENRE", "CATEGORIES", "CATEGORY", "CATEGORY_L1")
"""Columns of the items that tell what kind each is, the better one first."""


class Table(NamedTuple):
    """A CSV file."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    def column(self, name: str) -> list[str]:
        """Give a column's cells; a line may be too short to have one."""
        place = self.header.index(name)
        return [row[place] if place < len(row) else "" for row in self.rows]


@dataclass(frozen=True)
class OwnData:
    """Tables by type of dataset; interactions are sorted, the oldest first."""

    tables: Mapping[str, Table]

    def schema(self, dataset_type: str) -> str:
        """Give the schema that the header and the cells suggest."""
        table = self.tables[dataset_type]
        record = {
            "type": "record",
            "name": dataset_type.title().replace("_", ""),
            "namespace": "com.amazonaws.personalize.schema",
            "fields": [
                {"name": name, "type": _type(name, table.column(name))} for name in table.header
            ],
            "version": "1.0",
        }
        return json.dumps(record)

    def older(self, dataset_type: str) -> bytes:
        """Give the older share of what has a TIMESTAMP, all of the rest."""
        header, lines = self.tables[dataset_type]
        older = int(len(lines) * OLDER) if "TIMESTAMP" in header else len(lines)
        return to_csv(header, lines[:older])

    def newer(self, dataset_type: str) -> bytes:
        """Give the whole table."""
        return to_csv(*self.tables[dataset_type])

    def titles(self) -> Mapping[str, str]:
        """Give the items' titles, where a column holds them."""
        return self._of_items(TITLES)

    def genres(self) -> Mapping[str, str]:
        """Give the items' genres, where a column holds them."""
        return self._of_items(GENRES)

    def _of_items(self, columns: Sequence[str]) -> Mapping[str, str]:
        items = self.tables.get("ITEMS", Table(["ITEM_ID"], []))
        column = next((name for name in columns if name in items.header), None)
        if column is None:
            return {}
        return dict(zip(items.column("ITEM_ID"), items.column(column), strict=True))


def own_data(directory: Path, keys: Iterable[str]) -> OwnData:
    """Read a directory's files for these keys of `datasets`, and the interactions in any case.

    Raises RehearsalError with everything that is wrong with them.
    """
    tables: dict[str, Table] = {}
    problems: list[str] = []
    for key in dict.fromkeys(["interactions", *keys]):
        file = directory / f"{key}.csv"
        try:
            tables[TYPES[key]] = _table(file, TYPES[key])
        except FileNotFoundError:
            problems.append(f"{file}: there is no such file; it is to hold the {key}")
        except UnicodeDecodeError as error:
            line = error.object[: error.start].count(b"\n") + 1
            problems.append(f"{file}: line {line} is not UTF-8; save it as UTF-8")
        except (OSError, ValueError, csv.Error) as error:
            problems.append(f"{file}: {error}")
    if problems:
        raise RehearsalError("\n".join(problems))
    return OwnData(tables)


def _table(file: Path, dataset_type: str) -> Table:
    """Read a file; raises OSError, and ValueError that says what is wrong with it."""
    (_, header), *numbered = numbered_rows(file.read_bytes()) or [(1, [])]
    table = Table(header, [row for _, row in numbered])
    if missing := [name for name in REQUIRED_FIELDS[dataset_type] if name not in header]:
        raise ValueError(
            f"lacks {_listed(missing)}; its header has {_listed(header) or 'nothing'}, and "
            "Personalize knows columns by their names: change the header"
        )
    if "TIMESTAMP" in header:
        table = Table(header, _sorted(table, [line for line, _ in numbered]))
    if dataset_type == "INTERACTIONS" and len(numbered) * OLDER < MIN_INTERACTIONS:
        raise ValueError(
            f"has {len(numbered)} interactions; expected at least {MIN_INTERACTIONS / OLDER:.0f}, "
            f"so that the older {OLDER:.0%}, which the first version is trained on, are "
            f"{MIN_INTERACTIONS}: Personalize trains on no fewer"
        )
    return table


def _sorted(table: Table, lines: Sequence[int]) -> list[Sequence[str]]:
    """Give the rows, the oldest first; `lines` are those that they begin in."""
    times = table.column("TIMESTAMP")
    for line, each in zip(lines, times, strict=True):
        if not _fits(int, each):
            raise ValueError(
                f"line {line} has the TIMESTAMP {each!r}; expected whole seconds since 1970"
            )
    in_order = sorted(zip(map(int, times), table.rows, strict=True), key=lambda each: each[0])
    return [row for _, row in in_order]


def _type(name: str, cells: Sequence[str]) -> str | list[str]:
    """Give the narrowest Avro type that all cells have; null beside it where one is empty."""
    filled = [each for each in cells if each]
    if name in TEXT or not filled:
        narrowest = "string"
    elif all(_fits(int, each) for each in filled):
        narrowest = "long"
    else:
        narrowest = "float" if all(_fits(float, each) for each in filled) else "string"
    return narrowest if len(filled) == len(cells) else ["null", narrowest]


def _fits(kind: Callable[[str], object], cell: str) -> bool:
    try:
        kind(cell)
    except ValueError:
        return False
    return True


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)
