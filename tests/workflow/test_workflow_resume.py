"""Runs that are resumed, and versions that wait: nothing is imported or trained twice."""

from tests.workflow.pipeline import RUN_ID, SLOT, deploy
from tests.workflow.summaries import failures, name, outcomes, report
from tests.world import MOVIES, PREFIX, interactions, solution, solution_arn

DONE = {"taste": "DEPLOYED", "home": "DEPLOYED"}
ALL = {"interactions": "IMPORTED", "items": "IMPORTED", "users": "IMPORTED", **DONE}
NAME = f"{PREFIX}-{RUN_ID}"
VERSION = f"{NAME}-0b519087"
UPDATING = MOVIES.with_solutions(solution(training_mode="UPDATE", full_every="7 days"))


def modes(pipeline):
    """Give the training modes that were asked for, in order."""
    return [each["trainingMode"] for each in pipeline.requests("CreateSolutionVersion")]


def test_a_run_is_resumed_after_a_failed_import():
    with deploy() as pipeline:
        pipeline.inject_fault(
            "fail", job="dataset-import-job", of=f"{NAME}-items-1", reason="Row 7"
        )
        pipeline.run()
        execution = pipeline.machine.start({"trigger": "manual", "resume": RUN_ID}).wait()
        names = [each["jobName"] for each in pipeline.requests("CreateDatasetImportJob")[3:]]
        assert pipeline.served_version() == pipeline.versions()[-1]
    assert outcomes(execution) == ALL
    assert names == [f"{NAME}-interactions-1", f"{NAME}-items-2", f"{NAME}-users-1"]
    jobs = [name(each["datasetImportJobArn"]) for each in report(execution)["imports"]]
    assert jobs == names, "those that were ACTIVE are adopted, the failed one gets a new attempt"
    assert report(execution)["runId"] == RUN_ID, "the run keeps its id"


def test_a_run_is_resumed_after_two_failed_attempts():
    with deploy() as pipeline:
        for attempt in (1, 2):
            pipeline.inject_fault(
                "fail", job="dataset-import-job", of=f"{NAME}-items-{attempt}", reason="No"
            )
        pipeline.run()
        pipeline.run(resume=RUN_ID)
        execution = pipeline.run(resume=RUN_ID)
    assert outcomes(execution) == ALL
    assert name(report(execution)["imports"][1]["datasetImportJobArn"]) == f"{NAME}-items-3"


def test_a_run_is_resumed_after_a_failed_training():
    with deploy() as pipeline:
        pipeline.inject_fault(
            "fail", job="solution-version", of=f"{VERSION}-1", reason="Too few users"
        )
        pipeline.run()
        imported = len(pipeline.client.list_dataset_import_jobs()["datasetImportJobs"])
        execution = pipeline.run(resume=RUN_ID)
        assert len(pipeline.client.list_dataset_import_jobs()["datasetImportJobs"]) == imported
        names = [each["name"] for each in pipeline.requests("CreateSolutionVersion")]
        assert pipeline.served_version() == pipeline.versions()[-1]
    assert outcomes(execution) == ALL
    assert names == [f"{VERSION}-1", f"{VERSION}-2"]


def test_a_run_is_resumed_after_a_failed_campaign_update_without_training_again():
    with deploy() as pipeline:
        pipeline.inject_fault("fail", job="campaign-update", reason="Internal service error")
        pipeline.run()
        execution = pipeline.run(resume=RUN_ID)
        assert len(pipeline.requests("CreateSolutionVersion")) == 1
        assert pipeline.served_version() == pipeline.versions()[-1]
    assert outcomes(execution) == ALL


def test_a_run_is_resumed_in_the_middle_of_its_training():
    with deploy() as pipeline:
        running = pipeline.start()
        pipeline.sleep(3600)
        running.abort()
        execution = pipeline.run(resume=RUN_ID)
        assert len(pipeline.requests("CreateSolutionVersion")) == 1, "ours is adopted as ours"
        assert len(pipeline.versions()) == 2
    assert outcomes(execution) == ALL
    assert report(execution)["solutions"][0]["adopted"] is False


def test_a_run_is_resumed_while_its_training_is_being_stopped():
    with deploy(durations={"stop": 300}) as pipeline:
        running = pipeline.start()
        pipeline.sleep(3600)
        running.abort()
        pipeline.client.stop_solution_version_creation(solutionVersionArn=pipeline.versions()[-1])
        execution = pipeline.run(resume=RUN_ID)
        assert pipeline.statuses() == ["ACTIVE", "CREATE STOPPED", "ACTIVE"]
    assert outcomes(execution) == ALL, "what is being stopped counts as failed"


def test_a_resumed_run_keeps_the_training_mode_that_it_began_with():
    with deploy(UPDATING) as pipeline:
        pipeline.inject_fault("fail", job="campaign-update", reason="Internal service error")
        pipeline.run()
        execution = pipeline.run(resume=RUN_ID)
        assert modes(pipeline) == ["FULL"]
    assert report(execution)["solutions"][0]["trainingMode"] == "FULL", (
        "of the version that is deployed, though an UPDATE would do by now"
    )


def test_a_resumed_run_with_another_training_mode_is_an_error_that_names_both():
    with deploy() as pipeline:
        pipeline.inject_fault("fail", job="campaign-update", reason="Internal service error")
        pipeline.run()
        execution = pipeline.run(resume=RUN_ID, trainingMode="UPDATE")
        version = pipeline.versions()[-1]
    assert failures(execution) == {
        "taste": f"NameTaken: {version} is named {VERSION}-1 and is ('{solution_arn()}', 'FULL'); "
        f"this run wants ('{solution_arn()}', 'UPDATE')"
    }


def test_a_run_that_was_done_can_be_resumed_and_nothing_happens():
    with deploy() as pipeline:
        pipeline.run()
        execution = pipeline.run(resume=RUN_ID)
        assert len(pipeline.versions()) == 2
        assert len(pipeline.requests("UpdateCampaign")) == 1
    assert outcomes(execution) == ALL


def test_to_resume_a_run_that_never_was_starts_anew_and_says_so():
    with deploy() as pipeline:
        execution = pipeline.run(resume="20261128T030000Z")
    assert outcomes(execution) == ALL
    assert report(execution)["warnings"] == [
        "resume: run 20261128T030000Z has made no job, so that everything starts anew"
    ]


# A version that waits


def test_a_version_that_waits_is_deployed_rather_than_trained_again():
    with deploy() as pipeline:
        pipeline.inject_fault("fail", job="campaign-update", reason="Internal service error")
        pipeline.run()
        execution = pipeline.machine.start({"skipImport": True}).wait()
        assert len(pipeline.versions()) == 2, (
            "to train its like again would cost and change nothing"
        )
        assert pipeline.served_version() == pipeline.versions()[-1]
    assert outcomes(execution) == DONE


def test_a_version_that_waits_but_misses_newer_data_is_not_deployed():
    with deploy() as pipeline:
        pipeline.inject_fault("fail", job="campaign-update", reason="Internal service error")
        pipeline.run()
        pipeline.inject_fault("fail", job="solution-version", reason="Too few users")
        pipeline.bucket.put("interactions.csv", interactions(shift=1))
        pipeline.run(scheduledTime="2026-11-30T03:00:00Z")
        pipeline.machine.start({"skipImport": True}).wait()
        assert len(pipeline.versions()) == 4
        assert pipeline.served_version() == pipeline.versions()[-1]


def test_a_version_that_is_served_is_trained_again_when_a_person_asks():
    with deploy() as pipeline:
        pipeline.run()
        pipeline.machine.start({"skipImport": True}).wait()
        assert len(pipeline.versions()) == 3, "nothing waits"
        assert pipeline.served_version() == pipeline.versions()[-1]


def test_somebody_elses_version_that_waits_is_not_deployed():
    with deploy() as pipeline:
        pipeline.client.create_solution_version(solutionArn=solution_arn(), name="by-hand")
        pipeline.sleep(2 * 3600)
        pipeline.machine.start({"skipImport": True}).wait()
        assert len(pipeline.requests("CreateSolutionVersion")) == 1
        assert pipeline.served_version() == pipeline.versions()[-1]


def test_a_training_mode_that_is_asked_for_is_trained_though_a_version_waits():
    with deploy() as pipeline:
        pipeline.inject_fault("fail", job="campaign-update", reason="Internal service error")
        pipeline.run()
        pipeline.machine.start({"skipImport": True, "trainingMode": "FULL"}).wait()
        assert len(pipeline.versions()) == 3


def test_a_slot_that_is_run_a_second_time_adopts_all_of_it():
    with deploy(MOVIES.with_options(skip_when_unchanged=False)) as pipeline:
        pipeline.run()
        pipeline.sleep(600)
        execution = pipeline.run(scheduledTime=SLOT)
        assert len(pipeline.versions()) == 2, "the same slot is the same run"
    assert outcomes(execution) == ALL
