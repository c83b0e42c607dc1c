"""Tests of dataset import jobs: when one is created, adopted or postponed, and how it ends."""

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from functions.errors import NameTaken, ServiceUnavailable, Throttled
from functions.personalize.imports import create_dataset_import_job, watch_dataset_import_job
from functions.personalize.jobs import created_job, postponed_job
from tests.functions.samples import (
    API_TAGS,
    DATASET,
    IMPORT_JOB,
    ITEMS,
    JOB_NAME,
    LOCATION,
    ROLE,
    ago,
    dataset_settings,
    ended_job,
    import_job,
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
    personalize.expect_error(
        "create_dataset_import_job", "ResourceAlreadyExistsException", "it exists", **CREATE
    )
    expect_description(personalize, **changes)


# A job is created


@pytest.mark.parametrize("mode", ["FULL", "INCREMENTAL"])
def test_an_import_is_started_with_the_settings_of_its_dataset(personalize, mode):
    request = {**CREATE, "importMode": mode}
    response = {"datasetImportJobArn": IMPORT_JOB}
    personalize.expect("create_dataset_import_job", response, **request)
    settings_ = settings(datasets=[dataset_settings(importMode=mode)])
    created = create(personalize, settings_=settings_, durations=[7200])
    assert created == created_job(IMPORT_JOB, [7200])


def test_a_tag_of_the_stack_does_not_replace_a_tag_of_the_pipeline(personalize):
    request = {**CREATE, "tags": API_TAGS[1:]}
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
    personalize.expect_error("create_dataset_import_job", code, message, status=status, **CREATE)
    with pytest.raises(expected, match=message):
        create(personalize)


# A job with this name exists


def test_a_job_that_this_run_created_before_is_adopted(personalize):
    expect_existing(personalize)
    assert create(personalize) == RUNNING


@pytest.mark.parametrize(
    ("status", "phase", "failure"),
    [("ACTIVE", "ACTIVE", None), ("CREATE FAILED", "ENDED", NO_REASON)],
)
def test_a_job_that_has_ended_is_adopted_too(personalize, status, phase, failure):
    expect_existing(personalize, status=status)
    ended = {"status": status, "phase": phase, "failure": failure}
    assert create(personalize) == {**IMPORTED, **ended}


def test_a_job_without_a_mode_counts_as_full(personalize):
    expect_existing(personalize, without=["importMode"], status="ACTIVE")
    assert create(personalize) == IMPORTED


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
    return postponed_job(DATASET, "busy", None, max_hours=6, shortest_pause=120)


def expect_no_slot(personalize, message=NO_FREE_SLOT):
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


def watch(personalize, **changes):
    """Poll the job once, with a deadline of two hours."""
    expect_description(personalize, **changes)
    planned, settings_ = planned_import(durations=[7200]), limits(maxImportHours=2)
    return watch_dataset_import_job(personalize.client, settings_, planned, job(IMPORT_JOB))


LISTED = {"Key": "interactions.csv", "Size": 1000, "ETag": '"e1"', "LastModified": ago(2)}
LIST = {"Bucket": "exports", "Prefix": "interactions.csv"}


def test_a_running_import_has_the_seconds_until_the_next_poll(personalize):
    assert watch(personalize) == {**RUNNING, "seconds": 900}


def test_an_import_of_an_unchanged_export_has_succeeded(personalize, s3):
    s3.expect("list_objects_v2", {"Contents": [LISTED]}, **LIST)
    assert watch(personalize, status="ACTIVE") == IMPORTED


@pytest.mark.parametrize(
    "contents",
    [[{**LISTED, "Size": 1001}], [{**LISTED, "ETag": '"e2"'}], []],
    ids=["larger", "written again", "deleted"],
)
def test_an_export_that_has_changed_since_the_plan_is_a_warning(personalize, s3, contents):
    s3.expect("list_objects_v2", {"Contents": contents}, **LIST)
    warnings = [f"{LOCATION} was changed during the import; the next run imports it again"]
    assert watch(personalize, status="ACTIVE") == {**IMPORTED, "warnings": warnings}


def test_an_export_that_cannot_be_listed_is_a_warning(personalize, s3):
    s3.expect_error("list_objects_v2", "NoSuchBucket", "no such bucket", **LIST)
    warning = (
        f"{LOCATION} could not be listed after the import to find changes: An error occurred "
        "(NoSuchBucket) when calling the ListObjectsV2 operation: no such bucket"
    )
    assert watch(personalize, status="ACTIVE") == {**IMPORTED, "warnings": [warning]}


def test_a_list_without_a_response_is_a_warning(personalize, s3, monkeypatch):
    def no_response(*_):
        raise EndpointConnectionError(endpoint_url="https://s3")

    del s3
    monkeypatch.setattr("functions.exports.list_objects", no_response)
    (warning,) = watch(personalize, status="ACTIVE")["warnings"]
    assert warning.endswith('Could not connect to the endpoint URL: "https://s3"')


def test_the_deadline_counts_from_the_creation_of_the_job(personalize):
    assert watch(personalize, creationDateTime=ago(2))["phase"] == "OVERDUE"


def test_a_failed_import_has_its_reason(personalize):
    failed = {"phase": "ENDED", "status": "CREATE FAILED", "failure": "no header"}
    polled = watch(personalize, status="CREATE FAILED", failureReason="no header")
    assert polled == {**IMPORTED, **failed}


def test_an_unknown_status_is_a_warning(personalize):
    polled = watch(personalize, status="CREATE PAUSED")
    assert polled["warnings"] == ["the status 'CREATE PAUSED' is unknown and counts as running"]
