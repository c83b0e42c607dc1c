"""Proves that messages about the input of a run name the options of the commands."""

import pytest

from retrain.account.option_words import in_words_of_options, with_solution_arns
from tests.program.sample_stack import SOLUTION

MESSAGES = {
    "datasets: has no effect with skipImport; leave it out": (
        "--dataset: has no effect with --skip-import; leave it out"
    ),
    "movies: trainingMode UPDATE needs data": "movies: trainingMode UPDATE needs data",
    "datasets: leave it out, or use exportDate": "--dataset: leave it out, or use --export-date",
    "only: such a run neither imports nor trains, so trigger, force would have no effect": (
        "only: such a run neither imports nor trains, so trigger, --force would have no effect"
    ),
    f'solutions: "movie" is unknown; expected one of ["{SOLUTION}", "{SOLUTION}-2"]': (
        '--solution: "movie" is unknown; did you mean "movies-for-you"?'
    ),
    f'solutions: "{SOLUTION}s" is unknown; did you mean "{SOLUTION}"?': (
        f'--solution: "{SOLUTION}s" is unknown; did you mean "movies-for-you"?'
    ),
    f'solutions: "xyz" is unknown; expected one of ["{SOLUTION}", "{SOLUTION}-2"]': (
        '--solution: "xyz" is unknown; name one of movies-for-you, movies-for-you-2'
    ),
    "a solution of the datasets force": "a solution of the datasets force",
}


@pytest.mark.parametrize(("message", "text"), MESSAGES.items())
def test_a_message_names_the_options(message, text):
    assert in_words_of_options(message) == text, "an input is a matter of the state machine"


def test_a_solution_may_be_named_without_its_arn():
    settings = {"solutions": [{"solutionArn": SOLUTION}]}
    name = SOLUTION.rpartition("/")[2]
    assert with_solution_arns(settings, {"force": True}) == {"force": True}
    assert with_solution_arns(settings, {"solutions": [name, SOLUTION, "unknown"]}) == {
        "solutions": [SOLUTION, SOLUTION, "unknown"]
    }, "an unknown name is refused with the other errors of the input"
