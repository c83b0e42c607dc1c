"""Summarizes the rows of an export, and compares them with the last import.

A file that was written today may contain last month's events. But unless every row was read, the
newest event and the event types are uncertain, so they don't cause a refusal.
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from ..common.formatting import format_list, format_size, format_time
from ..common.hashes import compute_short_hash
from ..personalize.tags import CONTENT_TAG
from ..s3.exports import MAX_FULLY_READ_BYTES, MAX_FULLY_READ_FILES
from .guards import guard

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ..contract import ExportContent, Tags
    from .datasets import DatasetView

MAX_STORED_TYPES = 5
"""The maximum number of event types in the execution's data."""
MAX_STORED_COLUMNS = 10
"""The maximum number of columns with empty values in the execution's data."""
MAX_STORED_NAME_LENGTH = 30
"""The maximum length of an event type's or column's name in the execution's data."""
MIN_STALE_IMPORTS = 3
"""A run warns if at least this many imports in a row have the same newest event."""
MIN_EXPECTED_ROWS = 10
"""If fewer rows of a type are expected, an INCREMENTAL export may lack the type by chance. With ten
expected rows, that happens once in 20,000 days (ADR 44)."""
SECONDS_PATTERN = re.compile(r"\s*0*([0-9]{1,11})\s*")
"""A time in seconds. It may be padded with spaces or zeros, because Personalize's guide doesn't
forbid that. A number with more digits is in milliseconds."""
NAME_HASH_LENGTH = 6
"""How many digits of a name's hash to keep. A tag with the hashes of five event types must fit into
256 characters."""
TYPE_SHARE_PATTERN = re.compile(r" ([0-9a-f]{6}):([0-9]{1,4})")
"""An event type in a tag: its hash, and its share of the rows per 1,000."""
CONTENT_TAG_PATTERN = re.compile(
    r"(?P<newest_event_at>\S+) (?P<imports_with_newest_event>[0-9]{1,6})"
    rf"(?P<type_shares>(?:{TYPE_SHARE_PATTERN.pattern})*)"
)
"""The value of an import's content tag: the fields of `ImportedContent`."""


class ImportedContent(NamedTuple):
    """The content of an imported export, as parsed from the import's tag."""

    newest_event_at: str = ""
    """The time of the newest event."""
    imports_with_newest_event: int = 0
    """How many imports in a row had this newest event."""
    type_shares: Sequence[tuple[str, str]] = ()
    """The hashes of the most common event types, each with its share of the rows per 1,000. The
    names of the types wouldn't fit into a tag."""


def summarize_content(view: DatasetView) -> ExportContent:
    """Summarize the rows that were read, and compare them with the last import.

    The result is stored in the execution's data, which has room for only a few short names.
    """
    value_counts = {name: view.export.count_values(name) for name in view.columns}
    empty_value_counts = Counter(
        {shorten_name(name): counts[""] for name, counts in value_counts.items() if counts[""]}
    )

    last_content = _parse_last_content(view)
    type_counts = count_event_types(view)
    newest_event_at = _find_newest_event_time(view)

    # Each import's tag continues the count of the import before it, because runs don't read the
    # tags of imports whose data was replaced.
    imports_with_newest_event = 1
    if newest_event_at == last_content.newest_event_at:
        imports_with_newest_event += last_content.imports_with_newest_event

    return {
        "rows": max((counts.total() for counts in value_counts.values()), default=0),
        "areAllRowsRead": view.export.row_count is not None,
        "newestEventAt": newest_event_at,
        "importsWithNewestEvent": imports_with_newest_event,
        "eventTypes": {
            shorten_name(name): count for name, count in type_counts.most_common(MAX_STORED_TYPES)
        },
        "missingPerMille": _sum_missing_shares(type_counts, last_content),
        "emptyValues": dict(empty_value_counts.most_common(MAX_STORED_COLUMNS)),
    }


def _sum_missing_shares(type_names: Iterable[str], last_content: ImportedContent) -> int:
    """Add up the shares, per 1,000, of the types that the last import had but this export lacks."""
    present_hashes = {
        compute_short_hash(shorten_name(name), NAME_HASH_LENGTH) for name in type_names
    }

    return sum(
        int(share)
        for type_hash, share in last_content.type_shares
        if type_hash not in present_hashes
    )


def _parse_last_content(view: DatasetView) -> ImportedContent:
    """Parse the content tag of the newest import that has one.

    The result is empty if no import has the tag, or if somebody has edited it so that it can't be
    parsed.
    """
    tags = [job.content_tag for job in view.imports if job.is_active and job.content_tag]
    if not tags:
        return ImportedContent()

    # Imports are sorted by their end, latest first.
    parts = CONTENT_TAG_PATTERN.fullmatch(tags[0])
    if parts is None:
        return ImportedContent()

    return ImportedContent(
        newest_event_at=parts["newest_event_at"],
        imports_with_newest_event=int(parts["imports_with_newest_event"]),
        type_shares=TYPE_SHARE_PATTERN.findall(parts["type_shares"]),
    )


def _find_newest_event_time(view: DatasetView) -> str | None:
    """Find the time of the newest event, or None if there's no event.

    A time that is more than a day ahead is a mistake in the export, so it's ignored.
    """
    max_seconds = (view.data_snapshot.now + timedelta(days=1)).timestamp()
    valid_times = [seconds for seconds in collect_event_times(view) if seconds <= max_seconds]
    if not valid_times:
        return None
    return datetime.fromtimestamp(max(valid_times), UTC).isoformat()


def count_event_types(view: DatasetView) -> Counter[str]:
    """Count the rows of each event type. An empty value is null, so it isn't a type."""
    type_counts = _count_values(view, "EVENT_TYPE")
    # Unlike a dict, a Counter ignores the deletion of a missing key.
    del type_counts[""]
    return type_counts


def collect_event_times(view: DatasetView) -> set[int]:
    """Collect the times of the events in seconds since 1970, and ignore values of other formats."""
    matches = map(SECONDS_PATTERN.fullmatch, _count_values(view, "TIMESTAMP"))
    return {int(match[1]) for match in matches if match}


def _count_values(view: DatasetView, column: str) -> Counter[str]:
    """Count the rows with each value of a column. A column that isn't in the schema has none."""
    if column not in view.columns:
        return Counter()
    return view.export.count_values(column)


def shorten_name(name: str) -> str:
    """Shorten a name for the execution's data.

    A long name ends in a hash, because two long names may begin alike.
    """
    if len(name) <= MAX_STORED_NAME_LENGTH:
        return name
    suffix = f"…{compute_short_hash(name, NAME_HASH_LENGTH)}"
    return name[: MAX_STORED_NAME_LENGTH - len(suffix)] + suffix


def build_content_tags(content: ExportContent) -> Tags:
    """Encode the content of an export in a tag, with which the next run compares its export.

    There's no tag if the newest event is unknown, or if not all rows were read.
    """
    newest_event_at = content["newestEventAt"]
    if newest_event_at is None or not content["areAllRowsRead"]:
        return {}

    parts = [newest_event_at, str(content["importsWithNewestEvent"])]
    for name, count in content["eventTypes"].items():
        # Even the rarest type gets a share above 0, so that a run notices if the type disappears.
        per_mille = max(1, round(1000 * count / content["rows"]))
        parts.append(f"{compute_short_hash(name, NAME_HASH_LENGTH)}:{per_mille}")
    return {CONTENT_TAG: " ".join(parts)}


@guard("content of events", "REFUSE", "export")
def refuse_stale_content(view: DatasetView) -> Iterator[str]:
    """Yield a message for outdated events (`maxEventAge`) or missing types (`strictEvents`)."""
    if view.has_export_date:
        return  # A person who sets `exportDate` asks for old events.

    if view.content["areAllRowsRead"]:
        yield from _check_event_age(view)
    if view.dataset_settings["strictEvents"]:
        yield from _check_missing_types(view)


@guard("content of events", "WARN", "export")
def warn_of_stale_content(view: DatasetView) -> Iterator[str]:
    """Yield a message for events that may be outdated, aren't new, or lack a common type.

    With `strictEvents`, a missing type refuses the run, so this guard only warns of types that
    can't be compared.
    """
    if view.has_export_date:
        return  # A person who sets `exportDate` asks for old events.

    if not view.content["areAllRowsRead"]:
        yield from _check_event_age(view)
    yield from _check_for_new_event(view)
    if view.dataset_settings["strictEvents"]:
        yield from _check_unknown_types(view)
    else:
        yield from _check_missing_types(view)


def _check_event_age(view: DatasetView) -> Iterator[str]:
    """Yield a message if the newest event is older than `maxEventAge` allows."""
    newest_event_at = view.content["newestEventAt"]
    max_age = view.dataset_settings["maxEventAge"]
    if newest_event_at is None or max_age is None:
        return

    newest_time = datetime.fromisoformat(newest_event_at)
    scope_text = ""
    if not view.content["areAllRowsRead"]:
        scope_text = " in the rows that were read"

    if view.data_snapshot.now - newest_time > _parse_duration(max_age):
        yield (
            f"the newest event of {view.export.location}{scope_text} is from "
            f"{format_time(newest_time)} UTC, longer ago than maxEventAge, {max_age}; repair "
            "the job that writes the export, or raise maxEventAge"
        )


def _parse_duration(duration: str) -> timedelta:
    """Parse a duration like "1 day" or "2 days"."""
    number, unit = duration.split()
    # The keywords of timedelta() are always plural.
    plural_unit = f"{unit.removesuffix('s')}s"
    return timedelta(**{plural_unit: int(number)})


def _check_for_new_event(view: DatasetView) -> Iterator[str]:
    """Yield a message if several imports in a row had the same newest event.

    A dataset that already contains this export needs no new event, and neither does one that
    receives streamed events.
    """
    newest_event_at = view.content["newestEventAt"]
    import_count = view.content["importsWithNewestEvent"]
    is_streamed = view.dataset_settings["streamed"] or view.data_snapshot.event_tracker_arns
    if view.contains_export or is_streamed or not view.content["areAllRowsRead"]:
        return

    if newest_event_at and import_count >= MIN_STALE_IMPORTS:
        newest_time = format_time(datetime.fromisoformat(newest_event_at))
        yield (
            f"the newest event of {view.export.location} is from {newest_time} UTC, as in the last "
            f"{import_count - 1} imports; check the job that writes the export"
        )


def _check_missing_types(view: DatasetView) -> Iterator[str]:
    """Yield a message if the export lacks an event type that the last import had.

    An INCREMENTAL export may lack a rare type by chance.
    """
    content = view.content
    missing_per_mille = content["missingPerMille"]
    expected_rows = content["rows"] * missing_per_mille / 1000
    may_lack_by_chance = not view.is_full and expected_rows < MIN_EXPECTED_ROWS

    # Other guards report an export without rows, so this one expects none of it.
    if expected_rows and content["areAllRowsRead"] and not may_lack_by_chance:
        type_names = format_list([*content["eventTypes"]]) or "none"
        yield (
            f"{view.export.location} lacks types of events that {missing_per_mille / 1000:.1%} of "
            f"the rows of the last import had; its commonest types are {type_names}; compare "
            "them with the report of the last import, and check the job that writes the export, or "
            "set strictEvents to false"
        )


def _check_unknown_types(view: DatasetView) -> Iterator[str]:
    """Yield a message if the event types of this export or of the last import are unknown."""
    problem = f"strictEvents cannot check the types of events of {view.export.location}, because"

    if "EVENT_TYPE" not in view.columns:
        yield f"{problem} the dataset's schema has no EVENT_TYPE; set strictEvents to false"
    elif not view.content["areAllRowsRead"]:
        yield (
            f"{problem} not all of its rows were read; a run reads at most "
            f"{format_size(MAX_FULLY_READ_BYTES)} in {MAX_FULLY_READ_FILES} files to the end; "
            "write a smaller export, or check the types in the job that writes it, and set "
            "strictEvents to false"
        )
    elif not _parse_last_content(view).type_shares:
        yield (
            f"{problem} no type of an earlier import is known; check that the report of this run "
            "shows the types that you expect, because the next run compares with them"
        )
