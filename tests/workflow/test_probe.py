"""The probe after an update, and the way back."""

from collections import Counter
from dataclasses import replace
from unittest.mock import patch

import pytest
from botocore.exceptions import ClientError

from components.args import LimitsArgs
from functions import aws
from functions.personalize import probe
from functions.personalize.tags import PREVIOUS, VERDICT, recall
from tests.workflow.pipeline import RUN_ID, deploy, handler
from tests.workflow.summaries import failures, outcomes, report
from tests.world import MOVIES, campaign, campaign_arn, solution, solution_arn

DONE = {"taste": "DEPLOYED", "home": "DEPLOYED"}
ROLLED_BACK = {"taste": "ROLLED_BACK", "home": "ROLLED_BACK"}
FEW = "the probe failed: 170 results, fewer than 400"
"""A user of the sample data has met 30 of 200 items."""


def probed(**probe):
    """Return the dataset group with a probe. By default it asks for user u1 and one result."""
    return MOVIES.with_solutions(
        solution(campaigns=[campaign("home", **(probe or {"user_id": "u1"}))])
    )


PROBE_FAILS = probed(user_id="u1", min_results=400)
"""The probe asks for more results than any version can return."""


class Answers:
    """A client of the runtime that fails at some of the questions, counted from 0."""

    def __init__(self, client, bad):
        self.client, self.bad, self.asked = client, bad, 0

    def get_recommendations(self, **request):
        """Answer, or fail."""
        number, self.asked = self.asked, self.asked + 1
        if self.bad(number):
            answer = {"Error": {"Code": "InternalServerError", "Message": "Sorry"}}
            raise ClientError(answer, "GetRecommendations")
        return self.client.get_recommendations(**request)


def run_with_answers(pipeline, bad):
    """Run while the runtime fails at some questions; give the run and how many were asked."""
    answers = Answers(aws.runtime(), bad)
    with patch("functions.probe_campaign.runtime", lambda: answers):
        return pipeline.run(skipImport=True), answers.asked


def phases(execution):
    """Give what each invocation of the probe came to."""
    return [call.outcome["phase"] for call in execution.calls if call.function == "probe_campaign"]


# It passes


def test_a_campaign_that_answers_well_for_all_the_minutes_is_deployed():
    with deploy(probed()) as pipeline:
        execution = pipeline.run(skipImport=True)
        assert pipeline.served_version() == pipeline.versions()[-1]
        questions = [call for call in pipeline.personalize.calls if "Recommend" in call.operation]
    assert outcomes(execution) == DONE
    assert failures(execution) == {}
    assert phases(execution)[-1] == "PASSED"
    assert {call.request["userId"] for call in questions} == {"u1"}
    assert 10 <= len(questions) <= 30, "again and again over ten minutes, and not without pause"


def test_the_probe_asks_only_when_the_update_is_live():
    with deploy(probed()) as pipeline:
        execution = pipeline.run(skipImport=True)
    states = execution.states
    assert states.index("Probe campaign") > states.index("Watch campaign update")
    update = execution.output["solutions"][0]["campaigns"][0]
    assert update["probing"]["startedAt"] >= update["update"]["endedAt"]


def test_a_probe_by_user_and_list_asks_for_a_ranking():
    ranking = {"user_id": "u1", "input_list": ["i1", "i2"], "min_results": 2}
    recipe = "arn:aws:personalize:::recipe/aws-personalized-ranking"
    with deploy(replace(probed(**ranking), recipe=recipe)) as pipeline:
        execution = pipeline.run(skipImport=True)
        asked = {c.operation for c in pipeline.personalize.calls if c.operation.startswith("Get")}
    assert outcomes(execution) == DONE
    assert asked == {"GetPersonalizedRanking", "GetSolutionMetrics"}


def test_a_probe_by_item_asks_for_similar_items():
    recipe = "arn:aws:personalize:::recipe/aws-similar-items"
    with deploy(replace(probed(item_id="i1"), recipe=recipe)) as pipeline:
        execution = pipeline.run(skipImport=True)
    assert outcomes(execution) == DONE


@pytest.mark.parametrize("bad", [{0}, {5}, {3, 4}, {0, 2, 4, 6, 8}], ids=str)
def test_bad_answers_that_do_not_persist_are_forgiven(bad):
    with deploy(probed()) as pipeline:
        execution, _ = run_with_answers(pipeline, bad.__contains__)
    assert outcomes(execution) == DONE


# It does not pass


def test_too_few_results_move_the_campaign_back_and_mark_the_version():
    with deploy(PROBE_FAILS) as pipeline:
        execution = pipeline.run(skipImport=True)
        old, new = pipeline.versions()
        assert pipeline.served_version() == old
        assert pipeline.describe_campaign()["latestCampaignUpdate"]["status"] == "ACTIVE", (
            "it was waited for"
        )
        assert recall(pipeline.client, new)[VERDICT] == "ROLLED_BACK"
        asked = [each["solutionVersionArn"] for each in pipeline.requests("UpdateCampaign")]
    assert asked == [new, old]
    assert outcomes(execution) == ROLLED_BACK
    assert failures(execution) == {"home": FEW}
    campaign = report(execution)["solutions"][0]["campaigns"][0]
    assert campaign["previousVersionArn"] == old
    assert report(execution)["status"] == "ROLLED_BACK"
    assert report(execution)["text"] == (
        f"Retraining run {RUN_ID}: ROLLED_BACK\n"
        f"  {solution_arn()}: ROLLED_BACK\n"
        f"    version {new}\n"
        f"    {campaign_arn()}: ROLLED_BACK: {FEW}"
    )


def test_errors_that_persist_move_the_campaign_back():
    with deploy(probed()) as pipeline:
        execution, asked = run_with_answers(pipeline, lambda number: number >= 2)
        assert pipeline.served_version() == pipeline.versions()[0]
    assert outcomes(execution) == ROLLED_BACK
    assert "InternalServerError" in failures(execution)["home"]
    assert asked == 5, "two good answers and three bad ones in a row; more would tell nothing"


def test_a_version_that_was_rolled_back_from_is_never_deployed_again():
    with deploy(PROBE_FAILS) as pipeline:
        pipeline.run(skipImport=True)
        bad = pipeline.versions()[-1]
        pipeline.machine.start({"skipImport": True}).wait()
        pipeline.run(resume=RUN_ID, skipImport=True)
        targets = Counter(
            each["solutionVersionArn"] for each in pipeline.requests("UpdateCampaign")
        )
        assert targets[bad] == 1, "the first time only"
        assert len(pipeline.versions()) == 4, "each run trains another"


def test_a_version_that_is_not_accepted_is_not_probed():
    with deploy(PROBE_FAILS) as pipeline:
        pipeline.inject_fault("fail", job="campaign-update", reason="No capacity")
        execution = pipeline.run(skipImport=True)
        assert pipeline.served_version() == pipeline.versions()[0]
    assert phases(execution) == []
    assert failures(execution) == {"home": "No capacity"}, "the old version is live all the time"


# The way back


def test_a_campaign_that_somebody_else_has_moved_meanwhile_is_left_alone():
    def moved(event, context):
        if not theirs:
            theirs.append(pipeline.versions()[1])
            pipeline.client.update_campaign(
                campaignArn=campaign_arn(), solutionVersionArn=theirs[0]
            )
        return handler("roll_back_campaign")(event, context)

    theirs = []
    with deploy(PROBE_FAILS, handlers={"roll_back_campaign": moved}) as pipeline:
        pipeline.client.create_solution_version(solutionArn=solution_arn(), name="by-hand")
        pipeline.sleep(3 * 3600)
        execution = pipeline.run(skipImport=True)
        assert pipeline.served_version() == theirs[0]
        assert len(pipeline.requests("UpdateCampaign")) == 1
    assert outcomes(execution) == {"taste": "FAILED", "home": "FAILED"}
    assert failures(execution) == {"home": f"it serves {theirs[0]} by now; {FEW}"}


def test_a_campaign_that_somebody_else_moves_back_needs_no_rollback():
    def moved(event, context):
        if not done:
            done.append(True)
            old = event["update"]["previousVersionArn"]
            pipeline.client.update_campaign(campaignArn=campaign_arn(), solutionVersionArn=old)
        return handler("roll_back_campaign")(event, context)

    done = []
    with deploy(PROBE_FAILS, handlers={"roll_back_campaign": moved}) as pipeline:
        execution = pipeline.run(skipImport=True)
        assert pipeline.served_version() == pipeline.versions()[0]
        assert len(pipeline.requests("UpdateCampaign")) == 1
    assert outcomes(execution) == ROLLED_BACK


def test_a_rollback_that_fails_is_a_failure_that_says_both():
    def fails(event, context):
        pipeline.inject_fault("fail", job="campaign-update", reason="No capacity")
        return handler("roll_back_campaign")(event, context)

    with deploy(PROBE_FAILS, handlers={"roll_back_campaign": fails}) as pipeline:
        execution = pipeline.run(skipImport=True)
        assert pipeline.served_version() == pipeline.versions()[-1], "somebody has to look"
    assert execution.status == "FAILED"
    assert outcomes(execution) == {"taste": "FAILED", "home": "FAILED"}
    assert failures(execution) == {"home": f"No capacity; {FEW}"}


def test_a_rollback_that_hangs_is_given_up_at_its_deadline():
    def hangs(event, context):
        pipeline.inject_fault("hang", job="campaign-update")
        return handler("roll_back_campaign")(event, context)

    limited = PROBE_FAILS.with_options(limits=LimitsArgs(max_campaign_hours=1))
    with deploy(limited, handlers={"roll_back_campaign": hangs}) as pipeline:
        execution = pipeline.run(skipImport=True)
    assert failures(execution) == {"home": f"still CREATE IN_PROGRESS after 1 hours; {FEW}"}


def test_a_rollback_waits_until_the_campaign_is_free():
    def busy(event, context):
        if not done:
            done.append(True)
            new = event["update"]["targetVersionArn"]
            pipeline.client.update_campaign(
                campaignArn=campaign_arn(), solutionVersionArn=new, minProvisionedTPS=3
            )
        return handler("roll_back_campaign")(event, context)

    done = []
    with deploy(PROBE_FAILS, handlers={"roll_back_campaign": busy}) as pipeline:
        execution = pipeline.run(skipImport=True)
        assert pipeline.served_version() == pipeline.versions()[0]
    assert outcomes(execution) == ROLLED_BACK
    assert "Wait to roll back" in execution.states


def test_a_rollback_whose_answer_is_lost_is_not_made_twice():
    def lost(event, context):
        if not done:
            done.append(True)
            pipeline.inject_fault("lost-answer", operation="UpdateCampaign")
        return handler("roll_back_campaign")(event, context)

    done = []
    with deploy(PROBE_FAILS, handlers={"roll_back_campaign": lost}) as pipeline:
        execution = pipeline.run(skipImport=True)
        assert pipeline.served_version() == pipeline.versions()[0]
        assert len(pipeline.requests("UpdateCampaign")) == 2
    assert outcomes(execution) == ROLLED_BACK


# Memory


def test_the_version_before_is_in_the_campaigns_tag_after_each_update():
    with deploy() as pipeline:
        for slot in ("2026-11-29T03:00:00Z", "2026-11-30T03:00:00Z"):
            before = pipeline.served_version()
            pipeline.run(skipImport=True, scheduledTime=slot)
            assert (
                recall(pipeline.client, campaign_arn())[PREVIOUS]
                == before
                != pipeline.served_version()
            )


def test_where_nothing_was_served_before_there_is_no_probe():
    with deploy(PROBE_FAILS) as pipeline:
        pipeline.client.delete_campaign(campaignArn=campaign_arn())
        pipeline.sleep(3600)
        pipeline.inject_fault("fail", job="campaign", reason="Internal service error")
        pipeline.client.create_campaign(
            name="home", solutionVersionArn=pipeline.versions()[0], minProvisionedTPS=2
        )
        pipeline.sleep(3600)
        execution = pipeline.run(skipImport=True)
        assert pipeline.served_version() == pipeline.versions()[-1], "there is no way back"
        assert PREVIOUS not in recall(pipeline.client, campaign_arn())
    assert phases(execution) == []
    assert outcomes(execution) == DONE


def test_a_short_probe_asks_as_often_as_it_takes_to_tell():
    with deploy(probed(user_id="u1", minutes=0.5)) as pipeline:
        execution, asked = run_with_answers(pipeline, lambda _: False)
    assert outcomes(execution) == DONE
    assert asked > probe.LEAST_QUESTIONS
