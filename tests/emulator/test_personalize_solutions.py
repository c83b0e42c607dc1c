"""Proves how solutions and their versions behave, with boto3 against the emulator in process."""

import json
import re

import pytest
from personalize_world import ARN, ME, RECIPE, World, interactions, refused, some_interactions

from emulator.personalize import ApiError, FixedTimings, Switches
from retrain.rehearsal.data.sample_data import FIELDS

RECIPE_ARN = "arn:aws:personalize:::recipe/aws-{}"


@pytest.fixture
def world():
    return World()


def test_a_version_goes_from_pending_over_in_progress_to_active(world):
    arn = world.start_version(world.movies())
    seen = []
    for _ in range(3):
        seen.append(world.describe_version(arn)["status"])
        world.wait(1.5)
    assert seen == ["CREATE PENDING", "CREATE IN_PROGRESS", "ACTIVE"]


def test_version_arns_end_in_an_id_of_the_services(world):
    solution = world.movies()
    first, second = world.version(solution), world.version(solution)
    assert re.fullmatch(re.escape(solution) + "/[0-9a-f]{8}", first), "8 hexadecimal digits"
    assert first != second, "each version has its own"


def test_describe_shows_what_was_asked_for_and_the_solutions_settings(world):
    solution = world.movies()
    arn = world.version(solution, name="nightly", tags=[{"tagKey": "run", "tagValue": "1"}])
    shown = {k: v for k, v in world.describe_version(arn).items() if not k.endswith("DateTime")}
    assert shown == {
        "name": "nightly",
        "solutionVersionArn": arn,
        "solutionArn": solution,
        "performHPO": False,
        "performAutoML": False,
        "recipeArn": RECIPE,
        "datasetGroupArn": f"{ARN}dataset-group/movies",
        "solutionConfig": {"autoTrainingConfig": {"schedulingExpression": "rate(7 days)"}},
        "trainingHours": 0.000556,
        "trainingMode": "FULL",
        "trainingType": "MANUAL",
        "status": "ACTIVE",
    }, "and no tags"


def test_training_hours_appear_only_after_success_and_only_in_describe(world):
    solution = world.movies()
    arn = world.start_version(solution)
    world.wait(2)
    assert "trainingHours" not in world.describe_version(arn), "still in progress"
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


def test_version_names_may_repeat_unless_the_switch_says_otherwise(world):
    solution = world.movies()
    assert world.version(solution, name="nightly") != world.version(solution, name="nightly")

    strict = World(switches=Switches(unique_version_names=True))
    solution = strict.movies()
    taken = strict.version(solution, name="nightly")
    assert refused(strict.client.create_solution_version, solutionArn=solution, name="nightly") == (
        "ResourceAlreadyExistsException",
        f"Another resource with Arn {taken} already exists.",
    )


def test_a_version_needs_a_solution_that_is_active(world):
    group = world.group()
    world.dataset(group)
    solution = world.client.create_solution(
        name="for-you", datasetGroupArn=group, recipeArn=RECIPE
    )["solutionArn"]
    code, message = refused(world.client.create_solution_version, solutionArn=solution)
    assert (code, message) == (
        "ResourceInUseException",
        f"Resource {solution} is not ACTIVE, its status is CREATE PENDING",
    )


def test_a_version_needs_the_dataset_that_its_recipe_learns_from(world):
    group = world.group()
    solution = world.solution(group)
    assert refused(world.client.create_solution_version, solutionArn=solution) == (
        "InvalidInputException",
        f"Dataset group {group} has no INTERACTIONS dataset to train on",
    )


@pytest.mark.parametrize("recipe", ["user-personalization-v2", "hrnn", "similar-items"])
def test_update_is_refused_for_recipes_that_do_not_support_it(world, recipe):
    solution = world.movies(RECIPE_ARN.format(recipe))
    world.version(solution)
    assert refused(
        world.client.create_solution_version, solutionArn=solution, trainingMode="UPDATE"
    ) == (
        "InvalidInputException",
        f"Training mode UPDATE is not supported by the recipe aws-{recipe}",
    )


@pytest.mark.parametrize("recipe", ["user-personalization", "hrnn-coldstart"])
def test_update_needs_an_active_full_version(world, recipe):
    solution = world.movies(RECIPE_ARN.format(recipe))
    request = {"solutionArn": solution, "trainingMode": "UPDATE"}
    world.start_version(solution)
    code, message = refused(world.client.create_solution_version, **request)
    assert (code, message) == (
        "InvalidInputException",
        (
            f"Training mode UPDATE needs an ACTIVE solution version of {solution} "
            "that was trained with mode FULL"
        ),
    ), "the first one is still in training"
    world.wait()
    arn = world.version(solution, trainingMode="UPDATE")
    assert world.describe_version(arn)["trainingMode"] == "UPDATE"


def test_a_training_sees_the_data_as_they_were_when_it_began(world):
    solution = world.movies()
    before = world.version(solution)
    dataset = f"{ARN}dataset/movies/INTERACTIONS"
    arn = world.start_version(solution)
    world.wait(2)
    world.describe_version(arn)
    world.put("interactions.csv", some_interactions(2000))
    world.start_import(dataset, "second")
    world.wait()
    later = world.version(solution)
    metrics = [
        world.client.get_solution_metrics(solutionVersionArn=version)["metrics"]
        for version in (before, arn, later)
    ]
    assert metrics[0] == metrics[1], "the import ended while the second training was under way"
    assert metrics[1] != metrics[2], "the third one learnt from the new rows"


def test_too_few_interactions_of_the_event_type_fail_the_training(world):
    group = world.group()
    world.put("interactions.csv", some_interactions(1000) + b"u,i,purchase,1\n" * 20)
    world.imported(world.dataset(group), "first")
    solution = world.solution(group, eventType="purchase")
    version = world.describe_version(world.version(solution))
    assert (version["status"], version["failureReason"]) == (
        "CREATE FAILED",
        "Dataset has fewer than 1000 interactions after filtering by event type: purchase",
    )


def test_an_event_type_without_a_column_for_it_fails_the_training(world):
    fields = {k: v for k, v in FIELDS["INTERACTIONS"].items() if k != "EVENT_TYPE"}
    text = {"type": "record", "fields": [{"name": k, "type": v} for k, v in fields.items()]}
    group = world.group()
    world.put("interactions.csv", interactions())
    world.imported(world.dataset(group, text=json.dumps(text)), "first")
    version = world.describe_version(world.version(world.solution(group, eventType="watch")))
    assert version["failureReason"] == (
        "Dataset has fewer than 1000 interactions after filtering by event type: watch"
    )


def test_an_empty_dataset_fails_the_training(world):
    group = world.group()
    world.dataset(group)
    version = world.describe_version(world.version(world.solution(group)))
    assert version["failureReason"] == "Dataset has fewer than 1000 interactions"


def test_fewer_than_25_users_with_two_interactions_fail_the_training(world):
    group = world.group()
    once = b"".join(b"guest-%d,film,watch,1\n" % number for number in range(100))
    world.put("interactions.csv", some_interactions(1200, users=24) + once)
    world.imported(world.dataset(group), "first")
    version = world.describe_version(world.version(world.solution(group)))
    assert (version["status"], version["failureReason"]) == (
        "CREATE FAILED",
        "Dataset has fewer than 25 users with at least 2 interactions each",
    )
    assert "trainingHours" not in version, "a failed training is not charged"


def test_metrics_are_there_after_success_only(world):
    solution = world.movies()
    arn = world.start_version(solution)
    code, _ = refused(world.client.get_solution_metrics, solutionVersionArn=arn)
    assert code == "ResourceInUseException"
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


def test_a_training_in_progress_is_stopped_by_way_of_stopping(world):
    arn = world.start_version(world.movies())
    world.wait(2)
    world.client.stop_solution_version_creation(solutionVersionArn=arn)
    assert world.describe_version(arn)["status"] == "CREATE STOPPING"
    code, message = refused(world.client.stop_solution_version_creation, solutionVersionArn=arn)
    assert (code, message) == (
        "InvalidInputException",
        f"Solution version {arn} is CREATE STOPPING and cannot be stopped",
    )
    world.wait(500)
    version = world.describe_version(arn)
    assert version["status"] == "CREATE STOPPED", "it never becomes ACTIVE"
    assert "trainingHours" not in version


def test_a_training_that_is_pending_is_stopped_at_once(world):
    arn = world.start_version(world.movies())
    world.client.stop_solution_version_creation(solutionVersionArn=arn)
    assert world.describe_version(arn)["status"] == "CREATE STOPPED"


def test_an_active_version_cannot_be_stopped(world):
    arn = world.version(world.movies())
    code, _ = refused(world.client.stop_solution_version_creation, solutionVersionArn=arn)
    assert code == "InvalidInputException"


def test_there_is_no_delete_solution_version(world):
    with pytest.raises(ApiError) as error:
        world.personalize.call("DeleteSolutionVersion", {}, ME)
    assert (error.value.code, error.value.message) == (
        "UnknownOperationException",
        "Amazon Personalize has no operation DeleteSolutionVersion.",
    )


def test_automatic_training_is_on_by_default_every_seven_days(world):
    group = world.group()
    by_default = world.client.describe_solution(solutionArn=world.solution(group))["solution"]
    off = world.solution(group, "off", performAutoTraining=False)
    turned_off = world.client.describe_solution(solutionArn=off)["solution"]
    assert by_default["performAutoTraining"] is True
    assert by_default["solutionConfig"]["autoTrainingConfig"] == {
        "schedulingExpression": "rate(7 days)"
    }
    assert turned_off["performAutoTraining"] is False
    assert "solutionConfig" not in turned_off


def test_an_automatic_training_makes_a_version_of_that_type(world):
    solution = world.movies()
    arn = world.personalize.train_automatically(solution, ME)
    world.wait()
    version = world.describe_version(arn)
    assert (version["trainingType"], version["status"]) == ("AUTOMATIC", "ACTIVE")


def test_update_solution_turns_automatic_training_off_when_the_update_is_active(world):
    solution = world.solution(world.group())
    world.client.update_solution(solutionArn=solution, performAutoTraining=False)
    code, _ = refused(world.client.update_solution, solutionArn=solution, performAutoTraining=True)
    assert code == "ResourceInUseException", "one update at a time"
    described = world.client.describe_solution(solutionArn=solution)["solution"]
    assert (described["performAutoTraining"], described["status"]) == (True, "ACTIVE")
    assert described["latestSolutionUpdate"]["status"] == "CREATE PENDING"
    world.wait()
    described = world.client.describe_solution(solutionArn=solution)["solution"]
    assert described["performAutoTraining"] is False
    assert described["latestSolutionUpdate"]["performAutoTraining"] is False
    assert described["latestSolutionUpdate"]["status"] == "ACTIVE"


def test_update_solution_changes_how_often_it_trains(world):
    solution = world.solution(world.group(), solutionConfig={"eventValueThreshold": "1"})
    config = {"autoTrainingConfig": {"schedulingExpression": "rate(2 days)"}}
    world.client.update_solution(solutionArn=solution, solutionUpdateConfig=config)
    world.wait()
    described = world.client.describe_solution(solutionArn=solution)["solution"]
    assert described["solutionConfig"] == {"eventValueThreshold": "1", **config}
    assert described["latestSolutionUpdate"]["solutionUpdateConfig"] == config


def test_describe_solution_shows_the_latest_version(world):
    solution = world.movies()
    assert (
        "latestSolutionVersion"
        not in world.client.describe_solution(solutionArn=solution)["solution"]
    ), "there is none yet"
    world.version(solution)
    second = world.start_version(solution, trainingMode="UPDATE")
    latest = world.client.describe_solution(solutionArn=solution)["solution"][
        "latestSolutionVersion"
    ]
    assert (latest["solutionVersionArn"], latest["status"], latest["trainingMode"]) == (
        second,
        "CREATE PENDING",
        "UPDATE",
    )


def test_a_21st_version_under_way_exceeds_the_regions_limit(world):
    solution = world.movies()
    for _ in range(20):
        world.start_version(solution)
    assert refused(world.client.create_solution_version, solutionArn=solution) == (
        "LimitExceededException",
        "More than 20 resources with PENDING or IN_PROGRESS status",
    )


def test_an_11th_solution_exceeds_the_groups_limit(world):
    group = world.group()
    for number in range(10):
        world.solution(group, f"solution-{number}")
    assert refused(
        world.client.create_solution, name="more", datasetGroupArn=group, recipeArn=RECIPE
    ) == (
        "LimitExceededException",
        "More than 10 resources in ACTIVE state. Please delete some and try again.",
    )
    world.solution(world.group("other"), "more")


def test_a_solution_needs_a_recipe_that_exists(world):
    group = world.group()
    unknown = RECIPE_ARN.format("telepathy")
    assert refused(
        world.client.create_solution, name="s", datasetGroupArn=group, recipeArn=unknown
    ) == ("ResourceNotFoundException", f"Resource Arn {unknown} does not exist.")
    assert refused(world.client.create_solution, name="s", datasetGroupArn=group) == (
        "InvalidInputException",
        "recipeArn is missing; this emulator does not perform AutoML",
    )


@pytest.mark.parametrize("domain", ["ECOMMERCE", "VIDEO_ON_DEMAND"])
def test_a_domain_group_may_hold_custom_solutions(world, domain):
    group = world.group(domain=domain)
    world.put("interactions.csv", interactions())
    world.imported(world.dataset(group), "first")
    version = world.version(world.solution(group))
    assert world.describe_version(version)["status"] == "ACTIVE"
    described = world.client.describe_dataset_group(datasetGroupArn=group)["datasetGroup"]
    assert described["domain"] == domain


def test_delete_solution_deletes_its_versions_but_not_while_it_is_used(world):
    solution = world.movies()
    version = world.version(solution)
    campaign = world.campaign(version)
    code, message = refused(world.client.delete_solution, solutionArn=solution)
    assert (code, message) == (
        "ResourceInUseException",
        f"Resource {solution} is in use by {campaign}",
    )
    world.client.delete_campaign(campaignArn=campaign)
    world.wait()
    training = world.start_version(solution)
    code, message = refused(world.client.delete_solution, solutionArn=solution)
    assert message == f"Resource {solution} is in use by {training}", "a training is under way"
    world.wait()
    world.client.delete_solution(solutionArn=solution)
    status = world.client.describe_solution(solutionArn=solution)["solution"]["status"]
    assert status == "DELETE PENDING"
    world.wait()
    assert refused(world.client.describe_solution_version, solutionVersionArn=version) == (
        "ResourceNotFoundException",
        f"Resource Arn {version} does not exist.",
    )
    assert world.solution(f"{ARN}dataset-group/movies") == solution, "its name is free again"


def test_training_hours_follow_the_timings():
    slow = World(timings=lambda kind, _: (60, 5400) if kind == "solution-version" else (0, 0))
    arn = slow.start_version(slow.movies())
    slow.wait(5460)
    assert slow.describe_version(arn)["trainingHours"] == 1.5
    assert FixedTimings()("solution-version", arn).total == 3, "the default is short"
