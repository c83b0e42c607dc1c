"""What keeps a run from paying for nothing, or twice: nothing new, another run, too many."""

from unittest.mock import patch

import pytest

from components.args import LimitsArgs
from tests.emulator.small_machines import machine as definition_of
from tests.emulator.small_machines import wait
from tests.workflow.pipeline import NEXT_SLOT, deploy, handler
from tests.workflow.summaries import ALL_DONE, DEPLOYED, failures, outcomes, report, skip_reason
from tests.world import (
    MOVIES,
    PERSONALIZE,
    DatasetGroup,
    campaign_arn,
    interactions,
    solution,
    solution_arn,
)

GROUP = f"{PERSONALIZE}:dataset-group/movies"
NOTHING_NEW = (
    "nothing is new: the exports are those imported last, no event tracker streams events in, and "
    "every solution was trained since; to train anyway, start with force"
)


# Nothing new


def test_a_run_with_the_exports_of_the_last_one_is_skipped():
    with deploy() as pipeline:
        pipeline.run()
        execution = pipeline.run(scheduledTime=NEXT_SLOT)
        assert len(pipeline.requests("CreateDatasetImportJob")) == 3, "the first run's"
        assert len(pipeline.versions()) == 2
    assert skip_reason(execution) == NOTHING_NEW


def test_the_first_run_of_a_pipeline_imports_whatever_is_there():
    with deploy() as pipeline:
        execution = pipeline.run()
    assert outcomes(execution) == ALL_DONE, "nobody knows what others imported before"


def test_an_update_that_failed_is_made_up_for_by_the_next_run_without_a_training():
    with deploy() as pipeline:
        pipeline.inject_fault("fail", job="campaign-update", reason="Internal service error")
        pipeline.run()
        execution = pipeline.run(scheduledTime=NEXT_SLOT)
        assert len(pipeline.requests("CreateDatasetImportJob")) == 3, "the first run's"
        assert len(pipeline.versions()) == 2, "the first run's waited to be served"
        assert pipeline.served_version() == pipeline.versions()[-1]
    assert outcomes(execution) == DEPLOYED


def test_a_campaign_that_was_moved_back_by_hand_stays_where_it_is():
    with deploy() as pipeline:
        before = pipeline.served_version()
        pipeline.run()
        pipeline.client.update_campaign(campaignArn=campaign_arn(), solutionVersionArn=before)
        pipeline.sleep(3600)
        execution = pipeline.run(scheduledTime=NEXT_SLOT)
        assert pipeline.served_version() == before
    assert skip_reason(execution) == NOTHING_NEW


def test_a_file_that_is_written_anew_with_the_same_content_is_nothing_new():
    with deploy() as pipeline:
        pipeline.run()
        pipeline.bucket.put("users.csv", pipeline.bucket.objects["users.csv"])
        assert skip_reason(pipeline.run(scheduledTime=NEXT_SLOT)) == NOTHING_NEW


@pytest.mark.parametrize("key", ["1.csv", "2.csv"], ids=["changed", "added"])
def test_one_changed_file_is_enough_to_import_and_train(key):
    days = MOVIES.with_datasets("interactions", data_location="s3://exports/days/")
    with deploy(MOVIES.with_datasets("interactions")) as pipeline:
        pipeline.group = days
        pipeline.bucket.put("days/1.csv", interactions(1280))
        pipeline.bucket.put("days/3.csv", b"USER_ID,ITEM_ID,TIMESTAMP\nu1,i1,1790000000")
        pipeline.run()
        pipeline.bucket.put(f"days/{key}", interactions(1240))
        execution = pipeline.run(scheduledTime=NEXT_SLOT)
    assert report(execution)["imports"][0]["outcome"] == "IMPORTED"


def test_force_retrains_on_the_same_exports():
    with deploy() as pipeline:
        pipeline.run()
        execution = pipeline.run(scheduledTime=NEXT_SLOT, force=True)
        assert len(pipeline.versions()) == 3
    assert outcomes(execution) == ALL_DONE


def test_a_stack_may_retrain_on_unchanged_exports():
    with deploy(MOVIES.with_options(skip_when_unchanged=False)) as pipeline:
        pipeline.run()
        execution = pipeline.run(scheduledTime=NEXT_SLOT)
        assert len(pipeline.versions()) == 3
    assert outcomes(execution) == ALL_DONE


def test_a_group_with_an_event_tracker_is_retrained_on_what_streams_in():
    with deploy() as pipeline:
        pipeline.client.create_event_tracker(name="clicks", datasetGroupArn=GROUP)
        pipeline.sleep(600)
        pipeline.run()
        execution = pipeline.run(scheduledTime=NEXT_SLOT)
    assert outcomes(execution) == ALL_DONE


def test_a_deleted_event_tracker_streams_nothing_in():
    with deploy() as pipeline:
        tracker = pipeline.client.create_event_tracker(name="clicks", datasetGroupArn=GROUP)
        pipeline.sleep(600)
        pipeline.run()
        pipeline.client.delete_event_tracker(eventTrackerArn=tracker["eventTrackerArn"])
        pipeline.sleep(3600)
        assert skip_reason(pipeline.run(scheduledTime=NEXT_SLOT)) == NOTHING_NEW


def test_data_that_no_training_has_seen_are_trained_on():
    with deploy() as pipeline:
        pipeline.inject_fault("fail", job="solution-version", reason="Internal service error")
        pipeline.run()
        execution = pipeline.run(scheduledTime=NEXT_SLOT)
        assert pipeline.served_version() == pipeline.versions()[-1]
    assert outcomes(execution) == ALL_DONE, (
        "the last training failed, so that the data are new to it"
    )


def test_an_import_of_somebody_elses_counts_as_new_data():
    with deploy() as pipeline:
        pipeline.run()
        pipeline.client.create_dataset_import_job(
            jobName="by-hand",
            datasetArn=pipeline.args.datasets.items.dataset_arn,
            dataSource={"dataLocation": "s3://exports/items.csv"},
            roleArn=pipeline.args.import_role_arn,
        )
        pipeline.sleep(3600)
        execution = pipeline.run(scheduledTime=NEXT_SLOT)
    assert outcomes(execution) == ALL_DONE


# Another run


def test_a_younger_run_is_skipped_with_the_arn_of_the_older():
    with deploy() as pipeline:
        first = pipeline.start()
        pipeline.sleep(600)
        second = pipeline.run(scheduledTime=NEXT_SLOT)
        execution = first.wait()
        assert len(pipeline.versions()) == 2
    assert skip_reason(second) == f"{first.arn} is under way"
    assert outcomes(execution) == ALL_DONE, "and the older goes on"


def test_of_two_that_start_at_once_exactly_one_goes_on():
    with deploy() as pipeline:
        both = [pipeline.start(), pipeline.start(scheduledTime=NEXT_SLOT)]
        ended = [each.wait() for each in both]
        assert len(pipeline.versions()) == 2
    assert sorted(report(each)["status"] for each in ended) == ["DEPLOYED", "SKIPPED"]


def test_the_slot_that_fires_twice_is_run_once():
    with deploy() as pipeline:
        first = pipeline.start()
        pipeline.sleep(30)
        second = pipeline.run()
        execution = first.wait()
        assert len(pipeline.versions()) == 2
    assert report(second)["status"] == "SKIPPED"
    assert outcomes(execution) == ALL_DONE


def test_a_run_that_has_ended_is_in_nobodys_way():
    with deploy() as pipeline:
        running = pipeline.start()
        pipeline.sleep(600)
        running.abort()
        execution = pipeline.run(scheduledTime=NEXT_SLOT)
    assert outcomes(execution) == ALL_DONE, "whatever became of it: nothing is left locked"


def test_a_run_of_another_pipeline_is_in_nobodys_way():
    with deploy() as pipeline:
        other = pipeline.step_functions.machine(
            definition_of(Wait=wait(9 * 3600)), {}, name="retraining-beefbeef"
        )
        other.start({})
        execution = pipeline.run()
    assert outcomes(execution) == ALL_DONE


def test_the_older_run_is_looked_for_again_before_the_training():
    """The list of executions is eventually consistent: no plan has seen another run."""

    def blind(event, context):
        with patch("functions.executions.older_run", lambda *_: None):
            return handler("plan_retraining")(event, context)

    few = MOVIES.with_datasets("interactions", "items")
    with deploy(few, handlers={"plan_retraining": blind}) as pipeline:
        older = pipeline.start()
        pipeline.sleep(100)
        younger = pipeline.run(scheduledTime=NEXT_SLOT)
        assert len(pipeline.versions()) == 1, "the older has not got to its training yet"
        assert outcomes(older.wait())["home"] == "DEPLOYED"
        assert len(pipeline.versions()) == 2, "and only the older trains"
    assert younger.status == "SUCCEEDED"
    assert report(younger)["status"] == "SKIPPED"
    assert failures(younger) == {"taste": f"{older.arn} is under way"}
    assert outcomes(younger) == {
        "interactions": "IMPORTED",
        "items": "IMPORTED",
        "taste": "SKIPPED",
    }, "what was imported is reported all the same"


# Automatic training and campaigns that follow


def automatic(pipeline):
    """Let the solution train automatically too."""
    pipeline.client.update_solution(solutionArn=solution_arn(), performAutoTraining=True)
    pipeline.sleep(600)


AUTOMATIC = (
    f"{solution_arn()}: also trains automatically; turn that off with 'aws personalize "
    f"update-solution --solution-arn {solution_arn()} --no-perform-auto-training'"
)


def test_a_solution_that_also_trains_automatically_is_warned_of():
    with deploy() as pipeline:
        automatic(pipeline)
        execution = pipeline.run()
    assert outcomes(execution) == ALL_DONE
    assert report(execution)["warnings"] == [AUTOMATIC]


def test_a_solution_that_also_trains_automatically_may_be_refused():
    with deploy(MOVIES.with_options(auto_training="refuse")) as pipeline:
        automatic(pipeline)
        execution = pipeline.run()
        assert pipeline.requests("CreateDatasetImportJob") == []
    assert report(execution)["reason"] == f"RunRefused: 1 problem with this run:\n  {AUTOMATIC}"


def test_a_campaign_that_follows_the_newest_version_past_the_gate_is_refused():
    with deploy() as pipeline:
        pipeline.client.update_campaign(
            campaignArn=campaign_arn(),
            solutionVersionArn=f"{solution_arn()}/$LATEST",
            campaignConfig={"syncWithLatestSolutionVersion": True},
        )
        pipeline.sleep(3600)
        execution = pipeline.run()
        assert pipeline.requests("CreateDatasetImportJob") == []
        assert len(pipeline.versions()) == 1
    assert report(execution)["reason"] == (
        "RunRefused: 1 problem with this run:\n"
        f"  {campaign_arn()}: syncWithLatestSolutionVersion deploys every version past the quality "
        f"gate; turn it off with 'aws personalize update-campaign --campaign-arn {campaign_arn()} "
        "--campaign-config syncWithLatestSolutionVersion=false', or set qualityGateEnabled to false"
    )


# Limits


def limited(most):
    """Give settings with a limit of trainings within 30 days."""
    return MOVIES.with_options(
        limits=LimitsArgs(max_trainings_per_month=most), skip_when_unchanged=False
    )


def test_a_run_beyond_the_months_trainings_is_skipped():
    with deploy(limited(2)) as pipeline:
        first = pipeline.run()
        second = pipeline.run(scheduledTime=NEXT_SLOT)
        assert len(pipeline.requests("CreateDatasetImportJob")) == 3
    assert outcomes(first) == ALL_DONE
    assert report(second)["status"] == "SKIPPED"
    assert skip_reason(second) == (
        f"{solution_arn()}: versions created within 30 days: 2, and "
        "limits.maxTrainingsPerMonth is 2"
    )


def test_after_a_month_the_trainings_do_not_count_any_more():
    with deploy(limited(2)) as pipeline:
        pipeline.run()
        pipeline.sleep(30 * 24 * 3600)
        execution = pipeline.run(scheduledTime="2027-01-03T03:00:00Z")
    assert outcomes(execution) == ALL_DONE


def test_crowded_import_slots_are_warned_of():
    books = DatasetGroup("books").with_datasets("interactions", "items")
    books = books.with_solutions(solution("novels", campaigns=["shelf"]))
    with deploy() as pipeline:
        pipeline.second_pipeline(books, prefix="beefbeef")
        for kind in ("INTERACTIONS", "ITEMS"):
            pipeline.client.create_dataset_import_job(
                jobName=f"theirs-{kind.lower()}",
                datasetArn=f"{PERSONALIZE}:dataset/books/{kind}",
                dataSource={"dataLocation": f"s3://exports/{kind.lower()}.csv"},
                roleArn=pipeline.args.import_role_arn,
            )
        execution = pipeline.run()
    assert outcomes(execution) == ALL_DONE
    assert report(execution)["warnings"] == [
        "5 imports for 5 slots: 2 under way and 3 of this run; some will wait"
    ]


def test_slots_that_are_used_to_four_fifths_are_not_crowded():
    with deploy() as pipeline:
        pipeline.client.create_dataset_import_job(
            jobName="theirs",
            datasetArn=pipeline.args.datasets.users.dataset_arn,
            dataSource={"dataLocation": "s3://exports/users.csv"},
            roleArn=pipeline.args.import_role_arn,
        )
        execution = pipeline.run()
    assert report(execution)["warnings"] == []
