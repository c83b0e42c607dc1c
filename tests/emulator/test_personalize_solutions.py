"""Proves the rules of solutions and of solution versions."""

import json
import re

import pytest
from personalize_world import (
    GROUP,
    INTERACTIONS,
    RECIPE,
    World,
    error_of,
    numbered_interactions,
    recipe_arn,
)

from emulator.personalize import Switches
from retrain.rehearsal.data.sample_data import FIELDS, sample_data

EVERY_WEEK = {"autoTrainingConfig": {"schedulingExpression": "rate(7 days)"}}
EVERY_TWO_DAYS = {"autoTrainingConfig": {"schedulingExpression": "rate(2 days)"}}


@pytest.fixture
def world():
    return World()


@pytest.fixture
def solution(world):
    return world.create_trainable_solution()


def failure(world, solution, **fields):
    """Train a version, and return why the training failed, or None if it succeeded."""
    version = world.describe_version(world.train(solution, **fields))
    assert version["status"] == ("CREATE FAILED" if "failureReason" in version else "ACTIVE")
    assert ("trainingHours" in version) == (version["status"] == "ACTIVE")
    return version.get("failureReason")


def metrics(world, version):
    return world.client.get_solution_metrics(solutionVersionArn=version)["metrics"]


def test_describe_shows_the_request_and_the_settings_of_the_solution_but_no_tags(world, solution):
    arn = world.start_training(solution, name="nightly", tags=[{"tagKey": "a", "tagValue": "1"}])
    assert re.fullmatch(re.escape(solution) + "/[0-9a-f]{8}", arn)
    statuses = world.statuses(world.describe_version, arn, [1.5, 1.5])
    assert statuses == ["CREATE PENDING", "CREATE IN_PROGRESS", "ACTIVE"]
    version = world.describe_version(arn)
    fields = {name: value for name, value in version.items() if not name.endswith("DateTime")}
    assert fields == {
        "name": "nightly",
        "solutionVersionArn": arn,
        "solutionArn": solution,
        "performHPO": False,
        "performAutoML": False,
        "recipeArn": RECIPE,
        "datasetGroupArn": GROUP,
        "solutionConfig": EVERY_WEEK,
        "trainingHours": 0.000556,
        "trainingMode": "FULL",
        "trainingType": "MANUAL",
        "status": "ACTIVE",
    }
    (summary,) = world.client.list_solution_versions(solutionArn=solution)["solutionVersions"]
    assert not {"name", "trainingHours"} & set(summary), "a List shows less than a Describe"
    second = world.train(solution)
    assert second != arn
    assert "name" not in world.describe_version(second)


@pytest.mark.parametrize("are_unique", [False, True])
def test_a_switch_decides_if_version_names_are_unique(are_unique):
    world = World(switches=Switches(unique_version_names=are_unique))
    solution = world.create_trainable_solution()
    world.train(solution)
    version = world.train(solution, name="nightly")
    world.train(solution, name="daily")
    if are_unique:
        request = {"solutionArn": solution, "name": "nightly"}
        message = f"Another resource with Arn {version} already exists."
        error = error_of(world.client.create_solution_version, **request)
        assert error == ("ResourceAlreadyExistsException", message)
    else:
        assert world.train(solution, name="nightly") != version


def test_update_needs_an_active_full_version(world, solution):
    world.inject("fail", job="solution-version")
    world.train(solution)
    world.start_training(solution)
    request = {"solutionArn": solution, "trainingMode": "UPDATE"}
    error = error_of(world.client.create_solution_version, **request)
    assert error.code == "InvalidInputException", "the first version failed, the second is pending"
    world.wait()
    assert failure(world, solution, trainingMode="UPDATE") is None
    similar = world.create_solution(GROUP, "similar", recipe_arn("sims"))
    world.train(similar)
    request["solutionArn"] = similar
    error = error_of(world.client.create_solution_version, **request)
    assert error.code == "InvalidInputException", "the recipe has no UPDATE"


def test_a_training_uses_the_data_of_the_time_when_it_came_into_progress(world, solution):
    first = world.train(solution)
    second = world.start_training(solution)
    world.wait(2)
    world.describe_version(second)
    world.put("interactions.csv", sample_data()["INTERACTIONS"])
    world.start_import(INTERACTIONS, "second")
    world.wait()
    third = world.train(solution)
    assert metrics(world, first) == metrics(world, second), "the import ended during the training"
    assert metrics(world, second) != metrics(world, third), "it used the new rows"


PURCHASES = b"u,i,purchase,1700000000\n"
GUESTS = b"".join(b"guest-%d,film,watch,1700000000\n" % number for number in range(100))
TOO_FEW = "Dataset has fewer than 1000 interactions"


@pytest.mark.parametrize(
    ("data", "event_type", "reason"),
    [
        (None, None, TOO_FEW),
        (
            numbered_interactions(1000) + PURCHASES * 20,
            "purchase",
            f"{TOO_FEW} after filtering by event type: purchase",
        ),
        (numbered_interactions(1000) + PURCHASES, "watch", None),
        (
            numbered_interactions(1200, users=24) + GUESTS,
            None,
            "Dataset has fewer than 25 users with at least 2 interactions each",
        ),
        (numbered_interactions(1200, users=25) + GUESTS, None, None),
    ],
)
def test_a_training_with_too_few_interactions_or_users_fails(world, data, event_type, reason):
    dataset = world.create_dataset()
    if data is not None:
        world.put("interactions.csv", data)
        world.import_file(dataset)
    fields = {} if event_type is None else {"eventType": event_type}
    assert failure(world, world.create_solution(GROUP, **fields)) == reason


def test_an_event_type_without_its_column_fails_the_training(world):
    fields = [
        {"name": name, "type": avro_type}
        for name, avro_type in FIELDS["INTERACTIONS"].items()
        if name != "EVENT_TYPE"
    ]
    avro = json.dumps({"type": "record", "fields": fields})
    world.put("interactions.csv", numbered_interactions(1000))
    world.import_file(world.create_dataset(avro=avro))
    solution = world.create_solution(GROUP, eventType="watch")
    assert failure(world, solution) == f"{TOO_FEW} after filtering by event type: watch"


@pytest.mark.parametrize("has_underscore", [False, True])
@pytest.mark.parametrize(("seconds", "stopping"), [(0, "STOPPED"), (2, "STOPPING")])
def test_a_pending_training_stops_at_once_and_one_in_progress_after_a_while(
    has_underscore, seconds, stopping
):
    world = World(switches=Switches(underscore_in_stop_status=has_underscore))
    solution = world.create_trainable_solution()
    arn = world.start_training(solution)
    world.wait(seconds)
    stop = world.client.stop_solution_version_creation
    stop(solutionVersionArn=arn)
    error = error_of(stop, solutionVersionArn=arn)
    message = f"Solution version {arn} is CREATE {stopping} and cannot be stopped"
    assert error == ("InvalidInputException", message)
    words = "CREATE_" if has_underscore else "CREATE "
    statuses = world.statuses(world.describe_version, arn, [0.9, 0.1, 500])
    assert statuses == [f"{words}{stopping}"] * 2 + [f"{words}STOPPED"] * 2
    assert "trainingHours" not in world.describe_version(arn)
    latest = world.describe_solution(solution)["latestSolutionVersion"]
    assert latest["status"] == f"{words}STOPPED"


def test_automatic_training_every_seven_days_is_the_default_but_nothing_trains_by_itself(world):
    on = world.describe_solution(world.create_solution())
    off = world.describe_solution(world.create_solution(GROUP, "off", performAutoTraining=False))
    often = world.create_solution(GROUP, "often", solutionConfig=EVERY_TWO_DAYS)
    assert (on["performAutoTraining"], on["solutionConfig"]) == (True, EVERY_WEEK)
    assert off["performAutoTraining"] is False
    assert "solutionConfig" not in off
    assert world.describe_solution(often)["solutionConfig"] == EVERY_TWO_DAYS
    world.wait(10**7)
    assert world.client.list_solution_versions()["solutionVersions"] == []


def test_update_solution_is_in_force_when_the_update_is_active(world):
    solution = world.create_solution(solutionConfig={"eventValueThreshold": "1"})
    created = world.describe_solution(solution)["lastUpdatedDateTime"]
    world.client.update_solution(
        solutionArn=solution, performAutoTraining=False, solutionUpdateConfig=EVERY_TWO_DAYS
    )
    description = world.describe_solution(solution)
    assert (description["performAutoTraining"], description["status"]) == (True, "ACTIVE")
    assert description["latestSolutionUpdate"]["status"] == "CREATE PENDING"
    assert description["lastUpdatedDateTime"] == created
    world.wait()
    description = world.describe_solution(solution)
    update = description["latestSolutionUpdate"]
    assert description["performAutoTraining"] is update["performAutoTraining"] is False
    assert (update["status"], update["solutionUpdateConfig"]) == ("ACTIVE", EVERY_TWO_DAYS)
    assert description["solutionConfig"] == {"eventValueThreshold": "1", **EVERY_TWO_DAYS}
    assert description["lastUpdatedDateTime"] > created
    world.client.update_solution(solutionArn=solution, performAutoTraining=True)
    world.wait()
    description = world.describe_solution(solution)
    assert description["performAutoTraining"] is True
    assert description["solutionConfig"] == {"eventValueThreshold": "1", **EVERY_TWO_DAYS}


def test_describe_solution_shows_the_latest_version(world, solution):
    assert "latestSolutionVersion" not in world.describe_solution(solution)
    world.train(solution)
    second = world.start_training(solution, trainingMode="UPDATE")
    latest = world.describe_solution(solution)["latestSolutionVersion"]
    assert latest["solutionVersionArn"] == second
    assert (latest["status"], latest["trainingMode"]) == ("CREATE PENDING", "UPDATE")
