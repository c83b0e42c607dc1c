"""Proves what is created for a stack. S3 is a double."""

import json
from datetime import date
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from components.args import BatchJobArgs, CampaignArgs, ProbeArgs, QualityRuleArgs
from retrain.account.errors import OperatorError
from retrain.rehearsal.data import RehearsalData
from retrain.rehearsal.recipes import choose_recipe
from retrain.rehearsal.resources import StackResources
from tests.world import MOVIES, campaign, dataset_arn, solution

CONTENT = b'\xef\xbb\xbfA,B\r\n1,"x"\r\n2,\\,\n3,\xc3\xa9\n'


def resources_of(group, content=CONTENT, region="us-east-1"):
    """Return the resources of a stack in an account with one bucket. All clients are one double."""
    buckets = [{"Name": "existing"}]
    client = Mock()
    client.list_buckets.return_value = {"Buckets": buckets}
    client.create_bucket.side_effect = lambda **request: buckets.append({"Name": request["Bucket"]})
    emulator = SimpleNamespace(region=region, account="123456789012", client=lambda _: client)
    exports = {"INTERACTIONS": content}
    return StackResources(emulator, group.args, RehearsalData({}, exports, exports))


def uploads_to(resources):
    """Return the requests to S3 that create something, in order."""
    creations = [
        call.kwargs
        for call in resources.s3.mock_calls
        if call[0] in ("create_bucket", "put_object")
    ]
    return [
        (request["Bucket"], request["Key"], request["Body"]) if "Key" in request else request
        for request in creations
    ]


@pytest.mark.parametrize(
    "key, files",
    [("a.csv", {"a.csv": CONTENT}), ("day={date}/", {"day=2026-11-29/part-0.csv": CONTENT})],
)
def test_the_export_of_a_day_is_written_byte_for_byte_and_then_its_marker(key, files):
    location = f"s3://existing/{key}"
    marker = "s3://new/{date}.ready"
    group = MOVIES.with_datasets("interactions", data_location=location, ready_marker=marker)
    aws = resources_of(group, region="eu-west-1")
    aws.write_newer_exports(date(2026, 11, 29))
    uploads = uploads_to(aws)
    bucket = {"CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}}
    written = [("existing", name, content) for name, content in files.items()]
    ready = ("new", "2026-11-29.ready", b"")
    assert uploads == [*written, {"Bucket": "new", **bucket}, ready]

    aws.write_newer_exports(date(2026, 11, 29))
    uploads = uploads_to(aws)
    assert uploads[-2][2] != CONTENT, "the next export differs"
    assert sorted(uploads[-2][2].splitlines()) == sorted(CONTENT.splitlines())


@pytest.mark.parametrize(
    "probe, key, file, line",
    [
        ({}, "{date}/in/", "2026-11-29/in/part-0.csv", {"userId": "b"}),
        ({"item_id": "1"}, "items.json", "items.json", {"itemId": "2"}),
        (
            {"user_id": "1", "input_list": ["1"]},
            *("in.json", "in.json"),
            {"userId": "b", "itemList": ["2", "1"]},
        ),
    ],
)
def test_a_batch_job_has_an_input_with_queries_for_its_recipe(probe, key, file, line):
    rows = b"USER_ID,ITEM_ID,TIMESTAMP\na,1,1\nb,1,2\nb,2,3\nc,1,0\nd,1,0\n"
    job = BatchJobArgs(input=f"s3://in/{key}", output="s3://out/")
    batches = solution(campaigns=[campaign(**probe)], batch_jobs=[job])
    group = MOVIES.with_datasets("interactions", data_location="s3://existing/a.csv")
    group = group.with_solutions(solution("other"), batches)
    aws = resources_of(group, rows)
    aws.write_newer_exports(date(2026, 11, 29))
    uploads = uploads_to(aws)
    buckets = ({"Bucket": "in"}, {"Bucket": "out"})
    assert (uploads[0], uploads[2]) == buckets, "in us-east-1, a bucket has no location"

    bucket, written, content = uploads[1]
    lines = [json.loads(text) for text in content.splitlines()]
    assert (bucket, written, lines[0], len(lines)) == ("in", file, line, 3)


def test_a_stack_without_interactions_gets_an_export_of_interactions():
    datasets = resources_of(MOVIES.with_datasets("users"), region="eu-west-1").datasets
    assert list(datasets) == ["USERS", "INTERACTIONS"]
    assert datasets["INTERACTIONS"].dataset_arn == dataset_arn("interactions")
    location = datasets["INTERACTIONS"].data_location
    assert location == "s3://rehearsal-interactions/interactions.csv"


def test_a_resource_that_fails_is_an_error():
    aws = resources_of(MOVIES.with_datasets("interactions"))
    resource = {"status": "CREATE FAILED", "failureReason": "no rows"}
    aws.personalize.create_dataset_group.return_value = {"datasetGroupArn": aws.group_arn}
    aws.personalize.describe_dataset_group.return_value = {"datasetGroup": resource}
    with pytest.raises(OperatorError) as caught:
        aws.create()
    assert str(caught.value) == f"{aws.group_arn}: CREATE FAILED: no rows"


JOB = {"input": "s3://bucket/in.json", "output": "s3://bucket/out/"}
TRENDING = QualityRuleArgs(metric="trend_prediction_accuracy", minimum=0.1)


@pytest.mark.parametrize(
    "probe, mode, recipe",
    [
        ({}, "FULL", "aws-user-personalization-v2"),
        ({}, "UPDATE", "aws-user-personalization"),
        ({"user_id": "1"}, "FULL", "aws-user-personalization-v2"),
        ({"item_id": "1"}, "FULL", "aws-similar-items"),
        ({"user_id": "1", "input_list": ["1"]}, "FULL", "aws-personalized-ranking-v2"),
    ],
)
def test_a_solution_has_a_recipe_for_its_probe_and_its_training_mode(probe, mode, recipe):
    assert choose_recipe(solution(training_mode=mode, campaigns=[campaign(**probe)])) == recipe


@pytest.mark.parametrize(
    "settings, recipe",
    [
        ({"batch_jobs": [BatchJobArgs(**JOB, themes="TITLE")]}, "aws-similar-items"),
        ({"batch_jobs": [BatchJobArgs(**JOB, exploration_weight=0)]}, "aws-user-personalization"),
        ({"quality_gate": [TRENDING]}, "aws-trending-now"),
        ({"quality_gate": [TRENDING], "training_mode": "UPDATE"}, "aws-user-personalization-v2"),
        (
            {"campaigns": [CampaignArgs(campaign_arn="a", probe=ProbeArgs())]},
            "aws-popularity-count",
        ),
        ({"campaigns": [campaign(user_id="1", item_id="1")]}, "aws-similar-items"),
    ],
)
def test_a_solution_has_a_recipe_for_its_other_settings_if_there_is_one(settings, recipe):
    assert choose_recipe(solution(**settings)) == recipe
