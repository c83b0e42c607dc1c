"""What a run has left behind is made up for by the next one, resumed or not, and only that."""

import pytest

from components.args import CampaignArgs, ProbeArgs, SolutionArgs
from emulator.virtual.lambda_runtime import Fails
from functions.personalize.tags import PREVIOUS, VERDICT, recall
from tests.workflow.pipeline import RUN, handler, pipeline
from tests.workflow.reading import campaign_arn, failures, outcomes, report, solution_arn
from tests.world import datasets, exports, settings, solution

NEXT = "2026-11-30T03:00:00Z"
DONE = {"taste": "DEPLOYED", "home": "DEPLOYED"}
ROLLED_BACK = {"taste": "ROLLED_BACK", "home": "ROLLED_BACK"}
TOO_MUCH = settings(
    solutions=[
        SolutionArgs(
            solution_arn=solution_arn(),
            campaigns=[
                CampaignArgs(
                    campaign_arn=campaign_arn(), probe=ProbeArgs(user_id="u1", min_results=400)
                )
            ],
        )
    ]
)
"""With a probe that no version can pass."""


def replaced(made, step, function):
    """Let a step run this from now on."""
    made.machine.functions[step] = function


# The probe


def test_a_run_aborted_while_its_campaign_was_updated_is_probed_when_resumed():
    with pipeline(TOO_MUCH) as made:
        running = made.start(skipImport=True)
        while "latestCampaignUpdate" not in made.campaign():
            made.let_pass(30)
        running.abort()
        made.let_pass(3600)
        new, old = made.served(), made.versions()[0]
        assert new == made.versions()[-1], "the update went on"
        execution = made.run(resume=RUN, skipImport=True)
        assert made.served() == old
    assert outcomes(execution) == ROLLED_BACK


@pytest.mark.parametrize("error", ["RuntimeError", "Runtime.ExitError"])
def test_a_probe_that_could_not_be_asked_fails_its_campaign_and_is_asked_when_resumed(error):
    def dead(_event, _context):
        raise Fails(error, "boom")

    with pipeline(TOO_MUCH, handlers={"probe_campaign": dead}) as made:
        first = made.run(skipImport=True)
        assert made.served() == made.versions()[-1], "nobody knows that it answers badly"
        replaced(made, "probe_campaign", handler("probe_campaign"))
        second = made.run(resume=RUN, skipImport=True)
        assert made.served() == made.versions()[0]
    assert outcomes(first) == {"taste": "FAILED", "home": "FAILED"}
    assert failures(first) == {"home": f"{error}: boom"}
    assert outcomes(second) == ROLLED_BACK


def test_an_update_that_ended_after_its_deadline_is_probed_when_the_run_is_resumed():
    with pipeline(TOO_MUCH) as made:
        made.order("take", job="campaign-update", seconds=4 * 3600)
        first = made.run(skipImport=True)
        made.let_pass(2 * 3600)
        second = made.run(resume=RUN, skipImport=True)
    assert outcomes(first) == {"taste": "FAILED", "home": "FAILED"}
    assert outcomes(second) == ROLLED_BACK


def test_what_was_left_live_by_a_failed_rollback_is_never_gone_back_to():
    def fails(event, context):
        made.order("fail", job="campaign-update", of=campaign_arn())
        return handler("roll_back_campaign")(event, context)

    with pipeline(TOO_MUCH, handlers={"roll_back_campaign": fails}) as made:
        good = made.served()
        first = made.run()
        bad = made.served()
        replaced(made, "roll_back_campaign", handler("roll_back_campaign"))
        made.bucket.put("interactions.csv", exports(shift=1)["interactions.csv"])
        second = made.run(scheduledTime=NEXT)
        assert made.served() == good, "not the version that was to be left the day before"
        assert recall(made.api, campaign_arn())[PREVIOUS] == good
        assert recall(made.api, bad)[VERDICT] == "ROLLED_BACK"
    assert outcomes(first)["home"] == "FAILED"
    assert outcomes(second)["home"] == "ROLLED_BACK"


def test_a_version_that_one_campaign_was_rolled_back_from_goes_live_on_no_other():
    probed = CampaignArgs(
        campaign_arn=campaign_arn(), probe=ProbeArgs(user_id="u1", min_results=400, minutes=1)
    )
    busy = CampaignArgs(campaign_arn=campaign_arn("shop"))
    two = settings(solutions=[SolutionArgs(solution_arn=solution_arn(), campaigns=[probed, busy])])
    with pipeline(two) as made:
        old = made.served()
        running = made.start(skipImport=True)
        while len(made.versions()) == 1 or made.statuses()[-1] != "ACTIVE":
            made.let_pass(10)
        made.order("take", job="campaign-update", of=campaign_arn("shop"), seconds=2 * 3600)
        made.api.update_campaign(campaignArn=campaign_arn("shop"), solutionVersionArn=old)
        execution = running.wait()
        assert (made.served("home"), made.served("shop")) == (old, old)
    assert outcomes(execution) == {
        "taste": "ROLLED_BACK",
        "home": "ROLLED_BACK",
        "shop": "REJECTED",
    }
    assert failures(execution)["shop"] == "a campaign was rolled back from it"


# Campaigns that a person has moved


@pytest.mark.parametrize("request_", [{}, {"skipImport": True}], ids=str)
def test_a_campaign_that_was_moved_back_stays_where_it_is_when_another_one_waits(request_):
    two = settings(solutions=[solution(campaigns=("home", "shop"))])
    with pipeline(two) as made:
        made.order("fail", job="campaign-update", of=campaign_arn("shop"))
        made.run()
        old, new = made.versions()
        made.api.update_campaign(campaignArn=campaign_arn("home"), solutionVersionArn=old)
        made.let_pass(7200)
        execution = made.machine.start(request_).wait()
        assert (made.served("home"), made.served("shop")) == (old, new)
    assert outcomes(execution) == {"taste": "DEPLOYED", "shop": "DEPLOYED"}


# Versions of somebody else's


@pytest.mark.parametrize("request_", [{"resume": RUN}, {"scheduledTime": NEXT}], ids=str)
def test_an_adopted_version_is_deployed_later_rather_than_another_trained(request_):
    def theirs_first(event, context):
        if len(made.versions()) == 1:
            made.api.create_solution_version(solutionArn=solution_arn(), name="by-hand")
        return handler("create_solution_version")(event, context)

    with pipeline(handlers={"create_solution_version": theirs_first}) as made:
        made.order("fail", job="campaign-update")
        first = made.run()
        second = made.run(**request_)
        assert made.served() == made.versions()[-1]
        assert len(made.versions()) == 2, "nothing was trained again"
    assert outcomes(first)["home"] == "FAILED"
    assert {**outcomes(second), **DONE} == outcomes(second)
    assert report(second)["solutions"][0]["adopted"]


# Runs by hand


def test_a_run_by_hand_that_is_resumed_on_another_day_keeps_to_its_day():
    dated = settings(
        datasets=datasets("interactions", data_location="s3://exports/{date}/interactions.csv")
    )
    with pipeline(dated) as made:
        content = made.bucket.objects["interactions.csv"]
        for day in ("29", "30"):
            made.bucket.put(f"2026-11-{day}/interactions.csv", content)
        made.order("fail", job="solution-version")
        first = made.machine.start({}).wait()
        made.let_pass(24 * 3600)
        second = made.machine.start({"resume": report(first)["runId"]}).wait()
    assert outcomes(first)["taste"] == "FAILED"
    assert outcomes(second) == {"interactions": "IMPORTED", **DONE}
