"""Each guard: what it refuses, in which words, and what it lets pass."""

from datetime import timedelta

import pytest

from functions.checks import (
    comes_from_deployment,
    incremental_needs_full,
    newest_full,
    update_needs_full,
    update_needs_recipe,
)
from tests.functions.samples import (
    DATASET,
    NOW,
    OLD_VERSION,
    RECIPE,
    SOLUTION,
    ago,
    dataset_settings,
    import_summary,
    solution_resource,
    solution_settings,
    version_summary,
    world,
)

SCHEDULED = {"trigger": "schedule", "scheduledTime": NOW.isoformat()}
UPDATE = solution_settings(trainingMode="UPDATE", fullEveryDays=7)
INCREMENTAL = dataset_settings(importMode="INCREMENTAL")
USER_PERSONALIZATION_V2 = "arn:aws:personalize:::recipe/aws-user-personalization-v2"


@pytest.mark.parametrize("after", [timedelta(0), timedelta(minutes=10), timedelta(minutes=-2)])
def test_an_event_right_after_a_deployment_is_skipped_and_says_how_to_start_a_run(after):
    changed = NOW - after
    why = comes_from_deployment(world(schedule_changed_at=changed), SCHEDULED)
    assert why == (
        f"the schedule was created or changed at {changed.isoformat()}, and a deployment starts "
        "no training; to retrain now, start an execution with input {}"
    )


def test_an_event_more_than_ten_minutes_after_a_deployment_is_the_calendars():
    changed = ago(minutes=10, seconds=1)
    assert comes_from_deployment(world(schedule_changed_at=changed), SCHEDULED) is None


def test_an_event_that_was_due_before_a_deployment_only_came_late():
    changed = NOW + timedelta(minutes=2, seconds=1)
    assert comes_from_deployment(world(schedule_changed_at=changed), SCHEDULED) is None


def test_a_person_may_start_a_run_right_after_a_deployment():
    assert comes_from_deployment(world(schedule_changed_at=NOW), {"trigger": "manual"}) is None


def test_a_run_of_which_the_schedule_is_unknown_goes_on():
    assert comes_from_deployment(world(schedule_changed_at=None), SCHEDULED) is None


@pytest.mark.parametrize(
    "jobs",
    [
        [],
        [import_summary(status="CREATE FAILED")],
        [import_summary(status="CREATE IN_PROGRESS")],
        [import_summary(importMode="INCREMENTAL")],
    ],
    ids=["none", "failed", "under way", "incremental"],
)
def test_incremental_is_refused_where_no_full_import_filled_the_dataset(jobs):
    assert incremental_needs_full(world(import_jobs={DATASET: jobs}), [INCREMENTAL]) == [
        (
            "datasets.interactions: importMode INCREMENTAL needs an ACTIVE FULL import of "
            f"{DATASET} before; import it once with importMode FULL"
        )
    ]


def test_incremental_is_fine_after_any_full_import():
    jobs = [import_summary(importMode="INCREMENTAL"), import_summary()]
    assert incremental_needs_full(world(import_jobs={DATASET: jobs}), [INCREMENTAL]) == []
    old = import_summary()
    del old["importMode"]
    assert incremental_needs_full(world(import_jobs={DATASET: [old]}), [INCREMENTAL]) == [], (
        "a job from before there were modes was a full one"
    )


def test_full_needs_no_import_before():
    assert incremental_needs_full(world(import_jobs={DATASET: []}), [dataset_settings()]) == []


@pytest.mark.parametrize(
    ("solution", "mode"), [(UPDATE, None), (solution_settings(), "UPDATE"), (UPDATE, "UPDATE")]
)
@pytest.mark.parametrize("recipe", [USER_PERSONALIZATION_V2, None])
def test_update_is_refused_for_a_recipe_that_cannot_do_it(solution, mode, recipe):
    resource = solution_resource(recipeArn=recipe)
    if recipe is None:
        del resource["recipeArn"]
    assert update_needs_recipe(world(solutions={SOLUTION: resource}), [solution], mode) == [
        (
            f"{SOLUTION}: trainingMode UPDATE needs one of the recipes aws-user-personalization, "
            f"aws-hrnn-coldstart, and this solution's is {(recipe or '').rpartition('/')[2]}; "
            "train it with FULL"
        )
    ]


@pytest.mark.parametrize(
    ("solution", "mode", "recipe"),
    [
        (UPDATE, None, RECIPE),
        (UPDATE, None, "arn:aws:personalize:::recipe/aws-hrnn-coldstart"),
        (UPDATE, "FULL", USER_PERSONALIZATION_V2),
        (solution_settings(), None, USER_PERSONALIZATION_V2),
    ],
)
def test_update_passes_where_the_recipe_can_do_it_or_is_not_asked(solution, mode, recipe):
    known = world(solutions={SOLUTION: solution_resource(recipeArn=recipe)})
    assert update_needs_recipe(known, [solution], mode) == []


WITHOUT_FULL = [
    [],
    [version_summary(status="CREATE FAILED")],
    [version_summary(trainingMode="UPDATE")],
]


@pytest.mark.parametrize("versions", WITHOUT_FULL, ids=["none", "failed", "update"])
def test_an_update_by_name_is_refused_without_a_full_version(versions):
    known = world(versions={SOLUTION: versions})
    assert newest_full(known, UPDATE) is None
    assert update_needs_full(known, [UPDATE], "UPDATE") == [
        (
            f"{SOLUTION}: trainingMode UPDATE needs an ACTIVE version that was trained with FULL, "
            "and there is none; start with trainingMode FULL"
        )
    ]


@pytest.mark.parametrize("mode", [None, "FULL"])
def test_a_configured_update_without_a_full_version_becomes_a_full_one(mode):
    assert update_needs_full(world(versions={SOLUTION: []}), [UPDATE], mode) == []


def test_an_update_by_name_passes_after_a_full_version():
    assert update_needs_full(world(), [UPDATE], "UPDATE") == []


def test_the_newest_full_version_is_the_first_one_that_succeeded():
    old = version_summary()
    del old["trainingMode"]
    versions = [
        version_summary(solutionVersionArn=f"{SOLUTION}/3", status="CREATE FAILED"),
        version_summary(solutionVersionArn=f"{SOLUTION}/2", trainingMode="UPDATE"),
        old,
        version_summary(solutionVersionArn=f"{SOLUTION}/0"),
    ]
    found = newest_full(world(versions={SOLUTION: versions}), UPDATE)
    assert found["solutionVersionArn"] == OLD_VERSION
