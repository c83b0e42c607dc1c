"""Dataset import jobs: created, adopted, waited for, watched."""

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from functions.errors import NameTaken, ServiceUnavailable, Throttled
from functions.personalize.imports import create_dataset_import_job, watch_dataset_import_job
from tests.functions.samples import (
    API_TAGS,
    DATASET,
    IMPORT_JOB,
    ITEMS,
    JOB_NAME,
    NOW,
    ROLE,
    ago,
    dataset_settings,
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
    "dataSource": {"dataLocation": "s3://exports/interactions.csv"},
    "roleArn": ROLE,
    "importMode": "FULL",
    "tags": API_TAGS,
}
SLOTS_TAKEN = "More than 5 resources with PENDING or IN_PROGRESS status"
NO_SLOT = {
    "arn": DATASET,
    "phase": "AGAIN",
    "seconds": 120,
    "status": "WAITING",
    "failure": None,
    "warnings": [],
    "foreign": False,
    "firstTriedAt": NOW.isoformat(),
}


def create(personalize, before=None, **changes):
    mode = changes.pop("importMode", "FULL")
    settings_ = settings(datasets=[dataset_settings(importMode=mode)])
    planned = planned_import(**{"durations": [1800], **changes})
    return create_dataset_import_job(personalize.client, settings_, planned, before)


def name_taken_by(personalize, **changes):
    personalize.refuses(
        "create_dataset_import_job", "ResourceAlreadyExistsException", "it exists", **CREATE
    )
    described = {"datasetImportJob": import_job(**changes)}
    personalize.says("describe_dataset_import_job", described, datasetImportJobArn=IMPORT_JOB)


@pytest.mark.parametrize("mode", ["FULL", "INCREMENTAL"])
def test_an_import_is_started_as_planned(personalize, mode):
    personalize.says(
        "create_dataset_import_job",
        {"datasetImportJobArn": IMPORT_JOB},
        **{**CREATE, "importMode": mode},
    )
    assert create(personalize, importMode=mode, durations=[7200]) == {
        "arn": IMPORT_JOB,
        "phase": "UNDER_WAY",
        "seconds": 900,
        "status": "CREATE PENDING",
        "failure": None,
        "warnings": [],
        "foreign": False,
        "createdAt": NOW.isoformat(),
    }


def test_a_job_that_this_run_started_before_is_adopted(personalize):
    name_taken_by(personalize)
    assert create(personalize) == {
        "arn": IMPORT_JOB,
        "phase": "UNDER_WAY",
        "seconds": 1,
        "status": "CREATE IN_PROGRESS",
        "failure": None,
        "warnings": [],
        "foreign": False,
        "createdAt": iso(minutes=20),
    }


@pytest.mark.parametrize(
    ("status", "phase", "failure"),
    [
        ("ACTIVE", "ACTIVE", None),
        ("CREATE FAILED", "ENDED", "its status is CREATE FAILED"),
    ],
)
def test_a_job_of_ours_is_adopted_whatever_its_status(personalize, status, phase, failure):
    name_taken_by(personalize, status=status)
    assert create(personalize) == {
        "arn": IMPORT_JOB,
        "phase": phase,
        "seconds": 1,
        "status": status,
        "failure": failure,
        "warnings": [],
        "foreign": False,
        "createdAt": iso(minutes=20),
        "endedAt": iso(minutes=5),
    }


def test_a_job_from_before_there_were_modes_counts_as_full(personalize):
    old = import_job(status="ACTIVE")
    del old["importMode"]
    personalize.refuses(
        "create_dataset_import_job", "ResourceAlreadyExistsException", "it exists", **CREATE
    )
    personalize.says(
        "describe_dataset_import_job", {"datasetImportJob": old}, datasetImportJobArn=IMPORT_JOB
    )
    assert create(personalize)["phase"] == "ACTIVE"


@pytest.mark.parametrize(
    "difference",
    [
        {"datasetArn": ITEMS},
        {"dataSource": {"dataLocation": "s3://exports/other.csv"}},
        {"dataSource": {}},
        {"importMode": "INCREMENTAL"},
        {"roleArn": f"{ROLE}-other"},
    ],
    ids=str,
)
def test_another_job_of_this_name_is_an_error_that_names_both(personalize, difference):
    name_taken_by(personalize, **difference)
    other = import_job(**difference)
    existing = (
        other["datasetArn"],
        other["dataSource"].get("dataLocation"),
        other["importMode"],
        other["roleArn"],
    )
    with pytest.raises(NameTaken) as raised:
        create(personalize)
    assert str(raised.value) == (
        f"{IMPORT_JOB} exists and imports {existing}; this run wants to import "
        f"('{DATASET}', 's3://exports/interactions.csv', 'FULL', '{ROLE}')"
    )


def test_without_an_import_slot_the_job_is_tried_again_in_two_minutes(personalize):
    personalize.refuses(
        "create_dataset_import_job", "LimitExceededException", f"{SLOTS_TAKEN}.", **CREATE
    )
    assert create(personalize) == NO_SLOT


def test_the_wait_for_an_import_slot_counts_from_the_first_try(personalize, clock):
    for _ in range(2):
        personalize.refuses(
            "create_dataset_import_job", "LimitExceededException", SLOTS_TAKEN, **CREATE
        )
    first = create(personalize)
    clock.advance(120)
    assert create(personalize, first) == NO_SLOT, "firstTriedAt is the first try's"


def test_the_wait_for_an_import_slot_ends_with_the_imports_own_deadline(personalize):
    personalize.refuses(
        "create_dataset_import_job", "LimitExceededException", SLOTS_TAKEN, **CREATE
    )
    before = {**NO_SLOT, "firstTriedAt": iso(6)}
    assert create(personalize, before) == {
        **before,
        "phase": "ENDED",
        "seconds": 1,
        "failure": f"{SLOTS_TAKEN}, for 6 hours now",
    }


@pytest.mark.parametrize(
    ("code", "message", "status", "expected"),
    [
        ("LimitExceededException", "the dataset is larger than 100 GB", 400, ClientError),
        ("InvalidInputException", "no such bucket", 400, ClientError),
        ("ThrottlingException", "Rate exceeded", 400, Throttled),
        ("InternalServerError", "oops", 500, ServiceUnavailable),
    ],
)
def test_any_other_error_is_let_through(personalize, code, message, status, expected):
    personalize.refuses("create_dataset_import_job", code, message, status=status, **CREATE)
    with pytest.raises(expected, match=message):
        create(personalize)


def watch(personalize, **changes):
    described = {"datasetImportJob": import_job(**changes)}
    personalize.says("describe_dataset_import_job", described, datasetImportJobArn=IMPORT_JOB)
    planned, settings_ = planned_import(durations=[7200]), limits(maxImportHours=2)
    return watch_dataset_import_job(personalize.client, settings_, planned, job(IMPORT_JOB))


IMPORTED = {
    "arn": IMPORT_JOB,
    "phase": "ACTIVE",
    "seconds": 1,
    "status": "ACTIVE",
    "failure": None,
    "warnings": [],
    "foreign": False,
    "createdAt": iso(minutes=20),
    "endedAt": iso(minutes=5),
}
CHANGED = {**IMPORTED, "warnings": ["s3://exports/interactions.csv was changed during the import"]}
LISTED = {"Key": "interactions.csv", "Size": 1000, "ETag": '"e1"', "LastModified": ago(2)}
LIST = {"Bucket": "exports", "Prefix": "interactions.csv"}


def test_a_watched_job_that_has_imported_what_was_planned_is_done(personalize, s3):
    s3.says("list_objects_v2", {"Contents": [LISTED]}, **LIST)
    assert watch(personalize, status="ACTIVE") == IMPORTED


@pytest.mark.parametrize(
    "contents",
    [[{**LISTED, "Size": 1001}], [{**LISTED, "ETag": '"e2"'}], []],
    ids=["grown", "written anew", "gone"],
)
def test_an_export_that_was_changed_during_its_import_is_warned_of(personalize, s3, contents):
    s3.says("list_objects_v2", {"Contents": contents}, **LIST)
    assert watch(personalize, status="ACTIVE") == CHANGED


def test_an_export_that_cannot_be_listed_any_more_is_warned_of(personalize, s3, monkeypatch):
    unlisted = "s3://exports/interactions.csv could not be listed after the import: "
    refused = "An error occurred (NoSuchBucket) when calling the ListObjectsV2 operation: "
    s3.refuses("list_objects_v2", "NoSuchBucket", "no such bucket", **LIST)
    assert watch(personalize, status="ACTIVE") == {
        **IMPORTED,
        "warnings": [f"{unlisted}{refused}no such bucket"],
    }, "the import has succeeded all the same"

    def silent(*_):
        raise EndpointConnectionError(endpoint_url="https://s3")

    monkeypatch.setattr("functions.exports.list_objects", silent)
    said = 'Could not connect to the endpoint URL: "https://s3"'
    assert watch(personalize, status="ACTIVE") == {**IMPORTED, "warnings": [f"{unlisted}{said}"]}


def test_a_watched_job_under_way_says_when_to_look_next(personalize):
    assert watch(personalize) == {
        "arn": IMPORT_JOB,
        "phase": "UNDER_WAY",
        "seconds": 900,
        "status": "CREATE IN_PROGRESS",
        "failure": None,
        "warnings": [],
        "foreign": False,
        "createdAt": iso(minutes=20),
    }


def test_a_watched_job_is_overdue_by_its_own_creation(personalize):
    seen = watch(personalize, creationDateTime=ago(2))
    assert seen["phase"] == "OVERDUE", "the document says that it began an hour ago"


def test_a_watched_job_that_failed_says_why(personalize):
    assert watch(personalize, status="CREATE FAILED", failureReason="no header") == {
        "arn": IMPORT_JOB,
        "phase": "ENDED",
        "seconds": 1,
        "status": "CREATE FAILED",
        "failure": "no header",
        "warnings": [],
        "foreign": False,
        "createdAt": iso(minutes=20),
        "endedAt": iso(minutes=5),
    }


def test_a_watched_job_with_an_unknown_status_is_warned_of(personalize):
    seen = watch(personalize, status="CREATE PAUSED")
    assert seen["warnings"] == ["the status 'CREATE PAUSED' is unknown and counts as running"]
