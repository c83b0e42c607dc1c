"""The watcher starts what a dead run has left, stops what is late, rings, and measures ages."""

import pytest

from components.args import LimitsArgs
from functions.personalize.tags import CHECKED, GOOD, tags_of
from tests.workflow.pipeline import NEXT_SLOT, deploy, handler
from tests.workflow.summaries import DEPLOYED, outcomes, report, skip_reason
from tests.world import HOUR, MOVIES, campaign, campaign_arn, dataset_arn, solution

QUARTER = HOUR / 4
PROBED = MOVIES.with_solutions(solution(campaigns=[campaign("home", user_id="u1", minutes=1)]))


def ages(pipeline):
    """Call the watcher once, and return what it has measured."""
    return handler("watch_pipeline")({"stateMachineArn": pipeline.machine.arn}, None)


def watch(pipeline):
    """Call the watcher once, and return how many campaigns ring."""
    return ages(pipeline)["unfinishedTrials"]


def watch_for(pipeline, hours):
    """Call the watcher every 15 minutes. Return the number of ringing campaigns at each call."""
    rings = []
    for _ in range(round(hours * 4)):
        pipeline.sleep(QUARTER)
        rings.append(watch(pipeline))
    return rings


def die_on_trial(pipeline):
    """Let a run die just after it has put a version on trial and sent its update."""
    started = pipeline.start()
    while not pipeline.requests("UpdateCampaign"):
        pipeline.sleep(30)
    started.abort()


def trial_runs(pipeline):
    """Return the executions that the watcher has started."""
    return pipeline.executions("trial")


@pytest.mark.parametrize("group", [MOVIES, PROBED], ids=["without a probe", "with a probe"])
def test_a_trial_that_a_dead_run_has_left_is_ended_within_minutes(group):
    with deploy(group) as pipeline:
        die_on_trial(pipeline)
        assert watch_for(pipeline, 1.5) == [0] * 6
        (run,) = trial_runs(pipeline)
        assert outcomes(run.wait()) == {}
        assert report(run.wait())["trials"][0]["outcome"] == "DEPLOYED"
        new = pipeline.versions()[-1]
        assert pipeline.served_version() == tags_of(pipeline.client, campaign_arn())[GOOD] == new
        later = pipeline.machine.start({"only": "trials"}).wait()
    assert skip_reason(later) == "no campaign has a version on trial"


def test_nothing_is_started_while_a_run_works_or_without_a_trial():
    with deploy(PROBED) as pipeline:
        started = pipeline.start()
        while not pipeline.requests("UpdateCampaign"):
            watch_for(pipeline, 0.25)
        watch_for(pipeline, 0.5)
        assert outcomes(started.wait()).items() >= DEPLOYED.items()
        watch_for(pipeline, 2)
        assert trial_runs(pipeline) == []


def test_a_trial_that_no_run_can_read_rings_at_once_and_is_polled_after_growing_pauses():
    with deploy(PROBED) as pipeline:
        die_on_trial(pipeline)
        pipeline.inject_fault("deny", operation="DescribeCampaign", times=None)
        assert watch_for(pipeline, 24) == [1] * 96
        (run,) = trial_runs(pipeline)
        polls = [call for call in run.now().calls if call.function == "deploy_version"]
    assert 15 <= len(polls) <= 40, "with a pause of a minute there would be 1,440"


def test_an_overdue_training_of_a_dead_run_is_stopped_and_a_foreign_one_is_not():
    short = MOVIES.with_options(limits=LimitsArgs(max_training_hours=1))
    with deploy(short) as pipeline:
        pipeline.inject_fault("hang", job="solution-version", times=2)
        started = pipeline.start(skipImport=True)
        while len(pipeline.versions()) == 1:
            pipeline.sleep(60)
        pipeline.foreign_training()
        started.abort()
        watch_for(pipeline, 0.75)
        assert pipeline.statuses()[1:] == ["CREATE IN_PROGRESS"] * 2, "it has time until then"
        watch_for(pipeline, 0.75)
        assert pipeline.statuses()[1:] == ["CREATE STOPPED", "CREATE IN_PROGRESS"]
        assert len(pipeline.requests("StopSolutionVersionCreation")) == 1


def test_what_a_run_finds_up_to_date_is_as_old_as_this_check_except_interactions():
    with deploy() as pipeline:
        assert pipeline.machine.arn, "the pipeline is deployed, so that its age hides no other"
        pipeline.sleep(24 * HOUR)
        pipeline.run()
        pipeline.sleep(24 * HOUR)
        pipeline.run(scheduledTime=NEXT_SLOT)
        measured = ages(pipeline)
        checked = {
            tags_of(pipeline.client, arn).get(CHECKED)
            for arn in (campaign_arn(), *map(dataset_arn, ("interactions", "items", "users")))
        }
    assert len(checked) == 1
    assert measured["models"]["taste"] < 1
    assert measured["data"]["items"] < 1, "a catalogue may stay as it is"
    assert measured["data"]["interactions"] > 24, "people stopped sending them"
