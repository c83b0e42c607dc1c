"""The guards that check the exports in S3: may they replace the data, or be added to them?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..executions import day_of, is_resumed
from ..personalize.statuses import cannot_succeed, is_active
from ..personalize.tags import BYTES, FINGERPRINT, RUN
from .situation import DATE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from mypy_boto3_personalize.type_defs import DatasetImportJobSummaryTypeDef

    from ..exports import Export, FileSample
    from .situation import Situation
    from .world import SchemaField

LONGEST_HEADER = 200
"""Characters of a header in a message. The header of a file that is no CSV may be very long."""
LONGEST_VALUE = 100
"""Characters of a value in a message. After an open quote, the rest of a file is one value."""
CHECKED_ROWS = 100
"""The number of rows of each file whose values are parsed."""
LEAST_NEW_INTERACTIONS = 1000
MOST_INCREMENTAL_BYTES = 10**9
"""The limits of an INCREMENTAL import, by
https://docs.aws.amazon.com/personalize/latest/dg/limits.html."""


def nothing_new(situation: Situation) -> Iterator[str]:
    """Yield a message for a run that could only train the same models again.

    Every export is the one that was imported last, no event tracker streams events in, and the
    newest version of every solution is newer than every import. A forced or resumed run goes on.
    """
    world, request = situation.world, situation.run["request"]
    if request.get("force") or is_resumed(situation.run):
        return
    if not situation.settings["skipWhenUnchanged"] or not situation.datasets:
        return
    if not _exports_are_unchanged(situation) or world.event_trackers:
        return
    if _versions_know_all_data(situation):
        yield (
            "nothing is new: the exports were imported before, no event tracker sends events, and "
            "every solution was trained since; to train anyway, start with force"
        )


def _exports_are_unchanged(situation: Situation) -> bool:
    world = situation.world
    arns = [dataset["datasetArn"] for dataset in situation.datasets]
    return all(
        world.exports[arn].fingerprint == world.last_import_tags.get(arn, {}).get(FINGERPRINT)
        for arn in arns
    )


def _versions_know_all_data(situation: Situation) -> bool:
    """Return True if every solution has an ACTIVE version that is newer than every import."""
    world = situation.world
    imported_at = max(
        job["lastUpdatedDateTime"]
        for jobs in world.import_jobs.values()
        for job in jobs
        if is_active(job["status"])
    )
    for versions in world.versions.values():
        newest = next((version for version in versions if is_active(version["status"])), None)
        if newest is None or newest["creationDateTime"] <= imported_at:
            return False
    return True


def export_of_earlier_day(situation: Situation) -> Iterator[str]:
    """Yield a message for a FULL import that would replace the export of a later day.

    Only a location with `{date}` has a day. The run may be of an earlier day if it is resumed, or
    if the event of the schedule came late.
    """
    dataset, run = situation.dataset, situation.run
    if dataset["importMode"] != "FULL" or not _has_date(situation):
        return
    last_run = situation.world.last_import_tags.get(dataset["datasetArn"], {}).get(RUN, "")
    if day_of(last_run) > day_of(run["id"]):
        yield (
            f"{dataset['dataLocation']} is of {day_of(run['id'])}, but run {last_run} has imported "
            "a later day since; start a run with {}"
        )


def _has_date(situation: Situation) -> bool:
    return any(
        DATE in configured["dataLocation"]
        for configured in situation.settings["datasets"]
        if configured["type"] == situation.dataset["type"]
    )


def missing_export(situation: Situation) -> Iterator[str]:
    """Yield a message for a location that is not readable, is empty, or has an empty file."""
    export = _export(situation)
    empty = [file.key for file in export.objects if file.size == 0]
    if export.read_error:
        yield f"{export.read_error}; does it exist, and may this account read it?"
    elif not export.objects:
        yield f"there is no object at {export.location}; was the export written?"
    elif empty:
        yield (
            f"{len(empty)} of {len(export.objects)} objects at {export.location} are empty, "
            f"for example {empty[0]}; was the export cut off? A marker must be outside of the "
            "location"
        )
    elif export.rows == 0:
        yield f"{export.location} has no row; was the export cut off?"


def missing_fields(situation: Situation) -> Iterator[str]:
    """Yield a message for a file whose header lacks a required field of the schema.

    The order of the fields does not matter.
    """
    required = [field["name"] for field in _fields(situation) if not _is_nullable(field)]
    for file in _export(situation).samples:
        missing = [name for name in required if name not in file.header]
        if missing:
            yield (
                f"the header of {file.key} lacks {', '.join(missing)}, which the dataset's schema "
                f"requires; it has {', '.join(file.header)[:LONGEST_HEADER] or 'nothing'}"
            )


def wrong_values(situation: Situation) -> Iterator[str]:
    """Yield a message for a file with a value of a wrong type among its first rows."""
    fields = {field["name"]: field for field in _fields(situation)}
    for file in _export(situation).samples:
        if message := _first_wrong_value(file, fields):
            yield message


def _first_wrong_value(file: FileSample, fields: Mapping[str, SchemaField]) -> str | None:
    for number, row in enumerate(file.rows[:CHECKED_ROWS], start=2):
        if len(row) != len(file.header):
            return (
                f"line {number} of {file.key} has {len(row)} values for {len(file.header)} "
                "columns; does a value have a comma or a line break without quotes?"
            )
        for name, value in zip(file.header, row, strict=True):
            field = fields.get(name)
            if field and not _has_type(value, field):
                return (
                    f"line {number} of {file.key}: {name} is {value[:LONGEST_VALUE]!r}, but the "
                    f"schema requires {' or '.join(_types(field))}"
                )
    return None


def truncated_export(situation: Situation) -> Iterator[str]:
    """Yield a message for a FULL export that is much smaller than the last FULL import.

    A FULL import replaces all data. The size of a foreign import is not known.
    """
    dataset, export = situation.dataset, _export(situation)
    last = situation.world.last_full_import_tags.get(dataset["datasetArn"], {})
    if dataset["importMode"] != "FULL" or BYTES not in last or not export.objects:
        return
    last_size, share = int(last[BYTES]), dataset["minRelativeSize"]
    if export.size < share * last_size:
        yield (
            f"{export.location} has {export.size} bytes, and the last FULL import took "
            f"{last_size}: less than minRelativeSize {share:g} of it; if the data really shrank, "
            "lower minRelativeSize for one run"
        )


def export_not_ready(situation: Situation) -> Iterator[str]:
    """Yield a message for a ready marker that is missing or too old.

    It must be newer than the last import and newer than the objects.
    """
    export, marker = _export(situation), situation.dataset["readyMarker"]
    if marker is None or export.read_error:
        return
    if export.marker_written_at is None:
        yield f"the ready marker {marker} does not exist; was the export finished?"
        return
    written_at = export.marker_written_at
    last = next((job for job in _import_jobs(situation) if is_active(job["status"])), None)
    if last and written_at <= last["creationDateTime"]:
        yield (
            f"the ready marker {marker} was written at "
            f"{written_at.isoformat(timespec='seconds')}, before the last import at "
            f"{last['creationDateTime'].isoformat(timespec='seconds')}; was the "
            "new export finished? To train without an import, start with skipImport"
        )
    elif late := [file.key for file in export.objects if file.modified_at > written_at]:
        yield (
            f"{len(late)} of {len(export.objects)} objects at {export.location} are newer than the "
            f"ready marker {marker}, for example {late[0]}; is the export still being written? "
            "Write the marker after the objects"
        )


def wrong_increment(situation: Situation) -> Iterator[str]:
    """Yield a message for an INCREMENTAL export that is old, too small or too large.

    An object that was imported before would be added again.
    """
    dataset, export = situation.dataset, _export(situation)
    if dataset["importMode"] != "INCREMENTAL" or not export.objects:
        return
    if old := _imported_before(situation):
        yield (
            f"{len(old)} of {len(export.objects)} objects at {export.location} are older than the "
            f"last import, for example {old[0]}, and would be appended again; write new data to a "
            "new location each time, for example 's3://bucket/interactions/{date}/'. To train "
            "without an import, start with skipImport"
        )
    if export.size > MOST_INCREMENTAL_BYTES:
        yield (
            f"{export.location} has {export.size} bytes; an INCREMENTAL import takes at most "
            f"{MOST_INCREMENTAL_BYTES}: use importMode FULL"
        )
    rows = export.rows if dataset["type"] == "interactions" else None
    if rows is not None and rows < LEAST_NEW_INTERACTIONS:
        yield (
            f"{export.location} has {rows} interactions; an INCREMENTAL import takes at "
            f"least {LEAST_NEW_INTERACTIONS} new ones: import less often, or use importMode FULL"
        )


def _imported_before(situation: Situation) -> list[str]:
    """Return the keys of the objects that are older than the last import.

    An import that is still running counts, because it may succeed.
    """
    possible = (job for job in _import_jobs(situation) if not cannot_succeed(job["status"]))
    last = next(possible, None)
    if last is None:
        return []
    objects = _export(situation).objects
    return [file.key for file in objects if file.modified_at < last["creationDateTime"]]


def _export(situation: Situation) -> Export:
    return situation.world.exports[situation.dataset["datasetArn"]]


def _import_jobs(situation: Situation) -> Sequence[DatasetImportJobSummaryTypeDef]:
    """Return the import jobs of the selected dataset, newest first."""
    return situation.world.import_jobs.get(situation.dataset["datasetArn"], [])


def _fields(situation: Situation) -> Sequence[SchemaField]:
    return situation.world.schemas.get(situation.dataset["datasetArn"], [])


def _types(field: SchemaField) -> list[str]:
    return [field["type"]] if isinstance(field["type"], str) else field["type"]


def _is_nullable(field: SchemaField) -> bool:
    return "null" in _types(field)


def _has_type(value: str, field: SchemaField) -> bool:
    """Return True if a value of a CSV file has one of the types of its field."""
    if not value:
        return _is_nullable(field)
    return any(PARSERS[name](value) for name in _types(field) if name in PARSERS)


def _parses_as(kind: Callable[[str], object]) -> Callable[[str], bool]:
    """Return a function that tests whether a text can be converted."""

    def parses_as(value: str) -> bool:
        try:
            kind(value)
        except ValueError:
            return False
        return True

    return parses_as


PARSERS: Mapping[str, Callable[[str], bool]] = {
    "int": _parses_as(int),
    "long": _parses_as(int),
    "float": _parses_as(float),
    "double": _parses_as(float),
    "boolean": lambda value: value.lower() in ("true", "false"),
    "string": bool,
}
"""Avro type -> a function that tests whether a text has this type."""
