"""Campaign updates: ours and other people's, slow, lost and late; and never an older version."""

from dataclasses import replace

import pytest

from components.args import LimitsArgs
from emulator.personalize import Switches
from tests.workflow.pipeline import deploy, handler, killed_after_work
from tests.workflow.summaries import failed_calls, failures, outcomes, report
from tests.world import MOVIES, campaign_arn, solution, solution_arn

DONE = {"taste": "DEPLOYED", "home": "DEPLOYED"}


def update_by_hand(pipeline, version, **changes):
    """Update the campaign as a person would, past the workflow."""
    pipeline.client.update_campaign(
        campaignArn=campaign_arn(), solutionVersionArn=version, minProvisionedTPS=2, **changes
    )


def before(step, act):
    """Give a step's function with something that happens once, just before it works."""
    acts = [act]

    def run(event, context):
        while acts:
            acts.pop()()
        return handler(step)(event, context)

    return run


# What the service makes of an update


def test_a_failed_update_leaves_the_old_version_live():
    with deploy() as pipeline:
        pipeline.inject_fault("fail", job="campaign-update", reason="Internal service error")
        first = pipeline.served_version()
        execution = pipeline.run(skipImport=True)
        assert pipeline.served_version() == first
        assert len(pipeline.requests("UpdateCampaign")) == 1
    assert outcomes(execution) == {"taste": "FAILED", "home": "FAILED"}
    assert failures(execution) == {"home": "Internal service error"}
    assert report(execution)["solutions"][0]["campaigns"][0]["previousVersionArn"] == first


def test_one_failed_campaign_does_not_hold_up_the_other():
    with deploy(MOVIES.with_solutions(solution(campaigns=["home", "mail"]))) as pipeline:
        pipeline.inject_fault(
            "fail", job="campaign-update", of="home", reason="Internal service error"
        )
        execution = pipeline.run(skipImport=True)
        assert pipeline.served_version("mail") == pipeline.versions()[-1]
    assert execution.status == "FAILED"
    assert outcomes(execution) == {"taste": "FAILED", "home": "FAILED", "mail": "DEPLOYED"}


def test_an_update_that_hangs_is_given_up_at_its_deadline():
    with deploy(MOVIES.with_options(limits=LimitsArgs(max_campaign_hours=1))) as pipeline:
        pipeline.inject_fault("hang", job="campaign-update")
        execution = pipeline.run(skipImport=True)
    assert failures(execution) == {"home": "still CREATE IN_PROGRESS after 1 hours"}


def test_an_update_with_an_unknown_status_is_under_way_and_leaves_a_warning():
    with deploy() as pipeline:
        pipeline.inject_fault("unknown-status", job="campaign-update", status="UPDATE QUEUED")
        execution = pipeline.run(skipImport=True)
    assert outcomes(execution) == DONE
    assert report(execution)["warnings"] == [
        f"{campaign_arn()}: the status 'UPDATE QUEUED' is unknown; taken for under way"
    ]


@pytest.mark.parametrize("verb", ["CREATE", "UPDATE"])
@pytest.mark.parametrize("visible_after", [0, 20, 120])
def test_an_update_is_waited_for_however_the_service_shows_it(verb, visible_after):
    switches = Switches(update_verb=verb, update_visible_after=visible_after)
    with deploy(switches=switches) as pipeline:
        first = pipeline.run(skipImport=True)
        assert pipeline.served_version() == pipeline.versions()[-1]
        again = pipeline.run(skipImport=True, scheduledTime="2026-12-06T03:00:00Z")
        assert pipeline.served_version() == pipeline.versions()[-1], (
            "the second run's, not the first one's"
        )
        assert len(pipeline.requests("UpdateCampaign")) == 2
    assert (outcomes(first), outcomes(again)) == (DONE, DONE)


def test_the_run_waits_until_the_campaign_really_serves_the_version():
    with deploy() as pipeline:
        running = pipeline.start(skipImport=True)
        pipeline.sleep(5430 + 600)
        assert len(pipeline.requests("UpdateCampaign")) == 1
        assert running.now().status == "RUNNING", "the update takes another five minutes"
        assert running.wait().status == "SUCCEEDED"
        assert pipeline.served_version() == pipeline.versions()[-1]


@pytest.mark.parametrize("keeps", [True, False], ids=["kept if left out", "reset if left out"])
def test_the_settings_of_a_campaign_survive(keeps):
    config = {"itemExplorationConfig": {"explorationWeight": "0.3"}}
    switches = Switches(update_keeps_settings=keeps)
    with deploy(replace(MOVIES, campaign_config=config), switches=switches) as pipeline:
        execution = pipeline.run(skipImport=True)
        campaign = pipeline.describe_campaign()
    assert outcomes(execution) == DONE
    assert (campaign["minProvisionedTPS"], campaign["campaignConfig"]) == (2, config)


def create_again(pipeline, **order):
    """Replace the campaign by one whose creation goes as ordered."""
    pipeline.client.delete_campaign(campaignArn=campaign_arn())
    pipeline.sleep(3600)
    pipeline.inject_fault(**order, job="campaign")
    pipeline.client.create_campaign(
        name="home", solutionVersionArn=pipeline.versions()[0], minProvisionedTPS=2
    )
    pipeline.sleep(3600)


def test_a_campaign_whose_creation_failed_is_repaired_by_the_update():
    with deploy() as pipeline:
        create_again(pipeline, fault="fail", reason="Internal service error")
        execution = pipeline.run(skipImport=True)
        assert pipeline.describe_campaign()["status"] == "ACTIVE"
        assert pipeline.served_version() == pipeline.versions()[-1]
    assert outcomes(execution) == DONE


def test_a_campaign_that_is_never_created_is_given_up_after_the_limit():
    with deploy(MOVIES.with_options(limits=LimitsArgs(max_campaign_hours=2))) as pipeline:
        create_again(pipeline, fault="hang")
        execution = pipeline.run(skipImport=True)
        assert pipeline.requests("UpdateCampaign") == []
    assert failures(execution) == {"home": "its status is CREATE IN_PROGRESS, for 2 hours now"}
    assert failed_calls(execution) == []


def test_a_campaign_that_is_deleted_during_the_run_fails_alone():
    def delete():
        pipeline.client.delete_campaign(campaignArn=campaign_arn("mail"))
        pipeline.sleep(5)

    two = MOVIES.with_solutions(solution(campaigns=["home", "mail"]))
    handlers = {"create_solution_version": before("create_solution_version", delete)}
    with deploy(two, handlers=handlers) as pipeline:
        execution = pipeline.run(skipImport=True)
    assert outcomes(execution) == {"taste": "FAILED", "home": "DEPLOYED", "mail": "FAILED"}
    assert "ResourceNotFoundException" in failures(execution)["mail"]


# Other people's updates and versions


def test_somebody_elses_update_is_waited_for_and_then_ours_is_made():
    def update():
        update_by_hand(pipeline, pipeline.versions()[0], campaignConfig={})

    handlers = {"update_campaign": before("update_campaign", update)}
    with deploy(handlers=handlers) as pipeline:
        execution = pipeline.run(skipImport=True)
        assert pipeline.served_version() == pipeline.versions()[-1]
        assert len(pipeline.requests("UpdateCampaign")) == 1, "not before the other has ended"
    assert outcomes(execution) == DONE
    assert failed_calls(execution) == []


def test_an_update_that_begins_between_our_look_and_our_call_is_waited_for():
    with deploy(switches=Switches(update_visible_after=50)) as pipeline:
        pipeline.handlers["update_campaign"] = before(
            "update_campaign", lambda: update_by_hand(pipeline, pipeline.versions()[0])
        )
        execution = pipeline.run(skipImport=True)
        assert pipeline.served_version() == pipeline.versions()[-1]
        assert len(pipeline.requests("UpdateCampaign")) == 2, "the first is refused: it is in use"
    assert outcomes(execution) == DONE
    assert failed_calls(execution) == []


def test_somebody_elses_update_to_our_version_is_as_good_as_ours():
    with deploy() as pipeline:
        pipeline.handlers["update_campaign"] = before(
            "update_campaign", lambda: update_by_hand(pipeline, pipeline.versions()[-1])
        )
        execution = pipeline.run(skipImport=True)
        assert pipeline.requests("UpdateCampaign") == []
        assert pipeline.served_version() == pipeline.versions()[-1]
    assert outcomes(execution) == DONE


def test_a_campaign_that_serves_the_version_already_needs_no_update():
    def update():
        update_by_hand(pipeline, pipeline.versions()[-1])
        pipeline.sleep(50)

    with deploy(durations={"campaign-update": 61}) as pipeline:
        pipeline.handlers["update_campaign"] = before("update_campaign", update)
        execution = pipeline.run(skipImport=True)
        assert pipeline.requests("UpdateCampaign") == []
    assert outcomes(execution) == DONE


def test_an_update_that_never_ends_and_is_not_ours_is_given_up_after_the_limit():
    with deploy(MOVIES.with_options(limits=LimitsArgs(max_campaign_hours=2))) as pipeline:
        pipeline.inject_fault("hang", job="campaign-update")
        update_by_hand(pipeline, pipeline.versions()[0])
        execution = pipeline.run(skipImport=True)
        first = pipeline.versions()[0]
    assert failures(execution) == {"home": f"it is being updated to {first}, for 2 hours now"}


def test_a_run_whose_version_is_overtaken_while_it_trains_is_skipped():
    with deploy() as pipeline:
        running = pipeline.start(skipImport=True)
        pipeline.sleep(60)
        pipeline.inject_fault("take", job="solution-version", seconds=600)
        newer = pipeline.client.create_solution_version(solutionArn=solution_arn())[
            "solutionVersionArn"
        ]
        pipeline.sleep(900)
        update_by_hand(pipeline, newer)
        execution = running.wait()
        assert pipeline.requests("UpdateCampaign") == []
        assert pipeline.served_version() == newer
    assert execution.status == "SUCCEEDED"
    assert report(execution)["status"] == "SKIPPED"
    assert failures(execution) == {"home": f"it serves {newer}"}


def test_an_update_that_somebody_takes_back_before_we_have_seen_it_is_made_again():
    def take_back():
        pipeline.clock.sleep(130)
        assert pipeline.served_version() == pipeline.versions()[-1], (
            "ours has ended, and nobody has looked"
        )
        update_by_hand(pipeline, pipeline.versions()[0])
        pipeline.clock.sleep(130)

    with deploy(durations={"campaign-update": 120}) as pipeline:
        pipeline.handlers["watch_campaign_update"] = before("watch_campaign_update", take_back)
        execution = pipeline.run(skipImport=True)
        assert pipeline.served_version() == pipeline.versions()[-1], (
            "what was trained later is served"
        )
        assert len(pipeline.requests("UpdateCampaign")) == 2
    assert outcomes(execution) == DONE


def test_a_campaign_that_follows_the_newest_version_is_waited_for_where_there_is_no_gate():
    with deploy(MOVIES.with_solutions(solution(quality_gate_enabled=False))) as pipeline:
        pipeline.client.update_campaign(
            campaignArn=campaign_arn(),
            solutionVersionArn=f"{solution_arn()}/$LATEST",
            campaignConfig={"syncWithLatestSolutionVersion": True},
        )
        pipeline.sleep(3600)
        execution = pipeline.run(skipImport=True)
        assert pipeline.requests("UpdateCampaign") == [], "it updates itself"
        assert pipeline.served_version() == pipeline.versions()[-1]
    assert outcomes(execution) == DONE


# Trouble on the way


@pytest.mark.parametrize("operation", ["UpdateCampaign", "DescribeCampaign"])
@pytest.mark.parametrize("fault", ["throttle", "server-error"])
def test_throttling_and_server_errors_of_updates_pass(operation, fault):
    with deploy() as pipeline:
        pipeline.inject_fault(fault, operation=operation, times=5)
        execution = pipeline.run(skipImport=True)
        assert pipeline.served_version() == pipeline.versions()[-1]
    assert outcomes(execution) == DONE
    assert failed_calls(execution) != []


@pytest.mark.parametrize("visible_after", [0, 20, 120])
@pytest.mark.parametrize("status", [None, 500])
def test_an_update_that_was_not_answered_is_not_made_twice(status, visible_after):
    with deploy(switches=Switches(update_visible_after=visible_after)) as pipeline:
        pipeline.inject_fault("lost-answer", operation="UpdateCampaign", status=status)
        execution = pipeline.run(skipImport=True)
        campaign = pipeline.describe_campaign()
        assert campaign["solutionVersionArn"] == pipeline.versions()[-1]
        pipeline.sleep(3600)
        assert pipeline.describe_campaign() == campaign, "no second update came after"
    assert outcomes(execution) == DONE


@pytest.mark.parametrize("step", ["update_campaign", "watch_campaign_update"])
def test_a_function_killed_during_an_update_is_called_again(step):
    with deploy(handlers=killed_after_work(step, times=2)) as pipeline:
        execution = pipeline.run(skipImport=True)
        assert len(pipeline.requests("UpdateCampaign")) == 1
        assert pipeline.served_version() == pipeline.versions()[-1]
    assert outcomes(execution) == DONE
