"""Proves that injected faults happen to the calls and jobs that they name, and not again.

`golden/personalize_faults.txt` has a fault in one line and the start of its refusal in the next.
"""

import json
import math

import pytest
from botocore.exceptions import ReadTimeoutError
from personalize_world import World, error_of

from emulator.personalize import Faults
from emulator.personalize.faults import CALL_FAULTS


@pytest.fixture
def world():
    return World()


@pytest.fixture
def solution(world):
    return world.create_trainable_solution()


def group_names(world):
    return [group["name"] for group in world.client.list_dataset_groups()["datasetGroups"]]


@pytest.mark.parametrize("fault", [name for name, kind in CALL_FAULTS.items() if "code" in kind])
def test_a_fault_refuses_the_named_operation_as_often_as_asked(world, fault):
    for own_error in ({}, {"code": "Teapot", "message": "short", "status": 418}):
        error = {**CALL_FAULTS[fault], **own_error}
        world.inject(fault, operation="CreateDatasetGroup", times=2, **own_error)
        for _ in range(2):
            assert group_names(world) == [], "other operations succeed"
            with pytest.raises(world.client.exceptions.ClientError) as raised:
                world.client.create_dataset_group(name="movies")
            response = raised.value.response
            assert response["Error"] == {"Code": error["code"], "Message": error["message"]}
            assert response["ResponseMetadata"]["HTTPStatusCode"] == error["status"]
    world.client.create_dataset_group(name="movies")


@pytest.mark.parametrize("fault", ["throttle", "server-error", "lost-answer"])
def test_botocore_retries_these_faults(world, monkeypatch, fault):
    monkeypatch.setattr("time.sleep", lambda _: None)
    world.inject(fault, operation="ListSchemas")
    response = world.connect(attempts=3).list_schemas()
    assert response["ResponseMetadata"]["RetryAttempts"] == 1


def test_a_fault_for_calls_can_name_a_value_in_the_request(world, solution):
    campaign = world.create_campaign(world.train(solution))
    world.inject("error", operation="GetRecommendations", of="user-1", times=None)
    for _ in range(3):
        error = error_of(world.runtime.get_recommendations, campaignArn=campaign, userId="user-1")
        assert error.code == "InvalidInputException", "a fault without an end stays"
        world.runtime.get_recommendations(campaignArn=campaign, userId="user-2")


def test_a_rate_hits_its_share_of_the_calls_and_the_same_calls_each_time():
    def outcomes():
        faults = Faults()
        faults.inject({"fault": "deny", "operation": "*", "times": None, "rate": 0.3})
        return [faults.take_for_call("ListSchemas", {}).id == "" for _ in range(1000)]

    assert outcomes() == outcomes()
    assert 650 < outcomes().count(True) < 750


def test_a_response_of_the_runtime_can_be_without_a_list_or_with_an_empty_one(world, solution):
    campaign = world.create_campaign(world.train(solution))

    def response():
        return world.runtime.get_recommendations(campaignArn=campaign, userId="nobody")

    assert response()["itemList"] != []
    world.inject("no-item-list", operation="GetRecommendations")
    assert response().keys() == {"recommendationId", "ResponseMetadata"}
    world.inject("no-results", job="solution-version")
    world.start_update(campaign, world.train(solution))
    world.wait()
    assert response()["itemList"] == [], "the version never has a result"


def test_metrics_can_be_changed_to_no_number_to_infinity_and_to_nothing(world, solution):
    version = world.train(solution)
    values = {"coverage": math.nan, "precision_at_5": -math.inf, "precision_at_10": None}
    world.inject("metrics", operation="GetSolutionMetrics", of=version, values=values)
    changed, real = (
        world.client.get_solution_metrics(solutionVersionArn=version)["metrics"] for _ in range(2)
    )

    assert math.isnan(changed["coverage"])
    assert changed["precision_at_5"] == -math.inf
    assert changed.keys() == real.keys() - {"precision_at_10"}
    assert changed["precision_at_25"] == real["precision_at_25"]


def test_a_response_is_lost_or_replaced_after_the_operation_was_performed(world):
    world.inject("lost-answer", operation="CreateDatasetGroup")
    with pytest.raises(ReadTimeoutError):
        world.client.create_dataset_group(name="first")
    world.inject("lost-answer", operation="CreateDatasetGroup", status=503)
    error = error_of(world.client.create_dataset_group, name="second")

    assert error.code == "InternalServerError"
    assert group_names(world) == ["first", "second"]


def test_a_stale_response_shows_the_resources_as_they_were(world, solution):
    campaign = world.create_campaign(world.train(solution))
    version = world.start_training(solution)
    world.start_update(campaign, minProvisionedTPS=2)
    world.inject("stale", operation="*", times=3)
    error = error_of(world.client.describe_solution_version, solutionVersionArn=version)
    assert error.code == "ResourceNotFoundException"

    listed = world.client.list_solution_versions(solutionArn=solution)["solutionVersions"]
    assert len(listed) == 1, "only the older version"
    assert "latestCampaignUpdate" not in world.describe_campaign(campaign)

    world.wait(30)
    world.inject("stale", operation="DescribeSolutionVersion", seconds=28)
    statuses = [world.describe_version(version)["status"] for _ in range(2)]
    assert statuses == ["CREATE IN_PROGRESS", "ACTIVE"]


def test_each_fault_of_the_golden_file_is_refused(golden):
    def refusal(line):
        with pytest.raises(ValueError) as error:  # noqa: PT011 - the golden file has the text
            Faults().inject(json.loads(line))
        return str(error.value)[:100]

    golden.answers("personalize_faults.txt", refusal)
