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
        (b"A,B\n1,2", ("1", "2")),
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
        "no last line break",
        "comma",
        "other line separators",
        "escaped",
        "doubled quotation marks",
        "quotation mark within a value",
        "spaces",
    ],
)
def test_a_row_is_read_as_personalize_reads_it(content, row):
    assert read(content) == FileSample(key="a.csv", header=("A", "B"), rows=rows_of(row))


def test_empty_lines_are_left_out_but_counted():
    sample = read(b"\nA,B\n\n1,2\n\n3,4\n\n")
    assert sample.header == ("A", "B")
    assert sample.rows == ((4, ("1", "2")), (6, ("3", "4")))


@pytest.mark.parametrize("content", [b"", b"\n", b"\r\n\n\r", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n"])
def test_a_file_without_a_line_has_no_header(content):
    sample = read(content)
    assert (sample.header, sample.rows, sample.error) == ((), (), None)


def test_a_byte_order_mark_is_noticed_and_left_out():
    marked = FileSample(
        key="a.csv", header=("A", "B"), rows=rows_of(("1", "2")), has_byte_order_mark=True
    )
    assert read(b"\xef\xbb\xbfA,B\n1,2\n") == marked


# What Personalize cannot read

RECORD = (
    "which is not a complete record; remove line breaks from values, put quotation marks around "
    "whole values, and write \\ before a quotation mark or backslash in a value"
)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (
            gzip.compress(b"A,B\n1,2\n", mtime=0),
            "is a gzip file, but Personalize reads only plain CSV; export plain CSV",
        ),
        (
            b"PAR1\x15\x04",
            "is a Parquet file, but Personalize reads only plain CSV; export plain CSV",
        ),
        (
            "A,B\n1,2\n".encode("utf-16"),
            "is UTF-16, but Personalize reads only UTF-8; export it as UTF-8",
        ),
        (
            "A,B\n1,2\n".encode("utf-16-be"),
            (
                "contains NUL bytes, so it is UTF-16 or not a text; Personalize reads only UTF-8; "
                "export it as UTF-8"
            ),
        ),
        (
            "A,B\r\n1,2\nx,Am\u00e9lie\n".encode("latin-1"),
            (
                "line 3 is not UTF-8, perhaps it is Latin-1 or Windows-1252; Personalize reads "
                "only UTF-8; export it as UTF-8"
            ),
        ),
        (
            b'\n"A","B"\n1,2\n',
            (
                'line 2: the header is \'"A","B"\', but Personalize accepts no quotation marks '
                "there; write the names of the columns without them"
            ),
        ),
        (
            b"A,B,A\n1,2,3\n",
            (
                "line 1: the header has the columns A and A, but Personalize needs names that "
                "differ, even without their underscores; rename or remove a column"
            ),
        ),
        (
            b"GENRES_1,B,GENRES1\n1,2,3\n",
            (
                "line 1: the header has the columns GENRES_1 and GENRES1, but Personalize needs "
                "names that differ, even without their underscores; rename or remove a column"
            ),
        ),
    ],
    ids=[
        "gzip",
        "Parquet",
        "UTF-16",
        "UTF-16 without a mark",
        "Latin-1",
        "quoted header",
        "duplicate columns",
        "names that differ in underscores",
    ],
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
                "has 3 values for 2 columns; put quotation marks around values with a comma, and "
                "complete the row"
            ),
        ),
        (
            "1",
            (
                "has 1 values for 2 columns; put quotation marks around values with a comma, and "
                "complete the row"
            ),
        ),
    ],
    ids=[
        "line break in a value",
        "text after quotation marks",
        "backslash at the end",
        "long line",
        "too many values",
        "too few values",
    ],
)
def test_a_line_that_is_not_a_record_has_an_error(line, error):
    assert read(f"A,B\n1,2\n\n{line}\n3,4\n".encode()) == FileSample(
        key="a.csv",
        header=("A", "B"),
        rows=rows_of(("1", "2")),
        error=f"line 4 {error}",
    ), "the rows before it are known"


# Files of which only the beginning was read


@pytest.mark.parametrize(
    "content",
    [b"A,B\n1,2\n3,", b'A,B\n1,2\n"3', b"A,B\r1,2\r3,\xc3", b"A,B\n1,2\r\n", b"A,B\n1,2\n3,4"],
)
def test_the_last_line_is_left_out_because_it_was_cut(content):
    assert read(content, is_whole_file=False) == FileSample(
        key="a.csv", header=("A", "B"), rows=rows_of(("1", "2")), is_whole_file=False
    )


def test_a_first_line_that_was_cut_is_the_header():
    assert read(b"A,B", is_whole_file=False).header == ("A", "B"), "it lacks columns"
