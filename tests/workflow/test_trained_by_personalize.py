"""Whole runs for a solution that Personalize trains: they judge and deploy, and train nothing."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from components.args import BakeArgs
from tests.workflow.pipeline import deploy
from tests.workflow.summaries import (
    failures,
    outcomes,
    problems_of,
    report,
    skip_reason,
    text,
    warnings_of,
)
from tests.world import MOVIES, alarm_arn, campaign, interactions, solution, solution_arn

HOUR = 3600
DAY = 24 * HOUR
SELF_TRAINED = MOVIES.with_datasets("interactions").with_solutions(
    solution(trained_by="personalize", campaigns=[campaign("home", user_id="u1")])
)
STREAMED = SELF_TRAINED.with_datasets().with_options(retraining_rate="1 hour")
"""A group without datasets, whose interactions come as events."""
LEARNED = {"taste": "DEPLOYED", "home": "DEPLOYED"}


def run_at(pipeline, time):
    """Start a run at a time, and wait for its end."""
    pipeline.sleep((time - pipeline.clock.now()).total_seconds())
    return pipeline.run(scheduledTime=time.isoformat())


def next_version(pipeline, days=8):
    """Wait until Personalize has trained another version, and return its ARN."""
    known = pipeline.versions()
    for _ in range(days * 24):
        pipeline.sleep(HOUR)
        newer = [arn for arn in pipeline.versions() if arn not in known]
        if newer and pipeline.statuses()[-1] == "ACTIVE":
            return newer[-1]
    raise AssertionError(f"Personalize has trained nothing in {days} days")


def newest_start(pipeline):
    """Return when the training of the newest version started."""
    version = pipeline.client.describe_solution_version(solutionVersionArn=pipeline.versions()[-1])
    return version["solutionVersion"]["creationDateTime"]


def next_run(pipeline):
    """Start a run now, as the schedule does."""
    return pipeline.run(scheduledTime=pipeline.clock.now().isoformat())


def test_the_next_run_deploys_what_personalize_has_trained():
    with deploy(SELF_TRAINED) as pipeline:
        imported = pipeline.run()
        version = next_version(pipeline)
        deployed = next_run(pipeline)
        served = pipeline.served_version()
        idle = next_run(pipeline)
        messages = [message.subject for message in pipeline.inbox.messages]

        assert pipeline.requests("CreateSolutionVersion") == []

    assert outcomes(imported) == {"interactions": "IMPORTED", **LEARNED}, "it is probed once"
    assert (outcomes(deployed), served) == (LEARNED, version)
    assert "trained by Personalize" in text(deployed)
    assert report(deployed)["trainingHours"] == 0, "this run has trained nothing"
    assert "Personalize trains it, and none of its campaigns waits" in skip_reason(idle)
    assert "force a run that imports the same data" in skip_reason(idle)
    assert [subject.split()[0] for subject in messages] == ["DEPLOYED", "DEPLOYED"]


def test_a_worse_model_is_rejected_and_told_once():
    with deploy(SELF_TRAINED) as pipeline:
        before = pipeline.served_version()
        pipeline.upload_worse_data()
        pipeline.run()
        next_version(pipeline)
        rejected = next_run(pipeline)
        again = next_run(pipeline)

        assert pipeline.served_version() == before

    assert outcomes(rejected) == {"taste": "REJECTED", "home": "REJECTED"}
    assert "NDCG@10 fell from" in failures(rejected)["home"]
    skip_reason(again)


def test_a_version_with_foreign_data_waits_for_one_that_is_trained_on_the_export():
    with deploy(SELF_TRAINED) as pipeline:
        pipeline.run()
        before = pipeline.served_version()
        pipeline.foreign_import("interactions")
        next_version(pipeline)
        rejected = next_run(pipeline)
        assert pipeline.served_version() == before
        assert "a FULL import that this pipeline did not start" in failures(rejected)["home"]
        assert outcomes(rejected)["interactions"] == "IMPORTED", "it replaces the foreign data"

        version = next_version(pipeline)
        assert outcomes(next_run(pipeline)) == LEARNED
        assert pipeline.served_version() == version


def test_a_version_passes_once_a_run_has_confirmed_its_import():
    with deploy(SELF_TRAINED) as pipeline:
        dying = pipeline.start_until("CreateDatasetImportJob")
        dying.abort()
        version = next_version(pipeline)
        deployed = next_run(pipeline)

        assert (outcomes(deployed), pipeline.served_version()) == (LEARNED, version)


def test_an_import_that_runs_when_a_training_starts_is_a_warning():
    with deploy(SELF_TRAINED) as pipeline:
        pipeline.run()
        next_version(pipeline)
        started_at = newest_start(pipeline)
        pipeline.bucket.put("interactions.csv", interactions(shift=1))
        next_run(pipeline)
        pipeline.bucket.put("interactions.csv", interactions(shift=2))
        meeting = run_at(pipeline, started_at + timedelta(days=7, minutes=-5))
        pipeline.sleep(2 * HOUR)
        deployed = next_run(pipeline)

    assert outcomes(meeting) == {"interactions": "IMPORTED"}
    assert outcomes(deployed) == LEARNED
    (warning,) = warnings_of(deployed)
    assert "was running when the training of" in warning
    assert "`aws personalize create-solution-version" in warning


def test_streamed_events_need_no_datasets_and_hourly_runs_stay_quiet():
    with deploy(STREAMED) as pipeline:
        for _ in range(30):
            pipeline.stream_event()
            pipeline.sleep(DAY / 4)
            next_run(pipeline)
        versions = pipeline.versions()
        served = pipeline.served_version()
        idle = skip_reason(next_run(pipeline))
        subjects = [message.subject.split()[0] for message in pipeline.inbox.messages]

    assert "--force" not in idle, "there is nothing to import or to train"
    assert len(versions) == 2, "the first one was trained when the group was created"
    assert (served, subjects) == (versions[-1], ["DEPLOYED", "DEPLOYED"])


def test_without_datasets_deletions_in_the_group_of_the_solutions_count():
    with deploy(STREAMED) as pipeline:
        deletion = pipeline.delete_users("u7")
        execution = next_run(pipeline)
        started_at = report(execution)["startedAt"]

        assert pipeline.clock.now() > datetime.fromisoformat(started_at) + timedelta(minutes=10)

    (warning,) = warnings_of(execution)
    assert f"may have learned the users whom {deletion} deleted" in warning
    assert "`aws personalize create-solution-version" in warning


def test_without_datasets_a_missing_solution_is_named():
    gone = STREAMED.with_solutions(solution("gone", trained_by="personalize", campaigns=[]))
    with deploy(STREAMED) as pipeline:
        execution = replace(pipeline, group=gone, prefix="other000").run()

    (problem,) = problems_of(execution)
    assert "solution/gone" in problem


def test_each_newest_version_is_told_once_whatever_the_rates_are():
    config = {"autoTrainingConfig": {"schedulingExpression": "rate(3 days)"}}
    newest = []
    told = []
    with deploy(STREAMED) as pipeline:
        pipeline.client.update_solution(
            solutionArn=solution_arn(), performAutoTraining=True, solutionUpdateConfig=config
        )
        for number in range(12):
            pipeline.stream_event()
            if number == 4:
                pipeline.inject_fault("no-results", job="solution-version")
            pipeline.sleep(2 * DAY)
            newest.append(pipeline.versions()[-1])
            campaigns = [
                campaign
                for solution in report(next_run(pipeline))["solutions"]
                for campaign in solution["campaigns"]
            ]
            told += [(campaign["versionArn"], campaign["outcome"]) for campaign in campaigns]

    versions = [*dict.fromkeys(newest)]
    assert [version for version, _ in told] == versions
    assert len(versions) > 7
    assert [outcome for _, outcome in told].count("ROLLED_BACK") == 1


@pytest.mark.parametrize("group", [SELF_TRAINED, STREAMED], ids=["datasets", "no datasets"])
def test_a_bad_version_is_rolled_back(group):
    with deploy(group) as pipeline:
        before = pipeline.served_version()
        if group is STREAMED:
            pipeline.stream_event()
        else:
            pipeline.run()
        pipeline.inject_fault("no-results", job="solution-version")
        next_version(pipeline)
        execution = next_run(pipeline)

        assert (outcomes(execution)["home"], pipeline.served_version()) == ("ROLLED_BACK", before)


def test_an_hourly_run_that_meets_a_bake_leaves_it_alone():
    baked = campaign("home", bake=BakeArgs(hours=12, alarms=[alarm_arn("a")]))
    group = STREAMED.with_solutions(solution(trained_by="personalize", campaigns=[baked]))
    with deploy(group) as pipeline:
        pipeline.stream_event()
        next_version(pipeline)
        baking = pipeline.start(scheduledTime=pipeline.clock.now().isoformat())
        pipeline.sleep(2 * HOUR)
        met = next_run(pipeline)
        by_hand = pipeline.run(trigger=None, scheduledTime=None, scheduleArn=None)
        baking.wait()

        assert outcomes(baking) == LEARNED
        assert "an older run, is still running; the next run" in skip_reason(met)
        assert "and this run has waited for" in skip_reason(by_hand), "a person may be waiting"
