"""Tests of the reader of CSV files: the rows that it finds, and what it says about other files."""

import gzip

import pytest

from functions.csv_files import FileSample, read_sample
from tests.functions.samples import rows_of


def read(content, *, is_whole_file=True):
    """Return the sample of a file."""
    return read_sample("a.csv", content, is_whole_file=is_whole_file)


@pytest.mark.parametrize(
    ("content", "row"),
    [
        (b'A,B\r\n"1","2"\r\n', ("1", "2")),
        (b"A,B\r1,2\r", ("1", "2")),
        (b"\xef\xbb\xbfA,B\n1,2", ("1", "2")),
        (b'A,B\n"a,b",\n', ("a,b", "")),
        ("A,B\nx\u2028y,\x85\n".encode(), ("x\u2028y", "\x85")),
        (b'A,B\n"say \\"hi\\"",c:\\\\x\n', ('say "hi"', "c:\\x")),
        (b'A,B\n"say ""hi""",2\n', ('say "hi"', "2")),
        (b'A,B\n5" disk,2\n', ('5" disk', "2")),
        (b"A,B\n 1 ,2\n", (" 1 ", "2")),
    ],
    ids=[
        "quotation marks",
        "carriage returns",
        "byte-order mark, no last line break",
        "comma",
        "other line separators",
        "escaped",
        "doubled quotation marks",
        "quotation mark within a value",
        "spaces",
    ],
)
def test_a_row_is_read_as_personalize_reads_it(content, row):
    values = {"A": {row[0]: 1}, "B": {row[1]: 1}}
    expected = FileSample(
        key="a.csv", header=("A", "B"), rows=rows_of(row), row_count=1, values=values
    )
    assert read(content) == expected


def test_empty_lines_are_left_out_but_counted_as_lines():
    sample = read(b"\nA,B\n\n1,2\n\n3,4\n\n")
    assert (sample.header, sample.row_count) == (("A", "B"), 2)
    assert sample.rows == ((4, ("1", "2")), (6, ("3", "4")))


@pytest.mark.parametrize("content", [b"", b"\r\n\n\r", b"\xef\xbb\xbf\n"])
def test_a_file_without_a_line_has_no_header(content):
    assert read(content) == FileSample(key="a.csv", row_count=0)


def test_only_a_thousand_rows_are_checked_but_all_are_counted():
    sample = read(b"A,B\n" + b"1,2\n" * 1000 + b"1,2,3\n")
    assert (len(sample.rows), sample.row_count, sample.error) == (1000, 1001, None)


# What Personalize cannot read

RECORD = (
    "which is not a complete record; remove line breaks from values, put quotation marks around "
    "whole values, and write \\ before a quotation mark or backslash in a value"
)
ENCODING = (
    "is not UTF-8 text; perhaps the file is compressed, Parquet, UTF-16, Latin-1 or "
    "Windows-1252; export plain CSV in UTF-8"
)
HEADERS = (
    "but Personalize needs names that differ, even without their underscores; rename or remove a "
    "column"
)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (gzip.compress(b"A,B\n1,2\n", mtime=0), f"line 1 {ENCODING}"),
        ("A,B\n1,2\n".encode("utf-16-be"), f"line 1 {ENCODING}"),
        ("A,B\r\n1,2\nx,Am\u00e9lie\n".encode("latin-1"), f"line 3 {ENCODING}"),
        (b"A,B\n1,2\n\0\n", f"line 3 {ENCODING}"),
        (
            b'\n"A","B"\n1,2\n',
            (
                'line 2: the header is \'"A","B"\', but Personalize accepts no quotation marks '
                "there; write the column names without them"
            ),
        ),
        (b"A,B,A\n1,2,3\n", f"line 1: the header has the columns 'A' and 'A', {HEADERS}"),
        (
            b"GENRES_1,B,GENRES1\n1,2,3\n",
            f"line 1: the header has the columns 'GENRES_1' and 'GENRES1', {HEADERS}",
        ),
    ],
    ids=["gzip", "UTF-16", "Latin-1", "NUL", "quoted header", "duplicates", "underscores"],
)
def test_a_file_that_personalize_cannot_read_has_an_error(content, error):
    assert read(content) == FileSample(key="a.csv", error=error)


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ('"a\nb",2', f"is '\"a', {RECORD}"),
        ('1,"b" c', f"is '1,\"b\" c', {RECORD}"),
        ("1,b\\", f"is '1,b\\\\', {RECORD}"),
        (f'{"x" * 30},"b', f"is 'xxxxxxxxxxxxxxxxxxxx', {RECORD}"),
        (
            "1,2,3",
            (
                "has 3 values for 2 columns; put quotation marks around values that contain a "
                "comma, and complete the row"
            ),
        ),
    ],
    ids=["line break", "text after quotation marks", "backslash at the end", "long", "too many"],
)
def test_a_line_that_is_not_a_record_has_an_error(line, error):
    assert read(f"A,B\n1,2\n\n{line}\n3,4\n".encode()) == FileSample(
        key="a.csv", header=("A", "B"), rows=rows_of(("1", "2")), error=f"line 4 {error}"
    ), "the rows before it are known"


@pytest.mark.parametrize(
    "content",
    [b"A,B\n1,2\n3,", b'A,B\n1,2\n"3', b"A,B\r1,2\r3,\xc3", b"A,B\n1,2\r\n", b"A,B\n1,2\n3,4"],
)
def test_the_last_line_is_left_out_if_the_file_has_more_bytes(content):
    sample = read(content, is_whole_file=False)
    values = {"A": {"1": 1}, "B": {"2": 1}}
    assert sample == FileSample(
        key="a.csv", header=("A", "B"), rows=rows_of(("1", "2")), values=values
    )
    assert read(b"A,B", is_whole_file=False).header == ("A", "B"), "nothing else is known"


def test_the_values_of_all_complete_rows_are_counted_even_if_they_are_not_checked():
    lines = ["TIMESTAMP,USER_ID,EVENT_TYPE"]
    lines += [f'{number},"u{number % 3}",{"" if number % 2 else "view"}' for number in range(1100)]
    broken = ["1,2,3,4", "5,6", '7,"8', "9"]
    sample = read("\r\n".join([*lines, *broken, '9,"a,b",click']).encode())
    assert (sample.row_count, sample.error) == (1105, None)
    assert sample.values["USER_ID"] == {"u0": 367, "u1": 367, "u2": 366, "a,b": 1}
    assert sample.values["EVENT_TYPE"] == {"view": 550, "": 550, "click": 1}
    assert sample.values["TIMESTAMP"].total() == 1101
    assert read(b"A,B\n").values == {"A": {}, "B": {}}
