"""Whole runs in which an export changes while Personalize reads it, or after its run has died."""

from dataclasses import replace

from emulator.personalize.resources import ImportJob, SolutionVersion
from functions.personalize.tags import TAINTED_BY_TAG, read_tags
from tests.workflow.clients import OPERATOR
from tests.workflow.pipeline import deploy
from tests.workflow.summaries import DEPLOYED, failures, outcomes, problems_of, report
from tests.world import MOVIES, dataset_arn, exports, interactions, solution

UNGATED = solution(quality_gate_enabled=False)
FULL = MOVIES.with_datasets("interactions", data_location="s3://exports/today/").with_solutions(
    UNGATED
)
DAYS = {"data_location": "s3://exports/{date}/"}
DAILY = FULL.with_datasets("interactions", import_mode="INCREMENTAL", **DAYS)
INTERACTIONS = dataset_arn("interactions")
STRAY = b"USER_ID,ITEM_ID,TIMESTAMP\nu1,stray,1790000000"


def put(pipeline, folder, shift=1):
    """Write the export of a day."""
    pipeline.bucket.put(f"{folder}/interactions.csv", interactions(shift=shift))


def run_beside_a_stray_file(pipeline, folder):
    """Run while another file lies in the folder. It is gone when the run has ended."""
    started = pipeline.start()
    pipeline.sleep(300)
    pipeline.bucket.put(f"{folder}/stray.csv", STRAY)
    execution = started.wait()
    del pipeline.bucket.objects[f"{folder}/stray.csv"]

    return execution


def learned_files(pipeline, version):
    """Return the keys of the files that a version has learned from, in order."""
    jobs = pipeline.personalize.resources(ImportJob, OPERATOR)
    learned = pipeline.personalize.resources(SolutionVersion, OPERATOR)[version].trained_imports

    return [
        url.partition("exports/")[2] for arn in learned[INTERACTIONS] for url in jobs[arn].hashes
    ]


def import_arns(pipeline):
    """Return the ARNs of the imports of the pipeline, in order."""
    prefix = pipeline.group.arn.partition(":dataset-group")[0]
    return [
        f"{prefix}:dataset-import-job/{request['jobName']}"
        for request in pipeline.requests("CreateDatasetImportJob")
    ]


def import_complete_export(pipeline, folder):
    """Put a complete export, and start a run of the pipeline with importMode FULL."""
    pipeline.bucket.put(f"{folder}/interactions.csv", exports(shift=9)["interactions.csv"])
    full = FULL.with_datasets("interactions", **DAYS)
    return replace(pipeline, group=full, prefix="0000full").machine.start({}).wait()


def test_only_a_full_import_replaces_the_rows_of_a_stray_file():
    with deploy(DAILY) as pipeline:
        put(pipeline, "2026-11-29")
        served = pipeline.served_version()
        tainted = run_beside_a_stray_file(pipeline, "2026-11-29")
        (job,) = import_arns(pipeline)
        assert (
            read_tags(pipeline.client, INTERACTIONS)[TAINTED_BY_TAG].split()[0]
            == job.rpartition("/")[2]
        )
        refused = [
            pipeline.machine.start({"exportDate": "2026-11-29", **request}).wait()
            for request in ({}, {"force": True})
        ]
        pipeline.sleep(24 * 3600)
        put(pipeline, "2026-11-30", shift=2)
        next_day = pipeline.run(scheduledTime="2026-11-30T03:00:00Z")
        pipeline.foreign_import("interactions")
        pipeline.sleep(3600)
        foreign = pipeline.machine.start({"skipImport": True}).wait()
        assert pipeline.requests("CreateSolutionVersion") == []
        assert pipeline.served_version() == served
        replaced = import_complete_export(pipeline, "2026-11-30")
        put(pipeline, "2026-12-01", shift=3)
        after = pipeline.run(scheduledTime="2026-12-01T03:00:00Z")

        assert learned_files(pipeline, pipeline.served_version()) == [
            "2026-11-30/interactions.csv",
            "2026-12-01/interactions.csv",
        ]

    reason = (
        f"{job} may have imported other rows than its export has; to replace them, import a "
        'complete export with importMode FULL ("Replace bad data" in docs/emergencies.md)'
    )
    assert failures(tainted) == {"interactions": reason}
    assert [problems_of(run) for run in refused] == [[f"datasets.interactions: {reason}"]] * 2
    assert outcomes(next_day) == {"interactions": "IMPORTED", "taste": "FAILED"}
    assert failures(next_day) == failures(foreign) == {"taste": reason}
    assert report(next_day)["warnings"] == [{"text": f"datasets.interactions: {reason}"}]
    assert outcomes(replaced) == outcomes(after) == {"interactions": "IMPORTED", **DEPLOYED}


def test_a_day_that_was_written_again_after_an_abort_has_tainted_the_dataset():
    with deploy(DAILY) as pipeline:
        put(pipeline, "2026-11-29")
        started = pipeline.start()
        pipeline.sleep(300)
        started.abort()
        pipeline.sleep(24 * 3600)
        put(pipeline, "2026-11-29", shift=2)
        put(pipeline, "2026-11-30", shift=3)
        execution = pipeline.run(scheduledTime="2026-11-30T03:00:00Z")
        aborted, _ = import_arns(pipeline)

        tags = read_tags(pipeline.client, INTERACTIONS)
        assert aborted.rpartition("/")[2] in tags[TAINTED_BY_TAG]

    assert "with importMode FULL" in failures(execution)["taste"]
