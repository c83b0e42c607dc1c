"""Tests of the guards that compare the settings of a solution with its recipe."""

import pytest

from functions.planning.recipe_guards import (
    deaf_alarms,
    missing_metrics,
    unanswered_probes,
    unknown_recipe,
    unsupported_settings,
)
from tests.functions import samples as s

NEW = "aws-of-next-year"
V2 = "aws-user-personalization-v2"


def about(guard, recipe, **settings):
    """Return the messages of a guard about a solution with this recipe and these settings."""
    resource = s.solution_resource(recipeArn=f"arn:aws:personalize:::recipe/{recipe}")
    if recipe is None:
        del resource["recipeArn"]
    solution = s.solution_settings(**settings)
    assert s.messages(guard, solution=solution, solutions={}) == [], "its recipe is not known"
    return s.messages(guard, solution=solution, solutions={s.SOLUTION: resource})


@pytest.mark.parametrize(
    ("recipe", "name"), [(NEW, NEW), (None, "of AutoML"), (V2, None), ("aws-hrnn", None)]
)
def test_a_recipe_that_is_not_in_the_table_is_a_warning(recipe, name):
    message = (
        f"{s.SOLUTION}: this program does not know its recipe {name}, so nothing has checked "
        "whether the recipe fits the trainingMode, probes, createAlarms, qualityGate and "
        "batchJobs; compare them with AWS's guide"
    )
    assert about(unknown_recipe, recipe) == ([message] if name else [])


# Settings that only some recipes support

JOB = {"input": "s3://exports/u.json", "output": "s3://exports/out/"}
THEMES = {**JOB, "themes": "TITLE"}
EXPLORATION = {**JOB, "explorationWeight": 0, "explorationItemAgeCutOff": 30.0}


def needs(setting, recipe, able):
    return (
        f"{s.SOLUTION}: {setting} needs the recipe {able}, but this solution has the recipe "
        f"{recipe}; remove the setting"
    )


@pytest.mark.parametrize("recipe", [V2, "aws-sims", "aws-item-affinity", "aws-similar-items", NEW])
def test_an_update_needs_one_of_two_recipes(recipe):
    able = "aws-user-personalization or aws-hrnn-coldstart"
    expected = [] if recipe == NEW else [needs("trainingMode UPDATE", recipe, able)]
    assert about(unsupported_settings, recipe, trainingMode="UPDATE") == expected
    assert about(unsupported_settings, recipe, trainingMode="FULL") == []
    for supporting in able.split(" or "):
        assert about(unsupported_settings, supporting, trainingMode="UPDATE") == []


@pytest.mark.parametrize(
    ("recipe", "has_themes", "has_exploration"),
    [
        ("aws-similar-items", True, False),
        ("aws-sims", False, False),
        ("aws-user-personalization", False, True),
        (V2, False, False),
        ("aws-item-affinity", False, False),
        (NEW, True, True),
    ],
)
def test_themes_and_exploration_are_refused_for_other_recipes(recipe, has_themes, has_exploration):
    themes = needs("themes", recipe, "aws-similar-items")
    found = about(unsupported_settings, recipe, batchJobs=[JOB, THEMES])
    assert found == ([] if has_themes else [themes])
    exploration = [
        needs(key, recipe, "aws-user-personalization")
        for key in ("explorationItemAgeCutOff", "explorationWeight")
    ]
    found = about(unsupported_settings, recipe, batchJobs=[EXPLORATION, JOB])
    assert found == ([] if has_exploration else exploration)


@pytest.mark.parametrize("recipe", ["aws-trending-now", "aws-next-best-action"])
def test_batch_jobs_of_a_recipe_without_them_are_refused(recipe):
    message = f"{s.SOLUTION}: its recipe {recipe} has no batch jobs; remove the batchJobs"
    assert about(unsupported_settings, recipe, batchJobs=[JOB, JOB]) == [message]
    assert about(unsupported_settings, recipe, batchJobs=[]) == []


# Metrics of the quality gate


def gate(*metrics):
    return [{"metric": metric, "maxDrop": 0.25} for metric in metrics]


@pytest.mark.parametrize(
    ("recipe", "metric", "known"),
    [
        ("aws-item-affinity", "mean_reciprocal_rank_at_25", "coverage"),
        ("aws-item-affinity", s.NDCG, None),
        ("aws-item-affinity", "recall_at_k", None),
        ("aws-next-best-action", "mean_reciprocal_rank_at_25", "coverage, normalized_"),
        ("aws-next-best-action", "auc", None),
        ("aws-sims", "trend_prediction_accuracy", "coverage, mean_reciprocal_rank_at_25, norm"),
        ("aws-trending-now", "trend_prediction_accuracy", None),
        ("aws-semantic-similarity", "trend_prediction_accuracy", None),
        (NEW, "hit", None),
    ],
)
def test_a_metric_that_no_version_of_the_recipe_has_is_refused(recipe, metric, known):
    found = about(missing_metrics, recipe, qualityGate=gate("coverage", metric))
    beginning = (
        f"{s.SOLUTION}: its qualityGate has the metric {metric}, which no version of the recipe "
        f"{recipe} has; use one of {known}"
    )
    assert [text.startswith(beginning) for text in found] == ([True] if known else [])
    assert [text.endswith(", or write 'qualityGateEnabled: false'") for text in found] == (
        [True] if known else []
    )


def test_a_gate_that_judges_nothing_may_have_any_metric():
    unused = {"qualityGate": gate("auc"), "campaigns": [], "batchJobs": []}
    assert about(missing_metrics, "aws-item-affinity", **unused) == []
    assert about(missing_metrics, "aws-item-affinity", **{**unused, "batchJobs": [JOB]}) != []


# Probes

USER = {"userId": "u1"}
ITEM = {"itemId": "i1"}
LIST = {**USER, "inputList": ["i1"]}
TAKE = "the probe has {}, but campaigns of the recipe {} take {}; correct the probe"
FOR_FILTER = "userId if its filter needs it"


@pytest.mark.parametrize(
    ("recipe", "probe", "given", "expected"),
    [
        ("aws-user-personalization", ITEM, "itemId", "userId"),
        ("aws-user-personalization", {**USER, **ITEM}, "userId and itemId", "userId"),
        ("aws-hrnn", {}, "no id", "userId"),
        (V2, LIST, "userId and inputList", "userId"),
        ("aws-similar-items", USER, "userId", f"itemId and {FOR_FILTER}"),
        ("aws-personalized-ranking-v2", USER, "userId", "userId and inputList"),
        ("aws-trending-now", ITEM, "itemId", FOR_FILTER),
        ("aws-user-personalization", USER, None, None),
        ("aws-sims", ITEM, None, None),
        ("aws-sims", {**ITEM, **USER}, None, None),
        ("aws-trending-now", {}, None, None),
        ("aws-popularity-count", USER, None, None),
        ("aws-personalized-ranking", LIST, None, None),
        ("aws-next-best-action", None, None, None),
        (NEW, ITEM, None, None),
    ],
)
def test_a_probe_that_does_not_fit_the_recipe_is_found(recipe, probe, given, expected):
    campaigns = [s.campaign_settings(probe=probe), s.campaign_settings()]
    message = f"{s.CAMPAIGN}: {TAKE.format(given, recipe, expected)}"
    found = about(unanswered_probes, recipe, campaigns=campaigns)
    assert found == ([message] if expected else [])


def test_no_probe_can_ask_for_actions():
    (message,) = about(
        unanswered_probes, "aws-next-best-action", campaigns=[s.campaign_settings(probe=USER)]
    )
    assert message == (
        f"{s.CAMPAIGN}: campaigns of the recipe aws-next-best-action do not answer a probe; remove "
        "the probe from the campaign"
    )


# Alarms of a bake

RECOMMENDATIONS, RANKING = "GetRecommendations", "GetPersonalizedRanking"
NO_METRIC = (
    "set createAlarms to false and list other alarms, because Personalize publishes no metric of "
    "this operation"
)


@pytest.mark.parametrize(
    ("recipe", "probe", "watched", "answered", "way_out"),
    [
        ("aws-personalized-ranking", None, RECOMMENDATIONS, RANKING, "give the campaign a probe "),
        ("aws-personalized-ranking", USER, RECOMMENDATIONS, RANKING, "give the campaign a probe "),
        (V2, LIST, RANKING, RECOMMENDATIONS, "remove the inputList from the probe"),
        ("aws-next-best-action", None, RECOMMENDATIONS, "GetActionRecommendations", NO_METRIC),
        ("aws-personalized-ranking", LIST, None, None, None),
        ("aws-sims", None, None, None, None),
        (V2, USER, None, None, None),
        (NEW, None, None, None, None),
    ],
)
def test_alarms_on_an_operation_that_campaigns_do_not_answer_are_found(
    recipe, probe, watched, answered, way_out
):
    bakes = ({"createAlarms": True}, {"createAlarms": False}, None)
    campaigns = [s.campaign_settings(probe=probe, bake=bake) for bake in bakes]
    found = about(deaf_alarms, recipe, campaigns=campaigns)
    beginning = (
        f"{s.CAMPAIGN}: createAlarms watches {watched}, but campaigns of the recipe {recipe} "
        f"answer {answered}; {way_out}"
    )
    assert [text.startswith(beginning) for text in found] == ([True] if watched else [])
