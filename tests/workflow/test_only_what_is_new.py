"""Nothing is imported or trained twice, whatever happens between two runs."""

import pytest

from tests.workflow.pipeline import NEXT_SLOT, before_step, deploy
from tests.workflow.summaries import DEPLOYED, failures, outcomes, report, skip_reason
from tests.workflow.test_skipped_runs import NOTHING_NEW
from tests.world import MOVIES, PREFIX, interactions, solution, solution_arn

TWO = MOVIES.with_solutions(solution("taste"), solution("like", campaigns=["detail"]))


# One of two solutions


def test_a_solution_for_which_there_is_no_room_does_not_hold_back_the_other():
    with deploy(TWO) as pipeline:
        pipeline.inject_fault("limit-exceeded", operation="CreateSolutionVersion", times=None)
        pipeline.inject_fault("limit-exceeded", operation="CreateSolutionVersion", times=None)
        started = pipeline.start()
        pipeline.sleep(3 * 3600)
        pipeline.personalize.faults.clear()
        assert outcomes(started.wait())["detail"] == "DEPLOYED"
        assert skip_reason(pipeline.run(scheduledTime=NEXT_SLOT)) == NOTHING_NEW


def test_after_a_run_for_one_solution_by_hand_the_schedule_trains_only_the_other():
    with deploy(TWO) as pipeline:
        pipeline.machine.start({"solutions": [solution_arn("taste")]}).wait()
        execution = pipeline.run()
        assert len(pipeline.requests("CreateDatasetImportJob")) == 3
        assert len(pipeline.requests("CreateSolutionVersion")) == 2
    assert outcomes(execution) == {"like": "DEPLOYED", "detail": "DEPLOYED"}


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


@pytest.mark.parametrize("operation", ["CreateDatasetImportJob", "CreateSolutionVersion"])
def test_after_a_lost_answer_old_lists_lead_to_no_second_job(operation):
    def let_lists_be_old(_event):
        for listed in ("ListDatasetImportJobs", "ListSolutionVersions"):
            pipeline.inject_fault("stale", operation=listed, seconds=90, times=4)

    handlers = before_step("train_solution", let_lists_be_old, times=9)
    with deploy(handlers=handlers) as pipeline:
        pipeline.inject_fault("lost-answer", operation=operation, status=500)
        execution = pipeline.run()
        assert len(pipeline.versions()) == 2
        assert len(pipeline.client.list_dataset_import_jobs()["datasetImportJobs"]) == 6
    assert outcomes(execution)["home"] == "DEPLOYED"


# The service itself


def test_another_configuration_of_the_solution_is_news():
    config = {"eventsConfig": {"eventParametersList": [{"eventType": "click", "weight": 0.5}]}}
    with deploy() as pipeline:
        pipeline.run()
        pipeline.client.update_solution(solutionArn=solution_arn(), solutionUpdateConfig=config)
        pipeline.sleep(600)
        execution = pipeline.run(scheduledTime=NEXT_SLOT)
        assert len(pipeline.requests("CreateSolutionVersion")) == 2
    assert "taste" in outcomes(execution)


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


def test_days_that_were_never_imported_are_named():
    with deploy(DAILY) as pipeline:
        put_days(pipeline, 20, 23, 25, 27, 28, 29, 30)
        pipeline.inject_fault(
            "fail", job="dataset-import-job", of=f"{PREFIX}-20261128T030000Z-interactions"
        )
        pipeline.run(scheduledTime="2026-11-27T03:00:00Z")
        pipeline.run(scheduledTime="2026-11-28T03:00:00Z")
        pipeline.run(scheduledTime="2026-11-29T03:00:00Z")
        execution = pipeline.run(scheduledTime="2026-11-30T03:00:00Z")
    assert report(execution)["warnings"][0] == (
        "datasets.interactions: no run has imported the exports of these days: 2026-11-23, "
        "2026-11-25, 2026-11-28; append each whose rows are missing with retrain start --dataset "
        "interactions --export-date 2026-11-23, or import a complete export with importMode FULL"
    ), "the first FULL import was on 2026-11-22"


@pytest.mark.parametrize("has_changed", [False, True])
def test_the_import_of_a_dead_run_is_confirmed_by_the_next_run_unless_its_export_has_changed(
    has_changed,
):
    with deploy(DAILY) as pipeline:
        put_days(pipeline, 28, 29)
        started = pipeline.start(scheduledTime="2026-11-28T03:00:00Z")
        pipeline.sleep(300)
        started.abort()
        if has_changed:
            pipeline.bucket.put("2026-11-28/interactions.csv", interactions(shift=3))
        pipeline.sleep(3600)
        execution = pipeline.run(scheduledTime="2026-11-29T03:00:00Z")
    warning = (
        "datasets.interactions: the exports of these days have changed during or after their "
        "import: 2026-11-28; import a complete export with importMode FULL, or append each once "
        "more with retrain start --dataset interactions --export-date 2026-11-28, which may add "
        "rows twice"
    )
    assert (warning in report(execution)["warnings"]) == has_changed
    assert not any("no run has imported" in text for text in report(execution)["warnings"])


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
    assert skip_reason(again) == NOTHING_NEW


def test_the_next_scheduled_run_neither_undoes_nor_repeats_a_day_that_was_appended():
    with deploy(DAILY.with_solutions(solution(quality_gate_enabled=False))) as pipeline:
        put_days(pipeline, 27, 28)
        pipeline.run(scheduledTime="2026-11-28T03:00:00Z")
        pipeline.machine.start({"exportDate": "2026-11-27"}).wait()
        same_day = pipeline.run(scheduledTime="2026-11-28T03:00:00Z")
        put_days(pipeline, 29)
        next_day = pipeline.run(scheduledTime="2026-11-29T03:00:00Z")
        assert import_days(pipeline) == ["2026-11-28", "2026-11-27", "2026-11-29"]
    assert skip_reason(same_day) == NOTHING_NEW
    assert outcomes(next_day) == {"interactions": "IMPORTED", **DEPLOYED}
    assert report(next_day)["warnings"] == [], "no day is missing"


# Tags that cannot be written


def test_an_import_that_cannot_be_tagged_at_its_end_fails_and_is_not_repeated():
    with deploy() as pipeline:
        started = pipeline.start()
        pipeline.sleep(300)
        pipeline.inject_fault("deny", operation="TagResource", times=None)
        execution = started.wait()
        assert pipeline.requests("CreateSolutionVersion") == []
        pipeline.personalize.faults.clear()
        second = pipeline.run(scheduledTime=NEXT_SLOT)
        assert len(pipeline.requests("CreateDatasetImportJob")) == 3
    assert set(failures(execution)) == {"interactions", "items", "users"}
    assert all("AccessDeniedException" in failure for failure in failures(execution).values())
    assert outcomes(second) == DEPLOYED
