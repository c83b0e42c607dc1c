"""Checks the number of rows of an export. Each guard yields messages.

Source: https://docs.aws.amazon.com/personalize/latest/dg/limits.html.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .guards import guard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .situation import Situation

MIN_ROWS = 1000
"""An import of interactions needs this number of rows."""


@guard("number of rows", "REFUSE", "export")
def too_few_rows(situation: Situation) -> Iterator[str]:
    """Yield a message for an export with fewer interactions than the 1,000 that an import needs."""
    if not _events_arrive(situation):
        yield from _too_few_rows(situation)


@guard("number of rows", "WARN", "export")
def few_rows_beside_events(situation: Situation) -> Iterator[str]:
    """Yield a message for a FULL export with fewer than 1,000 interactions, if events add others.

    With the events of a tracker, or of a `streamed` dataset, there may be enough interactions.
    """
    if _events_arrive(situation):
        yield from _too_few_rows(situation)


def _events_arrive(situation: Situation) -> bool:
    """Return True if a FULL import of the selected dataset is not its only source of data."""
    dataset = situation.dataset
    is_streamed = bool(situation.world.event_trackers) or dataset.get("streamed", False)
    return dataset["importMode"] == "FULL" and is_streamed


def _too_few_rows(situation: Situation) -> Iterator[str]:
    """Yield a message if the export is known to have too few rows. Another guard finds no rows."""
    dataset, rows = situation.dataset, situation.export.row_count
    mode = dataset["importMode"]
    needs_rows = dataset["type"] == "interactions" or (
        dataset["type"] == "actionInteractions" and mode == "INCREMENTAL"
    )
    if not needs_rows or not rows or rows >= MIN_ROWS:
        return
    advice = {
        "FULL": "export all interactions, because a FULL import replaces all bulk data",
        "INCREMENTAL": (
            "import less often, or use importMode FULL with a complete export, because it "
            "replaces all bulk data"
        ),
    }
    yield (
        f"{situation.export.location} has {rows} interactions, but an import takes at least "
        f"{MIN_ROWS}; {advice[mode]}"
    )
