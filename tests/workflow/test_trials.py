"""A later run finishes the trials that an earlier run has left, before it does anything else."""

from contextlib import contextmanager, nullcontext
from dataclasses import replace

import pytest

from components.args import LimitsArgs
from emulator.personalize import Switches
from emulator.virtual.lambda_runtime import Fails
from functions.personalize.tags import GOOD, TRIAL, VERDICT, tags_of
from tests.workflow.answers import bad_answers
from tests.workflow.pipeline import NEXT_SLOT, before_step, deploy, handler
from tests.workflow.summaries import failures, outcomes, report
from tests.world import HOUR, MOVIES, campaign, campaign_arn, solution

PROBED = MOVIES.with_solutions(solution(campaigns=[campaign("home", user_id="u1")]))
LINE = f"trial at {campaign_arn()}: ROLLED_BACK: the probe failed: 0 results"
TWO = MOVIES.with_solutions(
    solution(campaigns=[campaign("home", user_id="u1"), campaign("mail", user_id="u1")])
)


@contextmanager
def left_on_trial(group=PROBED, *, pause=HOUR, **options):
    """Abort a run after its update was sent, and let the update end. Only version 1 is good."""
    with deploy(group, **options) as pipeline, bad_answers(pipeline):
        started = pipeline.start()
        while not pipeline.requests("UpdateCampaign"):
            pipeline.sleep(30)
        started.abort()
        pipeline.sleep(pause)
        assert pipeline.served_version() == pipeline.versions()[-1], "the update went on"
        yield pipeline


def tags(pipeline, name="home"):
    return tags_of(pipeline.client, campaign_arn(name))


def trials(execution):
    """Return the outcome of each trial that an execution has finished, by campaign."""
    return {
        trial["campaignArn"].rpartition("/")[2]: trial["outcome"]
        for trial in report(execution)["trials"]
    }


def check_rolled_back(pipeline):
    old, bad = pipeline.versions()[:2]
    assert pipeline.served_version() == old
    assert tags(pipeline)[TRIAL].startswith("ended ")
    assert tags(pipeline)[VERDICT].startswith(f"{bad} ROLLED_BACK ")


def test_a_run_that_is_refused_has_finished_the_trial_before():
    with left_on_trial() as pipeline:
        del pipeline.bucket.objects["interactions.csv"]
        execution = pipeline.run(scheduledTime=NEXT_SLOT)
        check_rolled_back(pipeline)
    assert "RunRefused" in report(execution)["reason"]
    assert trials(execution) == {"home": "ROLLED_BACK"}
    assert LINE in report(execution)["text"]


def test_a_run_in_which_nothing_is_new_has_finished_the_trial_before():
    with left_on_trial() as pipeline:
        execution = pipeline.run(scheduledTime=NEXT_SLOT)
        check_rolled_back(pipeline)
    assert report(execution)["status"] == "ROLLED_BACK"
    assert report(execution)["warnings"][0].startswith(LINE)


def test_a_month_later_the_trial_is_still_finished():
    with left_on_trial(pause=30 * 24 * HOUR) as pipeline:
        slot = pipeline.clock.now().isoformat()
        execution = pipeline.run(scheduledTime=slot, skipImport=True)
        assert pipeline.served_version() == pipeline.versions()[0]
    assert report(execution)["warnings"][0].startswith(LINE)


def test_a_trial_run_only_finishes_trials():
    with left_on_trial() as pipeline:
        execution = pipeline.machine.start({"trigger": "trial"}).wait()
        check_rolled_back(pipeline)
        assert len(pipeline.versions()) == 2
    assert trials(execution) == {"home": "ROLLED_BACK"}
    assert report(execution)["status"] == "ROLLED_BACK"
    assert report(execution)["imports"] == report(execution)["solutions"] == []


def test_a_trial_run_without_a_trial_is_skipped():
    with deploy(PROBED) as pipeline:
        execution = pipeline.machine.start({"trigger": "trial"}).wait()
        assert pipeline.requests("TagResource") == []
    assert (report(execution)["status"], report(execution)["reason"]) == (
        "SKIPPED",
        "no campaign has a version on trial",
    )


def test_a_dry_run_only_names_the_trial():
    with left_on_trial() as pipeline:
        pipeline.personalize.calls.clear()
        execution = pipeline.run(scheduledTime=NEXT_SLOT, dryRun=True)
        bad = pipeline.versions()[-1]
        assert pipeline.served_version() == bad
        assert pipeline.requests("UpdateCampaign") == pipeline.requests("TagResource") == []
    assert report(execution)["warnings"][0] == (
        f"{campaign_arn()}: {bad} is on trial: no probe has found yet whether it answers well; "
        "watch_pipeline starts a run that finishes the trial"
    )


def test_of_two_campaigns_only_the_one_that_was_moved_is_rolled_back():
    with left_on_trial(TWO, pause=0.1 * HOUR, durations={"campaign-update": 120}) as pipeline:
        pipeline.foreign_update(pipeline.versions()[0], "mail")
        pipeline.sleep(HOUR)
        execution = pipeline.machine.start({"trigger": "trial"}).wait()
        old = pipeline.versions()[0]
        assert pipeline.served_version("home") == pipeline.served_version("mail") == old
        assert tags(pipeline, "mail")[VERDICT] == "none", "a person has moved it"
    assert trials(execution) == {"home": "ROLLED_BACK", "mail": "FAILED"}


def test_a_version_that_answers_well_is_kept():
    with deploy(PROBED) as pipeline:
        started = pipeline.start()
        while not pipeline.requests("UpdateCampaign"):
            pipeline.sleep(30)
        started.abort()
        execution = pipeline.machine.start({"trigger": "trial"}).wait()
        new = pipeline.versions()[-1]
        assert pipeline.served_version() == tags(pipeline)[GOOD] == new
        assert tags(pipeline)[TRIAL] == "ended"
    assert trials(execution) == {"home": "DEPLOYED"}
    assert report(execution)["status"] == "DEPLOYED"


def test_a_campaign_that_served_before_a_probe_was_configured_is_trusted():
    with deploy(PROBED) as pipeline, bad_answers(pipeline, good_versions=()):
        execution = pipeline.machine.start({"trigger": "trial"}).wait()
        assert pipeline.requests("UpdateCampaign") == []
    assert trials(execution) == {}


@pytest.mark.parametrize("value", ["nonsense", "none", "ended soon"])
def test_a_tag_that_a_person_has_written_is_no_trial(value):
    with deploy(PROBED) as pipeline, bad_answers(pipeline, good_versions=()):
        tag = {"tagKey": TRIAL, "tagValue": value}
        pipeline.client.tag_resource(resourceArn=campaign_arn(), tags=[tag])
        execution = pipeline.machine.start({"trigger": "trial"}).wait()
        assert pipeline.requests("UpdateCampaign") == []
    warnings = report(execution)["warnings"]
    expected = [] if value == "none" else [value]
    assert [word for word in expected if any(repr(word) in text for text in warnings)] == expected
    assert len(warnings) == len(expected)


# Executions that finish trials by themselves


def test_an_update_that_goes_live_after_its_deadline_is_probed_by_a_run_of_the_watcher():
    limited = PROBED.with_options(limits=LimitsArgs(max_campaign_hours=2))
    with deploy(limited) as pipeline, bad_answers(pipeline):
        pipeline.inject_fault("take", job="campaign-update", seconds=3 * HOUR)
        first = pipeline.run()
        new = pipeline.versions()[-1]
        assert tags(pipeline)[TRIAL].startswith(f"{new} ")
        pipeline.sleep(2 * HOUR)
        handler("watch_pipeline")({"stateMachineArn": pipeline.machine.arn}, None)
        pipeline.sleep(4 * HOUR)
        check_rolled_back(pipeline)
        (second,) = pipeline.executions("trial")
    assert outcomes(first)["home"] == "FAILED"
    assert trials(second.now()) == {"home": "ROLLED_BACK"}


def test_a_dry_run_starts_no_execution():
    with left_on_trial() as pipeline:
        pipeline.run(scheduledTime=NEXT_SLOT, dryRun=True)
        pipeline.sleep(HOUR)
        assert pipeline.executions("trial") == []


def test_a_probe_at_fault_that_is_repaired_lets_the_version_pass_without_a_training():
    deleted = MOVIES.with_solutions(
        solution(campaigns=[campaign("home", user_id="nobody", min_results=1)])
    )
    with deploy(deleted, switches=Switches(unknown_user="nothing")) as pipeline:
        first = pipeline.run()
        old, new = pipeline.versions()
        assert pipeline.served_version() == old
        repaired = replace(pipeline, group=PROBED, prefix="repaired")
        second = repaired.machine.start({}).wait()
        assert pipeline.served_version() == new
        assert pipeline.versions() == [old, new]
    assert outcomes(first)["home"] == "FAILED"
    assert outcomes(second)["home"] == "DEPLOYED"


@pytest.mark.parametrize("operation", ["TagResource", "ListTagsForResource", "DescribeCampaign"])
def test_a_trial_is_finished_although_requests_are_throttled(operation):
    with left_on_trial() as pipeline:
        pipeline.inject_fault("throttle", operation=operation, times=6)
        execution = pipeline.machine.start({"trigger": "trial"}).wait()
        check_rolled_back(pipeline)
    assert trials(execution) == {"home": "ROLLED_BACK"}


def put_on_trial(pipeline, bad, *names):
    """Deploy a version as a run does that dies before the probe. The version in use is good."""
    for name in names:
        trial = {
            TRIAL: f"{bad} {pipeline.clock.now().isoformat()}",
            GOOD: pipeline.served_version(name),
        }
        pipeline.client.tag_resource(
            resourceArn=campaign_arn(name),
            tags=[{"tagKey": key, "tagValue": value} for key, value in trial.items()],
        )
        pipeline.foreign_update(bad, name)


def test_a_run_does_not_wait_twice_for_an_update_that_hangs():
    with deploy(PROBED) as pipeline:
        old, bad = pipeline.served_version(), pipeline.foreign_training()
        pipeline.sleep(3 * HOUR)
        pipeline.inject_fault("hang", job="campaign-update")
        put_on_trial(pipeline, bad, "home")
        execution = pipeline.run(skipImport=True, force=True)
        assert pipeline.served_version() == old
    calls = [call.function for call in execution.calls]
    assert calls.count("watch_campaign_update") > 1
    assert calls.count("begin_trial") == 1
    assert failures(execution) == {
        "home": "gave up, because an update runs for more than 3 hours: the campaign is being "
        f"updated to {bad}"
    }


def test_a_trial_that_cannot_be_read_fails_the_run_and_moves_nothing():
    with left_on_trial() as pipeline:
        pipeline.inject_fault(
            "deny", operation="ListTagsForResource", of=campaign_arn(), times=None
        )
        execution = pipeline.run(scheduledTime=NEXT_SLOT)
        assert len(pipeline.requests("UpdateCampaign")) == 1
    assert report(execution)["status"] == "FAILED"
    assert "AccessDeniedException" in report(execution)["reason"]


@pytest.mark.parametrize("moves", ["before the trial", "while it is probed"])
def test_a_campaign_that_a_person_moves_ends_its_trial_without_a_verdict(moves):
    def move(_event):
        pipeline.foreign_update(pipeline.versions()[0])

    handlers = before_step("probe_campaign", move) if moves == "while it is probed" else {}
    with left_on_trial(handlers=handlers) as pipeline:
        if moves == "before the trial":
            move(None)
        execution = pipeline.machine.start({"trigger": "trial"}).wait()
        assert pipeline.served_version() == pipeline.versions()[0]
        assert tags(pipeline)[VERDICT] == "none"
        assert tags(pipeline)[TRIAL] == "ended"
    assert trials(execution) == {"home": "FAILED"}


def test_an_update_that_was_never_sent_ends_its_trial():
    def abort(_event):
        raise Fails("Runtime.ExitError")

    with deploy(PROBED, handlers=before_step("update_campaign", abort, times=99)) as pipeline:
        started = pipeline.start()
        while not tags(pipeline).get(TRIAL):
            pipeline.sleep(30)
        started.abort()
        pipeline.sleep(HOUR)
        execution = pipeline.machine.start({"trigger": "trial"}).wait()
        assert pipeline.requests("UpdateCampaign") == []
        assert tags(pipeline)[TRIAL] == "ended"
    assert trials(execution) == {"home": "FAILED"}


@pytest.mark.parametrize("is_bad", [False, True])
def test_an_update_that_cannot_be_watched_is_probed_as_soon_as_it_has_ended(is_bad):
    def denied(_event, _context):
        raise Fails("ClientError")

    with deploy(PROBED, handlers={"watch_campaign_update": denied}) as pipeline:
        good = pipeline.versions() if is_bad else None
        with bad_answers(pipeline, good_versions=good) if is_bad else nullcontext():
            execution = pipeline.run()
            pipeline.sleep(HOUR)  # a rollback is sent, but cannot be watched
        served, new = pipeline.served_version(), pipeline.versions()[-1]
    states = execution.states
    assert states.count("Watch campaign update") < 30, "the states pause before each poll"
    assert report(execution)["status"] == ("FAILED" if is_bad else "DEPLOYED")
    assert (served == new) == (not is_bad)
