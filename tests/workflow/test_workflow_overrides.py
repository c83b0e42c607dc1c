"""What a person may ask of a run: parts of it, another training mode, or to resume an old one."""

import pytest

from tests.workflow.pipeline import PREFIX, RUN, pipeline
from tests.workflow.reading import (
    campaign_arn,
    dataset_arn,
    outcomes,
    report,
    solution_arn,
)
from tests.world import PERSONALIZE, datasets, exports, make_dataset, settings, solution

DONE = {"taste": "DEPLOYED", "home": "DEPLOYED"}
NAME = f"{PREFIX}-{RUN}"
WAY_OUT = "take it from the report of the run, for example '20261129T030000Z'"
UPDATING = settings(solutions=[solution(training_mode="UPDATE", full_every="7 days")])
WEEK = 7 * 24 * 3600


def modes(made):
    """Give the training modes that were asked for, in order."""
    return [each["trainingMode"] for each in made.started("CreateSolutionVersion")]


def refusal(execution):
    """Give why a run was refused, from its report."""
    assert execution.status == "FAILED", execution
    assert report(execution)["status"] == "FAILED"
    return report(execution)["reason"]


# Parts of a run


def test_skip_import_trains_on_the_data_that_are_there():
    with pipeline() as made:
        execution = made.run(skipImport=True)
        assert made.started("CreateDatasetImportJob") == []
        assert made.served() == made.versions()[-1]
    assert outcomes(execution) == DONE


def test_datasets_imports_just_these():
    with pipeline() as made:
        execution = made.run(datasets=["items", "users"])
    assert outcomes(execution) == {"items": "IMPORTED", "users": "IMPORTED", **DONE}


def test_solutions_trains_just_these():
    solutions = [solution("taste", ("home",)), solution("like", ("detail",))]
    with pipeline(settings(solutions=solutions)) as made:
        execution = made.run(skipImport=True, solutions=[solution_arn("like")])
        assert (len(made.versions("taste")), len(made.versions("like"))) == (1, 2)
    assert outcomes(execution) == {"like": "DEPLOYED", "detail": "DEPLOYED"}


# Training modes


def test_update_is_trained_while_the_newest_full_version_is_young():
    with pipeline(UPDATING) as made:
        made.run(skipImport=True, trainingMode="FULL")
        execution = made.run(scheduledTime="2026-11-30T03:00:00Z")
        assert modes(made) == ["FULL", "UPDATE"]
    assert report(execution)["solutions"][0]["trainingMode"] == "UPDATE"


def test_update_gives_way_to_full_when_the_newest_full_version_is_old():
    with pipeline(UPDATING) as made:
        execution = made.run()
        assert modes(made) == ["FULL"], "the first version is of a week ago"
    assert report(execution)["solutions"][0]["trainingMode"] == "FULL"


def test_a_weekly_run_with_a_weekly_full_training_is_full_each_time():
    with pipeline(UPDATING) as made:
        for week in range(3):
            slot = made.clock.now()
            made.bucket.put("interactions.csv", exports(shift=week)["interactions.csv"])
            made.run(scheduledTime=slot.isoformat())
            made.let_pass(WEEK - (made.clock.now() - slot).total_seconds())
            assert modes(made) == ["FULL"] * (week + 1), (
                "its version is born an hour after the run; so it is not quite a week old"
            )


def test_the_training_mode_can_be_asked_for():
    with pipeline() as made:
        execution = made.run(skipImport=True, trainingMode="UPDATE")
        assert modes(made) == ["UPDATE"], "though FULL is configured"
    assert report(execution)["solutions"][0]["trainingMode"] == "UPDATE"


def test_full_can_be_asked_for_where_update_is_configured():
    with pipeline(UPDATING) as made:
        made.run(skipImport=True)
        made.run(skipImport=True, trainingMode="FULL", scheduledTime="2026-11-30T03:00:00Z")
        assert modes(made) == ["FULL", "FULL"]


def test_update_is_refused_where_the_recipe_cannot():
    recipe = "arn:aws:personalize:::recipe/aws-user-personalization-v2"
    with pipeline(UPDATING, recipe=recipe) as made:
        execution = made.run()
        assert made.started("CreateDatasetImportJob") == [], "before anything is paid for"
    assert refusal(execution) == (
        "RunRefused: 1 problem with this run:\n"
        f"  {solution_arn()}: trainingMode UPDATE needs one of the recipes "
        "aws-user-personalization, aws-hrnn-coldstart, and this solution's is "
        "aws-user-personalization-v2; train it with FULL"
    )


def test_update_is_refused_where_there_is_no_full_version():
    with pipeline() as made:
        made.api.create_solution(
            name="fresh",
            datasetGroupArn=f"{PERSONALIZE}:dataset-group/movies",
            recipeArn="arn:aws:personalize:::recipe/aws-user-personalization",
            performAutoTraining=False,
        )
        made.let_pass(600)
        made.args = settings(solutions=[solution("fresh", ())])
        execution = made.run(trainingMode="UPDATE")
    assert refusal(execution) == (
        "RunRefused: 1 problem with this run:\n"
        f"  {solution_arn('fresh')}: trainingMode UPDATE needs an ACTIVE version that was trained "
        "with FULL, and there is none; start with trainingMode FULL"
    )


def test_incremental_is_refused_where_nothing_was_imported_in_full():
    with pipeline(settings(datasets=datasets("interactions"))) as made:
        make_dataset(made.api, f"{PERSONALIZE}:dataset-group/movies", "movies", "ITEMS")
        made.let_pass(600)
        made.args = settings(datasets=datasets("items", import_mode="INCREMENTAL"))
        execution = made.run()
        assert made.started("CreateDatasetImportJob") == []
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
    with pipeline() as made:
        execution = made.run(**request_)
        assert made.started("CreateDatasetImportJob") == []
    assert refusal(execution) == f"RunRefused: 1 problem with this run:\n  {problem}"


def test_all_problems_of_an_input_are_told_at_once():
    with pipeline() as made:
        execution = made.run(skipImport=1, trainingMode="NONE", resume="x")
    assert refusal(execution).startswith("RunRefused: 3 problems with this run:\n  skipImport: 1 ")


@pytest.mark.parametrize("given", [[], "now", 5])
def test_an_input_that_is_no_object_is_refused_in_words(given):
    with pipeline() as made:
        execution = made.machine.start(given).wait()
    assert refusal(execution) == (
        f"RunRefused: 1 problem with this run:\n  the input {given!r} is no JSON object; to "
        "retrain as configured, give {}"
    )


def test_a_resource_that_is_gone_stops_the_run_before_anything_is_paid_for():
    with pipeline() as made:
        made.api.delete_campaign(campaignArn=campaign_arn())
        made.let_pass(3600)
        execution = made.run()
        assert made.started("CreateDatasetImportJob") == []
    assert refusal(execution) == (
        "RunRefused: 1 problem with this run:\n"
        f"  {campaign_arn()}: does not exist; create it, or take it out of the stack's config"
    )
