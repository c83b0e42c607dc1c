"""What all jobs have in common."""

import re

import pytest

from functions.executions import short_hash
from functions.personalize.jobs import (
    api_tags,
    failure_of,
    first_tried_at,
    found,
    import_job_name,
    not_yet,
    started,
    version_name,
)
from tests.functions.samples import (
    API_TAGS,
    IMPORT_JOB,
    JOB_NAME,
    NOW,
    OTHER_SOLUTION,
    PREFIX,
    RUN_ID,
    SOLUTION,
    TAGS,
    VERSION_NAME,
    ago,
    iso,
    job,
)

NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9\-_]{0,62}")


def test_an_import_job_is_named_after_stack_run_dataset_and_attempt():
    assert import_job_name(PREFIX, RUN_ID, "interactions", 1) == JOB_NAME


def test_a_version_is_named_after_stack_run_solution_and_attempt():
    assert version_name(PREFIX, RUN_ID, SOLUTION, 1) == VERSION_NAME
    assert version_name(PREFIX, RUN_ID, OTHER_SOLUTION, 1) != VERSION_NAME


def test_the_longest_names_are_names_for_personalize():
    assert NAME.fullmatch(import_job_name(PREFIX, RUN_ID, "actionInteractions", 999))
    assert NAME.fullmatch(version_name(PREFIX, RUN_ID, SOLUTION, 999))


def test_a_digest_is_the_beginning_of_a_sha_256():
    assert short_hash("abc", 16) == "ba7816bf8f01cfea"


def test_tags_are_given_as_the_api_takes_them():
    assert api_tags(TAGS) == API_TAGS


def test_a_job_that_was_just_started_waits_as_its_history_says():
    made = started(IMPORT_JOB, [3601])
    assert (made["seconds"], made["createdAt"]) == (451, NOW.isoformat()), "rounded up"


@pytest.mark.parametrize(
    ("status", "reason", "failure"),
    [
        ("ACTIVE", None, None),
        ("CREATE FAILED", "no header", "no header"),
        ("CREATE FAILED", None, "its status is CREATE FAILED"),
        ("DELETE PENDING", None, "its status is DELETE PENDING"),
    ],
)
def test_a_job_that_has_ended_says_when_and_why(status, reason, failure):
    seen = found(IMPORT_JOB, status, created=ago(2), updated=ago(1), failure=reason)
    assert (seen["endedAt"], seen["failure"]) == (iso(1), failure)


def test_a_job_under_way_has_no_end():
    seen = found(IMPORT_JOB, "CREATE PENDING", created=ago(1), updated=ago(0.5), failure=None)
    assert seen == job(IMPORT_JOB, status="CREATE PENDING")


def test_an_active_job_has_no_failure():
    assert failure_of(job(phase="ACTIVE", status="ACTIVE")) is None


def test_the_first_try_is_now_where_no_try_came_before():
    assert first_tried_at(None) == NOW.isoformat()
    assert first_tried_at(job()) == NOW.isoformat(), "a job that was started at the first try"
    assert first_tried_at(job(firstTriedAt=iso(1))) == iso(1)


@pytest.mark.parametrize(("waited", "seconds"), [(0, 30), (600, 30), (3600, 180), (7140, 60)])
def test_what_cannot_be_started_is_tried_less_and_less_often_and_at_the_very_end(waited, seconds):
    before = job(firstTriedAt=iso(seconds=waited))
    assert not_yet(IMPORT_JOB, "busy", before, max_hours=2, seconds=30)["seconds"] == seconds


@pytest.mark.parametrize(
    ("waited", "phase", "seconds"),
    [
        (0, "AGAIN", 30),
        (600, "AGAIN", 30),
        (1000, "AGAIN", 50),
        (1001, "AGAIN", 51),
        (7160, "AGAIN", 40),
        (7199.9, "AGAIN", 1),
        (7200, "ENDED", 1),
        (9000, "ENDED", 1),
    ],
)
def test_what_cannot_be_started_is_tried_more_rarely_and_given_up_after_its_hours(
    waited, phase, seconds
):
    before = job(firstTriedAt=iso(seconds=waited))
    seen = not_yet(IMPORT_JOB, "busy", before, max_hours=2, seconds=30)
    assert seen == {
        "arn": IMPORT_JOB,
        "phase": phase,
        "seconds": seconds,
        "status": "WAITING",
        "failure": "busy, for 2 hours now" if phase == "ENDED" else None,
        "warnings": [],
        "ours": True,
        "firstTriedAt": iso(seconds=waited),
    }
