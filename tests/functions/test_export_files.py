"""Tests of the guards of an export's files: what they find, and with which message."""

import json

import pytest

from functions.planning.export_files import (
    refuse_missing_export,
    refuse_too_few_rows,
    refuse_wrong_content,
    warn_of_unknown_columns,
)
from functions.s3.csv_files import parse_sample
from functions.s3.exports import Export
from tests.functions import samples as s
from tests.functions.samples import (
    LOCATION,
    ROW,
    dataset_of_run,
    export,
    items_settings,
    messages,
    s3_object,
    sample,
)

FOLDER = "s3://exports/interactions/"
FILE = "s3://exports/interactions.csv"
INCREMENTAL = dataset_of_run(importMode="INCREMENTAL")


def found(guard, known_export, **changes):
    """Return the messages of a guard about this export of interactions."""
    return messages(guard, exports=known_export, **changes)


# The export is there

EMPTY = [s3_object(), *[s3_object(key=f"{letter}.csv", size=0) for letter in "abc"]]
DEEPER = [s3_object(key=f"interactions/{day}/1.csv") for day in ("mon", "tue", "wed", "thu", "fri")]
SUBFOLDERS = (
    f"5 of 6 objects at {FOLDER} are in subfolders, for example interactions/mon/1.csv; "
    "Personalize imports only the first level of a folder; move them there or out of this "
    "location, or set dataLocation to the subfolder"
)


@pytest.mark.parametrize(
    "known_export, message",
    [
        (export(), None),
        (
            Export(location=LOCATION, read_error=f"{LOCATION} cannot be read: AccessDenied: x"),
            (
                f"{LOCATION} cannot be read: AccessDenied: x; check that it exists and that the "
                "role of plan-retraining may list and read it"
            ),
        ),
        (
            Export(location=LOCATION),
            (
                f"there is no object at {LOCATION}; check dataLocation and the job that writes "
                "the export"
            ),
        ),
        (
            export(objects=EMPTY),
            (
                f"3 of 4 objects at {LOCATION} are empty, for example a.csv; if one is a marker, "
                "write it outside of this location, otherwise repeat the export"
            ),
        ),
        (export(samples=[sample(rows=())]), f"{LOCATION} has no rows; repeat the export"),
        (export(samples=[sample(rows=()), sample()]), None),
        (
            export(location=FOLDER, objects=[s3_object(key="interactions/1"), *DEEPER]),
            SUBFOLDERS,
        ),
    ],
    ids=[
        "there",
        "not readable",
        "not written",
        "empty files",
        "no rows",
        "one file has rows",
        "subfolders beside files",
    ],
)
def test_an_export_is_there_or_the_message_says_what_is_missing(known_export, message):
    assert found(refuse_missing_export, known_export) == ([message] if message else [])


# The content

FIELDS = [
    *s.FIELDS,
    {"name": "VIEWS", "type": ["null", "int"]},
    {"name": "IN_STOCK", "type": ["boolean", "null"]},
    {"name": "CREATION_TIMESTAMP", "type": ["null", "long"]},
]


def test_golden_messages_about_the_content_of_files(golden):
    """A question is a list with the text of each file of an export of items."""

    def answer(line):
        samples = [
            parse_sample(f"{number}.csv", text.encode(), is_whole_file=True)
            for number, text in enumerate(json.loads(line), start=1)
        ]

        return [
            f"{guard.effect} {message}"
            for guard in (refuse_wrong_content, refuse_too_few_rows, warn_of_unknown_columns)
            for message in found(
                guard,
                export(samples=samples),
                schemas=FIELDS,
                dataset=dataset_of_run(type="items"),
            )
        ]

    golden.answers("files.txt", answer)


def test_a_dataset_that_does_not_exist_has_no_columns_that_an_export_could_lack():
    assert found(warn_of_unknown_columns, export(), schemas={}) == []


def test_a_wrong_value_in_row_700_is_found():
    columns = ("USER_ID", "ITEM_ID", "TIMESTAMP", "EVENT_VALUE")
    file = sample(*[(*ROW, "2.5")] * 699, (*ROW, "x"), header=columns)
    (message,) = found(refuse_wrong_content, export(samples=[file]))

    assert message.startswith(f"{FILE}: line 701: EVENT_VALUE is 'x', but")


# The number of rows


def row_messages(rows, dataset, **changes):
    """Return the messages about an export with this number of rows."""
    seen = export(samples=[sample(ROW, row_count=rows)])
    exports = {dataset["datasetArn"]: seen}
    return messages(refuse_too_few_rows, dataset=dataset, exports=exports, **changes)


@pytest.mark.parametrize(
    "mode, advice",
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
    "rows, refused", [(1000, False), (999, True), (1, True), (0, False), (None, False)]
)
def test_an_import_needs_a_thousand_interactions(mode, advice, rows, refused):
    message = f"{LOCATION} has {rows} interactions, but an import needs at least 1000; {advice}"
    dataset = dataset_of_run(importMode=mode)
    assert row_messages(rows, dataset) == [message] * refused, "another guard finds 0 rows"


@pytest.mark.parametrize(
    "dataset_type, mode, refused",
    [
        ("interactions", "INCREMENTAL", True),
        ("actionInteractions", "FULL", False),
        ("actionInteractions", "INCREMENTAL", True),
        ("items", "INCREMENTAL", False),
        ("users", "FULL", False),
    ],
)
def test_only_these_imports_need_a_thousand_rows(dataset_type, mode, refused):
    dataset = items_settings(type=dataset_type, importMode=mode)
    assert len(row_messages(1, dataset)) == refused


@pytest.mark.parametrize("dataset, refused", [(dataset_of_run(), False), (INCREMENTAL, True)])
def test_a_full_export_may_have_few_rows_if_events_bring_others(dataset, refused):
    assert len(row_messages(1, dataset, event_tracker_arns=["arn:tracker"])) == refused
    assert len(row_messages(1, {**dataset, "streamed": True})) == refused
