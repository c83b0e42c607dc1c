"""Each guard on the exports: what it refuses, in which words, and what it lets pass."""

from dataclasses import replace
from datetime import timedelta

import pytest

from functions.exports import Export
from functions.planning.export_guards import (
    appends_only_what_is_new,
    has_the_fields,
    is_not_truncated,
    is_ready,
    is_there,
    nothing_new,
    parses,
    problems,
)
from tests.functions.samples import (
    DATASET,
    FIELDS,
    FINGERPRINT,
    ITEMS,
    LOCATION,
    OTHER_SOLUTION,
    SOLUTION,
    ago,
    beginning,
    dataset_settings,
    export,
    import_summary,
    s3_object,
    version_summary,
    world,
)

INCREMENTAL = dataset_settings(importMode="INCREMENTAL")
ITEMS_INCREMENTAL = dataset_settings(type="items", datasetArn=ITEMS, importMode="INCREMENTAL")
EMPTY = s3_object(size=0)


# it is there


def test_an_export_that_is_there_has_no_problem():
    assert list(is_there(export())) == []


def test_an_export_that_cannot_be_read_is_refused_and_says_why():
    unreadable = Export(
        location=LOCATION, unreadable=f"{LOCATION} cannot be read: AccessDenied: no"
    )
    assert list(is_there(unreadable)) == [
        (
            f"{LOCATION} cannot be read: AccessDenied: no; does it exist, and may this account "
            "read it?"
        )
    ]
    assert list(is_ready(world(), MARKED, unreadable)) == [], "nobody knows"


def test_an_export_that_was_not_written_is_refused():
    assert list(is_there(Export(location=LOCATION))) == [
        f"nothing lies at {LOCATION}; was the export written?"
    ]


@pytest.mark.parametrize(
    "files", [[beginning()], [beginning(), beginning(header=())]], ids=["one file", "two"]
)
def test_an_export_without_any_row_is_refused(files):
    rowless = [replace(each, rows=()) for each in files]
    assert list(is_there(export(objects=[s3_object()] * len(files), beginnings=rowless))) == [
        f"{LOCATION} holds no row; was the export cut off?"
    ], "it would replace all there is with nothing"


def test_one_file_of_several_may_have_no_row():
    files = [beginning(("1", "2", "3")), replace(beginning(), rows=())]
    assert list(is_there(export(objects=[s3_object()] * 2, beginnings=files))) == []


def test_empty_files_are_refused_in_one_sentence_however_many():
    objects = [s3_object(), *[s3_object(key=f"{each}.csv", size=0) for each in "abc"]]
    assert list(is_there(export(objects=objects))) == [
        (
            f"3 of 4 objects at {LOCATION} are empty, a.csv for one; was the export cut off? "
            "Markers belong beside the location"
        )
    ]


# it has the fields


@pytest.mark.parametrize(
    "header",
    [
        ("USER_ID", "ITEM_ID", "TIMESTAMP"),
        ("TIMESTAMP", "USER_ID", "ITEM_ID"),
        ("USER_ID", "ITEM_ID", "TIMESTAMP", "EVENT_VALUE"),
        ("USER_ID", "ITEM_ID", "TIMESTAMP", "NOTE"),
    ],
    ids=["as in the schema", "other order", "a nullable one too", "one that no schema knows"],
)
def test_a_header_with_all_required_fields_passes_in_any_order(header):
    assert list(has_the_fields(export(beginnings=[beginning(header=header)]), FIELDS)) == []


def test_a_header_that_lacks_required_fields_is_told_all_of_them():
    wrong = beginning(header=("userId", "TIMESTAMP"))
    assert list(has_the_fields(export(beginnings=[wrong]), FIELDS)) == [
        (
            "the header of interactions.csv lacks USER_ID, ITEM_ID, which the dataset's schema "
            "requires; it has userId, TIMESTAMP"
        )
    ]


def test_every_file_has_a_header_of_its_own():
    files = [beginning(key="1.csv"), beginning(key="2.csv", header=("USER_ID", "ITEM_ID"))]
    assert list(has_the_fields(export(beginnings=files), FIELDS)) == [
        (
            "the header of 2.csv lacks TIMESTAMP, which the dataset's schema requires; it has "
            "USER_ID, ITEM_ID"
        )
    ]


@pytest.mark.parametrize(
    ("header", "shown"), [((), "nothing"), (("x" * 201,), "x" * 200)], ids=["none", "no CSV"]
)
def test_a_header_is_shown_in_short(header, shown):
    (problem,) = has_the_fields(export(beginnings=[beginning(header=header)]), FIELDS)
    assert problem.endswith(f"; it has {shown}")


# it parses


def wrong(*rows, header=("USER_ID", "ITEM_ID", "TIMESTAMP", "EVENT_VALUE"), fields=FIELDS):
    return list(parses(export(beginnings=[beginning(*rows, header=header)]), fields))


def test_rows_of_the_schemas_types_pass():
    assert wrong(("1", "2", "1700000000", "2.5"), ("1", "2", "0", "")) == []


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (("1", "2", "now", "1"), "TIMESTAMP is 'now', and the schema wants long"),
        (("1", "2", "1.5", "1"), "TIMESTAMP is '1.5', and the schema wants long"),
        (("1", "2", "", "1"), "TIMESTAMP is '', and the schema wants long"),
        (("", "2", "3", "1"), "USER_ID is '', and the schema wants string"),
        (("1", "2", "3", "x"), "EVENT_VALUE is 'x', and the schema wants null or float"),
        (("1", "2", "3", "null"), "EVENT_VALUE is 'null', and the schema wants null or float"),
    ],
)
def test_a_value_that_is_not_of_its_type_is_refused(row, problem):
    assert wrong(("1", "2", "3", "4"), row) == [f"line 3 of interactions.csv: {problem}"]


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
def test_each_type_of_avro_takes_what_is_of_it(type_, good, bad):
    fields = [{"name": "A", "type": type_}]
    assert wrong((good,), header=("A",), fields=fields) == []
    if bad is not None:
        assert len(wrong((bad,), header=("A",), fields=fields)) == 1


def test_a_long_value_is_shown_in_short():
    (problem,) = wrong(("1", "2", "x" * 1000, "1"))
    assert problem.endswith(f"TIMESTAMP is {'x' * 100!r}, and the schema wants long")


def test_one_problem_of_a_file_is_enough():
    assert len(wrong(("", "", "x", "y"), ("", "", "x", "y"))) == 1


def test_each_file_is_parsed():
    files = [beginning(("1", "2", "x"), key=f"{number}.csv") for number in (1, 2)]
    assert [each[:16] for each in parses(export(beginnings=files), FIELDS)] == [
        "line 2 of 1.csv:",
        "line 2 of 2.csv:",
    ]


@pytest.mark.parametrize("row", [("1", "2", "3"), ("1", "2", "3", "4", "5")], ids=len)
def test_a_row_of_another_length_is_refused(row):
    assert wrong(row) == [
        (
            f"line 2 of interactions.csv has {len(row)} values for 4 columns; is a value with a "
            "comma or a line break unquoted?"
        )
    ]


def test_a_column_that_the_schema_does_not_know_may_hold_anything():
    assert wrong(("1", "2", "3", "?"), header=("USER_ID", "ITEM_ID", "TIMESTAMP", "NOTE")) == []


@pytest.mark.parametrize(("good", "found"), [(99, 1), (100, 0)])
def test_the_first_hundred_rows_are_parsed(good, found):
    rows = [("1", "2", "3", "4")] * good + [("1", "2", "x", "4")]
    assert len(wrong(*rows)) == found


# it is not truncated


@pytest.mark.parametrize(
    ("size", "share", "refused"),
    [(500, 0.5, False), (499, 0.5, True), (1, 0.0, False), (1000, 1.0, False), (999, 1.0, True)],
)
def test_an_export_must_not_be_much_smaller_than_the_last_one(size, share, refused):
    dataset = dataset_settings(minRelativeSize=share)
    seen = export(objects=[s3_object(size=size)])
    found = list(is_not_truncated(dataset, seen, {"retraining-bytes": "1000"}))
    assert found == (
        [
            (
                f"{LOCATION} has {size} bytes, and the last FULL import took 1000: "
                f"less than minRelativeSize {share:g} of it; if the data really shrank, lower "
                "minRelativeSize for one run"
            )
        ]
        if refused
        else []
    )


TINY = export(objects=[s3_object(size=1)])


@pytest.mark.parametrize(
    ("dataset", "seen", "last"),
    [
        (INCREMENTAL, TINY, {"retraining-bytes": "1000"}),
        (dataset_settings(), TINY, {}),
        (dataset_settings(), Export(location=LOCATION), {"retraining-bytes": "1000"}),
    ],
    ids=["appended", "no size known", "nothing there, which is told already"],
)
def test_a_small_export_passes_where_it_replaces_nothing_known(dataset, seen, last):
    assert list(is_not_truncated(dataset, seen, last)) == []


# it is ready

MARKER = "s3://exports/_SUCCESS"
MARKED = dataset_settings(readyMarker=MARKER)


def ready(marked_at, jobs=None, dataset=MARKED):
    jobs = [import_summary()] if jobs is None else jobs
    seen = export(marked_at=marked_at, objects=[s3_object(modified=ago(48))])
    return list(is_ready(world(import_jobs={DATASET: jobs}), dataset, seen))


def test_an_export_without_its_marker_is_refused():
    missing = [f"the ready marker {MARKER} is not there; was the export finished?"]
    assert ready(None) == missing
    assert ready(None, []) == missing, "also before the first import"


def test_a_marker_that_is_not_newer_than_the_last_import_is_refused():
    assert ready(ago(48)) == [
        (
            f"the ready marker {MARKER} is of 2026-11-27T03:00:00+00:00, before the last import of "
            "2026-11-27T03:00:00+00:00; was the new export finished? To train on what was "
            "imported, start with skipImport"
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
def test_a_marker_that_is_newer_passes(jobs):
    assert ready(ago(48) + timedelta(seconds=1), jobs) == []


def test_data_that_are_newer_than_the_marker_are_not_ready():
    """The marker is of the export before, which was never imported; the next one is half there."""
    older, same, newer = (
        s3_object(key=f"{hours}.csv", modified=ago(hours)) for hours in (11, 10, 9)
    )
    seen = export(marked_at=ago(10), objects=[older, same, newer])
    assert list(is_ready(world(import_jobs={DATASET: [import_summary()]}), MARKED, seen)) == [
        (
            f"1 of 3 objects at {LOCATION} are newer than the ready marker {MARKER}, 9.csv for "
            "one; is an export under way? Write the marker last, each time"
        )
    ]


def test_no_marker_is_needed_where_none_is_configured():
    assert ready(None, dataset=dataset_settings()) == []


# incremental

NEW = s3_object(modified=ago(48))


def appended(*objects, dataset=INCREMENTAL, rows=1000, jobs=None):
    files = [beginning(*[("1", "2", "3")] * rows)] * len(objects)
    seen = export(objects=objects, beginnings=files)
    jobs = [import_summary()] if jobs is None else jobs
    known = world(import_jobs={DATASET: jobs, ITEMS: jobs})
    return list(appends_only_what_is_new(known, dataset, seen))


def test_what_was_written_since_the_last_import_is_appended():
    assert appended(NEW) == [], "at the very moment counts as since"


def test_what_was_imported_before_is_not_appended_again():
    old = s3_object(key="old.csv", modified=ago(48, seconds=1))
    assert appended(NEW, old) == [
        (
            f"1 of 2 objects at {LOCATION} are older than the last import, old.csv for one, and "
            "would be appended again; export new data to a place of its own each time, for example "
            "to 's3://bucket/interactions/{date}/'. To train on what was imported, start with "
            "skipImport"
        )
    ]


def test_an_import_that_is_under_way_makes_objects_old():
    running = import_summary(status="CREATE IN_PROGRESS", creationDateTime=ago(1))
    (problem,) = appended(NEW, jobs=[running, import_summary()])
    assert "would be appended again" in problem, "it may yet succeed, and nobody can stop it"


def test_only_an_import_that_succeeded_makes_objects_old():
    failed = import_summary(status="CREATE FAILED", creationDateTime=ago(1))
    assert appended(NEW, jobs=[failed]) == []
    assert appended(NEW, jobs=[failed, import_summary()]) == []


@pytest.mark.parametrize(("size", "refused"), [(10**9, False), (10**9 + 1, True)])
def test_at_most_a_gigabyte_is_appended(size, refused):
    found = appended(s3_object(size=size))
    assert found == (
        [
            (
                f"{LOCATION} has {size} bytes; an INCREMENTAL import takes at most 1000000000: use "
                "importMode FULL"
            )
        ]
        if refused
        else []
    )


@pytest.mark.parametrize(("rows", "refused"), [(1000, False), (999, True), (0, True)])
def test_at_least_a_thousand_interactions_are_appended(rows, refused):
    seen = export(beginnings=[replace(beginning(), rows=(("1", "2", "3"),) * rows)])
    found = list(appends_only_what_is_new(world(), INCREMENTAL, seen))
    assert found == (
        [
            (
                f"{LOCATION} has {rows} interactions; an INCREMENTAL import takes at least 1000 "
                "new ones: import less often, or use importMode FULL"
            )
        ]
        if refused
        else []
    )


def test_few_items_may_be_appended():
    assert appended(NEW, dataset=ITEMS_INCREMENTAL, rows=1) == []


def test_rows_that_nobody_counted_are_not_held_against_an_export():
    assert appended(s3_object(size=65_537), rows=1) == []


@pytest.mark.parametrize(
    ("dataset", "objects"),
    [(dataset_settings(), [s3_object(modified=ago(100), size=10**10)]), (INCREMENTAL, [])],
    ids=["full", "nothing there, which is told already"],
)
def test_these_limits_are_of_what_is_appended(dataset, objects):
    assert appended(*objects, dataset=dataset, rows=1) == []


# all of them


def test_every_guard_speaks_for_every_dataset_by_its_name():
    items = dataset_settings(type="items", datasetArn=ITEMS, readyMarker=MARKER)
    bad = export(
        objects=[s3_object(size=1), EMPTY], beginnings=[beginning(("x",), header=("ITEM_ID",))]
    )
    known = world(
        exports={DATASET: bad, ITEMS: export()},
        last_import={DATASET: {"retraining-bytes": "1"}},
        last_full={DATASET: {"retraining-bytes": "1000"}},
    )
    assert [each[:52] for each in problems(known, [dataset_settings(), items])] == [
        each[:52]
        for each in (
            f"datasets.interactions: 1 of 2 objects at {LOCATION} are",
            "datasets.interactions: the header of interactions.csv lacks",
            f"datasets.interactions: {LOCATION} has 1 bytes",
            f"datasets.items: the ready marker {MARKER} is not there",
        )
    ]


def test_wrong_values_and_old_objects_are_told_too():
    seen = export(
        objects=[s3_object(modified=ago(100), size=70_000)], beginnings=[beginning(("1", "2", "x"))]
    )
    assert [each[:44] for each in problems(world(exports={DATASET: seen}), [INCREMENTAL])] == [
        "datasets.interactions: line 2 of interaction",
        "datasets.interactions: 1 of 1 objects at s3:",
    ]


def test_a_good_export_has_no_problems():
    assert list(problems(world(), [dataset_settings()])) == []


# nothing new

UNCHANGED = {DATASET: {"retraining-fingerprint": FINGERPRINT}}
TRAINED = version_summary(creationDateTime=ago(47))
SKIP = (
    "nothing is new: the exports are those imported last, no event tracker streams events in, "
    "and every solution was trained since; to train all the same, start with force"
)


def unchanged(datasets=None, **changes):
    known = {"last_import": UNCHANGED, "versions": {SOLUTION: [TRAINED]}, **changes}
    return nothing_new(world(**known), [dataset_settings()] if datasets is None else datasets)


def test_a_run_that_could_only_train_the_same_again_is_skipped():
    assert unchanged() == SKIP


def test_the_newest_version_that_succeeded_counts():
    failed = version_summary(status="CREATE FAILED", creationDateTime=ago(1))
    assert unchanged(versions={SOLUTION: [failed, TRAINED]}) == SKIP


@pytest.mark.parametrize(
    "changes",
    [
        {"last_import": {}},
        {"last_import": {DATASET: {"retraining-fingerprint": "other"}}},
        {"last_import": {DATASET: {"retraining-run": "x"}}},
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
        {"datasets": []},
    ],
    ids=[
        "not imported by this pipeline",
        "another export",
        "no fingerprint",
        "events stream in",
        "never trained",
        "trained just when the import ended",
        "in training",
        "one of two never trained",
        "another dataset imported since",
        "no dataset",
    ],
)
def test_a_run_goes_on_where_something_may_be_new(changes):
    assert unchanged(**changes) is None


def test_every_dataset_has_to_be_unchanged():
    items = dataset_settings(type="items", datasetArn=ITEMS)
    exports = {DATASET: export(), ITEMS: export(objects=[s3_object(size=2)])}
    last = {**UNCHANGED, ITEMS: UNCHANGED[DATASET]}
    assert unchanged([dataset_settings(), items], exports=exports, last_import=last) is None


def test_imports_that_failed_bring_nothing_new():
    failed = import_summary(status="CREATE FAILED", lastUpdatedDateTime=ago(1))
    assert unchanged(import_jobs={DATASET: [failed, import_summary()]}) == SKIP
