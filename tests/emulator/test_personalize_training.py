"""Proves that the emulator's models learn: from structure, from nothing else, and quickly."""

import time

import pytest
from personalize_world import World, interactions

from emulator.personalize.recipes import RECIPES
from emulator.personalize.tables import IDENTITY, RowSchema, Table, read_csv
from emulator.personalize.training import train
from retrain.rehearsal.data.sample_data import sample_data, schema, shuffled, to_csv

NDCG = "normalized_discounted_cumulative_gain_at_10"
BY_NAME = {recipe.name: recipe for recipe in RECIPES}


def table(data, kind="INTERACTIONS"):
    rows = RowSchema.parse(schema(kind))
    return Table(rows.names).with_rows(read_csv("file.csv", data, rows), IDENTITY[kind])


def model(data, recipe="aws-user-personalization", kind="INTERACTIONS"):
    return train(table(data, kind), BY_NAME[recipe])


def test_the_same_data_give_the_same_metrics():
    assert model(interactions()).metrics == model(interactions()).metrics


def test_the_order_of_the_rows_does_not_matter():
    header, *lines = interactions().splitlines(keepends=True)
    turned = b"".join([header, *reversed(lines)])
    assert model(turned).metrics == model(interactions()).metrics, "time decides, not the file"


def test_shuffling_the_users_histories_at_least_halves_ndcg_at_10():
    learnt = model(interactions()).metrics[NDCG]
    chance = model(shuffled(interactions())).metrics[NDCG]
    assert learnt > 0.2, "there is something to learn"
    assert chance <= learnt / 2


def test_neighbours_foresee_more_than_popularity():
    popular = model(interactions(), "aws-popularity-count").metrics
    personal = model(interactions()).metrics
    assert popular[NDCG] < personal[NDCG] / 2
    assert popular["coverage"] < personal["coverage"], "popularity shows the same few to everybody"


def test_metrics_are_shares_and_deeper_looks_find_more():
    metrics = model(interactions()).metrics
    assert all(0 < value <= 1 for value in metrics.values())
    gains = [metrics[f"normalized_discounted_cumulative_gain_at_{k}"] for k in (5, 10, 25)]
    assert gains == sorted(gains)


def test_metrics_of_a_model_that_foresees_everything_are_one():
    rows = []
    for user in range(40):
        first = 100 * (user % 2)
        rows += [(f"user-{user}", f"film-{first + n:03}", "watch", n) for n in range(30)]
    data = to_csv(("USER_ID", "ITEM_ID", "EVENT_TYPE", "TIMESTAMP"), rows)
    metrics = model(data).metrics
    assert metrics == {
        "coverage": 0.8333,
        "mean_reciprocal_rank_at_25": 1.0,
        "normalized_discounted_cumulative_gain_at_5": 1.0,
        "precision_at_5": 0.6,
        "normalized_discounted_cumulative_gain_at_10": 1.0,
        "precision_at_10": 0.3,
        "normalized_discounted_cumulative_gain_at_25": 1.0,
        "precision_at_25": 0.12,
    }, "two groups of users, each of which sees the same 30 of 60 films; the last 3 are hidden"


def test_recommendations_are_new_to_the_user_and_to_their_taste():
    trained = model(interactions())
    genre = {
        line.split(",")[0]: line.split(",")[2]
        for line in sample_data()["ITEMS"].decode().splitlines()[1:]
    }
    user = "user-007"
    seen = [trained.items[i] for i in trained.histories[user]]
    favourites = max(map(genre.get, seen), key=[genre[i] for i in seen].count)
    best = list(trained.for_user(user))[:10]
    assert not set(best) & set(seen), "nothing that was watched already"
    assert [genre[item] for item in best].count(favourites) >= 4


def test_the_next_part_of_a_series_is_the_most_similar_item():
    trained = model(interactions(), "aws-similar-items")
    (best, *_) = trained.for_item("film-001")
    assert best == "film-002", "The Lost Island II"


def test_actions_are_learnt_from_action_interactions():
    data = sample_data()["ACTION_INTERACTIONS"]
    trained = model(data, "aws-next-best-action", "ACTION_INTERACTIONS")
    assert len(trained.items) == 8
    assert trained.metrics[NDCG] > 0


def test_training_30000_interactions_takes_well_under_two_seconds():
    rows = [
        (f"user-{i % 500}", f"film-{(i * 7919 + i // 500) % 300}", "watch", i)
        for i in range(30_000)
    ]
    data = table(to_csv(("USER_ID", "ITEM_ID", "EVENT_TYPE", "TIMESTAMP"), rows))
    train(data, BY_NAME["aws-user-personalization"])  # the libraries are imported
    started = time.perf_counter()
    train(data, BY_NAME["aws-user-personalization"])
    assert len(data) == 30_000
    assert time.perf_counter() - started < 2, "seconds; about 0.1 on an idle machine"


@pytest.mark.parametrize("days", [60, 74])
def test_get_solution_metrics_gives_the_models_metrics(days):
    world = World()
    group = world.group()
    data = sample_data(days)["INTERACTIONS"]
    world.put("interactions.csv", data)
    world.imported(world.dataset(group), "first")
    version = world.version(world.solution(group))
    answer = world.client.get_solution_metrics(solutionVersionArn=version)
    assert answer["metrics"] == model(data).metrics
