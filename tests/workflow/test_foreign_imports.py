"""Nothing is trained unknowingly on data that a foreign import brought."""

import pytest

from tests.workflow.pipeline import NEXT_SLOT, RUN_ID, deploy
from tests.workflow.summaries import ALL_DONE, DEPLOYED, failures, outcomes, report
from tests.world import PERSONALIZE, PREFIX, dataset_arn, solution_arn

FOREIGN = f"{PERSONALIZE}:dataset-import-job/foreign"
REPLACED = (
    f"{FOREIGN}, which this pipeline did not start, is the newest FULL import of its dataset; "
    "import the export with retrain start, or train on these data with retrain start --skip-import"
)


def test_a_foreign_import_before_an_import_is_waited_for():
    with deploy(durations={"foreign": 3 * 3600}) as pipeline:
        pipeline.foreign_import("items")
        execution = pipeline.run()
        jobs = pipeline.client.list_dataset_import_jobs(datasetArn=dataset_arn("items"))
        newest = max(jobs["datasetImportJobs"], key=lambda job: job["lastUpdatedDateTime"])
        assert newest["jobName"] != "foreign", "the export is imported after the foreign import"
    assert outcomes(execution) == ALL_DONE


@pytest.mark.parametrize("seconds", [600, 3 * 3600], ids=["ended", "running"])
def test_a_foreign_full_import_during_the_imports_fails_its_dataset(seconds):
    with deploy(durations={"foreign": seconds}) as pipeline:
        started = pipeline.start()
        pipeline.sleep(760)
        pipeline.foreign_import("items")
        execution = started.wait()
        assert pipeline.requests("CreateSolutionVersion") == []
        second = pipeline.run(scheduledTime=NEXT_SLOT)
        assert pipeline.served_version() == pipeline.versions()[-1]
    job = f"{PERSONALIZE}:dataset-import-job/{PREFIX}-{RUN_ID}-items"
    assert failures(execution) == {"items": f"another import has replaced the data of {job}"}
    assert outcomes(second) == {"items": "IMPORTED", **DEPLOYED}, "the next run imports it again"


def test_a_foreign_full_import_during_the_training_is_replaced_by_the_next_run():
    with deploy() as pipeline:
        started = pipeline.start()
        pipeline.sleep(2000)
        pipeline.foreign_import("items")
        execution = started.wait()
        second = pipeline.run(scheduledTime=NEXT_SLOT)
        assert len(pipeline.requests("CreateSolutionVersion")) == 2
    assert outcomes(execution) == ALL_DONE, "the run goes on with its training"
    assert outcomes(second) == {"items": "IMPORTED", **DEPLOYED}


def test_nothing_is_trained_on_data_that_a_foreign_import_has_replaced():
    with deploy() as pipeline:
        pipeline.run()
        pipeline.foreign_import("items")
        pipeline.sleep(3600)
        execution = pipeline.run(scheduledTime=NEXT_SLOT, datasets=["users"])
        assert len(pipeline.requests("CreateSolutionVersion")) == 1
    assert failures(execution) == {"taste": REPLACED}


def test_rows_that_a_foreign_import_has_added_are_named():
    with deploy(durations={"foreign": 300}) as pipeline:
        started = pipeline.start()
        pipeline.sleep(800)
        pipeline.foreign_import("items", importMode="INCREMENTAL")
        execution = started.wait()
    assert outcomes(execution) == ALL_DONE
    assert report(execution)["warnings"] == [
        (
            f"{solution_arn()}: {FOREIGN}, an import that this pipeline did not start, has added "
            "data, and the version learns them too; find out who started it"
        )
    ]


def test_rows_that_a_foreign_import_is_adding_are_waited_for():
    with deploy(durations={"foreign": 7200}) as pipeline:
        started = pipeline.start()
        pipeline.sleep(800)
        pipeline.foreign_import("items", importMode="INCREMENTAL")
        execution = started.wait()
        job = execution.output["solutions"][0]["version"]
        ended = pipeline.client.describe_dataset_import_job(datasetImportJobArn=FOREIGN)
    assert outcomes(execution) == ALL_DONE
    assert job["createdAt"] > ended["datasetImportJob"]["lastUpdatedDateTime"].isoformat()


def test_an_import_of_an_aborted_run_has_to_be_confirmed_before_a_training():
    with deploy() as pipeline:
        started = pipeline.start()
        pipeline.sleep(300)
        started.abort()
        pipeline.sleep(180)
        execution = pipeline.machine.start({"skipImport": True}).wait()
        second = pipeline.machine.start({}).wait()
        assert len(pipeline.requests("CreateDatasetImportJob")) == 3
    assert "may have brought only a part of its export" in failures(execution)["taste"]
    assert outcomes(second) == DEPLOYED
