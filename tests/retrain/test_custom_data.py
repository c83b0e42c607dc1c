"""Proves how the user's CSV files become the data of a rehearsal, and which files are refused."""

import json

import pytest

from retrain.rehearsal.data.csv_files import read_rows, to_csv
from retrain.rehearsal.data.custom_data import read_custom_data
from retrain.rehearsal.errors import RehearsalError

HEADER = ("USER_ID", "ITEM_ID", "TIMESTAMP", "RATING")
ITEMS = 'ITEM_ID,TITLE,YEAR,SCORE\n1,"The ""Train"", part\nII",1999,\n2,The Ship,2001,1.5\n'


def interactions(number):
    """Return a CSV file with `number` interactions, the newest first."""
    return to_csv(HEADER, [(i % 50, 2, 10**9 - i, 3) for i in range(number)])


@pytest.fixture
def folder(tmp_path):
    """Return a folder with interactions and items."""
    (tmp_path / "interactions.csv").write_bytes(interactions(1250))
    (tmp_path / "items.csv").write_text(ITEMS)
    return tmp_path


def error_message(folder, *keys):
    with pytest.raises(RehearsalError) as caught:
        read_custom_data(folder, keys)
    return str(caught.value)


def avro_types(data, dataset_type):
    fields = json.loads(data.schema(dataset_type))["fields"]
    return {field["name"]: field["type"] for field in fields}


def test_the_schema_has_the_narrowest_type_of_each_column(folder):
    data = read_custom_data(folder, ["items"])
    assert avro_types(data, "INTERACTIONS") == {
        "USER_ID": "string",
        "ITEM_ID": "string",
        "TIMESTAMP": "long",
        "RATING": "long",
    }
    assert avro_types(data, "ITEMS") == {
        "ITEM_ID": "string",
        "TITLE": "string",
        "YEAR": "long",
        "SCORE": ["null", "float"],
    }


def test_a_column_without_values_is_text_that_may_be_null(folder):
    (folder / "users.csv").write_text("USER_ID,NOTE\n1,\n2\n")
    data = read_custom_data(folder, ["users"])
    assert avro_types(data, "USERS")["NOTE"] == ["null", "string"]


def test_the_older_export_has_the_older_80_percent_of_the_interactions(folder):
    data = read_custom_data(folder, ["items"])
    header, *older = read_rows(data.older("INTERACTIONS"))
    _, *newer = read_rows(data.newer("INTERACTIONS"))
    assert (header, len(older), len(newer)) == (list(HEADER), 1000, 1250)
    assert older == newer[:1000]
    times = [int(row[2]) for row in newer]
    assert times == sorted(times)
    assert data.older("ITEMS") == data.newer("ITEMS"), "items have no TIMESTAMP"


def test_titles_may_contain_quotes_and_line_breaks(folder):
    titles = read_custom_data(folder, ["items"]).titles()
    assert titles == {"1": 'The "Train", part\nII', "2": "The Ship"}


@pytest.mark.parametrize("keys", [[], ["items"]], ids=["no items", "no such column"])
def test_items_may_have_no_titles_and_no_genres(folder, keys):
    (folder / "items.csv").write_text("ITEM_ID,YEAR\n1,1999\n2,2001\n")
    data = read_custom_data(folder, keys)
    assert (data.titles(), data.genres()) == ({}, {})


def test_the_column_name_may_contain_the_titles(folder):
    (folder / "items.csv").write_text("ITEM_ID,NAME\n1,Drama\n")
    assert read_custom_data(folder, ["items"]).titles() == {"1": "Drama"}


@pytest.mark.parametrize("column", ["GENRES", "GENRE", "CATEGORIES", "CATEGORY", "CATEGORY_L1"])
def test_several_columns_may_contain_the_genres(folder, column):
    (folder / "items.csv").write_text(f"ITEM_ID,{column}\n1,Drama|Crime\n2\n")
    assert read_custom_data(folder, ["items"]).genres() == {"1": "Drama|Crime", "2": ""}


def test_interactions_are_read_even_if_the_stack_has_none(folder):
    (folder / "users.csv").write_text("USER_ID\n7\n")
    assert set(read_custom_data(folder, ["users"]).tables) == {"INTERACTIONS", "USERS"}


def test_all_problems_of_all_files_are_reported(folder):
    (folder / "interactions.csv").write_text("userId,movieId,TIMESTAMP\n1,2,3\n")
    (folder / "items.csv").write_bytes("ITEM_ID,TITLE\n1,A\n2,Amélie\n".encode("latin-1"))
    (folder / "actions.csv").write_text("")
    (folder / "actionInteractions.csv").mkdir()
    message = error_message(folder, "items", "users", "actions", "actionInteractions")
    rename = "rename the columns to the names that Personalize requires"
    assert message.replace(f"{folder}/", "").splitlines() == [
        "interactions.csv: the header lacks USER_ID, ITEM_ID; it has userId, movieId, TIMESTAMP; "
        + rename,
        "items.csv: line 3 is not UTF-8; save the file as UTF-8",
        "users.csv: does not exist; export the users to it",
        f"actions.csv: the header lacks ACTION_ID; it has no columns; {rename}",
        "actionInteractions.csv: [Errno 21] Is a directory: 'actionInteractions.csv'",
    ]


def test_too_few_interactions_to_train_on_are_refused(folder):
    (folder / "interactions.csv").write_bytes(interactions(1249))
    assert error_message(folder) == (
        f"{folder}/interactions.csv: has 1249 interactions; export at least 1250, because the "
        "first version is trained on the older 80%, and Personalize needs 1000 to train"
    )


@pytest.mark.parametrize("timestamp", ["2020-01-01", "1.5", ""])
def test_a_timestamp_in_another_unit_is_refused(folder, timestamp):
    header, *rows = read_rows(interactions(1250))
    rows[1][2] = timestamp
    text = to_csv(header, [["7", "1\n1", 5, 5], *rows]).decode()
    (folder / "interactions.csv").write_text(text.replace("\n", "\n\n", 1))
    assert error_message(folder) == (
        f"{folder}/interactions.csv: line 6: TIMESTAMP is {timestamp!r}; write whole seconds "
        "since 1970, for example 1767225600"
    )


def test_a_row_may_be_too_short_for_its_timestamp(folder):
    rows = interactions(1250).decode()
    (folder / "interactions.csv").write_text(f"{rows}7,1\n")
    assert "line 1252: TIMESTAMP is ''" in error_message(folder)
