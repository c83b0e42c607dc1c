"""Proves the rules of solutions and of solution versions."""

import json
import re

import pytest
from personalize_world import (
    ARN,
    CALLER,
    GROUP,
    INTERACTIONS,
    RECIPE,
    World,
    error_of,
    interactions,
    numbered_interactions,
    recipe_arn,
)

from emulator.personalize import ApiError, Switches
from retrain.rehearsal.data.sample_data import FIELDS, sample_data


@pytest.fixture
def world():
    return World()


@pytest.fixture
def solution(world):
    return world.create_trainable_solution()


def error_of_training(world, solution, **fields):
    """Return the error of CreateSolutionVersion."""
    return error_of(world.client.create_solution_version, solutionArn=solution, **fields)


def training_result(world, solution):
    """Train a version, and return its status and its failure reason."""
    version = world.describe_version(world.train(solution))
    return version["status"], version.get("failureReason")


def solution_with_data(world, csv, avro=None, **fields):
    """Create a solution in a group with these interactions."""
    group = world.create_group()
    world.put("interactions.csv", csv)
    world.import_file(world.create_dataset(group, avro=avro))
    return world.create_solution(group, **fields)


def test_a_version_is_pending_then_in_progress_then_active(world, solution):
    version = world.start_training(solution)
    statuses = world.statuses(world.describe_version, version, [1.5, 1.5])
    assert statuses == ["CREATE PENDING", "CREATE IN_PROGRESS", "ACTIVE"]


def test_a_version_arn_ends_in_8_hexadecimal_digits(world, solution):
    first, second = world.train(solution), world.train(solution)
    assert re.fullmatch(re.escape(solution) + "/[0-9a-f]{8}", first)
    assert first != second


def test_describe_shows_the_request_and_the_settings_of_the_solution_but_no_tags(world, solution):
    arn = world.train(solution, name="nightly", tags=[{"tagKey": "run", "tagValue": "1"}])
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
        "solutionConfig": {"autoTrainingConfig": {"schedulingExpression": "rate(7 days)"}},
        "trainingHours": 0.000556,
        "trainingMode": "FULL",
        "trainingType": "MANUAL",
        "status": "ACTIVE",
    }


def test_training_hours_appear_after_success_and_only_in_describe(world, solution):
    arn = world.start_training(solution)
    world.wait(2)
    assert "trainingHours" not in world.describe_version(arn), "in progress"
    world.wait()
    assert world.describe_version(arn)["trainingHours"] == 0.000556, "2 s in progress"
    (summary,) = world.client.list_solution_versions(solutionArn=solution)["solutionVersions"]
    assert set(summary) == {
        "solutionVersionArn",
        "status",
        "trainingMode",
        "trainingType",
        "creationDateTime",
        "lastUpdatedDateTime",
    }, "neither hours nor a name"


def test_training_hours_follow_the_timings():
    world = World(timings=lambda kind, _: (60, 5400) if kind == "solution-version" else (0, 0))
    arn = world.start_training(world.create_trainable_solution())
    world.wait(5460)
    assert world.describe_version(arn)["trainingHours"] == 1.5


def test_a_switch_decides_if_version_names_are_unique(world, solution):
    assert world.train(solution, name="nightly") != world.train(solution, name="nightly")

    strict_world = World(switches=Switches(unique_version_names=True))
    solution = strict_world.create_trainable_solution()
    version = strict_world.train(solution, name="nightly")
    assert error_of_training(strict_world, solution, name="nightly") == (
        "ResourceAlreadyExistsException",
        f"Another resource with Arn {version} already exists.",
    )


def test_a_training_needs_an_active_solution(world):
    group = world.create_group()
    solution = world.client.create_solution(
        name="for-you", datasetGroupArn=group, recipeArn=RECIPE
    )["solutionArn"]
    assert error_of_training(world, solution) == (
        "ResourceInUseException",
        f"Resource {solution} is not ACTIVE, its status is CREATE PENDING",
    )


def test_a_training_needs_the_dataset_of_its_recipe(world):
    assert error_of_training(world, world.create_solution()) == (
        "InvalidInputException",
        f"Dataset group {GROUP} has no INTERACTIONS dataset to train on",
    )


@pytest.mark.parametrize("recipe", ["user-personalization-v2", "hrnn", "similar-items"])
def test_most_recipes_do_not_support_the_training_mode_update(world, recipe):
    solution = world.create_trainable_solution(recipe_arn(recipe))
    world.train(solution)
    assert error_of_training(world, solution, trainingMode="UPDATE") == (
        "InvalidInputException",
        f"Training mode UPDATE is not supported by the recipe aws-{recipe}",
    )


@pytest.mark.parametrize("recipe", ["user-personalization", "hrnn-coldstart"])
def test_the_training_mode_update_needs_an_active_full_version(world, recipe):
    solution = world.create_trainable_solution(recipe_arn(recipe))
    world.start_training(solution)
    assert error_of_training(world, solution, trainingMode="UPDATE") == (
        "InvalidInputException",
        (
            f"Training mode UPDATE needs an ACTIVE solution version of {solution} "
            "that was trained with mode FULL"
        ),
    ), "the first version is still in training"
    world.wait()
    version = world.train(solution, trainingMode="UPDATE")
    assert world.describe_version(version)["trainingMode"] == "UPDATE"


def test_a_training_uses_the_data_of_the_time_when_it_came_into_progress(world, solution):
    first = world.train(solution)
    second = world.start_training(solution)
    world.wait(2)
    world.describe_version(second)
    world.put("interactions.csv", numbered_interactions(2000))
    world.start_import(INTERACTIONS, "second")
    world.wait()
    third = world.train(solution)
    metrics = [
        world.client.get_solution_metrics(solutionVersionArn=version)["metrics"]
        for version in (first, second, third)
    ]
    assert metrics[0] == metrics[1], "the import ended during the second training"
    assert metrics[1] != metrics[2], "the third training used the new rows"


PURCHASES = b"u,i,purchase,1700000000\n" * 20
GUESTS = b"".join(b"guest-%d,film,watch,1700000000\n" % number for number in range(100))


@pytest.mark.parametrize(
    ("csv", "solution_fields", "reason"),
    [
        (
            numbered_interactions(1000) + PURCHASES,
            {"eventType": "purchase"},
            "Dataset has fewer than 1000 interactions after filtering by event type: purchase",
        ),
        (
            numbered_interactions(1200, users=24) + GUESTS,
            {},
            "Dataset has fewer than 25 users with at least 2 interactions each",
        ),
    ],
)
def test_a_training_with_too_few_interactions_or_users_fails(world, csv, solution_fields, reason):
    solution = solution_with_data(world, csv, **solution_fields)
    version = world.describe_version(world.train(solution))
    assert (version["status"], version["failureReason"]) == ("CREATE FAILED", reason)
    assert "trainingHours" not in version, "AWS does not charge for a failed training"


def test_a_training_on_an_empty_dataset_fails(world):
    world.create_dataset()
    reason = "Dataset has fewer than 1000 interactions"
    assert training_result(world, world.create_solution(GROUP)) == ("CREATE FAILED", reason)


def test_an_event_type_without_its_column_fails_the_training(world):
    fields = [
        {"name": name, "type": avro_type}
        for name, avro_type in FIELDS["INTERACTIONS"].items()
        if name != "EVENT_TYPE"
    ]
    avro = json.dumps({"type": "record", "fields": fields})
    solution = solution_with_data(world, interactions(), avro, eventType="watch")
    assert training_result(world, solution) == (
        "CREATE FAILED",
        "Dataset has fewer than 1000 interactions after filtering by event type: watch",
    )


def test_metrics_exist_after_success_only(world, solution):
    arn = world.start_training(solution)
    error = error_of(world.client.get_solution_metrics, solutionVersionArn=arn)
    assert error.code == "ResourceInUseException"
    world.wait()
    assert sorted(world.client.get_solution_metrics(solutionVersionArn=arn)["metrics"]) == [
        "coverage",
        "mean_reciprocal_rank_at_25",
        "normalized_discounted_cumulative_gain_at_10",
        "normalized_discounted_cumulative_gain_at_25",
        "normalized_discounted_cumulative_gain_at_5",
        "precision_at_10",
        "precision_at_25",
        "precision_at_5",
    ]


@pytest.mark.parametrize(
    ("progress_seconds", "statuses"),
    [(0, ["CREATE STOPPED"] * 2), (2, ["CREATE STOPPING", "CREATE STOPPED"])],
)
def test_a_pending_training_stops_at_once_and_one_in_progress_after_a_while(
    world, solution, progress_seconds, statuses
):
    arn = world.start_training(solution)
    world.wait(progress_seconds)
    world.client.stop_solution_version_creation(solutionVersionArn=arn)
    assert error_of(world.client.stop_solution_version_creation, solutionVersionArn=arn) == (
        "InvalidInputException",
        f"Solution version {arn} is {statuses[0]} and cannot be stopped",
    )
    assert world.statuses(world.describe_version, arn, [500]) == statuses
    assert "trainingHours" not in world.describe_version(arn)


def test_an_active_version_cannot_be_stopped(world, solution):
    arn = world.train(solution)
    error = error_of(world.client.stop_solution_version_creation, solutionVersionArn=arn)
    assert error.code == "InvalidInputException"


def test_a_version_cannot_be_deleted(world):
    with pytest.raises(ApiError) as error:
        world.personalize.call("DeleteSolutionVersion", {}, CALLER)
    assert (error.value.code, error.value.message) == (
        "UnknownOperationException",
        "Amazon Personalize has no operation DeleteSolutionVersion.",
    )


def test_automatic_training_every_seven_days_is_the_default(world):
    on = world.describe_solution(world.create_solution())
    off = world.describe_solution(world.create_solution(GROUP, "off", performAutoTraining=False))
    assert on["performAutoTraining"] is True
    assert on["solutionConfig"]["autoTrainingConfig"] == {"schedulingExpression": "rate(7 days)"}
    assert off["performAutoTraining"] is False
    assert "solutionConfig" not in off


def test_an_automatic_training_has_the_training_type_automatic(world, solution):
    arn = world.personalize.train_automatically(solution, CALLER)
    world.wait()
    version = world.describe_version(arn)
    assert (version["trainingType"], version["status"]) == ("AUTOMATIC", "ACTIVE")


def test_update_solution_is_in_force_when_the_update_is_active(world):
    solution = world.create_solution()
    world.client.update_solution(solutionArn=solution, performAutoTraining=False)
    error = error_of(world.client.update_solution, solutionArn=solution, performAutoTraining=True)
    assert error.code == "ResourceInUseException", "only one update at a time"
    description = world.describe_solution(solution)
    assert (description["performAutoTraining"], description["status"]) == (True, "ACTIVE")
    assert description["latestSolutionUpdate"]["status"] == "CREATE PENDING"
    world.wait()
    description = world.describe_solution(solution)
    assert description["performAutoTraining"] is False
    assert description["latestSolutionUpdate"]["performAutoTraining"] is False
    assert description["latestSolutionUpdate"]["status"] == "ACTIVE"


def test_update_solution_changes_the_schedule_and_keeps_the_other_settings(world):
    solution = world.create_solution(solutionConfig={"eventValueThreshold": "1"})
    config = {"autoTrainingConfig": {"schedulingExpression": "rate(2 days)"}}
    world.client.update_solution(solutionArn=solution, solutionUpdateConfig=config)
    world.wait()
    description = world.describe_solution(solution)
    assert description["solutionConfig"] == {"eventValueThreshold": "1", **config}
    assert description["latestSolutionUpdate"]["solutionUpdateConfig"] == config


def test_describe_solution_shows_the_latest_version(world, solution):
    assert "latestSolutionVersion" not in world.describe_solution(solution)
    world.train(solution)
    second = world.start_training(solution, trainingMode="UPDATE")
    latest = world.describe_solution(solution)["latestSolutionVersion"]
    assert (latest["solutionVersionArn"], latest["status"], latest["trainingMode"]) == (
        second,
        "CREATE PENDING",
        "UPDATE",
    )


def test_a_region_has_at_most_20_unfinished_versions(world, solution):
    for _ in range(20):
        world.start_training(solution)
    assert error_of_training(world, solution) == (
        "LimitExceededException",
        "More than 20 resources with PENDING or IN_PROGRESS status",
    )
    world.wait()
    world.train(solution)
    versions = world.client.list_solution_versions()["solutionVersions"]
    assert len(versions) == 21, "versions that exist do not count"


def test_a_group_has_at_most_10_solutions(world):
    group = world.create_group()
    for number in range(10):
        world.create_solution(group, f"solution-{number}")
    request = {"name": "more", "recipeArn": RECIPE}
    assert error_of(world.client.create_solution, datasetGroupArn=group, **request) == (
        "LimitExceededException",
        "More than 10 resources in ACTIVE state. Please delete some and try again.",
    )
    world.create_solution(world.create_group("other"), "more")


def test_a_solution_needs_an_existing_recipe(world):
    request = {"name": "s", "datasetGroupArn": world.create_group()}
    unknown = recipe_arn("telepathy")
    assert error_of(world.client.create_solution, recipeArn=unknown, **request) == (
        "ResourceNotFoundException",
        f"Resource Arn {unknown} does not exist.",
    )
    assert error_of(world.client.create_solution, **request) == (
        "InvalidInputException",
        "recipeArn is missing; this emulator does not perform AutoML",
    )


@pytest.mark.parametrize("domain", ["ECOMMERCE", "VIDEO_ON_DEMAND"])
def test_a_group_with_a_domain_can_have_custom_solutions(world, domain):
    group = world.create_group(domain=domain)
    description = world.client.describe_dataset_group(datasetGroupArn=group)["datasetGroup"]
    assert description["domain"] == domain
    world.put("interactions.csv", interactions())
    world.import_file(world.create_dataset(group))
    assert training_result(world, world.create_solution(group)) == ("ACTIVE", None)


def test_a_solution_is_deleted_with_its_versions_if_it_is_not_in_use(world, solution):
    delete = world.client.delete_solution
    version = world.train(solution)
    campaign = world.create_campaign(version)
    assert error_of(delete, solutionArn=solution) == (
        "ResourceInUseException",
        f"Resource {solution} is in use by {campaign}",
    )
    world.client.delete_campaign(campaignArn=campaign)
    world.wait()
    training = world.start_training(solution)
    message = error_of(delete, solutionArn=solution).message
    assert message == f"Resource {solution} is in use by {training}"
    world.wait()
    delete(solutionArn=solution)
    assert world.describe_solution(solution)["status"] == "DELETE PENDING"
    world.wait()
    assert error_of(world.client.describe_solution_version, solutionVersionArn=version) == (
        "ResourceNotFoundException",
        f"Resource Arn {version} does not exist.",
    )
    assert world.create_solution(f"{ARN}dataset-group/movies") == solution, "the name is free"


@pytest.mark.parametrize(("has_solution", "name"), [(False, "nightly"), (True, "for-you/nightly")])
def test_the_name_of_a_version_may_come_back_with_its_solution(has_solution, name):
    world = World(switches=Switches(version_name_has_solution=has_solution))
    solution = world.create_trainable_solution()
    version = world.train(solution, name="nightly")
    assert world.describe_version(version)["name"] == name
    assert "name" not in world.describe_version(world.train(solution)), "it has no name"


def test_a_stopped_training_may_have_underscores_in_its_status():
    world = World(switches=Switches(underscore_in_stop_status=True))
    solution = world.create_trainable_solution()
    version = world.start_training(solution)
    statuses = world.statuses(world.describe_version, version, [2])
    world.client.stop_solution_version_creation(solutionVersionArn=version)
    statuses += world.statuses(world.describe_version, version, [60])
    assert statuses == [
        "CREATE PENDING",
        "CREATE IN_PROGRESS",
        "CREATE_STOPPING",
        "CREATE_STOPPED",
    ]
    assert world.describe_solution(solution)["latestSolutionVersion"]["status"] == "CREATE_STOPPED"


def new_import(world, name="second"):
    """Import the interactions once more."""
    return world.import_file(INTERACTIONS, name)


def test_an_update_with_nothing_new_to_learn_fails(world, solution):
    world.train(solution)
    version = world.describe_version(world.train(solution, trainingMode="UPDATE"))
    assert (version["status"], version["failureReason"]) == (
        "CREATE FAILED",
        "There are no updates to a dataset since the last training",
    )
    new_import(world)
    version = world.describe_version(world.train(solution, trainingMode="UPDATE"))
    assert version["status"] == "ACTIVE"


def test_a_failed_import_is_nothing_new_to_learn_but_an_import_of_items_is(world, solution):
    world.train(solution)
    world.inject("fail", job="dataset-import-job")
    new_import(world)
    version = world.describe_version(world.train(solution, trainingMode="UPDATE"))
    assert version["status"] == "CREATE FAILED"
    items = world.create_dataset(GROUP, "ITEMS")
    world.put("items.csv", sample_data()["ITEMS"])
    assert world.import_file(items, "items", key="items.csv")["status"] == "ACTIVE"
    version = world.describe_version(world.train(solution, trainingMode="UPDATE"))
    assert version["status"] == "ACTIVE"


def test_an_update_after_a_failed_training_has_something_to_learn(world, solution):
    world.train(solution)
    new_import(world)
    world.inject("fail", job="solution-version")
    world.train(solution)
    version = world.describe_version(world.train(solution, trainingMode="UPDATE"))
    assert version["status"] == "ACTIVE", "no version has learned from the second import"


@pytest.mark.parametrize(("fault", "status"), [("take", "ACTIVE"), ("fail", "CREATE FAILED")])
def test_an_update_has_something_to_learn_if_an_active_event_tracker_streams(
    world, solution, fault, status
):
    world.inject(fault, job="event-tracker")
    world.client.create_event_tracker(name="live", datasetGroupArn=GROUP)
    world.wait()
    world.train(solution)
    version = world.describe_version(world.train(solution, trainingMode="UPDATE"))
    assert version["status"] == status


def test_an_update_with_nothing_new_succeeds_if_the_switch_says_so():
    world = World(switches=Switches(update_needs_new_data=False))
    solution = world.create_trainable_solution()
    world.train(solution)
    version = world.describe_version(world.train(solution, trainingMode="UPDATE"))
    assert version["status"] == "ACTIVE"


@pytest.mark.parametrize(("includes_versions", "seconds"), [(False, 0), (True, 600)])
def test_a_new_version_may_move_the_last_update_of_its_solution(includes_versions, seconds):
    world = World(switches=Switches(solution_time_includes_versions=includes_versions))
    solution = world.create_trainable_solution()
    before = world.describe_solution(solution)["lastUpdatedDateTime"]
    world.wait(600 - (world.now - before).total_seconds())
    world.train(solution)
    after = world.describe_solution(solution)["lastUpdatedDateTime"]
    assert (after - before).total_seconds() == seconds


def test_an_old_description_does_not_show_the_time_of_a_newer_version():
    world = World(switches=Switches(solution_time_includes_versions=True))
    solution = world.create_trainable_solution()
    world.wait(600)
    before = world.describe_solution(solution)
    world.start_training(solution)
    world.inject("stale", operation="DescribeSolution")
    world.wait(20)
    assert world.describe_solution(solution) == before


def test_update_solution_moves_the_last_update(world):
    solution = world.create_solution()
    world.wait(600)
    updated = world.now
    world.client.update_solution(solutionArn=solution, performAutoTraining=False)
    world.wait()
    assert world.describe_solution(solution)["lastUpdatedDateTime"] > updated
