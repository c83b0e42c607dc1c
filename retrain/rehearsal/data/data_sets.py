"""What a rehearsal fills a dataset group with: an older export, and the newer one that follows."""

from __future__ import annotations

import csv
import io
import statistics
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, Protocol

from retrain.rehearsal.data import sample_data

if TYPE_CHECKING:
    from collections.abc import Mapping

TYPES = {
    "interactions": "INTERACTIONS",
    "items": "ITEMS",
    "users": "USERS",
    "actions": "ACTIONS",
    "actionInteractions": "ACTION_INTERACTIONS",
}
"""A dataset's key in the stack's settings -> its type in Personalize."""
SEVERAL = 3
"""Items that somebody has met at least whose recommendations tell something."""


class DataSet(Protocol):
    """CSV exports by type of dataset (a value of TYPES)."""

    def schema(self, dataset_type: str) -> str:
        """Give the Avro schema, as CreateSchema takes it."""

    def older(self, dataset_type: str) -> bytes:
        """Give the export that the first version is trained on."""

    def newer(self, dataset_type: str) -> bytes:
        """Give the export some time later: every row of the older one, and more."""

    def titles(self) -> Mapping[str, str]:
        """Give what people call the items, by id; those without a title are left out."""

    def genres(self) -> Mapping[str, str]:
        """Give what kind of item each is, by id; several are separated by `|`."""


class SampleData:
    """The film service of `sample_data`, and the same one two weeks later."""

    def schema(self, dataset_type: str) -> str:
        """Give the Avro schema."""
        return sample_data.schema(dataset_type)

    def older(self, dataset_type: str) -> bytes:
        """Give the export after 60 days."""
        return self._older[dataset_type]

    def newer(self, dataset_type: str) -> bytes:
        """Give the export after 74 days."""
        return self._newer[dataset_type]

    def titles(self) -> Mapping[str, str]:
        """Give the films' titles."""
        return self._of_films("TITLE")

    def genres(self) -> Mapping[str, str]:
        """Give the films' genres."""
        return self._of_films("GENRE")

    def _of_films(self, column: str) -> Mapping[str, str]:
        header, *films = rows(self.newer("ITEMS"))
        place = header.index(column)
        return {film[0]: film[place] for film in films}

    @cached_property
    def _older(self) -> Mapping[str, bytes]:
        return sample_data.sample_data(sample_data.DAYS)

    @cached_property
    def _newer(self) -> Mapping[str, bytes]:
        return sample_data.sample_data(sample_data.NEWER_DAYS)


def rows(export: bytes) -> list[list[str]]:
    """Give the lines of a CSV file, the header first; a cell may hold line breaks.

    Raises UnicodeDecodeError for what is not UTF-8.
    """
    return [row for _, row in numbered_rows(export)]


def numbered_rows(export: bytes) -> list[tuple[int, list[str]]]:
    """Give the same rows with the lines that they begin in, the first one being 1."""
    reader = csv.reader(io.StringIO(export.decode("utf-8-sig"), newline=""))
    found, begins = [], 1
    for row in reader:
        if row:
            found.append((begins, row))
        begins = reader.line_num + 1
    return found


def increment(older: bytes, newer: bytes) -> bytes:
    """Give what an INCREMENTAL import is given: the newer export's rows that the older one lacks.

    All rows, where there is nothing new: a file without rows imports nothing.
    """
    known = {tuple(row) for row in rows(older)}
    header, *all_rows = rows(newer)
    new = [row for row in all_rows if tuple(row) not in known]
    return sample_data.to_csv(header, new or all_rows)


class Viewer(NamedTuple):
    """A user, and the ids of the items that they met, the newest first."""

    user_id: str
    met: list[str]


def typical_viewer(data: DataSet) -> Viewer:
    """Give the user to judge recommendations by: one who met as many items as users usually do.

    That is the median of those who met several, and of them the one seen last. What is recommended
    to a user who has met nearly everything is only what is left over.
    """
    header, *lines = rows(data.newer("INTERACTIONS"))
    user, item, time = (header.index(name) for name in ("USER_ID", "ITEM_ID", "TIMESTAMP"))
    met: dict[str, dict[str, None]] = {}
    for line in sorted(lines, key=lambda each: int(each[time]), reverse=True):
        met.setdefault(line[user], {})[line[item]] = None
    sizes = [len(items) for items in met.values()]
    usual = statistics.median_low([size for size in sizes if size >= SEVERAL] or sizes)
    return next(Viewer(each, list(items)) for each, items in met.items() if len(items) == usual)
