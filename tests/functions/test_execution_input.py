"""Tests of the input of an execution: what is accepted, and the message about each mistake."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.execution_input import KEYS, input_problems
from functions.executions import run_of
from tests.functions import samples as s

SETTINGS = s.settings(
    datasets=[s.dataset_settings(), s.items_settings(dataLocation="s3://exports/items/{date}/")],
    solutions=[s.solution_settings(), s.solution_settings(solutionArn=s.OTHER_SOLUTION)],
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
TIMES = st.datetimes().map(str) | st.datetimes(timezones=st.timezones()).map(str)


def problems(request):
    """Return the problems of an input of an execution with these SETTINGS."""
    return input_problems(SETTINGS, s.configured(request)["run"])


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {**s.SCHEDULED, "scheduleArn": s.SCHEDULE},
        {"skipImport": True, "force": False},
        {"datasets": ["items"], "solutions": [s.OTHER_SOLUTION, s.SOLUTION]},
        {"only": "trials"},
        {"only": "deployments"},
        {"trigger": "export", "day": "2026-11-30"},
        {"skipImport": False, "datasets": ["items"], "force": True},
        {"exportDate": "2026-11-29"},
        dict.fromkeys(KEYS),
    ],
    ids=json.dumps,
)
def test_a_correct_input_has_no_problems(request_):
    assert problems(request_) == []


NO_CHOICE = "use one of them or omit it"
NO_TIME = 'is not a time with a zone, for example "2026-11-29T03:00:00Z"'
NO_SCHEDULE = "is not the ARN of a schedule; leave it out"
NO_LIST = 'is not a list of one or more of ["interactions", "items"]'
WRONG = {
    "an unknown key": (
        {"skipimport": True},
        'key: "skipimport" is unknown; did you mean "skipImport"?',
    ),
    "a key like no other": (
        {"x": 1},
        (
            'key: "x" is unknown; expected one of ["skipImport", "datasets", "solutions", '
            '"exportDate", "force"]'
        ),
    ),
    "a flag that is text": (
        {"skipImport": "true"},
        f'skipImport: "true" is not one of true, false; {NO_CHOICE}',
    ),
    "a flag that is a number": ({"force": 1}, f"force: 1 is not one of true, false; {NO_CHOICE}"),
    "an unknown trigger": (
        {"trigger": "cron"},
        f'trigger: "cron" is not one of "schedule", "export"; {NO_CHOICE}',
    ),
    "a long value": (
        {"only": "F" * 1000},
        (
            f'only: "{"F" * 168}… (cut, 1,002 characters) is not one of "trials", "deployments"; '
            f"{NO_CHOICE}"
        ),
    ),
    "a schedule without a time": ({"trigger": "schedule"}, f"scheduledTime: null {NO_TIME}"),
    **{
        f"{key}: {value}": ({key: value}, f"{key}: {json.dumps(value)} {mistake}")
        for key, mistake, values in (
            ("scheduledTime", NO_TIME, ("<aws.scheduler.scheduled-time>", "2026-11-29T03:00:00")),
            ("scheduledTime", NO_TIME, ("0001-01-01T00:00:00+10:00",)),
            (
                "scheduleArn",
                NO_SCHEDULE,
                ("x", 5, [["a/b/c"]], f"{s.SCHEDULE}/more", f"{s.SCHEDULE}é"),
            ),
            ("exportDate", 'is not a day, for example "2026-11-29"', ("2026-11-31", "20261129")),
        )
        for value in values
    },
    "a dataset without a list": ({"datasets": "items"}, f'datasets: "items" {NO_LIST}'),
    "no dataset": ({"datasets": []}, f"datasets: [] {NO_LIST}"),
    "an unknown dataset": (
        {"datasets": ["items", "item"]},
        'datasets: "item" is unknown; did you mean "items"?',
    ),
    "a dataset like no other": (
        {"datasets": [5]},
        'datasets: 5 is unknown; expected one of ["interactions", "items"]',
    ),
    "an unknown solution": (
        {"solutions": [f"{s.SOLUTION}s"]},
        f'solutions: "{s.SOLUTION}s" is unknown; did you mean "{s.SOLUTION}"?',
    ),
    "a day in the future": (
        {"exportDate": "2026-11-30"},
        "exportDate: 2026-11-30 is in the future; today is 2026-11-29 in UTC",
    ),
    "a marker of the day after tomorrow": (
        {"trigger": "export", "day": "2026-12-01"},
        "day: 2026-12-01 is in the future; today is 2026-11-29 in UTC",
    ),
    "a day for locations without a day": (
        {"exportDate": "2026-11-22", "datasets": ["interactions"]},
        (
            "exportDate: no location contains {date}, so there is no export of an earlier day; "
            "write the earlier export to its location, and start a run without exportDate"
        ),
    ),
    "a day without an import": (
        {"exportDate": "2026-11-22", "datasets": ["items"], "skipImport": True},
        (
            "skipImport: nothing is imported, so datasets, exportDate would have no effect; "
            "leave it out"
        ),
    ),
    "a list": ([], "the input [] is not a JSON object; to retrain as configured, use {}"),
    "a text": ("{}", 'the input "{}" is not a JSON object; to retrain as configured, use {}'),
}


@pytest.mark.parametrize(("request_", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_input_has_a_message(request_, message):
    assert problems(request_) == [message]


def test_a_pipeline_without_solutions_knows_none():
    settings = {**SETTINGS, "solutions": []}
    found = input_problems(settings, s.configured({"solutions": ["x"]})["run"])
    assert found == ['solutions: "x" is unknown; there are none']


def test_all_problems_are_reported_at_once():
    request = {"trigger": "x", "skipImport": 0, "force": 1, "datasets": {}, "more": []}
    found = [problem.split(":")[0] for problem in problems(request)]
    assert found == ["key", "trigger", "skipImport", "force", "datasets"]


@given(JSON | st.dictionaries(st.sampled_from(KEYS), JSON | TIMES))
def test_any_json_is_checked_and_has_a_run_id(execution_input):
    assert all(isinstance(problem, str) for problem in problems(execution_input))
    run = run_of(s.configured(execution_input)["run"])
    assert run["id"], "the report of a refused run has an id too"
