"""Tests of the input of an execution: what is accepted, and the message about each mistake."""

import json

from hypothesis import given
from hypothesis import strategies as st

from functions.run.execution_data import identify_run
from functions.run.execution_input import (
    REQUEST_KEYS,
    find_input_problems,
)
from tests.functions import samples as s
from tests.functions.samples import (
    OTHER_SOLUTION,
    SCHEDULE,
    SOLUTION,
    configured,
    dataset_settings,
    items_settings,
    solution_settings,
)

SETTINGS = s.settings(
    datasets=[dataset_settings(), items_settings(dataLocation="s3://exports/items/{date}/")],
    solutions=[solution_settings(), solution_settings(solutionArn=OTHER_SOLUTION)],
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
TIMES = st.datetimes().map(str) | st.datetimes(timezones=st.timezones()).map(str)


def problems(request):
    """Return the problems of an input of an execution with these SETTINGS."""
    return [*map(str, find_input_problems(SETTINGS, configured(request)["run"]))]


def test_golden_problems_of_inputs(golden):
    """A question is an input as JSON."""
    arns = {"SOLUTION": SOLUTION.rpartition("/")[0], "SCHEDULE": SCHEDULE.partition("/")[0]}

    def answer(line):
        for name, arn in arns.items():
            line = line.replace(name, arn)
        texts = "\n".join(problems(json.loads(line)))
        for name, arn in arns.items():
            texts = texts.replace(arn, name)

        return texts.splitlines()

    golden.answers("inputs.txt", answer)


def test_every_key_may_be_null():
    assert problems(dict.fromkeys(REQUEST_KEYS)) == []


def test_a_pipeline_without_solutions_trains_none():
    settings = {**SETTINGS, "solutions": []}
    request = {"skipImport": True, "solutions": ["x"]}
    found = find_input_problems(settings, configured(request)["run"])
    reason = "has no effect, because this stack only imports: it has no solutions; leave it out"

    assert [*map(str, found)] == [f"skipImport: {reason}", f"solutions: {reason}"]
    assert find_input_problems(settings, configured({"skipImport": False})["run"]) == []


def test_a_pipeline_without_datasets_imports_none():
    settings = {**SETTINGS, "datasets": []}
    reason = "has no effect, because this stack imports nothing: it has no datasets; leave it out"
    for key, value in {"skipImport": True, "datasets": ["items"]}.items():
        (found,) = find_input_problems(settings, configured({key: value})["run"])
        assert str(found) == f"{key}: {reason}"

    assert find_input_problems(settings, configured({"solutions": [SOLUTION]})["run"]) == []


@given(JSON | st.dictionaries(st.sampled_from(REQUEST_KEYS), JSON | TIMES))
def test_any_json_is_checked_and_has_a_run_id(execution_input):
    assert all(isinstance(problem, str) for problem in problems(execution_input))
    run = identify_run(configured(execution_input)["run"])
    assert run["id"], "the report of a refused run has an id too"
