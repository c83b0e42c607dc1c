"""Summarizes the rows of an export, and compares them with the last import.

A file that was written today may contain the events of last month. But the newest event and the
types of events are certain only if every row was read, so otherwise a run is never refused because
of them.
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from ..exports import COUNTED_BYTES, COUNTED_FILES
from ..hashes import hash_shortly
from ..personalize.tags import CONTENT
from ..words import format_list, format_size, format_time
from .guards import guard

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

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
"""The digits of a type's hash in a tag, whose value has room for 256 characters."""
SHARE = re.compile(r" ([0-9a-f]{6}):([0-9]{1,4})")
"""A type of events in a tag: its hash, and its rows per 1,000."""
CONTENT_TAG = re.compile(
    rf"(?P<newest_at>\S+) (?P<imports>[0-9]{{1,6}})(?P<shares>(?:{SHARE.pattern})*)"
)
"""The value of a tag about an import's content: the fields of `ImportedContent`."""


class ImportedContent(NamedTuple):
    """What the tag of an import says about the content of its export."""

    newest_at: str = ""
    """The time of the newest event."""
    imports: int = 0
    """How many imports in a row have had this newest event."""
    shares: Sequence[tuple[str, str]] = ()
    """The hashes of the commonest types of events, and each one's rows per 1,000. A tag has no room
    for the names of the types."""


def examine_content(view: DatasetView) -> ExportContent:
    """Summarize the rows that were read, and compare them with the last import.

    The result travels in the run's document, so the names in it are few and short.
    """
    columns = {name: view.export.values(name) for name in view.columns}
    empty_values = Counter({shorten_name(name): values[""] for name, values in columns.items()})

    last = _parse_last_content(view)
    types = event_types(view)
    newest_at = _find_newest_event(view)

    imports_with_newest = 1
    if newest_at == last.newest_at:
        # The last tag counts the earlier imports, because those aren't read any more once their
        # data was replaced.
        imports_with_newest += last.imports

    return {
        "rows": max((values.total() for values in columns.values()), default=0),
        "areAllRowsRead": view.export.row_count is not None,
        "newestEventAt": newest_at,
        "importsWithNewestEvent": imports_with_newest,
        "eventTypes": {shorten_name(name): n for name, n in types.most_common(SHOWN_TYPES)},
        "missingPerMille": _measure_missing_types(types, last),
        # The plus drops the columns without empty values.
        "emptyValues": dict((+empty_values).most_common(SHOWN_COLUMNS)),
    }


def _measure_missing_types(types: Iterable[str], last: ImportedContent) -> int:
    """Add up the shares of those types that the last import had, and that are missing now."""
    present_hashes = {hash_shortly(shorten_name(name), HASH_LENGTH) for name in types}
    return sum(int(share) for hashed, share in last.shares if hashed not in present_hashes)


def _parse_last_content(view: DatasetView) -> ImportedContent:
    """Parse the newest tag about the content of an import.

    The result is empty without such a tag, or if a person has edited it.
    """
    # The import that ended last comes first.
    tags = (job.content for job in view.imports if job.is_active and job.content)
    parts = CONTENT_TAG.fullmatch(next(tags, ""))
    if parts is None:
        return ImportedContent()

    return ImportedContent(
        newest_at=parts["newest_at"],
        imports=int(parts["imports"]),
        shares=SHARE.findall(parts["shares"]),
    )


def _find_newest_event(view: DatasetView) -> str | None:
    """Find the newest event. One that is more than a day ahead is a mistake, so it's left out."""
    latest = (view.data.now + timedelta(days=1)).timestamp()
    times = [time for time in list_event_times(view) if time <= latest]
    if not times:
        return None
    return datetime.fromtimestamp(max(times), UTC).isoformat()


def event_types(view: DatasetView) -> Counter[str]:
    """Count the rows of each type of events. An empty value is null, so it isn't a type."""
    types = _count_known_values(view, "EVENT_TYPE")
    # A counter that lacks the key raises no error.
    del types[""]
    return types


def list_event_times(view: DatasetView) -> set[int]:
    """Collect the times of the events in seconds since 1970. Other values are left out."""
    times = map(TIME.fullmatch, _count_known_values(view, "TIMESTAMP"))
    return {int(time[1]) for time in times if time}


def _count_known_values(view: DatasetView, column: str) -> Counter[str]:
    """Count the rows of each value of a column. Without a field in the schema, it's ignored."""
    if column not in view.columns:
        return Counter()
    return view.export.values(column)


def shorten_name(name: str) -> str:
    """Shorten a name for a document. Long names that begin alike differ in their hash."""
    if len(name) <= SHOWN_NAME:
        return name
    end = f"…{hash_shortly(name, HASH_LENGTH)}"
    return name[: SHOWN_NAME - len(end)] + end


def build_content_tags(content: ExportContent) -> Tags:
    """Encode the content of an export in a tag, with which the next run compares its own.

    There is no tag if the content isn't certain.
    """
    newest_at = content["newestEventAt"]
    rows = content["rows"]
    if newest_at is None or not content["areAllRowsRead"]:
        return {}

    parts = [newest_at, str(content["importsWithNewestEvent"])]
    for name, count in content["eventTypes"].items():
        # Even the rarest type has a share, so that it's missed if it disappears.
        per_mille = max(1, round(1000 * count / rows))
        parts.append(f"{hash_shortly(name, HASH_LENGTH)}:{per_mille}")
    return {CONTENT: " ".join(parts)}


@guard("content of events", "REFUSE", "export")
def refuse_stale_content(view: DatasetView) -> Iterator[str]:
    """Yield a message for outdated events (`maxEventAge`) or missing types (`strictEvents`)."""
    if view.has_export_date:
        return  # `exportDate` asks for old events.

    if view.content["areAllRowsRead"]:
        yield from _check_event_age(view)
    if view.dataset["strictEvents"]:
        yield from _check_missing_types(view)


@guard("content of events", "WARN", "export")
def warn_of_stale_content(view: DatasetView) -> Iterator[str]:
    """Yield a message for events that may be outdated, aren't new, or lack a common type.

    What `strictEvents` promises has no silent gap, so the run also warns if it cannot compare the
    types.
    """
    if view.has_export_date:
        return

    if not view.content["areAllRowsRead"]:
        yield from _check_event_age(view)
    yield from _check_for_new_event(view)
    if view.dataset["strictEvents"]:
        yield from _check_unknown_types(view)
    else:
        yield from _check_missing_types(view)


def _check_event_age(view: DatasetView) -> Iterator[str]:
    """Yield a message if the newest event is older than `maxEventAge` allows."""
    newest_at = view.content["newestEventAt"]
    max_age = view.dataset["maxEventAge"]
    if newest_at is None or max_age is None:
        return

    # A setting may say 1 day, but timedelta() takes only days.
    number, unit = max_age.split()
    longest = timedelta(**{f"{unit.removesuffix('s')}s": int(number)})

    newest = datetime.fromisoformat(newest_at)
    read = ""
    if not view.content["areAllRowsRead"]:
        read = " in the rows that were read"

    if view.data.now - newest > longest:
        yield (
            f"the newest event of {view.export.location}{read} is from {format_time(newest)} UTC, "
            f"longer ago than maxEventAge, {max_age}; repair the job that writes the export, or "
            "raise maxEventAge"
        )


def _check_for_new_event(view: DatasetView) -> Iterator[str]:
    """Yield a message if several imports in a row have had the same newest event.

    The newest event may stay the same if nothing is imported now, or if new events are streamed.
    """
    newest_at = view.content["newestEventAt"]
    count = view.content["importsWithNewestEvent"]
    may_stay = view.holds_export or view.dataset["streamed"] or view.data.event_trackers

    if newest_at and view.content["areAllRowsRead"] and count >= STANDSTILL and not may_stay:
        newest = format_time(datetime.fromisoformat(newest_at))
        yield (
            f"the newest event of {view.export.location} is from {newest} UTC, as in the last "
            f"{count - 1} imports; check the job that writes the export"
        )


def _check_missing_types(view: DatasetView) -> Iterator[str]:
    """Yield a message if no row has a type of events that the last import had.

    An INCREMENTAL export may lack a rare type by chance.
    """
    content = view.content
    missing = view.content["missingPerMille"]
    expected_rows = content["rows"] * missing / 1000
    is_chance = not view.is_full and expected_rows < EXPECTED_ROWS

    if missing and content["areAllRowsRead"] and not is_chance:
        types = format_list([*content["eventTypes"]]) or "none"
        yield (
            f"{view.export.location} lacks types of events that {missing / 1000:.1%} of the rows "
            f"of the last import had; its commonest types are {types}; compare them with the "
            "report of the last import, and check the job that writes the export, or set "
            "strictEvents to false"
        )


def _check_unknown_types(view: DatasetView) -> Iterator[str]:
    """Yield a message if the types of this export or of the last import aren't known."""
    cannot = f"strictEvents cannot check the types of events of {view.export.location}, because"

    if "EVENT_TYPE" not in view.columns:
        yield f"{cannot} the dataset's schema has no EVENT_TYPE; set strictEvents to false"
    elif not view.content["areAllRowsRead"]:
        yield (
            f"{cannot} not all of its rows were read; a run reads at most "
            f"{format_size(COUNTED_BYTES)} in {COUNTED_FILES} files to the end; write a smaller "
            "export, or check the types in the job that writes it, and set strictEvents to false"
        )
    elif not _parse_last_content(view).shares:
        yield (
            f"{cannot} no type of an earlier import is known; check that the report of this run "
            "shows the types that you expect, because the next run compares with them"
        )
