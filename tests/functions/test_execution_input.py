"""Tests of the input of an execution: what is accepted, and the message about each mistake."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.execution_input import input_problems
from functions.executions import run_of
from tests.functions.samples import (
    DATASET,
    OTHER_SOLUTION,
    RUN_ID,
    SCHEDULE,
    SOLUTION,
    configured,
    dataset_settings,
    items_settings,
    settings,
    solution_settings,
)

SETTINGS = settings(
    datasets=[
        dataset_settings(),
        items_settings(dataLocation="s3://exports/items/{date}/"),
    ],
    solutions=[solution_settings(), solution_settings(solutionArn=OTHER_SOLUTION)],
)
SCHEDULED = {"trigger": "schedule", "scheduledTime": "2026-11-29T03:00:00Z"}
MANUAL_RUN_ID = "20261129-f4750e9e"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
KEYS = ("trigger", "scheduledTime", "scheduleArn", "skipImport", "datasets", "solutions")
KEYS += ("exportDate", "trainingMode", "force")
KEYS_FOR_PEOPLE = ["trigger", "skipImport", "datasets", "solutions", "exportDate", "trainingMode"]
KEYS_FOR_PEOPLE += ["force"]
TIMES = st.datetimes().map(str) | st.datetimes(timezones=st.timezones()).map(str)


def problems(request):
    """Return the problems of an input of an execution with these SETTINGS."""
    return input_problems(configured(request, settings=SETTINGS))


@pytest.mark.parametrize(
    "request_",
    [
        {},
        SCHEDULED,
        {**SCHEDULED, "scheduleArn": SCHEDULE},
        {"trigger": "manual", "skipImport": True, "force": False},
        {"datasets": ["items"], "solutions": [OTHER_SOLUTION, SOLUTION]},
        {"trainingMode": "FULL"},
        {"trainingMode": "UPDATE"},
        {"trigger": "trial"},
        {"skipImport": False, "datasets": ["items"], "force": True},
        {"exportDate": "2026-11-29", "datasets": ["items"]},
        dict.fromkeys(KEYS),
    ],
    ids=json.dumps,
)
def test_a_correct_input_has_no_problems(request_):
    assert problems(request_) == []


NO_TIME = "is not a time with a zone, for example '2026-11-29T03:00:00Z'"
NO_LIST = "is not a list of one or more of ['interactions', 'items']"
WRONG = {
    "an unknown key": (
        {"skipimport": True},
        "key: 'skipimport' is unknown; did you mean 'skipImport'?",
    ),
    "a key like no other": (
        {"x": 1},
        f"key: 'x' is unknown; expected one of {KEYS_FOR_PEOPLE}",
    ),
    "a run to resume": (
        {"resume": RUN_ID},
        (
            "resume: is not an input any more; start a run without it, which goes on from what is "
            "there, and add exportDate for the exports of an earlier day"
        ),
    ),
    "a dry run": (
        {"dryRun": True},
        "dryRun: is not an input any more; `retrain plan -s STACK` prints what a run would do",
    ),
    "a flag that is text": (
        {"skipImport": "true"},
        "skipImport: 'true' is not a boolean; write true or false, without quotes",
    ),
    "a flag that is a number": (
        {"force": 1},
        "force: 1 is not a boolean; write true or false, without quotes",
    ),
    "force as text": (
        {"force": "no"},
        "force: 'no' is not a boolean; write true or false, without quotes",
    ),
    "an unknown trigger": (
        {"trigger": "cron"},
        (
            "trigger: 'cron' is not one of 'schedule', 'manual', 'trial', 'approval', 'export'; "
            "leave it out"
        ),
    ),
    "a schedule without a time": (
        {"trigger": "schedule"},
        f"scheduledTime: None {NO_TIME}",
    ),
    "a template that was not filled in": (
        {"trigger": "schedule", "scheduledTime": "<aws.scheduler.scheduled-time>"},
        f"scheduledTime: '<aws.scheduler.scheduled-time>' {NO_TIME}",
    ),
    "a time without a zone": (
        {"scheduledTime": "2026-11-29T03:00:00"},
        f"scheduledTime: '2026-11-29T03:00:00' {NO_TIME}",
    ),
    "a time before the year 1": (
        {"scheduledTime": "0001-01-01T00:00:00+10:00"},
        f"scheduledTime: '0001-01-01T00:00:00+10:00' {NO_TIME}",
    ),
    "an ARN of something else": (
        {**SCHEDULED, "scheduleArn": DATASET},
        f"scheduleArn: '{DATASET}' is not the ARN of a schedule; leave it out",
    ),
    "an ARN with too many parts": (
        {**SCHEDULED, "scheduleArn": f"{SCHEDULE}/x"},
        f"scheduleArn: '{SCHEDULE}/x' is not the ARN of a schedule; leave it out",
    ),
    "an unknown mode": (
        {"trainingMode": "AUTOTRAIN"},
        (
            "trainingMode: 'AUTOTRAIN' is neither 'FULL' nor 'UPDATE'; write one of them, or "
            "leave it out"
        ),
    ),
    "a dataset without a list": (
        {"datasets": "items"},
        f"datasets: 'items' {NO_LIST}",
    ),
    "no dataset": (
        {"datasets": []},
        f"datasets: [] {NO_LIST}",
    ),
    "an unknown dataset": (
        {"datasets": ["items", "item"]},
        "datasets: 'item' is unknown; did you mean 'items'?",
    ),
    "a dataset like no other": (
        {"datasets": [5]},
        "datasets: 5 is unknown; expected one of ['interactions', 'items']",
    ),
    "an unknown solution": (
        {"solutions": [f"{SOLUTION}s"]},
        f"solutions: '{SOLUTION}s' is unknown; did you mean '{SOLUTION}'?",
    ),
    "a day that does not exist": (
        {"exportDate": "2026-11-31", "datasets": ["items"]},
        "exportDate: '2026-11-31' is not a day, for example '2026-11-29'",
    ),
    "a day in another form, whatever the location": (
        {"exportDate": "20261129"},
        "exportDate: '20261129' is not a day, for example '2026-11-29'",
    ),
    "a day in the future": (
        {"exportDate": "2026-11-30", "datasets": ["items"]},
        "exportDate: '2026-11-30' is in the future; today is 2026-11-29 in UTC",
    ),
    "a day for a location without a day": (
        {"exportDate": "2026-11-22"},
        (
            "exportDate: the location of datasets.interactions, s3://exports/interactions.csv, "
            "does not contain {date}, so it has no export of an earlier day; choose the datasets "
            "with the key datasets, or write the earlier export to this location and start a run "
            "without exportDate"
        ),
    ),
    "a day without an import": (
        {"exportDate": "2026-11-22", "datasets": ["items"], "skipImport": True},
        "datasets: has no effect with skipImport; leave one of them out",
        "exportDate: has no effect with skipImport; leave one of them out",
    ),
    "the datasets of no import": (
        {"skipImport": True, "datasets": ["items"]},
        "datasets: has no effect with skipImport; leave one of them out",
    ),
    "a schedule without a scheduled time": (
        {"scheduleArn": SCHEDULE},
        "scheduleArn: has no effect without scheduledTime; leave it out",
    ),
    "trials with a choice": (
        {"trigger": "trial", "force": True},
        (
            "trigger: a run with 'trial' only finishes trials, so force would have no effect; "
            "leave it out"
        ),
    ),
    "a long value": (
        {"trainingMode": "F" * 1000},
        (
            f"trainingMode: '{'F' * 169}… (cut, 1,002 characters) is neither 'FULL' nor 'UPDATE'; "
            "write one of them, or leave it out"
        ),
    ),
    "a list": ([], "the input [] is not a JSON object; to retrain as configured, use {}"),
    "a text": ("{}", "the input '{}' is not a JSON object; to retrain as configured, use {}"),
}


@pytest.mark.parametrize("example", WRONG.values(), ids=WRONG)
def test_a_wrong_input_has_a_message(example):
    request, *messages = example
    assert problems(request) == messages


def test_all_problems_are_reported_at_once():
    request = {"trigger": "x", "skipImport": 0, "trainingMode": 1, "datasets": {}, "more": []}
    assert [problem.split(":")[0] for problem in problems(request)] == [
        "key",
        "skipImport",
        "trigger",
        "trainingMode",
        "datasets",
    ]


@given(JSON | st.dictionaries(st.sampled_from(KEYS), JSON | TIMES))
def test_any_json_is_checked_and_has_a_run_id(execution_input):
    found = problems(execution_input)
    assert all(isinstance(problem, str) for problem in found)
    assert run_of(configured(execution_input))["id"], "the report of a refused run has an id too"
