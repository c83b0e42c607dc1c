"""A later run finishes what a failed or aborted run has left unfinished."""

from contextlib import contextmanager

import pytest

from functions.personalize.tags import GOOD, tags_of
from tests.workflow.answers import bad_answers
from tests.workflow.pipeline import RUN_ID, before_step, deploy
from tests.workflow.summaries import DEPLOYED, failures, outcomes, report
from tests.world import MOVIES, campaign, campaign_arn, interactions, solution

NEXT_SLOT = "2026-11-30T03:00:00Z"
PROBED = MOVIES.with_solutions(solution(campaigns=[campaign("home", user_id="u1")]))


@contextmanager
def deploy_probed(group=PROBED, **options):
    """Deploy a pipeline. Only the first version answers well."""
    with deploy(group, **options) as pipeline, bad_answers(pipeline):
        yield pipeline


# Probes and rollbacks


def test_a_run_that_is_aborted_during_an_update_finishes_the_trial_when_it_is_resumed():
    with deploy_probed() as pipeline:
        started = pipeline.start(skipImport=True)
        while "latestCampaignUpdate" not in pipeline.describe_campaign():
            pipeline.sleep(30)
        started.abort()
        pipeline.sleep(3600)
        old, new = pipeline.versions()
        assert pipeline.served_version() == new, "the update continued"
        execution = pipeline.run(resume=RUN_ID)
        assert pipeline.served_version() == old
        assert len(pipeline.versions()) == 2, "a version that was rolled back is a result"
    assert report(execution)["warnings"][0].startswith(f"trial at {campaign_arn()}: ROLLED_BACK: ")
    assert outcomes(execution) == {"taste": "REJECTED", "home": "REJECTED"}


def test_no_rollback_leads_to_a_version_that_a_failed_rollback_should_have_left():
    def deny_updates(_event):
        pipeline.inject_fault("deny", operation="UpdateCampaign", times=None)

    with deploy_probed(handlers=before_step("roll_back_campaign", deny_updates)) as pipeline:
        good = pipeline.served_version()
        first = pipeline.run()
        bad = pipeline.served_version()
        assert bad != good
        pipeline.personalize.faults.clear()
        pipeline.bucket.put("interactions.csv", interactions(shift=1))
        pipeline.run(scheduledTime=NEXT_SLOT)
        assert pipeline.served_version() == good
        assert tags_of(pipeline.client, campaign_arn())[GOOD] == good
    assert outcomes(first)["home"] == "FAILED"


def test_a_version_with_a_rollback_is_not_deployed_to_another_campaign():
    probed = campaign("home", user_id="u1", minutes=1)
    two = MOVIES.with_solutions(solution(campaigns=[probed, "shop"]))
    with deploy_probed(two) as pipeline:
        old = pipeline.served_version()
        started = pipeline.start(skipImport=True)
        while len(pipeline.versions()) == 1 or pipeline.statuses()[-1] != "ACTIVE":
            pipeline.sleep(10)
        pipeline.inject_fault(
            "take", job="campaign-update", of=campaign_arn("shop"), seconds=2 * 3600
        )
        pipeline.foreign_update(old, "shop")
        execution = started.wait()
        assert pipeline.served_version("home") == pipeline.served_version("shop") == old
        bad = pipeline.versions()[-1]
    assert outcomes(execution) == {
        "taste": "ROLLED_BACK",
        "home": "ROLLED_BACK",
        "shop": "REJECTED",
    }
    assert failures(execution)["shop"] == f"{campaign_arn()} was rolled back from {bad}"


# Campaigns that a person has moved


@pytest.mark.parametrize("request_", [{}, {"skipImport": True}], ids=str)
def test_a_campaign_that_a_person_moved_back_stays_when_its_version_waits_for_another(request_):
    two = MOVIES.with_solutions(solution(campaigns=["home", "shop"]))
    with deploy(two) as pipeline:
        pipeline.inject_fault("fail", job="campaign-update", of=campaign_arn("shop"))
        pipeline.run()
        old, new = pipeline.versions()
        pipeline.foreign_update(old, "home")
        pipeline.sleep(7200)
        execution = pipeline.machine.start(request_).wait()
        assert pipeline.served_version("home") == old
        assert pipeline.served_version("shop") == new
    assert outcomes(execution) == {"taste": "DEPLOYED", "shop": "DEPLOYED"}


# Foreign versions


@pytest.mark.parametrize("request_", [{"resume": RUN_ID}, {"scheduledTime": NEXT_SLOT}], ids=str)
def test_an_adopted_version_is_deployed_by_a_later_run_without_a_training(request_):
    def start_foreign_training(_event):
        pipeline.foreign_training()

    handlers = before_step("create_solution_version", start_foreign_training)
    with deploy(handlers=handlers) as pipeline:
        pipeline.inject_fault("fail", job="campaign-update")
        first = pipeline.run()
        second = pipeline.run(**request_)
        assert pipeline.served_version() == pipeline.versions()[-1]
        assert len(pipeline.versions()) == 2, "the second run trains nothing"
    assert outcomes(first)["home"] == "FAILED"
    assert outcomes(second).items() >= DEPLOYED.items()
    assert report(second)["solutions"][0]["adopted"]


# Manual runs


def test_a_manual_run_that_is_resumed_on_another_day_imports_the_export_of_its_first_day():
    dated = MOVIES.with_datasets(
        "interactions", data_location="s3://exports/{date}/interactions.csv"
    )
    with deploy(dated) as pipeline:
        content = pipeline.bucket.objects["interactions.csv"]
        for day in ("29", "30"):
            pipeline.bucket.put(f"2026-11-{day}/interactions.csv", content)
        pipeline.inject_fault("fail", job="solution-version")
        first = pipeline.machine.start({}).wait()
        pipeline.sleep(24 * 3600)
        second = pipeline.machine.start({"resume": report(first)["runId"]}).wait()
    assert outcomes(first)["taste"] == "FAILED"
    assert outcomes(second) == DEPLOYED, "the export of the first day is imported already"
