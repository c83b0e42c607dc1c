"""Reads exports from S3, and the inputs and results of batch jobs.

All files are listed, but only the beginnings of some are read, because an export may have 100 GB.
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from ..common.errors import ServiceUnavailable
from ..common.hashes import compute_short_hash
from ..rules.imports import ExportState
from .csv_files import MAX_CHECKED_ROWS, FileSample, parse_sample

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from mypy_boto3_s3 import S3Client

MAX_SAMPLED_FILES = 20
"""The most files of an export to read: the ten newest, and the largest of the others."""
MAX_SAMPLED_BYTES = 1024 * 1024
"""The most bytes to read from these files together."""
MAX_FULLY_READ_FILES = 500
"""With `strictEvents`, a run reads all rows of an export that has at most this many files."""
MAX_FULLY_READ_BYTES = 8 * 1000**2
"""The most bytes of such an export. Two of these need 110 of a function's 256 MB (ADR 22)."""
MAX_LINE_BYTES = 1024 * 1024
"""The most bytes to read from a batch input's first line. A line of items to rank has at most 500
IDs of 256 characters, and a character takes at most 6 bytes in JSON."""
MAX_RESULT_BYTES = 20 * 1000**2
"""The most bytes to read from a batch job's results. This takes a small function some seconds."""
CHUNK_BYTES = 64 * 1024
"""How many bytes of the results are in memory at once."""
MAX_PARALLEL_READS = 10
"""The most files to read at once. A boto3 client has this many connections."""


class S3Location(NamedTuple):
    """The bucket and the key of `s3://bucket/key`."""

    bucket: str
    key: str


class S3Object(NamedTuple):
    """An object in S3."""

    key: str
    size: int
    """The number of bytes."""
    etag: str
    """A hash that changes with the content, but not with metadata."""
    modified_at: datetime
    """When the object was written, or when its multipart upload began."""


@dataclass(frozen=True, kw_only=True)
class S3Listing:
    """The objects at a location, for example the results of batch jobs."""

    location: str
    objects: Sequence[S3Object] = ()
    """The file at the location, or the files in the folder and its subfolders."""
    read_error: str | None = None
    """Why the location couldn't be read, or None."""

    def build_url(self, key: str) -> str:
        """Build the URL `s3://bucket/key` of one of the objects."""
        return f"s3://{split_location(self.location).bucket}/{key}"

    @property
    def subfolder_keys(self) -> list[str]:
        """The keys of the objects in subfolders, which Personalize doesn't import.

        https://docs.aws.amazon.com/personalize/latest/dg/bulk-data-import-step.html
        """
        folder = split_location(self.location).key
        return [file.key for file in self.objects if "/" in file.key.removeprefix(folder)]

    @property
    def total_bytes(self) -> int:
        """The total size of the objects."""
        return sum(file.size for file in self.objects)

    @property
    def files_hash(self) -> str:
        """A hash of the objects. It changes if one of them is added, removed or written again."""
        # `modified_at` isn't hashed, because copying a file onto itself changes it.
        hashed_fields = sorted((file.key, file.size, file.etag) for file in self.objects)
        return compute_short_hash(repr(hashed_fields), 32)


@dataclass(frozen=True, kw_only=True)
class BatchInput(S3Listing):
    """The input of a batch job. Only its beginning is read."""

    first_line: str | None = None
    """The first line of the first file that isn't empty, or None if there's no such file."""


@dataclass(frozen=True, kw_only=True)
class Export(S3Listing):
    """The files that an import reads, and samples of them."""

    samples: Sequence[FileSample] = ()
    marker_written_at: datetime | None = None
    """When the ready marker was written, or None without a marker."""

    def build_state(
        self, import_mode: str, schema_arn: str, written_until: datetime | None = None
    ) -> ExportState:
        """Summarize the export for the rules about imports: its fingerprint, size and age.

        Files that were written after `written_until` don't count.
        """
        # Personalize doesn't import the files in subfolders.
        subfolder_keys = set(self.subfolder_keys)
        counted_files = [file for file in self.objects if file.key not in subfolder_keys]
        if written_until is not None:
            counted_files = [file for file in counted_files if file.modified_at <= written_until]
        counted_part = replace(self, objects=counted_files)

        location_hash = hash_location(self.location)
        mode_and_schema_hash = compute_short_hash(f"{import_mode} {schema_arn}", 8)
        return ExportState(
            fingerprint=f"{location_hash}-{counted_part.files_hash}-{mode_and_schema_hash}",
            total_bytes=counted_part.total_bytes,
            newest_at=max((file.modified_at for file in counted_files), default=None),
        )

    @property
    def row_count(self) -> int | None:
        """The number of rows in all files, or None if a file wasn't read to its end."""
        # An empty file has no sample, so an export that contains one has no row count.
        row_counts = [file.row_count for file in self.samples if file.row_count is not None]
        if len(row_counts) != len(self.objects):
            return None
        return sum(row_counts)

    def count_values(self, column: str) -> Counter[str]:
        """Count the values of a column in all rows that were read."""
        counts: Counter[str] = Counter()

        for file in self.samples:
            counts.update(file.value_counts.get(column, {}))
        return counts

    @property
    def has_rows(self) -> bool:
        """True if a sample has a row, or an error that may hide its rows.

        The largest files always have a sample. If even these contain only a header, the smaller
        files do, too, because all files of an export have the same header.
        """
        return any(sample.rows or sample.error for sample in self.samples)


def read_export(
    client: S3Client,
    location: str,
    marker_location: str | None = None,
    *,
    read_all_rows: bool = False,
) -> Export:
    """Read the export at a location, and look up its ready marker.

    If the export or its marker can't be read, the result has only a `read_error`. With
    `read_all_rows`, each file is read to its end, unless the files are too large or too many.
    """
    location_being_read = location
    try:
        objects = list_objects(client, location)
        samples = _read_samples(client, location, objects, read_all_rows=read_all_rows)
        export = Export(location=location, objects=objects, samples=samples)

        if marker_location:
            location_being_read = marker_location
            markers = list_objects(client, marker_location)
            if markers:
                export = replace(export, marker_written_at=markers[0].modified_at)
    except ClientError as error:
        return Export(location=location, read_error=format_s3_error(location_being_read, error))

    return export


def read_batch_input(client: S3Client, location: str) -> BatchInput:
    """List a batch job's input, which is a file or a folder, and read its first line.

    To Personalize, each location is a prefix, so all objects whose URLs begin with it are listed.
    """
    batch_input = BatchInput(location=location)
    try:
        batch_input = replace(batch_input, objects=list_objects(client, location, by_prefix=True))
        return replace(batch_input, first_line=_read_first_line(client, batch_input))
    except ClientError as error:
        # The batch job's role may have access to a KMS key that the functions can't use.
        return replace(batch_input, read_error=format_s3_error(location, error))


def _read_first_line(client: S3Client, batch_input: BatchInput) -> str | None:
    """Read the first line of the first file that isn't empty, if there is one."""
    location = batch_input.location

    for file in batch_input.objects:
        # If the location is a file, the functions have access to that file only.
        url = batch_input.build_url(file.key)
        is_readable = location == url or location.endswith("/")
        if file.size and is_readable:
            beginning = _read_beginning(client, url, MAX_LINE_BYTES)
            return beginning.partition(b"\n")[0].decode(errors="replace")
    return None


def format_s3_error(location: str, error: ClientError) -> str:
    """Build the message about a location that couldn't be read."""
    details = error.response["Error"]
    return f"{location} cannot be read: {details.get('Code')}: {details.get('Message')}"


def list_existing_exports(client: S3Client, locations: Iterable[str]) -> dict[str, Export]:
    """List the exports at these locations. Locations without files are omitted."""
    exports = {}
    for location in locations:
        if objects := list_objects(client, location):
            exports[location] = Export(location=location, objects=objects)
    return exports


def list_objects(client: S3Client, location: str, *, by_prefix: bool = False) -> list[S3Object]:
    """List the objects at a location, which is a file or a folder.

    S3 lists by prefix, so a request for `a.csv` also returns `a.csv.gz`. A batch job reads both, so
    `by_prefix` includes such objects.
    """
    bucket, prefix = split_location(location)
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    includes_longer_keys = by_prefix or prefix.endswith("/")

    objects = []
    for page in pages:
        for listed in page.get("Contents", []):
            key = listed["Key"]
            # For each folder, the S3 console creates an empty object whose key ends in a slash.
            is_folder = key.endswith("/")
            if not is_folder and (includes_longer_keys or key == prefix):
                objects.append(
                    S3Object(key, listed["Size"], listed["ETag"], listed["LastModified"])
                )
    return objects


def hash_location(location: str) -> str:
    """Hash a location. A fingerprint begins with this hash."""
    return compute_short_hash(location, 8)


def split_location(location: str) -> S3Location:
    """Split a location `s3://bucket/key` into its two parts."""
    bucket, _, key = location.removeprefix("s3://").partition("/")
    return S3Location(bucket, key)


def _read_samples(
    client: S3Client, location: str, objects: Sequence[S3Object], *, read_all_rows: bool
) -> list[FileSample]:
    """Read the beginnings of the sampled files, or all files to the end.

    Empty files have no sample.
    """
    files = [file for file in objects if file.size > 0]
    sampled_files = _choose_sampled_files(files)
    files_to_read = sampled_files
    max_bytes = MAX_SAMPLED_BYTES // max(len(sampled_files), 1)

    total_bytes = sum(file.size for file in files)
    is_small = len(files) <= MAX_FULLY_READ_FILES and total_bytes <= MAX_FULLY_READ_BYTES
    if read_all_rows and is_small:
        files_to_read = files
        max_bytes = MAX_FULLY_READ_BYTES

    # Checked rows stay in memory, so the rows of all other files are only counted.
    max_rows = [MAX_CHECKED_ROWS if file in sampled_files else 0 for file in files_to_read]
    read_file = partial(_read_file, client, split_location(location).bucket, max_bytes)
    with ThreadPoolExecutor(MAX_PARALLEL_READS) as pool:
        return list(pool.map(read_file, files_to_read, max_rows))


def _read_file(
    client: S3Client, bucket: str, max_bytes: int, file: S3Object, max_rows: int
) -> FileSample:
    """Read the beginning of a file, and check at most `max_rows` of its rows."""
    beginning = _read_beginning(client, f"s3://{bucket}/{file.key}", max_bytes)
    is_whole_file = file.size <= max_bytes
    return parse_sample(file.key, beginning, is_whole_file=is_whole_file, max_rows=max_rows)


def _choose_sampled_files(files: Sequence[S3Object]) -> list[S3Object]:
    """Choose the newest and the largest files.

    The newest files are the likeliest to contain mistakes, and the largest to contain rows
    (docs/adr/0022-what-of-an-export-is-read.md).
    """
    newest_first = sorted(files, key=lambda file: file.modified_at, reverse=True)
    largest_first = sorted(files, key=lambda file: file.size, reverse=True)

    # A file on both lists counts once.
    candidates = dict.fromkeys(newest_first[: MAX_SAMPLED_FILES // 2] + largest_first)
    return list(candidates)[:MAX_SAMPLED_FILES]


def read_result_lines(
    client: S3Client, location: str, files: Sequence[S3Object]
) -> Iterator[bytes]:
    """Yield the lines in the first MAX_RESULT_BYTES of these files. The last line may be cut off.

    The lines aren't collected in a list, because a small function has too little memory for it.
    """
    bucket = split_location(location).bucket
    remaining_bytes = MAX_RESULT_BYTES

    for file in files:
        if file.size == 0:
            continue  # S3 rejects a byte range of an empty object.
        if remaining_bytes <= 0:
            return  # The files before this one had enough bytes.

        last_byte = remaining_bytes - 1
        response = client.get_object(Bucket=bucket, Key=file.key, Range=f"bytes=0-{last_byte}")
        yield from response["Body"].iter_lines(CHUNK_BYTES)
        remaining_bytes -= file.size


def _read_beginning(client: S3Client, url: str, max_bytes: int) -> bytes:
    """Read the first bytes of an object."""
    bucket, key = split_location(url)
    last_byte = max_bytes - 1
    response = client.get_object(Bucket=bucket, Key=key, Range=f"bytes=0-{last_byte}")

    # botocore retries a failed request, but not one whose body breaks off.
    try:
        return response["Body"].read()
    except BotoCoreError as error:
        raise ServiceUnavailable(f"GetObject: {url} broke off: {error}") from error
