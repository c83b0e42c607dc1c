"""A run is skipped or refused if it would cost money for nothing."""

import pytest

from components.args import LimitsArgs
from tests.workflow.pipeline import NEXT_SLOT, deploy
from tests.workflow.summaries import (
    ALL_DONE,
    DEPLOYED,
    outcomes,
    problems_of,
    report,
    skip_reason,
)
from tests.world import (
    MOVIES,
    campaign_arn,
    interactions,
    solution_arn,
)

NOTHING_NEW = (
    "nothing is new: the exports were imported before, and every solution has learned the present "
    "data; to train anyway, use retrain start --force"
)


# Nothing new


def test_a_run_with_the_exports_of_the_last_one_is_skipped():
    with deploy() as pipeline:
        pipeline.run()
        execution = pipeline.run(scheduledTime=NEXT_SLOT)
        assert len(pipeline.requests("CreateDatasetImportJob")) == 3, "from the first run"
        assert len(pipeline.versions()) == 2
    assert skip_reason(execution) == NOTHING_NEW


def test_a_failed_update_is_repeated_by_the_next_run_without_a_training():
    with deploy() as pipeline:
        pipeline.inject_fault("fail", job="campaign-update", reason="Internal service error")
        pipeline.run()
        execution = pipeline.run(scheduledTime=NEXT_SLOT)
        assert len(pipeline.requests("CreateDatasetImportJob")) == 3, "from the first run"
        assert len(pipeline.versions()) == 2, "the version of the first run waited"
        assert pipeline.served_version() == pipeline.versions()[-1]
    assert outcomes(execution) == DEPLOYED


def test_a_campaign_that_a_person_moved_back_is_not_updated():
    with deploy() as pipeline:
        old = pipeline.served_version()
        pipeline.run()
        pipeline.foreign_update(old)
        pipeline.sleep(3600)
        execution = pipeline.run(scheduledTime=NEXT_SLOT)
        assert pipeline.served_version() == old
    assert skip_reason(execution) == NOTHING_NEW


def test_a_file_that_is_written_again_with_the_same_content_is_not_new():
    with deploy() as pipeline:
        pipeline.run()
        pipeline.bucket.put("users.csv", pipeline.bucket.objects["users.csv"])
        assert skip_reason(pipeline.run(scheduledTime=NEXT_SLOT)) == NOTHING_NEW


@pytest.mark.parametrize("file_name", ["1.csv", "2.csv"], ids=["changed", "added"])
def test_one_changed_or_added_file_is_new_data(file_name):
    days = MOVIES.with_datasets("interactions", data_location="s3://exports/days/")
    with deploy(MOVIES.with_datasets("interactions")) as pipeline:
        pipeline.group = days
        pipeline.bucket.put("days/1.csv", interactions(1280))
        pipeline.bucket.put("days/3.csv", b"USER_ID,ITEM_ID,TIMESTAMP\nu1,i1,1790000000")
        pipeline.run()
        pipeline.bucket.put(f"days/{file_name}", interactions(1240))
        execution = pipeline.run(scheduledTime=NEXT_SLOT)
    assert report(execution)["imports"][0]["outcome"] == "IMPORTED"


def test_force_trains_on_unchanged_exports():
    with deploy() as pipeline:
        pipeline.run()
        execution = pipeline.run(scheduledTime=NEXT_SLOT, force=True)
        assert len(pipeline.versions()) == 3
    assert outcomes(execution) == ALL_DONE


def test_a_stack_can_train_on_unchanged_exports():
    with deploy(MOVIES.with_options(skip_when_unchanged=False)) as pipeline:
        pipeline.run()
        execution = pipeline.run(scheduledTime=NEXT_SLOT)
        assert len(pipeline.versions()) == 3
    assert outcomes(execution) == ALL_DONE


def test_an_event_tracker_means_new_data():
    with deploy() as pipeline:
        pipeline.client.create_event_tracker(name="clicks", datasetGroupArn=MOVIES.arn)
        pipeline.sleep(600)
        pipeline.run()
        pipeline.sleep(4 * 24 * 3600)
        execution = pipeline.run(scheduledTime=NEXT_SLOT)
    assert outcomes(execution) == DEPLOYED, "the exports are unchanged"


def test_events_of_less_than_half_the_time_between_two_runs_are_not_new_data():
    with deploy() as pipeline:
        pipeline.client.create_event_tracker(name="clicks", datasetGroupArn=MOVIES.arn)
        pipeline.sleep(600)
        pipeline.run()
        pipeline.sleep(3 * 24 * 3600)
        assert skip_reason(pipeline.run(scheduledTime=NEXT_SLOT)) == NOTHING_NEW


def test_a_deleted_event_tracker_does_not_mean_new_data():
    with deploy() as pipeline:
        tracker = pipeline.client.create_event_tracker(name="clicks", datasetGroupArn=MOVIES.arn)
        pipeline.sleep(600)
        pipeline.run()
        pipeline.client.delete_event_tracker(eventTrackerArn=tracker["eventTrackerArn"])
        pipeline.sleep(3600)
        assert skip_reason(pipeline.run(scheduledTime=NEXT_SLOT)) == NOTHING_NEW


def test_imports_without_a_successful_training_are_new_data():
    with deploy() as pipeline:
        pipeline.inject_fault("fail", job="solution-version", reason="Internal service error")
        pipeline.run()
        execution = pipeline.run(scheduledTime=NEXT_SLOT)
        assert pipeline.served_version() == pipeline.versions()[-1]
    assert outcomes(execution) == DEPLOYED, (
        "the last training failed, so that the data are new to the solution"
    )


def test_a_foreign_import_is_new_data():
    with deploy() as pipeline:
        pipeline.run()
        pipeline.foreign_import("items")
        pipeline.sleep(3600)
        execution = pipeline.run(scheduledTime=NEXT_SLOT)
    assert outcomes(execution) == {"items": "IMPORTED", **DEPLOYED}


# Automatic trainings, and campaigns that sync with the newest version


def turn_on_automatic_training(pipeline):
    """Make the solution train automatically too."""
    pipeline.client.update_solution(solutionArn=solution_arn(), performAutoTraining=True)
    pipeline.sleep(600)


AUTOMATIC = (
    f"{solution_arn()}: also trains automatically; turn that off with 'aws personalize "
    f"update-solution --solution-arn {solution_arn()} --no-perform-auto-training'"
)


def test_automatic_training_is_a_warning():
    with deploy() as pipeline:
        turn_on_automatic_training(pipeline)
        execution = pipeline.run()
    assert outcomes(execution) == ALL_DONE
    assert report(execution)["warnings"] == [AUTOMATIC]


def test_automatic_training_can_be_refused():
    with deploy(MOVIES.with_options(auto_training="refuse")) as pipeline:
        turn_on_automatic_training(pipeline)
        execution = pipeline.run()
        assert pipeline.requests("CreateDatasetImportJob") == []
    assert problems_of(execution) == [AUTOMATIC]


def test_a_campaign_that_syncs_with_the_newest_version_is_refused():
    with deploy() as pipeline:
        pipeline.foreign_update(
            f"{solution_arn()}/$LATEST",
            campaignConfig={"syncWithLatestSolutionVersion": True},
        )
        pipeline.sleep(3600)
        execution = pipeline.run()
        assert pipeline.requests("CreateDatasetImportJob") == []
        (newest,) = pipeline.versions()
    (problem,) = problems_of(execution)
    assert problem == (
        f"{campaign_arn()}: syncWithLatestSolutionVersion deploys versions before a run has judged "
        f"them; turn it off with aws personalize update-campaign --campaign-arn {campaign_arn()} "
        f"--solution-version-arn {newest} "
        """--campaign-config '{"syncWithLatestSolutionVersion": false}'"""
    )


# Limits


LIMITED = MOVIES.with_options(
    limits=LimitsArgs(max_trainings_per_month=1), skip_when_unchanged=False
)


def held_back(trainings):
    """Return the message about a solution that was trained as often as allowed."""
    return (
        f"{solution_arn()}: trainings of this pipeline within 30 days: {trainings}, and "
        f"limits.maxTrainingsPerMonth is {trainings}; wait some days, raise the limit, or use "
        "retrain start --force"
    )


def test_beyond_the_trainings_of_a_month_a_run_only_imports():
    with deploy(LIMITED) as pipeline:
        first = pipeline.run()
        pipeline.bucket.put("interactions.csv", interactions(shift=1))
        second = pipeline.run(scheduledTime=NEXT_SLOT)
        assert len(pipeline.versions()) == 2
    assert outcomes(first) == ALL_DONE, "the training by a person does not count"
    assert outcomes(second) == dict.fromkeys(("interactions", "items", "users"), "IMPORTED")
    assert (second.status, report(second)["status"]) == ("SUCCEEDED", "SKIPPED")
    assert report(second)["warnings"] == [held_back(1)]


def test_a_run_that_may_not_train_and_has_nothing_to_import_is_skipped():
    limits = LimitsArgs(max_trainings_per_month=1)
    with deploy(MOVIES.with_options(limits=limits)) as pipeline:
        pipeline.run()
        pipeline.client.create_event_tracker(name="clicks", datasetGroupArn=MOVIES.arn)
        pipeline.sleep(4 * 24 * 3600)
        execution = pipeline.run(scheduledTime=NEXT_SLOT)
    assert skip_reason(execution) == held_back(1)


def test_a_person_may_force_a_training_beyond_the_limit():
    with deploy(LIMITED) as pipeline:
        pipeline.run()
        execution = pipeline.run(scheduledTime=NEXT_SLOT, force=True)
    assert outcomes(execution) == ALL_DONE
    assert report(execution)["warnings"] == []


def test_failed_trainings_do_not_count():
    with deploy(LIMITED) as pipeline:
        pipeline.inject_fault("fail", job="solution-version", reason="Too few users")
        pipeline.run()
        execution = pipeline.run(scheduledTime=NEXT_SLOT)
    assert outcomes(execution) == ALL_DONE


def test_trainings_older_than_a_month_do_not_count():
    with deploy(LIMITED) as pipeline:
        pipeline.run()
        pipeline.sleep(30 * 24 * 3600)
        execution = pipeline.run(scheduledTime="2027-01-03T03:00:00Z")
    assert outcomes(execution) == ALL_DONE
