"""Spoils an export of interactions in the way that a broken export job does."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Literal

from retrain.rehearsal.data.csv_files import parse, read_rows, to_csv

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Spoiling = Literal["none", "truncated", "renamed", "shuffled"]

REMAINING_SHARE = 0.2
"""The share of the rows that remains in a truncated export."""


def spoil(spoiling: Spoiling, dataset_type: str, export: bytes) -> bytes:
    """Return an export of interactions with this spoiling. Return other exports unchanged."""
    if dataset_type != "INTERACTIONS":
        return export
    return SPOILINGS[spoiling](export)


def truncated(export: bytes, share: float = REMAINING_SHARE) -> bytes:
    """Return the header and the first rows of an export. `share` of the rows remain."""
    parsed = parse(export)
    return parsed.with_rows(parsed.rows[: int(len(parsed.rows) * share)])


def renamed(export: bytes) -> bytes:
    """Return the export with the column USER_ID renamed to userId."""
    parsed = parse(export)
    header = parsed.header.replace(b"USER_ID", b"userId", 1)
    return parsed._replace(header=header).with_rows(parsed.rows)


def shuffled(export: bytes) -> bytes:
    """Return the export with the values of ITEM_ID in a random order, always the same order."""
    header, *rows = read_rows(export)
    column = header.index("ITEM_ID")
    item_ids = [row[column] for row in rows]
    random.Random(1).shuffle(item_ids)  # noqa: S311  # sample data
    for row, item_id in zip(rows, item_ids, strict=True):
        row[column] = item_id
    return to_csv(header, rows)


SPOILINGS: Mapping[Spoiling, Callable[[bytes], bytes]] = {
    "none": lambda export: export,
    "truncated": truncated,
    "renamed": renamed,
    "shuffled": shuffled,
}
