"""Whole runs deploy versions: they judge, update, probe, and keep a version or go back.

tests/model shows the rules. These runs show that the state machine and its function keep them.
"""

import pytest

from emulator.personalize import Switches
from emulator.virtual.step_functions import LambdaFailure
from functions.report import model
from functions.rules.campaigns import DeploymentRecord
from tests.workflow.pipeline import NEXT_SLOT, before_step, deploy, handler
from tests.workflow.summaries import DEPLOYED, failures, outcomes, report, warnings_of
from tests.world import HOUR, MOVIES, campaign, campaign_arn, interactions, solution

PROBED = MOVIES.with_solutions(solution(campaigns=[campaign("home", user_id="u1")]))
TWO = MOVIES.with_solutions(solution(campaigns=["home", "mail"]))
ROLLED_BACK = {"taste": "ROLLED_BACK", "home": "ROLLED_BACK"}
AGAIN = {"skipImport": True, "scheduledTime": NEXT_SLOT}


# A verdict is told once


def die(_event):
    """Kill a function."""
    raise LambdaFailure("Runtime.ExitError")


def test_a_verdict_is_told_too_if_the_next_run_trains_a_newer_version():
    with deploy(handlers=before_step("report_outcome", die, times=6)) as pipeline:
        pipeline.upload_worse_data()
        pipeline.run()
        rejected = pipeline.versions()[-1]
        pipeline.bucket.put("interactions.csv", interactions(shift=1))
        told = pipeline.run(scheduledTime=NEXT_SLOT)
        later = pipeline.run(scheduledTime=NEXT_SLOT, force=True)

    (warning,) = (text for text in warnings_of(told) if "no report has said yet" in text)
    verdict = f"{rejected} was REJECTED there, which no report has said yet"
    once = "a run reports it once, and there is nothing to do; the reason: NDCG@10 fell from "
    assert warning.startswith(f"{campaign_arn()}: {verdict}; {once}")
    assert not any("no report has said yet" in text for text in warnings_of(later))


# The service is slow, fails, or does not answer


def test_a_campaign_that_cannot_be_read_fails_alone():
    with deploy(
        TWO,
        handlers=before_step(
            "train_solution",
            lambda _: pipeline.client.delete_campaign(campaignArn=campaign_arn("mail")),
        ),
    ) as pipeline:
        execution = pipeline.run(skipImport=True)

    assert outcomes(execution) == {"taste": "FAILED", "home": "DEPLOYED", "mail": "FAILED"}
    assert failures(execution)["mail"] == "the campaign was deleted"


@pytest.mark.parametrize("status, visible_after", [(None, 20), (500, 120)])
def test_an_update_without_a_response_is_not_requested_twice(status, visible_after):
    with deploy(switches=Switches(update_visible_after=visible_after)) as pipeline:
        pipeline.inject_fault("lost-answer", operation="UpdateCampaign", status=status)
        execution = pipeline.run(skipImport=True)
        assert len(pipeline.requests("UpdateCampaign")) == 1

    assert outcomes(execution) == DEPLOYED


@pytest.mark.parametrize("first_killed", [0, 1], ids=["before its first item", "afterwards"])
@pytest.mark.parametrize("error", ["Runtime.OutOfMemory", "Lambda.TooManyRequestsException"])
def test_a_bad_version_is_rolled_back_although_the_function_was_killed_ten_times(
    error, first_killed
):
    """The run still trains another solution, so the watcher starts no other run meanwhile."""

    def dying(event, context):
        number = len(invocations)
        invocations.append(pipeline.clock.now())
        is_killed = first_killed <= number < first_killed + 10
        if number == 0 or not is_killed:
            item = handler("deploy_version")(event, context)
        if is_killed:
            raise LambdaFailure(error)

        return item

    def timings(kind, arn):
        return 60, 20 * HOUR if kind == "solution-version" and "/slow/" in arn else 540

    invocations = []
    group = PROBED.with_solutions(*PROBED.solutions, solution("slow", campaigns=[]))
    with deploy(group, timings=timings, handlers={"deploy_version": dying}) as pipeline:
        pipeline.inject_fault("no-results", job="solution-version")
        execution = pipeline.run(skipImport=True)
        old, bad = pipeline.versions()
        rolled_back_at = pipeline.describe_campaign()["latestCampaignUpdate"]["creationDateTime"]
        assert pipeline.record() == DeploymentRecord(good_version_arn=old, blocked_version_arn=bad)
    assert outcomes(execution) == ROLLED_BACK | {"slow": "TRAINED"}
    delay = rolled_back_at - invocations[first_killed + 10]
    assert delay.total_seconds() < 0.1 * HOUR, "it does so as soon as it lives again"


# Trials of earlier runs


def test_a_run_that_is_refused_has_ended_the_trial_before():
    with deploy(PROBED) as pipeline:
        pipeline.inject_fault("no-results", job="solution-version")
        pipeline.start_until("UpdateCampaign").abort()
        pipeline.sleep(HOUR)
        del pipeline.bucket.objects["interactions.csv"]
        execution = pipeline.run(scheduledTime=NEXT_SLOT)
        old, bad = pipeline.versions()

        assert pipeline.served_version() == old
        assert pipeline.record() == DeploymentRecord(good_version_arn=old, blocked_version_arn=bad)

    assert report(execution)["solutions"] == []
    called = {call.function for call in execution.calls}
    assert called == {"plan_retraining", "deploy_version", "report_outcome"}, "nothing is trained"
    (trial,) = report(execution)["trials"]
    assert (trial["campaignArn"], trial["outcome"]) == (campaign_arn(), "ROLLED_BACK")
    assert report(execution)["outcome"] == "FAILED", "there is no export"


def test_a_run_with_other_work_reports_the_worst_trials_and_counts_the_others(monkeypatch):
    monkeypatch.setattr(model, "MAX_TRIALS_BYTES", 1)
    both = MOVIES.with_solutions(solution(campaigns=[campaign(), campaign("mail", user_id="u1")]))
    with deploy(both) as pipeline:
        pipeline.inject_fault("no-results", job="solution-version")
        pipeline.start_until("UpdateCampaign").abort()
        pipeline.sleep(HOUR)
        execution = pipeline.run(**AGAIN, force=True)

    found = report(execution)
    (trial,) = found["trials"]
    assert (trial["campaignArn"], trial["outcome"]) == (campaign_arn("mail"), "ROLLED_BACK")
    text = "1 more trial of earlier runs ended, and none of them worse"
    assert found["warnings"][0] == {"text": text}
    assert (outcomes(execution)["mail"], found["outcome"]) == ("DEPLOYED", "ROLLED_BACK")
