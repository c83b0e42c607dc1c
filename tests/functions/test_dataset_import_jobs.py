"""Tests of dataset import jobs: when one is created, adopted or postponed, and how it ends."""

import pytest
from botocore.exceptions import ClientError

from functions.errors import NameTaken, ServiceUnavailable, Throttled
from functions.personalize.imports import create_dataset_import_job, watch_dataset_import_job
from functions.personalize.jobs import created_job, postponed_job
from functions.personalize.tags import api_tags
from tests.functions.samples import (
    API_TAGS,
    DATASET,
    FINGERPRINT,
    IMPORT_JOB,
    ITEMS,
    JOB_NAME,
    LAST_RUN,
    LOCATION,
    ROLE,
    RUN_ID,
    TAGS,
    ago,
    dataset_settings,
    ended_job,
    import_job,
    import_summary,
    iso,
    job,
    limits,
    planned_import,
    settings,
)

CREATE = {
    "jobName": JOB_NAME,
    "datasetArn": DATASET,
    "dataSource": {"dataLocation": LOCATION},
    "roleArn": ROLE,
    "importMode": "FULL",
    "tags": API_TAGS,
}
NO_REASON = f"{IMPORT_JOB}: its status is CREATE FAILED, and Personalize gives no reason"
NO_FREE_SLOT = "More than 5 resources with PENDING or IN_PROGRESS status"
RUNNING = job(IMPORT_JOB, createdAt=iso(minutes=20))
IMPORTED = ended_job(IMPORT_JOB, createdAt=iso(minutes=20), endedAt=iso(minutes=5))


OWN = {"retraining-run": LAST_RUN, "retraining-planned": FINGERPRINT}
"""The tags of an import of the same export by another run."""


def expect_list(personalize, *jobs):
    """Expect the import jobs of the dataset to be listed, and running jobs to be described."""
    personalize.expect(
        "list_dataset_import_jobs",
        {"datasetImportJobs": list(jobs)},
        datasetArn=DATASET,
        maxResults=100,
    )
    for item in jobs:
        if item["status"] == "CREATE IN_PROGRESS":
            personalize.expect(
                "describe_dataset_import_job",
                {"datasetImportJob": import_job(**item)},
                datasetImportJobArn=item["datasetImportJobArn"],
            )


def expect_tags(personalize, tags, arn=IMPORT_JOB):
    personalize.expect("list_tags_for_resource", {"tags": api_tags(tags)}, resourceArn=arn)


def create(personalize, previous=None, *, settings_=None, **changes):
    return create_dataset_import_job(
        personalize.client, settings_ or settings(), planned_import(**changes), previous
    )


def expect_description(personalize, *, without=(), **changes):
    """Expect the job to be described. `without` names fields that the response lacks."""
    described = import_job(**changes)
    for field in without:
        del described[field]
    personalize.expect(
        "describe_dataset_import_job",
        {"datasetImportJob": described},
        datasetImportJobArn=IMPORT_JOB,
    )


def expect_existing(personalize, **changes):
    """Expect a create that is refused because the name exists, and the job to be described."""
    expect_list(personalize)
    personalize.expect_error(
        "create_dataset_import_job", "ResourceAlreadyExistsException", "it exists", **CREATE
    )
    expect_description(personalize, **changes)


# A job is created


@pytest.mark.parametrize("mode", ["FULL", "INCREMENTAL"])
def test_an_import_is_started_with_the_settings_of_its_dataset(personalize, mode):
    expect_list(personalize)
    request = {**CREATE, "importMode": mode}
    response = {"datasetImportJobArn": IMPORT_JOB}
    personalize.expect("create_dataset_import_job", response, **request)
    settings_ = settings(datasets=[dataset_settings(importMode=mode)])
    created = create(personalize, settings_=settings_, durations=[7200])
    assert created == {**created_job(IMPORT_JOB, [7200]), "isRepeated": False}


def test_a_tag_of_the_stack_does_not_replace_a_tag_of_the_pipeline(personalize):
    expect_list(personalize)
    request = {**CREATE, "tags": API_TAGS[2:]}
    personalize.expect("create_dataset_import_job", {"datasetImportJobArn": IMPORT_JOB}, **request)
    create(personalize, settings_=settings(tags={"retraining-run": "x"}))


@pytest.mark.parametrize(
    ("code", "message", "status", "expected"),
    [
        ("LimitExceededException", "the dataset is larger than 100 GB", 400, ClientError),
        ("InvalidInputException", "no such bucket", 400, ClientError),
        ("ThrottlingException", "Rate exceeded", 400, Throttled),
        ("InternalServerError", "oops", 500, ServiceUnavailable),
    ],
)
def test_any_other_error_of_the_create_is_raised(personalize, code, message, status, expected):
    expect_list(personalize)
    personalize.expect_error("create_dataset_import_job", code, message, status=status, **CREATE)
    with pytest.raises(expected, match=message):
        create(personalize)


# An import of the same export exists


def summary(**changes):
    """Return the summary of a job that imports this export and was created 20 minutes ago."""
    return import_summary(
        datasetImportJobArn=IMPORT_JOB,
        **{
            "creationDateTime": ago(minutes=20),
            "lastUpdatedDateTime": ago(minutes=5),
            "status": "CREATE IN_PROGRESS",
            **changes,
        },
    )


def test_a_running_import_of_the_export_is_adopted_whichever_run_created_it(personalize):
    expect_list(personalize, summary())
    expect_tags(personalize, OWN)
    expect_description(personalize)
    assert create(personalize) == {**RUNNING, "isRepeated": False}


def test_an_import_that_has_succeeded_is_watched_once_more(personalize):
    expect_list(personalize, summary(status="ACTIVE"))
    expect_tags(personalize, OWN)
    expect_description(personalize, status="ACTIVE")
    assert create(personalize) == {**IMPORTED, "phase": "NEAR", "isRepeated": False}, (
        "so that it is confirmed"
    )


@pytest.mark.parametrize(
    ("tags", "planned"),
    [
        ({}, {}),
        ({**OWN, "retraining-planned": "x"}, {}),
        (OWN, {"newestObjectAt": iso(minutes=19)}),
        (OWN, {"isRequested": True}),
    ],
    ids=["foreign", "another export", "changed since", "asked for by this run"],
)
def test_any_other_running_import_of_the_dataset_is_waited_for(personalize, tags, planned, clock):
    del clock
    expect_list(personalize, summary())
    expect_tags(personalize, tags)
    waiting = create(personalize, **planned)
    assert (waiting["phase"], waiting["seconds"], waiting["arn"]) == ("AGAIN", 120, DATASET)


@pytest.mark.parametrize(
    ("tags", "planned"),
    [
        ({**OWN, "retraining-confirmed": FINGERPRINT}, {"newestObjectAt": iso(minutes=19)}),
        (OWN, {"newestObjectAt": None}),
        ({**OWN, "retraining-run": RUN_ID}, {"isRequested": True}),
    ],
    ids=["confirmed", "no object", "of this run"],
)
def test_these_imports_have_brought_the_export(personalize, tags, planned):
    expect_list(personalize, summary(status="ACTIVE"))
    expect_tags(personalize, tags)
    expect_description(personalize, status="ACTIVE")
    assert create(personalize, **planned)["phase"] == "NEAR"


def test_two_running_imports_are_waited_for(personalize, clock):
    del clock
    expect_list(personalize, summary(), {**summary(), "datasetImportJobArn": f"{IMPORT_JOB}-2"})
    assert create(personalize)["phase"] == "AGAIN"


def test_a_dataset_in_use_is_waited_for(personalize, clock):
    del clock
    expect_list(personalize)
    personalize.expect_error(
        "create_dataset_import_job", "ResourceInUseException", "not now", **CREATE
    )
    waiting = create(personalize, {**RUNNING, "firstTriedAt": iso(7)})
    assert waiting["failure"] == "gave up after 6 hours: the dataset is in use: not now"


def test_an_import_after_a_change_of_the_export_is_repeated(personalize):
    for _ in range(2):
        expect_list(personalize)
        response = {"datasetImportJobArn": IMPORT_JOB}
        personalize.expect("create_dataset_import_job", response, **CREATE)
    repeated = create(personalize, {**RUNNING, "phase": "CHANGED"})
    assert repeated["isRepeated"] is True
    assert create(personalize, {**repeated, "phase": "AGAIN"})["isRepeated"] is True


# A job with this name exists


def test_a_job_that_this_run_created_before_is_adopted(personalize):
    expect_existing(personalize)
    expect_tags(personalize, TAGS)
    assert create(personalize) == {**RUNNING, "isRepeated": False}


@pytest.mark.parametrize(
    ("status", "phase", "failure"),
    [("ACTIVE", "NEAR", None), ("CREATE FAILED", "ENDED", NO_REASON)],
)
def test_a_job_that_has_ended_is_adopted_too(personalize, status, phase, failure):
    expect_existing(personalize, status=status)
    expect_tags(personalize, TAGS)
    ended = {"status": status, "phase": phase, "failure": failure, "isRepeated": False}
    assert create(personalize) == {**IMPORTED, **ended}


def test_a_job_without_a_mode_counts_as_full(personalize):
    expect_existing(personalize, without=["importMode"], status="ACTIVE")
    expect_tags(personalize, TAGS)
    assert create(personalize)["phase"] == "NEAR"


def test_a_job_of_another_run_with_this_name_is_an_error(personalize):
    expect_existing(personalize)
    expect_tags(personalize, OWN)
    with pytest.raises(NameTaken) as error:
        create(personalize)
    assert str(error.value) == (
        f"{IMPORT_JOB} already exists, but run {RUN_ID} did not create it, because its tag "
        "retraining-run is missing or has another value; start a new run"
    )


@pytest.mark.parametrize(
    ("difference", "message"),
    [
        ({"datasetArn": ITEMS}, f"datasetArn {ITEMS} instead of {DATASET}"),
        (
            {"dataSource": {"dataLocation": "s3://exports/other.csv"}},
            "dataLocation s3://exports/other.csv instead of s3://exports/interactions.csv",
        ),
        ({"dataSource": {}}, "dataLocation None instead of s3://exports/interactions.csv"),
        ({"importMode": "INCREMENTAL"}, "importMode INCREMENTAL instead of FULL"),
        ({"roleArn": f"{ROLE}-other"}, f"roleArn {ROLE}-other instead of {ROLE}"),
        (
            {"datasetArn": ITEMS, "importMode": "INCREMENTAL"},
            f"datasetArn {ITEMS} instead of {DATASET} and importMode INCREMENTAL instead of FULL",
        ),
    ],
    ids=str,
)
def test_another_job_with_this_name_is_an_error(personalize, difference, message):
    expect_existing(personalize, **difference)
    with pytest.raises(NameTaken) as error:
        create(personalize)
    assert str(error.value) == (
        f"{IMPORT_JOB} already exists, with {message}; start a new run, or set the config back "
        "and resume this run"
    )


# No import slot is free


@pytest.fixture
def waiting(clock):
    """Return the job of an import that has just found no free slot."""
    del clock
    job_ = postponed_job(DATASET, "busy", None, max_hours=6, shortest_pause=120)
    return {**job_, "isRepeated": False}


def expect_no_slot(personalize, message=NO_FREE_SLOT):
    expect_list(personalize)
    personalize.expect_error(
        "create_dataset_import_job", "LimitExceededException", message, **CREATE
    )


def test_without_a_free_slot_the_job_is_tried_again_in_two_minutes(personalize, waiting):
    expect_no_slot(personalize, f"{NO_FREE_SLOT}.")
    assert create(personalize) == waiting
    assert (waiting["phase"], waiting["seconds"]) == ("AGAIN", 120)


def test_the_wait_for_a_slot_counts_from_the_first_try(personalize, clock, waiting):
    for _ in range(2):
        expect_no_slot(personalize)
    first = create(personalize)
    clock.advance(120)
    assert create(personalize, first) == waiting


def test_the_wait_for_a_slot_ends_with_the_limit_for_imports(personalize, waiting):
    expect_no_slot(personalize)
    previous = {**waiting, "firstTriedAt": iso(6)}
    assert create(personalize, previous) == {
        **previous,
        "phase": "ENDED",
        "seconds": 1,
        "failure": f"gave up after 6 hours: no import slot is free: {NO_FREE_SLOT}",
    }


# A job is polled


def watch(personalize, previous=None, **changes):
    """Poll the job once, with a deadline of two hours."""
    expect_description(personalize, **changes)
    planned, settings_ = planned_import(durations=[7200]), limits(maxImportHours=2)
    polled = previous or job(IMPORT_JOB)
    return watch_dataset_import_job(personalize.client, settings_, planned, polled)


LISTED = {"Key": "interactions.csv", "Size": 1000, "ETag": '"e1"', "LastModified": ago(2)}
LIST = {"Bucket": "exports", "Prefix": "interactions.csv"}


def watch_ended(personalize, s3, tags, previous=None, *, contents=(LISTED,), confirmed=None):
    """Poll a job that is ACTIVE and has these tags. `confirmed` is the tag that is written."""
    s3.expect("list_objects_v2", {"Contents": list(contents)}, **LIST)
    expect_description(personalize, status="ACTIVE")
    expect_tags(personalize, tags)
    if confirmed:
        tag = [{"tagKey": "retraining-confirmed", "tagValue": confirmed}]
        personalize.expect("tag_resource", {}, resourceArn=IMPORT_JOB, tags=tag)
    planned = planned_import(durations=[7200])
    polled = previous or job(IMPORT_JOB)
    return watch_dataset_import_job(personalize.client, settings(), planned, polled)


def test_a_running_import_has_the_seconds_until_the_next_poll(personalize):
    assert watch(personalize) == {**RUNNING, "seconds": 900, "isRepeated": False}


def test_an_import_of_an_unchanged_export_is_confirmed(personalize, s3):
    polled = watch_ended(personalize, s3, OWN, confirmed=FINGERPRINT)
    assert polled == {**IMPORTED, "isRepeated": False}


def test_an_import_is_confirmed_only_once(personalize, s3):
    tags = {**OWN, "retraining-confirmed": FINGERPRINT}
    assert watch_ended(personalize, s3, tags) == {**IMPORTED, "isRepeated": False}


@pytest.mark.parametrize(
    "contents",
    [
        [{**LISTED, "Size": 1001}],
        [{**LISTED, "ETag": '"e2"'}],
        [],
        [{**LISTED, "LastModified": ago(minutes=19)}],
    ],
    ids=["larger", "written again", "deleted", "the same bytes written again"],
)
def test_an_export_that_has_changed_is_imported_once_more(personalize, s3, contents):
    changed = watch_ended(personalize, s3, OWN, contents=contents)
    warning = f"{LOCATION} was changed during the import, so it is imported once more"
    assert changed == {
        **IMPORTED,
        "phase": "CHANGED",
        "seconds": 900,
        "warnings": [warning],
        "isRepeated": False,
    }


def test_an_export_that_changes_twice_fails_its_import(personalize, s3):
    repeated = {**RUNNING, "isRepeated": True}
    changed = watch_ended(personalize, s3, OWN, repeated, contents=[])
    assert (changed["phase"], changed["failure"]) == (
        "ENDED",
        (
            f"{LOCATION} was changed during two imports in a row, so the dataset may contain only "
            "a part of the export; write the export completely before the run starts, or set "
            "readyMarker"
        ),
    )


def test_an_export_that_cannot_be_listed_is_an_error(personalize, s3):
    expect_description(personalize, status="ACTIVE")
    s3.expect_error("list_objects_v2", "NoSuchBucket", "no such bucket", **LIST)
    with pytest.raises(ClientError, match="no such bucket"):
        watch_dataset_import_job(personalize.client, settings(), planned_import(), job(IMPORT_JOB))


def test_the_deadline_counts_from_the_creation_of_the_job(personalize):
    assert watch(personalize, creationDateTime=ago(2))["phase"] == "OVERDUE"


def test_a_failed_import_has_its_reason(personalize):
    failed = {"phase": "ENDED", "status": "CREATE FAILED", "failure": "no header"}
    polled = watch(personalize, status="CREATE FAILED", failureReason="no header")
    assert polled == {**IMPORTED, **failed, "isRepeated": False}


def test_an_unknown_status_is_a_warning(personalize):
    polled = watch(personalize, status="CREATE PAUSED")
    assert polled["warnings"] == ["the status 'CREATE PAUSED' is unknown and counts as running"]
