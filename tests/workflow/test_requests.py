"""The input of an execution selects parts of the run or another training mode, or is refused."""

import json
from dataclasses import replace

import pytest

from tests.workflow.pipeline import NEXT_SLOT, deploy
from tests.workflow.summaries import DEPLOYED, outcomes, problems_of, report
from tests.world import (
    HOUR,
    MOVIES,
    RECIPE,
    campaign_arn,
    dataset_arn,
    interactions,
    solution,
    solution_arn,
)

UPDATING = MOVIES.with_solutions(solution(training_mode="UPDATE"))
WEEK = 7 * 24 * HOUR


def training_modes(pipeline):
    """Return the training modes that the runs requested, in order."""
    return [request["trainingMode"] for request in pipeline.requests("CreateSolutionVersion")]


# Parts of a run


def test_skip_import_trains_on_the_present_imports():
    with deploy() as pipeline:
        execution = pipeline.run(skipImport=True)
        assert pipeline.requests("CreateDatasetImportJob") == []
        assert pipeline.served_version() == pipeline.versions()[-1]
    assert outcomes(execution) == DEPLOYED


def test_datasets_selects_the_datasets_to_import():
    with deploy() as pipeline:
        pipeline.run()
        execution = pipeline.run(datasets=["items", "users"], force=True, scheduledTime=NEXT_SLOT)
    assert outcomes(execution) == {"items": "IMPORTED", "users": "IMPORTED", **DEPLOYED}


def test_solutions_selects_the_solutions_to_train():
    two = MOVIES.with_solutions(solution("taste"), solution("like", campaigns=["detail"]))
    with deploy(two) as pipeline:
        execution = pipeline.run(skipImport=True, solutions=[solution_arn("like")])
        assert len(pipeline.versions("taste")) == 1
        assert len(pipeline.versions("like")) == 2
    assert outcomes(execution) == {"like": "DEPLOYED", "detail": "DEPLOYED"}


# Training modes


def test_update_is_trained_if_the_newest_full_version_is_young():
    with deploy(UPDATING) as pipeline:
        pipeline.run(skipImport=True, trainingMode="FULL")
        execution = pipeline.run(scheduledTime="2026-11-30T03:00:00Z")
        assert training_modes(pipeline) == ["FULL", "UPDATE"]
    assert report(execution)["solutions"][0]["trainingMode"] == "UPDATE"


def test_full_is_trained_if_the_newest_full_version_is_old():
    with deploy(UPDATING) as pipeline:
        execution = pipeline.run()
        assert training_modes(pipeline) == ["FULL"], "the first version is a week old"
    assert report(execution)["solutions"][0]["trainingMode"] == "FULL"


def test_weekly_runs_with_a_weekly_full_training_always_train_full():
    with deploy(UPDATING) as pipeline:
        for week in range(3):
            slot = pipeline.clock.now()
            pipeline.bucket.put("interactions.csv", interactions(shift=week))
            pipeline.run(scheduledTime=slot.isoformat())
            pipeline.sleep(WEEK - (pipeline.clock.now() - slot).total_seconds())
            assert training_modes(pipeline) == ["FULL"] * (week + 1), (
                "a version is created an hour after its run starts, so it is nearly a week old"
            )


def test_the_input_can_select_update():
    with deploy() as pipeline:
        execution = pipeline.run(skipImport=True, trainingMode="UPDATE")
        assert training_modes(pipeline) == ["UPDATE"], "the config says FULL"
    assert report(execution)["solutions"][0]["trainingMode"] == "UPDATE"


def test_the_input_can_select_full():
    with deploy(UPDATING) as pipeline:
        pipeline.run(skipImport=True)
        pipeline.run(skipImport=True, trainingMode="FULL", scheduledTime="2026-11-30T03:00:00Z")
        assert training_modes(pipeline) == ["FULL", "FULL"]


@pytest.mark.parametrize("is_streamed", [False, True])
def test_a_requested_update_needs_new_data_which_may_be_streamed(is_streamed):
    group = MOVIES.with_dataset("items", streamed=is_streamed)
    with deploy(group) as pipeline:
        pipeline.run()
        execution = pipeline.machine.start({"trainingMode": "UPDATE"}).wait()
        newest = pipeline.versions()[-1]
    if is_streamed:
        assert report(execution)["solutions"][0]["trainingMode"] == "UPDATE"
    else:
        assert problems_of(execution) == [
            (
                f"{solution_arn()}: trainingMode UPDATE needs data that are newer than {newest}; "
                "import new data, or use retrain start --training-mode FULL"
            )
        ]


def test_update_is_refused_if_the_recipe_does_not_support_it():
    recipe = "arn:aws:personalize:::recipe/aws-user-personalization-v2"
    with deploy(replace(UPDATING, recipe=recipe)) as pipeline:
        execution = pipeline.run()
        assert pipeline.requests("CreateDatasetImportJob") == []
    assert problems_of(execution) == [
        (
            f"{solution_arn()}: trainingMode UPDATE needs one of the recipes "
            "aws-user-personalization, aws-hrnn-coldstart, but this solution has the recipe "
            "aws-user-personalization-v2; change trainingMode to FULL"
        )
    ]


def test_update_is_refused_without_a_full_version():
    with deploy() as pipeline:
        pipeline.client.create_solution(
            name="fresh",
            datasetGroupArn=MOVIES.arn,
            recipeArn=RECIPE,
            performAutoTraining=False,
        )
        pipeline.sleep(600)
        pipeline.group = MOVIES.with_solutions(solution("fresh", campaigns=[]))
        execution = pipeline.run(trainingMode="UPDATE")
    assert problems_of(execution) == [
        (
            f"{solution_arn('fresh')}: trainingMode UPDATE needs an ACTIVE version that was "
            "trained with FULL, but there is none; use retrain start --training-mode FULL"
        )
    ]


def test_incremental_is_refused_without_a_full_import():
    with deploy(MOVIES.with_datasets("interactions")) as pipeline:
        MOVIES.create_dataset(pipeline.client, "items")
        pipeline.sleep(600)
        pipeline.group = MOVIES.with_datasets("items", import_mode="INCREMENTAL")
        execution = pipeline.run()
        assert pipeline.requests("CreateDatasetImportJob") == []
    assert problems_of(execution) == [
        (
            "datasets.items: importMode INCREMENTAL needs an ACTIVE FULL import of "
            f"{dataset_arn('ITEMS')} before; import a complete export once with importMode "
            "FULL, which replaces all bulk data"
        )
    ]


# Invalid inputs


def test_all_problems_of_an_input_are_reported_together():
    with deploy() as pipeline:
        execution = pipeline.run(skipImport=1, trainingMode="NONE", solutions="x")
        assert pipeline.requests("CreateDatasetImportJob") == []
    assert [problem.split(":")[0] for problem in problems_of(execution)] == [
        "skipImport",
        "trainingMode",
        "solutions",
    ]


@pytest.mark.parametrize("input_", [[], "now", 5])
def test_an_input_that_is_no_object_is_refused(input_):
    with deploy() as pipeline:
        execution = pipeline.machine.start(input_).wait()
    assert problems_of(execution) == [
        f"the input {json.dumps(input_)} is not a JSON object; to retrain as configured, use {{}}"
    ]


def test_a_run_with_a_deleted_resource_is_refused():
    with deploy() as pipeline:
        pipeline.client.delete_campaign(campaignArn=campaign_arn())
        pipeline.sleep(3600)
        execution = pipeline.run()
        assert pipeline.requests("CreateDatasetImportJob") == []
    assert problems_of(execution) == [
        (f"{campaign_arn()}: does not exist; create it, or take it out of the stack's config")
    ]
