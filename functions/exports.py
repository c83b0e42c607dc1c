"""Reads the exports in S3 that are to be imported: objects, headers and first rows."""

from __future__ import annotations

import csv
import hashlib
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from .errors import ServiceUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from mypy_boto3_s3 import S3Client

SAMPLED_FILES = 10
"""The number of files of which a sample is read. The newest files are read."""
SAMPLE_BYTES = 64 * 1024
COUNTED_BYTES = 1024 * 1024
"""The rows of an export are counted if the export has at most this size."""


class Location(NamedTuple):
    """The bucket and the key of `s3://bucket/key`."""

    bucket: str
    key: str


@dataclass(frozen=True, kw_only=True)
class S3Object:
    """One object. For a multipart upload `modified_at` is when the upload began."""

    key: str
    size: int
    etag: str
    modified_at: datetime


@dataclass(frozen=True, kw_only=True)
class FileSample:
    """The beginning of a CSV file: its header, and the complete rows in the first bytes."""

    key: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Export:
    """The files at a location."""

    location: str
    objects: Sequence[S3Object] = ()
    samples: Sequence[FileSample] = ()
    marker_written_at: datetime | None = None
    """When the ready marker was written, or None if there is no marker."""
    read_error: str | None = None
    """A message that says which location could not be read, and why."""

    @property
    def size(self) -> int:
        """The size of all objects in bytes."""
        return sum(file.size for file in self.objects)

    @property
    def fingerprint(self) -> str:
        """A hash that changes if an object is added, removed or written again."""
        listed = sorted((file.key, file.size, file.etag) for file in self.objects)
        return hashlib.sha256(repr(listed).encode()).hexdigest()[:32]

    @property
    def rows(self) -> int | None:
        """The number of rows of all files, or None if not every file was read to its end."""
        if self.size > COUNTED_BYTES or len(self.samples) < len(self.objects):
            return None
        if any(file.size > SAMPLE_BYTES for file in self.objects):
            return None
        return sum(len(sample.rows) for sample in self.samples)


def read_export(client: S3Client, location: str, marker: str | None = None) -> Export:
    """Return the export at a location, which is a file, or a folder that ends in `/`.

    If the location or the marker cannot be read, the export has only a `read_error`.
    """
    reading = location
    try:
        objects = list_objects(client, location)
        samples = _samples(client, location, objects)
        reading = marker or location
        marker_written_at = _modified_at(client, marker) if marker else None
    except ClientError as error:
        details = error.response["Error"]
        reason = f"{details.get('Code')}: {details.get('Message')}"
        return Export(location=location, read_error=f"{reading} cannot be read: {reason}")
    return Export(
        location=location, objects=objects, samples=samples, marker_written_at=marker_written_at
    )


def list_objects(client: S3Client, location: str) -> list[S3Object]:
    """Return the objects at a location, without the folders that the S3 console creates."""
    bucket, prefix = split(location)
    is_folder = prefix.endswith("/")
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [
        S3Object(
            key=listed["Key"],
            size=listed["Size"],
            etag=listed["ETag"],
            modified_at=listed["LastModified"],
        )
        for page in pages
        for listed in page.get("Contents", [])
        if not listed["Key"].endswith("/") and (is_folder or listed["Key"] == prefix)
    ]


def split(location: str) -> Location:
    """Return the bucket and the key of a location."""
    bucket, _, key = location.removeprefix("s3://").partition("/")
    return Location(bucket, key)


def _samples(client: S3Client, location: str, objects: Sequence[S3Object]) -> list[FileSample]:
    """Read the beginning of the newest files, newest first. An empty file has no sample."""
    bucket = split(location).bucket
    newest = sorted(objects, key=lambda file: file.modified_at, reverse=True)[:SAMPLED_FILES]
    return [_sample(client, bucket, file) for file in newest if file.size]


def _sample(client: S3Client, bucket: str, file: S3Object) -> FileSample:
    response = client.get_object(Bucket=bucket, Key=file.key, Range=f"bytes=0-{SAMPLE_BYTES - 1}")
    try:
        content = response["Body"].read()
    except BotoCoreError as error:
        raise ServiceUnavailable(f"GetObject: {file.key} broke off: {error}") from error
    text = content.decode("utf-8-sig", errors="replace")
    rows = [tuple(row) for row in csv.reader(io.StringIO(text, newline=""))]
    if file.size > SAMPLE_BYTES:
        rows = rows[:-1]  # The last row was cut, perhaps within quotes.
    rows = [row for row in rows if row]
    return FileSample(key=file.key, header=rows[0] if rows else (), rows=tuple(rows[1:]))


def _modified_at(client: S3Client, marker: str) -> datetime | None:
    """Return when the marker was written, or None if it does not exist."""
    objects = list_objects(client, marker)
    return objects[0].modified_at if objects else None
