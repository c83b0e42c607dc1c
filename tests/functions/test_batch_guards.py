"""Tests of the guards about batch jobs, and of what they read in S3."""

from datetime import UTC, datetime
from unittest.mock import patch

import pytest
from botocore.exceptions import ClientError

from functions.exports import read_batch_input
from functions.planning.resource_guards import incomplete_inputs, unusable_inputs
from tests.functions import samples as s
from tests.workflow.bucket import Bucket

INPUT, OUTPUT = "s3://exports/in/users.json", "s3://exports/out/"
NAMED = f"batch job to {OUTPUT}: "


def found(guard, objects, recipe="aws-user-personalization", location=INPUT, **changes):
    """Return the messages of a guard about a batch job whose input are these objects."""
    job = {"input": location, "output": OUTPUT}
    resource = s.solution_resource(recipeArn=f"arn:aws:personalize:::recipe/{recipe}")
    bucket = Bucket(objects, lambda: datetime.now(UTC))
    return s.messages(
        guard,
        batch_inputs={location: read_batch_input(bucket, location)},
        solution=s.solution_settings(batchJobs=[job]),
        solutions={s.SOLUTION: resource},
        **changes,
    )


def begins(text, keys):
    expected = f"each line has to be a JSON object with {keys}; correct it"
    return [f"{NAMED}its input begins with {text!r}, but {expected}"]


USER, ITEM = '{"userId": "1"}', '{"itemId": "1"}'


@pytest.mark.parametrize(
    ("recipe", "line", "expected"),
    [
        ("aws-user-personalization", USER, []),
        ("aws-user-personalization-v2", ITEM, begins(ITEM, "userId")),
        ("aws-popularity-count", USER, []),
        ("aws-sims", ITEM, []),
        ("aws-sims", "1,2", begins("1,2", "itemId")),
        ("aws-personalized-ranking", USER, begins(USER, "userId and itemList")),
        ("aws-personalized-ranking", '{"userId": "1", "itemList": []}', []),
        ("aws-item-affinity", USER, begins(USER, "itemId")),
        ("aws-item-attribute-affinity", '{"itemAttributes": "ITEMS.a = 1"}', []),
        ("aws-hrnn", "any", []),
    ],
)
def test_the_recipe_decides_about_the_keys_of_a_line(recipe, line, expected):
    content = {"in/empty.json": b"", "in/users.json": f"{line}\n{{}}\n".encode()}
    assert found(unusable_inputs, content, recipe, "s3://exports/in/") == expected


def test_a_file_is_refused_if_personalize_would_read_another_one_too():
    files = {"in/users.json": USER.encode(), "in/users.json.bak": ITEM.encode()}
    text = (
        f"{NAMED}Personalize would also read in/users.json.bak, because it begins like the input; "
        "move it, or put the input into a folder"
    )
    assert found(unusable_inputs, files) == [text]
    assert found(unusable_inputs, files, location="s3://exports/in/") == []
    only_other = {**files, "in/users.json": b""}
    assert found(unusable_inputs, only_other) == [text], "roles may not read the other file"


@pytest.mark.parametrize(
    ("objects", "location", "reason"),
    [
        ({"in/users.json": b"{}"}, INPUT, None),
        ({}, INPUT, f"{INPUT} has no content"),
        ({"in/users.json": b""}, INPUT, f"{INPUT} has no content"),
        ({}, "s3://other/u", "s3://other/u cannot be read: NoSuchBucket: it does not exist"),
    ],
)
def test_an_input_that_is_not_there_yet_is_a_warning(objects, location, reason):
    text = f"{NAMED}{reason}; the batch job may fail unless this changes before the training ends"
    assert found(incomplete_inputs, objects, location=location) == ([text] if reason else [])


def test_an_input_that_cannot_be_read_is_still_compared_with_that_of_the_last_results():
    bucket = Bucket({"in/users.json": b"{}"}, lambda: datetime.now(UTC))
    readable = read_batch_input(bucket, INPUT)
    denied = ClientError({"Error": {"Code": "AccessDenied"}}, "GetObject")
    with patch.object(bucket, "get_object", side_effect=denied):
        export = read_batch_input(bucket, INPUT)
    assert export.read_error == f"{INPUT} cannot be read: AccessDenied: None"
    assert export.fingerprint == readable.fingerprint


def test_user_segments_of_incremental_imports_are_a_warning():
    file = {"in/users.json": b"{}"}
    appended = s.settings(datasets=[s.dataset_settings(importMode="INCREMENTAL")])
    text = (
        f"{s.SOLUTION}: user segments leave out what INCREMENTAL imports have added; use "
        "importMode FULL"
    )
    affinity = "aws-item-affinity"
    assert found(incomplete_inputs, file, affinity, settings_=appended) == [text]
    assert found(incomplete_inputs, file, "aws-sims", settings_=appended) == []
    assert found(incomplete_inputs, file, affinity) == []
