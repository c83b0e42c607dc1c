"""Proves that `start_on_export` is called for ready markers, and only if the stack asks for it."""

import json

import pytest

from components.args import DatasetArgs, DatasetsArgs, LimitsArgs, TriggerArgs
from tests.components.conftest import deploy
from tests.components.documents import MACHINE, ROLE_POLICY, allow, document, function_arn
from tests.components.sample import NAME, PERSONALIZE, minimal

START = f"{NAME}-start-on-export"
RULE = "aws:cloudwatch/eventRule:EventRule"
TARGET = "aws:cloudwatch/eventTarget:EventTarget"
PERMISSION = "aws:lambda/permission:Permission"


def with_trigger(**changes):
    """Return arguments with two ready markers of a day that start runs."""
    datasets = DatasetsArgs(
        interactions=DatasetArgs(
            dataset_arn=f"{PERSONALIZE}:dataset/movies/INTERACTIONS",
            data_location="s3://exports/{date}/interactions/",
            ready_marker="s3://markers/done/{date}/interactions",
        ),
        items=DatasetArgs(
            dataset_arn=f"{PERSONALIZE}:dataset/movies/ITEMS",
            data_location="s3://exports/{date}/items/",
            ready_marker="s3://markers/done/{date}/items",
        ),
    )
    return minimal(
        datasets=datasets,
        trigger=TriggerArgs(on_export=True),
        limits=LimitsArgs(max_trainings_per_month=0),
        **changes,
    )


@pytest.fixture(scope="module")
def triggered():
    return deploy(with_trigger)


def test_the_rule_matches_objects_that_may_be_markers(triggered):
    inputs = triggered.one(RULE, START).inputs
    assert json.loads(inputs["eventPattern"]) == {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": ["markers"]}, "object": {"key": [{"prefix": "done/"}]}},
    }
    assert inputs["state"] == "ENABLED"


def test_a_paused_pipeline_is_not_started_by_markers():
    paused = deploy(lambda: with_trigger(paused=True))
    assert paused.one(RULE, START).inputs["state"] == "DISABLED"


def test_the_function_gets_the_state_machine_and_the_object(triggered):
    assert triggered.one(TARGET, START).inputs == {
        "rule": f"{START}-1234567",
        "arn": function_arn("start-on-export"),
        "inputTransformer": {
            "inputPaths": {"bucket": "$.detail.bucket.name", "key": "$.detail.object.key"},
            "inputTemplate": (
                f'{{"stateMachineArn": "{MACHINE}", "bucket": <bucket>, "key": <key>}}'
            ),
        },
    }


def test_only_the_rule_calls_the_function_and_only_when_all_permissions_exist(triggered):
    permission = triggered.one(PERMISSION, START)
    assert permission.inputs["sourceArn"] == (
        f"arn:aws:events:eu-west-1:123456789012:rule/{START}-1234567"
    )
    required = {permission.urn, triggered.one(ROLE_POLICY, f"{START}-executions").urn}
    assert required <= triggered.one(TARGET, START).dependencies


def test_the_function_may_list_the_buckets_and_start_executions(triggered):
    assert triggered.policy(f"{START}-executions") == document(
        allow(["states:DescribeStateMachine", "states:StartExecution"], [MACHINE])
    )
    statements = triggered.policy(START)["Statement"]
    assert statements[0] == allow(
        ["s3:ListBucket"], ["arn:aws:s3:::exports", "arn:aws:s3:::markers"]
    )


def test_without_the_trigger_nothing_of_it_is_created(smallest):
    assert [name for name in smallest.all_of(RULE) if "export" in name] == []
    assert [name for name in smallest.all_of(ROLE_POLICY) if "start-on-export" in name] == []
