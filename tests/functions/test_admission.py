"""Tests of when a run may begin: which executions are older, and how long it waits for them."""

from datetime import timedelta

import pytest

from functions.common.errors import RunRefused
from functions.run.admission import (
    LIST_LAG_VARIABLE,
    pause_for_older_runs,
)
from functions.run.executions import list_older_executions
from tests.functions.samples import EXECUTION, NOW, STARTED, iso, run, settings

MACHINE = EXECUTION.replace(":execution:", ":stateMachine:").rpartition(":")[0]
EARLIER = NOW - timedelta(hours=20)
DAILY = settings(cadenceSeconds=24 * 3600)
MONTHLY = settings(cadenceSeconds=30 * 24 * 3600)
HANGS = "an older run, is still running"
IN_VAIN = "and this run has waited for"


def arn(name):
    return EXECUTION.replace(":first", f":{name}")


def expect_list(executions, *listed, **request):
    """Expect a list of executions, as (name, start, status, end)."""
    items = [
        {
            "executionArn": arn(name),
            "name": name,
            "stateMachineArn": MACHINE,
            "status": status,
            "startDate": start,
            **({"stopDate": end} if end else {}),
        }
        for name, start, status, end in listed
    ]
    executions.expect("list_executions", {"executions": items}, stateMachineArn=MACHINE, **request)


def expect_running(executions, *running):
    """Expect a list of running executions, as (name, start)."""
    listed = [(name, start, "RUNNING", None) for name, start in running]
    expect_list(executions, *listed, statusFilter="RUNNING")


LATER = STARTED + timedelta(milliseconds=1)
SOONER = STARTED - timedelta(milliseconds=1)
SOONEST = STARTED - timedelta(milliseconds=2)


@pytest.mark.parametrize(
    "running, older",
    [
        pytest.param([("own", STARTED)], [], id="only itself"),
        pytest.param([], [], id="none, itself not listed yet"),
        pytest.param([("own", STARTED), ("a", LATER)], [], id="a younger one"),
        pytest.param([("z", SOONER)], ["z"], id="an older one, itself not listed yet"),
        pytest.param([("own", STARTED), ("a", STARTED)], ["a"], id="same start, first by ARN"),
        pytest.param([("own", STARTED), ("z", STARTED)], [], id="same start, second by ARN"),
        pytest.param([("b", SOONER), ("c", SOONEST), ("own", STARTED)], ["c", "b"], id="two"),
    ],
)
def test_an_execution_is_older_if_it_started_before_or_is_first_by_arn(executions, running, older):
    expect_running(executions, *running)
    own = run(executionArn=arn("own"))
    assert list_older_executions(executions.client, own) == [arn(name) for name in older]


def test_one_of_two_executions_with_the_same_listed_start_goes_on(executions):
    starts = {"a": "2026-11-29T03:00:00.123456Z", "own": "2026-11-29T03:00:00.123999Z"}
    older = []
    for name, started in starts.items():
        expect_running(executions, ("a", STARTED), ("own", STARTED))
        own = run(executionArn=arn(name), startedAt=started)
        older.append(list_older_executions(executions.client, own))

    assert older == [[], [arn("a")]], "the list is less precise than the document"


@pytest.mark.parametrize(
    "configured, minutes, seconds",
    [(MONTHLY, 0, 90), (MONTHLY, 60, 360), (MONTHLY, 23 * 60, 1800), (DAILY, 11.9 * 60, 360)],
    ids=["at first", "later", "much later", "before its time is over"],
)
def test_a_run_asks_again_after_growing_pauses_while_an_older_run_is_running(
    executions, configured, minutes, seconds
):
    expect_running(executions, ("z", NOW - timedelta(days=2)))
    pause = pause_for_older_runs(executions.client, configured, run(startedAt=iso(minutes=minutes)))
    assert pause == (f"z, {HANGS}", seconds)


@pytest.mark.parametrize(
    "configured, hours", [(DAILY, 12), (MONTHLY, 24)], ids=["half the cadence", "a day"]
)
def test_a_run_that_has_waited_too_long_leaves_its_work_to_the_next_run(
    executions, configured, hours
):
    expect_running(executions, ("z", NOW - timedelta(days=2)))
    pause = pause_for_older_runs(executions.client, configured, run(startedAt=iso(hours)))

    assert pause == (
        (
            f"z, {HANGS}, {IN_VAIN} {hours} hours; the next run does what is left to do; "
            "if the older run hangs, stop it"
        ),
        0,
    )


def test_a_scheduled_run_that_only_deploys_ends_at_once(executions):
    """Such runs may start every hour, so the next one comes soon."""
    expect_running(executions, ("z", NOW - timedelta(hours=2)))
    solutions = [{**solution, "trainedBy": "personalize"} for solution in DAILY["solutions"]]
    pause = pause_for_older_runs(executions.client, {**DAILY, "solutions": solutions}, run())
    assert pause == (f"z, {HANGS}; the next run does what is left to do", 0)


def test_a_run_of_an_export_that_has_waited_too_long_is_refused(executions):
    expect_running(executions, ("z", NOW - timedelta(days=2)))
    request = {"trigger": "export", "day": "2026-11-22"}
    with pytest.raises(RunRefused) as error:
        pause_for_older_runs(
            executions.client, DAILY, run(request, trigger="export", startedAt=iso(12))
        )
    (problem,) = error.value.problems

    assert problem["command"] == "retrain start --export-date 2026-11-22"


ABORTED = ("aborted", EARLIER, "ABORTED")
JUST_ENDED = "aborted has just ended, and its jobs may not be listed yet"
TOO_EARLY = "AWS may list an older run 90 seconds late, and two must not run at once"


@pytest.mark.parametrize(
    "last, waited, pause",
    [
        ([], 0, (TOO_EARLY, 90)),
        ([], 89.5, (TOO_EARLY, 1)),
        ([], 90, None),
        ([(*ABORTED, 0)], 0, (JUST_ENDED, 240)),
        ([(*ABORTED, 239)], 90, (JUST_ENDED, 1)),
        ([(*ABORTED, 240)], 90, None),
        ([("good", EARLIER, "SUCCEEDED", 0), (*ABORTED, 60)], 90, (JUST_ENDED, 180)),
        ([("good", EARLIER, "SUCCEEDED", 0)], 90, None),
    ],
)
def test_a_run_begins_when_the_lists_show_every_older_run_and_its_jobs(
    executions, last, waited, pause
):
    expect_running(executions)
    ended = [
        (name, start, status, NOW - timedelta(seconds=seconds))
        for name, start, status, seconds in last
    ]
    expect_list(executions, *ended, maxResults=100)
    started = run(startedAt=(NOW - timedelta(seconds=waited)).isoformat())

    assert pause_for_older_runs(executions.client, DAILY, started) == pause


def test_a_run_on_an_emulator_begins_at_once(executions, monkeypatch):
    monkeypatch.setenv(LIST_LAG_VARIABLE, "0")
    expect_running(executions)
    assert pause_for_older_runs(executions.client, DAILY, run()) is None, "no dead run is searched"
