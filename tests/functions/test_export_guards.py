"""Tests of the guards that compare an export with earlier imports."""

import pytest

from functions.exports import Export
from functions.personalize.imports import location_digits
from functions.planning.export_guards import (
    export_not_ready,
    export_of_earlier_day,
    truncated_export,
    wrong_increment,
)
from tests.functions.samples import (
    DATASET,
    LOCATION,
    ago,
    dataset_of_run,
    export,
    held_import,
    imported,
    messages,
    s3_object,
    sample,
    settings,
)

INCREMENTAL = dataset_of_run(importMode="INCREMENTAL")
NO_EXPORT = Export(location=LOCATION)


def found(check, known_export, **changes):
    """Return the messages of a guard about this export of interactions."""
    return messages(check, exports={DATASET: known_export}, **changes)


# The size

LAST_FULL = {DATASET: [held_import()]}
TINY = export(objects=[s3_object(size=1)])


@pytest.mark.parametrize(
    ("size", "share", "refused"),
    [(500, 0.5, False), (499, 0.5, True), (1, 0.0, False), (1000, 1.0, False), (999, 1.0, True)],
)
def test_an_export_that_is_much_smaller_than_the_last_one_is_found(size, share, refused):
    dataset = dataset_of_run(minRelativeSize=share)
    seen = export(objects=[s3_object(size=size)])
    message = (
        f"{LOCATION} has {size} bytes, and the last FULL import took 1000: less than "
        f"minRelativeSize {share:g} of it; a FULL import replaces all bulk data, so only if "
        "the data really shrank, lower minRelativeSize for one run"
    )
    assert found(truncated_export, seen, dataset=dataset, imports=LAST_FULL) == (
        [message] * refused
    )


@pytest.mark.parametrize(
    ("dataset", "seen", "last_full"),
    [
        (INCREMENTAL, TINY, LAST_FULL),
        (dataset_of_run(), TINY, {DATASET: [imported()]}),
        (dataset_of_run(), NO_EXPORT, LAST_FULL),
    ],
    ids=["incremental", "no size known", "no export, which another guard finds"],
)
def test_a_small_export_passes_if_it_replaces_no_known_data(dataset, seen, last_full):
    assert found(truncated_export, seen, dataset=dataset, imports=last_full) == []


def test_the_last_full_import_with_a_known_size_counts_whatever_is_newer():
    foreign = [imported(ended_at=ago(hours)) for hours in range(20)]
    earlier = held_import(ended_at=ago(100), size=1)
    smaller = held_import(is_full=False, size=1, ended_at=ago(1))
    failed = held_import(is_active=False, size=1, ended_at=ago(1))
    jobs = [*foreign, smaller, failed, earlier, held_import(ended_at=ago(90))]
    assert len(found(truncated_export, TINY, imports={DATASET: jobs})) == 1


# The ready marker

MARKER = "s3://exports/_SUCCESS"
MARKED = dataset_of_run(readyMarker=MARKER)


def marker_messages(marker_written_at, dataset=MARKED):
    """Return the messages about a marker that was written at this time."""
    seen = export(marker_written_at=marker_written_at, objects=[s3_object(modified_at=ago(48))])
    return found(export_not_ready, seen, dataset=dataset)


def test_a_missing_marker_is_found():
    assert marker_messages(None) == [
        (
            f"the ready marker {MARKER} does not exist; write it when the export is "
            "complete, or use retrain start --skip-import to train without an import"
        )
    ]


def test_a_marker_that_is_older_than_the_last_import_passes():
    """The fingerprint shows what is new, so an export can be imported again on purpose."""
    seen = export(marker_written_at=ago(60), objects=[s3_object(modified_at=ago(60))])
    imports = {DATASET: [held_import(created_at=ago(1)), imported(created_at=ago(0.5))]}
    assert found(export_not_ready, seen, dataset=MARKED, imports=imports) == []


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


def test_the_marker_of_an_export_that_cannot_be_read_is_not_checked():
    unreadable = Export(location=LOCATION, read_error=f"{LOCATION} cannot be read: AccessDenied: x")
    assert found(export_not_ready, unreadable, dataset=MARKED) == [], "one message is enough"


def test_no_marker_is_needed_if_none_is_configured():
    assert marker_messages(None, dataset=dataset_of_run()) == []


# INCREMENTAL exports

NEW = s3_object(modified_at=ago(48))


def appending(*objects, dataset=INCREMENTAL, jobs=None, **changes):
    """Return the messages about an export that is added to the data."""
    files = [sample()] * len(objects)
    arn = dataset["datasetArn"]
    return messages(
        wrong_increment,
        dataset=dataset,
        exports={arn: export(objects=objects, samples=files)},
        imports={arn: [held_import(planned="x")] if jobs is None else jobs},
        **changes,
    )


def test_objects_that_were_written_since_the_last_import_pass():
    assert appending(NEW) == [], "the very moment of the import counts as since"


def test_objects_that_were_imported_before_are_found():
    old = s3_object(key="old.csv", modified_at=ago(48, seconds=1))
    assert appending(NEW, old) == [
        (
            f"1 of 2 objects at {LOCATION} are older than the last import, for example old.csv, "
            "and would be appended again; write each export to a new location, for example "
            "'s3://bucket/interactions/{date}/', or use retrain start --skip-import to train "
            "without an import"
        )
    ]


DAY = "2026-11-22"
LOCATION_OF_DAY = f"{location_digits(LOCATION)}-x"
FULL = held_import(planned="x", created_at=ago(20 * 24), ended_at=ago(20 * 24))
APPENDED = held_import(
    planned=LOCATION_OF_DAY, is_full=False, created_at=ago(7 * 24), ended_at=ago(7 * 24)
)


def appending_day(day, *jobs, request=None, trigger="export"):
    """Return the messages about the export of a day, before the first semicolon."""
    found_messages = appending(
        s3_object(modified_at=ago(1)),
        dataset={**INCREMENTAL, "day": day},
        jobs=jobs,
        request=request,
        trigger=trigger,
    )
    return [message.partition(", so")[0] for message in found_messages]


def test_the_changed_export_of_a_day_is_not_appended_twice():
    reason = f"{LOCATION} was imported by {APPENDED.arn}, and has changed since then"
    assert appending_day(DAY, APPENDED, FULL) == [reason]
    assert appending_day(DAY, APPENDED._replace(planned="other-x"), FULL) == []
    assert appending_day(DAY, APPENDED._replace(is_held=False), FULL) == [], (
        "it changed during the import, so it has to be imported again"
    )


def test_a_day_is_not_appended_twice_however_many_imports_came_after_it():
    later = [held_import(planned=f"{n}-x", is_full=False, ended_at=ago(150 - n)) for n in range(40)]
    assert len(appending_day(DAY, *later, APPENDED, FULL)) == 1


def test_a_day_may_be_appended_again_if_a_full_import_has_replaced_its_rows():
    replacing = FULL._replace(created_at=ago(7 * 24 - 1), ended_at=ago(7 * 24 - 2))
    assert appending_day(DAY, replacing, APPENDED) == []


def test_a_day_before_the_last_full_import_is_not_appended():
    reason = "is of a day before the last FULL import, which has brought all earlier data"
    full = FULL._replace(created_at=ago(6 * 24), ended_at=ago(6 * 24))
    assert appending_day(DAY, full) == [f"{LOCATION} {reason}"]
    assert appending_day("2026-11-23", full) == []
    assert appending_day(DAY, full, trigger="schedule") == [], (
        "the slot of a schedule is never long past"
    )


@pytest.mark.parametrize("jobs", [[APPENDED, FULL], [FULL._replace(created_at=ago(0))]])
def test_a_person_may_append_a_day_on_purpose(jobs):
    assert appending_day(DAY, *jobs, request={"exportDate": DAY}) == []


RUNNING = imported(is_running=True, is_active=False, created_at=ago(1))
FAILED = imported(is_active=False, created_at=ago(1))
PARTIAL = held_import(is_held=False, created_at=ago(1))


@pytest.mark.parametrize(
    ("job", "counts"),
    [(RUNNING, True), (FAILED, False), (imported(created_at=ago(1)), True), (PARTIAL, False)],
    ids=["running", "failed", "foreign", "changed during the import"],
)
def test_an_import_counts_as_the_last_import_if_its_rows_are_or_may_be_there(job, counts):
    found_messages = appending(NEW, jobs=[job, held_import()])
    assert ["would be appended again" in message for message in found_messages] == [True] * counts


@pytest.mark.parametrize(("size", "refused"), [(10**9, False), (10**9 + 1, True)])
def test_at_most_a_gigabyte_is_appended(size, refused):
    message = (
        f"{LOCATION} has {size} bytes; an INCREMENTAL import takes at most 1000000000; export "
        "more often, or use importMode FULL with a complete export, because it replaces all "
        "bulk data"
    )
    assert appending(s3_object(size=size)) == [message] * refused


@pytest.mark.parametrize(
    ("dataset", "objects"),
    [(dataset_of_run(), [s3_object(modified_at=ago(100), size=10**10)]), (INCREMENTAL, [])],
    ids=["full", "no export, which another guard finds"],
)
def test_these_limits_hold_only_for_data_that_are_appended(dataset, objects):
    assert appending(*objects, dataset=dataset) == []


# An export of a later day

DATED = "s3://exports/{date}.csv"


@pytest.mark.parametrize(
    ("imported_day", "mode", "location", "request_", "refused"),
    [
        ("2026-11-30", "FULL", DATED, {}, True),
        ("2026-11-29", "FULL", DATED, {}, False),
        ("2026-11-22", "FULL", DATED, {}, False),
        ("2026-11-30", "INCREMENTAL", DATED, {}, False),
        ("2026-11-30", "FULL", "s3://exports/interactions.csv", {}, False),
        ("2026-11-30", "FULL", DATED, {"exportDate": "2026-11-29"}, False),
    ],
    ids=["later", "same day", "earlier", "incremental", "no date", "on purpose"],
)
def test_an_export_that_would_replace_that_of_a_later_day_is_found(
    imported_day, mode, location, request_, refused
):
    configured = dataset_of_run(importMode=mode, dataLocation=location)
    day = "2026-11-29" if "{date}" in location else None
    dated = {**configured, "dataLocation": location.replace("{date}", "2026-11-29"), "day": day}
    digits = location_digits(location.replace("{date}", imported_day))
    job = held_import(planned=f"{digits}-x", is_full=mode == "FULL")
    message = (
        f"s3://exports/2026-11-29.csv is of 2026-11-29, but {job.arn} has imported 2026-11-30 "
        "since then; use retrain start, which imports the export of today"
    )
    assert (
        messages(
            export_of_earlier_day,
            request=request_,
            settings_=settings(datasets=[configured]),
            dataset=dated,
            imports={DATASET: [job]},
        )
        == [message] * refused
    )
