"""Tests of each guard of the run and its resources: which runs it finds, and with which message."""

from datetime import timedelta

import pytest

from docs import guards as page
from functions.planning.plan_run import GUARDS
from functions.planning.resource_guards import inactive_datasets, unusable_solution
from functions.planning.run_guards import event_of_deployment, nothing_new
from functions.planning.training_guards import (
    allowed_automatic_training,
    refused_automatic_training,
    update_without_full,
    update_without_news,
    update_without_recipe,
)
from tests.functions.samples import (
    ARN,
    CAMPAIGN,
    DATASET,
    GROUP,
    ITEMS,
    NOW,
    OTHER_SOLUTION,
    RECIPE,
    SOLUTION,
    VERSION,
    ago,
    campaign,
    dataset_resource,
    dataset_settings,
    group_resource,
    items_settings,
    messages,
    settings,
    situation,
    solution_resource,
    solution_settings,
    trained_version,
    version_summary,
)

SCHEDULED = {"trigger": "schedule", "scheduledTime": NOW.isoformat()}
UPDATE = solution_settings(trainingMode="UPDATE")
INCREMENTAL = dataset_settings(importMode="INCREMENTAL")
USER_PERSONALIZATION_V2 = "arn:aws:personalize:::recipe/aws-user-personalization-v2"


# The table


def test_the_page_shows_the_table():
    path = page.__file__.replace("guards.py", "guards.md")
    with open(path) as file:  # noqa: PTH123 - one read
        assert file.read() == page.page(), "run: python -m docs.guards > docs/guards.md"


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: f"{guard.name}, {guard.verdict}")
def test_the_docstring_of_a_check_says_what_it_looks_for(guard):
    assert guard.check.__doc__.startswith("Yield a message for "), (
        "the page of the guards shows the rest"
    )


# The event of a deployment


@pytest.mark.parametrize("after", [timedelta(0), timedelta(minutes=10), timedelta(minutes=-2)])
def test_an_event_right_after_a_deployment_is_found(after):
    changed = NOW - after
    assert event_of_deployment(situation(SCHEDULED, schedule_changed_at=changed)) == (
        f"the schedule was created or changed at {changed.isoformat()}, and a deployment "
        "starts no training; to retrain now, use retrain start"
    )


@pytest.mark.parametrize(
    "changed",
    [ago(minutes=10, seconds=1), NOW + timedelta(minutes=2, seconds=1), None],
    ids=["long after", "due before and late", "schedule unknown"],
)
def test_an_event_of_the_calendar_passes(changed):
    assert event_of_deployment(situation(SCHEDULED, schedule_changed_at=changed)) is None


def test_a_person_may_start_a_run_right_after_a_deployment():
    request = {"trigger": "manual"}
    assert event_of_deployment(situation(request, schedule_changed_at=NOW)) is None


# Resources exist and belong together


def test_resources_that_exist_and_belong_together_pass():
    assert messages(inactive_datasets) == messages(unusable_solution) == []


def test_every_resource_that_does_not_exist_is_found():
    absent = {"datasets": {}, "dataset_groups": {}, "solutions": {}, "campaigns": {}}
    assert messages(inactive_datasets, **absent) == [
        f"{DATASET}: does not exist; create it, or correct the ARN in the stack's config"
    ]
    assert messages(unusable_solution, **absent) == [
        f"{SOLUTION}: does not exist; create it, or correct the ARN in the stack's config",
        f"{CAMPAIGN}: does not exist; create it, or take it out of the stack's config",
    ]


def test_all_datasets_are_checked_if_one_does_not_exist():
    two = settings(datasets=[items_settings(), dataset_settings()])
    groups = {GROUP: group_resource(status="CREATE FAILED")}
    assert messages(inactive_datasets, settings_=two, dataset_groups=groups) == [
        f"{ITEMS}: does not exist; create it, or correct the ARN in the stack's config",
        (
            f"{GROUP}: its status is CREATE FAILED, but it has to be ACTIVE; wait if it is being "
            "created, otherwise repair it or take it out of the config"
        ),
    ]


@pytest.mark.parametrize("status", ["CREATE PENDING", "CREATE FAILED", "DELETE IN_PROGRESS"])
def test_every_resource_that_is_not_active_is_found(status):
    inactive = {
        "datasets": {DATASET: dataset_resource(status=status)},
        "dataset_groups": {GROUP: group_resource(status=status)},
        "solutions": {SOLUTION: solution_resource(status=status)},
    }
    assert [
        *messages(inactive_datasets, **inactive),
        *messages(unusable_solution, **inactive),
    ] == [
        f"{arn}: its status is {status}, but it has to be ACTIVE; wait if it is being created, "
        "otherwise repair it or take it out of the config"
        for arn in (DATASET, GROUP, SOLUTION)
    ]


def test_a_solution_of_another_group_is_found():
    other = f"{ARN}:dataset-group/books"
    solutions = {SOLUTION: solution_resource(datasetGroupArn=other)}
    assert messages(unusable_solution, solutions=solutions) == [
        (
            f"{SOLUTION}: belongs to {other}, but the datasets of this stack belong to "
            f"{GROUP}; correct the ARN, or give {other} a stack of its own"
        )
    ]


@pytest.mark.parametrize("status", ["DELETE PENDING", "DELETE IN_PROGRESS"])
def test_a_campaign_that_is_being_deleted_is_found(status):
    assert messages(unusable_solution, campaigns={CAMPAIGN: campaign(status=status)}) == [
        f"{CAMPAIGN}: its status is {status}; take it out of the stack's config"
    ]


@pytest.mark.parametrize("status", ["CREATE PENDING", "CREATE FAILED"])
def test_a_campaign_that_is_not_active_yet_passes(status):
    """The update waits for its creation, or repairs it."""
    assert messages(unusable_solution, campaigns={CAMPAIGN: campaign(status=status)}) == []


@pytest.mark.parametrize("served", [f"{OTHER_SOLUTION}/1", f"{SOLUTION}-2/1"])
def test_a_campaign_of_another_solution_is_found(served):
    campaigns = {CAMPAIGN: campaign(solutionVersionArn=served)}
    assert messages(unusable_solution, campaigns=campaigns) == [
        (
            f"{CAMPAIGN}: serves {served}, which is not a version of {SOLUTION}; move the "
            "campaign to the solution of that version in the config"
        )
    ]


# UPDATE trainings


@pytest.mark.parametrize(
    ("solution", "mode"), [(UPDATE, None), (solution_settings(), "UPDATE"), (UPDATE, "UPDATE")]
)
@pytest.mark.parametrize("recipe", [USER_PERSONALIZATION_V2, None])
def test_an_update_of_a_recipe_that_does_not_support_it_is_found(solution, mode, recipe):
    resource = solution_resource(recipeArn=recipe)
    if recipe is None:
        del resource["recipeArn"]
    request = {"trainingMode": mode} if mode else {}
    known = {"request": request, "solution": solution, "solutions": {SOLUTION: resource}}
    assert messages(update_without_recipe, **known) == [
        (
            f"{SOLUTION}: trainingMode UPDATE needs one of the recipes aws-user-personalization, "
            "aws-hrnn-coldstart, but this solution has the recipe "
            f"{(recipe or '').rpartition('/')[2]}; change trainingMode to FULL"
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
def test_a_training_that_the_recipe_supports_passes(solution, mode, recipe):
    request = {"trainingMode": mode} if mode else {}
    solutions = {SOLUTION: solution_resource(recipeArn=recipe)}
    known = {"request": request, "solution": solution, "solutions": solutions}
    assert messages(update_without_recipe, **known) == []


def test_the_recipe_of_a_solution_that_does_not_exist_is_not_checked():
    assert messages(update_without_recipe, solution=UPDATE, solutions={}) == []


@pytest.mark.parametrize(
    "versions",
    [[], [version_summary(status="CREATE FAILED")], [version_summary(trainingMode="UPDATE")]],
    ids=["none", "failed", "update"],
)
def test_a_request_for_an_update_without_a_full_version_is_found(versions):
    request, known = {"trainingMode": "UPDATE"}, {SOLUTION: versions}
    assert messages(update_without_full, request=request, solution=UPDATE, versions=known) == [
        (
            f"{SOLUTION}: trainingMode UPDATE needs an ACTIVE version that was trained with FULL, "
            "but there is none; use retrain start --training-mode FULL"
        )
    ]


@pytest.mark.parametrize("request_", [{}, {"trainingMode": "FULL"}])
def test_a_configured_update_without_a_full_version_passes(request_):
    """It becomes a FULL training."""
    known = {"request": request_, "solution": UPDATE, "versions": {SOLUTION: []}}
    assert messages(update_without_full, **known) == []


def test_a_request_for_an_update_after_a_full_version_passes():
    assert messages(update_without_full, request={"trainingMode": "UPDATE"}, solution=UPDATE) == []


# Automatic training

AUTOMATIC = {SOLUTION: solution_resource(performAutoTraining=True)}


def test_a_solution_that_trains_automatically_is_found():
    assert messages(allowed_automatic_training, solutions=AUTOMATIC) == [
        (
            f"{SOLUTION}: also trains automatically; turn that off with 'aws personalize "
            f"update-solution --solution-arn {SOLUTION} --no-perform-auto-training'"
        )
    ]


def test_a_solution_that_does_not_train_automatically_passes():
    off = {SOLUTION: solution_resource(performAutoTraining=False)}
    for known in (off, {SOLUTION: solution_resource()}, {}):
        assert messages(allowed_automatic_training, solutions=known) == []


@pytest.mark.parametrize("setting", ["warn", "refuse"])
def test_automatic_training_is_either_refused_or_a_warning(setting):
    known = {"settings_": settings(autoTraining=setting), "solutions": AUTOMATIC}
    counts = {
        "refuse": len(messages(refused_automatic_training, **known)),
        "warn": len(messages(allowed_automatic_training, **known)),
    }
    assert counts == {"refuse": 0, "warn": 0, setting: 1}


# Nothing new


def test_a_run_after_a_stopped_training_says_that_it_was_stopped():
    stopped = trained_version(is_active=False, was_stopped=True)
    assert nothing_new(situation({"skipImport": True}, trainings=[stopped])) == (
        f"nothing is new: nothing is imported, and the training of the present data was "
        f"stopped: {VERSION}; to train anyway, use retrain start --force"
    )


def test_an_update_without_new_data_is_found():
    known = {
        "request": {"skipImport": True, "trainingMode": "UPDATE"},
        "trainings": [trained_version()],
    }
    assert messages(update_without_news, **known) == [
        (
            f"{SOLUTION}: trainingMode UPDATE needs data that are newer than {VERSION}; import new "
            "data, or use retrain start --training-mode FULL"
        )
    ]
    assert messages(update_without_news, event_trackers=["tracker"], **known) == []
    assert messages(update_without_news, **{**known, "request": {"trainingMode": "UPDATE"}}) == []
    assert messages(update_without_news, **{**known, "request": {"skipImport": True}}) == []
    assert messages(update_without_news, **{**known, "trainings": []}) == []
