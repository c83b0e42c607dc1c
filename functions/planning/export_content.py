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
    types = values.get("EVENT_TYPE", Counter())
    latest = (view.world.now + timedelta(days=1)).timestamp()
    texts = [text[:11] for text in values.get("TIMESTAMP", ()) if text.isdecimal()]
    newest = max((time for time in map(int, texts) if time <= latest), default=None)
    newest_at = None if newest is None else datetime.fromtimestamp(newest, UTC).isoformat()
    tags = (job.content for job in view.imports if job.is_active and job.content)
    last = CONTENT_TAG.fullmatch(next(tags, ""))
    shares = dict(share.split(":") for share in last[3].split()) if last else {}
    present = {_type_digits(name) for name in types}
    return {
        "rows": rows,
        "areAllRowsRead": view.export.row_count is not None,
        "newestEventAt": newest_at,
        "importsWithNewestEvent": 1 + int(last[2]) if last and last[1] == newest_at else 1,
        "eventTypes": {name[:SHOWN_NAME]: n for name, n in types.most_common(SHOWN_TYPES)},
        "missingPerMille": sum(int(shares[digits]) for digits in shares.keys() - present),
        "emptyValues": dict((+nulls).most_common(SHOWN_COLUMNS)),
    }


def content_tags(content: ExportContent) -> Tags:
    """Return the tag about the content of an export, or no tag if it is not certain."""
    newest_at, rows = content["newestEventAt"], content["rows"]
    if newest_at is None or not content["areAllRowsRead"]:
        return {}
    types = content["eventTypes"].items()
    shares = (f"{_type_digits(name)}:{max(1, round(1000 * n / rows))}" for name, n in types)
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
    count, missing = content["importsWithNewestEvent"], content["missingPerMille"]
    if count >= STANDSTILL and is_certain and not refuses:
        yield (
            f"the newest event of {location} is from {time_text(newest)} UTC, as in the last "
            f"{count - 1} imports; check the job that writes the export"
        )
    expected_rows = content["rows"] * missing / 1000
    is_missing = missing and is_certain and (view.is_full or expected_rows >= EXPECTED_ROWS)
    if is_missing and refuses == settings["strictEvents"]:
        yield (
            f"{location} lacks types of events that {missing / 1000:.1%} of the rows of the last "
            "import had; compare the types in the reports of both runs, and check the job that "
            "writes the export, or set strictEvents to false"
        )


def _type_digits(name: str) -> str:
    """Return the hash of a type of events, because a tag has no room for names."""
    return short_hash(name[:SHOWN_NAME], 6)
