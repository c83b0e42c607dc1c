"""Definitions that are not sound, and the words in which each is refused."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.state_machine.asl import LONGEST_STATE_NAME, machines, problems
from tests.workflow.pipeline import definition_of
from tests.world import MOVIES

DEFINITION = definition_of(MOVIES)


def targets():
    """Give every place in the definition that names a state: (machine, state, path to it)."""
    for number, machine in enumerate(machines(DEFINITION)):
        for name, state in machine["States"].items():
            for key in ("Next", "Default"):
                if key in state:
                    yield number, name, (key,)
            for key in ("Catch", "Choices"):
                for index, _ in enumerate(state.get(key, ())):
                    yield number, name, (key, index, "Next")


def small(**changed):
    """Give a sound machine of three states with some of them changed; None takes one away."""
    made = {
        "Begin": {"Type": "Pass", "Next": "Choose"},
        "Choose": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.x", "IsNull": True, "Next": "End"}],
            "Default": "End",
        },
        "End": {"Type": "Succeed"},
    }
    made = {name: state for name, state in {**made, **changed}.items() if state}
    return {"StartAt": "Begin", "States": made}


def test_a_small_machine_is_sound():
    assert problems(small()) == []


LONG = "x" * (LONGEST_STATE_NAME + 1)
INNER = {"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}


@pytest.mark.parametrize(
    ("broken", "found"),
    [
        (
            small(Begin={"Type": "Pass", "Next": "Chose"}),
            [
                "'Begin' goes on to 'Chose', which is no state of this machine",
                "'Choose' cannot be reached",
                "'End' cannot be reached",
            ],
        ),
        (
            {**small(), "StartAt": "Start"},
            [
                "StartAt names 'Start', which is no state",
                "'Begin' cannot be reached",
                "'Choose' cannot be reached",
                "'End' cannot be reached",
            ],
        ),
        ({"States": {}}, ["StartAt names 'None', which is no state"]),
        (small(Extra={"Type": "Succeed"}), ["'Extra' cannot be reached"]),
        (
            small(Choose={"Type": "Choice", "Choices": [{"IsNull": True, "Next": "End"}]}),
            ["'Choose' is a Choice without a Default"],
        ),
        (
            small(Choose={"Type": "Choice", "Choices": [{"Next": "Gone"}], "Default": "End"}),
            ["'Choose' goes on to 'Gone', which is no state of this machine"],
        ),
        (
            small(Begin={"Type": "Task", "Catch": [{"Next": "Gone"}], "Next": "Choose"}),
            ["'Begin' goes on to 'Gone', which is no state of this machine"],
        ),
        (
            small(
                Begin={"Type": "Pass", "Next": LONG}, **{LONG: {"Type": "Pass", "Next": "Choose"}}
            ),
            [f"'{LONG}' has 81 characters; at most 80 are allowed"],
        ),
        (
            small(Begin={"Type": "Map", "ItemProcessor": INNER, "Next": "Choose"}),
            ["'End' is the name of two states"],
        ),
        (
            small(
                Begin={
                    "Type": "Map",
                    "ItemProcessor": {
                        "StartAt": "In",
                        "States": {"In": {"Type": "Pass", "Next": "End"}},
                    },
                    "Next": "Choose",
                }
            ),
            ["'In' goes on to 'End', which is no state of this machine"],
        ),
    ],
    ids=[
        "a Next that dangles",
        "a start that is no state",
        "no start and no states",
        "a state that nothing leads to",
        "a Choice without Default",
        "a rule of a Choice that dangles",
        "a Catch that dangles",
        "a name that is too long",
        "a name that is used twice",
        "a way out of a Map",
    ],
)
def test_a_broken_definition_is_told_in_words(broken, found):
    assert problems(broken) == found


@given(where=st.sampled_from(list(targets())), target=st.text(max_size=90))
def test_every_reference_that_dangles_is_found(where, target):
    number, name, path = where
    broken = copy.deepcopy(DEFINITION)
    machine = list(machines(broken))[number]
    if target in machine["States"]:
        return
    at = machine["States"][name]
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = target
    assert f"{name!r} goes on to {target!r}, which is no state of this machine" in problems(broken)


@given(st.data())
def test_every_state_that_is_missing_is_found(data):
    broken = copy.deepcopy(DEFINITION)
    machine = data.draw(st.sampled_from(list(machines(broken))))
    name = data.draw(st.sampled_from(list(machine["States"])))
    del machine["States"][name]
    assert any(f"{name!r}, which is no state" in problem for problem in problems(broken)), name
