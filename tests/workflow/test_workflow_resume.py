"""Runs that are resumed, and versions that wait: nothing is imported or trained twice."""

from tests.workflow.pipeline import PREFIX, RUN, SLOT, pipeline
from tests.workflow.reading import (
    failures,
    name,
    outcomes,
    report,
    solution_arn,
)
from tests.world import exports, settings, solution

DONE = {"taste": "DEPLOYED", "home": "DEPLOYED"}
ALL = {"interactions": "IMPORTED", "items": "IMPORTED", "users": "IMPORTED", **DONE}
NAME = f"{PREFIX}-{RUN}"
VERSION = f"{NAME}-0b519087"
UPDATING = settings(solutions=[solution(training_mode="UPDATE", full_every="7 days")])


def modes(made):
    """Give the training modes that were asked for, in order."""
    return [each["trainingMode"] for each in made.started("CreateSolutionVersion")]


def test_a_run_is_resumed_after_a_failed_import():
    with pipeline() as made:
        made.order("fail", job="dataset-import-job", of=f"{NAME}-items-1", reason="Row 7")
        made.run()
        execution = made.machine.start({"trigger": "manual", "resume": RUN}).wait()
        names = [each["jobName"] for each in made.started("CreateDatasetImportJob")[3:]]
        assert made.served() == made.versions()[-1]
    assert outcomes(execution) == ALL
    assert names == [f"{NAME}-interactions-1", f"{NAME}-items-2", f"{NAME}-users-1"]
    jobs = [name(each["datasetImportJobArn"]) for each in report(execution)["imports"]]
    assert jobs == names, "those that were ACTIVE are adopted, the failed one gets a new attempt"
    assert report(execution)["runId"] == RUN, "the run keeps its id"


def test_a_run_is_resumed_after_two_failed_attempts():
    with pipeline() as made:
        for attempt in (1, 2):
            made.order("fail", job="dataset-import-job", of=f"{NAME}-items-{attempt}", reason="No")
        made.run()
        made.run(resume=RUN)
        execution = made.run(resume=RUN)
    assert outcomes(execution) == ALL
    assert name(report(execution)["imports"][1]["datasetImportJobArn"]) == f"{NAME}-items-3"


def test_a_run_is_resumed_after_a_failed_training():
    with pipeline() as made:
        made.order("fail", job="solution-version", of=f"{VERSION}-1", reason="Too few users")
        made.run()
        imported = len(made.api.list_dataset_import_jobs()["datasetImportJobs"])
        execution = made.run(resume=RUN)
        assert len(made.api.list_dataset_import_jobs()["datasetImportJobs"]) == imported
        names = [each["name"] for each in made.started("CreateSolutionVersion")]
        assert made.served() == made.versions()[-1]
    assert outcomes(execution) == ALL
    assert names == [f"{VERSION}-1", f"{VERSION}-2"]


def test_a_run_is_resumed_after_a_failed_campaign_update_without_training_again():
    with pipeline() as made:
        made.order("fail", job="campaign-update", reason="Internal service error")
        made.run()
        execution = made.run(resume=RUN)
        assert len(made.started("CreateSolutionVersion")) == 1
        assert made.served() == made.versions()[-1]
    assert outcomes(execution) == ALL


def test_a_run_is_resumed_in_the_middle_of_its_training():
    with pipeline() as made:
        running = made.start()
        made.let_pass(3600)
        running.abort()
        execution = made.run(resume=RUN)
        assert len(made.started("CreateSolutionVersion")) == 1, "ours is adopted as ours"
        assert len(made.versions()) == 2
    assert outcomes(execution) == ALL
    assert report(execution)["solutions"][0]["adopted"] is False


def test_a_run_is_resumed_while_its_training_is_being_stopped():
    with pipeline(seconds={"stop": 300}) as made:
        running = made.start()
        made.let_pass(3600)
        running.abort()
        made.api.stop_solution_version_creation(solutionVersionArn=made.versions()[-1])
        execution = made.run(resume=RUN)
        assert made.statuses() == ["ACTIVE", "CREATE STOPPED", "ACTIVE"]
    assert outcomes(execution) == ALL, "what is being stopped counts as failed"


def test_a_resumed_run_keeps_the_training_mode_that_it_began_with():
    with pipeline(UPDATING) as made:
        made.order("fail", job="campaign-update", reason="Internal service error")
        made.run()
        execution = made.run(resume=RUN)
        assert modes(made) == ["FULL"]
    assert report(execution)["solutions"][0]["trainingMode"] == "FULL", (
        "of the version that is deployed, though an UPDATE would do by now"
    )


def test_a_resumed_run_with_another_training_mode_is_an_error_that_names_both():
    with pipeline() as made:
        made.order("fail", job="campaign-update", reason="Internal service error")
        made.run()
        execution = made.run(resume=RUN, trainingMode="UPDATE")
        version = made.versions()[-1]
    assert failures(execution) == {
        "taste": f"NameTaken: {version} is named {VERSION}-1 and is ('{solution_arn()}', 'FULL'); "
        f"this run wants ('{solution_arn()}', 'UPDATE')"
    }


def test_a_run_that_was_done_can_be_resumed_and_nothing_happens():
    with pipeline() as made:
        made.run()
        execution = made.run(resume=RUN)
        assert len(made.versions()) == 2
        assert len(made.started("UpdateCampaign")) == 1
    assert outcomes(execution) == ALL


def test_to_resume_a_run_that_never_was_starts_anew_and_says_so():
    with pipeline() as made:
        execution = made.run(resume="20261128T030000Z")
    assert outcomes(execution) == ALL
    assert report(execution)["warnings"] == [
        "resume: run 20261128T030000Z has made no job, so that everything starts anew"
    ]


# A version that waits


def test_a_version_that_waits_is_deployed_rather_than_trained_again():
    with pipeline() as made:
        made.order("fail", job="campaign-update", reason="Internal service error")
        made.run()
        execution = made.machine.start({"skipImport": True}).wait()
        assert len(made.versions()) == 2, "to train its like again would cost and change nothing"
        assert made.served() == made.versions()[-1]
    assert outcomes(execution) == DONE


def test_a_version_that_waits_but_misses_newer_data_is_not_deployed():
    with pipeline() as made:
        made.order("fail", job="campaign-update", reason="Internal service error")
        made.run()
        made.order("fail", job="solution-version", reason="Too few users")
        made.bucket.put("interactions.csv", exports(shift=1)["interactions.csv"])
        made.run(scheduledTime="2026-11-30T03:00:00Z")
        made.machine.start({"skipImport": True}).wait()
        assert len(made.versions()) == 4
        assert made.served() == made.versions()[-1]


def test_a_version_that_is_served_is_trained_again_when_a_person_asks():
    with pipeline() as made:
        made.run()
        made.machine.start({"skipImport": True}).wait()
        assert len(made.versions()) == 3, "nothing waits"
        assert made.served() == made.versions()[-1]


def test_somebody_elses_version_that_waits_is_not_deployed():
    with pipeline() as made:
        made.api.create_solution_version(solutionArn=solution_arn(), name="by-hand")
        made.let_pass(2 * 3600)
        made.machine.start({"skipImport": True}).wait()
        assert len(made.started("CreateSolutionVersion")) == 1
        assert made.served() == made.versions()[-1]


def test_a_training_mode_that_is_asked_for_is_trained_though_a_version_waits():
    with pipeline() as made:
        made.order("fail", job="campaign-update", reason="Internal service error")
        made.run()
        made.machine.start({"skipImport": True, "trainingMode": "FULL"}).wait()
        assert len(made.versions()) == 3


def test_a_slot_that_is_run_a_second_time_adopts_all_of_it():
    with pipeline(settings(skip_when_unchanged=False)) as made:
        made.run()
        made.let_pass(600)
        execution = made.run(scheduledTime=SLOT)
        assert len(made.versions()) == 2, "the same slot is the same run"
    assert outcomes(execution) == ALL
