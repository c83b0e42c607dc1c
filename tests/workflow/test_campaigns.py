"""The run updates campaigns, also if an update fails, is slow or foreign, or gets no response."""

from dataclasses import replace

import pytest

from components.args import LimitsArgs
from emulator.personalize import Switches
from functions.personalize.tags import TRIAL, tags_of
from tests.workflow.pipeline import before_step, deploy, killed_after_work
from tests.workflow.summaries import DEPLOYED, failed_calls, failures, outcomes, report
from tests.world import MOVIES, campaign_arn, solution, solution_arn

# Results of an update


def test_a_failed_update_leaves_the_old_version_live():
    with deploy() as pipeline:
        pipeline.inject_fault("fail", job="campaign-update", reason="Internal service error")
        old = pipeline.served_version()
        execution = pipeline.run(skipImport=True)
        assert pipeline.served_version() == old
        assert len(pipeline.requests("UpdateCampaign")) == 1
    assert outcomes(execution) == {"taste": "FAILED", "home": "FAILED"}
    assert failures(execution) == {"home": "Internal service error"}
    assert report(execution)["solutions"][0]["campaigns"][0]["previousVersionArn"] == old


def test_one_failed_campaign_does_not_stop_the_other():
    with deploy(MOVIES.with_solutions(solution(campaigns=["home", "mail"]))) as pipeline:
        pipeline.inject_fault(
            "fail", job="campaign-update", of="home", reason="Internal service error"
        )
        execution = pipeline.run(skipImport=True)
        assert pipeline.served_version("mail") == pipeline.versions()[-1]
    assert execution.status == "FAILED"
    assert outcomes(execution) == {"taste": "FAILED", "home": "FAILED", "mail": "DEPLOYED"}


def test_an_update_that_hangs_fails_at_its_deadline():
    with deploy(MOVIES.with_options(limits=LimitsArgs(max_campaign_hours=1))) as pipeline:
        pipeline.inject_fault("hang", job="campaign-update")
        execution = pipeline.run(skipImport=True)
        new = pipeline.versions()[-1]
        assert tags_of(pipeline.client, campaign_arn())[TRIAL].startswith(f"{new} ")
    assert failures(execution) == {
        "home": f"still CREATE IN_PROGRESS after 1 hours; the campaign may serve {new} later"
    }


def test_an_update_with_an_unknown_status_counts_as_running_with_a_warning():
    with deploy() as pipeline:
        pipeline.inject_fault("unknown-status", job="campaign-update", status="UPDATE QUEUED")
        execution = pipeline.run(skipImport=True)
    assert outcomes(execution) == DEPLOYED
    assert report(execution)["warnings"] == [
        f"{campaign_arn()}: the status 'UPDATE QUEUED' is unknown and counts as running"
    ]


@pytest.mark.parametrize("verb", ["CREATE", "UPDATE"])
@pytest.mark.parametrize("visible_after", [0, 20, 120])
def test_the_run_waits_for_an_update_in_each_form_that_the_service_may_show(verb, visible_after):
    switches = Switches(update_verb=verb, update_visible_after=visible_after)
    with deploy(switches=switches) as pipeline:
        first = pipeline.run(skipImport=True)
        assert pipeline.served_version() == pipeline.versions()[-1]
        second = pipeline.run(skipImport=True, force=True, scheduledTime="2026-12-06T03:00:00Z")
        assert pipeline.served_version() == pipeline.versions()[-1]
        assert len(pipeline.requests("UpdateCampaign")) == 2
    assert outcomes(first) == outcomes(second) == DEPLOYED


def test_the_run_ends_only_when_the_campaign_serves_the_version():
    with deploy() as pipeline:
        started = pipeline.start(skipImport=True)
        pipeline.sleep(5430 + 600)
        assert len(pipeline.requests("UpdateCampaign")) == 1
        assert started.now().status == "RUNNING", "the update takes another five minutes"
        assert started.wait().status == "SUCCEEDED"
        assert pipeline.served_version() == pipeline.versions()[-1]


@pytest.mark.parametrize("keeps", [True, False], ids=["service keeps them", "service resets them"])
def test_an_update_keeps_the_settings_of_the_campaign(keeps):
    config = {"itemExplorationConfig": {"explorationWeight": "0.3"}}
    switches = Switches(update_keeps_settings=keeps)
    with deploy(replace(MOVIES, campaign_config=config), switches=switches) as pipeline:
        execution = pipeline.run(skipImport=True)
        campaign = pipeline.describe_campaign()
    assert outcomes(execution) == DEPLOYED
    assert (campaign["minProvisionedTPS"], campaign["campaignConfig"]) == (2, config)


def test_a_campaign_whose_creation_failed_is_repaired_by_the_update():
    with deploy() as pipeline:
        pipeline.replace_campaign("fail", reason="Internal service error")
        execution = pipeline.run(skipImport=True)
        assert pipeline.describe_campaign()["status"] == "ACTIVE"
        assert pipeline.served_version() == pipeline.versions()[-1]
    assert outcomes(execution) == DEPLOYED


def test_a_campaign_whose_creation_hangs_fails_after_the_limit():
    with deploy(MOVIES.with_options(limits=LimitsArgs(max_campaign_hours=2))) as pipeline:
        pipeline.replace_campaign("hang")
        execution = pipeline.run(skipImport=True)
        assert pipeline.requests("UpdateCampaign") == []
    assert failures(execution) == {
        "home": "gave up after 2 hours: the status of the campaign is CREATE IN_PROGRESS"
    }
    assert failed_calls(execution) == []


def test_a_campaign_that_is_deleted_during_the_run_fails_without_the_others():
    def delete_mail(_event):
        pipeline.client.delete_campaign(campaignArn=campaign_arn("mail"))
        pipeline.sleep(5)

    two = MOVIES.with_solutions(solution(campaigns=["home", "mail"]))
    handlers = before_step("create_solution_version", delete_mail)
    with deploy(two, handlers=handlers) as pipeline:
        execution = pipeline.run(skipImport=True)
    assert outcomes(execution) == {"taste": "FAILED", "home": "DEPLOYED", "mail": "FAILED"}
    assert "ResourceNotFoundException" in failures(execution)["mail"]


def test_a_campaign_that_is_deleted_right_before_the_report_is_not_reported_as_deployed():
    def delete_home(_event):
        pipeline.client.delete_campaign(campaignArn=campaign_arn())

    with deploy(handlers=before_step("report_outcome", delete_home)) as pipeline:
        execution = pipeline.run(skipImport=True)
    assert outcomes(execution) == {"taste": "FAILED", "home": "FAILED"}
    assert failures(execution)["home"] == (
        "the campaign serves nothing now, because it is not ACTIVE any more"
    )


# Foreign updates and versions


def test_the_run_waits_for_a_foreign_update_and_then_updates():
    def update(_event):
        pipeline.foreign_update(pipeline.versions()[0], campaignConfig={})

    with deploy(handlers=before_step("update_campaign", update)) as pipeline:
        execution = pipeline.run(skipImport=True)
        assert pipeline.served_version() == pipeline.versions()[-1]
        assert len(pipeline.requests("UpdateCampaign")) == 1, "after the end of the foreign update"
    assert outcomes(execution) == DEPLOYED
    assert failed_calls(execution) == []


def test_the_run_waits_for_a_foreign_update_that_is_not_visible_yet():
    def update(_event):
        pipeline.foreign_update(pipeline.versions()[0])

    switches = Switches(update_visible_after=50)
    with deploy(switches=switches, handlers=before_step("update_campaign", update)) as pipeline:
        execution = pipeline.run(skipImport=True)
        assert pipeline.served_version() == pipeline.versions()[-1]
        assert len(pipeline.requests("UpdateCampaign")) == 2, (
            "the first request meets ResourceInUse"
        )
    assert outcomes(execution) == DEPLOYED
    assert failed_calls(execution) == []


def test_a_foreign_update_to_the_trained_version_replaces_the_update_of_the_run():
    def update(_event):
        pipeline.foreign_update(pipeline.versions()[-1])

    with deploy(handlers=before_step("update_campaign", update)) as pipeline:
        execution = pipeline.run(skipImport=True)
        assert pipeline.requests("UpdateCampaign") == []
        assert pipeline.served_version() == pipeline.versions()[-1]
    assert outcomes(execution) == DEPLOYED


def test_a_campaign_that_already_serves_the_version_is_not_updated():
    def update(_event):
        pipeline.foreign_update(pipeline.versions()[-1])
        pipeline.sleep(50)

    with deploy(
        durations={"campaign-update": 61}, handlers=before_step("update_campaign", update)
    ) as pipeline:
        execution = pipeline.run(skipImport=True)
        assert pipeline.requests("UpdateCampaign") == []
    assert outcomes(execution) == DEPLOYED


def test_the_run_waits_for_a_foreign_update_that_hangs_until_the_limit():
    with deploy(MOVIES.with_options(limits=LimitsArgs(max_campaign_hours=2))) as pipeline:
        pipeline.inject_fault("hang", job="campaign-update")
        pipeline.foreign_update(pipeline.versions()[0])
        execution = pipeline.run(skipImport=True)
        old = pipeline.versions()[0]
    assert failures(execution) == {
        "home": "gave up, because an update runs for more than 2 hours: the campaign is being "
        f"updated to {old}"
    }


def test_a_campaign_that_serves_a_newer_version_is_skipped():
    with deploy() as pipeline:
        started = pipeline.start(skipImport=True)
        pipeline.sleep(180)
        pipeline.inject_fault("take", job="solution-version", seconds=600)
        newer = pipeline.foreign_training()
        pipeline.sleep(900)
        pipeline.foreign_update(newer)
        execution = started.wait()
        assert pipeline.requests("UpdateCampaign") == []
        assert pipeline.served_version() == newer
        trained = pipeline.versions()[1]
    assert execution.status == "SUCCEEDED"
    assert report(execution)["status"] == "SKIPPED"
    assert failures(execution) == {
        "home": f"the campaign serves {newer}, which is newer than {trained}"
    }


def test_an_update_that_a_person_undoes_before_the_run_has_seen_its_end_stays_undone():
    def undo(_event):
        pipeline.sleep(130)
        assert pipeline.served_version() == pipeline.versions()[-1], "the update has ended"
        pipeline.foreign_update(pipeline.versions()[0])
        pipeline.sleep(130)

    with deploy(
        durations={"campaign-update": 120}, handlers=before_step("watch_campaign_update", undo)
    ) as pipeline:
        execution = pipeline.run(skipImport=True)
        old, new = pipeline.versions()
        assert pipeline.served_version() == old
        assert len(pipeline.requests("UpdateCampaign")) == 1
        assert tags_of(pipeline.client, campaign_arn())[TRIAL] == "ended"
    assert failures(execution) == {
        "home": f"the campaign serves {old}, not {new}: it was not updated, or somebody has "
        "moved it"
    }


@pytest.mark.parametrize("shows_latest", [False, True])
def test_without_a_gate_the_run_waits_for_a_campaign_that_syncs_with_the_newest_version(
    shows_latest,
):
    group = MOVIES.with_solutions(solution(quality_gate_enabled=False))
    with deploy(group, switches=Switches(latest_in_describe=shows_latest)) as pipeline:
        pipeline.foreign_update(
            f"{solution_arn()}/$LATEST",
            campaignConfig={"syncWithLatestSolutionVersion": True},
        )
        pipeline.sleep(3600)
        execution = pipeline.run(skipImport=True)
        assert pipeline.requests("UpdateCampaign") == [], "the service updates the campaign"
        latest = f"{solution_arn()}/$LATEST"
        assert pipeline.served_version() == (latest if shows_latest else pipeline.versions()[-1])
        update = pipeline.describe_campaign()["latestCampaignUpdate"]
        assert update["status"] == "ACTIVE", "the run has waited for it"
    assert outcomes(execution) == DEPLOYED


# Faults


@pytest.mark.parametrize("operation", ["UpdateCampaign", "DescribeCampaign"])
@pytest.mark.parametrize("fault", ["throttle", "server-error"])
def test_an_update_is_retried_after_throttling_and_server_errors(operation, fault):
    with deploy() as pipeline:
        pipeline.inject_fault(fault, operation=operation, times=5)
        execution = pipeline.run(skipImport=True)
        assert pipeline.served_version() == pipeline.versions()[-1]
    assert outcomes(execution) == DEPLOYED
    assert failed_calls(execution) != []


@pytest.mark.parametrize("visible_after", [0, 20, 120])
@pytest.mark.parametrize("status", [None, 500])
def test_an_update_without_a_response_is_not_requested_twice(status, visible_after):
    with deploy(switches=Switches(update_visible_after=visible_after)) as pipeline:
        pipeline.inject_fault("lost-answer", operation="UpdateCampaign", status=status)
        execution = pipeline.run(skipImport=True)
        campaign = pipeline.describe_campaign()
        assert campaign["solutionVersionArn"] == pipeline.versions()[-1]
        pipeline.sleep(3600)
        assert pipeline.describe_campaign() == campaign, "there was no second update"
    assert outcomes(execution) == DEPLOYED


@pytest.mark.parametrize("step", ["update_campaign", "watch_campaign_update"])
def test_a_function_that_is_killed_during_an_update_is_retried(step):
    with deploy(handlers=killed_after_work(step, times=2)) as pipeline:
        execution = pipeline.run(skipImport=True)
        assert len(pipeline.requests("UpdateCampaign")) == 1
        assert pipeline.served_version() == pipeline.versions()[-1]
    assert outcomes(execution) == DEPLOYED
