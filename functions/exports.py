"""What lies in S3 to be imported: objects, header and first rows of a location."""

from __future__ import annotations

import csv
import hashlib
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from .errors import ServiceUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from mypy_boto3_s3 import S3Client

SAMPLED = 10
"""Files whose beginning is read: the newest ones, where a location holds more."""
BEGINNING = 64 * 1024
"""Bytes that are read of each."""
COUNTED_BYTES = 1024 * 1024
"""Up to this size in all, an export's rows are counted."""


@dataclass(frozen=True, kw_only=True)
class Object:
    """One object of S3; `modified` of a multipart upload is when it began."""

    key: str
    size: int
    etag: str
    modified: datetime


@dataclass(frozen=True, kw_only=True)
class Beginning:
    """How a CSV file begins: its header, and the whole rows within the first bytes."""

    key: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Export:
    """What lies at a location; `unreadable` says what of it could not be read, and why."""

    location: str
    objects: Sequence[Object] = ()
    beginnings: Sequence[Beginning] = ()
    marked_at: datetime | None = None
    """When the ready marker was written; None where there is none."""
    unreadable: str | None = None

    @property
    def size(self) -> int:
        """Bytes in all."""
        return sum(each.size for each in self.objects)

    @property
    def fingerprint(self) -> str:
        """Tells whether anything was added, removed or written anew."""
        listed = sorted((each.key, each.size, each.etag) for each in self.objects)
        return hashlib.sha256(repr(listed).encode()).hexdigest()[:32]

    @property
    def rows(self) -> int | None:
        """Rows in all, where every file was read to its end; else None."""
        if self.size > COUNTED_BYTES or len(self.beginnings) < len(self.objects):
            return None
        if any(each.size > BEGINNING for each in self.objects):
            return None
        return sum(len(each.rows) for each in self.beginnings)


def look(client: S3Client, location: str, marker: str | None = None) -> Export:
    """Give what lies at a location, a file or a prefix that ends in `/`."""
    asked = location
    try:
        objects = listed(client, location)
        newest = sorted(objects, key=lambda each: each.modified, reverse=True)[:SAMPLED]
        bucket, _ = split(location)
        beginnings = [_beginning(client, bucket, each) for each in newest if each.size]
        asked = marker or location
        return Export(
            location=location,
            objects=objects,
            beginnings=beginnings,
            marked_at=_modified(client, marker) if marker else None,
        )
    except ClientError as error:
        said = error.response["Error"]
        why = f"{asked} cannot be read: {said.get('Code')}: {said.get('Message')}"
        return Export(location=location, unreadable=why)


def listed(client: S3Client, location: str) -> list[Object]:
    """Give the objects at a location, all pages of them."""
    bucket, key = split(location)
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key)
    return [
        Object(key=each["Key"], size=each["Size"], etag=each["ETag"], modified=each["LastModified"])
        for page in pages
        for each in page.get("Contents", [])
        # A key that ends in `/` is a folder that somebody made in the console.
        if not each["Key"].endswith("/") and (key.endswith("/") or each["Key"] == key)
    ]


def split(location: str) -> tuple[str, str]:
    """Give bucket and key of `s3://bucket/key`."""
    bucket, _, key = location.removeprefix("s3://").partition("/")
    return bucket, key


def _beginning(client: S3Client, bucket: str, found: Object) -> Beginning:
    answer = client.get_object(Bucket=bucket, Key=found.key, Range=f"bytes=0-{BEGINNING - 1}")
    try:
        content = answer["Body"].read()
    except BotoCoreError as error:
        raise ServiceUnavailable(f"GetObject: {found.key} broke off: {error}") from error
    text = content.decode("utf-8-sig", errors="replace")
    rows = [tuple(row) for row in csv.reader(io.StringIO(text, newline=""))]
    if found.size > BEGINNING:
        rows = rows[:-1]  # The last was cut, perhaps within quotes.
    whole = [row for row in rows if row]
    return Beginning(key=found.key, header=whole[0] if whole else (), rows=tuple(whole[1:]))


def _modified(client: S3Client, marker: str) -> datetime | None:
    found = [each for each in listed(client, marker) if each.key == split(marker)[1]]
    return found[0].modified if found else None
