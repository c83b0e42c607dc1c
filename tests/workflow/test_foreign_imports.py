"""Nothing is trained unknowingly on data that a foreign import brought."""

import pytest

from functions.personalize.tags import MIXED, tags_of
from tests.workflow.pipeline import NEXT_SLOT, RUN_ID, deploy
from tests.workflow.summaries import ALL_DONE, DEPLOYED, failures, outcomes, report
from tests.world import MOVIES, PERSONALIZE, PREFIX, dataset_arn

FOREIGN = f"{PERSONALIZE}:dataset-import-job/foreign"
REPLACED = (
    f"{FOREIGN}, a FULL import that this pipeline did not start, replaces or has replaced the data "
    "that this run imported; find out who started it, then use retrain start, which imports the "
    "export again"
)


@pytest.mark.parametrize("seconds", [600, 3 * 3600])
def test_a_foreign_import_before_an_import_is_waited_for(seconds):
    with deploy(durations={"foreign": seconds}) as pipeline:
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


@pytest.mark.parametrize("lost_answers", [0, 20], ids=["", "and the answers of the tags are lost"])
def test_a_foreign_full_import_during_the_training_makes_its_version_unusable(lost_answers):
    with deploy() as pipeline:
        started = pipeline.start()
        pipeline.sleep(2000)
        pipeline.foreign_import("items")
        if lost_answers:
            lost = {"operation": "TagResource", "times": lost_answers}
            pipeline.inject_fault("lost-answer", **lost)
        execution = started.wait()
        new = pipeline.versions()[-1]
        assert pipeline.served_version() != new
        assert tags_of(pipeline.client, new)[MIXED] == "true"
        pipeline.run(scheduledTime=NEXT_SLOT)
        assert len(pipeline.requests("CreateSolutionVersion")) == 2
    assert failures(execution) == {"taste": f"the version is not used: {REPLACED}"}


def test_a_foreign_full_import_that_outlasts_the_training_is_named():
    with deploy(durations={"foreign": 7200}) as pipeline:
        started = pipeline.start()
        pipeline.sleep(2000)
        pipeline.foreign_import("items")
        execution = started.wait()
    assert outcomes(execution) == ALL_DONE, "the version has not learned its data"
    (warning,) = report(execution)["warnings"]
    assert "/foreign, an import that this run did not start, is running" in warning


def test_a_foreign_full_import_after_the_training_does_no_harm():
    with deploy() as pipeline:
        started = pipeline.start()
        pipeline.sleep(1245 + 5430 + 100)
        pipeline.foreign_import("items")
        assert outcomes(started.wait()) == ALL_DONE


def test_rows_that_a_foreign_import_has_added_are_named():
    with deploy(durations={"foreign": 300}) as pipeline:
        started = pipeline.start()
        pipeline.sleep(800)
        pipeline.foreign_import("items", importMode="INCREMENTAL")
        execution = started.wait()
        new = pipeline.versions()[-1]
    assert outcomes(execution) == ALL_DONE
    assert report(execution)["warnings"] == [
        (
            f"{new}: {FOREIGN}, an import that this pipeline did not start, has added data, and "
            "the version learns them too; find out who started it"
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


def test_an_import_of_a_dataset_that_is_not_configured_is_news_and_is_named():
    group = MOVIES.with_datasets("interactions", "items")
    with deploy(group, durations={"foreign": 300}) as pipeline:
        pipeline.group.create_dataset(pipeline.client, "users")
        pipeline.sleep(600)
        started = pipeline.start()
        pipeline.sleep(300)
        pipeline.foreign_import("users")
        first = started.wait()
        pipeline.foreign_import("users", job_name="second")
        pipeline.sleep(3600)
        second = pipeline.run(scheduledTime=NEXT_SLOT)
        assert len(pipeline.requests("CreateSolutionVersion")) == 2
    (warning,) = report(first)["warnings"]
    assert f"{FOREIGN}, an import that this pipeline did not start, has added data" in warning
    assert outcomes(second) == DEPLOYED


def test_a_foreign_import_during_the_training_that_only_adds_rows_is_named_and_learned_next_time():
    with deploy() as pipeline:
        started = pipeline.start()
        pipeline.sleep(2000)
        pipeline.foreign_import("items", importMode="INCREMENTAL")
        execution = started.wait()
        new = pipeline.versions()[-1]
        pipeline.run(scheduledTime=NEXT_SLOT)
        assert len(pipeline.requests("CreateSolutionVersion")) == 2
    assert outcomes(execution) == ALL_DONE
    assert report(execution)["warnings"] == [
        f"{new}: {FOREIGN} ended during the training, so the next run trains again"
    ]


def test_an_import_of_an_aborted_run_is_never_called_foreign():
    with deploy() as pipeline:
        started = pipeline.start()
        pipeline.sleep(300)
        started.abort()
        pipeline.sleep(180)
        execution = pipeline.machine.start({"skipImport": True}).wait()
        assert pipeline.served_version() == pipeline.versions()[-1]
    assert outcomes(execution) == DEPLOYED
    assert report(execution)["warnings"] == []


def test_a_run_without_an_import_names_foreign_data():
    with deploy() as pipeline:
        pipeline.run()
        pipeline.foreign_import("items")
        pipeline.sleep(3600)
        execution = pipeline.run(scheduledTime=NEXT_SLOT, skipImport=True)
    assert outcomes(execution) == DEPLOYED
    (warning,) = report(execution)["warnings"]
    assert warning.startswith(f"datasets.items: {FOREIGN}, the newest import, was not started by")
