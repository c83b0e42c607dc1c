"""Spoils an export as upstream jobs do: cut off, with another header, or without meaning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from emulator.personalize.tables import REQUIRED_FIELDS
from retrain.rehearsal.data.data_sets import rows
from retrain.rehearsal.data.sample_data import shuffled, to_csv, truncated

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Spoiling = Literal["none", "truncated", "renamed", "shuffled"]

LEFT = 0.2
"""The share of its rows that a truncated export has left."""


def spoil(how: Spoiling, dataset_type: str, export: bytes) -> bytes:
    """Give what becomes of an export; only those of interactions are spoiled."""
    return SPOILED[how](export) if dataset_type == "INTERACTIONS" else export


def _renamed(export: bytes) -> bytes:
    """Call the first required column as other systems do: userId."""
    header, *lines = rows(export)
    required = REQUIRED_FIELDS["INTERACTIONS"][0]
    first, *others = required.lower().split("_")
    name = "".join([first, *(each.title() for each in others)])
    return to_csv([name if each == required else each for each in header], lines)


SPOILED: Mapping[Spoiling, Callable[[bytes], bytes]] = {
    "none": lambda export: export,
    "truncated": lambda export: truncated(export, LEFT),
    "renamed": _renamed,
    "shuffled": shuffled,
}
