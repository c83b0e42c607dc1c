"""Checks the files of an export: that they are there, and that Personalize can read them.

Each guard yields messages.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from ..csv_files import SHOWN_FILES
from .guards import guard

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .situation import Situation

SHOWN_KEYS = 3
"""A message names this number of keys."""


@guard("export", "REFUSE", "export")
def missing_export(situation: Situation) -> Iterator[str]:
    """Yield a message for a location that cannot be read, has no rows, or has an empty file."""
    export = situation.export
    empty = [file.key for file in export.objects if file.size == 0]
    if export.read_error:
        yield (
            f"{export.read_error}; check that it exists and that the role of plan-retraining "
            "may list and read it"
        )
    elif not export.objects and export.deeper_keys:
        yield (
            f"the objects at {export.location} are all in subfolders: {_keys(export.deeper_keys)};"
            " Personalize imports only the first level of a folder; write the export there, or set "
            "dataLocation to the subfolder"
        )
    elif not export.objects:
        yield (
            f"there is no object at {export.location}; check dataLocation and the job that "
            "writes the export"
        )
    elif empty:
        yield (
            f"{len(empty)} of {len(export.objects)} objects at {export.location} are empty, "
            f"for example {empty[0]}; if one is a marker, write it outside of this location, "
            "otherwise repeat the export"
        )
    elif not export.has_rows:
        yield f"{export.location} has no rows; repeat the export"


@guard("format", "REFUSE", "export")
def unreadable_file(situation: Situation) -> Iterator[str]:
    """Yield a message for a file that is not CSV in UTF-8 with one record on each line."""
    messages = (
        f"{situation.export.url(file.key)}: {file.error}"
        for file in situation.export.samples
        if file.error
    )
    yield from islice(messages, SHOWN_FILES)


@guard("subfolders", "WARN", "export")
def ignored_subfolders(situation: Situation) -> Iterator[str]:
    """Yield a message for files in subfolders, which are not imported."""
    export = situation.export
    if export.objects and export.deeper_keys:
        yield (
            f"objects in subfolders of {export.location} are not imported: "
            f"{_keys(export.deeper_keys)}; Personalize imports only the first level of a folder; "
            "move them there, or away from this location"
        )


@guard("other files", "WARN", "export")
def other_files(situation: Situation) -> Iterator[str]:
    """Yield a message for a folder with files whose names do not end in `.csv`.

    It is not documented whether Personalize imports them, skips them, or fails.
    """
    export = situation.export
    other_keys = [file.key for file in export.objects if not file.key.lower().endswith(".csv")]
    if other_keys and export.location.endswith("/"):
        yield (
            f"names of objects at {export.location} do not end in .csv: {_keys(other_keys)}; if "
            "the import fails because of them, rename them, or write them outside of this location"
        )


@guard("byte-order mark", "WARN", "export")
def byte_order_mark(situation: Situation) -> Iterator[str]:
    """Yield a message for files that begin with a byte-order mark.

    It is not documented whether Personalize reads the mark as a part of the first column's name.
    """
    export = situation.export
    marked = [file.key for file in export.samples if file.has_byte_order_mark]
    if marked:
        yield (
            f"files at {export.location} begin with a byte-order mark: {_keys(marked)}; if the "
            "import fails because it misses the first column, export UTF-8 without the mark"
        )


def _keys(keys: Sequence[str]) -> str:
    """Return the first keys, and the number of the others."""
    hidden_count = len(keys) - SHOWN_KEYS
    names = ", ".join(keys[:SHOWN_KEYS])
    return f"{names} and {hidden_count} more" if hidden_count > 0 else names
