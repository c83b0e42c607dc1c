"""A run is skipped or refused if it would cost money for nothing."""

from components.args import LimitsArgs
from tests.workflow.pipeline import NEXT_SLOT, deploy
from tests.workflow.summaries import (
    ALL_DONE,
    DEPLOYED,
    outcomes,
    report,
    skip_reason,
)
from tests.world import MOVIES, interactions, solution_arn

NOTHING_NEW = (
    "nothing is new: {}: the export has not changed since {} UTC; taste: it was trained on "
    "the present data; to train anyway, use retrain start --force"
)
LIMITED = MOVIES.with_options(
    limits=LimitsArgs(max_trainings_per_month=1), skip_when_unchanged=False
)


def test_a_run_with_the_exports_of_the_last_one_is_skipped():
    with deploy() as pipeline:
        pipeline.run()
        execution = pipeline.run(scheduledTime=NEXT_SLOT)
        assert len(pipeline.requests("CreateDatasetImportJob")) == 3, "from the first run"
        assert len(pipeline.versions()) == 2
    assert skip_reason(execution) == NOTHING_NEW.format(
        "interactions, items and users", "2026-11-01 00:00"
    )


def test_an_event_tracker_means_new_data_after_half_the_time_between_two_runs():
    with deploy() as pipeline:
        pipeline.client.create_event_tracker(name="clicks", datasetGroupArn=MOVIES.arn)
        pipeline.sleep(600)
        pipeline.run()
        pipeline.sleep(3 * 24 * 3600)
        early = pipeline.run(scheduledTime=NEXT_SLOT)
        pipeline.sleep(24 * 3600)
        late = pipeline.run(scheduledTime="2026-12-13T03:00:00Z")
    assert "it was trained recently enough for the events" in skip_reason(early)
    assert outcomes(late) == DEPLOYED, "the exports are unchanged"


# The limit of the month


def held_back(trainings):
    """Return the message about a solution that was trained as often as allowed."""
    return (
        f"{solution_arn()}: trainings of this pipeline within 30 days: {trainings}, and "
        f"limits.maxTrainingsPerMonth is {trainings}; wait some days, raise the limit, or use "
        "retrain start --force"
    )


def test_beyond_the_trainings_of_a_month_a_run_only_imports_unless_a_person_forces_it():
    with deploy(LIMITED) as pipeline:
        first = pipeline.run()
        pipeline.bucket.put("interactions.csv", interactions(shift=1))
        second = pipeline.run(scheduledTime=NEXT_SLOT)
        assert len(pipeline.versions()) == 2
        forced = pipeline.run(scheduledTime="2026-12-13T03:00:00Z", force=True)
    assert outcomes(first) == ALL_DONE, "the training by a person does not count"
    assert outcomes(second) == dict.fromkeys(("interactions", "items", "users"), "IMPORTED")
    assert (second.status, report(second)["outcome"]) == ("SUCCEEDED", "SKIPPED")
    assert report(second)["warnings"] == [held_back(1)]
    assert (outcomes(forced), report(forced)["warnings"]) == (ALL_DONE, [])
