"""`problems` finds every mistake in a definition."""

import copy

import pytest

from components.state_machine.asl import MAX_STATE_NAME_CHARACTERS, machines, problems
from tests.workflow.pipeline import definition_of
from tests.world import MOVIES

DEFINITION = definition_of(MOVIES)


def small_definition(**changes):
    """Return a correct definition of three states, with some of the states changed or added."""
    states = {
        "Begin": {"Type": "Pass", "Next": "Choose"},
        "Choose": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.x", "IsNull": True, "Next": "End"}],
            "Default": "End",
        },
        "End": {"Type": "Succeed"},
    }
    return {"StartAt": "Begin", "States": {**states, **changes}}


def test_a_correct_definition_has_no_problems():
    assert problems(small_definition()) == []


LONG = "x" * (MAX_STATE_NAME_CHARACTERS + 1)
INNER = {"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        (
            small_definition(Begin={"Type": "Pass", "Next": "Chose"}),
            [
                (
                    "'Begin' has the next state 'Chose', which its machine does not have; "
                    "correct the name, or add the state"
                ),
                "'Choose' is not the next state of any state that runs; connect it, or remove it",
                "'End' is not the next state of any state that runs; connect it, or remove it",
            ],
        ),
        (
            {**small_definition(), "StartAt": "Start"},
            [
                "StartAt is 'Start', which is not a state; correct the name, or add the state",
                "'Begin' is not the next state of any state that runs; connect it, or remove it",
                "'Choose' is not the next state of any state that runs; connect it, or remove it",
                "'End' is not the next state of any state that runs; connect it, or remove it",
            ],
        ),
        (
            {"States": {}},
            ["StartAt is 'None', which is not a state; correct the name, or add the state"],
        ),
        (
            small_definition(Extra={"Type": "Succeed"}),
            ["'Extra' is not the next state of any state that runs; connect it, or remove it"],
        ),
        (
            small_definition(
                Choose={"Type": "Choice", "Choices": [{"IsNull": True, "Next": "End"}]}
            ),
            ["'Choose' is a Choice without a Default; add the Default"],
        ),
        (
            small_definition(
                Choose={"Type": "Choice", "Choices": [{"Next": "Gone"}], "Default": "End"}
            ),
            [
                (
                    "'Choose' has the next state 'Gone', which its machine does not have; "
                    "correct the name, or add the state"
                )
            ],
        ),
        (
            small_definition(Begin={"Type": "Task", "Catch": [{"Next": "Gone"}], "Next": "Choose"}),
            [
                (
                    "'Begin' has the next state 'Gone', which its machine does not have; "
                    "correct the name, or add the state"
                )
            ],
        ),
        (
            small_definition(
                Begin={"Type": "Pass", "Next": LONG}, **{LONG: {"Type": "Pass", "Next": "Choose"}}
            ),
            [f"'{LONG}' has 81 characters; shorten it to 80 or less"],
        ),
        (
            small_definition(Begin={"Type": "Map", "ItemProcessor": INNER, "Next": "Choose"}),
            ["'End' is the name of two states; rename one of them"],
        ),
        (
            small_definition(
                Begin={
                    "Type": "Map",
                    "ItemProcessor": {
                        "StartAt": "In",
                        "States": {"In": {"Type": "Pass", "Next": "End"}},
                    },
                    "Next": "Choose",
                }
            ),
            [
                (
                    "'In' has the next state 'End', which its machine does not have; "
                    "correct the name, or add the state"
                )
            ],
        ),
    ],
    ids=[
        "Next names no state",
        "StartAt names no state",
        "no states",
        "unreachable state",
        "Choice without Default",
        "rule of a Choice names no state",
        "Catch names no state",
        "name too long",
        "name used twice",
        "Next leads out of a Map",
    ],
)
def test_the_problems_of_a_definition_are_described(definition, expected):
    assert problems(definition) == expected


def references(machine):
    """Yield the state and the key of every reference to another state."""
    for state in machine["States"].values():
        for key in ("Next", "Default"):
            if key in state:
                yield state, key
        for rule in (*state.get("Catch", ()), *state.get("Choices", ())):
            yield rule, "Next"


def test_every_reference_to_a_missing_state_is_a_problem():
    definition = copy.deepcopy(DEFINITION)
    for machine in machines(definition):
        for owner, key in references(machine):
            target, owner[key] = owner[key], "Nowhere"
            assert any("'Nowhere'" in problem for problem in problems(definition)), target
            owner[key] = target
    assert problems(definition) == [], "every reference is restored"


def test_every_missing_state_is_a_problem():
    definition = copy.deepcopy(DEFINITION)
    for machine in machines(definition):
        for name in list(machine["States"]):
            states = dict(machine["States"])
            del machine["States"][name]
            assert any(f"{name!r}" in problem for problem in problems(definition)), name
            machine["States"] = states
