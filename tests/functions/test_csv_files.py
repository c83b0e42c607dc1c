"""Tests of the reader of CSV files: the rows that it finds, and what it says about other files."""

import ast

from functions.s3.csv_files import parse_sample


def read(content, *, is_whole_file=True):
    """Return the sample of a file."""
    return parse_sample("a.csv", content, is_whole_file=is_whole_file)


def test_golden_samples_of_files(golden):
    """A question is the content of a file in Python, or only its beginning."""

    def answer(line):
        content = line.removeprefix("beginning ")
        sample = read(ast.literal_eval(content), is_whole_file=content == line)

        return [
            f"{name}: {value}"
            for name, value in vars(sample).items()
            if name != "key" and value not in (None, (), {})
        ]

    golden.answers("csv_files.txt", answer)


def test_only_a_thousand_rows_are_checked_but_all_are_counted():
    sample = read(b"A,B\n" + b"1,2\n" * 1000 + b"1,2,3\n")
    assert (len(sample.rows), sample.row_count, sample.error) == (1000, 1001, None)


def test_the_values_of_all_complete_rows_are_counted_even_if_they_are_not_checked():
    lines = ["TIMESTAMP,USER_ID,EVENT_TYPE"]
    lines += [f'{number},"u{number % 3}",{"" if number % 2 else "view"}' for number in range(1100)]
    broken = ["1,2,3,4", "5,6", '7,"8', "9"]

    sample = read("\r\n".join([*lines, *broken, '9,"a,b",click']).encode())

    assert (sample.row_count, sample.error) == (1105, None)
    assert sample.value_counts["USER_ID"] == {"u0": 367, "u1": 367, "u2": 366, "a,b": 1}
    assert sample.value_counts["EVENT_TYPE"] == {"view": 550, "": 550, "click": 1}
    assert sample.value_counts["TIMESTAMP"].total() == 1101
