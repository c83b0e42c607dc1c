"""The input of an execution selects parts of the run or another training mode, or is refused."""

import json

import pytest

from tests.workflow.pipeline import NEXT_SLOT, deploy
from tests.workflow.summaries import DEPLOYED, outcomes, problems_of, report
from tests.world import (
    HOUR,
    MOVIES,
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
        pipeline.run(skipImport=True)
        execution = pipeline.run(scheduledTime="2026-11-30T03:00:00Z")
        assert training_modes(pipeline) == ["FULL", "UPDATE"]
    assert report(execution)["solutions"][0]["trainingMode"] == "UPDATE"


# Invalid inputs


@pytest.mark.parametrize("input_", [[], "now", 5])
def test_an_input_that_is_no_object_is_refused(input_):
    with deploy() as pipeline:
        execution = pipeline.machine.start(input_).wait()
    assert problems_of(execution) == [
        f"the input {json.dumps(input_)} is not a JSON object; to retrain as configured, use {{}}"
    ]
