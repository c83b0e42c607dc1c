"""What each status means."""

import pytest

from functions.personalize.statuses import is_hopeless, phase_of, warnings_of

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
    assert (phase_of(status), warnings_of(status)) == (phase, [])


@pytest.mark.parametrize("status", ["CREATE PAUSED", "INACTIVE", "FAILED", "active", ""])
def test_an_undocumented_status_counts_as_under_way_and_is_warned_of(status):
    assert phase_of(status) == "UNDER_WAY", "only the deadline may give a job up"
    assert warnings_of(status) == [f"the status {status!r} is unknown; taken for under way"]


def test_a_job_is_hopeless_when_it_ended_badly_or_is_about_to():
    hopeless = {status for status in DOCUMENTED if is_hopeless(status)}
    assert hopeless == {
        "CREATE STOPPING",
        "CREATE FAILED",
        "CREATE STOPPED",
        "UPDATE FAILED",
        "DELETE PENDING",
        "DELETE IN_PROGRESS",
    }
    assert not is_hopeless("CREATE PAUSED"), "nobody knows what it means"
