"""The table of recipes, compared with the emulator's and with the metrics that a gate may have."""

import pytest

from components.rules.single_settings import METRIC_NAMES
from emulator.personalize.batch_jobs import REQUIRED_INPUT_KEYS
from emulator.personalize.recipes import ALL_RECIPES
from emulator.personalize.runtime import OPERATION_BY_RECIPE_TYPE
from functions.rules.recipes import RECIPES, find_recipe, has_segment_jobs

SEGMENTS = ("aws-item-affinity", "aws-item-attribute-affinity")
NBA = "aws-next-best-action"
TRENDING = "aws-trending-now"
SEMANTIC = "aws-semantic-similarity"


@pytest.mark.parametrize("recipe", ALL_RECIPES, ids=lambda recipe: recipe.name)
def test_the_emulator_has_the_same_recipes_with_the_same_facts(recipe):
    known = RECIPES[recipe.name]
    assert known.operation == OPERATION_BY_RECIPE_TYPE.get(recipe.type)
    assert ("trainingMode UPDATE" in known.features) == recipe.updatable
    if recipe.name not in (TRENDING, SEGMENTS[1]):  # the emulator has no batch jobs of these
        assert known.batch_line_keys == REQUIRED_INPUT_KEYS.get(recipe.type, ())


def test_the_emulator_lacks_no_recipe():
    assert RECIPES.keys() == {recipe.name for recipe in ALL_RECIPES}


def test_only_a_known_recipe_has_facts():
    assert find_recipe("aws-sims") is RECIPES["aws-sims"]
    assert (find_recipe(None), find_recipe(""), find_recipe("aws-new")) == (None, None, None)
    assert [name for name in (*RECIPES, "aws-new", None) if has_segment_jobs(name)] == [*SEGMENTS]


@pytest.mark.parametrize(
    "metric, recipes",
    [
        *((name, RECIPES.keys() - {*SEGMENTS, NBA}) for name in METRIC_NAMES[1:2]),
        *((name, RECIPES.keys()) for name in METRIC_NAMES[2:5]),
        *((name, RECIPES.keys() - {NBA}) for name in METRIC_NAMES[5:8]),
        ("coverage", RECIPES.keys()),
        ("average_rewards_at_k", RECIPES.keys() - {*SEGMENTS, NBA}),
        ("trend_prediction_accuracy", {TRENDING, SEMANTIC}),
        ("hit_at_k", {*SEGMENTS, SEMANTIC}),
        ("hit", {*SEGMENTS, SEMANTIC}),
        ("recall", {*SEGMENTS, SEMANTIC, NBA}),
        ("precision", {SEMANTIC, NBA}),
        ("auc", {SEMANTIC, NBA}),
        ("item_freshness", {SEMANTIC}),
    ],
)
def test_a_recipe_lacks_the_metrics_that_the_guide_gives_to_others_only(metric, recipes):
    """The guide does not list the metrics of the recipe for semantic similarity."""
    assert {name for name in RECIPES if not RECIPES[name].lacks_metric(metric)} == {*recipes}
