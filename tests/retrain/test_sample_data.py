"""Proves that the sample data are always the same, large enough, and useful for training."""

import csv
import io

import pytest

from retrain.rehearsal.data.sample_data import (
    DAYS,
    FIELDS,
    NEWER_DAYS,
    sample_data,
)
from retrain.rehearsal.data.spoiling import shuffled, truncated


@pytest.fixture(scope="module")
def data():
    return sample_data()


def rows(export):
    return list(csv.DictReader(io.StringIO(export.decode())))


def test_the_sample_data_depend_on_the_seed_only(data):
    assert sample_data.__wrapped__() == data, "without the cache"
    assert sample_data(seed=2) != data


def test_there_are_hundreds_of_users_and_items_and_more_than_ten_thousand_interactions(data):
    sizes = {kind: len(rows(export)) for kind, export in data.items()}
    assert (sizes["USERS"], sizes["ITEMS"], sizes["ACTIONS"]) == (500, 300, 8)
    assert 10_000 < sizes["INTERACTIONS"] < 20_000
    assert 1_000 < sizes["ACTION_INTERACTIONS"] < 10_000, "enough to train on"


def test_the_files_have_the_columns_of_the_schemas(data):
    assert {kind: tuple(rows(export)[0]) for kind, export in data.items()} == {
        kind: tuple(fields) for kind, fields in FIELDS.items()
    }


def test_each_pair_of_an_existing_user_and_item_has_at_most_one_interaction(data):
    watched = [(row["USER_ID"], row["ITEM_ID"]) for row in rows(data["INTERACTIONS"])]
    assert {user for user, _ in watched} <= {row["USER_ID"] for row in rows(data["USERS"])}
    assert {film for _, film in watched} <= {row["ITEM_ID"] for row in rows(data["ITEMS"])}
    assert len(set(watched)) == len(watched), "nobody watches a film twice"


def test_a_newer_export_has_all_rows_of_the_older_export_and_more(data):
    older, newer = rows(data["INTERACTIONS"]), rows(sample_data(NEWER_DAYS)["INTERACTIONS"])
    assert newer[: len(older)] == older
    assert len(newer) > len(older) * 1.1, f"{NEWER_DAYS - DAYS} days more"
    last = max(int(row["TIMESTAMP"]) for row in older)
    assert min(int(row["TIMESTAMP"]) for row in newer[len(older) :]) > last - 86_400


def test_a_truncated_export_has_only_the_first_rows(data):
    truncated_rows = rows(truncated(data["INTERACTIONS"], 0.3))
    all_rows = rows(data["INTERACTIONS"])
    assert truncated_rows == all_rows[: int(len(all_rows) * 0.3)]


def test_a_shuffled_export_has_the_same_users_and_items_in_other_pairs(data):
    original_rows, shuffled_rows = rows(data["INTERACTIONS"]), rows(shuffled(data["INTERACTIONS"]))
    for column in ("USER_ID", "TIMESTAMP"):
        assert [row[column] for row in shuffled_rows] == [row[column] for row in original_rows]
    original_films = [row["ITEM_ID"] for row in original_rows]
    shuffled_films = [row["ITEM_ID"] for row in shuffled_rows]
    assert sorted(shuffled_films) == sorted(original_films)
    pairs = zip(original_films, shuffled_films, strict=True)
    unchanged = sum(original == new for original, new in pairs)
    assert unchanged < len(original_films) / 50
