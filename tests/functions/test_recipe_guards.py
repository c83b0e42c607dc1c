"""Tests of the guards that compare the settings of a solution with its recipe."""

import json

from functions.planning import recipe_guards
from functions.planning.guards import Guard
from tests.functions import samples as s
from tests.functions.samples import (
    CAMPAIGN,
    SOLUTION,
    campaign_settings,
    solution_resource,
    solution_settings,
)

GUARDS = [guard for guard in vars(recipe_guards).values() if isinstance(guard, Guard)]
LOCATIONS = {"input": "s3://exports/u.json", "output": "s3://exports/out/"}


def messages(resources, **settings):
    """Return the messages of all guards about a solution with these settings."""
    solution = solution_settings(**settings)
    return [
        f"{guard.effect} {message}"
        for guard in GUARDS
        for message in s.messages(guard, solution=solution, solutions=resources)
    ]


def test_golden_messages_about_settings_and_recipes(golden):
    """A question is the name of a recipe, and the settings of a solution that has it."""

    def answer(line):
        recipe, _, settings = line.partition(" ")
        resource = solution_resource(recipeArn=f"arn:aws:personalize:::recipe/{recipe}")
        chosen = json.loads(settings)
        changes = {
            **chosen,
            "campaigns": [campaign_settings(**each) for each in chosen.get("campaigns", [{}])],
            "batchJobs": [{**LOCATIONS, **job} for job in chosen.get("batchJobs", [])],
        }
        assert messages({}, **changes) == [], "a solution that does not exist has no recipe"
        found = messages({SOLUTION: resource}, **changes)

        return [text.replace(SOLUTION, "taste").replace(CAMPAIGN, "home") for text in found]

    golden.answers("recipes.txt", answer)


def test_a_solution_of_automl_has_no_recipe_that_could_be_checked():
    resource = solution_resource()
    del resource["recipeArn"]
    (warning,) = messages({SOLUTION: resource}, trainingMode="UPDATE")

    assert "this program does not know its recipe of AutoML, so nothing has checked" in warning
