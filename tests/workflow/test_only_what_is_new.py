"""Nothing is imported or trained twice, whichever run, day or person asks for it."""

import pytest

from tests.workflow.pipeline import deploy
from tests.workflow.summaries import DEPLOYED, outcomes, skip_reason
from tests.workflow.test_skipped_runs import NOTHING_NEW
from tests.world import MOVIES, interactions, solution


@pytest.mark.parametrize("seconds", [60, 1250, 6000])
def test_after_an_aborted_run_the_next_run_goes_on_with_its_jobs(seconds):
    with deploy() as pipeline:
        started = pipeline.start()
        pipeline.sleep(seconds)
        started.abort()
        pipeline.sleep(180)
        execution = pipeline.machine.start({}).wait()
        names = [request["jobName"] for request in pipeline.requests("CreateDatasetImportJob")]

        assert len(names) == 3, "every import job is used, whichever run created it"
        assert len(pipeline.requests("CreateSolutionVersion")) == 1
        assert pipeline.served_version() == pipeline.versions()[-1]

    assert outcomes(execution)["home"] == "DEPLOYED"


# An earlier export

DATED = MOVIES.with_datasets(
    "interactions",
    data_location="s3://exports/{date}/interactions.csv",
    ready_marker="s3://exports/{date}/_SUCCESS",
)


def import_days(pipeline):
    """Return the day of each import that was requested, in order."""
    return [
        request["dataSource"]["dataLocation"].split("/")[3]
        for request in pipeline.requests("CreateDatasetImportJob")
    ]


def test_a_person_brings_back_an_earlier_smaller_export_until_the_next_scheduled_run():
    with deploy(DATED.with_solutions(solution(quality_gate_enabled=False))) as pipeline:
        for day, rows in ((28, 1200), (29, 6000)):
            pipeline.bucket.put(f"2026-11-{day}/interactions.csv", interactions(rows))
            pipeline.bucket.put(f"2026-11-{day}/_SUCCESS", b"")
            pipeline.sleep(1)
            pipeline.run(scheduledTime=f"2026-11-{day}T03:00:00Z")
        back = pipeline.machine.start({"exportDate": "2026-11-28"}).wait()
        assert import_days(pipeline) == ["2026-11-28", "2026-11-29", "2026-11-28"]
        again = pipeline.machine.start({"exportDate": "2026-11-28"}).wait()
        later = pipeline.run(scheduledTime="2026-11-29T09:00:00Z")

        assert import_days(pipeline) == ["2026-11-28", "2026-11-29", "2026-11-28", "2026-11-29"]

    assert outcomes(back) == outcomes(later) == {"interactions": "IMPORTED", **DEPLOYED}
    assert skip_reason(again) == NOTHING_NEW.format("interactions", "2026-11-29 03:00")
