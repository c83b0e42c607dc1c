"""Finds a user and items in the exports, with which a probe can ask for recommendations."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from components.rules.fields import MAX_ID_CHARACTERS
from functions.exports import read_export

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mypy_boto3_s3 import S3Client

    from functions.exports import Export
    from retrain.act.adopted_group import AdoptedDataset

USER_COLUMN, ITEM_COLUMN = "USER_ID", "ITEM_ID"
RANKED_ITEMS = 3
"""The number of items that a probe of a ranking sends. A probe needs at least one."""


class ProbeIds(NamedTuple):
    """Ids from the exports. They are None and empty if no export can be read."""

    user_id: str | None
    item_ids: Sequence[str]


def read_probe_ids(client: S3Client, datasets: Iterable[AdoptedDataset]) -> ProbeIds:
    """Return a user and some items from the last exports.

    The interactions come first in `datasets`, so a user and items with interactions are found.
    """
    user_ids: list[str] = []
    item_ids: list[str] = []
    for dataset in datasets:
        if dataset.last_import is None or (user_ids and len(item_ids) >= RANKED_ITEMS):
            continue
        export = read_export(client, dataset.last_import.location)
        user_ids += _ids(export, USER_COLUMN)
        item_ids += _ids(export, ITEM_COLUMN)
    distinct_items = list(dict.fromkeys(item_ids))
    return ProbeIds(user_ids[0] if user_ids else None, distinct_items[:RANKED_ITEMS])


def _ids(export: Export, column: str) -> Iterator[str]:
    """Yield the usable values of a column in the samples of an export."""
    for sample in export.samples:
        if column in sample.header:
            position = sample.header.index(column)
            for row in sample.rows:
                if 0 < len(row.values[position]) <= MAX_ID_CHARACTERS:
                    yield row.values[position]
