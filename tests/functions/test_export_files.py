"""Tests of the guards of an export's files: what they find, and with which message."""

import pytest

from functions.exports import Export
from functions.planning.export_files import (
    missing_export,
    too_few_rows,
    unknown_columns,
    wrong_content,
)
from tests.functions import samples as s

FOLDER = "s3://exports/interactions/"
FILE = "s3://exports/interactions.csv"
INCREMENTAL = s.dataset_of_run(importMode="INCREMENTAL")


def found(guard, known_export, **changes):
    """Return the messages of a guard about this export of interactions."""
    return s.messages(guard, exports={s.DATASET: known_export}, **changes)


# The export is there

EMPTY = [s.s3_object(), *[s.s3_object(key=f"{letter}.csv", size=0) for letter in "abc"]]
DEEPER = [
    s.s3_object(key=f"interactions/{day}/1.csv") for day in ("mon", "tue", "wed", "thu", "fri")
]
SUBFOLDERS = (
    f"5 of 6 objects at {FOLDER} are in subfolders, for example interactions/mon/1.csv; "
    "Personalize imports only the first level of a folder; move them there or out of this "
    "location, or set dataLocation to the subfolder"
)


@pytest.mark.parametrize(
    ("known_export", "message"),
    [
        (s.export(), None),
        (
            Export(location=s.LOCATION, read_error=f"{s.LOCATION} cannot be read: AccessDenied: x"),
            (
                f"{s.LOCATION} cannot be read: AccessDenied: x; check that it exists and that the "
                "role of plan-retraining may list and read it"
            ),
        ),
        (
            Export(location=s.LOCATION),
            (
                f"there is no object at {s.LOCATION}; check dataLocation and the job that writes "
                "the export"
            ),
        ),
        (
            s.export(objects=EMPTY),
            (
                f"3 of 4 objects at {s.LOCATION} are empty, for example a.csv; if one is a marker, "
                "write it outside of this location, otherwise repeat the export"
            ),
        ),
        (s.export(samples=[s.sample(rows=())]), f"{s.LOCATION} has no rows; repeat the export"),
        (s.export(samples=[s.sample(rows=()), s.sample()]), None),
        (
            s.export(location=FOLDER, objects=[s.s3_object(key="interactions/1"), *DEEPER]),
            SUBFOLDERS,
        ),
    ],
    ids=[
        *("there", "not readable", "not written", "empty files", "no rows", "one file has rows"),
        "subfolders beside files",
    ],
)
def test_an_export_is_there_or_the_message_says_what_is_missing(known_export, message):
    assert found(missing_export, known_export) == ([message] if message else [])


# The header


def header_messages(*headers, **changes):
    """Return the messages about files with these headers and no rows, without their location."""
    files = [
        s.sample(key=f"{number}.csv", header=header, rows=())
        for number, header in enumerate(headers, start=1)
    ]
    found_messages = found(wrong_content, s.export(samples=files), **changes)
    return [message.removeprefix("s3://exports/") for message in found_messages]


COLUMNS = ("USER_ID", "ITEM_ID", "TIMESTAMP")
LACKS = "which the dataset's schema requires; the header is"
ADD = "add or rename columns in the export"


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ([COLUMNS, COLUMNS[::-1]], None),
        ([(*COLUMNS, "EVENT_VALUE")], None),
        ([(*COLUMNS, "NOTE")], None),
        (
            [COLUMNS, ("userId", "TIMESTAMP")],
            f"2.csv: the header lacks USER_ID, ITEM_ID, {LACKS} 'userId,TIMESTAMP'; {ADD}",
        ),
        ([()], f"1.csv: the header lacks USER_ID, ITEM_ID, TIMESTAMP, {LACKS} ''; {ADD}"),
        (
            [("\x1b[2J" + "x" * 300,)],
            (
                "1.csv: the header lacks USER_ID, ITEM_ID, TIMESTAMP, "
                f"{LACKS} '\\x1b[2J{'x' * 196}'; {ADD}"
            ),
        ),
        (
            [COLUMNS, COLUMNS[::-1], ("EVENT_VALUE", *COLUMNS)],
            (
                "3.csv: only one of this file and 1.csv has the column 'EVENT_VALUE', but all "
                "files of an import must have the same columns; repeat the export"
            ),
        ),
    ],
    ids=[
        *("any order", "nullable", "unknown column", "missing", "empty", "no CSV", "files differ"),
    ],
)
def test_each_header_has_the_required_columns_and_those_of_the_first_file(headers, message):
    assert header_messages(*headers) == ([message] if message else [])


def test_columns_that_the_schema_lacks_are_a_warning():
    files = [s.sample(), s.sample(header=(*COLUMNS, "eventValue", "x" * 50))]
    assert found(unknown_columns, s.export()) == []
    assert found(unknown_columns, s.export(samples=files)) == [
        (
            f"{s.LOCATION} has columns that the dataset's schema lacks: 'eventValue', "
            "'xxxxxxxxxxxxxxxxxxxx'; they are not imported; remove them, or rename them if a name "
            "is misspelt"
        )
    ]
    assert found(unknown_columns, s.export(samples=files), schemas={}) == [], "there is no schema"


# The content


def test_the_first_problem_of_a_file_is_named():
    row = s.rows_of(("1", "2", "now"))[0]
    wrong_row = s.sample(rows=[row._replace(line=7)], error="line 9 is no record")
    encoding = s.sample(header=(), rows=(), error="line 1 is not text")
    assert [found(wrong_content, s.export(samples=[file])) for file in (wrong_row, encoding)] == [
        [f"{FILE}: line 7: TIMESTAMP is 'now', but the schema requires long; {SECONDS}"],
        [f"{FILE}: line 1 is not text"],
    ]
    assert len(found(wrong_content, s.export(samples=[encoding, s.sample()]))) == 1, (
        "no header differs"
    )
    good_row = s.sample(s.ROW, error="line 9 is no record")
    assert found(wrong_content, s.export(samples=[good_row])) == [f"{FILE}: line 9 is no record"]


def test_at_most_three_files_are_named():
    files = [s.sample(("", "", "x"), ("", "", "x"), key=f"{number}.csv") for number in range(5)]
    assert [message[:27] for message in found(wrong_content, s.export(samples=files))] == [
        f"s3://exports/{number}.csv: line 2:" for number in range(3)
    ]


# The values

WHOLE = "write a {}-bit whole number: digits with an optional minus"
SECONDS = "write whole seconds since 1970"
DECIMAL = "write a number like -2.5 or 1e-3"
TOMORROW = int(s.NOW.timestamp()) + 45 * 3600
"""The first second after tomorrow. The run starts at 03:00."""


def value_messages(value, name="A", type_="string", **field):
    """Return the messages about a file with one row and this value, without location and line."""
    fields = [{"name": name, "type": type_, **field}]
    file = s.sample((value,), header=(name,))
    found_messages = found(wrong_content, s.export(samples=[file]), schemas={s.DATASET: fields})
    return [message.removeprefix(f"{FILE}: line 2: ") for message in found_messages]


def test_a_wrong_value_in_row_700_is_found():
    rows = [*[(*s.ROW, "2.5")] * 699, (*s.ROW, "x")]
    file = s.sample(*rows, header=(*COLUMNS, "EVENT_VALUE"))
    assert found(wrong_content, s.export(samples=[file]), schemas={s.DATASET: s.FIELDS}) == [
        f"{FILE}: line 701: EVENT_VALUE is 'x', but the schema requires float; {DECIMAL}"
    ]


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (("TIMESTAMP", "long", "1.5"), f"'1.5', but the schema requires long; {SECONDS}"),
        (
            ("TIMESTAMP", "long", " 1790000000 "),
            "' 1790000000 ', but the schema requires long; write it without spaces around it",
        ),
        (("VIEWS", "int", "x"), f"'x', but the schema requires int; {WHOLE.format(32)}"),
        (("USER_ID", "string", ""), "'', but the schema requires string; write a value"),
        (("PRICE", "float", "null"), f"'null', but the schema requires float; {DECIMAL}"),
        (("IN_STOCK", "boolean", "1"), "'1', but the schema requires boolean; write true or false"),
        (
            ("USER_ID", "string", "u" * 257),
            (
                f"'{'u' * 20}', which has 257 characters, but Personalize accepts at most 256; "
                "shorten it"
            ),
        ),
        (
            ("TIMESTAMP", "long", "1790000000000"),
            "'1790000000000', which is in milliseconds; write seconds since 1970",
        ),
        (
            ("CREATION_TIMESTAMP", "long", "1790000000000"),
            "'1790000000000', which is in milliseconds; write seconds since 1970",
        ),
        (
            ("TIMESTAMP", "long", "20786"),
            "'20786', which is before 1990; write seconds since 1970",
        ),
        (
            ("TIMESTAMP", "float", str(TOMORROW)),
            (
                f"'{TOMORROW}', which is later than tomorrow; write seconds since 1970, not "
                "in the future"
            ),
        ),
    ],
)
def test_a_message_shows_the_wrong_value_and_the_way_out(column, message):
    name, type_, value = column
    assert value_messages(value, name, type_) == [f"{name} is {message}"]


# The number of rows


def row_messages(rows, dataset, **changes):
    """Return the messages about an export with this number of rows."""
    seen = s.export(samples=[s.sample(s.ROW, row_count=rows)])
    exports = {dataset["datasetArn"]: seen}
    return s.messages(too_few_rows, dataset=dataset, exports=exports, **changes)


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
@pytest.mark.parametrize(
    ("rows", "refused"), [(1000, False), (999, True), (1, True), (0, False), (None, False)]
)
def test_an_import_needs_a_thousand_interactions(mode, advice, rows, refused):
    message = f"{s.LOCATION} has {rows} interactions, but an import needs at least 1000; {advice}"
    dataset = s.dataset_of_run(importMode=mode)
    assert row_messages(rows, dataset) == [message] * refused, "another guard finds 0 rows"


@pytest.mark.parametrize(
    ("dataset_type", "mode", "refused"),
    [
        ("interactions", "INCREMENTAL", True),
        ("actionInteractions", "FULL", False),
        ("actionInteractions", "INCREMENTAL", True),
        ("items", "INCREMENTAL", False),
        ("users", "FULL", False),
    ],
)
def test_only_these_imports_need_a_thousand_rows(dataset_type, mode, refused):
    dataset = s.items_settings(type=dataset_type, importMode=mode)
    assert len(row_messages(1, dataset)) == refused


@pytest.mark.parametrize(("dataset", "refused"), [(s.dataset_of_run(), False), (INCREMENTAL, True)])
def test_a_full_export_may_have_few_rows_if_events_bring_others(dataset, refused):
    assert len(row_messages(1, dataset, event_trackers=["arn:tracker"])) == refused
    assert len(row_messages(1, {**dataset, "streamed": True})) == refused
