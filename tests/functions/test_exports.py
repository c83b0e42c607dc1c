"""Tests of the exports in S3: every object is listed, but only the beginning of files is read."""

import io
from dataclasses import replace

import pytest
from botocore.exceptions import (
    ClientError,
    IncompleteReadError,
    ReadTimeoutError,
    ResponseStreamingError,
)
from botocore.response import StreamingBody

from functions.errors import ServiceUnavailable
from functions.exports import Export, FileSample, list_objects, read_export, split_location
from tests.functions.samples import LOCATION, ago, s3_object

CSV = b"USER_ID,ITEM_ID,TIMESTAMP\n1,2,3\n"
SAMPLE_BYTES = 65_536
FIRST_BYTES = f"bytes=0-{SAMPLE_BYTES - 1}"
MARKER = "s3://signals/done/_SUCCESS"
NO_EXPORT = Export(location=LOCATION, objects=[], samples=[])


def expect_list(s3, *pages, bucket="exports", prefix="interactions.csv"):
    """Expect a list of these pages. A page maps each key to its size and its age in hours."""
    token = {}
    for number, page in enumerate(pages, start=1):
        is_last = number == len(pages)
        next_token = f"page {number + 1}"
        response = {
            "IsTruncated": not is_last,
            "Contents": [
                {"Key": key, "Size": size, "ETag": '"e1"', "LastModified": ago(hours)}
                for key, (size, hours) in page.items()
            ],
            **({} if is_last else {"NextContinuationToken": next_token}),
        }
        s3.expect("list_objects_v2", response, Bucket=bucket, Prefix=prefix, **token)
        token = {"ContinuationToken": next_token}


def expect_content(s3, content, key="interactions.csv"):
    body = StreamingBody(io.BytesIO(content), len(content))
    s3.expect("get_object", {"Body": body}, Bucket="exports", Key=key, Range=FIRST_BYTES)


def read_sample(s3, content, size=None):
    """Return the sample of one file with this content, which was listed with this size."""
    size = len(content) if size is None else size
    expect_list(s3, {"interactions.csv": (size, 2)})
    expect_content(s3, content[:SAMPLE_BYTES])
    (sample,) = read_export(s3.client, LOCATION).samples
    return sample


# Objects


def test_a_small_file_is_read_to_its_end(s3):
    expect_list(s3, {"interactions.csv": (len(CSV), 2)})
    expect_content(s3, CSV)
    assert read_export(s3.client, LOCATION) == Export(
        location=LOCATION,
        objects=[s3_object(size=len(CSV))],
        samples=[
            FileSample(
                key="interactions.csv",
                header=("USER_ID", "ITEM_ID", "TIMESTAMP"),
                rows=(("1", "2", "3"),),
            )
        ],
    )


def test_other_files_whose_names_begin_alike_are_left_out(s3):
    """A list by prefix contains them, but Personalize imports only the one file."""
    expect_list(
        s3,
        {
            "interactions.csv": (1, 2),
            "interactions.csv.bak": (1, 2),
            "interactions.csv/x": (1, 2),
        },
    )
    assert [each.key for each in list_objects(s3.client, LOCATION)] == ["interactions.csv"]


def test_a_folder_is_listed_with_its_subfolders_on_every_page(s3):
    pages = [{"day/": (0, 9), "day/1.csv": (1, 2)}, {"day/a/": (0, 9)}, {"day/a/2.csv": (1, 2)}]
    expect_list(s3, *pages, prefix="day/")
    objects = list_objects(s3.client, "s3://exports/day/")
    assert [each.key for each in objects] == ["day/1.csv", "day/a/2.csv"]


def test_a_location_may_have_no_objects(s3):
    s3.expect("list_objects_v2", {}, Bucket="exports", Prefix="interactions.csv")
    assert read_export(s3.client, LOCATION) == NO_EXPORT


def test_thousands_of_objects_are_listed_and_the_ten_newest_are_read(s3):
    keys = [f"day/{number:04}.csv" for number in range(2500)]
    newest = [keys[number] for number in range(0, 2500, 250)]
    hours = dict.fromkeys(keys, 100) | {key: age for age, key in enumerate(newest)}
    pages = [
        {key: (9, hours[key]) for key in keys[first : first + 1000]} for first in (0, 1000, 2000)
    ]
    expect_list(s3, *pages, prefix="day/")
    for key in newest:
        expect_content(s3, CSV, key)
    export = read_export(s3.client, "s3://exports/day/")
    assert (len(export.objects), export.size, export.row_count) == (2500, 22_500, None)
    assert [sample.key for sample in export.samples] == newest


def test_an_empty_file_is_not_read(s3):
    expect_list(s3, {"interactions.csv": (0, 2)})
    assert read_export(s3.client, LOCATION).samples == []


@pytest.mark.parametrize(
    ("objects", "written_at"),
    [
        ({"done/_SUCCESS": (0, 1)}, ago(1)),
        ({"done/_SUCCESS.old": (0, 1)}, None),
        ({}, None),
    ],
    ids=["written", "only another file", "not written"],
)
def test_a_ready_marker_may_be_in_another_bucket(s3, objects, written_at):
    expect_list(s3, {})
    expect_list(s3, objects, bucket="signals", prefix="done/_SUCCESS")
    export = read_export(s3.client, LOCATION, MARKER)
    assert export == replace(NO_EXPORT, marker_written_at=written_at)


# Errors


def test_a_list_that_is_refused_is_a_read_error(s3):
    request = {"Bucket": "exports", "Prefix": "interactions.csv"}
    s3.expect_error("list_objects_v2", "AccessDenied", "not yours", **request)
    assert read_export(s3.client, LOCATION) == Export(
        location=LOCATION, read_error=f"{LOCATION} cannot be read: AccessDenied: not yours"
    )


def test_a_file_that_is_refused_is_a_read_error(s3):
    expect_list(s3, {"interactions.csv": (9, 2)})
    request = {"Bucket": "exports", "Key": "interactions.csv", "Range": FIRST_BYTES}
    s3.expect_error("get_object", "AccessDenied", "not yours", **request)
    assert read_export(s3.client, LOCATION) == Export(
        location=LOCATION, read_error=f"{LOCATION} cannot be read: AccessDenied: not yours"
    )


def test_the_read_error_of_a_marker_names_the_marker(s3):
    expect_list(s3, {})
    request = {"Bucket": "signals", "Prefix": "done/_SUCCESS"}
    s3.expect_error("list_objects_v2", "NoSuchBucket", "none", **request)
    assert read_export(s3.client, LOCATION, MARKER) == Export(
        location=LOCATION, read_error=f"{MARKER} cannot be read: NoSuchBucket: none"
    )


@pytest.mark.parametrize("error", [ReadTimeoutError, ResponseStreamingError, IncompleteReadError])
def test_a_read_that_breaks_off_is_retried_by_the_workflow(s3, error):
    class Broken(io.BytesIO):
        def read(self, *_):
            raise error(endpoint_url="s3", error="gone", actual_bytes=1, expected_bytes=2)

    expect_list(s3, {"interactions.csv": (9, 2)})
    request = {"Bucket": "exports", "Key": "interactions.csv", "Range": FIRST_BYTES}
    s3.expect("get_object", {"Body": Broken()}, **request)
    with pytest.raises(
        ServiceUnavailable, match=r"GetObject: s3://exports/interactions\.csv broke off: "
    ):
        read_export(s3.client, LOCATION)


def test_a_list_alone_raises_the_error(s3):
    s3.expect_error("list_objects_v2", "NoSuchBucket", "none", Bucket="exports", Prefix="x")
    with pytest.raises(ClientError, match="none"):
        list_objects(s3.client, "s3://exports/x")


# Samples


@pytest.mark.parametrize(
    ("content", "header", "rows"),
    [
        (b"\xef\xbb\xbfA,B\n1,2\n", ("A", "B"), (("1", "2"),)),
        (b'"A","B"\r\n"1","2"\r\n', ("A", "B"), (("1", "2"),)),
        (b"A,B\r1,2\r", ("A", "B"), (("1", "2"),)),
        (b"A,B\n1,2", ("A", "B"), (("1", "2"),)),
        (b'A,B\n"x\ny","a,b"\n', ("A", "B"), (("x\ny", "a,b"),)),
        ("A,B\nx\u2028y,\x85\n".encode(), ("A", "B"), (("x\u2028y", "\x85"),)),
        (b"\nA,B\n\n1,2\n\n", ("A", "B"), (("1", "2"),)),
        (b"A,B\n\xff,2\n", ("A", "B"), (("\ufffd", "2"),)),
        (b"A,B\n", ("A", "B"), ()),
        (b"\n", (), ()),
    ],
    ids=[
        "byte order mark",
        "quotes",
        "carriage returns",
        "no last line break",
        "line break in quotes",
        "other line separators",
        "blank lines",
        "not UTF-8",
        "only a header",
        "blank",
    ],
)
def test_a_file_is_read_as_csv(s3, content, header, rows):
    expected = FileSample(key="interactions.csv", header=header, rows=rows)
    assert read_sample(s3, content) == expected


def long_file(row, size):
    """Return a file with a header and this row again and again, cut at this size."""
    return (b"A,B\n" + row * size)[:size]


def test_the_last_row_of_a_long_file_is_left_out_because_it_was_cut(s3):
    sample = read_sample(s3, long_file(b"1234,5678\n", SAMPLE_BYTES + 1))
    assert set(sample.rows) == {("1234", "5678")}
    assert len(sample.rows) == (SAMPLE_BYTES - 4) // 10


def test_a_row_that_was_cut_within_quotes_is_left_out(s3):
    sample = read_sample(s3, long_file(b'1,"a\nb\nc"\n', SAMPLE_BYTES + 1))
    assert set(sample.rows) == {("1", "a\nb\nc")}


def test_a_file_that_just_fits_is_read_to_its_end(s3):
    content = long_file(b"1234,5678\n", SAMPLE_BYTES)
    assert read_sample(s3, content).rows[-1] == ("12",)


def test_a_file_that_was_emptied_after_the_list_has_no_header(s3):
    sample = read_sample(s3, b"", size=SAMPLE_BYTES + 1)
    assert sample == FileSample(key="interactions.csv", header=(), rows=())


# Size, fingerprint and rows


def test_the_size_is_that_of_all_objects():
    assert Export(location=LOCATION).size == 0
    assert Export(location=LOCATION, objects=[s3_object(), s3_object(size=5)]).size == 1005


@pytest.mark.parametrize("change", [{"key": "x.csv"}, {"size": 999}, {"etag": '"e2"'}], ids=str)
def test_the_fingerprint_changes_with_every_object(change):
    before = Export(location=LOCATION, objects=[s3_object(), s3_object(key="b.csv")])
    after = Export(location=LOCATION, objects=[s3_object(**change), s3_object(key="b.csv")])
    assert after.fingerprint != before.fingerprint


def test_the_fingerprint_does_not_depend_on_order_or_time():
    first, second = s3_object(), s3_object(key="b.csv")
    before = Export(location=LOCATION, objects=[first, second])
    after = Export(location=LOCATION, objects=[second, s3_object(modified_at=ago(1))])
    assert after.fingerprint == before.fingerprint
    assert len(before.fingerprint) == 32, "a tag has at most 256 characters"


@pytest.mark.parametrize(
    ("sizes", "samples", "rows"),
    [
        ([SAMPLE_BYTES, 5], 2, 4),
        ([SAMPLE_BYTES + 1, 5], 2, None),
        ([5, 5, 5], 2, None),
        ([SAMPLE_BYTES] * 16, 16, 32),
        ([SAMPLE_BYTES] * 16 + [1], 17, None),
        ([], 0, 0),
    ],
)
def test_rows_are_counted_only_if_every_file_was_read_to_its_end(sizes, samples, rows):
    two_rows = FileSample(key="x", header=("A",), rows=(("1",), ("2",)))
    export = Export(
        location=LOCATION,
        objects=[s3_object(size=size) for size in sizes],
        samples=[two_rows] * samples,
    )
    assert export.row_count == rows


@pytest.mark.parametrize(
    ("location", "parts"),
    [
        ("s3://exports/a/b.csv", ("exports", "a/b.csv")),
        ("s3://exports/a/", ("exports", "a/")),
        ("s3://exports", ("exports", "")),
    ],
)
def test_a_location_has_a_bucket_and_a_key(location, parts):
    assert split_location(location) == parts
