"""Proves that the sample data are the same every time, large enough, and worth learning from."""

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


def test_the_sample_data_are_the_same_every_time(data):
    assert sample_data() == data
    assert sample_data(seed=2) != data


def test_there_are_some_hundred_users_and_items_and_some_ten_thousand_interactions(data):
    sizes = {kind: len(rows(export)) for kind, export in data.items()}
    assert (sizes["USERS"], sizes["ITEMS"], sizes["ACTIONS"]) == (500, 300, 8)
    assert 10_000 < sizes["INTERACTIONS"] < 20_000
    assert 1_000 < sizes["ACTION_INTERACTIONS"] < 10_000, "enough to train on"


def test_columns_are_those_of_the_schemas(data):
    assert {kind: tuple(rows(export)[0]) for kind, export in data.items()} == {
        kind: tuple(fields) for kind, fields in FIELDS.items()
    }


def test_interactions_name_users_and_items_that_exist_and_no_pair_twice(data):
    watched = [(row["USER_ID"], row["ITEM_ID"]) for row in rows(data["INTERACTIONS"])]
    assert {user for user, _ in watched} <= {row["USER_ID"] for row in rows(data["USERS"])}
    assert {film for _, film in watched} <= {row["ITEM_ID"] for row in rows(data["ITEMS"])}
    assert len(set(watched)) == len(watched), "nobody watches a film twice"


def test_a_newer_export_has_everything_of_the_older_one_and_more(data):
    older, newer = rows(data["INTERACTIONS"]), rows(sample_data(NEWER_DAYS)["INTERACTIONS"])
    assert newer[: len(older)] == older
    assert len(newer) > len(older) * 1.1, f"{NEWER_DAYS - DAYS} days more"
    last = max(int(row["TIMESTAMP"]) for row in older)
    assert min(int(row["TIMESTAMP"]) for row in newer[len(older) :]) > last - 86_400


def test_a_truncated_export_has_the_first_rows_only(data):
    cut = rows(truncated(data["INTERACTIONS"], 0.3))
    whole = rows(data["INTERACTIONS"])
    assert cut == whole[: int(len(whole) * 0.3)]


def test_a_shuffled_export_keeps_users_and_items_but_not_who_watched_what(data):
    whole, dealt = rows(data["INTERACTIONS"]), rows(shuffled(data["INTERACTIONS"]))
    for column in ("USER_ID", "TIMESTAMP"):
        assert [row[column] for row in dealt] == [row[column] for row in whole]
    films = [[row["ITEM_ID"] for row in table] for table in (whole, dealt)]
    assert sorted(films[0]) == sorted(films[1])
    same = sum(before == after for before, after in zip(*films, strict=True))
    assert same < len(films[0]) / 50
