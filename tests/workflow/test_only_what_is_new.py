"""Nothing is imported or trained twice, whichever run, day or person asks for it."""

import pytest

from tests.workflow.pipeline import deploy
from tests.workflow.summaries import DEPLOYED, outcomes, report, skip_reason
from tests.workflow.test_skipped_runs import NOTHING_NEW
from tests.world import MOVIES, interactions, solution

# Runs that end halfway


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


# Days of an INCREMENTAL export

DAILY = MOVIES.with_datasets(
    "interactions",
    import_mode="INCREMENTAL",
    data_location="s3://exports/{date}/interactions.csv",
)


def put_days(pipeline, *days):
    """Write an export for each of these days of November."""
    for day in days:
        pipeline.bucket.put(f"2026-11-{day}/interactions.csv", interactions(shift=int(day)))


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


def test_the_next_scheduled_run_neither_undoes_nor_repeats_a_day_that_was_appended():
    with deploy(DAILY.with_solutions(solution(quality_gate_enabled=False))) as pipeline:
        put_days(pipeline, 27, 28)
        pipeline.run(scheduledTime="2026-11-28T03:00:00Z")
        pipeline.machine.start({"exportDate": "2026-11-27"}).wait()
        same_day = pipeline.run(scheduledTime="2026-11-28T03:00:00Z")
        put_days(pipeline, 29)
        next_day = pipeline.run(scheduledTime="2026-11-29T03:00:00Z")

        assert import_days(pipeline) == ["2026-11-28", "2026-11-27", "2026-11-29"]

    assert skip_reason(same_day) == NOTHING_NEW.format("interactions", "2026-11-29 03:00")
    assert outcomes(next_day) == {"interactions": "IMPORTED", **DEPLOYED}
    assert report(next_day)["warnings"] == [], "no day is missing, and each has new events"
