"""What a run has left behind is made up for by the next one, resumed or not, and only that."""

import pytest

from emulator.virtual.lambda_runtime import Fails
from functions.personalize.tags import PREVIOUS, VERDICT, recall
from tests.workflow.pipeline import RUN_ID, deploy, handler
from tests.workflow.summaries import failures, outcomes, report
from tests.world import MOVIES, campaign, campaign_arn, interactions, solution, solution_arn

NEXT = "2026-11-30T03:00:00Z"
DONE = {"taste": "DEPLOYED", "home": "DEPLOYED"}
ROLLED_BACK = {"taste": "ROLLED_BACK", "home": "ROLLED_BACK"}
PROBE_FAILS = MOVIES.with_solutions(
    solution(campaigns=[campaign("home", user_id="u1", min_results=400)])
)
"""The probe asks for more results than any version can return."""


def replaced(pipeline, step, function):
    """Let a step run this from now on."""
    pipeline.machine.functions[step] = function


# The probe


def test_a_run_aborted_while_its_campaign_was_updated_is_probed_when_resumed():
    with deploy(PROBE_FAILS) as pipeline:
        running = pipeline.start(skipImport=True)
        while "latestCampaignUpdate" not in pipeline.describe_campaign():
            pipeline.sleep(30)
        running.abort()
        pipeline.sleep(3600)
        new, old = pipeline.served_version(), pipeline.versions()[0]
        assert new == pipeline.versions()[-1], "the update went on"
        execution = pipeline.run(resume=RUN_ID, skipImport=True)
        assert pipeline.served_version() == old
    assert outcomes(execution) == ROLLED_BACK


@pytest.mark.parametrize("error", ["RuntimeError", "Runtime.ExitError"])
def test_a_probe_that_could_not_be_asked_fails_its_campaign_and_is_asked_when_resumed(error):
    def dead(_event, _context):
        raise Fails(error, "boom")

    with deploy(PROBE_FAILS, handlers={"probe_campaign": dead}) as pipeline:
        first = pipeline.run(skipImport=True)
        assert pipeline.served_version() == pipeline.versions()[-1], (
            "nobody knows that it answers badly"
        )
        replaced(pipeline, "probe_campaign", handler("probe_campaign"))
        second = pipeline.run(resume=RUN_ID, skipImport=True)
        assert pipeline.served_version() == pipeline.versions()[0]
    assert outcomes(first) == {"taste": "FAILED", "home": "FAILED"}
    assert failures(first) == {"home": f"{error}: boom"}
    assert outcomes(second) == ROLLED_BACK


def test_an_update_that_ended_after_its_deadline_is_probed_when_the_run_is_resumed():
    with deploy(PROBE_FAILS) as pipeline:
        pipeline.inject_fault("take", job="campaign-update", seconds=4 * 3600)
        first = pipeline.run(skipImport=True)
        pipeline.sleep(2 * 3600)
        second = pipeline.run(resume=RUN_ID, skipImport=True)
    assert outcomes(first) == {"taste": "FAILED", "home": "FAILED"}
    assert outcomes(second) == ROLLED_BACK


def test_what_was_left_live_by_a_failed_rollback_is_never_gone_back_to():
    def fails(event, context):
        pipeline.inject_fault("fail", job="campaign-update", of=campaign_arn())
        return handler("roll_back_campaign")(event, context)

    with deploy(PROBE_FAILS, handlers={"roll_back_campaign": fails}) as pipeline:
        good = pipeline.served_version()
        first = pipeline.run()
        bad = pipeline.served_version()
        replaced(pipeline, "roll_back_campaign", handler("roll_back_campaign"))
        pipeline.bucket.put("interactions.csv", interactions(shift=1))
        second = pipeline.run(scheduledTime=NEXT)
        assert pipeline.served_version() == good, (
            "not the version that was to be left the day before"
        )
        assert recall(pipeline.client, campaign_arn())[PREVIOUS] == good
        assert recall(pipeline.client, bad)[VERDICT] == "ROLLED_BACK"
    assert outcomes(first)["home"] == "FAILED"
    assert outcomes(second)["home"] == "ROLLED_BACK"


def test_a_version_that_one_campaign_was_rolled_back_from_goes_live_on_no_other():
    probed = campaign("home", user_id="u1", min_results=400, minutes=1)
    two = MOVIES.with_solutions(solution(campaigns=[probed, "shop"]))
    with deploy(two) as pipeline:
        old = pipeline.served_version()
        running = pipeline.start(skipImport=True)
        while len(pipeline.versions()) == 1 or pipeline.statuses()[-1] != "ACTIVE":
            pipeline.sleep(10)
        pipeline.inject_fault(
            "take", job="campaign-update", of=campaign_arn("shop"), seconds=2 * 3600
        )
        pipeline.client.update_campaign(campaignArn=campaign_arn("shop"), solutionVersionArn=old)
        execution = running.wait()
        assert (pipeline.served_version("home"), pipeline.served_version("shop")) == (old, old)
    assert outcomes(execution) == {
        "taste": "ROLLED_BACK",
        "home": "ROLLED_BACK",
        "shop": "REJECTED",
    }
    assert failures(execution)["shop"] == "a campaign was rolled back from it"


# Campaigns that a person has moved


@pytest.mark.parametrize("request_", [{}, {"skipImport": True}], ids=str)
def test_a_campaign_that_was_moved_back_stays_where_it_is_when_another_one_waits(request_):
    two = MOVIES.with_solutions(solution(campaigns=["home", "shop"]))
    with deploy(two) as pipeline:
        pipeline.inject_fault("fail", job="campaign-update", of=campaign_arn("shop"))
        pipeline.run()
        old, new = pipeline.versions()
        pipeline.client.update_campaign(campaignArn=campaign_arn("home"), solutionVersionArn=old)
        pipeline.sleep(7200)
        execution = pipeline.machine.start(request_).wait()
        assert (pipeline.served_version("home"), pipeline.served_version("shop")) == (old, new)
    assert outcomes(execution) == {"taste": "DEPLOYED", "shop": "DEPLOYED"}


# Versions of somebody else's


@pytest.mark.parametrize("request_", [{"resume": RUN_ID}, {"scheduledTime": NEXT}], ids=str)
def test_an_adopted_version_is_deployed_later_rather_than_another_trained(request_):
    def theirs_first(event, context):
        if len(pipeline.versions()) == 1:
            pipeline.client.create_solution_version(solutionArn=solution_arn(), name="by-hand")
        return handler("create_solution_version")(event, context)

    with deploy(handlers={"create_solution_version": theirs_first}) as pipeline:
        pipeline.inject_fault("fail", job="campaign-update")
        first = pipeline.run()
        second = pipeline.run(**request_)
        assert pipeline.served_version() == pipeline.versions()[-1]
        assert len(pipeline.versions()) == 2, "nothing was trained again"
    assert outcomes(first)["home"] == "FAILED"
    assert {**outcomes(second), **DONE} == outcomes(second)
    assert report(second)["solutions"][0]["adopted"]


# Runs by hand


def test_a_run_by_hand_that_is_resumed_on_another_day_keeps_to_its_day():
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
    assert outcomes(second) == {"interactions": "IMPORTED", **DONE}
