"""Checks the exports in S3 before they are imported. Each guard yields messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..executions import day_of, is_resumed
from ..exports import split_location
from ..personalize.statuses import cannot_succeed
from ..personalize.tags import BYTES, FINGERPRINT, RUN
from .situation import DATE
from .world import newest_active

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from mypy_boto3_personalize.type_defs import DatasetImportJobSummaryTypeDef

    from ..exports import Export, FileSample
    from .situation import Situation
    from .world import SchemaField

MAX_HEADER_LENGTH = 200
"""A message shows this number of characters of a header. The first line of a file that is not CSV
may be very long."""
MAX_VALUE_LENGTH = 100
"""A message shows this number of characters of a value. If a quote is not closed, the rest of the
file is one value."""
CHECKED_ROWS = 100
"""The number of rows of each file whose values are parsed."""
MIN_INCREMENTAL_INTERACTIONS = 1000
MAX_INCREMENTAL_BYTES = 10**9
"""AWS's limits for an INCREMENTAL import:
https://docs.aws.amazon.com/personalize/latest/dg/limits.html."""


def nothing_new(situation: Situation) -> Iterator[str]:
    """Yield a message for a run whose trainings would learn nothing new.

    This is so if every export was imported before and has not changed since, if no event tracker
    sends events, and if every solution was trained after the last import. A forced run and a
    resumed run go on.
    """
    world, request = situation.world, situation.run["request"]
    if request.get("force") or is_resumed(situation.run):
        return
    if not situation.settings["skipWhenUnchanged"] or not situation.datasets:
        return
    if world.event_trackers or not _exports_are_unchanged(situation):
        return
    if _all_data_are_learned(situation):
        yield (
            "nothing is new: the exports were imported before, no event tracker sends events, and "
            "every solution was trained since then; to train anyway, start a run with force"
        )


def _exports_are_unchanged(situation: Situation) -> bool:
    """Return True if the last import of each dataset read the same objects as this run would."""
    for dataset in situation.datasets:
        arn = dataset["datasetArn"]
        tags = situation.world.last_import_tags.get(arn, {})
        if situation.world.exports[arn].fingerprint != tags.get(FINGERPRINT):
            return False
    return True


def _all_data_are_learned(situation: Situation) -> bool:
    """Return True if every solution has an ACTIVE version that is newer than the last import."""
    world = situation.world
    assert world.data_as_of is not None, "an export is unchanged only if it was imported before"
    for versions in world.versions.values():
        newest = newest_active(versions)
        if newest is None or newest["creationDateTime"] <= world.data_as_of:
            return False
    return True


def export_of_earlier_day(situation: Situation) -> Iterator[str]:
    """Yield a message for a FULL import of an earlier day than the day of the last import.

    The import would replace newer data. This can happen if a run is resumed late, or if the event
    of the schedule comes late. Only a location with `{date}` belongs to a day.
    """
    dataset, run = situation.dataset, situation.run
    if dataset["importMode"] != "FULL" or not _location_has_date(situation):
        return
    last_run_id = situation.world.last_import_tags.get(dataset["datasetArn"], {}).get(RUN)
    if last_run_id is not None and day_of(last_run_id) > day_of(run["id"]):
        yield (
            f"{dataset['dataLocation']} is of {day_of(run['id'])}, but run {last_run_id} has "
            "imported a later day since then; start a run with {}, which imports the export of "
            "today"
        )


def _location_has_date(situation: Situation) -> bool:
    """Return True if the configured location contains `{date}`.

    In the location of the selected dataset, `{date}` was already replaced by the day of the run.
    """
    return any(
        DATE in configured["dataLocation"]
        for configured in situation.settings["datasets"]
        if configured["type"] == situation.dataset["type"]
    )


def missing_export(situation: Situation) -> Iterator[str]:
    """Yield a message for a location that cannot be read, has no rows, or has an empty file."""
    export = _export(situation)
    empty = [file.key for file in export.objects if file.size == 0]
    if export.read_error:
        yield (
            f"{export.read_error}; check that it exists and that the role of plan-retraining "
            "may list and read it"
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
    elif export.row_count == 0:
        yield f"{export.location} has no rows; repeat the export"


def missing_fields(situation: Situation) -> Iterator[str]:
    """Yield a message for a file whose header lacks a required field of the schema.

    The order of the fields does not matter.
    """
    required = [field["name"] for field in _fields(situation) if not _is_nullable(field)]
    for file in _export(situation).samples:
        missing = [name for name in required if name not in file.header]
        if missing:
            header = ", ".join(file.header)[:MAX_HEADER_LENGTH]
            yield (
                f"{_address(situation, file)}: the header lacks {', '.join(missing)}, which the "
                f"dataset's schema requires; the header is {header or 'empty'}; add or rename "
                "columns in the export"
            )


def wrong_values(situation: Situation) -> Iterator[str]:
    """Yield a message for a file that has a wrong value in one of its first 100 rows."""
    fields = {field["name"]: field for field in _fields(situation)}
    for file in _export(situation).samples:
        if message := _first_wrong_row(file, fields):
            yield f"{_address(situation, file)}: {message}"


def _first_wrong_row(file: FileSample, fields: Mapping[str, SchemaField]) -> str | None:
    """Return a message about the first row that does not fit the header and the schema, or None.

    `fields` maps the name of a column to its field. A column without a field may have any value.
    """
    for number, row in enumerate(file.rows[:CHECKED_ROWS], start=2):
        if len(row) != len(file.header):
            return (
                f"line {number} has {len(row)} values for {len(file.header)} "
                "columns; put quotes around values with a comma or a line break, and complete "
                "the row"
            )
        for name, value in zip(file.header, row, strict=True):
            field = fields.get(name)
            if field and not _has_type(value, field):
                return (
                    f"line {number}: {name} is {value[:MAX_VALUE_LENGTH]!r}, but the schema "
                    f"requires {' or '.join(_types(field))}; correct the value in the export"
                )
    return None


def truncated_export(situation: Situation) -> Iterator[str]:
    """Yield a message for a FULL export that is much smaller than the last FULL import.

    A FULL import replaces all data, so a truncated export would delete data. Foreign imports are
    not compared, because only the imports of this pipeline have a tag with their size.
    """
    dataset, export = situation.dataset, _export(situation)
    tags = situation.world.last_full_import_tags.get(dataset["datasetArn"], {})
    if dataset["importMode"] != "FULL" or BYTES not in tags or not export.objects:
        return
    last_size, min_share = int(tags[BYTES]), dataset["minRelativeSize"]
    if export.size < min_share * last_size:
        yield (
            f"{export.location} has {export.size} bytes, and the last FULL import took "
            f"{last_size}: less than minRelativeSize {min_share:g} of it; a FULL import "
            "replaces all bulk data, so only if the data really shrank, lower minRelativeSize for "
            "one run"
        )


def export_not_ready(situation: Situation) -> Iterator[str]:
    """Yield a message for a ready marker that is missing or too old.

    The marker must have been written after the last import began and after all objects.
    """
    export, marker = _export(situation), situation.dataset["readyMarker"]
    if marker is None or export.read_error:
        return
    if export.marker_written_at is None:
        yield (
            f"the ready marker {marker} does not exist; write it when the export is "
            "complete, or start a run with skipImport to train without an import"
        )
        return
    written_at = export.marker_written_at
    last_import = newest_active(_import_jobs(situation))
    if last_import and written_at <= last_import["creationDateTime"]:
        yield (
            f"the ready marker {marker} was written at "
            f"{written_at.isoformat(timespec='seconds')}, before the last import at "
            f"{last_import['creationDateTime'].isoformat(timespec='seconds')}; write the "
            "marker after each export, or start a run with skipImport to train without an import"
        )
        return
    late_keys = [file.key for file in export.objects if file.modified_at > written_at]
    if late_keys:
        yield (
            f"{len(late_keys)} of {len(export.objects)} objects at {export.location} are newer "
            f"than the ready marker {marker}, for example {late_keys[0]}; write the marker "
            "after the last object of the export"
        )


def wrong_increment(situation: Situation) -> Iterator[str]:
    """Yield a message for an INCREMENTAL export that is imported already, too small or too large.

    An object that is older than the last import was imported before, and its rows would be added
    again. An export is too large with more than 1 GB, and too small with fewer than 1,000
    interactions.
    """
    dataset, export = situation.dataset, _export(situation)
    if dataset["importMode"] != "INCREMENTAL" or not export.objects:
        return
    if old_keys := _keys_older_than_last_import(situation):
        yield (
            f"{len(old_keys)} of {len(export.objects)} objects at {export.location} are older than "
            f"the last import, for example {old_keys[0]}, and would be appended again; "
            "write each export to a new location, for example "
            "'s3://bucket/interactions/{date}/', or start a run with skipImport to train "
            "without an import"
        )
    if export.size > MAX_INCREMENTAL_BYTES:
        yield (
            f"{export.location} has {export.size} bytes; an INCREMENTAL import takes at most "
            f"{MAX_INCREMENTAL_BYTES}; export more often, or use importMode FULL with a "
            "complete export, because it replaces all bulk data"
        )
    interactions = export.row_count if dataset["type"] == "interactions" else None
    if interactions is not None and interactions < MIN_INCREMENTAL_INTERACTIONS:
        yield (
            f"{export.location} has {interactions} interactions; an INCREMENTAL import takes at "
            f"least {MIN_INCREMENTAL_INTERACTIONS} new ones; import less often, or use "
            "importMode FULL with a complete export, because it replaces all bulk data"
        )


def _keys_older_than_last_import(situation: Situation) -> list[str]:
    """Return the keys of the objects that were written before the last import began.

    An import that is still running counts as the last import, because it may succeed.
    """
    import_times = [
        job["creationDateTime"]
        for job in _import_jobs(situation)
        if not cannot_succeed(job["status"])
    ]
    if not import_times:
        return []
    last_import = max(import_times)
    return [file.key for file in _export(situation).objects if file.modified_at < last_import]


def _export(situation: Situation) -> Export:
    """Return the export of the selected dataset."""
    return situation.world.exports[situation.dataset["datasetArn"]]


def _address(situation: Situation, file: FileSample) -> str:
    """Return `s3://bucket/key` of a file of the selected dataset's export."""
    return f"s3://{split_location(_export(situation).location).bucket}/{file.key}"


def _import_jobs(situation: Situation) -> Sequence[DatasetImportJobSummaryTypeDef]:
    """Return the import jobs of the selected dataset, newest first."""
    return situation.world.import_jobs.get(situation.dataset["datasetArn"], [])


def _fields(situation: Situation) -> Sequence[SchemaField]:
    """Return the fields of the selected dataset's schema. Without a schema there are none."""
    return situation.world.schemas.get(situation.dataset["datasetArn"], [])


def _types(field: SchemaField) -> list[str]:
    """Return the Avro types of a field, for example `null` and `string`."""
    return [field["type"]] if isinstance(field["type"], str) else field["type"]


def _is_nullable(field: SchemaField) -> bool:
    """Return True if a value of the field may be empty, so that a file need not have the column."""
    return "null" in _types(field)


def _has_type(value: str, field: SchemaField) -> bool:
    """Return True if a value of a CSV file has one of the types of its field.

    An empty value is null. An Avro type that CSV files cannot contain fits no value.
    """
    if not value:
        return _is_nullable(field)
    return any(TYPE_TESTS[name](value) for name in _types(field) if name in TYPE_TESTS)


def _converts_with(convert: Callable[[str], object]) -> Callable[[str], bool]:
    """Return a function that returns True if `convert` raises no ValueError for a text."""

    def can_be_converted(value: str) -> bool:
        try:
            convert(value)
        except ValueError:
            return False
        return True

    return can_be_converted


TYPE_TESTS: Mapping[str, Callable[[str], bool]] = {
    "int": _converts_with(int),
    "long": _converts_with(int),
    "float": _converts_with(float),
    "double": _converts_with(float),
    "boolean": lambda value: value.lower() in ("true", "false"),
    "string": bool,
}
"""Avro type -> a function that returns True if a text has this type. The text is not empty."""
