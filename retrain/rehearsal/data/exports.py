"""Writes CSV exports to the S3 locations that a stack's settings name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

import boto3

from functions.executions import DATE
from retrain.rehearsal.data.csv_files import parse
from retrain.rehearsal.data.data_sets import TYPES, increment
from retrain.rehearsal.data.spoiling import spoil

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from components.args import ImportMode, RetrainingPipelineArgs
    from emulator.process import Emulator
    from retrain.rehearsal.data.data_sets import DataSet
    from retrain.rehearsal.data.spoiling import Spoiling

PERSONALIZE = "personalize.amazonaws.com"
READ_ACTIONS = ("s3:GetObject", "s3:ListBucket")
US_EAST_1 = "us-east-1"
"""The only region that CreateBucket does not accept as a LocationConstraint."""


class Location(NamedTuple):
    """A bucket, and the key of an object or of a folder, which ends in `/`."""

    bucket: str
    key: str


class Export(NamedTuple):
    """A dataset, and the location from which the pipeline imports it."""

    dataset_type: str
    dataset_arn: str
    data_location: str
    import_mode: ImportMode
    ready_marker: str | None = None
    """The URL of an object that is written after the data. None if the settings name none."""

    def of_day(self, day: str) -> Export:
        """Return the export with `{date}` in its URLs replaced by a day, such as 2026-11-29."""
        return self._replace(
            data_location=self.data_location.replace(DATE, day),
            ready_marker=self.ready_marker and self.ready_marker.replace(DATE, day),
        )

    @property
    def location(self) -> Location:
        """The data location as bucket and key."""
        return parse_location(self.data_location)


def parse_location(url: str) -> Location:
    """Return the bucket and the key of `s3://bucket/key`."""
    bucket, _, key = url.removeprefix("s3://").partition("/")
    return Location(bucket, key)


def exports_of(args: RetrainingPipelineArgs) -> list[Export]:
    """List the exports that the settings name.

    Personalize cannot train without interactions. If the settings name none, the list ends with
    an export of interactions at a location that only the rehearsal uses.
    """
    exports = [
        Export(
            TYPES[key],
            str(dataset.dataset_arn),
            str(dataset.data_location),
            dataset.import_mode,
            None if dataset.ready_marker is None else str(dataset.ready_marker),
        )
        for key, dataset in args.datasets.configured().items()
    ]
    if all(export.dataset_type != "INTERACTIONS" for export in exports):
        dataset_arn = f"{exports[0].dataset_arn.rpartition('/')[0]}/INTERACTIONS"
        data_location = "s3://rehearsal-interactions/interactions.csv"
        exports.append(Export("INTERACTIONS", dataset_arn, data_location, "FULL"))
    return exports


def write_older_exports(emulator: Emulator, exports: Sequence[Export], data: DataSet) -> None:
    """Write the older export of each dataset to its location."""
    _write_exports(emulator, exports, lambda export: data.older(export.dataset_type), data.parts)


def write_newer_exports(
    emulator: Emulator,
    args: RetrainingPipelineArgs,
    data: DataSet,
    *,
    day: str,
    rotation: int = 0,
    spoiling: Spoiling = "none",
) -> None:
    """Write the newer export of each dataset to its location.

    A dataset that the pipeline imports with INCREMENTAL gets only the new rows. `day` is the day
    of the run that will import the exports, for example 2026-11-29. `rotation` is the number of
    rows that are moved from the beginning to the end. To the pipeline, the result is a new file.
    """

    def content(export: Export) -> bytes:
        newer = data.newer(export.dataset_type)
        if export.import_mode == "INCREMENTAL":
            newer = increment(data.older(export.dataset_type), newer)
        return spoil(spoiling, export.dataset_type, rotated(newer, rotation))

    _write_exports(
        emulator, [export.of_day(day) for export in exports_of(args)], content, data.parts
    )


def rotated(export: bytes, rotation: int) -> bytes:
    """Return an export with its first rows at the end. `rotation` is the number of these rows."""
    if rotation == 0:
        return export
    parsed = parse(export)
    start = rotation % len(parsed.rows)
    return parsed.with_rows([*parsed.rows[start:], *parsed.rows[:start]])


def _write_exports(
    emulator: Emulator,
    exports: Sequence[Export],
    content: Callable[[Export], bytes],
    parts: int,
) -> None:
    """Create the missing buckets. Write the files of each export, and then the ready markers.

    `content` returns the CSV of an export. If its location is a folder, it has `parts` files.
    """
    s3 = boto3.client("s3", **emulator.connection)
    markers = [parse_location(export.ready_marker) for export in exports if export.ready_marker]
    locations = [*markers, *(export.location for export in exports)]
    buckets = {location.bucket for location in locations}
    existing = {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
    for bucket in sorted(buckets - existing):
        _create_bucket(emulator, bucket)
    for export in exports:
        bucket, key = export.location
        for file_key, body in files_of(key, content(export), parts):
            s3.put_object(Bucket=bucket, Key=file_key, Body=body)
    for marker in markers:
        s3.put_object(Bucket=marker.bucket, Key=marker.key, Body=b"")


def files_of(key: str, content: bytes, parts: int) -> Iterator[tuple[str, bytes]]:
    """Yield the key and the content of each file of an export.

    If the key ends in `/`, the rows are divided among `parts` files below it.
    """
    if not key.endswith("/"):
        yield key, content
    elif parts == 1:
        yield f"{key}part-0.csv", content
    else:
        export = parse(content)
        for part in range(parts):
            yield f"{key}part-{part}.csv", export.with_rows(export.rows[part::parts])


def _create_bucket(emulator: Emulator, bucket: str) -> None:
    """Create a bucket that Personalize may read. Its policy is the policy of the README."""
    s3 = boto3.client("s3", **emulator.connection)
    if emulator.region == US_EAST_1:
        s3.create_bucket(Bucket=bucket)
    else:
        s3.create_bucket(
            Bucket=bucket,
            CreateBucketConfiguration={"LocationConstraint": emulator.region},  # type: ignore[typeddict-item]  # the stubs list the regions
        )
    policy = policy_document(
        Principal={"Service": PERSONALIZE},
        Action=READ_ACTIONS,
        Resource=[f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
    )
    s3.put_bucket_policy(Bucket=bucket, Policy=policy)


def policy_document(**statement: object) -> str:
    """Return a policy in JSON that allows what the statement describes."""
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})
