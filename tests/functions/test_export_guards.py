"""Tests of each guard of an export: which exports it finds, and with which message."""

from dataclasses import replace
from datetime import timedelta

import pytest

from functions.exports import Export
from functions.planning.export_guards import (
    export_not_ready,
    export_of_earlier_day,
    missing_export,
    missing_fields,
    nothing_new,
    truncated_export,
    wrong_increment,
    wrong_values,
)
from tests.functions.samples import (
    DATASET,
    FIELDS,
    FINGERPRINT,
    ITEMS,
    LOCATION,
    OTHER_SOLUTION,
    RUN_ID,
    SOLUTION,
    ago,
    dataset_settings,
    export,
    import_summary,
    items_settings,
    messages,
    s3_object,
    sample,
    settings,
    version_summary,
)

INCREMENTAL = dataset_settings(importMode="INCREMENTAL")
NO_EXPORT = Export(location=LOCATION)


def found(check, known_export, **changes):
    """Return the messages of a guard about this export of interactions."""
    return messages(check, exports={DATASET: known_export}, **changes)


# The export is there


def test_an_export_that_is_there_passes():
    assert found(missing_export, export()) == []


def test_an_export_that_cannot_be_read_is_found_with_the_reason():
    unreadable = Export(location=LOCATION, read_error=f"{LOCATION} cannot be read: AccessDenied: x")
    assert found(missing_export, unreadable) == [
        (
            f"{LOCATION} cannot be read: AccessDenied: x; check that it exists and that the "
            "role of plan-retraining may list and read it"
        )
    ]
    assert found(export_not_ready, unreadable, dataset=MARKED) == [], "one message is enough"


def test_an_export_that_was_not_written_is_found():
    assert found(missing_export, NO_EXPORT) == [
        f"there is no object at {LOCATION}; check dataLocation and the job that writes the export"
    ]


@pytest.mark.parametrize(
    "files", [[sample()], [sample(), sample(header=())]], ids=["one file", "two files"]
)
def test_an_export_without_any_row_is_found(files):
    without_rows = [replace(file, rows=()) for file in files]
    seen = export(objects=[s3_object()] * len(files), samples=without_rows)
    assert found(missing_export, seen) == [f"{LOCATION} has no rows; repeat the export"], (
        "a FULL import would delete all data"
    )


def test_one_file_of_several_may_have_no_row():
    files = [sample(("1", "2", "3")), replace(sample(), rows=())]
    assert found(missing_export, export(objects=[s3_object()] * 2, samples=files)) == []


def test_several_empty_files_are_one_message():
    objects = [s3_object(), *[s3_object(key=f"{letter}.csv", size=0) for letter in "abc"]]
    assert found(missing_export, export(objects=objects)) == [
        (
            f"3 of 4 objects at {LOCATION} are empty, for example a.csv; if one is a marker, "
            "write it outside of this location, otherwise repeat the export"
        )
    ]


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
    assert found(missing_fields, export(samples=[sample(header=header)])) == []


def test_all_missing_fields_are_in_one_message():
    wrong = sample(header=("userId", "TIMESTAMP"))
    assert found(missing_fields, export(samples=[wrong])) == [
        (
            "s3://exports/interactions.csv: the header lacks USER_ID, ITEM_ID, which the dataset's "
            "schema requires; the header is userId, TIMESTAMP; add or rename columns in the export"
        )
    ]


def test_the_header_of_every_file_is_checked():
    files = [sample(key="1.csv"), sample(key="2.csv", header=("USER_ID", "ITEM_ID"))]
    assert found(missing_fields, export(samples=files)) == [
        (
            "s3://exports/2.csv: the header lacks TIMESTAMP, which the dataset's schema requires; "
            "the header is USER_ID, ITEM_ID; add or rename columns in the export"
        )
    ]


@pytest.mark.parametrize(
    ("header", "shown"), [((), "empty"), (("x" * 201,), "x" * 200)], ids=["none", "no CSV"]
)
def test_a_long_header_is_cut(header, shown):
    (message,) = found(missing_fields, export(samples=[sample(header=header)]))
    assert f"; the header is {shown}; " in message


# The values

COLUMNS = ("USER_ID", "ITEM_ID", "TIMESTAMP", "EVENT_VALUE")


def value_messages(*rows, header=COLUMNS, fields=FIELDS):
    """Return the messages about a file with these rows."""
    return found(
        wrong_values, export(samples=[sample(*rows, header=header)]), schemas={DATASET: fields}
    )


def test_values_of_the_types_of_the_schema_pass():
    assert value_messages(("1", "2", "1700000000", "2.5"), ("1", "2", "0", "")) == []


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("1", "2", "now", "1"), "TIMESTAMP is 'now', but the schema requires long"),
        (("1", "2", "1.5", "1"), "TIMESTAMP is '1.5', but the schema requires long"),
        (("1", "2", "", "1"), "TIMESTAMP is '', but the schema requires long"),
        (("", "2", "3", "1"), "USER_ID is '', but the schema requires string"),
        (("1", "2", "3", "x"), "EVENT_VALUE is 'x', but the schema requires null or float"),
        (("1", "2", "3", "null"), "EVENT_VALUE is 'null', but the schema requires null or float"),
    ],
)
def test_a_value_of_another_type_is_found(row, message):
    assert value_messages(("1", "2", "3", "4"), row) == [
        f"s3://exports/interactions.csv: line 3: {message}; correct the value in the export"
    ]


@pytest.mark.parametrize(
    ("type_", "good", "bad"),
    [
        ("int", "-1", "1.0"),
        ("long", "12345678901", "x"),
        ("float", "1e-3", "1,5"),
        ("double", "2", "x"),
        ("boolean", "True", "1"),
        ("string", "x", ""),
        (["string", "null"], "", None),
        (["null", "boolean"], "false", "no"),
        (["int", "string"], "x", ""),
    ],
    ids=str,
)
def test_each_avro_type_accepts_its_values(type_, good, bad):
    only = {"header": ("A",), "fields": [{"name": "A", "type": type_}]}
    assert value_messages((good,), **only) == []
    if bad is not None:
        assert len(value_messages((bad,), **only)) == 1


def test_a_long_value_is_cut():
    (message,) = value_messages(("1", "2", "x" * 1000, "1"))
    assert f"TIMESTAMP is {'x' * 100!r}, but the schema requires long" in message


def test_each_file_has_at_most_one_message():
    wrong_row = ("", "", "x", "y")
    files = [sample(wrong_row, wrong_row, header=COLUMNS, key=f"{number}.csv") for number in (1, 2)]
    assert [message[:27] for message in found(wrong_values, export(samples=files))] == [
        "s3://exports/1.csv: line 2:",
        "s3://exports/2.csv: line 2:",
    ]


@pytest.mark.parametrize("row", [("1", "2", "3"), ("1", "2", "3", "4", "5")], ids=len)
def test_a_row_with_too_few_or_too_many_values_is_found(row):
    assert value_messages(row) == [
        (
            f"s3://exports/interactions.csv: line 2 has {len(row)} values for 4 columns; put "
            "quotes around values with a comma or a line break, and complete the row"
        )
    ]


def test_a_column_that_is_not_in_the_schema_may_contain_anything():
    assert (
        value_messages(("1", "2", "3", "?"), header=("USER_ID", "ITEM_ID", "TIMESTAMP", "X")) == []
    )


@pytest.mark.parametrize(("good", "count"), [(99, 1), (100, 0)])
def test_the_first_hundred_rows_are_checked(good, count):
    rows = [("1", "2", "3", "4")] * good + [("1", "2", "x", "4")]
    assert len(value_messages(*rows)) == count


# The size

LAST_FULL = {DATASET: {"retraining-bytes": "1000"}}
TINY = export(objects=[s3_object(size=1)])


@pytest.mark.parametrize(
    ("size", "share", "refused"),
    [(500, 0.5, False), (499, 0.5, True), (1, 0.0, False), (1000, 1.0, False), (999, 1.0, True)],
)
def test_an_export_that_is_much_smaller_than_the_last_one_is_found(size, share, refused):
    dataset = dataset_settings(minRelativeSize=share)
    seen = export(objects=[s3_object(size=size)])
    message = (
        f"{LOCATION} has {size} bytes, and the last FULL import took 1000: less than "
        f"minRelativeSize {share:g} of it; a FULL import replaces all bulk data, so only if "
        "the data really shrank, lower minRelativeSize for one run"
    )
    assert found(truncated_export, seen, dataset=dataset, last_full_import_tags=LAST_FULL) == (
        [message] * refused
    )


@pytest.mark.parametrize(
    ("dataset", "seen", "last_full"),
    [
        (INCREMENTAL, TINY, LAST_FULL),
        (dataset_settings(), TINY, {}),
        (dataset_settings(), NO_EXPORT, LAST_FULL),
    ],
    ids=["incremental", "no size known", "no export, which another guard finds"],
)
def test_a_small_export_passes_if_it_replaces_no_known_data(dataset, seen, last_full):
    assert found(truncated_export, seen, dataset=dataset, last_full_import_tags=last_full) == []


# The ready marker

MARKER = "s3://exports/_SUCCESS"
MARKED = dataset_settings(readyMarker=MARKER)


def marker_messages(marker_written_at, jobs=None, dataset=MARKED):
    """Return the messages about a marker that was written at this time."""
    jobs = [import_summary()] if jobs is None else jobs
    seen = export(marker_written_at=marker_written_at, objects=[s3_object(modified_at=ago(48))])
    return found(export_not_ready, seen, dataset=dataset, import_jobs={DATASET: jobs})


def test_a_missing_marker_is_found_before_and_after_the_first_import():
    missing = [
        (
            f"the ready marker {MARKER} does not exist; write it when the export is "
            "complete, or start a run with skipImport to train without an import"
        )
    ]
    assert marker_messages(None) == missing
    assert marker_messages(None, []) == missing


def test_a_marker_that_is_not_newer_than_the_last_import_is_found():
    assert marker_messages(ago(48)) == [
        (
            f"the ready marker {MARKER} was written at 2026-11-27T03:00:00+00:00, before the last "
            "import at 2026-11-27T03:00:00+00:00; write the marker after each export, or start "
            "a run with skipImport to train without an import"
        )
    ]


@pytest.mark.parametrize(
    "jobs",
    [
        [import_summary()],
        [],
        [import_summary(status="CREATE FAILED", creationDateTime=ago(1)), import_summary()],
    ],
    ids=["after the last import", "before the first", "after the last that succeeded"],
)
def test_a_newer_marker_passes(jobs):
    assert marker_messages(ago(48) + timedelta(seconds=1), jobs) == []


def test_data_that_are_newer_than_the_marker_are_found():
    """The marker is that of the export before, and the next export is still being written."""
    objects = [s3_object(key=f"{hours}.csv", modified_at=ago(hours)) for hours in (11, 10, 9)]
    seen = export(marker_written_at=ago(10), objects=objects)
    assert found(export_not_ready, seen, dataset=MARKED) == [
        (
            f"1 of 3 objects at {LOCATION} are newer than the ready marker {MARKER}, for example "
            "9.csv; write the marker after the last object of the export"
        )
    ]


def test_no_marker_is_needed_if_none_is_configured():
    assert marker_messages(None, dataset=dataset_settings()) == []


# INCREMENTAL exports

NEW = s3_object(modified_at=ago(48))


def appending(*objects, dataset=INCREMENTAL, rows=1000, jobs=None):
    """Return the messages about an export that is added to the data."""
    files = [sample(*[("1", "2", "3")] * rows)] * len(objects)
    jobs = [import_summary()] if jobs is None else jobs
    arn = dataset["datasetArn"]
    return messages(
        wrong_increment,
        dataset=dataset,
        exports={arn: export(objects=objects, samples=files)},
        import_jobs={arn: jobs},
    )


def test_objects_that_were_written_since_the_last_import_pass():
    assert appending(NEW) == [], "the very moment of the import counts as since"


def test_objects_that_were_imported_before_are_found():
    old = s3_object(key="old.csv", modified_at=ago(48, seconds=1))
    assert appending(NEW, old) == [
        (
            f"1 of 2 objects at {LOCATION} are older than the last import, for example old.csv, "
            "and would be appended again; write each export to a new location, for example "
            "'s3://bucket/interactions/{date}/', or start a run with skipImport to train "
            "without an import"
        )
    ]


def test_a_running_import_counts_as_the_last_import():
    running = import_summary(status="CREATE IN_PROGRESS", creationDateTime=ago(1))
    (message,) = appending(NEW, jobs=[running, import_summary()])
    assert "would be appended again" in message, "the import may succeed, and cannot be stopped"


def test_a_failed_import_does_not_count_as_the_last_import():
    failed = import_summary(status="CREATE FAILED", creationDateTime=ago(1))
    assert appending(NEW, jobs=[failed]) == []
    assert appending(NEW, jobs=[failed, import_summary()]) == []


@pytest.mark.parametrize(("size", "refused"), [(10**9, False), (10**9 + 1, True)])
def test_at_most_a_gigabyte_is_appended(size, refused):
    message = (
        f"{LOCATION} has {size} bytes; an INCREMENTAL import takes at most 1000000000; export "
        "more often, or use importMode FULL with a complete export, because it replaces all "
        "bulk data"
    )
    assert appending(s3_object(size=size)) == [message] * refused


@pytest.mark.parametrize(("rows", "refused"), [(1000, False), (999, True), (0, True)])
def test_at_least_a_thousand_interactions_are_appended(rows, refused):
    seen = export(samples=[replace(sample(), rows=(("1", "2", "3"),) * rows)])
    message = (
        f"{LOCATION} has {rows} interactions; an INCREMENTAL import takes at least 1000 new "
        "ones; import less often, or use importMode FULL with a complete export, because it "
        "replaces all bulk data"
    )
    assert found(wrong_increment, seen, dataset=INCREMENTAL) == [message] * refused


def test_few_items_may_be_appended():
    assert appending(NEW, dataset=items_settings(importMode="INCREMENTAL"), rows=1) == []


def test_rows_that_were_not_counted_pass():
    assert appending(s3_object(size=65_537), rows=1) == []


@pytest.mark.parametrize(
    ("dataset", "objects"),
    [(dataset_settings(), [s3_object(modified_at=ago(100), size=10**10)]), (INCREMENTAL, [])],
    ids=["full", "no export, which another guard finds"],
)
def test_these_limits_hold_only_for_data_that_are_appended(dataset, objects):
    assert appending(*objects, dataset=dataset, rows=1) == []


# An export of a later day


@pytest.mark.parametrize(
    ("last_run", "mode", "location", "refused"),
    [
        ("20261206T030000Z", "FULL", "s3://exports/{date}.csv", True),
        ("20261206-0a1b2c3d", "FULL", "s3://exports/{date}.csv", True),
        ("20261129T120000Z", "FULL", "s3://exports/{date}.csv", False),
        ("20261122T030000Z", "FULL", "s3://exports/{date}.csv", False),
        ("", "FULL", "s3://exports/{date}.csv", False),
        ("20261206T030000Z", "INCREMENTAL", "s3://exports/{date}.csv", False),
        ("20261206T030000Z", "FULL", "s3://exports/interactions.csv", False),
    ],
    ids=["later", "later by hand", "same day", "earlier", "none", "incremental", "no date"],
)
def test_an_export_that_would_replace_that_of_a_later_day_is_found(
    last_run, mode, location, refused
):
    configured = dataset_settings(importMode=mode, dataLocation=location)
    dated = {**configured, "dataLocation": location.replace("{date}", "2026-11-29")}
    message = (
        "s3://exports/2026-11-29.csv is of 2026-11-29, but run "
        f"{last_run} has imported a later day since then; start a run with {{}}, which imports "
        "the export of today"
    )
    last_import = {DATASET: {"retraining-run": last_run}} if last_run else {}
    assert (
        messages(
            export_of_earlier_day,
            settings_=settings(datasets=[configured]),
            dataset=dated,
            last_import_tags=last_import,
        )
        == [message] * refused
    )


# Nothing new

LAST_IMPORT = {DATASET: {"retraining-fingerprint": FINGERPRINT}}
TRAINED = version_summary(creationDateTime=ago(47))
SKIPPED = [
    (
        "nothing is new: the exports were imported before, no event tracker sends events, and "
        "every solution was trained since then; to train anyway, start a run with force"
    )
]


def unchanged(**changes):
    """Return the messages in a world in which nothing is new, with these changes."""
    return messages(
        nothing_new,
        **{"last_import_tags": LAST_IMPORT, "versions": {SOLUTION: [TRAINED]}, **changes},
    )


def test_a_run_that_could_only_train_the_same_models_again_is_found():
    assert unchanged() == SKIPPED
    assert unchanged(request={"force": False}) == SKIPPED


def test_the_newest_version_that_succeeded_counts():
    failed = version_summary(status="CREATE FAILED", creationDateTime=ago(1))
    assert unchanged(versions={SOLUTION: [failed, TRAINED]}) == SKIPPED


@pytest.mark.parametrize(
    "changes",
    [
        {"last_import_tags": {}},
        {"last_import_tags": {DATASET: {"retraining-fingerprint": "other"}}},
        {"last_import_tags": {DATASET: {"retraining-run": "x"}}},
        {"event_trackers": ["tracker"]},
        {"versions": {SOLUTION: []}},
        {"versions": {SOLUTION: [version_summary(creationDateTime=ago(47.5))]}},
        {"versions": {SOLUTION: [version_summary(status="CREATE IN_PROGRESS")]}},
        {"versions": {SOLUTION: [TRAINED], OTHER_SOLUTION: []}},
        {
            "import_jobs": {
                DATASET: [import_summary()],
                ITEMS: [import_summary(lastUpdatedDateTime=ago(1))],
            }
        },
        {"request": {"skipImport": True}},
        {"request": {"force": True}},
        {"request": {"resume": RUN_ID}},
        {"settings_": settings(skipWhenUnchanged=False)},
    ],
    ids=[
        "foreign import",
        "another export",
        "no fingerprint",
        "event tracker",
        "never trained",
        "trained when the import ended",
        "in training",
        "one of two never trained",
        "another dataset imported since",
        "no import",
        "forced",
        "resumed",
        "not configured",
    ],
)
def test_a_run_goes_on_if_something_may_be_new(changes):
    assert unchanged(**changes) == []


def test_every_dataset_has_to_be_unchanged():
    changes = {
        "settings_": settings(datasets=[dataset_settings(), items_settings()]),
        "exports": {DATASET: export(), ITEMS: export(objects=[s3_object(size=2)])},
        "last_import_tags": {**LAST_IMPORT, ITEMS: LAST_IMPORT[DATASET]},
    }
    assert unchanged(**changes) == []


def test_a_failed_import_brings_nothing_new():
    failed = import_summary(status="CREATE FAILED", lastUpdatedDateTime=ago(1))
    assert unchanged(import_jobs={DATASET: [failed, import_summary()]}) == SKIPPED
