"""Proves the exports of a rehearsal, and the resources that are created for them."""

from types import SimpleNamespace

import pytest

from components.args import ProbeArgs, SolutionArgs
from retrain.rehearsal.data import exports, resources
from retrain.rehearsal.data.csv_files import read_rows, to_csv
from retrain.rehearsal.data.custom_data import CustomData, CustomFile
from retrain.rehearsal.data.data_sets import evaluation_users, increment, typical_user
from retrain.rehearsal.data.sample_data import SampleData
from retrain.rehearsal.data.spoiling import spoil
from retrain.rehearsal.errors import RehearsalError
from tests.retrain.builders import HOME, SOLUTION, campaign_args, pipeline_args
from tests.retrain.conftest import FakeEmulator


def test_an_increment_contains_the_new_rows():
    older, newer = b"A,B\n1,2\n", b"A,B\n1,2\n3,4\n"
    assert increment(older, newer) == b"A,B\n3,4\n"
    assert increment(newer, newer) == newer, "all rows if none is new"


def test_the_newer_sample_data_begin_with_the_older_sample_data():
    data = SampleData()
    older, newer = data.older("INTERACTIONS"), data.newer("INTERACTIONS")
    assert newer.startswith(older)
    assert len(newer) > len(older)
    assert data.titles()["film-001"] == "The Lost Island"
    assert data.genres()["film-001"] == "Adventure"


@pytest.mark.parametrize("parts", [1, 3])
def test_an_export_keeps_the_bytes_of_each_row(parts):
    """A rotated export has the rows in another order. The folder of an export may have parts."""
    content = b'\xef\xbb\xbfA,B\r\n1,"x"\r\n2,\\,\n3,\xc3\xa9'
    rows = [b'1,"x"\r\n', b"2,\\,\n", b"3,\xc3\xa9\n"]
    assert exports.rotated(content, 0) == content
    rotated = exports.rotated(content, 4)
    assert rotated == b"\xef\xbb\xbfA,B\r\n" + b"".join([*rows[1:], rows[0]])
    files = dict(exports.files_of("folder/", content, parts))
    assert list(files) == [f"folder/part-{part}.csv" for part in range(parts)]
    header = b"\xef\xbb\xbfA,B\r\n"
    assert list(files.values()) == ([content] if parts == 1 else [header + row for row in rows])
    assert dict(exports.files_of("file.csv", content, parts)) == {"file.csv": content}


class Interactions:
    """A data set with these interactions."""

    def __init__(self, *rows):
        self.rows = rows

    def newer(self, dataset_type):
        """Return the interactions."""
        assert dataset_type == "INTERACTIONS"
        return to_csv(("USER_ID", "ITEM_ID", "TIMESTAMP"), self.rows)


@pytest.mark.parametrize(("users", "evaluated"), [(0, 0), (1, 1), (20, 2), (21, 3)])
def test_metrics_rest_on_a_tenth_of_the_users_who_came_back(users, evaluated):
    rows = [(f"user-{i}", "item", time) for i in range(users) for time in (1, 2)]
    assert evaluation_users(Interactions(*rows, ("once", "item", 3))) == evaluated


def rows_of(user, number, newest):
    """Return `number` interactions of a user with different items, the newest first."""
    return [(user, f"item-{i}", newest - i) for i in range(number)]


def test_the_typical_user_has_the_median_number_of_items():
    data = Interactions(
        *rows_of("many", 40, 900), *rows_of("one", 1, 990), *rows_of("usual", 5, 500)
    )
    assert typical_user(data) == ("usual", [f"item-{i}" for i in range(5)])


@pytest.mark.parametrize("step", [1, -1], ids=["in order", "reversed"])
def test_of_several_users_the_typical_one_has_the_newest_interaction(step):
    rows = [*rows_of("a", 3, 500), *rows_of("b", 3, 700), *rows_of("b", 3, 600)]
    data = Interactions(*rows[::step])
    assert typical_user(data) == ("b", ["item-0", "item-1", "item-2"])


def test_if_every_user_has_few_items_one_of_them_is_typical():
    data = Interactions(*rows_of("a", 1, 5), *rows_of("b", 1, 6))
    assert typical_user(data) == ("b", ["item-0"])


@pytest.mark.parametrize("spoiling", ["none", "truncated", "renamed", "shuffled"])
def test_only_interactions_are_spoiled(spoiling):
    assert spoil(spoiling, "ITEMS", b"ITEM_ID\n1\n") == b"ITEM_ID\n1\n"


@pytest.mark.parametrize(
    ("spoiling", "spoiled"),
    [
        ("none", b"USER_ID,ITEM_ID\n1,a\n2,b\n3,c\n4,d\n5,e\n"),
        ("truncated", b"USER_ID,ITEM_ID\n1,a\n"),
        ("renamed", b"userId,ITEM_ID\n1,a\n2,b\n3,c\n4,d\n5,e\n"),
    ],
)
def test_an_export_is_spoiled_as_the_scenario_says(spoiling, spoiled):
    export = b"USER_ID,ITEM_ID\n1,a\n2,b\n3,c\n4,d\n5,e\n"
    assert spoil(spoiling, "INTERACTIONS", export) == spoiled


def test_a_shuffled_export_has_the_same_items_in_another_order():
    header, *rows = read_rows(SampleData().older("INTERACTIONS"))
    shuffled_header, *shuffled = read_rows(spoil("shuffled", "INTERACTIONS", to_csv(header, rows)))
    assert shuffled_header == header
    assert [row[0] for row in shuffled] == [row[0] for row in rows]
    assert sorted(row[1] for row in shuffled) == sorted(row[1] for row in rows)
    assert shuffled != rows


def test_a_stack_without_interactions_gets_an_export_of_interactions():
    users, interactions = exports.exports_of(pipeline_args(keys=["users"]))
    assert (users.location, users.dataset_type) == (("bucket", "a.csv"), "USERS")
    assert interactions.dataset_arn == f"{HOME}:dataset/movies/INTERACTIONS"
    assert interactions.data_location == "s3://rehearsal-interactions/interactions.csv"


@pytest.mark.parametrize("location", ["s3://bucket/a.csv", "s3://bucket/folder/"])
def test_a_file_of_the_user_is_uploaded_byte_for_byte(monkeypatch, location):
    content = b"\xef\xbb\xbfUSER_ID,ITEM_ID,TIMESTAMP\r\n" + b"1,\\,2\r\n" * 9 + b'"1",2,3'
    uploaded = {}
    s3 = SimpleNamespace(
        list_buckets=lambda: {"Buckets": [{"Name": "bucket"}]},
        put_object=lambda **request: uploaded.update({request["Key"]: request["Body"]}),
    )
    monkeypatch.setattr(exports.boto3, "client", lambda *_, **__: s3)
    args = pipeline_args(data_location=location)
    data = CustomData({"INTERACTIONS": CustomFile("INTERACTIONS", content)})
    exports.write_newer_exports(FakeEmulator(), args, data, day="2026-11-29")
    assert list(uploaded.values()) == [content]


@pytest.mark.parametrize(
    ("region", "configuration"),
    [
        ("us-east-1", {}),
        ("eu-west-1", {"CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}}),
    ],
)
def test_a_bucket_is_created_in_the_region_of_the_stack(monkeypatch, region, configuration):
    requests = []
    s3 = SimpleNamespace(
        list_buckets=lambda: {"Buckets": []},
        create_bucket=lambda **request: requests.append(request),
        put_bucket_policy=lambda **_: None,
        put_object=lambda **_: None,
    )
    monkeypatch.setattr(exports.boto3, "client", lambda *_, **__: s3)
    args = pipeline_args()
    exports.write_newer_exports(FakeEmulator(region=region), args, SampleData(), day="2026-11-29")
    assert requests == [{"Bucket": "bucket", **configuration}]


@pytest.mark.parametrize(
    ("resource", "deadline_seconds", "problem"),
    [
        ({"status": "CREATE FAILED", "failureReason": "no rows"}, 300, "CREATE FAILED: no rows"),
        ({"status": "CREATE PENDING"}, -1, "CREATE PENDING: it is not ACTIVE after -1 seconds"),
    ],
)
def test_a_resource_that_does_not_become_active_is_an_error(
    monkeypatch, resource, deadline_seconds, problem
):
    monkeypatch.setattr(resources, "DEADLINE_SECONDS", deadline_seconds)
    with pytest.raises(RehearsalError) as caught:
        resources.wait_until_active(
            lambda **_: {"dataset": resource}, "dataset", datasetArn="arn:1"
        )
    assert str(caught.value) == f"arn:1: its status is {problem}"


@pytest.mark.parametrize(
    ("probe", "training_mode", "recipe"),
    [
        (None, "FULL", "aws-user-personalization-v2"),
        (None, "UPDATE", "aws-user-personalization"),
        (ProbeArgs(user_id="1"), "FULL", "aws-user-personalization-v2"),
        (ProbeArgs(item_id="1"), "FULL", "aws-similar-items"),
        (ProbeArgs(user_id="1", input_list=["1"]), "FULL", "aws-personalized-ranking-v2"),
    ],
)
def test_a_solution_has_a_recipe_for_its_probe_and_its_training_mode(probe, training_mode, recipe):
    solution = SolutionArgs(
        solution_arn=SOLUTION, training_mode=training_mode, campaigns=[campaign_args(probe=probe)]
    )
    assert resources.recipe_of(solution) == recipe
