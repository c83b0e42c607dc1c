"""Proves when solutions train by themselves. Only the switch `automatic_training` starts this."""

from datetime import timedelta

import pytest
from personalize_world import GROUP, INTERACTIONS, World

from emulator.personalize import Switches

HOUR, DAY = 3600, 86400


@pytest.fixture
def world():
    return World(switches=Switches(automatic_training=True))


def trainings(world, solution):
    """Return the type of each training, and the hours from the solution's start to it."""
    active = world.describe_solution(solution)["creationDateTime"] + timedelta(seconds=0.3)
    versions = world.client.list_solution_versions(solutionArn=solution)["solutionVersions"]
    return [
        (version["trainingType"], (version["creationDateTime"] - active) / timedelta(hours=1))
        for version in versions
    ]


def automatic(*hours):
    return [("AUTOMATIC", hour) for hour in hours]


def test_the_first_automatic_training_starts_an_hour_after_the_solution_is_active(world):
    solution = world.create_trainable_solution()
    world.wait(HOUR - 120)
    assert trainings(world, solution) == []
    world.wait(HOUR)
    assert trainings(world, solution) == automatic(1)
    version = world.describe_solution(solution)["latestSolutionVersion"]
    assert version["status"] == "ACTIVE"


def test_an_automatic_training_happens_every_seven_days_if_interactions_were_imported(world):
    solution = world.create_trainable_solution()
    world.wait(DAY)
    world.import_file(INTERACTIONS, "second")
    world.wait(20 * DAY)
    assert trainings(world, solution) == automatic(1, 1 + 7 * 24), "nothing was new in week three"


def test_the_rate_of_a_solution_decides_when_it_trains(world):
    world.create_trainable_solution()
    config = {"autoTrainingConfig": {"schedulingExpression": "rate(2 days)"}}
    solution = world.create_solution(GROUP, "often", solutionConfig=config)
    world.wait(DAY)
    world.import_file(INTERACTIONS, "second")
    world.wait(2 * DAY)
    assert trainings(world, solution) == automatic(1, 1 + 2 * 24)


def test_a_training_by_hand_within_the_first_hour_replaces_the_first_automatic_one(world):
    solution = world.create_trainable_solution()
    world.train(solution)
    world.wait(20 * DAY)
    assert [kind for kind, _ in trainings(world, solution)] == ["MANUAL"]


def test_an_event_tracker_brings_new_interactions_all_the_time(world):
    solution = world.create_trainable_solution()
    world.client.create_event_tracker(name="live", datasetGroupArn=GROUP)
    world.wait(15 * DAY)
    assert trainings(world, solution) == automatic(1, 1 + 7 * 24, 1 + 14 * 24)


def test_update_solution_turns_automatic_training_off_and_on(world):
    solution = world.create_trainable_solution()
    world.client.update_solution(solutionArn=solution, performAutoTraining=False)
    world.wait(8 * DAY)
    assert trainings(world, solution) == []
    turned_on = world.now
    world.client.update_solution(solutionArn=solution, performAutoTraining=True)
    world.wait(DAY)
    (version,) = world.client.list_solution_versions(solutionArn=solution)["solutionVersions"]
    assert version["creationDateTime"] - turned_on == timedelta(hours=1, seconds=0.3)


def test_an_update_of_the_rate_begins_a_new_schedule_that_replaces_the_old_one(world):
    solution = world.create_trainable_solution()
    world.client.create_event_tracker(name="live", datasetGroupArn=GROUP)
    world.wait(6 * DAY)
    updated = world.now
    config = {"autoTrainingConfig": {"schedulingExpression": "rate(3 days)"}}
    world.client.update_solution(solutionArn=solution, solutionUpdateConfig=config)
    world.wait(4 * DAY)
    versions = world.client.list_solution_versions(solutionArn=solution)["solutionVersions"]
    starts = [version["creationDateTime"] - updated for version in versions[1:]]
    active = timedelta(seconds=0.3)
    assert starts == [timedelta(hours=1) + active, timedelta(days=3, hours=1) + active]


def test_a_deleted_solution_does_not_train(world):
    solution = world.create_trainable_solution()
    world.client.delete_solution(solutionArn=solution)
    world.wait(DAY)
    assert world.client.list_solution_versions()["solutionVersions"] == []


def test_a_training_that_a_quota_prevents_is_tried_at_the_next_time(world):
    solution = world.create_trainable_solution()
    other = world.create_solution(GROUP, "other", performAutoTraining=False)
    world.inject("hang", job="solution-version", times=20)
    busy = [world.start_training(other) for _ in range(20)]
    world.wait(DAY)
    assert trainings(world, solution) == []
    for version in busy:
        world.client.stop_solution_version_creation(solutionVersionArn=version)
    world.wait(7 * DAY)
    assert trainings(world, solution) == automatic(1 + 7 * 24)


def test_a_training_that_still_runs_has_learned_from_the_interactions(world):
    solution = world.create_trainable_solution()
    world.inject("hang", job="solution-version")
    world.wait(20 * DAY)
    assert trainings(world, solution) == automatic(1)


@pytest.mark.parametrize("is_on", [False, True])
def test_nothing_trains_by_itself_without_the_switch_or_without_the_setting(is_on):
    world = World(switches=Switches(automatic_training=is_on))
    world.create_trainable_solution()
    solution = world.create_solution(GROUP, "off", performAutoTraining=not is_on)
    world.wait(20 * DAY)
    assert trainings(world, solution) == []
