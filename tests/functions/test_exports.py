"""Tests of the exports in S3: every object is listed, but only the beginning of files is read."""

import io
import threading
from dataclasses import replace

import pytest
from botocore.exceptions import (
    ClientError,
    IncompleteReadError,
    ReadTimeoutError,
    ResponseStreamingError,
)
from botocore.response import StreamingBody

from functions.csv_files import CHECKED_ROWS, FileSample
from functions.errors import ServiceUnavailable
from functions.exports import (
    COUNTED_BYTES,
    COUNTED_FILES,
    SAMPLED_BYTES,
    SAMPLED_FILES,
    Export,
    list_objects,
    read_export,
    split_location,
)
from tests.functions import samples as s

HEADER = b"USER_ID,ITEM_ID,TIMESTAMP\n"
CSV = HEADER + b"1,2,3\n"
ALL_BYTES = f"bytes=0-{SAMPLED_BYTES - 1}"
MARKER = "s3://signals/done/_SUCCESS"
NO_EXPORT = Export(location=s.LOCATION, objects=[], samples=[])


def expect_list(s3, *pages, bucket="exports", prefix="interactions.csv"):
    """Expect a list of these pages. A page maps each key to its size and its age in hours."""
    token = {}
    for number, page in enumerate(pages, start=1):
        is_last = number == len(pages)
        next_token = f"page {number + 1}"
        response = {
            "IsTruncated": not is_last,
            "Contents": [
                {"Key": key, "Size": size, "ETag": '"e1"', "LastModified": s.ago(hours)}
                for key, (size, hours) in page.items()
            ],
            **({} if is_last else {"NextContinuationToken": next_token}),
        }
        s3.expect("list_objects_v2", response, Bucket=bucket, Prefix=prefix, **token)
        token = {"ContinuationToken": next_token}


def expect_content(s3, content, key="interactions.csv"):
    body = StreamingBody(io.BytesIO(content), len(content))
    s3.expect("get_object", {"Body": body}, Bucket="exports", Key=key, Range=ALL_BYTES)


# Objects


def test_a_small_file_is_read_to_its_end(s3):
    expect_list(s3, {"interactions.csv": (len(CSV), 2)})
    expect_content(s3, CSV)
    rows = s.rows_of(("1", "2", "3"))
    header = ("USER_ID", "ITEM_ID", "TIMESTAMP")
    values = {name: {value: 1} for name, value in zip(header, "123", strict=True)}
    file = FileSample(key="interactions.csv", header=header, rows=rows, row_count=1, values=values)
    expected = replace(NO_EXPORT, objects=[s.s3_object(size=len(CSV))], samples=[file])
    assert read_export(s3.client, s.LOCATION) == expected


def test_other_files_whose_names_begin_alike_are_left_out(s3):
    """A list by prefix contains them, but Personalize imports only the one file."""
    names = ("interactions.csv", "interactions.csv.bak", "interactions.csv/x")
    expect_list(s3, dict.fromkeys(names, (1, 2)))
    assert [each.key for each in list_objects(s3.client, s.LOCATION)] == ["interactions.csv"]


def test_files_in_subfolders_are_known(s3):
    expect_list(
        s3,
        {"day/": (0, 9), "day/1.csv": (0, 2)},
        {"day/a/": (0, 9), "day/a/2.csv": (0, 1)},
        {"day/b/c/3.csv": (0, 1)},
        prefix="day/",
    )
    export = read_export(s3.client, "s3://exports/day/")
    assert [file.key for file in export.objects] == ["day/1.csv", "day/a/2.csv", "day/b/c/3.csv"]
    assert export.subfolder_keys == ["day/a/2.csv", "day/b/c/3.csv"]


@pytest.mark.parametrize(
    ("objects", "written_at"),
    [
        ({"done/_SUCCESS": (0, 1)}, s.ago(1)),
        ({"done/_SUCCESS.old": (0, 1)}, None),
        ({}, None),
    ],
    ids=["written", "only another file", "not written"],
)
def test_a_ready_marker_may_be_in_another_bucket(s3, objects, written_at):
    expect_list(s3, {})
    expect_list(s3, objects, bucket="signals", prefix="done/_SUCCESS")
    export = read_export(s3.client, s.LOCATION, MARKER)
    assert export == replace(NO_EXPORT, marker_written_at=written_at)


# Errors


def test_a_file_that_is_refused_is_a_read_error(s3):
    expect_list(s3, {"interactions.csv": (9, 2)})
    request = {"Bucket": "exports", "Key": "interactions.csv", "Range": ALL_BYTES}
    s3.expect_error("get_object", "AccessDenied", "not yours", **request)
    assert read_export(s3.client, s.LOCATION) == Export(
        location=s.LOCATION, read_error=f"{s.LOCATION} cannot be read: AccessDenied: not yours"
    )


def test_the_read_error_of_a_marker_names_the_marker(s3):
    expect_list(s3, {})
    request = {"Bucket": "signals", "Prefix": "done/_SUCCESS"}
    s3.expect_error("list_objects_v2", "NoSuchBucket", "none", **request)
    assert read_export(s3.client, s.LOCATION, MARKER) == Export(
        location=s.LOCATION, read_error=f"{MARKER} cannot be read: NoSuchBucket: none"
    )


@pytest.mark.parametrize("error", [ReadTimeoutError, ResponseStreamingError, IncompleteReadError])
def test_a_read_that_breaks_off_is_retried_by_the_workflow(s3, error):
    class Broken(io.BytesIO):
        def read(self, *_):
            raise error(endpoint_url="s3", error="gone", actual_bytes=1, expected_bytes=2)

    expect_list(s3, {"interactions.csv": (9, 2)})
    request = {"Bucket": "exports", "Key": "interactions.csv", "Range": ALL_BYTES}
    s3.expect("get_object", {"Body": Broken()}, **request)
    with pytest.raises(
        ServiceUnavailable, match=r"GetObject: s3://exports/interactions\.csv broke off: "
    ):
        read_export(s3.client, s.LOCATION)


def test_a_list_alone_raises_the_error(s3):
    s3.expect_error("list_objects_v2", "NoSuchBucket", "none", Bucket="exports", Prefix="x")
    with pytest.raises(ClientError, match="none"):
        list_objects(s3.client, "s3://exports/x")


# Which files are read


class Files:
    """A client of S3 with these files, which may be read in any order and at once."""

    def __init__(self, files):
        self.files = files
        """The size, the age in hours and the content of each key."""
        self.read = []
        self.lists = 0

    def get_paginator(self, _):
        """Return the paginator of ListObjectsV2."""
        return self

    def paginate(self, **_):
        """Yield one page with all files."""
        self.lists += 1
        contents = [
            {"Key": key, "Size": size, "ETag": '"e1"', "LastModified": s.ago(hours)}
            for key, (size, hours, _) in self.files.items()
        ]
        yield {"Contents": contents}

    def get_object(self, *, Key, Range, **_):  # noqa: N803 - S3's words
        """Return the first bytes of a file."""
        self.read.append(Key)
        last = int(Range.removeprefix("bytes=0-"))
        return {"Body": io.BytesIO(self.files[Key][2][: last + 1])}


def read_folder(files, **options):
    """Return the export in a folder with these files, and the keys of the files that were read."""
    client = Files({f"day/{name}": file for name, file in files.items()})
    export = read_export(client, "s3://exports/day/", **options)
    assert client.lists == 1, "one list is enough"
    return export, sorted(key.removeprefix("day/") for key in client.read)


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

    files = {f"day/{number:02}.csv": (len(CSV), number, CSV) for number in range(20)}
    export = read_export(SlowFiles(files), "s3://exports/day/")
    assert export.row_count == 20, "the barrier opens only for ten reads together"


def test_a_row_in_the_largest_file_is_found_among_thousands_of_files_without_rows():
    files = {f"{number:04}.csv": (len(HEADER), number, HEADER) for number in range(5000)}
    assert not read_folder(files)[0].has_rows
    files["3210.csv"] = (len(CSV), 3210, CSV)
    assert read_folder(files)[0].has_rows


@pytest.mark.parametrize("files", [1, 8])
@pytest.mark.parametrize(("extra_bytes", "is_counted"), [(0, True), (1, False)])
def test_the_rows_are_counted_if_a_megabyte_contains_every_file(files, extra_bytes, is_counted):
    rows = (SAMPLED_BYTES // files - 4) // 4
    content = b"A,B\n" + b"1,2\n" * rows
    known = {f"{number}.csv": (len(content) + extra_bytes, 1, content) for number in range(files)}
    assert read_folder(known)[0].row_count == (rows * files if is_counted else None)


@pytest.mark.parametrize(
    ("files", "file_bytes", "is_read"),
    [
        (1, 2_300_000, True),
        (COUNTED_FILES, 9_000, True),
        (COUNTED_FILES + 1, 9_000, False),
        (2, COUNTED_BYTES // 2, True),
        (2, COUNTED_BYTES // 2 + 1, False),
    ],
    ids=["one large file", "many files", "too many files", "much", "too much"],
)
def test_all_rows_are_read_on_request_unless_they_are_too_many(files, file_bytes, is_read):
    content = b"A,B\n" + b"1,2\n" * 50
    known = {f"{number:03}.csv": (file_bytes, number, content) for number in range(files)}
    assert read_folder(known)[0].row_count is None, "nobody has asked for them"
    export, keys = read_folder(known, reads_all_rows=True)
    assert export.row_count == (50 * files if is_read else None)
    assert len(keys) == (files if is_read else min(files, SAMPLED_FILES))
    checked_rows = sum(len(sample.rows) for sample in export.samples)
    assert checked_rows <= SAMPLED_FILES * CHECKED_ROWS, "the memory of a function is small"


# Size, fingerprint and rows


@pytest.mark.parametrize("change", [{"key": "x.csv"}, {"size": 999}, {"etag": '"e2"'}], ids=str)
def test_the_fingerprint_changes_with_every_object(change):
    before = Export(location=s.LOCATION, objects=[s.s3_object(), s.s3_object(key="b.csv")])
    after = Export(location=s.LOCATION, objects=[s.s3_object(**change), s.s3_object(key="b.csv")])
    assert after.fingerprint != before.fingerprint


def test_the_fingerprint_does_not_depend_on_order_or_time():
    first, second = s.s3_object(), s.s3_object(key="b.csv")
    before = Export(location=s.LOCATION, objects=[first, second])
    after = Export(location=s.LOCATION, objects=[second, s.s3_object(modified_at=s.ago(1))])
    assert (after.fingerprint, after.size) == (before.fingerprint, 2000)


@pytest.mark.parametrize(
    ("file", "row_count", "has_rows"),
    [
        (s.sample(("1",), ("2",)), 2, True),
        (s.sample(rows=()), 0, False),
        (s.sample(rows=(), row_count=None), None, False),
        (s.sample(rows=(), row_count=None, error="line 1 is not text"), None, True),
    ],
    ids=["rows", "no rows", "only a header was read", "not readable"],
)
def test_an_export_has_rows_if_a_file_has_or_might_have_some(file, row_count, has_rows):
    export = Export(location=s.LOCATION, objects=[s.s3_object()], samples=[file])
    assert (export.row_count, export.has_rows) == (row_count, has_rows)


@pytest.mark.parametrize(
    ("location", "parts"),
    [("s3://exports/a/b.csv", ("exports", "a/b.csv")), ("s3://exports", ("exports", ""))],
)
def test_a_location_has_a_bucket_and_a_key(location, parts):
    assert split_location(location) == parts
