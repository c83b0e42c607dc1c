"""Tests of the guards about batch jobs, and of what they read in S3."""

import json
from datetime import UTC, datetime
from unittest.mock import patch

import pytest
from botocore.exceptions import ClientError

from functions.common.hashes import compute_short_hash
from functions.planning.resource_guards import (
    refuse_unusable_inputs,
    warn_of_incomplete_segments,
    warn_of_missing_inputs,
    warn_of_obsolete_batch_results,
)
from functions.s3.exports import (
    Export,
    read_batch_input,
)
from tests.functions import samples as s
from tests.functions.samples import (
    SOLUTION,
    dataset_settings,
    s3_object,
    solution_resource,
    solution_settings,
)
from tests.workflow.bucket import Bucket

INPUT = "s3://exports/in/users.json"
OUTPUT = "s3://exports/out/"
NAMED = f"batch job to {OUTPUT}: "


def found(
    guard, objects, recipe="aws-user-personalization", location=INPUT, output=OUTPUT, **changes
):
    """Return the messages of a guard about a batch job whose input are these objects."""
    job = {"input": location, "output": output}
    resource = solution_resource(recipeArn=f"arn:aws:personalize:::recipe/{recipe}")
    bucket = Bucket(objects, lambda: datetime.now(UTC))

    return s.messages(
        guard,
        batch_inputs={location: read_batch_input(bucket, location)},
        solution=solution_settings(batchJobs=[job]),
        solutions=resource,
        **changes,
    )


def test_golden_messages_about_inputs(golden):
    """A question is a recipe, the location of the input, and the files in the bucket."""

    def answer(line):
        recipe, location, files = line.split(" ", 2)
        objects = {key: text.encode() for key, text in json.loads(files).items()}

        return [
            f"{guard.effect} {message}"
            for guard in (refuse_unusable_inputs, warn_of_missing_inputs)
            for message in found(guard, objects, recipe, location)
        ]

    golden.answers("batch_inputs.txt", answer)


def test_a_missing_input_needs_a_person_even_if_the_run_goes_well():
    missing = read_batch_input(Bucket({}, lambda: datetime.now(UTC)), INPUT)
    solution = solution_settings(batchJobs=[{"input": INPUT, "output": OUTPUT}])
    view = s.solution_view(solution=solution, batch_inputs={INPUT: missing})

    assert [warning["needsPerson"] for warning in warn_of_missing_inputs.check(view)] == [True]


@pytest.mark.parametrize("item_bytes, is_refused", [(255, False), (1536, False), (4000, True)])
def test_a_first_line_is_read_to_its_end_even_if_its_items_are_long(item_bytes, is_refused):
    """The last line is longer than a line to rank can be: 500 ids of 256 characters in JSON."""
    items = ", ".join(f'"{"i" * item_bytes}"' for _ in range(500))
    line = f'{{"itemList": [{items}], "userId": "1"}}\n{{}}'
    messages = found(
        refuse_unusable_inputs, {"in/users.json": line.encode()}, "aws-personalized-ranking"
    )

    assert len(messages) == is_refused


def test_an_input_that_cannot_be_read_is_still_compared_with_that_of_the_last_results():
    bucket = Bucket({"in/users.json": b"{}"}, lambda: datetime.now(UTC))
    readable = read_batch_input(bucket, INPUT)
    denied = ClientError({"Error": {"Code": "AccessDenied"}}, "GetObject")
    with patch.object(bucket, "get_object", side_effect=denied):
        export = read_batch_input(bucket, INPUT)

    assert export.read_error == f"{INPUT} cannot be read: AccessDenied: None"
    assert export.files_hash == readable.files_hash


GONE = (
    f"{NAMED}has results whose input is gone, for example out/old.json.out; delete them, or put "
    "{date} into the output"
)


@pytest.mark.parametrize(
    "objects, output, keys, messages",
    [
        (
            {"in/users.json": b"{}"},
            OUTPUT,
            ["out/another/job.json.out", "out/old.json.out", "out/users.json.out"],
            [GONE],
        ),
        ({"in/users.json": b"{}"}, OUTPUT, ["out/users.json.out"], []),
        ({"in/users.json": b"{}"}, f"{OUTPUT}{{date}}/", ["out/2026-11-29/old.json.out"], []),
        ({}, OUTPUT, ["out/old.json.out"], []),
        ({"in/users.json": b"{}"}, OUTPUT, None, []),
    ],
    ids=["old", "present", "with a date", "no input", "no solution"],
)
def test_results_whose_input_is_gone_are_a_warning(objects, output, keys, messages):
    files = [s3_object(key=key) for key in keys or ()]
    location = output.replace("{date}", "2026-11-29")
    results = (
        {compute_short_hash(output, 8): Export(location=location, objects=files)} if keys else {}
    )

    assert (
        found(warn_of_obsolete_batch_results, objects, output=output, batch_results=results)
        == messages
    )


def test_user_segments_of_incremental_imports_are_a_warning():
    text = f"{SOLUTION}: user segments leave out what INCREMENTAL imports have added; use "
    for recipe, mode, messages in (
        ("aws-item-affinity", "INCREMENTAL", [f"{text}importMode FULL"]),
        ("aws-item-affinity", "FULL", []),
        ("aws-sims", "INCREMENTAL", []),
    ):
        settings = s.settings(datasets=[dataset_settings(importMode=mode)])
        files = {"in/users.json": b"{}"}
        assert found(warn_of_incomplete_segments, files, recipe, settings_=settings) == messages
