"""What a person may ask of a run: parts of it, another training mode, or to resume an old one."""

from dataclasses import replace

import pytest

from tests.workflow.pipeline import RUN_ID, deploy
from tests.workflow.summaries import outcomes, report
from tests.world import (
    MOVIES,
    PERSONALIZE,
    PREFIX,
    campaign_arn,
    dataset_arn,
    interactions,
    solution,
    solution_arn,
)

DONE = {"taste": "DEPLOYED", "home": "DEPLOYED"}
NAME = f"{PREFIX}-{RUN_ID}"
WAY_OUT = "take it from the report of the run, for example '20261129T030000Z'"
UPDATING = MOVIES.with_solutions(solution(training_mode="UPDATE", full_every="7 days"))
WEEK = 7 * 24 * 3600


def modes(pipeline):
    """Give the training modes that were asked for, in order."""
    return [each["trainingMode"] for each in pipeline.requests("CreateSolutionVersion")]


def refusal(execution):
    """Give why a run was refused, from its report."""
    assert execution.status == "FAILED", execution
    assert report(execution)["status"] == "FAILED"
    return report(execution)["reason"]


# Parts of a run


def test_skip_import_trains_on_the_data_that_are_there():
    with deploy() as pipeline:
        execution = pipeline.run(skipImport=True)
        assert pipeline.requests("CreateDatasetImportJob") == []
        assert pipeline.served_version() == pipeline.versions()[-1]
    assert outcomes(execution) == DONE


def test_datasets_imports_just_these():
    with deploy() as pipeline:
        execution = pipeline.run(datasets=["items", "users"])
    assert outcomes(execution) == {"items": "IMPORTED", "users": "IMPORTED", **DONE}


def test_solutions_trains_just_these():
    two = MOVIES.with_solutions(solution("taste"), solution("like", campaigns=["detail"]))
    with deploy(two) as pipeline:
        execution = pipeline.run(skipImport=True, solutions=[solution_arn("like")])
        assert (len(pipeline.versions("taste")), len(pipeline.versions("like"))) == (1, 2)
    assert outcomes(execution) == {"like": "DEPLOYED", "detail": "DEPLOYED"}


# Training modes


def test_update_is_trained_while_the_newest_full_version_is_young():
    with deploy(UPDATING) as pipeline:
        pipeline.run(skipImport=True, trainingMode="FULL")
        execution = pipeline.run(scheduledTime="2026-11-30T03:00:00Z")
        assert modes(pipeline) == ["FULL", "UPDATE"]
    assert report(execution)["solutions"][0]["trainingMode"] == "UPDATE"


def test_update_gives_way_to_full_when_the_newest_full_version_is_old():
    with deploy(UPDATING) as pipeline:
        execution = pipeline.run()
        assert modes(pipeline) == ["FULL"], "the first version is of a week ago"
    assert report(execution)["solutions"][0]["trainingMode"] == "FULL"


def test_a_weekly_run_with_a_weekly_full_training_is_full_each_time():
    with deploy(UPDATING) as pipeline:
        for week in range(3):
            slot = pipeline.clock.now()
            pipeline.bucket.put("interactions.csv", interactions(shift=week))
            pipeline.run(scheduledTime=slot.isoformat())
            pipeline.sleep(WEEK - (pipeline.clock.now() - slot).total_seconds())
            assert modes(pipeline) == ["FULL"] * (week + 1), (
                "its version is born an hour after the run; so it is not quite a week old"
            )


def test_the_training_mode_can_be_asked_for():
    with deploy() as pipeline:
        execution = pipeline.run(skipImport=True, trainingMode="UPDATE")
        assert modes(pipeline) == ["UPDATE"], "though FULL is configured"
    assert report(execution)["solutions"][0]["trainingMode"] == "UPDATE"


def test_full_can_be_asked_for_where_update_is_configured():
    with deploy(UPDATING) as pipeline:
        pipeline.run(skipImport=True)
        pipeline.run(skipImport=True, trainingMode="FULL", scheduledTime="2026-11-30T03:00:00Z")
        assert modes(pipeline) == ["FULL", "FULL"]


def test_update_is_refused_where_the_recipe_cannot():
    recipe = "arn:aws:personalize:::recipe/aws-user-personalization-v2"
    with deploy(replace(UPDATING, recipe=recipe)) as pipeline:
        execution = pipeline.run()
        assert pipeline.requests("CreateDatasetImportJob") == [], "before anything is paid for"
    assert refusal(execution) == (
        "RunRefused: 1 problem with this run:\n"
        f"  {solution_arn()}: trainingMode UPDATE needs one of the recipes "
        "aws-user-personalization, aws-hrnn-coldstart, and this solution's is "
        "aws-user-personalization-v2; train it with FULL"
    )


def test_update_is_refused_where_there_is_no_full_version():
    with deploy() as pipeline:
        pipeline.client.create_solution(
            name="fresh",
            datasetGroupArn=f"{PERSONALIZE}:dataset-group/movies",
            recipeArn="arn:aws:personalize:::recipe/aws-user-personalization",
            performAutoTraining=False,
        )
        pipeline.sleep(600)
        pipeline.group = MOVIES.with_solutions(solution("fresh", campaigns=[]))
        execution = pipeline.run(trainingMode="UPDATE")
    assert refusal(execution) == (
        "RunRefused: 1 problem with this run:\n"
        f"  {solution_arn('fresh')}: trainingMode UPDATE needs an ACTIVE version that was trained "
        "with FULL, and there is none; start with trainingMode FULL"
    )


def test_incremental_is_refused_where_nothing_was_imported_in_full():
    with deploy(MOVIES.with_datasets("interactions")) as pipeline:
        MOVIES.create_dataset(pipeline.client, "items")
        pipeline.sleep(600)
        pipeline.group = MOVIES.with_datasets("items", import_mode="INCREMENTAL")
        execution = pipeline.run()
        assert pipeline.requests("CreateDatasetImportJob") == []
    assert refusal(execution) == (
        "RunRefused: 1 problem with this run:\n"
        "  datasets.items: importMode INCREMENTAL needs an ACTIVE FULL import of "
        f"{dataset_arn('ITEMS')} before; import it once with importMode FULL"
    )


# Bad values


@pytest.mark.parametrize(
    ("request_", "problem"),
    [
        ({"skipImports": True}, "key: 'skipImports' is unknown; did you mean 'skipImport'?"),
        ({"skipImport": "yes"}, "skipImport: 'yes' is neither true nor false"),
        ({"dryRun": 1}, "dryRun: 1 is neither true nor false"),
        ({"trigger": "person"}, "trigger: 'person' is neither 'schedule' nor 'manual'"),
        (
            {"scheduledTime": "today"},
            "scheduledTime: 'today' is no time such as '2026-11-29T03:00:00Z'",
        ),
        ({"trainingMode": "full"}, "trainingMode: 'full' is neither 'FULL' nor 'UPDATE'"),
        ({"datasets": ["item"]}, "datasets: 'item' is unknown; did you mean 'items'?"),
        (
            {"datasets": "items"},
            "datasets: 'items' is no list of some of ['interactions', 'items', 'users']",
        ),
        (
            {"datasets": []},
            "datasets: [] is no list of some of ['interactions', 'items', 'users']",
        ),
        (
            {"solutions": [solution_arn()[:-1]]},
            f"solutions: '{solution_arn()[:-1]}' is unknown; did you mean '{solution_arn()}'?",
        ),
        (
            {"resume": "yesterday"},
            f"resume: 'yesterday' is no run id; {WAY_OUT}",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_an_input_that_makes_no_sense_is_refused_in_words(request_, problem):
    with deploy() as pipeline:
        execution = pipeline.run(**request_)
        assert pipeline.requests("CreateDatasetImportJob") == []
    assert refusal(execution) == f"RunRefused: 1 problem with this run:\n  {problem}"


def test_all_problems_of_an_input_are_told_at_once():
    with deploy() as pipeline:
        execution = pipeline.run(skipImport=1, trainingMode="NONE", resume="x")
    assert refusal(execution).startswith("RunRefused: 3 problems with this run:\n  skipImport: 1 ")


@pytest.mark.parametrize("given", [[], "now", 5])
def test_an_input_that_is_no_object_is_refused_in_words(given):
    with deploy() as pipeline:
        execution = pipeline.machine.start(given).wait()
    assert refusal(execution) == (
        f"RunRefused: 1 problem with this run:\n  the input {given!r} is no JSON object; to "
        "retrain as configured, give {}"
    )


def test_a_resource_that_is_gone_stops_the_run_before_anything_is_paid_for():
    with deploy() as pipeline:
        pipeline.client.delete_campaign(campaignArn=campaign_arn())
        pipeline.sleep(3600)
        execution = pipeline.run()
        assert pipeline.requests("CreateDatasetImportJob") == []
    assert refusal(execution) == (
        "RunRefused: 1 problem with this run:\n"
        f"  {campaign_arn()}: does not exist; create it, or take it out of the stack's config"
    )
