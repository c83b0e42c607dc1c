"""The watcher starts a run for what a dead run has left, and stops what is late."""

import pytest

from components.args import LimitsArgs
from functions.personalize.tags import GOOD_VERSION_TAG, read_tags
from tests.workflow.pipeline import deploy
from tests.workflow.summaries import outcomes, report, skip_reason
from tests.world import HOUR, MOVIES, campaign, campaign_arn, solution

QUARTER = HOUR / 4
PROBED = MOVIES.with_solutions(solution(campaigns=[campaign("home", user_id="u1", minutes=1)]))


def watch_for(pipeline, hours):
    """Call the watcher every 15 minutes. Return the number of ringing campaigns at each call."""
    rings = []
    for _ in range(round(hours * 4)):
        pipeline.sleep(QUARTER)
        rings.append(pipeline.watch()["unfinishedTrials"])

    return rings


@pytest.mark.parametrize("group", [MOVIES, PROBED], ids=["without a probe", "with a probe"])
def test_a_trial_that_a_dead_run_has_left_is_ended_within_minutes(group):
    with deploy(group) as pipeline:
        pipeline.start_until("UpdateCampaign").abort()
        assert watch_for(pipeline, 1.5) == [0] * 6
        (run,) = pipeline.executions("trial")
        assert outcomes(run.wait()) == {}
        assert report(run.wait())["trials"][0]["outcome"] == "DEPLOYED"
        new = pipeline.versions()[-1]
        tags = read_tags(pipeline.client, campaign_arn())
        assert pipeline.served_version() == tags[GOOD_VERSION_TAG] == new
        later = pipeline.machine.start({"only": "trials"}).wait()

    assert skip_reason(later) == "no campaign has a version on trial"


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
