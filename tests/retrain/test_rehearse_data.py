"""Proves what a rehearsal fills a group with: sample data, or CSV files of somebody's own."""

import json

import pytest

from components.args import DatasetArgs, DatasetsArgs, RetrainingPipelineArgs
from retrain.rehearsal.data.data_sets import SampleData, increment, rows, typical_viewer
from retrain.rehearsal.data.exports import exports_of
from retrain.rehearsal.data.own_data import own_data
from retrain.rehearsal.data.sample_data import to_csv
from retrain.rehearsal.data.world import RehearsalError

USERS_ARN = "arn:aws:personalize:eu-west-1:123456789012:dataset/movies/USERS"
ITEMS = 'ITEM_ID,TITLE,YEAR,SCORE\n1,"The ""Train"", part\nII",1999,\n2,The Ship,2001,1.5\n'
HEADER = ("USER_ID", "ITEM_ID", "TIMESTAMP", "RATING")


def interactions(number, header=HEADER):
    """The newest one first; user 7 has met item 1 last, and item 2 before."""
    lines = [("7", "1", 10**9, 5), ("7", "2", 10**9 - 1, 4), ("7", "1", 10**9 - 2, 4)]
    lines += [(str(i % 50), "2", 10**9 - 3 - i, 3) for i in range(number - len(lines))]
    return to_csv(header, lines)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "interactions.csv").write_bytes(interactions(1250))
    (tmp_path / "items.csv").write_text(ITEMS)
    return tmp_path


def problem(folder, *keys):
    with pytest.raises(RehearsalError) as error:
        own_data(folder, keys)
    return str(error.value)


def schema(data, dataset_type):
    return {each["name"]: each["type"] for each in json.loads(data.schema(dataset_type))["fields"]}


def test_the_header_becomes_the_schema_and_the_cells_tell_the_types(folder):
    data = own_data(folder, ["items"])
    assert schema(data, "INTERACTIONS") == {
        "USER_ID": "string",
        "ITEM_ID": "string",
        "TIMESTAMP": "long",
        "RATING": "long",
    }
    assert schema(data, "ITEMS") == {
        "ITEM_ID": "string",
        "TITLE": "string",
        "YEAR": "long",
        "SCORE": ["null", "float"],
    }


def test_a_column_without_any_value_is_text_that_may_be_missing(folder):
    (folder / "users.csv").write_text("USER_ID,NOTE\n1,\n2\n")
    assert schema(own_data(folder, ["users"]), "USERS")["NOTE"] == ["null", "string"]


def test_the_first_version_gets_the_older_four_fifths_of_the_interactions(folder):
    data = own_data(folder, ["items"])
    header, *older = rows(data.older("INTERACTIONS"))
    _, *newer = rows(data.newer("INTERACTIONS"))
    assert (header, len(older), len(newer)) == (list(HEADER), 1000, 1250)
    times = [int(row[2]) for row in newer]
    assert times == sorted(times)
    assert older == newer[:1000]
    assert data.older("ITEMS") == data.newer("ITEMS"), "items have no time"


def test_items_have_the_titles_of_their_column_also_with_quotes_and_line_breaks(folder):
    assert own_data(folder, ["items"]).titles() == {"1": 'The "Train", part\nII', "2": "The Ship"}


@pytest.mark.parametrize("keys", [[], ["items"]])
def test_without_a_column_of_titles_items_are_told_by_id(folder, keys):
    (folder / "items.csv").write_text("ITEM_ID,YEAR\n1,1999\n2,2001\n")
    data = own_data(folder, keys)
    assert (data.titles(), data.genres()) == ({}, {})


def test_a_name_serves_as_a_title(folder):
    (folder / "items.csv").write_text("ITEM_ID,NAME\n1,Drama\n")
    assert own_data(folder, ["items"]).titles() == {"1": "Drama"}


@pytest.mark.parametrize("column", ["GENRES", "GENRE", "CATEGORIES", "CATEGORY", "CATEGORY_L1"])
def test_items_have_the_genres_of_their_column(folder, column):
    (folder / "items.csv").write_text(f"ITEM_ID,{column}\n1,Drama|Crime\n2\n")
    assert own_data(folder, ["items"]).genres() == {"1": "Drama|Crime", "2": ""}


def test_interactions_are_read_also_where_the_stack_names_none(folder):
    (folder / "users.csv").write_text("USER_ID\n7\n")
    assert set(own_data(folder, ["users"]).tables) == {"INTERACTIONS", "USERS"}


def test_everything_that_is_wrong_is_told_at_once(folder):
    (folder / "interactions.csv").write_text("userId,movieId,TIMESTAMP\n1,2,3\n")
    (folder / "items.csv").write_bytes("ITEM_ID,TITLE\n1,A\n2,Amélie\n".encode("latin-1"))
    (folder / "actions.csv").write_text("")
    (folder / "actionInteractions.csv").mkdir()
    assert problem(folder, "items", "users", "actions", "actionInteractions").splitlines() == [
        (
            f"{folder}/interactions.csv: lacks USER_ID, ITEM_ID; its header has userId, movieId, "
            "TIMESTAMP, and Personalize knows columns by their names: change the header"
        ),
        f"{folder}/items.csv: line 3 is not UTF-8; save it as UTF-8",
        f"{folder}/users.csv: there is no such file; it is to hold the users",
        (
            f"{folder}/actions.csv: lacks ACTION_ID; its header has nothing, and Personalize knows "
            "columns by their names: change the header"
        ),
        (
            f"{folder}/actionInteractions.csv: [Errno 21] Is a directory: "
            f"'{folder}/actionInteractions.csv'"
        ),
    ]


def test_fewer_interactions_than_personalize_trains_on_are_refused(folder):
    (folder / "interactions.csv").write_bytes(interactions(1249))
    assert problem(folder) == (
        f"{folder}/interactions.csv: has 1249 interactions; expected at least 1250, so that the "
        "older 80%, which the first version is trained on, are 1000: Personalize trains on no "
        "fewer"
    )


@pytest.mark.parametrize("wrong", ["2020-01-01", "1.5", ""])
def test_a_timestamp_in_other_units_is_refused(folder, wrong):
    text = interactions(1250).decode().replace("999999998", wrong)
    note = 'USER_ID,ITEM_ID,TIMESTAMP,RATING\n\n7,"1\n1",5,5\n'
    header = f"{','.join(HEADER)}\n"
    (folder / "interactions.csv").write_text(text.replace(header, note))
    assert problem(folder) == (
        f"{folder}/interactions.csv: line 7 has the TIMESTAMP {wrong!r}; expected whole seconds "
        "since 1970"
    )


def test_an_increment_holds_what_is_new_and_all_where_nothing_is():
    older, newer = b"A,B\n1,2\n", b"A,B\n1,2\n3,4\n"
    assert increment(older, newer) == b"A,B\n3,4\n"
    assert increment(newer, newer) == newer


def test_the_sample_data_grow_and_films_have_titles():
    data = SampleData()
    older, newer = data.older("INTERACTIONS"), data.newer("INTERACTIONS")
    assert newer.startswith(older)
    assert len(newer) > len(older)
    assert data.titles()["film-001"] == "The Lost Island"
    assert schema(data, "USERS")["USER_ID"] == "string"


class Watched:
    """Interactions of which user N has met so many items, the newest first."""

    def __init__(self, *lines):
        self.lines = lines

    def newer(self, dataset_type):
        """The export."""
        assert dataset_type == "INTERACTIONS"
        return to_csv(HEADER[:3], self.lines)


def met(user, number, newest):
    """So many items, the last of them at this time."""
    return [(user, f"item-{each}", newest - each) for each in range(number)]


def test_the_user_who_is_told_about_has_met_as_many_items_as_is_usual():
    data = Watched(
        *met("keen", 40, 900), *met("new", 1, 990), *met("usual", 5, 500), *met("x", 4, 0)
    )
    assert typical_viewer(data) == ("usual", [f"item-{each}" for each in range(5)])


def test_of_several_it_is_the_one_seen_last_whatever_the_order_of_the_rows():
    lines = [*met("a", 3, 500), *met("b", 3, 700), *met("b", 3, 600), *met("c", 3, 600)]
    assert typical_viewer(Watched(*lines)) == ("b", ["item-0", "item-1", "item-2"])
    assert typical_viewer(Watched(*lines[::-1])) == ("b", ["item-0", "item-1", "item-2"])


def test_where_nobody_has_met_several_items_it_is_somebody():
    assert typical_viewer(Watched(*met("a", 1, 5), *met("b", 1, 6))) == ("b", ["item-0"])


def test_the_sample_datas_user_has_met_films_with_titles_and_genres():
    data = SampleData()
    viewer = typical_viewer(data)
    assert viewer == typical_viewer(SampleData())
    assert set(viewer.met) <= set(data.titles())
    assert data.genres()["film-001"] == "Adventure"


def test_a_group_is_given_interactions_where_the_stack_names_none():
    datasets = DatasetsArgs(users=DatasetArgs(dataset_arn=USERS_ARN, data_location="s3://a/u.csv"))
    users, added = exports_of(RetrainingPipelineArgs(datasets=datasets, solutions=[]))
    assert (users.bucket, users.key, users.dataset_type) == ("a", "u.csv", "USERS")
    assert added.dataset_arn == USERS_ARN.replace("/USERS", "/INTERACTIONS")
    assert added.location == "s3://rehearsal-interactions/interactions.csv"
