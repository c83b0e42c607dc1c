"""What an execution may be started with, and which run it is."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.executions import input_problems, request_of, run_of, scheduled_at
from tests.functions.samples import (
    DATASET,
    EXECUTION,
    ITEMS,
    NOW,
    OTHER_SOLUTION,
    RUN_ID,
    SCHEDULE,
    SOLUTION,
    configured,
    dataset_settings,
    settings,
    solution_settings,
)

SETTINGS = settings(
    datasets=[dataset_settings(), dataset_settings(type="items", datasetArn=ITEMS)],
    solutions=[solution_settings(), solution_settings(solutionArn=OTHER_SOLUTION)],
)
SCHEDULED = {"trigger": "schedule", "scheduledTime": "2026-11-29T03:00:00Z"}
HASHED = "20261129-f4750e9e"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
KEYS = ("trigger", "scheduledTime", "scheduleArn", "skipImport", "datasets", "solutions")
KEYS += ("trainingMode", "force", "dryRun", "resume")
MOMENTS = st.datetimes().map(str) | st.datetimes(timezones=st.timezones()).map(str)


@pytest.mark.parametrize(
    "request_",
    [
        {},
        SCHEDULED,
        {**SCHEDULED, "scheduleArn": SCHEDULE},
        {"trigger": "manual", "skipImport": True, "dryRun": False},
        {"datasets": ["items"], "solutions": [OTHER_SOLUTION, SOLUTION]},
        {"trainingMode": "FULL"},
        {"trainingMode": "UPDATE"},
        {"resume": RUN_ID},
        {"resume": HASHED},
        dict.fromkeys(KEYS),
    ],
    ids=json.dumps,
)
def test_a_good_request_has_no_problems(request_):
    assert input_problems(request_, SETTINGS) == []


NO_TIME = "is no time such as '2026-11-29T03:00:00Z'"
NO_RUN = "is no run id; take it from the report of the run, for example '20261129T030000Z'"
NO_LIST = "is no list of some of ['interactions', 'items']"
BAD = {
    "an_unknown_key": (
        {"skipimport": True},
        "key: 'skipimport' is unknown; did you mean 'skipImport'?",
    ),
    "an_unlike_key": (
        {"x": 1},
        f"key: 'x' is unknown; expected one of {list(KEYS)}",
    ),
    "a_flag_that_is_text": (
        {"skipImport": "true"},
        "skipImport: 'true' is neither true nor false",
    ),
    "a_flag_that_is_a_number": ({"dryRun": 1}, "dryRun: 1 is neither true nor false"),
    "a_force_that_is_text": ({"force": "no"}, "force: 'no' is neither true nor false"),
    "an_unknown_trigger": (
        {"trigger": "cron"},
        "trigger: 'cron' is neither 'schedule' nor 'manual'",
    ),
    "a_schedule_without_a_time": (
        {"trigger": "schedule"},
        f"scheduledTime: None {NO_TIME}",
    ),
    "a_template_that_nobody_filled_in": (
        {"trigger": "schedule", "scheduledTime": "<aws.scheduler.scheduled-time>"},
        "scheduledTime: '<aws.scheduler.scheduled-time>' is no time such as '2026-11-29T03:00:00Z'",
    ),
    "a_time_without_a_zone": (
        {"scheduledTime": "2026-11-29T03:00:00"},
        f"scheduledTime: '2026-11-29T03:00:00' {NO_TIME}",
    ),
    "a_time_before_all_times": (
        {"scheduledTime": "0001-01-01T00:00:00+10:00"},
        f"scheduledTime: '0001-01-01T00:00:00+10:00' {NO_TIME}",
    ),
    "another_arn_for_a_schedule": (
        {"scheduleArn": DATASET},
        f"scheduleArn: '{DATASET}' is no ARN of a schedule; leave it out",
    ),
    "a_schedule_group_for_a_schedule": (
        {"scheduleArn": f"{SCHEDULE}/x"},
        f"scheduleArn: '{SCHEDULE}/x' is no ARN of a schedule; leave it out",
    ),
    "an_unknown_mode": (
        {"trainingMode": "AUTOTRAIN"},
        "trainingMode: 'AUTOTRAIN' is neither 'FULL' nor 'UPDATE'",
    ),
    "an_execution_where_a_run_is_wanted": (
        {"resume": EXECUTION},
        f"resume: '{EXECUTION}' {NO_RUN}",
    ),
    "no_run_at_all": (
        {"resume": ""},
        f"resume: '' {NO_RUN}",
    ),
    "a_single_dataset": (
        {"datasets": "items"},
        f"datasets: 'items' {NO_LIST}",
    ),
    "no_dataset": (
        {"datasets": []},
        f"datasets: [] {NO_LIST}",
    ),
    "an_unknown_dataset": (
        {"datasets": ["items", "item"]},
        "datasets: 'item' is unknown; did you mean 'items'?",
    ),
    "an_unlike_dataset": (
        {"datasets": [5]},
        "datasets: 5 is unknown; expected one of ['interactions', 'items']",
    ),
    "an_unknown_solution": (
        {"solutions": [f"{SOLUTION}s"]},
        f"solutions: '{SOLUTION}s' is unknown; did you mean '{SOLUTION}'?",
    ),
    "a_list": ([], "the input [] is no JSON object; to retrain as configured, give {}"),
    "a_text": ("{}", "the input '{}' is no JSON object; to retrain as configured, give {}"),
}


@pytest.mark.parametrize(("request_", "problem"), BAD.values(), ids=BAD)
def test_a_bad_request_is_told_what_was_expected(request_, problem):
    assert input_problems(request_, SETTINGS) == [problem]


def test_all_problems_are_given_at_once():
    request = {"trigger": "x", "skipImport": 0, "trainingMode": 1, "datasets": {}, "more": []}
    assert [problem.split(":")[0] for problem in input_problems(request, SETTINGS)] == [
        "key",
        "skipImport",
        "trigger",
        "trainingMode",
        "datasets",
    ]


@given(JSON | st.dictionaries(st.sampled_from(KEYS), JSON | MOMENTS))
def test_any_json_is_judged_and_names_a_run(given_):
    found = input_problems(given_, SETTINGS)
    assert all(isinstance(problem, str) for problem in found)
    run = run_of(configured(given_))
    assert run["id"], "a refused run is reported by its id too"


def test_a_scheduled_run_is_named_after_its_slot():
    assert run_of(configured({**SCHEDULED, "scheduleArn": None})) == {
        "id": RUN_ID,
        "trigger": "schedule",
        "startedAt": NOW.isoformat(),
        "executionArn": EXECUTION,
        "request": SCHEDULED,
    }


def test_a_slot_in_another_zone_is_the_same_run():
    request = {**SCHEDULED, "scheduledTime": "2026-11-29T04:00:00+01:00"}
    assert run_of(configured(request))["id"] == RUN_ID


def test_a_manual_run_is_named_after_its_execution_and_start():
    assert run_of(configured({})) == {
        "id": HASHED,
        "trigger": "manual",
        "startedAt": NOW.isoformat(),
        "executionArn": EXECUTION,
        "request": {},
    }
    assert run_of(configured({}, startedAt="2027-03-01T00:00:00Z"))["id"] != HASHED, (
        "the names of executions come back"
    )
    assert run_of(configured({}, executionArn=f"{EXECUTION}2"))["id"] != HASHED


def test_a_resumed_run_keeps_its_id():
    assert run_of(configured({**SCHEDULED, "resume": HASHED}))["id"] == HASHED


def test_null_means_left_out():
    assert request_of({"datasets": None, "dryRun": False}) == {"dryRun": False}
    assert request_of(None) == {}


def test_a_slot_is_in_utc():
    assert scheduled_at(SCHEDULED) == datetime(2026, 11, 29, 3, tzinfo=UTC)
    assert scheduled_at({}) is None
