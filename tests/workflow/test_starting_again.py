"""A run after a failed run goes on from what is there, and a version that waits is deployed."""

from tests.workflow.pipeline import NEXT_SLOT, RUN_ID, SLOT, deploy
from tests.workflow.summaries import DEPLOYED, outcomes, report
from tests.world import MOVIES, PREFIX, interactions


def test_the_next_run_repeats_only_the_import_that_failed():
    with deploy() as pipeline:
        job = f"{PREFIX}-{RUN_ID}-items"
        pipeline.inject_fault("fail", job="dataset-import-job", of=job, reason="Row 7")
        pipeline.run()
        execution = pipeline.run(scheduledTime=NEXT_SLOT)
        assert len(pipeline.requests("CreateDatasetImportJob")) == 4
        assert len(pipeline.requests("CreateSolutionVersion")) == 1
    assert outcomes(execution) == {"items": "IMPORTED", **DEPLOYED}


def test_the_next_run_repeats_a_training_that_failed_without_imports():
    with deploy() as pipeline:
        pipeline.inject_fault("fail", job="solution-version", reason="Too few users")
        pipeline.run()
        execution = pipeline.run(scheduledTime=NEXT_SLOT)
        assert len(pipeline.requests("CreateDatasetImportJob")) == 3
    assert outcomes(execution) == DEPLOYED


# A version that waits


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


def test_a_foreign_version_that_waits_is_not_deployed():
    with deploy() as pipeline:
        pipeline.foreign_training()
        pipeline.sleep(2 * 3600)
        pipeline.machine.start({"skipImport": True}).wait()
        assert len(pipeline.requests("CreateSolutionVersion")) == 1
        assert pipeline.served_version() == pipeline.versions()[-1]


def test_a_second_run_of_a_slot_adopts_all_jobs():
    with deploy(MOVIES.with_options(skip_when_unchanged=False)) as pipeline:
        pipeline.run()
        pipeline.sleep(600)
        execution = pipeline.run(scheduledTime=SLOT)
        assert len(pipeline.versions()) == 2, "both executions have the same run id"
    assert report(execution)["outcome"] == "SKIPPED"
