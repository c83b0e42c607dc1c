"""Tests of the planned imports: names, tags, durations, and exports that were imported before."""

import pytest

from functions.planning import planned_imports
from tests.functions.samples import (
    ARN,
    DATASET,
    EXPORT_HASH,
    FINGERPRINT,
    JOB_NAME,
    LAST_RUN,
    NOW,
    RUN_ID,
    SCHEMA,
    ago,
    dataset_of_run,
    export,
    import_summary,
    s3_object,
    settings,
    situation,
)

MONDAY = f"{ARN}:dataset-import-job/monday"
OLD_EXPORT = {"exports": {DATASET: export(objects=[s3_object(modified_at=ago(50))])}}
CONFIRMED = {
    "retraining-run": LAST_RUN,
    "retraining-planned": FINGERPRINT,
    "retraining-confirmed": FINGERPRINT,
}
UNCONFIRMED = {**CONFIRMED, "retraining-confirmed": "no"}
EARLIER_RELEASE = {"retraining-run": LAST_RUN, "retraining-fingerprint": EXPORT_HASH}


def of_dataset(request=None, *, dataset=None, **changes):
    """Return the situation of a dataset in the standard world with these changes."""
    return situation(request, **changes).with_dataset(dataset or dataset_of_run())


def with_tags(tags, request=None, **changes):
    """Return the situation of a dataset whose newest import has these tags."""
    return of_dataset(request, import_tags={MONDAY: tags}, **changes)


# Names and tags


def test_an_import_has_a_name_tags_and_a_location():
    assert planned_imports.planned_import(of_dataset(import_jobs={DATASET: []})) == {
        "type": "interactions",
        "jobName": JOB_NAME,
        "dataLocation": "s3://exports/interactions.csv",
        "schemaArn": SCHEMA,
        "newestObjectAt": ago(2).isoformat(),
        "isRequested": False,
        "tags": {
            "retraining-run": RUN_ID,
            "retraining-bytes": "1000",
            "retraining-bytes-counted": "first level",
            "retraining-planned": FINGERPRINT,
            "retraining-confirmed": "no",
        },
        "durations": [],
    }


def test_the_import_of_a_day_has_a_tag_with_the_day():
    dated = dataset_of_run(day="2026-11-29")
    tags = planned_imports.planned_import(of_dataset(dataset=dated))["tags"]
    assert tags["retraining-day"] == "2026-11-29"


def test_the_name_of_an_import_is_the_first_that_no_job_has():
    jobs = [
        import_summary(jobName=name, status="CREATE FAILED")
        for name in (JOB_NAME, f"{JOB_NAME[:-1]}2")
    ]
    planned = planned_imports.planned_import(of_dataset(import_jobs={DATASET: jobs}))
    assert planned["jobName"] == f"{JOB_NAME[:-1]}3"


def test_an_empty_export_has_no_newest_object():
    nothing = {DATASET: export(objects=[], samples=[])}
    assert planned_imports.planned_import(of_dataset(exports=nothing))["newestObjectAt"] is None


def test_the_last_five_successful_imports_with_this_mode_count_for_the_durations():
    def lasted(minutes, **changes):
        times = {"creationDateTime": ago(minutes=minutes), "lastUpdatedDateTime": NOW}
        return import_summary(**times, **changes)

    without_mode = lasted(3)
    del without_mode["importMode"]
    jobs = [
        lasted(1, status="CREATE FAILED"),
        lasted(2, importMode="INCREMENTAL"),
        without_mode,
        *(lasted(minutes) for minutes in (4, 5, 6, 7, 8)),
    ]
    planned = planned_imports.planned_import(of_dataset(import_jobs={DATASET: jobs}))
    assert planned["durations"] == [180, 240, 300, 360, 420]


# What was imported before


@pytest.mark.parametrize("tags", [CONFIRMED, UNCONFIRMED, EARLIER_RELEASE])
def test_an_export_is_not_imported_again_if_the_newest_import_has_brought_it(tags):
    assert planned_imports.is_imported(with_tags(tags, **OLD_EXPORT))


@pytest.mark.parametrize(
    ("tags", "imported"), [(CONFIRMED, True), (UNCONFIRMED, False), (EARLIER_RELEASE, False)]
)
def test_an_object_that_is_newer_than_an_unconfirmed_import_may_have_changed(tags, imported):
    assert planned_imports.is_imported(with_tags(tags)) == imported


@pytest.mark.parametrize(
    "tags",
    [
        {},
        {**CONFIRMED, "retraining-planned": "x", "retraining-confirmed": "x"},
        {"retraining-run": LAST_RUN},
        {key: value for key, value in CONFIRMED.items() if key != "retraining-run"},
    ],
    ids=["no tags", "another export", "no fingerprint", "foreign"],
)
def test_any_other_import_has_not_brought_the_export(tags):
    assert not planned_imports.is_imported(with_tags(tags, **OLD_EXPORT))


def test_without_an_import_nothing_was_imported():
    assert not planned_imports.is_imported(of_dataset(import_jobs={DATASET: []}))


def test_an_import_that_is_running_is_waited_for():
    running = import_summary(status="CREATE IN_PROGRESS", datasetImportJobArn="running")
    jobs = {DATASET: [running, import_summary()]}
    waiting = with_tags(CONFIRMED, import_jobs=jobs)
    assert not planned_imports.is_imported(waiting)
    assert not planned_imports.has_begun_import(waiting)
    tags = {"running": UNCONFIRMED}
    begun = of_dataset(import_jobs={DATASET: [running]}, import_tags=tags, **OLD_EXPORT)
    assert planned_imports.has_begun_import(begun)


@pytest.mark.parametrize(
    ("request_", "settings_"),
    [({"force": True}, settings()), ({}, settings(skipWhenUnchanged=False))],
    ids=["force", "setting"],
)
def test_a_full_export_is_imported_again_if_that_is_asked_for_but_once(request_, settings_):
    assert not planned_imports.is_imported(with_tags(CONFIRMED, request_, settings_=settings_))
    own = {**CONFIRMED, "retraining-run": RUN_ID}
    assert planned_imports.is_imported(with_tags(own, request_, settings_=settings_))


def test_an_incremental_export_is_never_imported_again():
    appended = dataset_of_run(importMode="INCREMENTAL")
    of_appended = of_dataset({"force": True}, dataset=appended)
    tags = {**CONFIRMED, "retraining-confirmed": planned_imports.fingerprint(of_appended)}
    assert planned_imports.is_imported(with_tags(tags, {"force": True}, dataset=appended))


# The export of a day

TUESDAY = import_summary(
    datasetImportJobArn="tuesday", creationDateTime=ago(24), lastUpdatedDateTime=ago(23)
)
JOBS = {DATASET: [TUESDAY, import_summary()]}
OTHER_DAY = {**CONFIRMED, "retraining-planned": "x", "retraining-confirmed": "x"}


@pytest.mark.parametrize(
    ("day", "mode", "tuesday", "full", "imported"),
    [
        ("2026-11-29", "FULL", OTHER_DAY, "FULL", True),
        (None, "FULL", OTHER_DAY, "FULL", False),
        ("2026-11-29", "FULL", {}, "FULL", False),
        ("2026-11-29", "FULL", {}, "INCREMENTAL", True),
        ("2026-11-29", "INCREMENTAL", OTHER_DAY, "FULL", False),
        ("2026-11-29", "INCREMENTAL", OTHER_DAY, "INCREMENTAL", True),
    ],
    ids=[
        "another day was brought back",
        "no day",
        "foreign import since",
        "foreign rows since",
        "all rows replaced since",
        "rows added since",
    ],
)
def test_the_export_of_a_day_is_imported_once(day, mode, tuesday, full, imported):
    dataset = dataset_of_run(day=day, importMode=mode)
    fingerprint = planned_imports.fingerprint(of_dataset(dataset=dataset))
    monday = {**CONFIRMED, "retraining-confirmed": fingerprint}
    jobs = {DATASET: [{**TUESDAY, "importMode": full}, import_summary(importMode=mode)]}
    known = {"import_jobs": jobs, "import_tags": {MONDAY: monday, "tuesday": tuesday}}
    assert planned_imports.is_imported(of_dataset(dataset=dataset, **known)) == imported


def test_an_export_that_no_import_has_brought_is_imported():
    dataset = dataset_of_run(day="2026-11-29")
    known = {"import_jobs": JOBS, "import_tags": {MONDAY: OTHER_DAY, "tuesday": OTHER_DAY}}
    assert not planned_imports.is_imported(of_dataset(dataset=dataset, **known))


# Late confirmations


@pytest.mark.parametrize(
    ("tags", "late"),
    [(CONFIRMED, False), (UNCONFIRMED, True), (EARLIER_RELEASE, True), ({}, False)],
)
def test_an_import_whose_run_has_died_is_confirmed_late(tags, late):
    job = planned_imports.unconfirmed_import(with_tags(tags, **OLD_EXPORT))
    assert (job is not None) == late


def test_without_an_import_there_is_nothing_to_confirm():
    assert planned_imports.unconfirmed_import(of_dataset(import_jobs={DATASET: []})) is None
