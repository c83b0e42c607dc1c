"""Summarizes the rows of an export, and compares them with the last import.

A file that was written today may contain the events of last month. But the newest event and the
types of events are certain only if every row was read, so otherwise a run is never refused because
of them.
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ..exports import COUNTED_BYTES, COUNTED_FILES
from ..hashes import short_hash
from ..personalize.tags import CONTENT
from ..words import list_text, size_text, time_text
from .guards import guard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..contract import ExportContent, Tags
    from .datasets import DatasetView

SHOWN_TYPES = 5
"""The most types of events in a document."""
SHOWN_COLUMNS = 10
"""The most columns with empty values in a document."""
SHOWN_NAME = 30
"""The most characters in the name of a type or a column there."""
STANDSTILL = 3
"""A run warns from this number of imports in a row with the same newest event on."""
EXPECTED_ROWS = 10
"""An INCREMENTAL export may lack a type by chance if fewer rows of it are expected. With ten
expected rows, that happens once in 20,000 days (ADR 44)."""
TIME = re.compile(r"\s*0*([0-9]{1,11})\s*")
"""A time in seconds, perhaps padded, which Personalize's guide doesn't forbid. A number with more
digits is in milliseconds."""
HASH_LENGTH = 6
SHARE = re.compile(r" ([0-9a-f]{6}):([0-9]{1,4})")
CONTENT_TAG = re.compile(
    rf"(?P<newest>\S+) (?P<imports>[0-9]{{1,6}})(?P<shares>(?:{SHARE.pattern})*)"
)
"""What a tag says about the content of an import: the newest event, how many imports in a row have
had it, and the types of events with their rows per 1,000. A tag has no room for the types' names,
so there are hashes of them."""


def content_of(view: DatasetView) -> ExportContent:
    """Summarize the rows that were read, and compare them with the last import."""
    columns = {name: view.export.values(name) for name in view.columns}
    empty_values = Counter({shown_name(name): values[""] for name, values in columns.items()})

    # The last tag counts the earlier imports, because those aren't read any more once their data
    # was replaced.
    last = _last_content(view)
    newest_at = _newest_event(view)
    earlier_imports = int(last["imports"]) if last and last["newest"] == newest_at else 0

    types = event_types(view)
    return {
        "rows": max((values.total() for values in columns.values()), default=0),
        "areAllRowsRead": view.export.row_count is not None,
        "newestEventAt": newest_at,
        "importsWithNewestEvent": earlier_imports + 1,
        "eventTypes": {shown_name(name): n for name, n in types.most_common(SHOWN_TYPES)},
        "missingPerMille": _missing_per_mille(types, last),
        # The plus drops the columns without empty values.
        "emptyValues": dict((+empty_values).most_common(SHOWN_COLUMNS)),
    }


def _missing_per_mille(types: Counter[str], last: re.Match[str] | None) -> int:
    """Add up the shares of those types that the last import had, and that are missing now.

    A share is the number of a type's rows per 1,000 rows of the last import.
    """
    present_hashes = {short_hash(shown_name(name), HASH_LENGTH) for name in types}
    last_shares = SHARE.findall(last["shares"]) if last else ()
    return sum(int(share) for digits, share in last_shares if digits not in present_hashes)


def _last_content(view: DatasetView) -> re.Match[str] | None:
    """Parse the newest tag about the content of an import, unless a person has broken it."""
    tags = (job.content for job in view.imports if job.is_active and job.content)
    newest_tag = next(tags, "")
    return CONTENT_TAG.fullmatch(newest_tag)


def _newest_event(view: DatasetView) -> str | None:
    """Find the newest event. One that is more than a day ahead is a mistake, so it's left out."""
    latest = (view.data.now + timedelta(days=1)).timestamp()
    times = [time for time in event_times(view) if time <= latest]
    return datetime.fromtimestamp(max(times), UTC).isoformat() if times else None


def event_types(view: DatasetView) -> Counter[str]:
    """Count the rows of each type of events. An empty value is null, so it isn't a type."""
    types = _known_values(view, "EVENT_TYPE")
    del types[""]
    return types


def event_times(view: DatasetView) -> set[int]:
    """Collect the times of the events in seconds since 1970. Other values are left out."""
    times = map(TIME.fullmatch, _known_values(view, "TIMESTAMP"))
    return {int(time[1]) for time in times if time}


def _known_values(view: DatasetView, column: str) -> Counter[str]:
    """Count the rows of each value of a column. Without a field in the schema, it's ignored."""
    return view.export.values(column) if column in view.columns else Counter()


def shown_name(name: str) -> str:
    """Shorten a name for a document. Long names that begin alike differ in their hash."""
    if len(name) <= SHOWN_NAME:
        return name
    end = f"…{short_hash(name, HASH_LENGTH)}"
    return name[: SHOWN_NAME - len(end)] + end


def content_tags(content: ExportContent) -> Tags:
    """Encode the content of an export in a tag, with which the next run compares its own.

    There is no tag if the content isn't certain.
    """
    newest_at = content["newestEventAt"]
    rows = content["rows"]
    if newest_at is None or not content["areAllRowsRead"]:
        return {}

    types = content["eventTypes"].items()
    shares = (
        # Even the rarest type has a share, so that it's missed if it disappears.
        f"{short_hash(name, HASH_LENGTH)}:{max(1, round(1000 * n / rows))}"
        for name, n in types
    )
    return {CONTENT: " ".join([newest_at, str(content["importsWithNewestEvent"]), *shares])}


@guard("content of events", "REFUSE", "export")
def stale_content(view: DatasetView) -> Iterator[str]:
    """Yield a message for outdated events (`maxEventAge`) or missing types (`strictEvents`)."""
    if view.has_export_date:
        return  # `exportDate` asks for old events.

    if view.content["areAllRowsRead"]:
        yield from _old_events(view)
    if view.dataset["strictEvents"]:
        yield from _missing_types(view)


@guard("content of events", "WARN", "export")
def perhaps_stale_content(view: DatasetView) -> Iterator[str]:
    """Yield a message for events that may be outdated, aren't new, or lack a common type.

    What `strictEvents` promises has no silent gap, so the run also warns if it cannot compare the
    types.
    """
    if view.has_export_date:
        return

    if not view.content["areAllRowsRead"]:
        yield from _old_events(view)
    yield from _no_new_event(view)
    if view.dataset["strictEvents"]:
        yield from _unchecked_types(view)
    else:
        yield from _missing_types(view)


def _old_events(view: DatasetView) -> Iterator[str]:
    newest_at = view.content["newestEventAt"]
    max_age = view.dataset["maxEventAge"]
    if newest_at is None or max_age is None:
        return

    number, unit = max_age.split()
    # A setting may say 1 day, but timedelta() takes only days.
    longest = timedelta(**{f"{unit.removesuffix('s')}s": int(number)})
    newest = datetime.fromisoformat(newest_at)
    read = "" if view.content["areAllRowsRead"] else " in the rows that were read"

    if view.data.now - newest > longest:
        yield (
            f"the newest event of {view.export.location}{read} is from {time_text(newest)} UTC, "
            f"longer ago than maxEventAge, {max_age}; repair the job that writes the export, or "
            "raise maxEventAge"
        )


def _no_new_event(view: DatasetView) -> Iterator[str]:
    newest_at = view.content["newestEventAt"]
    count = view.content["importsWithNewestEvent"]
    may_stay = view.holds_export or view.dataset["streamed"] or view.data.event_trackers

    if newest_at and view.content["areAllRowsRead"] and count >= STANDSTILL and not may_stay:
        newest = time_text(datetime.fromisoformat(newest_at))
        yield (
            f"the newest event of {view.export.location} is from {newest} UTC, as in the last "
            f"{count - 1} imports; check the job that writes the export"
        )


def _missing_types(view: DatasetView) -> Iterator[str]:
    """Yield a message if no row has a type of events that the last import had."""
    content = view.content
    missing = view.content["missingPerMille"]
    expected_rows = content["rows"] * missing / 1000
    is_chance = not view.is_full and expected_rows < EXPECTED_ROWS

    if missing and content["areAllRowsRead"] and not is_chance:
        types = list_text([*content["eventTypes"]]) or "none"
        yield (
            f"{view.export.location} lacks types of events that {missing / 1000:.1%} of the rows "
            f"of the last import had; its commonest types are {types}; compare them with the "
            "report of the last import, and check the job that writes the export, or set "
            "strictEvents to false"
        )


def _unchecked_types(view: DatasetView) -> Iterator[str]:
    """Yield a message if `strictEvents` can't compare the types of events, with the reason."""
    last = _last_content(view)
    cannot = f"strictEvents cannot check the types of events of {view.export.location}, because"

    if "EVENT_TYPE" not in view.columns:
        yield f"{cannot} the dataset's schema has no EVENT_TYPE; set strictEvents to false"
    elif not view.content["areAllRowsRead"]:
        yield (
            f"{cannot} not all of its rows were read; a run reads at most "
            f"{size_text(COUNTED_BYTES)} in {COUNTED_FILES} files to the end; write a smaller "
            "export, or check the types in the job that writes it, and set strictEvents to false"
        )
    elif last is None or not last["shares"]:
        yield (
            f"{cannot} no type of an earlier import is known; check that the report of this run "
            "shows the types that you expect, because the next run compares with them"
        )
