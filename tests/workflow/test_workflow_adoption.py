"""Versions that exist already: ours by their name, and somebody else's that are in training."""

import pytest

from tests.workflow.pipeline import OPERATOR, RUN_ID, deploy, handler
from tests.workflow.summaries import failures, outcomes, report
from tests.world import PREFIX, solution_arn

ALL = {
    "interactions": "IMPORTED",
    "items": "IMPORTED",
    "users": "IMPORTED",
    "taste": "DEPLOYED",
    "home": "DEPLOYED",
}
NAME = f"{PREFIX}-{RUN_ID}-0b519087-1"
NO_IMPORT = {"taste": "DEPLOYED", "home": "DEPLOYED"}


@pytest.mark.parametrize("changes", [{}, {"trainingMode": "FULL"}])
def test_a_version_of_the_runs_name_is_adopted(changes):
    with deploy() as pipeline:
        pipeline.client.create_solution_version(solutionArn=solution_arn(), name=NAME, **changes)
        execution = pipeline.run(skipImport=True)
        assert pipeline.requests("CreateSolutionVersion") == []
    assert outcomes(execution) == NO_IMPORT
    assert report(execution)["solutions"][0]["adopted"] is False, "the name says that it is ours"


def test_a_version_of_the_runs_name_that_differs_is_an_error_that_names_both():
    with deploy() as pipeline:
        pipeline.client.create_solution_version(
            solutionArn=solution_arn(), name=NAME, trainingMode="UPDATE"
        )
        execution = pipeline.run(skipImport=True)
        other = pipeline.versions()[-1]
    assert failures(execution) == {
        "taste": f"NameTaken: {other} is named {NAME} and is ('{solution_arn()}', 'UPDATE'); this "
        f"run wants ('{solution_arn()}', 'FULL')"
    }


def test_somebody_elses_training_that_began_before_the_data_were_complete_is_not_adopted():
    with deploy() as pipeline:
        running = pipeline.start()
        pipeline.sleep(300)
        other = pipeline.client.create_solution_version(solutionArn=solution_arn())[
            "solutionVersionArn"
        ]
        execution = running.wait()
        _, _, ours = pipeline.versions()
        assert pipeline.served_version() == ours
    assert outcomes(execution) == ALL
    assert report(execution)["warnings"] == [f"{ours}: {other} is in training too"]


def test_somebody_elses_training_that_began_after_the_data_were_complete_is_adopted():
    def begin_first(event, context):
        pipeline.client.create_solution_version(solutionArn=solution_arn(), name="by-hand")
        return handler("create_solution_version")(event, context)

    with deploy(handlers={"create_solution_version": begin_first}) as pipeline:
        execution = pipeline.run()
        assert len(pipeline.versions()) == 2, "no second training is paid for"
        other = pipeline.versions()[-1]
        assert pipeline.served_version() == other
    assert outcomes(execution) == ALL
    assert report(execution)["solutions"][0]["adopted"] is True
    assert report(execution)["text"] == (
        f"Retraining run {RUN_ID}: DEPLOYED\n"
        "  import of interactions: IMPORTED\n"
        "  import of items: IMPORTED\n"
        "  import of users: IMPORTED\n"
        f"  {solution_arn()}: DEPLOYED\n"
        f"    version {other}, adopted from somebody else\n"
        "    arn:aws:personalize:eu-west-1:123456789012:campaign/home: DEPLOYED"
    )


def test_an_automatic_training_on_the_newest_data_is_adopted():
    with deploy() as pipeline:
        pipeline.personalize.train_automatically(solution_arn(), OPERATOR)
        execution = pipeline.run(skipImport=True)
        assert pipeline.requests("CreateSolutionVersion") == []
    assert report(execution)["solutions"][0]["adopted"] is True


def test_an_adopted_training_that_is_overdue_is_left_alone():
    with deploy() as pipeline:
        pipeline.inject_fault("hang", job="solution-version")
        pipeline.client.create_solution_version(solutionArn=solution_arn(), name="by-hand")
        execution = pipeline.run(skipImport=True)
        assert pipeline.requests("StopSolutionVersionCreation") == []
        assert pipeline.statuses() == ["ACTIVE", "CREATE IN_PROGRESS"]
    assert failures(execution) == {"taste": "still CREATE IN_PROGRESS after 24 hours"}


def test_somebody_elses_training_that_is_being_stopped_is_not_adopted():
    with deploy(durations={"stop": 600}) as pipeline:
        other = pipeline.client.create_solution_version(solutionArn=solution_arn(), name="by-hand")
        pipeline.sleep(120)
        pipeline.client.stop_solution_version_creation(
            solutionVersionArn=other["solutionVersionArn"]
        )
        execution = pipeline.run(skipImport=True)
    assert outcomes(execution) == NO_IMPORT, "it will never serve anybody"
    assert report(execution)["warnings"] == [], "and does not train beside ours either"


def test_somebody_elses_update_is_not_taken_for_the_full_training_that_is_wanted():
    with deploy() as pipeline:
        pipeline.client.create_solution_version(solutionArn=solution_arn(), trainingMode="UPDATE")
        execution = pipeline.run(skipImport=True)
        modes = [each.get("trainingMode") for each in pipeline.requests("CreateSolutionVersion")]
    assert modes == ["FULL"]
    assert report(execution)["solutions"][0]["adopted"] is False
