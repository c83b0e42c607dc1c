"""What lies in S3: listed whole, read at its beginning only."""

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

from functions import aws
from functions.errors import ServiceUnavailable
from functions.exports import Export, FileSample, list_objects, read_export, split
from tests.functions.samples import LOCATION, ago, s3_object

CSV = b"USER_ID,ITEM_ID,TIMESTAMP\n1,2,3\n"
BEGINNING = 65_536
MARKER = "s3://signals/done/_SUCCESS"
NOTHING = Export(location=LOCATION, objects=[], samples=[])


def lists(s3, *pages, bucket="exports", prefix="interactions.csv"):
    """Expect a listing of so many pages: each a mapping of keys to (size, hours since)."""
    given = {"Bucket": bucket, "Prefix": prefix}
    for page, objects in enumerate(pages, start=1):
        last = page == len(pages)
        answer = {
            "IsTruncated": not last,
            "Contents": [
                {"Key": key, "Size": size, "ETag": '"e1"', "LastModified": ago(hours)}
                for key, (size, hours) in objects.items()
            ],
            **({} if last else {"NextContinuationToken": f"page {page + 1}"}),
        }
        s3.says("list_objects_v2", answer, **given)
        given = {**given, "ContinuationToken": f"page {page + 1}"}


def gives(s3, content, key="interactions.csv"):
    body = StreamingBody(io.BytesIO(content), len(content))
    range_ = f"bytes=0-{BEGINNING - 1}"
    s3.says("get_object", {"Body": body}, Bucket="exports", Key=key, Range=range_)


def begins(s3, content, size=None):
    """Give how a file begins."""
    size = len(content) if size is None else size
    lists(s3, {"interactions.csv": (size, 2)})
    gives(s3, content[:BEGINNING])
    (beginning,) = read_export(s3.client, LOCATION).samples
    return beginning


def test_a_file_is_looked_at_whole(s3):
    lists(s3, {"interactions.csv": (len(CSV), 2)})
    gives(s3, CSV)
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


def test_a_file_is_not_its_namesakes(s3):
    """A list by prefix has them too, and Personalize imports just the one file."""
    found = {
        "interactions.csv": (1, 2),
        "interactions.csv.bak": (1, 2),
        "interactions.csv/x": (1, 2),
    }
    lists(s3, found)
    assert [each.key for each in list_objects(s3.client, LOCATION)] == ["interactions.csv"]


def test_a_prefix_is_all_files_below_it_on_every_page_but_no_folders(s3):
    pages = [{"day/": (0, 9), "day/1.csv": (1, 2)}, {"day/a/": (0, 9)}, {"day/a/2.csv": (1, 2)}]
    lists(s3, *pages, prefix="day/")
    found = list_objects(s3.client, "s3://exports/day/")
    assert [each.key for each in found] == ["day/1.csv", "day/a/2.csv"]


def test_where_nothing_lies_nothing_is_listed(s3):
    s3.says("list_objects_v2", {}, Bucket="exports", Prefix="interactions.csv")
    assert read_export(s3.client, LOCATION) == NOTHING


def test_thousands_of_objects_are_listed_and_the_ten_newest_read(s3):
    """In pages of a thousand; the newest are spread over them."""
    keys = [f"day/{number:04}.csv" for number in range(2500)]
    newest = [keys[number] for number in range(0, 2500, 250)]
    hours = dict.fromkeys(keys, 100) | {key: age for age, key in enumerate(newest)}
    pages = [{key: (9, hours[key]) for key in keys[at : at + 1000]} for at in (0, 1000, 2000)]
    lists(s3, *pages, prefix="day/")
    for key in newest:
        gives(s3, CSV, key)
    seen = read_export(s3.client, "s3://exports/day/")
    assert (len(seen.objects), seen.size, seen.rows) == (2500, 22_500, None)
    assert [each.key for each in seen.samples] == newest


def test_an_empty_file_is_not_read(s3):
    lists(s3, {"interactions.csv": (0, 2)})
    assert read_export(s3.client, LOCATION).samples == []


@pytest.mark.parametrize(
    ("found", "marker_written_at"),
    [
        ({"done/_SUCCESS": (0, 1)}, ago(1)),
        ({"done/_SUCCESS.old": (0, 1)}, None),
        ({}, None),
    ],
)
def test_a_ready_marker_is_looked_for_in_its_own_bucket(s3, found, marker_written_at):
    lists(s3, {})
    lists(s3, found, bucket="signals", prefix="done/_SUCCESS")
    assert read_export(s3.client, LOCATION, MARKER) == replace(
        NOTHING, marker_written_at=marker_written_at
    )


@pytest.mark.parametrize("failing", ["list_objects_v2", "get_object"])
def test_what_cannot_be_read_says_why(s3, failing):
    if failing == "get_object":
        lists(s3, {"interactions.csv": (9, 2)})
    s3.refuses(failing, "AccessDenied", "not yours", Bucket="exports", **asked(failing))
    assert read_export(s3.client, LOCATION) == Export(
        location=LOCATION, read_error=f"{LOCATION} cannot be read: AccessDenied: not yours"
    )


def test_a_marker_that_cannot_be_read_is_told_from_its_export(s3):
    lists(s3, {})
    s3.refuses("list_objects_v2", "NoSuchBucket", "none", Bucket="signals", Prefix="done/_SUCCESS")
    assert read_export(s3.client, LOCATION, MARKER) == Export(
        location=LOCATION, read_error=f"{MARKER} cannot be read: NoSuchBucket: none"
    )


@pytest.mark.parametrize("error", [ReadTimeoutError, ResponseStreamingError, IncompleteReadError])
def test_a_read_that_breaks_off_is_for_the_workflow_to_try_again(s3, error):
    class Broken(io.BytesIO):
        def read(self, *_):
            raise error(endpoint_url="s3", error="gone", actual_bytes=1, expected_bytes=2)

    lists(s3, {"interactions.csv": (9, 2)})
    range_ = f"bytes=0-{BEGINNING - 1}"
    s3.says(
        "get_object", {"Body": Broken()}, Bucket="exports", Key="interactions.csv", Range=range_
    )
    with pytest.raises(ServiceUnavailable, match=r"GetObject: interactions\.csv broke off: "):
        read_export(s3.client, LOCATION)


def asked(operation):
    if operation == "list_objects_v2":
        return {"Prefix": "interactions.csv"}
    return {"Key": "interactions.csv", "Range": f"bytes=0-{BEGINNING - 1}"}


def test_a_list_that_is_refused_is_an_error_for_who_asks_for_the_list_alone(s3):
    s3.refuses("list_objects_v2", "NoSuchBucket", "none", Bucket="exports", Prefix="x")
    with pytest.raises(ClientError, match="none"):
        list_objects(s3.client, "s3://exports/x")


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
        "old Mac",
        "no last line break",
        "quoted line break",
        "other separators of lines",
        "blank lines",
        "not UTF-8",
        "header alone",
        "blank",
    ],
)
def test_a_beginning_is_read_as_csv(s3, content, header, rows):
    seen = begins(s3, content)
    assert seen == FileSample(key="interactions.csv", header=header, rows=rows)


def long_file(row, size):
    return (b"A,B\n" + row * size)[:size]


def test_a_long_file_is_read_to_its_last_whole_row(s3):
    seen = begins(s3, long_file(b"1234,5678\n", BEGINNING + 1))
    assert set(seen.rows) == {("1234", "5678")}
    assert len(seen.rows) == (BEGINNING - 4) // 10, "the row that was cut is left out"


def test_a_file_that_was_cut_within_quotes_has_no_broken_row(s3):
    seen = begins(s3, long_file(b'1,"a\nb\nc"\n', BEGINNING + 1))
    assert set(seen.rows) == {("1", "a\nb\nc")}


def test_a_file_that_just_fits_is_read_whole(s3):
    content = long_file(b"1234,5678\n", BEGINNING)
    assert begins(s3, content).rows[-1] == ("12",), "its own last row, broken or not"


def test_a_file_that_was_emptied_since_it_was_listed_has_no_header(s3):
    assert begins(s3, b"", size=BEGINNING + 1) == FileSample(
        key="interactions.csv", header=(), rows=()
    )


# of an export


def test_size_is_of_all_objects():
    assert Export(location=LOCATION).size == 0
    assert Export(location=LOCATION, objects=[s3_object(), s3_object(size=5)]).size == 1005


@pytest.mark.parametrize("change", [{"key": "x.csv"}, {"size": 999}, {"etag": '"e2"'}], ids=str)
def test_a_fingerprint_tells_every_change(change):
    known = Export(location=LOCATION, objects=[s3_object(), s3_object(key="b.csv")])
    changed = Export(location=LOCATION, objects=[s3_object(**change), s3_object(key="b.csv")])
    assert changed.fingerprint != known.fingerprint


def test_a_fingerprint_is_of_the_objects_in_any_order_whenever_written():
    first, second = s3_object(), s3_object(key="b.csv")
    known = Export(location=LOCATION, objects=[first, second])
    again = Export(location=LOCATION, objects=[second, s3_object(modified_at=ago(1))])
    assert again.fingerprint == known.fingerprint
    assert len(known.fingerprint) == 32, "a tag holds 256 characters"


@pytest.mark.parametrize(
    ("sizes", "read", "rows"),
    [
        ([BEGINNING, 5], 2, 4),
        ([BEGINNING + 1, 5], 2, None),
        ([5, 5, 5], 2, None),
        ([BEGINNING] * 16, 16, 32),
        ([BEGINNING] * 16 + [1], 17, None),
        ([], 0, 0),
    ],
)
def test_rows_are_counted_where_all_were_read(sizes, read, rows):
    two_rows = FileSample(key="x", header=("A",), rows=(("1",), ("2",)))
    seen = Export(
        location=LOCATION,
        objects=[s3_object(size=size) for size in sizes],
        samples=[two_rows] * read,
    )
    assert seen.rows == rows


@pytest.mark.parametrize(
    ("location", "parts"),
    [
        ("s3://exports/a/b.csv", ("exports", "a/b.csv")),
        ("s3://exports/a/", ("exports", "a/")),
        ("s3://exports", ("exports", "")),
    ],
)
def test_a_location_is_a_bucket_and_a_key(location, parts):
    assert split(location) == parts


def test_the_client_of_s3_is_made_once(monkeypatch, clients):
    made = []
    monkeypatch.setattr("boto3.client", lambda name, **_: made.append(name) or clients[name])
    aws.s3.cache_clear()
    assert aws.s3() is aws.s3()
    aws.s3.cache_clear()
    assert made == ["s3"]
