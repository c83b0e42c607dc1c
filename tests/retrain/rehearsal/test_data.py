"""Proves which CSV files become the data of a rehearsal, and how exports differ."""

import json

import pytest

from functions.s3.csv_files import MAX_CHECKED_ROWS
from retrain.account.errors import OperatorError
from retrain.rehearsal.data import (
    SAMPLE_FOLDER,
    RehearsalData,
    damage_export,
    read_data,
    read_records,
    to_csv,
)
from tests.sample_data import KEYS, sample_data

HEADER = ("USER_ID", "ITEM_ID", "TIMESTAMP", "RATING")
ITEMS = 'ITEM_ID,TITLE,YEAR,SCORE\n1,"The ""Train"", part \\\\ II",1999,\n2,The Ship,2001,1.5\n'
NOT_UTF_8 = (
    "is not UTF-8 text; perhaps the file is compressed, Parquet, UTF-16, Latin-1 or "
    "Windows-1252; export plain CSV in UTF-8"
)
RENAME = "rename the columns to the names that Personalize requires"


def interactions(number):
    """Return a CSV file with `number` interactions, the newest first."""
    return to_csv(HEADER, [(i % 50, 2, 10**9 - i, 3) for i in range(number)])


def lines_of(content):
    """Return the values of each line of a CSV file without quotation marks."""
    return [line.split(",") for line in content.decode().splitlines()]


def export(data, dataset_type="INTERACTIONS", rotate_by=0, damage="none", *, only_new_rows=False):
    return data.build_export(
        dataset_type, only_new_rows=only_new_rows, rotate_by=rotate_by, damage=damage
    )


@pytest.fixture
def folder(tmp_path):
    """Return a folder with interactions and items."""
    (tmp_path / "interactions.csv").write_bytes(interactions(1250))
    (tmp_path / "items.csv").write_text(ITEMS)
    return tmp_path


def read(folder, *keys, **import_modes):
    return read_data(folder, {**dict.fromkeys(keys, "FULL"), **import_modes})


def problems(folder, *keys, **import_modes):
    with pytest.raises(OperatorError) as caught:
        read(folder, *keys, **import_modes)
    return str(caught.value).replace(f"{folder}/", "").splitlines()


def avro_types(data, dataset_type):
    fields = json.loads(data.schemas[dataset_type])["fields"]
    return {field["name"]: field["type"] for field in fields}


def test_the_schema_has_the_narrowest_type_of_each_column(folder):
    long_text = "a" * 1001
    (folder / "items.csv").write_text(f"{ITEMS[:-1]}\n3,{long_text},3,1\n")
    (folder / "users.csv").write_text("USER_ID,NOTE\n1,\n2,\n")
    data = read(folder, "items", "users")
    ids = {"USER_ID": "string", "ITEM_ID": "string"}
    assert avro_types(data, "INTERACTIONS") == {**ids, "TIMESTAMP": "long", "RATING": "long"}

    item = {"ITEM_ID": "string", "TITLE": "string", "YEAR": "long", "SCORE": ["null", "float"]}
    assert avro_types(data, "ITEMS") == item
    assert avro_types(data, "USERS")["NOTE"] == ["null", "string"], "it has no values"

    textual = [field.get("textual") for field in json.loads(data.schemas["ITEMS"])["fields"]]
    assert textual == [None, True, None, None], "only a textual column takes 1,001 characters"


def test_columns_that_personalize_knows_have_its_types(folder):
    known = {
        "EVENT_TYPE": ["null", "string"],
        "EVENT_VALUE": ["null", "float"],
        "IMPRESSION": ["null", "string"],
        "RECOMMENDATION_ID": ["null", "string"],
    }
    header, *rows = lines_of(interactions(1250))
    content = to_csv([*header, *known], [[*row, "1", "2", "3", ""] for row in rows])
    (folder / "interactions.csv").write_bytes(content)
    (folder / "items.csv").write_text("ITEM_ID,CREATION_TIMESTAMP\n1,-5\n")
    action = "USER_ID,ACTION_ID,EVENT_TYPE,TIMESTAMP\n1,2,Taken,1000000000\n"
    (folder / "actionInteractions.csv").write_text(action)
    data = read(folder, "items", "actionInteractions")
    types = avro_types(data, "INTERACTIONS")

    assert {name: types[name] for name in known} == known
    assert avro_types(data, "ITEMS")["CREATION_TIMESTAMP"] == ["null", "long"]
    assert avro_types(data, "ACTION_INTERACTIONS")["EVENT_TYPE"] == "string", "it is required"


@pytest.mark.parametrize(
    "avro_type, texts",
    [
        ("long", ["-1", "007", "9223372036854775807"]),
        ("float", ["1.5", "-.5", "1e3", "9223372036854775808"]),
        ("string", ["1_000", "nan", "inf", "١٢", " 1", "+1", "0x10"]),
    ],
)
def test_only_what_personalize_reads_as_a_number_is_a_number(folder, avro_type, texts):
    for text in texts:
        (folder / "users.csv").write_text(f"USER_ID,A\n1,{text}\n")
        assert avro_types(read(folder, "users"), "USERS")["A"] == avro_type, text


@pytest.mark.parametrize(
    "content",
    [
        interactions(1250).replace(b"\n", b"\r\n"),
        interactions(1250).rstrip(),
        b"\xef\xbb\xbf" + interactions(1250),
        interactions(1250).replace(b"\n1,", b'\n"1\\"",').replace(b",2,", b',"2",'),
        interactions(1250).replace(b"\n", b"\n\n", 3),
    ],
    ids=["Windows", "no last line break", "byte-order mark", "quotes and escapes", "empty lines"],
)
def test_the_exports_have_the_lines_of_the_file_byte_for_byte(folder, content):
    (folder / "interactions.csv").write_bytes(content)
    data = read(folder)
    header, *lines = filter(None, content.splitlines())
    assert data.newer["INTERACTIONS"] == content
    assert data.older["INTERACTIONS"].splitlines() == [header, *lines[250:]], "the newest is first"
    assert export(data, only_new_rows=True).splitlines() == [header, *lines[:250]]
    assert export(data, rotate_by=2).splitlines() == [header, *lines[2:], *lines[:2]]
    assert export(data, rotate_by=1250) == export(data)


def test_exports_without_a_timestamp_never_change(folder):
    data = read(folder, "items")
    assert data.older["ITEMS"] == data.newer["ITEMS"] == ITEMS.encode()
    assert export(data, "ITEMS", only_new_rows=True) == ITEMS.encode(), "a file needs rows"


@pytest.mark.parametrize(
    "items, labels",
    [
        (ITEMS, {"1": 'The "Train", part \\ II', "2": "The Ship"}),
        ("ITEM_ID,YEAR\n1,1999\n", {"1": "1"}),
        (
            "ITEM_ID,GENRES,TITLE\n1,Drama|Crime,Ship\n2,,\n",
            {"1": "Ship (Drama, Crime)", "2": "2"},
        ),
    ],
)
def test_an_item_is_shown_with_its_title_and_genres_if_the_file_has_them(folder, items, labels):
    (folder / "items.csv").write_text(items)
    assert read(folder, "items").build_item_labels() == labels
    assert read(folder).build_item_labels() == {}, "the stack has no items"


def rows_of(user, number, newest):
    """Return `number` interactions of a user with different items, the newest first."""
    return [(user, f"item-{i}", newest - i) for i in range(number)]


@pytest.mark.parametrize(
    "rows, user",
    [
        ([*rows_of("few", 2, 990), *rows_of("b", 5, 900), *rows_of("a", 4, 800)], "b"),
        ([*rows_of("a", 1, 5), *rows_of("b", 1, 6)], "b"),
    ],
)
def test_recommendations_are_for_the_last_user_with_some_items(rows, user):
    for ordered in (rows, rows[::-1]):
        newer = {"INTERACTIONS": to_csv(HEADER[:3], ordered)}
        typical = RehearsalData({}, {}, newer).list_typical_users()[0]
        items = dict.fromkeys(item for name, item, _ in rows if name == user)
        assert typical == (user, list(items)), "its items, the newest first"


def test_the_first_problem_of_each_file_is_reported(folder):
    (folder / "interactions.csv").write_text("userId,movieId,TIMESTAMP\n1,2,3\n")
    (folder / "items.csv").write_bytes("ITEM_ID,TITLE\n1,A\n2,Amélie\n".encode("latin-1"))
    (folder / "actions.csv").write_text("")
    (folder / "actionInteractions.csv").mkdir()

    assert problems(folder, "items", "users", "actions", "actionInteractions") == [
        "interactions.csv: the header lacks USER_ID, ITEM_ID; it is 'userId,movieId,TIMESTAMP'; "
        + RENAME,
        f"items.csv: line 3 {NOT_UTF_8}",
        "users.csv: no such file or directory; export the users to this file",
        f"actions.csv: the header lacks ACTION_ID; it is ''; {RENAME}",
        "actionInteractions.csv: is a directory; export the actionInteractions to this file",
    ]


@pytest.mark.parametrize(
    "content, problem",
    [
        (b"USER_ID,,A\n1,2,3\n", "column 2 of the header has no name; name it"),
        (b"USER_ID\n\n\n", "has no rows below its header; repeat the export"),
        (b"USER_ID,A\n1\n", "line 2 has 1 values for 2 columns; put quotation marks around "),
        (b"USER_ID,A\n,2\n1\n", "line 2: USER_ID is ''"),
    ],
)
def test_a_file_that_personalize_could_not_import_is_refused(folder, content, problem):
    """`tests/functions/test_csv_files.py` has the other reasons."""
    (folder / "users.csv").write_bytes(content)
    (message,) = problems(folder, "users")
    assert message.startswith(f"users.csv: {problem}")


def test_a_wrong_value_is_named_with_its_line_even_beyond_the_rows_that_a_run_checks(folder):
    header, *rows = lines_of(interactions(1250))
    rows[MAX_CHECKED_ROWS + 100][2] = "-5"
    text = to_csv(header, rows).decode()
    (folder / "interactions.csv").write_text(text.replace("\n", "\n\n", 1))
    place = f"interactions.csv: line {MAX_CHECKED_ROWS + 103}"
    reason = "TIMESTAMP is '-5', which is before 1990; write seconds since 1970"

    assert problems(folder) == [f"{place}: {reason}"]


def test_too_few_interactions_to_train_on_are_refused(folder):
    (folder / "interactions.csv").write_bytes(interactions(1249))
    (message,) = problems(folder)
    assert message == (
        "interactions.csv: has 1249 interactions; export at least 1250, because the first version "
        "is trained on the older 80%, and Personalize needs 1000"
    )

    (folder / "interactions.csv").write_bytes(interactions(4995))
    (message,) = problems(folder, interactions="INCREMENTAL")
    assert message == (
        "interactions.csv: has 4995 interactions; export at least 5000, because an INCREMENTAL "
        "import gets the newer 20%, and Personalize needs 1000"
    )

    (folder / "interactions.csv").write_bytes(interactions(5000))
    assert read(folder, interactions="INCREMENTAL")


ROWS = b"1,a\n2,b\n3,c\n4,d\n5,e\n"


@pytest.mark.parametrize(
    "damage, damaged",
    [
        ("none", b"USER_ID,ITEM_ID\n" + ROWS),
        ("truncated", b"USER_ID,ITEM_ID\n1,a\n"),
        ("renamed", b"userId,ITEM_ID\n" + ROWS),
    ],
)
def test_only_interactions_are_damaged(damage, damaged):
    content = dict.fromkeys(("INTERACTIONS", "ITEMS"), b"USER_ID,ITEM_ID\n" + ROWS)
    data = RehearsalData({}, {}, content)
    assert export(data, damage=damage) == damaged
    assert export(data, "ITEMS", damage=damage) == content["ITEMS"]


def column(content, name):
    return [record[name] for record in read_records(content)]


def test_a_shuffled_export_has_the_same_users_and_items_in_other_pairs():
    content = sample_data().newer["INTERACTIONS"]
    shuffled = damage_export("shuffled", content)
    for name in ("USER_ID", "TIMESTAMP"):
        assert column(shuffled, name) == column(content, name)
    films = column(content, "ITEM_ID")
    shuffled_films = column(shuffled, "ITEM_ID")
    assert sorted(films) == sorted(shuffled_films)

    unchanged = sum(a == b for a, b in zip(films, shuffled_films, strict=True))
    assert unchanged < len(films) / 50


def test_the_sample_data_fit_together_and_are_large_enough_for_incremental_imports():
    data = read_data(SAMPLE_FOLDER, dict.fromkeys(KEYS, "INCREMENTAL"))
    for kind in ("INTERACTIONS", "ACTION_INTERACTIONS"):
        increment = read_records(export(data, kind, only_new_rows=True))
        assert 1000 <= len(increment) < len(read_records(data.newer[kind])) / 2

    for kind, key, dataset in [
        ("INTERACTIONS", "USER_ID", "USERS"),
        ("INTERACTIONS", "ITEM_ID", "ITEMS"),
        ("ACTION_INTERACTIONS", "USER_ID", "USERS"),
        ("ACTION_INTERACTIONS", "ACTION_ID", "ACTIONS"),
    ]:
        assert {*column(data.newer[kind], key)} <= {*column(data.newer[dataset], key)}

    pairs = [(row["USER_ID"], row["ITEM_ID"]) for row in read_records(data.newer["INTERACTIONS"])]
    assert len(set(pairs)) == len(pairs), "nobody watches a film twice"
    assert data.build_item_labels()["film-001"] == "The Lost Island (Adventure)"
