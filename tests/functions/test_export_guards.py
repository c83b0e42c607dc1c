"""Tests of the guards that compare an export with earlier imports."""

from dataclasses import replace
from datetime import timedelta

import pytest

from functions.exports import Export
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
    import_summary,
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

LAST_FULL = {DATASET: {"retraining-bytes": "1000"}}
COUNTED = {"retraining-bytes-counted": "first level"}
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
    assert found(truncated_export, seen, dataset=dataset, last_full_import_tags=LAST_FULL) == (
        [message] * refused
    )


@pytest.mark.parametrize(
    ("dataset", "seen", "last_full"),
    [
        (INCREMENTAL, TINY, LAST_FULL),
        (dataset_of_run(), TINY, {}),
        (dataset_of_run(), NO_EXPORT, LAST_FULL),
    ],
    ids=["incremental", "no size known", "no export, which another guard finds"],
)
def test_a_small_export_passes_if_it_replaces_no_known_data(dataset, seen, last_full):
    assert found(truncated_export, seen, dataset=dataset, last_full_import_tags=last_full) == []


@pytest.mark.parametrize(("counted", "refused"), [({}, False), (COUNTED, True)], ids=str)
def test_the_size_of_a_folder_is_compared_if_subfolders_were_not_counted(counted, refused):
    last_full = {DATASET: {**LAST_FULL[DATASET], **counted}}
    folder = replace(TINY, location="s3://exports/interactions/")
    found_messages = found(truncated_export, folder, last_full_import_tags=last_full)
    assert len(found_messages) == refused


# The ready marker

MARKER = "s3://exports/_SUCCESS"
MARKED = dataset_of_run(readyMarker=MARKER)


def marker_messages(marker_written_at, jobs=None, dataset=MARKED):
    """Return the messages about a marker that was written at this time."""
    jobs = [import_summary()] if jobs is None else jobs
    seen = export(marker_written_at=marker_written_at, objects=[s3_object(modified_at=ago(48))])
    return found(export_not_ready, seen, dataset=dataset, import_jobs={DATASET: jobs})


def test_a_missing_marker_is_found_before_and_after_the_first_import():
    missing = [
        (
            f"the ready marker {MARKER} does not exist; write it when the export is "
            "complete, or use retrain start --skip-import to train without an import"
        )
    ]
    assert marker_messages(None) == missing
    assert marker_messages(None, []) == missing


def test_a_marker_that_is_not_newer_than_the_last_import_is_found():
    assert marker_messages(ago(48)) == [
        (
            f"the ready marker {MARKER} was written at 2026-11-27T03:00:00+00:00, before the last "
            "import at 2026-11-27T03:00:00+00:00; write the marker after each export, or use "
            "retrain start --skip-import to train without an import"
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


@pytest.mark.parametrize(
    ("marker", "day", "refused"),
    [
        ("s3://exports/{date}.done", "2026-11-22", True),
        ("s3://exports/{date}.done", "2026-11-21", False),
        (MARKER, "2026-11-21", True),
    ],
    ids=["of the same day", "of another day", "of another day, with the same marker"],
)
def test_the_marker_of_a_day_may_be_older_than_the_import_of_another_day(marker, day, refused):
    """The export of the same day may be written again, and half of it may be missing."""
    found_messages = found(
        export_not_ready,
        export(marker_written_at=ago(48), objects=[s3_object(modified_at=ago(49))]),
        dataset={**MARKED, "day": "2026-11-22"},
        settings_=settings(datasets=[dataset_of_run(readyMarker=marker)]),
        import_jobs={DATASET: [import_summary()]},
        import_tags={import_summary()["datasetImportJobArn"]: {"retraining-day": day}},
    )
    assert [message.split(";")[0] for message in found_messages] == [
        (
            f"the ready marker {MARKER} was written at 2026-11-27T03:00:00+00:00, before the last "
            "import at 2026-11-27T03:00:00+00:00"
        )
    ] * refused


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
    jobs = [import_summary()] if jobs is None else jobs
    arn = dataset["datasetArn"]
    return messages(
        wrong_increment,
        dataset=dataset,
        exports={arn: export(objects=objects, samples=files)},
        import_jobs={arn: jobs},
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


def appending_day(day, *jobs, request=None, trigger="export"):
    """Return the messages about the export of a day, before the first semicolon.

    `jobs` are pairs of the import mode and the time of an import job, newest first. The INCREMENTAL
    jobs have imported the export of DAY.
    """
    summaries = [
        import_summary(datasetImportJobArn=str(number), importMode=mode, creationDateTime=time)
        for number, (mode, time) in enumerate(jobs)
    ]
    found_messages = appending(
        s3_object(modified_at=ago(1)),
        dataset={**INCREMENTAL, "day": day},
        jobs=summaries,
        import_tags={
            job["datasetImportJobArn"]: {"retraining-day": DAY}
            for job in summaries
            if job["importMode"] == "INCREMENTAL"
        },
        request=request,
        trigger=trigger,
    )
    return [message.partition(", so")[0] for message in found_messages]


DAY = "2026-11-22"
LONG_AGO, IMPORTED = ("FULL", ago(20 * 24)), ("INCREMENTAL", ago(7 * 24))
"""IMPORTED is on DAY at 03:00."""


def test_the_changed_export_of_a_day_is_not_appended_twice():
    reason = f"{LOCATION} was imported by 0, and has changed since then"
    assert appending_day(DAY, IMPORTED, LONG_AGO) == [reason]
    assert appending_day("2026-11-23", IMPORTED, LONG_AGO) == []


def test_a_day_may_be_appended_again_if_a_full_import_has_replaced_its_rows():
    assert appending_day(DAY, ("FULL", ago(7 * 24 - 1)), IMPORTED) == []


def test_a_day_before_the_last_full_import_is_not_appended():
    reason = "is of a day before the last FULL import, which has brought all earlier data"
    assert appending_day(DAY, ("FULL", ago(6 * 24))) == [f"{LOCATION} {reason}"]
    assert appending_day(DAY, ("FULL", ago(6 * 24)), trigger="schedule") == [], (
        "the slot of a schedule is never long past"
    )


@pytest.mark.parametrize(("count", "refused"), [(31, False), (32, True)])
def test_a_day_is_not_appended_if_the_tags_of_its_import_may_not_be_read(count, refused):
    jobs = [("INCREMENTAL", ago(number * 24)) for number in range(count)]
    reason = "is of a day before the last 31 imports, and may be imported already"
    assert appending_day("2026-10-30", *jobs) == [f"{LOCATION} {reason}"] * refused
    assert appending_day("2026-10-31", *jobs) == []


@pytest.mark.parametrize("jobs", [[IMPORTED, LONG_AGO], [("FULL", ago(0))]])
def test_a_person_may_append_a_day_on_purpose(jobs):
    assert appending_day(DAY, *jobs, request={"exportDate": DAY}) == []


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


@pytest.mark.parametrize(
    ("dataset", "objects"),
    [(dataset_of_run(), [s3_object(modified_at=ago(100), size=10**10)]), (INCREMENTAL, [])],
    ids=["full", "no export, which another guard finds"],
)
def test_these_limits_hold_only_for_data_that_are_appended(dataset, objects):
    assert appending(*objects, dataset=dataset) == []


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
    configured = dataset_of_run(importMode=mode, dataLocation=location)
    dated = {**configured, "dataLocation": location.replace("{date}", "2026-11-29")}
    message = (
        "s3://exports/2026-11-29.csv is of 2026-11-29, but run "
        f"{last_run} has imported a later day since then; use retrain start, which imports "
        "the export of today"
    )
    job = import_summary()["datasetImportJobArn"]
    last_import = {job: {"retraining-run": last_run}} if last_run else {}
    assert (
        messages(
            export_of_earlier_day,
            settings_=settings(datasets=[configured]),
            dataset=dated,
            import_tags=last_import,
        )
        == [message] * refused
    )
