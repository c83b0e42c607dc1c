"""Proves how the user's CSV files become the data of a rehearsal, and which files are refused."""

import gzip
import json

import pytest

from retrain.rehearsal.data import data_sets
from retrain.rehearsal.data.csv_files import read_rows, to_csv
from retrain.rehearsal.data.custom_data import read_custom_data
from retrain.rehearsal.errors import RehearsalError

HEADER = ("USER_ID", "ITEM_ID", "TIMESTAMP", "RATING")
ITEMS = 'ITEM_ID,TITLE,YEAR,SCORE\n1,"The ""Train"", part \\\\ II",1999,\n2,The Ship,2001,1.5\n'
TRAINED_ON_OLDER = (
    "because the first version is trained on the older 80%, and Personalize needs 1000 to train"
)
INCREMENTAL_NEEDS = "because an INCREMENTAL import of the newer 20% needs 1000"
AMONG_OLDER = "among the older 80%; export at least 25, which Personalize needs to train"
NOT_UTF_8 = (
    "is not UTF-8 text; perhaps the file is compressed, Parquet, UTF-16, Latin-1 or "
    "Windows-1252; export plain CSV in UTF-8"
)
WHOLE = "write a 64-bit whole number: digits with an optional minus"
NO_LONG = "but the schema requires long"


def interactions(number):
    """Return a CSV file with `number` interactions, the newest first."""
    return to_csv(HEADER, [(i % 50, 2, 10**9 - i, 3) for i in range(number)])


@pytest.fixture
def folder(tmp_path):
    """Return a folder with interactions and items."""
    (tmp_path / "interactions.csv").write_bytes(interactions(1250))
    (tmp_path / "items.csv").write_text(ITEMS)
    return tmp_path


def read(folder, *keys, **import_modes):
    return read_custom_data(folder, {**dict.fromkeys(keys, "FULL"), **import_modes})


def error_messages(folder, *keys, **import_modes):
    with pytest.raises(RehearsalError) as caught:
        read(folder, *keys, **import_modes)
    return str(caught.value).replace(f"{folder}/", "").splitlines()


def avro_types(data, dataset_type):
    fields = json.loads(data.schema(dataset_type))["fields"]
    return {field["name"]: field["type"] for field in fields}


def test_the_schema_has_the_narrowest_type_of_each_column(folder):
    data = read(folder, "items")
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
    (folder / "users.csv").write_text("USER_ID,NOTE\n1,\n2,\n")
    data = read(folder, "users")
    assert avro_types(data, "USERS")["NOTE"] == ["null", "string"]


def test_columns_that_personalize_knows_have_its_types(folder):
    header, *rows = read_rows(interactions(1250))
    extra = ("EVENT_TYPE", "EVENT_VALUE", "IMPRESSION", "RECOMMENDATION_ID")
    content = to_csv([*header, *extra], [[*row, "1", "2", "3", ""] for row in rows])
    (folder / "interactions.csv").write_bytes(content)
    (folder / "items.csv").write_text("ITEM_ID,CREATION_TIMESTAMP,TEXT\n1,-5," + "a" * 1001)
    data = read(folder, "items")
    assert avro_types(data, "INTERACTIONS") == {
        "USER_ID": "string",
        "ITEM_ID": "string",
        "TIMESTAMP": "long",
        "RATING": "long",
        "EVENT_TYPE": ["null", "string"],
        "EVENT_VALUE": ["null", "float"],
        "IMPRESSION": ["null", "string"],
        "RECOMMENDATION_ID": ["null", "string"],
    }
    assert avro_types(data, "ITEMS")["CREATION_TIMESTAMP"] == ["null", "long"]
    assert json.loads(data.schema("ITEMS"))["fields"][-1]["textual"], (
        "it is too long for a category"
    )


NUMBERS = {
    "long": ["-1", "007", "9223372036854775807"],
    "float": ["1.5", "-.5", "1e3", "9223372036854775808"],
    "string": ["1_000", "nan", "inf", "١٢", " 1", "+1", "0x10"],
}


@pytest.mark.parametrize(
    ("avro_type", "text"), [(key, text) for key, texts in NUMBERS.items() for text in texts]
)
def test_only_what_personalize_reads_as_a_number_is_a_number(folder, avro_type, text):
    (folder / "users.csv").write_text(f"USER_ID,A\n1,{text}\n")
    assert avro_types(read(folder, "users"), "USERS")["A"] == avro_type


FILES = {
    "line breaks of Windows": interactions(1250).replace(b"\n", b"\r\n"),
    "no last line break": interactions(1250).rstrip(),
    "a byte-order mark": b"\xef\xbb\xbf" + interactions(1250),
    "quotes and escapes": interactions(1250)
    .replace(b"\n1,", b'\n"1\\"",')
    .replace(b",2,", b',"2",'),
    "empty lines": interactions(1250).replace(b"\n", b"\n\n", 3),
    "not sorted": interactions(1250),
}


@pytest.mark.parametrize("content", FILES.values(), ids=FILES)
def test_the_newer_export_is_the_file_and_the_older_one_has_lines_of_it(folder, content):
    (folder / "interactions.csv").write_bytes(content)
    data = read(folder)
    assert data.newer("INTERACTIONS") == content, "byte for byte"
    header, *lines = content.splitlines()
    older_header, *older = data.older("INTERACTIONS").splitlines()
    older_lines = [line for line in lines if line][250:]
    assert (older_header, older) == (header, older_lines), "the newest rows come first in the file"
    increment = data_sets.increment(data.older("INTERACTIONS"), data.newer("INTERACTIONS"))
    assert increment.splitlines() == [header, *[line for line in lines if line][:250]]


def test_exports_without_a_timestamp_never_change(folder):
    data = read(folder, "items")
    assert data.older("ITEMS") == data.newer("ITEMS") == ITEMS.encode()


def test_titles_may_contain_quotes_and_escaped_characters(folder):
    titles = read(folder, "items").titles()
    assert titles == {"1": 'The "Train", part \\ II', "2": "The Ship"}


@pytest.mark.parametrize("keys", [[], ["items"]], ids=["no items", "no such column"])
def test_items_may_have_no_titles_and_no_genres(folder, keys):
    (folder / "items.csv").write_text("ITEM_ID,YEAR\n1,1999\n2,2001\n")
    data = read(folder, *keys)
    assert (data.titles(), data.genres()) == ({}, {})


def test_the_column_name_may_contain_the_titles(folder):
    (folder / "items.csv").write_text("ITEM_ID,NAME\n1,Drama\n")
    assert read(folder, "items").titles() == {"1": "Drama"}


@pytest.mark.parametrize("column", ["GENRES", "GENRE", "CATEGORIES", "CATEGORY", "CATEGORY_L1"])
def test_several_columns_may_contain_the_genres(folder, column):
    (folder / "items.csv").write_text(f"ITEM_ID,{column}\n1,Drama|Crime\n2,\n")
    assert read(folder, "items").genres() == {"1": "Drama|Crime", "2": ""}


def test_interactions_are_read_even_if_the_stack_has_none(folder):
    (folder / "users.csv").write_text("USER_ID\n7\n")
    assert set(read(folder, "users").files) == {"INTERACTIONS", "USERS"}


def test_all_problems_of_all_files_are_reported(folder):
    (folder / "interactions.csv").write_text("userId,movieId,TIMESTAMP\n1,2,3\n")
    (folder / "items.csv").write_bytes("ITEM_ID,TITLE\n1,A\n2,Amélie\n".encode("latin-1"))
    (folder / "actions.csv").write_text("")
    (folder / "actionInteractions.csv").mkdir()
    messages = error_messages(folder, "items", "users", "actions", "actionInteractions")
    rename = "rename the columns to the names that Personalize requires"
    assert messages == [
        "interactions.csv: the header lacks USER_ID, ITEM_ID; it has userId, movieId, TIMESTAMP; "
        + rename,
        f"items.csv: line 3 {NOT_UTF_8}",
        "users.csv: does not exist; export the users to it",
        f"actions.csv: the header lacks ACTION_ID; it has no columns; {rename}",
        "actionInteractions.csv: cannot be read: is a directory",
    ]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (gzip.compress(b"USER_ID\n1\n", mtime=0), f"line 1 {NOT_UTF_8}"),
        (b"USER_ID,A,A\n1,2,3\n", "the header has the columns 'A' and 'A', but"),
        (b'USER_ID,"A"\n1,2\n', "the header is 'USER_ID,\"A\"', but"),
        (b"USER_ID,,A\n1,2,3\n", "column 2 of the header has no name; name it"),
        (b"USER_ID\n\n\n", "has no rows below its header; repeat the export"),
        (b'USER_ID,A\n1,"Anna\n', "line 2 is '1,\"Anna', which is not a complete record; "),
        (b"USER_ID,A\n1\n", "line 2 has 1 values for 2 columns; put quotation marks around "),
        (
            b"USER_ID,A\n,2\n",
            "line 2: USER_ID is '', but the schema requires string; write a value",
        ),
    ],
)
def test_a_file_that_personalize_could_not_import_is_refused(folder, content, problem):
    (folder / "users.csv").write_bytes(content)
    (message,) = error_messages(folder, "users")
    assert message.startswith(f"users.csv: {problem}")


def test_only_the_first_of_many_problems_are_named(folder):
    (folder / "users.csv").write_bytes(b"USER_ID,A\n" + b"1\n" * 8)
    *named, last = error_messages(folder, "users")
    assert [message.split(" has ")[0] for message in named] == [
        f"users.csv: line {number}" for number in range(2, 7)
    ]
    assert last == "users.csv: and 3 more"


def test_too_few_interactions_to_train_on_are_refused(folder):
    (folder / "interactions.csv").write_bytes(interactions(1249))
    assert error_messages(folder) == [
        f"interactions.csv: has 1249 interactions; export at least 1250, {TRAINED_ON_OLDER}"
    ]


def test_too_few_interactions_for_an_incremental_import_are_refused(folder):
    (folder / "interactions.csv").write_bytes(interactions(4995))
    assert error_messages(folder, interactions="INCREMENTAL") == [
        f"interactions.csv: has 4995 interactions; export at least 5000, {INCREMENTAL_NEEDS}"
    ]
    (folder / "interactions.csv").write_bytes(interactions(5000))
    read(folder, interactions="INCREMENTAL")


def test_too_few_users_to_train_on_are_refused(folder):
    rows = [
        (min(i, 2000 - i) // 2 % 24 if i < 1000 else f"once-{i}", 2, 10**9) for i in range(1250)
    ]
    (folder / "interactions.csv").write_bytes(to_csv(HEADER[:3], rows))
    assert error_messages(folder) == [
        f"interactions.csv: has 24 users with 2 or more interactions {AMONG_OLDER}"
    ]


@pytest.mark.parametrize(
    ("timestamp", "reason"),
    [
        ("2020-01-01", f"{NO_LONG}; {WHOLE}"),
        ("1.5", f"{NO_LONG}; {WHOLE}"),
        ("", f"{NO_LONG}; write a value"),
        ("1767225600000", "which is in milliseconds; write seconds since 1970"),
        ("-5", "which is before 1990; write seconds since 1970"),
    ],
)
def test_a_timestamp_in_another_unit_is_refused(folder, timestamp, reason):
    header, *rows = read_rows(interactions(1250))
    rows[1][2] = timestamp
    text = to_csv(header, rows).decode()
    (folder / "interactions.csv").write_text(text.replace("\n", "\n\n", 1))
    assert error_messages(folder) == [
        f"interactions.csv: line 4: TIMESTAMP is {timestamp!r}, {reason}"
    ]
