"""Reads the exports in S3: the list of their files, and the beginning of some of the files."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from .csv_files import read_sample
from .errors import ServiceUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from mypy_boto3_s3 import S3Client

    from .csv_files import FileSample

SAMPLED_FILES = 10
"""Of a large export, this number of the newest files is read, and of the largest files."""
COUNTED_FILES = 100
"""Every file of an export is read if there are at most this number of files."""
PARALLEL_READS = 10
"""The number of files that are read at once. It is the number of connections of a boto3 client."""
SAMPLE_BYTES = 64 * 1024
"""The number of bytes that are read from the beginning of a file of a large export."""
COUNTED_BYTES = 1024 * 1024
"""Every file of an export is read to its end if the export has at most this size, too."""


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
class Export:
    """The files at a location, with samples of some of them."""

    location: str
    objects: Sequence[S3Object] = ()
    """The file at the location, or the files in the first level of the folder. Personalize does
    not import files in subfolders:
    https://docs.aws.amazon.com/personalize/latest/dg/bulk-data-import-step.html."""
    deeper_keys: Sequence[str] = ()
    """The keys of the objects in subfolders."""
    samples: Sequence[FileSample] = ()
    marker_written_at: datetime | None = None
    """When the ready marker was written, or None if there is no marker."""
    read_error: str | None = None
    """A message that says which location could not be read, and why."""

    def url(self, key: str) -> str:
        """Return `s3://bucket/key` of an object of the export."""
        return f"s3://{split_location(self.location).bucket}/{key}"

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
        counted = [file for file in self.samples if file.is_whole_file and not file.error]
        if len(counted) < len(self.objects):
            return None
        return sum(len(file.rows) for file in counted)

    @property
    def has_rows(self) -> bool:
        """True if a sample has a row, or might have rows that cannot be read.

        All files of an export have the same header. If the largest files have only a header, the
        smaller files have no rows either.
        """
        return any(sample.rows or sample.error for sample in self.samples)


class _Listing(NamedTuple):
    """The objects at a location, and the keys of the objects in its subfolders."""

    objects: list[S3Object]
    deeper_keys: list[str]


class _FilesToRead(NamedTuple):
    """Files, and how many bytes of each are read."""

    files: list[S3Object]
    max_bytes: int


def read_export(client: S3Client, location: str, marker: str | None = None) -> Export:
    """Return the export at a location, with the time of its ready marker.

    A location ends in `/` if it is a folder, else it is one file. If the location or the marker
    cannot be read, the export has only a `read_error`.
    """
    try:
        objects, deeper_keys = _list_location(client, location)
        samples = _read_samples(client, location, objects)
    except ClientError as error:
        return Export(location=location, read_error=_read_error(location, error))
    export = Export(
        location=location, objects=objects, deeper_keys=tuple(deeper_keys), samples=samples
    )
    if marker is None:
        return export
    try:
        return replace(export, marker_written_at=_marker_written_at(client, marker))
    except ClientError as error:
        return Export(location=location, read_error=_read_error(marker, error))


def list_objects(client: S3Client, location: str) -> list[S3Object]:
    """Return the objects at a location that Personalize imports."""
    return _list_location(client, location).objects


def _list_location(client: S3Client, location: str) -> _Listing:
    """Return the objects at a location.

    The S3 console creates an empty object for a folder, with a key that ends in `/`. It is left
    out. If the location is a file, objects with a longer key are left out too.
    """
    bucket, prefix = split_location(location)
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    listing = _Listing([], [])
    for listed in (listed for page in pages for listed in page.get("Contents", [])):
        key = listed["Key"]
        if key.endswith("/") or not (prefix.endswith("/") or key == prefix):
            continue
        if "/" in key.removeprefix(prefix):
            listing.deeper_keys.append(key)
            continue
        listing.objects.append(
            S3Object(
                key=key,
                size=listed["Size"],
                etag=listed["ETag"],
                modified_at=listed["LastModified"],
            )
        )
    return listing


def split_location(location: str) -> Location:
    """Return the bucket and the key of a location `s3://bucket/key`."""
    bucket, _, key = location.removeprefix("s3://").partition("/")
    return Location(bucket, key)


def _read_error(location: str, error: ClientError) -> str:
    """Return a message that says which location could not be read, and why."""
    details = error.response["Error"]
    return f"{location} cannot be read: {details.get('Code')}: {details.get('Message')}"


def _read_samples(client: S3Client, location: str, objects: Sequence[S3Object]) -> list[FileSample]:
    """Read the beginning of some files. An empty file has no sample."""
    bucket = split_location(location).bucket
    files, max_bytes = _files_to_read(objects)
    with ThreadPoolExecutor(PARALLEL_READS) as pool:
        return list(pool.map(lambda file: _read_file(client, bucket, file, max_bytes), files))


def _files_to_read(objects: Sequence[S3Object]) -> _FilesToRead:
    """Return all files of a small export, else the newest and the largest files.

    A mistake is likely to be in the newest files, and rows are likely to be in the largest ones.
    """
    files = [file for file in objects if file.size > 0]
    newest_first = sorted(files, key=lambda file: file.modified_at, reverse=True)
    if len(files) <= COUNTED_FILES and sum(file.size for file in files) <= COUNTED_BYTES:
        return _FilesToRead(newest_first, COUNTED_BYTES)
    largest_first = sorted(files, key=lambda file: file.size, reverse=True)
    sampled = dict.fromkeys(newest_first[:SAMPLED_FILES] + largest_first[:SAMPLED_FILES])
    return _FilesToRead(list(sampled), SAMPLE_BYTES)


def _read_file(client: S3Client, bucket: str, file: S3Object, max_bytes: int) -> FileSample:
    """Read the header and the first rows of a file, which are in its first bytes.

    Raises:
        ServiceUnavailable: the connection broke off before the whole response was read.
    """
    response = client.get_object(Bucket=bucket, Key=file.key, Range=f"bytes=0-{max_bytes - 1}")
    try:
        content = response["Body"].read()
    except BotoCoreError as error:
        raise ServiceUnavailable(
            f"GetObject: s3://{bucket}/{file.key} broke off: {error}"
        ) from error
    return read_sample(file.key, content, is_whole_file=file.size <= max_bytes)


def _marker_written_at(client: S3Client, marker: str) -> datetime | None:
    """Return when the marker was written, or None if it does not exist."""
    objects = list_objects(client, marker)
    return objects[0].modified_at if objects else None
