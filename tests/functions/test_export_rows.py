"""Tests of the guards of columns, values and rows: which exports they find, and their messages."""

from dataclasses import replace

import pytest

from functions.planning.export_columns import order_of_columns, unknown_columns, wrong_columns
from functions.planning.export_rows import few_rows_beside_events, too_few_rows
from functions.planning.export_values import wrong_values
from tests.functions.samples import (
    DATASET,
    FIELDS,
    LOCATION,
    NOW,
    ROW,
    dataset_of_run,
    export,
    items_settings,
    messages,
    rows_of,
    sample,
)

INCREMENTAL = dataset_of_run(importMode="INCREMENTAL")


def found(check, known_export, **changes):
    """Return the messages of a guard about this export of interactions."""
    return messages(check, exports={DATASET: known_export}, **changes)


# The header


@pytest.mark.parametrize(
    "header",
    [
        ("USER_ID", "ITEM_ID", "TIMESTAMP"),
        ("TIMESTAMP", "USER_ID", "ITEM_ID"),
        ("USER_ID", "ITEM_ID", "TIMESTAMP", "EVENT_VALUE"),
        ("USER_ID", "ITEM_ID", "TIMESTAMP", "NOTE"),
    ],
    ids=["as in the schema", "another order", "with a nullable field", "with an unknown field"],
)
def test_a_header_with_all_required_fields_passes(header):
    assert found(wrong_columns, export(samples=[sample(header=header)])) == []


def test_all_missing_fields_are_in_one_message():
    wrong = sample(header=("userId", "TIMESTAMP"))
    assert found(wrong_columns, export(samples=[wrong])) == [
        (
            "s3://exports/interactions.csv: the header lacks USER_ID, ITEM_ID, which the dataset's "
            "schema requires; the header is userId, TIMESTAMP; add or rename columns in the export"
        )
    ]


def test_the_header_of_every_file_is_checked():
    files = [sample(key="1.csv"), sample(key="2.csv", header=("USER_ID", "ITEM_ID"))]
    assert found(wrong_columns, export(samples=files)) == [
        (
            "s3://exports/2.csv: the header lacks TIMESTAMP, which the dataset's schema requires; "
            "the header is USER_ID, ITEM_ID; add or rename columns in the export"
        )
    ]


def test_all_files_must_have_the_same_columns():
    more = ("EVENT_VALUE", *sample().header)
    files = [sample(key="1.csv"), sample(key="2.csv", header=sample().header[::-1])]
    assert found(wrong_columns, export(samples=files)) == [], "in any order"
    assert found(wrong_columns, export(samples=[*files, sample(key="3.csv", header=more)])) == [
        (
            "s3://exports/3.csv: this file and 1.csv do not both have the column EVENT_VALUE, but "
            "all files of an import must have the same columns; repeat the export"
        )
    ]


def test_the_header_of_a_file_that_cannot_be_read_is_not_checked():
    assert found(wrong_columns, export(samples=[replace(sample(header=()), error="is gzip")])) == []


@pytest.mark.parametrize(
    ("header", "shown"),
    [((), "empty"), (("x" * 201,), "x" * 200), (("\x1b[2J", "A"), r"'\x1b[2J, A'")],
    ids=["none", "no CSV", "control characters"],
)
def test_a_header_is_cut_and_escaped(header, shown):
    (message,) = found(wrong_columns, export(samples=[sample(header=header)]))
    assert f"; the header is {shown}; " in message


def test_columns_that_the_schema_lacks_are_named():
    files = [sample(), sample(header=(*sample().header, "eventValue", "x" * 50))]
    assert found(unknown_columns, export()) == []
    assert found(unknown_columns, export(samples=files)) == [
        (
            f"{LOCATION} has columns that the dataset's schema lacks: eventValue, "
            "xxxxxxxxxxxxxxxxxxxx; they are not imported; remove them, or rename them if a name is "
            "misspelt"
        )
    ]


def test_without_a_schema_no_column_is_unknown():
    assert found(unknown_columns, export(), schemas={}) == [], "another guard finds the dataset"


def test_another_order_of_the_columns_is_a_warning_about_the_first_file():
    header = ("TIMESTAMP", "NOTE", "USER_ID", "ITEM_ID")
    other = [sample(key=f"{number}.csv", header=header) for number in range(2)]
    assert found(order_of_columns, export(samples=[sample(header=("NOTE", *COLUMNS[:3]))])) == []
    assert found(order_of_columns, export(samples=[sample(), *other])) == [
        (
            "s3://exports/0.csv: the columns are in another order than in the dataset's schema, "
            "which has USER_ID, ITEM_ID, TIMESTAMP; if values arrive in wrong columns, write them "
            "in this order"
        )
    ]


# The values

COLUMNS = ("USER_ID", "ITEM_ID", "TIMESTAMP", "EVENT_VALUE")
NUMBER = "write a whole number, as digits with an optional minus"
DECIMAL = "write a number like -2.5 or 1e-3"
TOMORROW = int(NOW.timestamp()) + 45 * 3600
"""The first second after tomorrow. The run starts at 03:00."""


def value_messages(*rows, header=COLUMNS, fields=FIELDS):
    """Return the messages about a file with these rows."""
    return found(
        wrong_values, export(samples=[sample(*rows, header=header)]), schemas={DATASET: fields}
    )


def test_values_of_the_types_of_the_schema_pass():
    assert value_messages(("1", "2", "1700000000", "2.5"), ("1", "2", "631152000", "")) == []


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("1", "2", "now", "1"), f"TIMESTAMP is 'now', but the schema requires long; {NUMBER}"),
        (("1", "2", "1.5", "1"), f"TIMESTAMP is '1.5', but the schema requires long; {NUMBER}"),
        (
            ("1", "2", "", "1"),
            "TIMESTAMP is '', but the schema requires long; write a value",
        ),
        (
            ("", "2", ROW[2], "1"),
            "USER_ID is '', but the schema requires string; write a value",
        ),
        (("1", "2", ROW[2], "x"), f"EVENT_VALUE is 'x', but the schema requires float; {DECIMAL}"),
        (
            ("1", "2", ROW[2], "null"),
            f"EVENT_VALUE is 'null', but the schema requires float; {DECIMAL}",
        ),
        (
            ("u" * 257, "2", ROW[2], "1"),
            (
                "USER_ID is 'uuuuuuuuuuuuuuuuuuuu', which has 257 characters, but Personalize "
                "accepts at most 256; shorten it"
            ),
        ),
        (
            ("1", "2", "1790000000000", "1"),
            "TIMESTAMP is '1790000000000', which is in milliseconds; write seconds since 1970",
        ),
        (
            ("1", "2", "-1", "1"),
            "TIMESTAMP is '-1', which is negative; write seconds since 1970",
        ),
        (
            ("1", "2", "20786", "1"),
            "TIMESTAMP is '20786', which is before 1990; write seconds since 1970",
        ),
        (
            ("1", "2", str(TOMORROW), "1"),
            (
                f"TIMESTAMP is '{TOMORROW}', which is later than tomorrow; write seconds since "
                "1970, and no future time"
            ),
        ),
        (
            ("1", "2", "9223372036854775808", "1"),
            (
                "TIMESTAMP is '9223372036854775808', but the schema requires long, which has 64 "
                "bits; write a smaller number"
            ),
        ),
    ],
)
def test_a_wrong_value_is_found(row, message):
    assert value_messages((*ROW, "4"), row) == [f"s3://exports/interactions.csv: line 3: {message}"]


def test_an_empty_metadata_column_may_be_made_optional():
    field = {"name": "GENRE", "type": "string"}
    (message,) = value_messages(("",), header=("GENRE",), fields=[field])
    assert message == (
        "s3://exports/interactions.csv: line 2: GENRE is '', but the schema requires string; write "
        "a value, or allow null in the schema of a new dataset"
    ), "Personalize forbids null only for the required columns"


def test_the_number_of_the_line_counts_empty_lines():
    (row,) = rows_of(("1", "2", "now"))
    seen = export(samples=[sample(rows=[row._replace(line=7)])])
    (message,) = found(wrong_values, seen)
    assert message.startswith("s3://exports/interactions.csv: line 7: TIMESTAMP is 'now', ")


def test_the_last_second_of_tomorrow_passes():
    assert value_messages(("1", "2", str(TOMORROW - 1), "1")) == []


@pytest.mark.parametrize(
    ("type_", "good", "bad"),
    [
        ("int", "-1", "1.0"),
        ("int", "2147483647", "2147483648"),
        ("int", "-2147483648", "-2147483649"),
        ("long", "12345678901", "x"),
        ("long", "9223372036854775807", "1" * 5000),
        ("long", "007", "+7"),
        ("long", "0", " 0"),
        ("long", "-0", "1_000"),
        ("long", "0" * 1000, "0" * 5000),
        ("long", "5", "\u0665"),
        ("float", "1e-3", "1,5"),
        ("float", ".5", "nan"),
        ("float", "5.", "inf"),
        ("double", "2", "1e999"),
        ("double", "-2.5E+3", "1_0.5"),
        ("boolean", "True", "1"),
        ("string", "x", ""),
        ("string", "x" * 1000, "x" * 1001),
        (["string", "null"], "", None),
        (["null", "boolean"], "false", "no"),
        (["int", "string"], "x", ""),
    ],
    ids=lambda value: str(value)[:20],
)
def test_each_avro_type_accepts_its_values(type_, good, bad):
    only = {"header": ("A",), "fields": [{"name": "A", "type": type_}]}
    assert value_messages((good,), **only) == []
    if bad is not None:
        assert len(value_messages((bad,), **only)) == 1


def test_a_textual_value_may_be_long_because_it_is_cut_off():
    field = {"name": "A", "type": "string", "textual": True}
    assert value_messages(("x" * 30_000,), header=("A",), fields=[field]) == []


@pytest.mark.parametrize(
    ("value", "problems"),
    [("-500000000", 0), ("1830297600", 0), ("1790000000000", 1)],
    ids=["older than 1990", "announced", "milliseconds"],
)
def test_an_item_may_be_old_or_announced(value, problems):
    for type_ in ("long", "float"):
        field = {"name": "CREATION_TIMESTAMP", "type": type_}
        found_messages = value_messages((value,), header=("CREATION_TIMESTAMP",), fields=[field])
        assert len(found_messages) == problems


def test_a_text_that_is_called_timestamp_is_no_time():
    field = {"name": "TIMESTAMP", "type": "string"}
    assert value_messages(("yesterday",), header=("TIMESTAMP",), fields=[field]) == []


def test_each_file_has_at_most_one_message_and_three_files_are_named():
    wrong_row = ("", "", "x", "y")
    files = [
        sample(wrong_row, wrong_row, header=COLUMNS, key=f"{number}.csv") for number in range(5)
    ]
    assert [message[:27] for message in found(wrong_values, export(samples=files))] == [
        "s3://exports/0.csv: line 2:",
        "s3://exports/1.csv: line 2:",
        "s3://exports/2.csv: line 2:",
    ]


def test_a_column_that_is_not_in_the_schema_may_contain_anything():
    header = (*sample().header, "X")
    assert value_messages((*ROW, "?"), header=header) == []


@pytest.mark.parametrize(("good", "count"), [(999, 1), (1000, 0)])
def test_the_first_thousand_rows_are_checked(good, count):
    rows = [(*ROW, "4")] * good + [("1", "2", "x", "4")]
    assert len(value_messages(*rows)) == count


# The number of rows


def row_messages(rows, dataset, check=too_few_rows, **changes):
    """Return the messages about an export with this number of rows."""
    arn = dataset["datasetArn"]
    seen = export(samples=[sample(rows=rows_of(*[ROW] * rows))])
    return messages(check, dataset=dataset, exports={arn: seen}, **changes)


@pytest.mark.parametrize(
    ("mode", "advice"),
    [
        ("FULL", "export all interactions, because a FULL import replaces all bulk data"),
        (
            "INCREMENTAL",
            (
                "import less often, or use importMode FULL with a complete export, because it "
                "replaces all bulk data"
            ),
        ),
    ],
)
@pytest.mark.parametrize(("rows", "refused"), [(1000, False), (999, True), (1, True), (0, False)])
def test_an_import_needs_a_thousand_interactions(mode, advice, rows, refused):
    message = f"{LOCATION} has {rows} interactions, but an import takes at least 1000; {advice}"
    dataset = dataset_of_run(importMode=mode)
    assert row_messages(rows, dataset) == [message] * refused, "0 rows are found by another guard"


@pytest.mark.parametrize(
    ("dataset_type", "mode", "refused"),
    [
        ("interactions", "FULL", True),
        ("interactions", "INCREMENTAL", True),
        ("actionInteractions", "FULL", False),
        ("actionInteractions", "INCREMENTAL", True),
        ("items", "INCREMENTAL", False),
        ("users", "FULL", False),
        ("actions", "INCREMENTAL", False),
    ],
)
def test_only_these_imports_need_a_thousand_rows(dataset_type, mode, refused):
    dataset = items_settings(type=dataset_type, importMode=mode)
    assert len(row_messages(1, dataset)) == refused


@pytest.mark.parametrize(
    ("dataset", "refusals", "warnings"),
    [(dataset_of_run(), 0, 1), (INCREMENTAL, 1, 0)],
    ids=["FULL", "INCREMENTAL"],
)
def test_beside_recorded_events_few_rows_of_a_full_import_are_a_warning(
    dataset, refusals, warnings
):
    tracked = {"event_trackers": ["arn:tracker"]}
    streamed = {**dataset, "streamed": True}
    for of_dataset, changes in ((dataset, tracked), (streamed, {})):
        assert len(row_messages(1, of_dataset, **changes)) == refusals
        assert len(row_messages(1, of_dataset, few_rows_beside_events, **changes)) == warnings
    assert row_messages(1, dataset, few_rows_beside_events) == [], "no event arrives"


def test_rows_that_were_not_counted_pass():
    large = export(samples=[sample(ROW, is_whole_file=False)])
    assert found(too_few_rows, large) == []
