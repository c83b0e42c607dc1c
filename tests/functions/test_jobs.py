"""Tests of the document of a job that was created, described or postponed."""

import pytest

from functions.executions import short_hash
from functions.personalize.jobs import (
    created_job,
    described_job,
    first_tried_at,
    import_mode_of,
    planned_mode_of,
    postponed_job,
    training_mode_of,
)
from tests.functions.samples import IMPORT_JOB, NOW, ago, iso, job


def test_a_short_hash_is_the_beginning_of_a_sha_256():
    assert short_hash("abc", 16) == "ba7816bf8f01cfea"


def test_a_job_without_a_mode_is_full():
    assert (import_mode_of({}), training_mode_of({}), planned_mode_of({})) == ("FULL",) * 3
    assert import_mode_of({"importMode": "INCREMENTAL"}) == "INCREMENTAL"


@pytest.mark.parametrize(
    ("mode", "planned"), [("FULL", "FULL"), ("UPDATE", "UPDATE"), ("AUTOTRAIN", "FULL")]
)
def test_an_automatic_training_is_planned_as_full(mode, planned):
    version = {"trainingMode": mode}
    assert (training_mode_of(version), planned_mode_of(version)) == (mode, planned)


def test_a_job_that_was_just_created():
    assert created_job(IMPORT_JOB, [3601]) == {
        "arn": IMPORT_JOB,
        "phase": "UNDER_WAY",
        "seconds": 451,
        "status": "CREATE PENDING",
        "failure": None,
        "warnings": [],
        "foreign": False,
        "createdAt": NOW.isoformat(),
    }, "the seconds are an eighth of the expected duration, rounded up"


def test_a_running_job_has_no_end():
    described = described_job(
        IMPORT_JOB, "CREATE PENDING", created=ago(1), updated=ago(0.5), failure=None
    )
    assert described == {
        "arn": IMPORT_JOB,
        "phase": "UNDER_WAY",
        "seconds": 1,
        "status": "CREATE PENDING",
        "failure": None,
        "warnings": [],
        "foreign": False,
        "createdAt": iso(1),
    }


@pytest.mark.parametrize(
    ("status", "phase", "reason", "failure"),
    [
        ("ACTIVE", "ACTIVE", None, None),
        ("CREATE FAILED", "ENDED", "no header", "no header"),
        (
            "CREATE FAILED",
            "ENDED",
            None,
            f"{IMPORT_JOB}: its status is CREATE FAILED, and Personalize gives no reason",
        ),
        (
            "DELETE PENDING",
            "ENDED",
            None,
            f"{IMPORT_JOB}: its status is DELETE PENDING, and Personalize gives no reason",
        ),
    ],
)
def test_a_job_that_has_ended_has_an_end_and_perhaps_a_failure(status, phase, reason, failure):
    described = described_job(
        IMPORT_JOB, status, created=ago(2), updated=ago(1), failure=reason, foreign=True
    )
    assert described == {
        "arn": IMPORT_JOB,
        "phase": phase,
        "seconds": 1,
        "status": status,
        "failure": failure,
        "warnings": [],
        "foreign": True,
        "createdAt": iso(2),
        "endedAt": iso(1),
    }


def test_an_unknown_status_is_a_warning():
    described = described_job(IMPORT_JOB, "ODD", created=ago(2), updated=ago(1), failure=None)
    assert described["warnings"] == ["the status 'ODD' is unknown and counts as running"]


def test_the_first_try_is_now_without_a_previous_try():
    assert first_tried_at(None) == NOW.isoformat()
    assert first_tried_at(job()) == NOW.isoformat(), "the job was created at the first try"
    assert first_tried_at(job(firstTriedAt=iso(1))) == iso(1)


@pytest.mark.parametrize(
    ("waited", "phase", "seconds"),
    [
        (0, "AGAIN", 30),
        (200, "AGAIN", 67),
        (600, "AGAIN", 200),
        (1001, "AGAIN", 334),
        (3600, "AGAIN", 1200),
        (7140, "AGAIN", 60),
        (7160, "AGAIN", 40),
        (7199.9, "AGAIN", 1),
        (7200, "ENDED", 1),
        (9000, "ENDED", 1),
    ],
)
def test_a_postponed_job_is_tried_less_often_and_ends_after_its_hours(waited, phase, seconds):
    previous = job(firstTriedAt=iso(seconds=waited))
    assert postponed_job(IMPORT_JOB, "busy", previous, max_hours=2, shortest_pause=30) == {
        "arn": IMPORT_JOB,
        "phase": phase,
        "seconds": seconds,
        "status": "WAITING",
        "failure": "gave up after 2 hours: busy" if phase == "ENDED" else None,
        "warnings": [],
        "foreign": False,
        "firstTriedAt": iso(seconds=waited),
    }
