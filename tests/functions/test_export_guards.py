"""Tests of the guards that compare an export with its marker and with earlier imports."""

import re

import pytest

from functions.planning.export_guards import (
    refuse_export_before_marker,
    refuse_increment_without_full_import,
    refuse_repeated_or_large_increment,
    refuse_truncated_export,
    refuse_unsafe_append,
    warn_of_skipped_days,
    warn_of_unconfirmed_data,
)
from functions.run.execution_input import find_input_problems
from functions.s3.exports import (
    Export,
    hash_location,
)
from tests.functions import samples as s
from tests.functions.samples import (
    DATASET,
    LOCATION,
    ago,
    configured,
    dataset_of_run,
    dataset_settings,
    held_import,
    imported,
    items_settings,
    s3_object,
    settings,
)

INCREMENTAL = dataset_of_run(importMode="INCREMENTAL")


def found(guard, known_export, **changes):
    """Return the messages of a guard about this export of interactions."""
    return s.messages(guard, exports=known_export, **changes)


# The size

LAST_FULL = [held_import()]
TINY = s.export(objects=[s3_object(size=1)])


@pytest.mark.parametrize(
    "size, share, refused",
    [(500, 0.5, False), (499, 0.5, True), (1, 0.0, False), (1000, 1.0, False), (999, 1.0, True)],
)
def test_an_export_that_is_much_smaller_than_the_last_one_is_found(size, share, refused):
    dataset = dataset_of_run(minRelativeSize=share)
    seen = s.export(objects=[s3_object(size=size)])
    message = (
        f"{LOCATION} has {size} bytes, which is less than minRelativeSize {share:g} of the last "
        "FULL import, which had 1000; a FULL import replaces all bulk data, so lower "
        "minRelativeSize for one run only if the data really shrank"
    )

    assert found(refuse_truncated_export, seen, dataset=dataset, imports=LAST_FULL) == (
        [message] * refused
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"dataset": INCREMENTAL},
        {"imports": [imported()]},
        {"known_export": Export(location=LOCATION)},
        {"request": {"exportDate": "2026-11-22"}, "dataset": dataset_of_run(day="2026-11-22")},
    ],
    ids=["incremental", "no size known", "no export, which another guard finds", "on purpose"],
)
def test_a_small_export_passes_if_it_replaces_no_known_data(changes):
    assert (
        found(refuse_truncated_export, **{"known_export": TINY, "imports": LAST_FULL, **changes})
        == []
    )


EDITED = held_import(arn="edited", export_bytes=None)
SMALLER = held_import(export_bytes=1)


@pytest.mark.parametrize(
    "newer",
    [
        [imported()],
        [EDITED],
        [EDITED._replace(export_bytes=0)],
        [SMALLER._replace(is_full=False), SMALLER._replace(is_active=False)],
    ],
    ids=["foreign", "the tag is no number", "the tag is 0", "not FULL, or not successful"],
)
def test_an_export_is_compared_with_the_last_full_import_whose_size_is_known(newer):
    assert len(found(refuse_truncated_export, TINY, imports=[*newer, *LAST_FULL])) == 1
    assert found(refuse_truncated_export, TINY, imports=[*newer, SMALLER, *LAST_FULL]) == []
    assert found(refuse_truncated_export, TINY, imports=newer) == []


# The ready marker

MARKER = "s3://exports/_SUCCESS"
MARKED = dataset_of_run(readyMarker=MARKER)


def test_a_missing_marker_is_found():
    message = (
        f"the ready marker {MARKER} does not exist; write it when the export is complete, or "
        "train on the data that the dataset has: `retrain start --skip-import`"
    )
    unreadable = Export(location=LOCATION, read_error=f"{LOCATION} cannot be read: AccessDenied: x")

    assert found(refuse_export_before_marker, s.export(), dataset=MARKED) == [message]
    assert found(refuse_export_before_marker, unreadable, dataset=MARKED) == [], (
        "one message is enough"
    )
    assert found(refuse_export_before_marker, s.export()) == [], "no marker is configured"


def test_objects_that_are_newer_than_the_marker_are_found():
    """The marker is that of the export before, and the next export is still being written."""
    objects = [s3_object(key=f"{hours}.csv", modified_at=ago(hours)) for hours in (11, 10, 9)]
    seen = s.export(marker_written_at=ago(10), objects=objects)

    assert found(refuse_export_before_marker, seen, dataset=MARKED) == [
        (
            f"1 of 3 objects at {LOCATION} are newer than the ready marker {MARKER}, for example "
            "9.csv; write the marker after the last object of the export"
        )
    ]


# INCREMENTAL exports


@pytest.mark.parametrize(
    "dataset, jobs, refused",
    [
        (INCREMENTAL, [], True),
        (INCREMENTAL, [imported(is_active=False)], True),
        (INCREMENTAL, [imported(is_full=False)], True),
        (INCREMENTAL, [imported(is_full=False), imported()], False),
        (dataset_of_run(), [], False),
    ],
    ids=["none", "failed", "incremental", "full before", "FULL mode"],
)
def test_an_incremental_import_needs_a_full_one_before(dataset, jobs, refused):
    message = (
        f"importMode INCREMENTAL needs an earlier ACTIVE FULL import of {DATASET}; import a "
        "complete export once with importMode FULL, which replaces all bulk data"
    )
    known = {"dataset": dataset, "imports": jobs}

    assert s.messages(refuse_increment_without_full_import, **known) == [message] * refused


@pytest.mark.parametrize("request_, refused", [({}, True), ({"force": True}, False)])
def test_nothing_is_added_to_data_that_a_foreign_import_has_replaced(request_, refused):
    jobs = {DATASET: [imported(arn="foreign", ended_at=ago(1)), held_import()]}
    found = s.messages(refuse_unsafe_append, dataset=INCREMENTAL, request=request_, imports=jobs)
    assert [message.partition(",")[0] for message in found] == ["foreign"] * refused


NEW = s3_object(modified_at=ago(48))
OLD = s3_object(key="old.csv", modified_at=ago(48, seconds=1))


def appending(*objects, dataset=INCREMENTAL, jobs=None, **changes):
    """Return the messages about an export that is added to the data."""
    jobs = [held_import(fingerprint="x")] if jobs is None else jobs
    known = {"dataset": dataset, "imports": jobs, **changes}
    return found(refuse_repeated_or_large_increment, s.export(objects=objects), **known)


def test_objects_that_were_imported_before_are_found():
    assert appending(NEW) == [], "the very moment of the import counts as since"
    assert appending(OLD, dataset=dataset_of_run()) == [], "a FULL import replaces them"
    assert appending(NEW, OLD) == [
        (
            f"1 of 2 objects at {LOCATION} are older than the last import, for example old.csv, "
            "and would be appended again; write each export to a new location, for example "
            "'s3://bucket/interactions/{date}/', or train on the data that the dataset has: "
            "`retrain start --skip-import`"
        )
    ]


@pytest.mark.parametrize(
    "job, counts",
    [
        (imported(is_running=True, is_active=False, created_at=ago(1)), True),
        (imported(created_at=ago(1)), True),
        (imported(is_active=False, created_at=ago(1)), False),
        (held_import(is_confirmed=False, fingerprint="x", created_at=ago(1)), False),
        (imported(is_confirmed=True, created_at=ago(1)), True),
    ],
    ids=["running", "foreign", "failed", "changed during the import", "not looked at"],
)
def test_an_import_counts_as_the_last_import_if_its_rows_are_or_may_be_there(job, counts):
    found_messages = appending(NEW, jobs=[job, held_import()])
    assert ["would be appended again" in message for message in found_messages] == [True] * counts


@pytest.mark.parametrize("size, refused", [(10**9, False), (10**9 + 1, True)])
def test_at_most_a_gigabyte_is_appended(size, refused):
    message = (
        f"{LOCATION} has {size} bytes; an INCREMENTAL import takes at most 1000000000; export "
        "more often, or use importMode FULL with a complete export, because it replaces all "
        "bulk data"
    )

    assert appending(s3_object(size=size)) == [message] * refused
    assert appending(s3_object(size=size), dataset=dataset_of_run()) == []


# The days of an INCREMENTAL export

DAY = "2026-11-22"
FULL = held_import(fingerprint="x", created_at=ago(20 * 24), ended_at=ago(20 * 24))
APPENDED = held_import(
    fingerprint=f"{hash_location(LOCATION)}-x",
    is_full=False,
    created_at=ago(7 * 24),
    ended_at=ago(7 * 24),
)


def appending_day(*jobs, day=DAY, **changes):
    """Return the messages about the changed export of a day."""
    dataset = {**INCREMENTAL, "day": day}
    return appending(s3_object(modified_at=ago(1)), dataset=dataset, jobs=jobs, **changes)


def test_the_changed_export_of_a_day_is_not_appended_twice():
    refused = [
        (
            f"{LOCATION} was imported by {APPENDED.arn}, and has changed since then, so its rows "
            "would be appended twice; write new rows to the location of a later day, or append "
            f"this export on purpose: `retrain start --dataset interactions --export-date {DAY}`"
        )
    ]
    later = held_import(fingerprint="other-x", is_full=False, ended_at=ago(150))
    assert appending_day(APPENDED, FULL) == appending_day(later, APPENDED, FULL) == refused
    assert appending_day(APPENDED._replace(fingerprint="other-x"), FULL) == []
    assert appending_day(APPENDED, FULL, request={"exportDate": DAY}) == [], "on purpose"
    running = APPENDED._replace(is_running=True, is_active=False, is_confirmed=False)

    assert appending_day(running, FULL) == [], "the run waits for it"


TAINTED = APPENDED._replace(is_confirmed=False, is_tainted=True)
FULL_NEEDED = (
    f"{TAINTED.arn} may have imported other rows than its export has; to replace them, import a "
    'complete export with importMode FULL ("Replace bad data" in docs/emergencies.md)'
)


@pytest.mark.parametrize("request_", [None, {"exportDate": DAY}, {"force": True}])
def test_nobody_appends_a_day_again_of_which_a_part_may_be_there(request_):
    jobs = {"imports": [TAINTED, FULL]}
    known = {"dataset": {**INCREMENTAL, "day": DAY}, "request": request_, **jobs}
    messages = [
        found(guard, s.export(), **known)
        for guard in (refuse_unsafe_append, refuse_repeated_or_large_increment)
    ]
    assert messages == [[FULL_NEEDED], []], "one message, which does not offer to append it"
    assert found(warn_of_unconfirmed_data, s.export(), **known) == []
    other = {**known["dataset"], "dataLocation": "s3://exports/other.csv"}
    export = s.export(location=other["dataLocation"])

    assert found(warn_of_unconfirmed_data, export, **{**known, "dataset": other}) == [
        FULL_NEEDED
    ], "another day"
    assert (
        found(warn_of_unconfirmed_data, export, **{**known, "dataset": dataset_of_run()}) == []
    ), "FULL"


def test_a_day_before_the_last_full_import_is_not_appended():
    full = FULL._replace(created_at=ago(6 * 24), ended_at=ago(6 * 24))
    (message,) = appending_day(full, trigger="export")
    reason = "is from a day before 2026-11-23, and all earlier data is there already"

    assert message.startswith(f"{LOCATION} {reason}, so its rows would be appended twice; ")
    assert appending_day(full, day="2026-11-23", trigger="export") == [], "it was on this day"
    assert appending_day(full) == [], "the schedule fires on the day of its export"


DATED = {**INCREMENTAL, "dataLocation": "s3://exports/2026-11-29.csv", "day": "2026-11-29"}
BOTH = ("2026-11-27", "2026-11-28")


def skipped():
    """Return the messages about the exports of two earlier days."""
    return s.messages(warn_of_skipped_days, dataset=DATED, skipped_days=BOTH)


def test_the_days_that_no_import_has_brought_are_named():
    (message,) = skipped()
    assert message == (
        "no run has imported the exports of these days: 2026-11-27, 2026-11-28; import a complete "
        "export with importMode FULL, or append each whose rows are missing: "
        "`retrain start --dataset interactions --export-date 2026-11-27`"
    )
    assert s.messages(warn_of_skipped_days, dataset=DATED, skipped_days=[]) == []


def test_the_commands_of_the_messages_are_accepted_beside_a_dataset_without_days():
    dated = dataset_settings(dataLocation="s3://exports/{date}.csv", importMode="INCREMENTAL")
    known = settings(datasets=[dated, items_settings()])
    for message in [*appending_day(APPENDED, FULL), *skipped()]:
        dataset, day = re.search(r"--dataset (\S+) --export-date ([-0-9]+)", message).groups()
        request = {"datasets": [dataset], "exportDate": day}
        assert find_input_problems(known, configured(request)["run"]) == [], message
