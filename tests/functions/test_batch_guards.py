"""Tests of the guards about batch jobs, and of what they read in S3."""

from datetime import UTC, datetime

import pytest

from functions.exports import Export, S3Object, read_batch_input
from functions.planning.batch_guards import impossible_batch_jobs, missing_inputs, partial_segments
from tests.functions import samples as s
from tests.workflow.bucket import Bucket

INPUT, OUTPUT = "s3://exports/in/users.json", "s3://exports/out/"
FILE = {"in/users.json": b'{"userId": "1"}\n{"itemId": "2"}\n'}
NAMED = f"batch job to {OUTPUT}: "


def settings(recipe, **changes):
    """Return the settings and the description of a solution with a batch job."""
    keys = ("numResults", "filterArn", "themes", "explorationWeight", "explorationItemAgeCutOff")
    job = {"input": INPUT, "output": OUTPUT, "onRejected": "skip", "maxHours": 12}
    jobs = [{**dict.fromkeys(keys), **job, **changes}]
    resource = s.solution_resource(recipeArn=f"arn:aws:personalize:::recipe/{recipe}")
    return {
        "solution": s.solution_settings(batchJobs=jobs),
        "solutions": {s.SOLUTION: resource},
    }


def found(guard, objects=FILE, recipe="aws-user-personalization", datasets=None, **changes):
    """Return the messages of a guard about a batch job whose input are these objects."""
    location = changes.get("input", INPUT)
    export = objects
    if isinstance(objects, dict):
        export = read_batch_input(Bucket(objects, lambda: datetime.now(UTC)), location)
    changes = {"batch_inputs": {location: export}, **settings(recipe, **changes)}
    if datasets:
        changes["settings_"] = s.settings(datasets=datasets)
    return s.messages(guard, **changes)


def begins(text, keys):
    return (
        f"{NAMED}s3://exports/in/users.json begins with {text!r}, but each line has to be a JSON "
        f"object with {keys}; correct it"
    )


USER, ITEM = '{"userId": "1"}', '{"itemId": "1"}'
NEEDS_USERS = "needs the recipe aws-user-personalization or aws-user-personalization-v2"
REGIONS = "only us-east-1, us-west-2 and ap-northeast-1 have"


@pytest.mark.parametrize(
    ("recipe", "line", "changes", "expected"),
    [
        ("aws-user-personalization", USER, {"explorationWeight": 0.3}, []),
        ("aws-user-personalization-v2", ITEM, {}, [begins(ITEM, "userId")]),
        ("aws-popularity-count", USER, {}, []),
        ("aws-sims", ITEM, {}, []),
        ("aws-personalized-ranking", USER, {}, [begins(USER, "userId and itemList")]),
        ("aws-personalized-ranking", '{"userId": "1", "itemList": []}', {}, []),
        ("aws-item-affinity", USER, {}, [begins(USER, "itemId")]),
        ("aws-item-attribute-affinity", '{"itemAttributes": "ITEMS.a = 1"}', {}, []),
        ("aws-hrnn", USER, {}, []),
        ("aws-hrnn", "u1,u2", {}, [begins("u1,u2", "a query")]),
        ("aws-hrnn", "", {}, [begins("", "a query")]),
        ("aws-hrnn", "[1]", {}, [begins("[1]", "a query")]),
        (
            "aws-trending-now",
            USER,
            {},
            [f"{NAMED}the recipe aws-trending-now has no batch jobs; remove it from batchJobs"],
        ),
        (
            "aws-sims",
            ITEM,
            {"explorationWeight": 0, "themes": "TITLE"},
            [
                f"{NAMED}themes needs the recipe aws-similar-items, not aws-sims; remove themes",
                f"{NAMED}explorationWeight {NEEDS_USERS}, not aws-sims; remove explorationWeight",
                f"{NAMED}eu-west-1 has no themes, {REGIONS}; remove themes",
            ],
        ),
    ],
)
def test_the_recipe_decides_about_the_settings_and_the_lines(recipe, line, changes, expected):
    content = {"in/users.json": f"{line}\n{line}\n".encode()}
    assert found(impossible_batch_jobs, content, recipe, **changes) == expected


def many(count, size):
    """Return an input with objects of this size."""
    objects = [S3Object(f"in/{number}", size, "e", s.NOW) for number in range(count)]
    return Export(location="s3://exports/in/", objects=objects)


FOLDER = {"input": "s3://exports/in/"}
BACKUP = {**FILE, "in/users.json.bak": b"{}\n"}


@pytest.mark.parametrize(
    ("objects", "changes", "expected"),
    [
        (FILE, FOLDER, None),
        (many(1000, 10**6), FOLDER, None),
        (many(1001, 1), FOLDER, "has 1001 files with 1 KB, but a batch job reads at most 1000"),
        (many(2, 600_000_000), FOLDER, "has 2 files with 1.2 GB"),
        (BACKUP, {}, "Personalize would also read in/users.json.bak, because it begins like"),
        ({**FILE, "in/sub/more.json": b"x\n"}, FOLDER, "s3://exports/in/sub/more.json begins"),
        (FILE, {"input": "s3://other/users.json"}, "s3://other/users.json cannot be read: NoSuch"),
    ],
)
def test_an_input_is_refused_that_personalize_would_not_read_as_it_is_meant(
    objects, changes, expected
):
    texts = found(impossible_batch_jobs, objects, **changes)
    assert [expected in text for text in texts] == ([] if expected is None else [True])


def test_no_object_is_read_that_the_roles_may_not_read():
    export = read_batch_input(Bucket(BACKUP, lambda: datetime.now(UTC)), INPUT)
    assert list(export.first_lines) == ["in/users.json"]
    assert len(export.objects) == 2, "Personalize lists by prefix"


@pytest.mark.parametrize(
    ("objects", "changes", "warns"),
    [
        (FILE, {}, False),
        ({}, {}, True),
        ({"in/users.json": b""}, {}, True),
        (FILE, {"input": "s3://other/users.json"}, False),
    ],
)
def test_an_input_that_is_not_there_yet_is_a_warning(objects, changes, warns):
    location = changes.get("input", INPUT)
    text = (
        f"{NAMED}{location} has no objects, or an empty one; the batch job fails unless it is "
        "written before the training ends"
    )
    assert found(missing_inputs, objects, **changes) == ([text] if warns else [])


def test_user_segments_of_incremental_imports_are_a_warning():
    appended = [s.dataset_settings(importMode="INCREMENTAL")]
    text = (
        f"{s.SOLUTION}: user segments leave out what INCREMENTAL imports have added; use "
        "importMode FULL"
    )
    assert found(partial_segments, recipe="aws-item-affinity", datasets=appended) == [text]
    assert found(partial_segments, recipe="aws-sims", datasets=appended) == []
    assert found(partial_segments, recipe="aws-item-affinity") == []
