"""Finds out what the rows of an export contain, and whether its events are old or of fewer types.

A file that was written today may contain the events of last month. Only if every row was read, the
newest event and the types are certain, so only then is a run refused.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from ..personalize.imports import type_digits
from ..rules.imports import exports_with_event, last_known_content
from ..words import time_text
from .guards import guard

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from ..contract import ExportContent
    from ..exports import Export
    from .datasets import DatasetView

EVENT_TYPE = "EVENT_TYPE"
SHOWN_TYPES, SHOWN_COLUMNS, SHOWN_NAME = 5, 10, 30
"""The most types of events and columns in a document, and the most characters of their names."""
TIME_DIGITS = 11
"""A time with more digits is not in seconds (`export_values.py`)."""
STANDSTILL = 3
"""The number of exports with the same newest event about which a run warns. Two may be a
coincidence, for example after a correction of older rows."""
EXPECTED_ROWS = 10
"""If fewer rows of a type are to be expected, an INCREMENTAL export may lack them by chance."""


class Finding(NamedTuple):
    """Something that is wrong with the content of an export."""

    refuses: bool
    message: str


def content_of(export: Export, columns: Collection[str], now: datetime) -> ExportContent:
    """Return what the rows of an export contain that were read. The schema has these columns.

    A time after tomorrow is wrong, so it is not the newest event.
    """
    values = {name: counts for name in columns if (counts := export.values(name))}
    rows = max((counts.total() for counts in values.values()), default=0)
    nulls = Counter({name[:SHOWN_NAME]: counts.pop("", 0) for name, counts in values.items()})
    types = values.get(EVENT_TYPE, Counter()).most_common(SHOWN_TYPES)
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


@guard("content of events", "REFUSE", "export")
def stale_content(view: DatasetView) -> Iterator[str]:
    """Yield a message for old events (`maxEventAge`), or missing types (`strictEvents`)."""
    yield from (message for refuses, message in _findings(view) if refuses)


@guard("content of events", "WARN", "export")
def perhaps_stale_content(view: DatasetView) -> Iterator[str]:
    """Yield a message for events that may be too old, are not new, or lack a common type."""
    yield from (message for refuses, message in _findings(view) if not refuses)


def _findings(view: DatasetView) -> Iterator[Finding]:
    """Yield what is wrong with the events of an export. With `exportDate`, old events are wanted.

    If events also reach the dataset without an export, an export need not have new ones. The tag of
    an import job has no room for the names of types, but the report of its run has them.
    """
    content, settings, location = view.content, view.dataset, view.export.location
    newest_at, is_certain = content["newestEventAt"], content["areAllRowsRead"]
    if newest_at is None or view.has_export_date:
        return
    newest, max_age = datetime.fromisoformat(newest_at), settings["maxEventAge"]
    if max_age and view.world.now - newest > _age(max_age):
        read = "" if is_certain else ", in the rows that were read,"
        yield Finding(
            is_certain,
            f"the newest event of {location}{read} is from {time_text(newest)} UTC, longer ago "
            f"than maxEventAge, {max_age}; repair the job that writes the export, or raise "
            "maxEventAge",
        )
    last = last_known_content(view.imports, is_full=view.is_full)
    if last is None or last.content is None or not is_certain:
        return
    count = exports_with_event(newest_at, view.seen.export.fingerprint, last)
    if count >= STANDSTILL and not settings["streamed"] and not view.world.event_trackers:
        yield Finding(
            False,
            f"the last {count} exports have the same newest event, of {time_text(newest)} UTC, "
            f"although {location} is new; check the job that writes the exports",
        )
    types = {type_digits(name[:SHOWN_NAME]) for name in view.export.values(EVENT_TYPE)}
    missing = [
        share
        for digits, share in last.content.shares.items()
        if digits not in types and (view.is_full or content["rows"] * share >= EXPECTED_ROWS)
    ]
    if missing:
        is_strict, names = settings["strictEvents"], ", ".join(content["eventTypes"]) or "none"
        yield Finding(
            is_strict,
            f"{location} lacks {len(missing)} of the commonest types of events of the last import, "
            f"with {sum(missing):.1%} of its rows; the types are now {names}, and the report of "
            f"{last.run} has the earlier ones; check the job that writes the export"
            f"{', or set strictEvents to false for one run' if is_strict else ''}",
        )


def _age(text: str) -> timedelta:
    """Return an age like `3 days` or `1 hour`."""
    number, unit = text.split()
    return timedelta(**{f"{unit.removesuffix('s')}s": int(number)})
