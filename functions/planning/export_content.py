"""Finds out what the rows of an export contain, and whether its events are old or of fewer types.

A file that was written today may contain the events of last month. Only if every row was read, the
newest event and the types are certain, so only then is a run refused.
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ..executions import short_hash
from ..personalize.tags import CONTENT
from ..words import time_text
from .guards import guard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..contract import ExportContent, Tags
    from .datasets import DatasetView

SHOWN_TYPES, SHOWN_COLUMNS, SHOWN_NAME = 5, 10, 30
"""The most types of events and columns in a document, and the most characters of their names."""
STANDSTILL = 3
"""The number of imports with the same newest event about which a run warns."""
EXPECTED_ROWS = 10
"""If fewer rows of a type are to be expected, an INCREMENTAL export may lack them by chance."""
CONTENT_TAG = re.compile(r"(\S+) ([0-9]{1,6})((?: [0-9a-f]{6}:[0-9]{1,4})*)")


def content_of(view: DatasetView) -> ExportContent:
    """Return what the rows of an export contain that were read.

    A time after tomorrow is a mistake, so it is not the newest event.
    """
    values = {field["name"]: view.export.values(field["name"]) for field in view.fields}
    rows = max((counts.total() for counts in values.values()), default=0)
    nulls = Counter({name[:SHOWN_NAME]: counts.pop("", 0) for name, counts in values.items()})
    types = values.get("EVENT_TYPE", Counter()).most_common(SHOWN_TYPES)
    latest = (view.world.now + timedelta(days=1)).timestamp()
    texts = [text[:11] for text in values.get("TIMESTAMP", ()) if text.isdecimal()]
    newest = max((time for time in map(int, texts) if time <= latest), default=None)
    newest_at = None if newest is None else datetime.fromtimestamp(newest, UTC).isoformat()
    last = _last_content(view)
    return {
        "rows": rows,
        "areAllRowsRead": view.export.row_count is not None,
        "newestEventAt": newest_at,
        "importsWithNewestEvent": 1 + int(last[2]) if last and last[1] == newest_at else 1,
        "eventTypes": {name[:SHOWN_NAME]: count for name, count in types},
        "emptyValues": dict((+nulls).most_common(SHOWN_COLUMNS)),
    }


def content_tags(content: ExportContent) -> Tags:
    """Return the tag about the content of an export, or no tag if it is not certain."""
    newest_at, rows = content["newestEventAt"], content["rows"]
    if newest_at is None or not content["areAllRowsRead"]:
        return {}
    types = content["eventTypes"].items()
    shares = (f"{_type_digits(name)}:{round(1000 * count / rows)}" for name, count in types)
    return {CONTENT: " ".join([newest_at, str(content["importsWithNewestEvent"]), *shares])}


@guard("content of events", "REFUSE", "export")
def stale_content(view: DatasetView) -> Iterator[str]:
    """Yield a message for old events (`maxEventAge`), or missing types (`strictEvents`)."""
    yield from _messages(view, refuses=True)


@guard("content of events", "WARN", "export")
def perhaps_stale_content(view: DatasetView) -> Iterator[str]:
    """Yield a message for events that may be too old, are not new, or lack a common type."""
    yield from _messages(view, refuses=False)


def _messages(view: DatasetView, *, refuses: bool) -> Iterator[str]:
    """Yield what refuses the run, or what it warns of. With `exportDate`, old events are wanted."""
    content, settings, location = view.content, view.dataset, view.export.location
    newest_at, is_certain = content["newestEventAt"], content["areAllRowsRead"]
    if newest_at is None or view.has_export_date:
        return
    newest, max_age = datetime.fromisoformat(newest_at), settings["maxEventAge"]
    if max_age and refuses == is_certain:
        number, unit = max_age.split()
        if view.world.now - newest > timedelta(**{f"{unit.removesuffix('s')}s": int(number)}):
            read = "" if is_certain else " in the rows that were read"
            yield (
                f"the newest event of {location}{read} is from {time_text(newest)} UTC, longer ago "
                f"than maxEventAge, {max_age}; repair the job that writes the export, or raise "
                "maxEventAge"
            )
    last = _last_content(view)
    if last is None or not is_certain:
        return
    if content["importsWithNewestEvent"] >= STANDSTILL and not refuses:
        yield (
            f"the newest event of {location} is from {time_text(newest)} UTC, as in the last "
            f"{content['importsWithNewestEvent'] - 1} imports; check the job that writes the export"
        )
    types = {_type_digits(name) for name in view.export.values("EVENT_TYPE")}
    shares = dict(share.split(":") for share in last[3].split())
    missing = [int(share) for digits, share in shares.items() if digits not in types]
    if not view.is_full:
        missing = [share for share in missing if content["rows"] * share >= 1000 * EXPECTED_ROWS]
    if missing and refuses == settings["strictEvents"]:
        yield (
            f"{location} lacks {len(missing)} of the commonest types of events of the last import, "
            f"with {sum(missing) / 1000:.1%} of its rows; compare the types in the reports of both "
            "runs, and check the job that writes the export, or set strictEvents to false"
        )


def _last_content(view: DatasetView) -> re.Match[str] | None:
    """Return what the tag of the last import says about the content, or None without such a tag."""
    texts = (job.content for job in view.imports if job.is_active and job.content)
    return CONTENT_TAG.fullmatch(next(texts, ""))


def _type_digits(name: str) -> str:
    """Return the hash of a type of events, because a tag has no room for names."""
    return short_hash(name[:SHOWN_NAME], 6)
