"""Tests of the phase of each status."""

import pytest

from functions.personalize.statuses import (
    cannot_succeed,
    is_active,
    is_deleted,
    is_running,
    phase_of,
    status_warnings,
)

DOCUMENTED = {
    "CREATE PENDING": "UNDER_WAY",
    "CREATE IN_PROGRESS": "UNDER_WAY",
    "CREATE STOPPING": "UNDER_WAY",
    "UPDATE PENDING": "UNDER_WAY",
    "UPDATE IN_PROGRESS": "UNDER_WAY",
    "ACTIVE": "ACTIVE",
    "CREATE FAILED": "ENDED",
    "CREATE STOPPED": "ENDED",
    "UPDATE FAILED": "ENDED",
    "DELETE PENDING": "ENDED",
    "DELETE IN_PROGRESS": "ENDED",
}


@pytest.mark.parametrize(("status", "phase"), DOCUMENTED.items())
def test_a_documented_status_has_its_phase_and_no_warning(status, phase):
    assert (phase_of(status), status_warnings(status)) == (phase, [])
    assert is_active(status) is (phase == "ACTIVE")
    assert is_running(status) is (phase == "UNDER_WAY")
    assert is_deleted(status) is status.startswith("DELETE")


@pytest.mark.parametrize("status", ["CREATE PAUSED", "INACTIVE", "FAILED", "active", ""])
def test_an_undocumented_status_counts_as_running_with_a_warning(status):
    assert phase_of(status) == "UNDER_WAY", "only the deadline ends such a job"
    assert status_warnings(status) == [f"the status {status!r} is unknown and counts as running"]


def test_a_job_cannot_succeed_after_it_has_failed_or_while_it_is_stopping():
    assert {status for status in DOCUMENTED if cannot_succeed(status)} == {
        "CREATE STOPPING",
        "CREATE FAILED",
        "CREATE STOPPED",
        "UPDATE FAILED",
        "DELETE PENDING",
        "DELETE IN_PROGRESS",
    }
    assert not cannot_succeed("CREATE PAUSED"), "nobody knows what this status means"
