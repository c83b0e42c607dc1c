"""What a rehearsal fills a dataset group with: an older export, and the newer one that follows."""

from __future__ import annotations

import csv
import io
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, Protocol

from emulator import sample_data

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
        header, *films = rows(self.newer("ITEMS"))
        title = header.index("TITLE")
        return {film[0]: film[title] for film in films}

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
    return [
        line for line in csv.reader(io.StringIO(export.decode("utf-8-sig"), newline="")) if line
    ]


def increment(older: bytes, newer: bytes) -> bytes:
    """Give what an INCREMENTAL import is given: the newer export's rows that the older one lacks.

    All rows, where there is nothing new: a file without rows imports nothing.
    """
    known = {tuple(row) for row in rows(older)}
    header, *all_rows = rows(newer)
    new = [row for row in all_rows if tuple(row) not in known]
    return sample_data.to_csv(header, new or all_rows)


class Viewer(NamedTuple):
    """A user, and the titles (else ids) of the items that they met, the newest first."""

    user_id: str
    met: list[str]


def newest_viewer(data: DataSet) -> Viewer:
    """Give the user of the newest interaction: what they get tells most about fresh data."""
    header, *lines = rows(data.newer("INTERACTIONS"))
    user, item, time = (header.index(name) for name in ("USER_ID", "ITEM_ID", "TIMESTAMP"))
    newest_first = sorted(lines, key=lambda line: int(line[time]), reverse=True)
    user_id, titles = newest_first[0][user], data.titles()
    items = [line[item] for line in newest_first if line[user] == user_id]
    return Viewer(user_id, [titles.get(each, each) for each in dict.fromkeys(items)])
