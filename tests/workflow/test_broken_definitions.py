"""Proves that mistakes in a definition are found."""

import pytest

from tests.definitions import MAX_STATE_NAME_CHARACTERS, problems

LONG = "x" * (MAX_STATE_NAME_CHARACTERS + 1)
END = {"Type": "Succeed"}
CHOICE = {"Type": "Choice", "Choices": [{"Next": "End"}]}


def to(next_state, **fields):
    """Return a state that is followed by another one."""
    return {"Type": "Pass", "Next": next_state, **fields}


def map_of(**states):
    """Return a Map over states. It begins with `In`, and is followed by End."""
    return to("End", ItemProcessor={"StartAt": "In", "States": states})


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ({"Begin": to("End"), "End": END}, []),
        ({"Begin": map_of(In=to("Out"), Out=END), "End": END}, []),
        (
            {"Begin": to("Ende"), "End": END},
            ["'Ende' is no state of its machine", "'End' is not reachable"],
        ),
        (
            {"Begin": to("End", Catch=[{"Next": "No"}]), "End": END},
            ["'No' is no state of its machine"],
        ),
        ({"Begin": CHOICE, "End": END}, ["'Begin' has no Default"]),
        ({"Begin": {**CHOICE, "Default": "No"}, "End": END}, ["'No' is no state of its machine"]),
        ({"Begin": to(LONG), LONG: END}, [f"'{LONG}' is too long"]),
        ({"Begin": map_of(In=to("End"), End=END), "End": END}, ["'End' is the name of two states"]),
        ({"Begin": map_of(In=to("End")), "End": END}, ["'End' is no state of its machine"]),
        ({}, ["'Begin' is no state of its machine"]),
    ],
)
def test_the_problems_of_a_definition_are_found(states, expected):
    assert problems({"StartAt": "Begin", "States": states}) == expected
