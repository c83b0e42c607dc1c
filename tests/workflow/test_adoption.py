"""A run adopts a version that exists already, instead of training another version."""

import pytest

from functions.personalize.judged_trainings import NO_ROOM_FOR_TAGS
from functions.personalize.tags import ADOPTED, MIXED, RUN, tags_of
from tests.workflow.pipeline import NEXT_SLOT, RUN_ID, before_step, deploy
from tests.workflow.summaries import (
    ALL_DONE,
    DEPLOYED,
    failures,
    metric_line,
    outcomes,
    report,
    skip_reason,
)
from tests.world import PREFIX, campaign_arn, solution_arn

VERSION_NAME = f"{PREFIX}-{RUN_ID}-0b519087-1"


def test_a_version_without_a_tag_is_foreign_whatever_its_name_is():
    with deploy() as pipeline:
        pipeline.foreign_training(VERSION_NAME)
        execution = pipeline.run(skipImport=True)
        assert pipeline.requests("CreateSolutionVersion") == []
    assert outcomes(execution) == DEPLOYED
    assert report(execution)["solutions"][0]["adopted"] is True


def test_a_foreign_training_that_started_before_the_end_of_the_imports_is_not_adopted():
    with deploy() as pipeline:
        started = pipeline.start()
        pipeline.sleep(300)
        pipeline.foreign_training()
        execution = started.wait()
        _, foreign, trained = pipeline.versions()
        assert pipeline.served_version() == trained
    assert outcomes(execution) == ALL_DONE
    assert report(execution)["warnings"] == [
        (
            f"{trained}: {foreign} is in training too, but this pipeline did not start it; stop it "
            "if nobody needs it"
        )
    ]


def test_a_foreign_training_that_started_after_the_end_of_the_imports_is_adopted():
    def start_foreign_training(_event):
        pipeline.foreign_training()

    handlers = before_step("create_solution_version", start_foreign_training)
    with deploy(handlers=handlers) as pipeline:
        execution = pipeline.run()
        assert len(pipeline.versions()) == 2, "the run does not train another version"
        foreign = pipeline.versions()[-1]
        assert pipeline.served_version() == foreign
    assert outcomes(execution) == ALL_DONE
    assert report(execution)["solutions"][0]["adopted"] is True
    assert report(execution)["text"] == (
        f"Retraining run {RUN_ID}: DEPLOYED\n"
        "  import of interactions: IMPORTED\n"
        "  import of items: IMPORTED\n"
        "  import of users: IMPORTED\n"
        f"  {solution_arn()}: DEPLOYED\n"
        f"    version {foreign}, foreign, used instead of a training\n"
        f"    {campaign_arn()}: DEPLOYED\n{metric_line(execution)}"
    )


def test_a_foreign_training_that_refuses_tags_at_first_is_known_to_later_runs():
    with deploy() as pipeline:
        pipeline.foreign_training()
        pipeline.inject_fault("resource-in-use", operation="TagResource")
        pipeline.run(skipImport=True)
        foreign = pipeline.versions()[-1]
        tags = tags_of(pipeline.client, foreign)
        again = pipeline.run(scheduledTime=NEXT_SLOT, skipImport=True)
        assert pipeline.requests("CreateSolutionVersion") == []
    assert {tags[RUN], tags[ADOPTED], tags[MIXED]} == {RUN_ID, VERSION_NAME, "false"}
    assert skip_reason(again).startswith("nothing is new: nothing is imported, ")


@pytest.mark.parametrize(
    ("free", "trainings", "warnings"),
    [(1, 1, [NO_ROOM_FOR_TAGS]), (2, 0, [])],
    ids=["not for the adoption", "for the adoption only"],
)
def test_a_foreign_version_without_room_for_all_tags_is_used(free, trainings, warnings):
    tags = [{"tagKey": f"team-{number}", "tagValue": ""} for number in range(50 - free)]
    with deploy() as pipeline:
        foreign = pipeline.foreign_training(tags=tags)
        execution = pipeline.run(skipImport=True)
        assert pipeline.served_version() == foreign
        pipeline.run(scheduledTime=NEXT_SLOT, skipImport=True)
        assert len(pipeline.requests("CreateSolutionVersion")) == trainings
    assert report(execution)["warnings"] == [f"{foreign}: {warning}" for warning in warnings]


def test_an_automatic_training_on_the_newest_imports_is_adopted():
    with deploy() as pipeline:
        pipeline.client.create_solution_version(solutionArn=solution_arn())  # without a name
        execution = pipeline.run(skipImport=True)
        assert pipeline.requests("CreateSolutionVersion") == []
    assert report(execution)["solutions"][0]["adopted"] is True


def test_an_adopted_training_is_not_stopped_at_its_deadline():
    with deploy() as pipeline:
        pipeline.inject_fault("hang", job="solution-version")
        pipeline.foreign_training()
        execution = pipeline.run(skipImport=True)
        assert pipeline.requests("StopSolutionVersionCreation") == []
        assert pipeline.statuses() == ["ACTIVE", "CREATE IN_PROGRESS"]
    assert failures(execution) == {"taste": "still CREATE IN_PROGRESS after 24 hours"}


def test_a_foreign_training_that_is_being_stopped_is_not_adopted():
    with deploy(durations={"stop": 600}) as pipeline:
        pipeline.foreign_training()
        pipeline.sleep(120)
        pipeline.client.stop_solution_version_creation(solutionVersionArn=pipeline.versions()[-1])
        execution = pipeline.run(skipImport=True)
    assert outcomes(execution) == DEPLOYED
    assert report(execution)["warnings"] == [], "the stopped training is not in training too"


def test_a_foreign_training_of_another_mode_is_not_adopted():
    with deploy() as pipeline:
        pipeline.foreign_training(trainingMode="UPDATE")
        execution = pipeline.run(skipImport=True)
        (request,) = pipeline.requests("CreateSolutionVersion")
    assert request["trainingMode"] == "FULL"
    assert report(execution)["solutions"][0]["adopted"] is False
