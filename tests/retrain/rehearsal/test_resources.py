"""Proves what is created for a stack. S3 is a double."""

import json
from datetime import date
from types import SimpleNamespace

import boto3
import pytest

from components.args import BatchJobArgs, CampaignArgs, ProbeArgs, QualityRuleArgs
from retrain.account.errors import OperatorError
from retrain.rehearsal.data import RehearsalData
from retrain.rehearsal.recipes import choose_recipe
from retrain.rehearsal.resources import StackResources, wait_until_active
from tests.world import MOVIES, campaign, dataset_arn, solution

CONTENT = b'\xef\xbb\xbfA,B\r\n1,"x"\r\n2,\\,\n3,\xc3\xa9\n'


@pytest.fixture
def uploads(monkeypatch):
    """Replace boto3's clients. Return the requests to S3 that create something, in order."""
    requests = []
    buckets = [{"Name": "existing"}]

    def create_bucket(**request):
        buckets.append({"Name": request["Bucket"]})
        requests.append(request)

    def client(_service, **_):
        return SimpleNamespace(
            list_buckets=lambda: {"Buckets": buckets},
            put_bucket_policy=lambda **_: None,
            create_bucket=create_bucket,
            put_object=lambda **request: requests.append(
                (request["Bucket"], request["Key"], request["Body"])
            ),
        )

    monkeypatch.setattr(boto3, "client", client)
    return requests


def resources_of(group, content=CONTENT, region="us-east-1"):
    emulator = SimpleNamespace(region=region, account="123456789012", connection={})
    return StackResources(emulator, group.args, RehearsalData({}, {}, {"INTERACTIONS": content}))


@pytest.mark.parametrize(
    "key, files",
    [("a.csv", {"a.csv": CONTENT}), ("day={date}/", {"day=2026-11-29/part-0.csv": CONTENT})],
)
def test_the_export_of_a_day_is_written_byte_for_byte_and_then_its_marker(uploads, key, files):
    location = f"s3://existing/{key}"
    marker = "s3://new/{date}.ready"
    group = MOVIES.with_datasets("interactions", data_location=location, ready_marker=marker)
    aws = resources_of(group, region="eu-west-1")
    aws.write_newer_exports(date(2026, 11, 29))
    bucket = {"CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}}
    written = [("existing", name, content) for name, content in files.items()]
    ready = ("new", "2026-11-29.ready", b"")
    assert uploads == [*written, {"Bucket": "new", **bucket}, ready]

    aws.write_newer_exports(date(2026, 11, 29))
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
def test_a_batch_job_has_an_input_with_queries_for_its_recipe(uploads, probe, key, file, line):
    rows = b"USER_ID,ITEM_ID,TIMESTAMP\na,1,1\nb,1,2\nb,2,3\nc,1,0\nd,1,0\n"
    job = BatchJobArgs(input=f"s3://in/{key}", output="s3://out/")
    batches = solution(campaigns=[campaign(**probe)], batch_jobs=[job])
    group = MOVIES.with_datasets("interactions", data_location="s3://existing/a.csv")
    group = group.with_solutions(solution("other"), batches)
    resources_of(group, rows).write_newer_exports(date(2026, 11, 29))
    buckets = ({"Bucket": "in"}, {"Bucket": "out"})
    assert (uploads[0], uploads[2]) == buckets, "in us-east-1, a bucket has no location"

    bucket, written, content = uploads[1]
    lines = [json.loads(text) for text in content.splitlines()]
    assert (bucket, written, lines[0], len(lines)) == ("in", file, line, 3)


@pytest.mark.usefixtures("uploads")
def test_a_stack_without_interactions_gets_an_export_of_interactions():
    datasets = resources_of(MOVIES.with_datasets("users"), region="eu-west-1").datasets
    assert list(datasets) == ["USERS", "INTERACTIONS"]
    assert datasets["INTERACTIONS"].dataset_arn == dataset_arn("interactions")
    location = datasets["INTERACTIONS"].data_location
    assert location == "s3://rehearsal-interactions/interactions.csv"


def test_a_resource_that_fails_is_an_error():
    resource = {"status": "CREATE FAILED", "failureReason": "no rows"}
    with pytest.raises(OperatorError) as caught:
        wait_until_active(lambda **_: {"dataset": resource}, "dataset", "arn:1")
    assert str(caught.value) == "arn:1: CREATE FAILED: no rows"


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
