"""Spoils an export of interactions in the way that a broken export job does."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Literal

from retrain.rehearsal.data.csv_files import read_rows, to_csv

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Spoiling = Literal["none", "truncated", "renamed", "shuffled"]

REMAINING_SHARE = 0.2
"""The share of its rows that a truncated export keeps."""


def spoil(spoiling: Spoiling, dataset_type: str, export: bytes) -> bytes:
    """Return the spoiled export. Only interactions are spoiled."""
    if dataset_type != "INTERACTIONS":
        return export
    return SPOILINGS[spoiling](export)


def truncated(export: bytes, share: float = REMAINING_SHARE) -> bytes:
    """Return the header and the first rows of an export."""
    header, *rows = read_rows(export)
    return to_csv(header, rows[: int(len(rows) * share)])


def renamed(export: bytes) -> bytes:
    """Return the export with the column USER_ID renamed to userId."""
    header, *rows = read_rows(export)
    return to_csv(["userId" if name == "USER_ID" else name for name in header], rows)


def shuffled(export: bytes, seed: int = 1) -> bytes:
    """Return the export with the values of ITEM_ID dealt out at random among the rows."""
    header, *rows = read_rows(export)
    column = header.index("ITEM_ID")
    values = [row[column] for row in rows]
    random.Random(seed).shuffle(values)  # noqa: S311  # sample data
    for row, value in zip(rows, values, strict=True):
        row[column] = value
    return to_csv(header, rows)


SPOILINGS: Mapping[Spoiling, Callable[[bytes], bytes]] = {
    "none": lambda export: export,
    "truncated": truncated,
    "renamed": renamed,
    "shuffled": shuffled,
}
