"""A resumed run imports and trains nothing again, and a version that waits is deployed."""

import pytest

from tests.workflow.pipeline import RUN_ID, SLOT, deploy
from tests.workflow.summaries import ALL_DONE, DEPLOYED, name, outcomes, problems_of, report
from tests.world import MOVIES, PREFIX, exports, interactions, solution

JOB_PREFIX = f"{PREFIX}-{RUN_ID}"
VERSION_NAME = f"{JOB_PREFIX}-0b519087"
UPDATING = MOVIES.with_solutions(solution(training_mode="UPDATE", full_every="7 days"))


def refusal(execution):
    """Return why a run cannot be resumed, and the runs that the message names instead."""
    (problem,) = problems_of(execution)
    *reasons, last_runs = problem.split("; ")
    return "; ".join(reasons), last_runs


def test_a_resumed_run_repeats_a_failed_import():
    with deploy() as pipeline:
        pipeline.inject_fault(
            "fail", job="dataset-import-job", of=f"{JOB_PREFIX}-items", reason="Row 7"
        )
        pipeline.run()
        execution = pipeline.machine.start({"trigger": "manual", "resume": RUN_ID}).wait()
        requests = pipeline.requests("CreateDatasetImportJob")[3:]
        assert pipeline.served_version() == pipeline.versions()[-1]
    assert outcomes(execution) == {"items": "IMPORTED", **DEPLOYED}
    names = [request["jobName"] for request in requests]
    assert len(names) == 1, "only the failed import is repeated"
    assert names[0].startswith(JOB_PREFIX)
    assert [name(item["datasetImportJobArn"]) for item in report(execution)["imports"]] == names
    assert report(execution)["runId"] == RUN_ID


def test_a_run_can_be_resumed_again():
    with deploy() as pipeline:
        pipeline.inject_fault("fail", job="dataset-import-job", reason="No", times=4)
        pipeline.run()
        pipeline.run(resume=RUN_ID)
        execution = pipeline.run(resume=RUN_ID)
    assert "IMPORTED" in outcomes(execution).values()
    assert outcomes(execution)["home"] == "DEPLOYED"


def test_a_resumed_run_repeats_a_failed_training_without_imports():
    with deploy() as pipeline:
        pipeline.inject_fault(
            "fail", job="solution-version", of=VERSION_NAME, reason="Too few users"
        )
        pipeline.run()
        jobs = pipeline.client.list_dataset_import_jobs()["datasetImportJobs"]
        execution = pipeline.run(resume=RUN_ID)
        assert pipeline.client.list_dataset_import_jobs()["datasetImportJobs"] == jobs
        trainings = pipeline.requests("CreateSolutionVersion")
        assert pipeline.served_version() == pipeline.versions()[-1]
    assert outcomes(execution) == DEPLOYED
    assert len({request["name"] for request in trainings}) == 2


def test_a_resumed_run_repeats_a_failed_update_without_a_training():
    with deploy() as pipeline:
        pipeline.inject_fault("fail", job="campaign-update", reason="Internal service error")
        pipeline.run()
        execution = pipeline.run(resume=RUN_ID)
        assert len(pipeline.requests("CreateSolutionVersion")) == 1
        assert pipeline.served_version() == pipeline.versions()[-1]
    assert outcomes(execution) == DEPLOYED


def test_a_resumed_run_adopts_its_running_training():
    with deploy() as pipeline:
        started = pipeline.start()
        pipeline.sleep(3600)
        started.abort()
        execution = pipeline.run(resume=RUN_ID)
        assert len(pipeline.requests("CreateSolutionVersion")) == 1
        assert len(pipeline.versions()) == 2
    assert outcomes(execution) == DEPLOYED


def test_a_resumed_run_keeps_the_training_mode_of_its_first_execution():
    with deploy(UPDATING) as pipeline:
        pipeline.inject_fault("fail", job="campaign-update", reason="Internal service error")
        pipeline.run()
        execution = pipeline.run(resume=RUN_ID)
        assert len(pipeline.requests("CreateSolutionVersion")) == 1
    assert report(execution)["solutions"][0]["trainingMode"] == "FULL", (
        "a new run would train UPDATE, because there is a FULL version now"
    )


def test_a_resumed_run_has_the_input_of_its_first_execution():
    with deploy() as pipeline:
        pipeline.inject_fault("fail", job="solution-version", reason="Too few users")
        pipeline.run(skipImport=True)
        for _ in range(2):
            pipeline.inject_fault("fail", job="campaign-update", reason="Internal service error")
            pipeline.run(resume=RUN_ID)
        execution = pipeline.run(resume=RUN_ID)
        assert pipeline.requests("CreateDatasetImportJob") == []
        assert len(pipeline.versions()) == 3, "the first, the failed one, and its repetition"
    assert outcomes(execution) == DEPLOYED


def test_a_run_by_hand_can_be_resumed():
    with deploy() as pipeline:
        pipeline.run()
        pipeline.bucket.put("items.csv", exports()["items.csv"] + b"\ni900,g1")
        pipeline.inject_fault("fail", job="solution-version", reason="Too few users")
        failed = pipeline.machine.start({"datasets": ["items"]}).wait()
        run_id = report(failed)["runId"]
        pipeline.sleep(30 * 3600)
        execution = pipeline.run(resume=run_id)
        requests = pipeline.requests("CreateDatasetImportJob")[3:]
        assert {request["jobName"] for request in requests} == {f"{PREFIX}-{run_id}-items"}
    assert report(execution)["runId"] == run_id
    assert outcomes(execution) == DEPLOYED, "the import of the first execution is used"


# Runs that cannot be resumed


def test_a_run_that_succeeded_cannot_be_resumed():
    with deploy() as pipeline:
        pipeline.run()
        execution = pipeline.run(resume=RUN_ID)
        assert len(pipeline.versions()) == 2
    assert refusal(execution) == (
        f"resume: run {RUN_ID} is SUCCEEDED; nothing is left to do; start a new run without resume",
        f"the last runs are {RUN_ID} (SUCCEEDED, started 2026-11-29 03:00 UTC)",
    )


@pytest.mark.parametrize("refused", [{}, {"force": True}])
def test_a_refused_execution_does_not_make_a_run_resumable(refused):
    with deploy() as pipeline:
        pipeline.run()
        pipeline.run(resume=RUN_ID, **refused)
        execution = pipeline.run(resume=RUN_ID)
        assert len(pipeline.versions()) == 2
    assert refusal(execution)[0].startswith(f"resume: run {RUN_ID} is SUCCEEDED; ")


def test_a_run_that_is_running_cannot_be_resumed():
    with deploy() as pipeline:
        started = pipeline.start()
        pipeline.sleep(600)
        execution = pipeline.run(resume=RUN_ID)
        assert outcomes(started.wait()) == ALL_DONE
    assert refusal(execution)[0] == (
        f"resume: run {RUN_ID} is RUNNING; wait until it has ended, or stop it"
    )


def test_an_unknown_run_cannot_be_resumed_and_the_last_runs_are_named():
    with deploy() as pipeline:
        unknown = pipeline.run(resume="20261128T030000Z")
        pipeline.sleep(600)
        for day in range(6):
            pipeline.run(scheduledTime=f"2026-12-0{day + 1}T03:00:00Z", solutions=["x"])
            pipeline.sleep(1)
        again = pipeline.run(resume="20261128T030000Z")
    reason = (
        "resume: run 20261128T030000Z did not begin in the last 100 executions of this state "
        "machine"
    )
    assert refusal(unknown) == (reason, "there are no earlier runs")
    assert refusal(again)[0] == reason
    named = refusal(again)[1].removeprefix("the last runs are ").split("), ")
    assert [text.split(",")[0] for text in named] == [
        f"2026120{day}T030000Z (FAILED" for day in (6, 5, 4, 3, 2)
    ]


def test_an_execution_whose_first_state_failed_is_not_named_as_a_run():
    with deploy() as pipeline:
        pipeline.machine.start({"datasets": ["x" * 262_000]}).wait()
        execution = pipeline.machine.start({"resume": RUN_ID}).wait()
    assert problems_of(execution) == [
        (
            f"resume: run {RUN_ID} did not begin in the last 100 executions of this state "
            "machine; there are no earlier runs"
        )
    ]


def test_a_run_cannot_be_resumed_after_the_import_of_a_later_run():
    with deploy() as pipeline:
        started = pipeline.start()
        pipeline.sleep(3600)
        started.abort()
        pipeline.bucket.put("interactions.csv", interactions(shift=1))
        later = pipeline.run(scheduledTime="2026-11-30T03:00:00Z")
        imports = len(pipeline.requests("CreateDatasetImportJob"))
        execution = pipeline.run(resume=RUN_ID)
        assert len(pipeline.requests("CreateDatasetImportJob")) == imports
    job = report(later)["imports"][0]["datasetImportJobArn"]
    assert refusal(execution)[0] == (
        f"resume: run {RUN_ID} is older than the import {job} of a later run; start a new run "
        "without resume, or bring back an earlier export with exportDate"
    )


def test_a_run_can_be_resumed_after_a_later_run_that_imported_nothing():
    with deploy() as pipeline:
        pipeline.inject_fault("fail", job="solution-version", reason="Too few users", times=2)
        pipeline.run(skipImport=True)
        pipeline.run(skipImport=True, scheduledTime="2026-11-30T03:00:00Z")
        execution = pipeline.run(resume=RUN_ID)
    assert outcomes(execution) == DEPLOYED


def test_of_two_executions_that_resume_a_run_at_once_one_is_refused():
    with deploy() as pipeline:
        pipeline.inject_fault("fail", job="solution-version", reason="Too few users")
        pipeline.run(skipImport=True)
        started = [pipeline.machine.start({"resume": RUN_ID}) for _ in range(2)]
        first, second = (execution.wait() for execution in started)
        assert len(pipeline.versions()) == 3, "the first version, the failed one, and one more"
    assert outcomes(first) == DEPLOYED
    assert refusal(second)[0] == (
        f"resume: run {RUN_ID} is RUNNING; wait until it has ended, or stop it"
    )


def test_a_resumed_run_whose_first_input_is_wrong_is_refused_for_it():
    with deploy() as pipeline:
        pipeline.run(trainingMode="NONE")
        execution = pipeline.run(resume=RUN_ID)
    assert [problem.split(":")[0] for problem in problems_of(execution)] == ["trainingMode"]


# A version that waits


def test_a_version_that_waits_is_deployed_instead_of_a_training():
    with deploy() as pipeline:
        pipeline.inject_fault("fail", job="campaign-update", reason="Internal service error")
        pipeline.run()
        execution = pipeline.machine.start({"skipImport": True}).wait()
        assert len(pipeline.versions()) == 2
        assert pipeline.served_version() == pipeline.versions()[-1]
    assert outcomes(execution) == DEPLOYED


def test_a_version_that_waits_is_not_deployed_after_newer_imports():
    with deploy() as pipeline:
        pipeline.inject_fault("fail", job="campaign-update", reason="Internal service error")
        pipeline.run()
        pipeline.inject_fault("fail", job="solution-version", reason="Too few users")
        pipeline.bucket.put("interactions.csv", interactions(shift=1))
        pipeline.run(scheduledTime="2026-11-30T03:00:00Z")
        pipeline.machine.start({"skipImport": True}).wait()
        assert len(pipeline.versions()) == 4
        assert pipeline.served_version() == pipeline.versions()[-1]


def test_a_manual_run_without_new_data_is_skipped_if_no_version_waits():
    with deploy() as pipeline:
        pipeline.run()
        execution = pipeline.machine.start({"skipImport": True}).wait()
        assert len(pipeline.versions()) == 2
    assert report(execution)["status"] == "SKIPPED"


def test_a_foreign_version_that_waits_is_not_deployed():
    with deploy() as pipeline:
        pipeline.foreign_training()
        pipeline.sleep(2 * 3600)
        pipeline.machine.start({"skipImport": True}).wait()
        assert len(pipeline.requests("CreateSolutionVersion")) == 1
        assert pipeline.served_version() == pipeline.versions()[-1]


def test_a_run_with_a_training_mode_trains_although_a_version_waits():
    with deploy() as pipeline:
        pipeline.inject_fault("fail", job="campaign-update", reason="Internal service error")
        pipeline.run()
        pipeline.machine.start({"skipImport": True, "trainingMode": "FULL"}).wait()
        assert len(pipeline.versions()) == 3


def test_a_second_run_of_a_slot_adopts_all_jobs():
    with deploy(MOVIES.with_options(skip_when_unchanged=False)) as pipeline:
        pipeline.run()
        pipeline.sleep(600)
        execution = pipeline.run(scheduledTime=SLOT)
        assert len(pipeline.versions()) == 2, "both executions have the same run id"
    assert report(execution)["status"] == "SKIPPED"
