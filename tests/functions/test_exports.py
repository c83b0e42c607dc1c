"""Tests of the exports in S3: every object is listed, but only the beginning of files is read."""

import io
import threading
from unittest.mock import Mock

import pytest
from botocore.exceptions import (
    ClientError,
    IncompleteReadError,
    ReadTimeoutError,
    ResponseStreamingError,
)

from functions.common.errors import ServiceUnavailable
from functions.s3.csv_files import (
    MAX_CHECKED_ROWS,
    FileSample,
)
from functions.s3.exports import (
    MAX_FULLY_READ_BYTES,
    MAX_FULLY_READ_FILES,
    MAX_SAMPLED_BYTES,
    MAX_SAMPLED_FILES,
    Export,
    read_export,
)
from tests.functions import samples as s
from tests.functions.samples import LOCATION, ago, rows_of, s3_object

HEADER = b"USER_ID,ITEM_ID,TIMESTAMP\n"
CSV = HEADER + b"1,2,3\n"
MARKER = "s3://signals/done/_SUCCESS"


class Files:
    """A client of S3 with these files, which may be read in any order and at once."""

    def __init__(self, files):
        self.files = files
        """Bucket and key -> the size, the age in hours and the content, or why it is not read."""
        self.read = []
        self.ranges = set()
        self.lists = 0

    def get_paginator(self, _):
        """Return the paginator of ListObjectsV2."""
        return self

    def paginate(self, *, Bucket, Prefix):  # noqa: N803 - S3's words
        """Yield a page for each file whose key has the prefix."""
        self.lists += 1
        if not any(path.startswith(f"{Bucket}/") for path in self.files):
            raise error_of("NoSuchBucket")
        yield {}
        for path, (size, hours, _) in self.files.items():
            if path.startswith(f"{Bucket}/{Prefix}"):
                key = path.removeprefix(f"{Bucket}/")
                modified_at = ago(hours)
                yield {
                    "Contents": [
                        {"Key": key, "Size": size, "ETag": '"e1"', "LastModified": modified_at}
                    ]
                }

    def get_object(self, *, Bucket, Key, Range):  # noqa: N803 - (as above)
        """Return the first bytes of a file."""
        self.read.append(Key)
        self.ranges.add(Range)
        content = self.files[f"{Bucket}/{Key}"][2]
        if isinstance(content, Exception):
            raise content
        last = int(Range.removeprefix("bytes=0-"))

        return {"Body": io.BytesIO(content[: last + 1])}


def error_of(code):
    """Return an error of S3."""
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "any")


def read_folder(files, **options):
    """Return the export in a folder with these files, and the keys of the files that were read."""
    client = Files({f"exports/day/{name}": file for name, file in files.items()})
    export = read_export(client, "s3://exports/day/", **options)
    assert client.lists == 1, "one list is enough"

    return export, sorted(key.removeprefix("day/") for key in client.read)


# Objects


def test_a_small_file_is_read_to_its_end_and_others_whose_names_begin_alike_are_left_out():
    """A list by prefix contains them, but Personalize imports only the one file."""
    names = ("interactions.csv", "interactions.csv.bak", "interactions.csv/x")
    files = {f"exports/{name}": (len(CSV), 2, CSV) for name in names}
    header = ("USER_ID", "ITEM_ID", "TIMESTAMP")
    sample = FileSample(
        key="interactions.csv",
        header=header,
        rows=rows_of(("1", "2", "3")),
        row_count=1,
        value_counts={name: {value: 1} for name, value in zip(header, "123", strict=True)},
    )
    client = Files(files)

    assert read_export(client, LOCATION) == Export(
        location=LOCATION, objects=[s3_object(size=len(CSV))], samples=[sample]
    )
    assert client.ranges == {f"bytes=0-{MAX_SAMPLED_BYTES - 1}"}


def test_files_in_subfolders_are_known():
    names = ("", "1.csv", "a/", "a/2.csv", "b/c/3.csv")
    export, _ = read_folder(dict.fromkeys(names, (0, 2, b"")))

    assert [file.key for file in export.objects] == ["day/1.csv", "day/a/2.csv", "day/b/c/3.csv"]
    assert export.subfolder_keys == ["day/a/2.csv", "day/b/c/3.csv"]


@pytest.mark.parametrize("name, written_at", [("_SUCCESS", ago(1)), ("_SUCCESS.old", None)])
def test_a_ready_marker_may_be_in_another_bucket(name, written_at):
    files = {"exports/other.csv": (0, 3, b""), f"signals/done/{name}": (0, 1, b"")}
    export = read_export(Files(files), LOCATION, MARKER)
    assert export == Export(location=LOCATION, objects=[], samples=[], marker_written_at=written_at)


# Errors


@pytest.mark.parametrize(
    "content, error",
    [
        (error_of("AccessDenied"), f"{LOCATION} cannot be read: AccessDenied: no"),
        (CSV, f"{MARKER} cannot be read: NoSuchBucket: no"),
    ],
    ids=["file", "marker"],
)
def test_a_file_or_a_marker_that_is_refused_is_a_read_error(content, error):
    client = Files({"exports/interactions.csv": (9, 2, content)})
    found = read_export(client, LOCATION, MARKER)
    assert found == Export(location=LOCATION, read_error=error)


@pytest.mark.parametrize("error", [ReadTimeoutError, ResponseStreamingError, IncompleteReadError])
def test_a_read_that_breaks_off_is_retried_by_the_workflow(error):
    body = Mock()
    body.read.side_effect = error(endpoint_url="s3", error="gone", actual_bytes=1, expected_bytes=2)
    client = Files({"exports/interactions.csv": (9, 2, b"")})
    client.get_object = lambda **_: {"Body": body}
    with pytest.raises(
        ServiceUnavailable, match=r"GetObject: s3://exports/interactions\.csv broke off: "
    ):
        read_export(client, LOCATION)


# Which files are read


def test_the_newest_and_the_largest_files_are_read():
    files = {f"{number:04}.csv": (40 + number % 7, number, CSV) for number in range(5000)}
    export, keys = read_folder(files)
    newest = sorted(files, key=lambda name: files[name][1])[:10]
    others = [name for name in files if name not in newest]
    largest = sorted(others, key=lambda name: files[name][0], reverse=True)[:10]

    assert keys == sorted(newest + largest)
    assert (len(export.objects), export.row_count) == (len(files), None)


def test_an_empty_file_is_not_read():
    export, keys = read_folder({"a.csv": (0, 1, b""), "b.csv": (len(CSV), 1, CSV)})
    assert (keys, export.row_count) == (["b.csv"], None)


def test_ten_files_are_read_at_once():
    class SlowFiles(Files):
        barrier = threading.Barrier(10, timeout=5)

        def get_object(self, **request):
            self.barrier.wait()
            return super().get_object(**request)

    files = {f"exports/day/{number}.csv": (len(CSV), number, CSV) for number in range(20)}
    export = read_export(SlowFiles(files), "s3://exports/day/")
    assert export.row_count == 20, "the barrier opens only for ten reads together"


@pytest.mark.parametrize("files", [1, 8])
@pytest.mark.parametrize("extra_bytes, is_counted", [(0, True), (1, False)])
def test_the_rows_are_counted_if_a_megabyte_contains_every_file(files, extra_bytes, is_counted):
    rows = (MAX_SAMPLED_BYTES // files - 4) // 4
    content = b"A,B\n" + b"1,2\n" * rows
    known = {f"{number}.csv": (len(content) + extra_bytes, 1, content) for number in range(files)}

    assert read_folder(known)[0].row_count == (rows * files if is_counted else None)


@pytest.mark.parametrize(
    "files, file_bytes, is_read",
    [
        (1, 2_300_000, True),
        (MAX_FULLY_READ_FILES, 9_000, True),
        (MAX_FULLY_READ_FILES + 1, 9_000, False),
        (2, MAX_FULLY_READ_BYTES // 2, True),
        (2, MAX_FULLY_READ_BYTES // 2 + 1, False),
    ],
    ids=["one large file", "many files", "too many files", "much", "too much"],
)
def test_all_rows_are_read_on_request_unless_they_are_too_many(files, file_bytes, is_read):
    content = b"A,B\n" + b"1,2\n" * 50
    known = {f"{number:03}.csv": (file_bytes, number, content) for number in range(files)}
    assert read_folder(known)[0].row_count is None, "nobody has asked for them"
    export, keys = read_folder(known, read_all_rows=True)
    assert export.row_count == (50 * files if is_read else None)
    assert len(keys) == (files if is_read else min(files, MAX_SAMPLED_FILES))
    checked_rows = sum(len(sample.rows) for sample in export.samples)

    assert checked_rows <= MAX_SAMPLED_FILES * MAX_CHECKED_ROWS, "the memory of a function is small"


# Size, fingerprint and rows


@pytest.mark.parametrize(
    "change, is_another",
    [
        ({"key": "x.csv"}, True),
        ({"size": 999}, True),
        ({"etag": '"e2"'}, True),
        ({"modified_at": ago(1)}, False),
    ],
    ids=str,
)
def test_the_hash_of_files_changes_with_every_object_but_not_with_order_or_time(change, is_another):
    other = s3_object(key="b.csv", size=9)
    before = Export(location=LOCATION, objects=[s3_object(), other])
    after = Export(location=LOCATION, objects=[other, s3_object(**change)])

    assert (after.files_hash != before.files_hash) == is_another
    assert before.total_bytes == 1009


def test_what_is_not_imported_does_not_change_the_state_of_an_export():
    files = [s3_object(key=f"all/{n}.csv", size=n, modified_at=ago(n)) for n in (2, 5)]
    late = s3_object(key="all/late.csv", modified_at=ago(1))
    old, seen = (
        Export(location="s3://exports/all/", objects=objects).build_state("FULL", "schema", ago(2))
        for objects in (files, [*files, late, s3_object(key="all/old/2.csv")])
    )

    assert (seen, seen.total_bytes, seen.newest_at) == (old, 7, ago(2))


@pytest.mark.parametrize(
    "file, row_count, has_rows",
    [
        (s.sample(("1",), ("2",)), 2, True),
        (s.sample(rows=()), 0, False),
        (s.sample(rows=(), row_count=None), None, False),
        (s.sample(rows=(), row_count=None, error="line 1 is not text"), None, True),
    ],
    ids=["rows", "no rows", "only a header was read", "not readable"],
)
def test_an_export_has_rows_if_a_file_has_or_might_have_some(file, row_count, has_rows):
    export = Export(location=LOCATION, objects=[s3_object()], samples=[file])
    assert (export.row_count, export.has_rows) == (row_count, has_rows)
