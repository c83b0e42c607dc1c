"""Proves that the models learn from structure in the data."""

from datetime import date

import pytest
from personalize_world import FIRST_TIME, INTERACTION_COLUMNS, interactions

from emulator.personalize.csv_files import read_csv
from emulator.personalize.recipes import RECIPES
from emulator.personalize.tables import IDENTITY_FIELDS, Table, parse_schema
from emulator.personalize.training import train
from retrain.rehearsal.data import damage_export, to_csv
from tests.sample_data import sample_data

NDCG = "normalized_discounted_cumulative_gain_at_10"
TODAY = date(2026, 11, 1)
RECIPE_BY_NAME = {recipe.name: recipe for recipe in RECIPES.values()}


def table(csv, dataset_type="INTERACTIONS"):
    columns = parse_schema(sample_data().schemas[dataset_type])
    rows = read_csv("file.csv", csv, columns, TODAY).rows
    return Table(tuple(column.name for column in columns)).with_rows(
        rows, IDENTITY_FIELDS[dataset_type]
    )


def trained(csv, recipe="aws-user-personalization", dataset_type="INTERACTIONS"):
    return train(table(csv, dataset_type), RECIPE_BY_NAME[recipe])


@pytest.fixture(scope="module")
def model():
    """The model of the sample data."""
    return trained(interactions())


def test_the_same_data_give_the_same_metrics_in_any_order_of_rows(model):
    header, *lines = interactions().splitlines(keepends=True)
    reversed_csv = b"".join([header, *reversed(lines)])
    assert trained(interactions()).metrics == model.metrics
    assert trained(reversed_csv).metrics == model.metrics, "only the timestamps count"


def test_shuffling_the_histories_at_least_halves_ndcg_at_10(model):
    assert model.metrics[NDCG] > 0.2, "there is something to learn"
    assert (
        trained(damage_export("shuffled", interactions())).metrics[NDCG] <= model.metrics[NDCG] / 2
    )


def test_neighbours_predict_more_than_popularity(model):
    popularity = trained(interactions(), "aws-popularity-count").metrics
    assert popularity[NDCG] < model.metrics[NDCG] / 2
    assert popularity["coverage"] < model.metrics["coverage"], "it recommends few items to all"


def test_metrics_of_perfect_predictions_are_1():
    rows = [
        (f"user-{user}", f"film-{100 * (user % 2) + film:03}", "watch", FIRST_TIME + film)
        for user in range(40)
        for film in range(30)
    ]

    assert trained(to_csv(INTERACTION_COLUMNS, rows)).metrics == {
        "coverage": 0.8333,
        "mean_reciprocal_rank_at_25": 1.0,
        "normalized_discounted_cumulative_gain_at_5": 1.0,
        "precision_at_5": 0.6,
        "normalized_discounted_cumulative_gain_at_10": 1.0,
        "precision_at_10": 0.3,
        "normalized_discounted_cumulative_gain_at_25": 1.0,
        "precision_at_25": 0.12,
    }, "two groups of users, each with 30 of 60 films, of which the last 3 are hidden"


def test_recommendations_are_new_to_the_user_and_of_the_favourite_genre(model):
    lines = sample_data().newer["ITEMS"].decode().splitlines()[1:]
    genres = {line.split(",")[0]: line.split(",")[2] for line in lines}
    watched = [model.items[position] for position in model.histories["user-003"]]
    watched_genres = [genres[item] for item in watched]
    favourite = max(watched_genres, key=watched_genres.count)
    recommended = list(model.recommend_to_user("user-003"))[:10]

    assert not set(recommended) & set(watched)
    assert [genres[item] for item in recommended].count(favourite) >= 4
