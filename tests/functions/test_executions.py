"""Tests of runs and executions: the id of a run, how its execution ended, and which is older."""

import re
from datetime import UTC, datetime

import pytest

from functions.common.errors import ServiceUnavailable
from functions.run.execution_data import (
    build_job_name,
    choose_export_day,
    get_run_start,
    identify_run,
    parse_request,
    parse_scheduled_time,
)
from functions.run.executions import (
    find_unreported_error,
    read_first_state_output,
)
from tests.functions import samples as s
from tests.functions.samples import (
    EXECUTION,
    JOB_NAME,
    RUN_ID,
    SLOT,
    VERSION_NAME,
    ago,
    configured,
    expect_execution,
    expect_history,
    first_state,
    settings,
)

SCHEDULED = {"trigger": "schedule", "scheduledTime": "2026-11-29T03:00:00Z"}
MANUAL_RUN_ID = "20261129-abe5865e"


def started(request, **changes):
    return {**configured(request)["run"], **changes}


def test_a_key_that_is_null_is_left_out():
    assert parse_request({"datasets": None, "force": False}) == {"force": False}
    assert parse_request(None) == {}


def test_a_scheduled_time_is_in_utc():
    assert parse_scheduled_time(SCHEDULED) == datetime(2026, 11, 29, 3, tzinfo=UTC)
    assert parse_scheduled_time({}) is None


@pytest.mark.parametrize(
    "run, began_at",
    [
        (s.run(), SLOT),
        (s.run(startedAt=ago(1).isoformat()), ago(1)),
        (s.run({}), s.STARTED),
    ],
    ids=["late", "early", "by hand"],
)
def test_a_run_begins_at_its_scheduled_time_or_before(run, began_at):
    assert get_run_start(run) == began_at


@pytest.mark.parametrize(
    "request_, day",
    [({}, "2026-11-29"), ({"day": "2026-11-28"}, "2026-11-28")],
    ids=["of the run", "of a marker"],
)
def test_a_run_imports_the_exports_of_its_day_unless_a_person_names_another(request_, day):
    assert choose_export_day(s.run(request_)) == day
    assert choose_export_day(s.run({**request_, "exportDate": "2026-11-27"})) == "2026-11-27"


# The run


def test_the_id_of_a_scheduled_run_is_its_scheduled_time():
    assert identify_run(started({**SCHEDULED, "scheduleArn": None})) == {
        "id": RUN_ID,
        "trigger": "schedule",
        "startedAt": s.STARTED.isoformat(),
        "executionArn": EXECUTION,
        "request": SCHEDULED,
    }


def test_the_zone_of_the_scheduled_time_does_not_matter():
    request = {**SCHEDULED, "scheduledTime": "2026-11-29T04:00:00+01:00"}
    assert identify_run(started(request))["id"] == RUN_ID


def test_the_id_of_a_manual_run_is_its_day_and_a_hash_of_its_execution():
    assert identify_run(started({})) == {
        "id": MANUAL_RUN_ID,
        "trigger": "manual",
        "startedAt": s.STARTED.isoformat(),
        "executionArn": EXECUTION,
        "request": {},
    }


@pytest.mark.parametrize(
    "changes",
    [{"startedAt": "2027-03-01T00:00:00Z"}, {"executionArn": f"{EXECUTION}2"}],
    ids=["another start", "another name"],
)
def test_another_execution_has_another_run_id(changes):
    """The name of an execution may be used again after 90 days."""
    assert identify_run(started({}, **changes))["id"] != MANUAL_RUN_ID


# The names of its jobs


def test_the_name_of_a_job_begins_with_the_stack_and_the_run():
    names = [build_job_name(settings(), s.run(), suffix) for suffix in ("interactions", "0b519087")]
    assert names == [JOB_NAME, VERSION_NAME]
    assert not JOB_NAME.startswith(build_job_name(settings(), s.run(id="20261122T030000Z"), ""))
    assert not JOB_NAME.startswith(build_job_name(settings(prefix="ffffffff"), s.run(), ""))


def test_personalize_accepts_the_longest_name():
    pattern = r"[a-zA-Z0-9][a-zA-Z0-9\-_]{0,62}"
    assert re.fullmatch(pattern, build_job_name(settings(), s.run(), "actionInteractions"))


# How an execution ended


@pytest.mark.parametrize(
    "status, details, error",
    [
        ("SUCCEEDED", {}, None),
        ("PENDING_REDRIVE", {"error": "States.Runtime"}, None),
        ("FAILED", {"error": "RetrainingFailed", "cause": "a report"}, None),
        ("ABORTED", {}, {"Error": "ABORTED", "Cause": "no cause given"}),
        (
            "ABORTED",
            {"error": "Stopped", "cause": "by ops"},
            {"Error": "Stopped", "Cause": "by ops"},
        ),
        (
            "TIMED_OUT",
            {"error": "States.Timeout"},
            {"Error": "TIMED_OUT", "Cause": "States.Timeout: no cause given"},
        ),
        (
            "FAILED",
            {"error": "States.Runtime", "cause": "no such path"},
            {"Error": "FAILED", "Cause": "States.Runtime: no such path"},
        ),
    ],
)
def test_an_execution_without_a_report_has_an_error(executions, status, details, error):
    expect_execution(executions, status, **details)
    assert find_unreported_error(executions.client, EXECUTION) == error


def test_an_execution_that_still_seems_to_run_is_described_again_later(executions):
    expect_execution(executions, "RUNNING")
    with pytest.raises(ServiceUnavailable) as error:
        find_unreported_error(executions.client, EXECUTION)

    assert str(error.value) == f"the status of {EXECUTION} is still RUNNING"


STARTED = {"type": "ExecutionStarted"}


def test_the_configuration_is_the_output_of_the_first_state(executions):
    later = first_state({"request": "of a later state"})
    expect_history(executions, STARTED, first_state(configured(SCHEDULED)), later)
    assert read_first_state_output(executions.client, EXECUTION) == configured(SCHEDULED)


def test_an_execution_that_did_not_leave_its_first_state_has_no_configuration(executions):
    expect_history(executions, STARTED)
    assert read_first_state_output(executions.client, EXECUTION) is None
