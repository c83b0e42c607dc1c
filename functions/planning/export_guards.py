"""One pure function per guard on the exports: is what lies in S3 fit to replace the data?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..personalize.statuses import is_hopeless
from ..personalize.tags import BYTES, FINGERPRINT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from mypy_boto3_personalize.type_defs import DatasetImportJobSummaryTypeDef

    from ..contract import DatasetSettings
    from ..exports import Beginning, Export
    from .world import SchemaField, World

LONGEST_HEADER = 200
"""Characters of a header that are shown; what is no CSV may have no end of it."""
LONGEST_VALUE = 100
"""Characters of a wrong value that are shown; an open quote makes the rest of a file one value."""
FIRST_ROWS = 100
"""Rows of each file whose values are parsed."""
LEAST_NEW_INTERACTIONS = 1000
MOST_INCREMENTAL_BYTES = 10**9
"""An INCREMENTAL import takes at least so many new interactions, and at most so much data:
https://docs.aws.amazon.com/personalize/latest/dg/limits.html."""


def problems(world: World, datasets: Sequence[DatasetSettings]) -> Iterator[str]:
    """Give what every guard has against the datasets' exports."""
    for dataset in datasets:
        export = world.exports[dataset["datasetArn"]]
        fields = world.schemas.get(dataset["datasetArn"], [])
        last = world.last_full.get(dataset["datasetArn"], {})
        for problem in (
            *is_there(export),
            *has_the_fields(export, fields),
            *parses(export, fields),
            *is_not_truncated(dataset, export, last),
            *is_ready(world, dataset, export),
            *appends_only_what_is_new(world, dataset, export),
        ):
            yield f"datasets.{dataset['type']}: {problem}"


def is_there(export: Export) -> Iterator[str]:
    """Refuse a location that cannot be read, holds nothing or no row, or holds an empty file."""
    if export.unreadable:
        yield f"{export.unreadable}; does it exist, and may this account read it?"
    elif not export.objects:
        yield f"nothing lies at {export.location}; was the export written?"
    if empty := [each.key for each in export.objects if each.size == 0]:
        yield (
            f"{len(empty)} of {len(export.objects)} objects at {export.location} are empty, "
            f"{empty[0]} for one; was the export cut off? Markers belong beside the location"
        )
    elif export.objects and export.rows == 0:
        yield f"{export.location} holds no row; was the export cut off?"


def has_the_fields(export: Export, fields: Sequence[SchemaField]) -> Iterator[str]:
    """Refuse a file whose header lacks a field that the schema requires; any order will do."""
    required = [field["name"] for field in fields if not _nullable(field)]
    for file in export.beginnings:
        missing = [name for name in required if name not in file.header]
        if missing:
            yield (
                f"the header of {file.key} lacks {', '.join(missing)}, which the dataset's schema "
                f"requires; it has {', '.join(file.header)[:LONGEST_HEADER] or 'nothing'}"
            )


def parses(export: Export, fields: Sequence[SchemaField]) -> Iterator[str]:
    """Refuse a file with a value among its first rows that is not of its field's type."""
    types = {field["name"]: field for field in fields}
    for file in export.beginnings:
        if wrong := _first_wrong_value(file, types):
            yield wrong


def _first_wrong_value(file: Beginning, types: Mapping[str, SchemaField]) -> str | None:
    for number, row in enumerate(file.rows[:FIRST_ROWS], start=2):
        if len(row) != len(file.header):
            return (
                f"line {number} of {file.key} has {len(row)} values for {len(file.header)} "
                "columns; is a value with a comma or a line break unquoted?"
            )
        for name, value in zip(file.header, row, strict=True):
            field = types.get(name)
            if field and not _is_of_type(value, field):
                return (
                    f"line {number} of {file.key}: {name} is {value[:LONGEST_VALUE]!r}, and the "
                    f"schema wants "
                    f"{' or '.join(_types(field))}"
                )
    return None


def is_not_truncated(
    dataset: DatasetSettings, export: Export, last: Mapping[str, str]
) -> Iterator[str]:
    """Refuse an export much smaller than the last that was imported FULL: it replaces all data.

    `last` is of this pipeline's own import: of others, and of INCREMENTAL ones between, nothing is
    known that could be compared.
    """
    if dataset["importMode"] != "FULL" or BYTES not in last or not export.objects:
        return
    before, share = int(last[BYTES]), dataset["minRelativeSize"]
    if export.size < share * before:
        yield (
            f"{export.location} has {export.size} bytes, and the last FULL import took {before}: "
            f"less than minRelativeSize {share:g} of it; if the data really shrank, lower "
            "minRelativeSize for one run"
        )


def is_ready(world: World, dataset: DatasetSettings, export: Export) -> Iterator[str]:
    """Refuse an export whose ready marker is missing, or older than the last import or the data."""
    marker = dataset["readyMarker"]
    if marker is None or export.unreadable:
        return
    last = next(
        (job for job in _jobs(world, dataset) if job["status"] == "ACTIVE"),
        None,
    )
    if export.marked_at is None:
        yield f"the ready marker {marker} is not there; was the export finished?"
    elif last and export.marked_at <= last["creationDateTime"]:
        yield (
            f"the ready marker {marker} is of {export.marked_at.isoformat(timespec='seconds')}, "
            f"before the last import of {last['creationDateTime'].isoformat(timespec='seconds')}; "
            "was the new export finished? To train on what was imported, start with skipImport"
        )
    elif late := [each.key for each in export.objects if each.modified > export.marked_at]:
        yield (
            f"{len(late)} of {len(export.objects)} objects at {export.location} are newer than the "
            f"ready marker {marker}, {late[0]} for one; is an export under way? Write the marker "
            "last, each time"
        )


def appends_only_what_is_new(
    world: World, dataset: DatasetSettings, export: Export
) -> Iterator[str]:
    """Refuse an INCREMENTAL import of objects imported before, of too little or of too much."""
    if dataset["importMode"] != "INCREMENTAL" or not export.objects:
        return
    # One that is under way may yet succeed.
    last = next((job for job in _jobs(world, dataset) if not is_hopeless(job["status"])), None)
    old = [each.key for each in export.objects if last and each.modified < last["creationDateTime"]]
    if old:
        yield (
            f"{len(old)} of {len(export.objects)} objects at {export.location} are older than the "
            f"last import, {old[0]} for one, and would be appended again; export new data to a "
            "place of its own each time, for example to 's3://bucket/interactions/{date}/'. To "
            "train on what was imported, start with skipImport"
        )
    if export.size > MOST_INCREMENTAL_BYTES:
        yield (
            f"{export.location} has {export.size} bytes; an INCREMENTAL import takes at most "
            f"{MOST_INCREMENTAL_BYTES}: use importMode FULL"
        )
    if (
        dataset["type"] == "interactions"
        and export.rows is not None
        and export.rows < LEAST_NEW_INTERACTIONS
    ):
        yield (
            f"{export.location} has {export.rows} interactions; an INCREMENTAL import takes at "
            f"least {LEAST_NEW_INTERACTIONS} new ones: import less often, or use importMode FULL"
        )


def nothing_new(world: World, datasets: Sequence[DatasetSettings]) -> str | None:
    """Skip a run that could only train the same model again.

    That takes exports that are what the last import took, no event tracker that streams events in,
    and a newest version of every solution that is newer than every import.
    """
    unchanged = all(
        world.exports[arn].fingerprint == world.last_import.get(arn, {}).get(FINGERPRINT)
        for arn in (dataset["datasetArn"] for dataset in datasets)
    )
    if not datasets or not unchanged or world.event_trackers:
        return None
    imported = max(
        job["lastUpdatedDateTime"]
        for jobs in world.import_jobs.values()
        for job in jobs
        if job["status"] == "ACTIVE"
    )
    trained = [
        next((each for each in versions if each["status"] == "ACTIVE"), None)
        for versions in world.versions.values()
    ]
    if not all(each and each["creationDateTime"] > imported for each in trained):
        return None
    return (
        "nothing is new: the exports are those imported last, no event tracker streams events in, "
        "and every solution was trained since; to train all the same, start with force"
    )


def _jobs(world: World, dataset: DatasetSettings) -> Sequence[DatasetImportJobSummaryTypeDef]:
    return world.import_jobs.get(dataset["datasetArn"], [])


def _types(field: SchemaField) -> list[str]:
    return field["type"] if isinstance(field["type"], list) else [field["type"]]


def _nullable(field: SchemaField) -> bool:
    return "null" in _types(field)


def _is_of_type(value: str, field: SchemaField) -> bool:
    if not value:
        return _nullable(field)
    return any(PARSERS[kind](value) for kind in _types(field) if kind in PARSERS)


def _parses_as(kind: Callable[[str], object]) -> Callable[[str], bool]:
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
"""Avro type -> whether a text is one."""
