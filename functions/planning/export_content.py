"""Finds out what the rows of an export contain, and whether its events are old or of fewer types.

A file that was written today may contain the events of last month. Only if every row was read, the
newest event and the types are certain, so only then is a run refused.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ..personalize.imports import type_digits
from ..rules.imports import exports_with_event, last_known_content
from ..words import time_text
from .guards import guard

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from ..contract import ExportContent
    from ..exports import Export
    from .datasets import DatasetView

SHOWN_TYPES, SHOWN_COLUMNS, SHOWN_NAME = 5, 10, 30
"""The most types of events and columns in a document, and the most characters of their names."""
TIME_DIGITS = 11
"""A time with more digits is not in seconds (`export_values.py`)."""
STANDSTILL = 3
"""The number of exports with the same newest event about which a run warns. Two may be a
coincidence, for example after a correction of older rows."""
EXPECTED_ROWS = 10
"""If fewer rows of a type are to be expected, an INCREMENTAL export may lack them by chance."""


def content_of(export: Export, columns: Collection[str], now: datetime) -> ExportContent:
    """Return what the rows of an export contain that were read. The schema has these columns.

    A time after tomorrow is wrong, so it is not the newest event.
    """
    values = {name: counts for name in columns if (counts := export.values(name))}
    rows = max((counts.total() for counts in values.values()), default=0)
    nulls = Counter({name[:SHOWN_NAME]: counts.pop("", 0) for name, counts in values.items()})
    types = values.get("EVENT_TYPE", Counter()).most_common(SHOWN_TYPES)
    latest = (now + timedelta(days=1)).timestamp()
    texts = [text for text in values.get("TIMESTAMP", ()) if text.isdecimal()]
    times = [int(text) for text in texts if len(text) <= TIME_DIGITS and int(text) <= latest]
    newest_at = datetime.fromtimestamp(max(times), UTC).isoformat() if times else None
    return {
        "rows": rows,
        "areAllRowsRead": export.row_count is not None,
        "newestEventAt": newest_at,
        "eventTypes": {name[:SHOWN_NAME]: count for name, count in types},
        "nullShares": {
            name: round(count / rows, 4)
            for name, count in nulls.most_common(SHOWN_COLUMNS)
            if count
        },
    }


@guard("age of events", "REFUSE", "export")
def old_events(view: DatasetView) -> Iterator[str]:
    """Yield a message for an export whose newest event is older than `maxEventAge`."""
    if view.content["areAllRowsRead"] and (message := _age_message(view)):
        yield f"{message}; repair the job that writes the export, or raise maxEventAge"


@guard("types of events", "REFUSE", "export")
def missing_types(view: DatasetView) -> Iterator[str]:
    """Yield a message for a type of events that has vanished, if `strictEvents` is set."""
    if view.dataset["strictEvents"] and (message := _types_message(view)):
        yield (
            f"{message}; repair the job that writes the export, or set strictEvents to false "
            "for one run if the types have changed"
        )


@guard("stale content", "WARN", "export")
def stale_content(view: DatasetView) -> Iterator[str]:
    """Yield a message for events that may be too old, are not new, or lack a common type.

    If events reach the dataset without an export as well, exports may go without new events.
    """
    if not view.content["areAllRowsRead"]:
        if message := _age_message(view):
            yield (
                f"{message}, in the rows that were read; the export is too large to read every "
                "row, so check the job that writes it, or write the newest events first"
            )
        return
    if not view.dataset["strictEvents"] and (message := _types_message(view)):
        yield f"{message}; check the job that writes the export"
    newest_at, is_streamed = view.content["newestEventAt"], view.dataset["streamed"]
    if newest_at and not (view.has_export_date or is_streamed or view.world.event_trackers):
        last = last_known_content(view.imports, is_full=view.is_full)
        count = exports_with_event(newest_at, view.seen.export.fingerprint, last)
        if count >= STANDSTILL:
            yield (
                f"the last {count} exports have the same newest event, of "
                f"{time_text(datetime.fromisoformat(newest_at))} UTC, although "
                f"{view.export.location} is new; check the job that writes the exports"
            )


def _age_message(view: DatasetView) -> str | None:
    """Return what is wrong with the newest event, or None. `exportDate` asks for an old export."""
    max_age, newest_at = view.dataset["maxEventAge"], view.content["newestEventAt"]
    if max_age is None or newest_at is None or view.has_export_date:
        return None
    number, unit = max_age.split()
    newest = datetime.fromisoformat(newest_at)
    if view.world.now - newest <= timedelta(**{f"{unit.removesuffix('s')}s": int(number)}):
        return None
    return (
        f"the newest event of {view.export.location} is from {time_text(newest)} UTC, which is "
        f"longer ago than maxEventAge, {max_age}"
    )


def _types_message(view: DatasetView) -> str | None:
    """Return which types of events of the last import the export lacks, or None.

    The tag of an import job has no room for the names of the types, but a report has them.
    """
    last = last_known_content(view.imports, is_full=view.is_full)
    if not last or not last.content or not view.content["areAllRowsRead"] or view.has_export_date:
        return None
    types, rows = view.export.values("EVENT_TYPE"), view.content["rows"]
    present = {type_digits(name[:SHOWN_NAME]) for name in types}
    missing = [
        share
        for digits, share in last.content.shares.items()
        if digits not in present and (view.is_full or rows * share >= EXPECTED_ROWS)
    ]
    if not missing:
        return None
    return (
        f"{view.export.location} lacks {len(missing)} of the commonest types of events of the last "
        f"import, with {sum(missing):.1%} of its rows; the types are now "
        f"{', '.join(view.content['eventTypes']) or 'none'}, and the report of {last.run} has the "
        "earlier ones"
    )
