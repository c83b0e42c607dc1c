"""Reads the exports in S3: the list of their files, and the header and first rows of each file."""

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
"""The number of files of which a sample is read, the newest files first."""
SAMPLE_BYTES = 64 * 1024
"""The number of bytes that are read from the beginning of a file."""
MAX_COUNTED_BYTES = 1024 * 1024
"""The rows of an export are counted only if the export has at most this size."""


class Location(NamedTuple):
    """The bucket and the key of `s3://bucket/key`."""

    bucket: str
    key: str


@dataclass(frozen=True, kw_only=True)
class S3Object:
    """One object in S3.

    `modified_at` is when the object was written. For a multipart upload it is when the upload
    began, so the object may appear later.
    """

    key: str
    size: int
    etag: str
    modified_at: datetime


@dataclass(frozen=True, kw_only=True)
class FileSample:
    """The beginning of a CSV file: its header, and the complete rows of its first 64 KB."""

    key: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Export:
    """The files at a location, with samples of the newest ones."""

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
        """A hash of all objects. It changes if an object is added, removed or changed."""
        contents = sorted((file.key, file.size, file.etag) for file in self.objects)
        return hashlib.sha256(repr(contents).encode()).hexdigest()[:32]

    @property
    def row_count(self) -> int | None:
        """The number of rows of all files, or None if not every file was read to its end."""
        every_file_is_sampled = len(self.samples) == len(self.objects)
        samples_are_complete = all(file.size <= SAMPLE_BYTES for file in self.objects)
        if self.size > MAX_COUNTED_BYTES or not every_file_is_sampled or not samples_are_complete:
            return None
        return sum(len(sample.rows) for sample in self.samples)


def read_export(client: S3Client, location: str, marker: str | None = None) -> Export:
    """Return the export at a location, with the time of its ready marker.

    A location ends in `/` if it is a folder, else it is one file. If the location or the marker
    cannot be read, the export has only a `read_error`.
    """
    try:
        objects = list_objects(client, location)
        samples = _read_samples(client, location, objects)
    except ClientError as error:
        return Export(location=location, read_error=_read_error(location, error))
    if marker is None:
        return Export(location=location, objects=objects, samples=samples)
    try:
        marker_written_at = _marker_written_at(client, marker)
    except ClientError as error:
        return Export(location=location, read_error=_read_error(marker, error))
    return Export(
        location=location, objects=objects, samples=samples, marker_written_at=marker_written_at
    )


def list_objects(client: S3Client, location: str) -> list[S3Object]:
    """Return the objects at a location.

    The S3 console creates an empty object for a folder, with a key that ends in `/`. It is left
    out. If the location is a file, objects with a longer key are left out too.
    """
    bucket, prefix = split_location(location)
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


def split_location(location: str) -> Location:
    """Return the bucket and the key of a location `s3://bucket/key`."""
    bucket, _, key = location.removeprefix("s3://").partition("/")
    return Location(bucket, key)


def _read_error(location: str, error: ClientError) -> str:
    """Return a message that says which location could not be read, and why."""
    details = error.response["Error"]
    return f"{location} cannot be read: {details.get('Code')}: {details.get('Message')}"


def _read_samples(client: S3Client, location: str, objects: Sequence[S3Object]) -> list[FileSample]:
    """Read the beginning of the newest files, newest first. An empty file has no sample."""
    bucket = split_location(location).bucket
    newest_first = sorted(objects, key=lambda file: file.modified_at, reverse=True)
    sampled = newest_first[:SAMPLED_FILES]
    return [_read_sample(client, bucket, file) for file in sampled if file.size > 0]


def _read_sample(client: S3Client, bucket: str, file: S3Object) -> FileSample:
    """Read the header and the first rows of a file. Empty rows are left out.

    Raises:
        ServiceUnavailable: the connection broke off before the whole response was read.
    """
    response = client.get_object(Bucket=bucket, Key=file.key, Range=f"bytes=0-{SAMPLE_BYTES - 1}")
    try:
        content = response["Body"].read()
    except BotoCoreError as error:
        raise ServiceUnavailable(
            f"GetObject: s3://{bucket}/{file.key} broke off: {error}"
        ) from error
    text = content.decode("utf-8-sig", errors="replace")
    rows = [tuple(row) for row in csv.reader(io.StringIO(text, newline=""))]
    if file.size > SAMPLE_BYTES:
        rows = rows[:-1]  # The last row was cut, perhaps within quotes.
    rows = [row for row in rows if row]
    return FileSample(key=file.key, header=rows[0] if rows else (), rows=tuple(rows[1:]))


def _marker_written_at(client: S3Client, marker: str) -> datetime | None:
    """Return when the marker was written, or None if it does not exist."""
    objects = list_objects(client, marker)
    return objects[0].modified_at if objects else None
