"""The probe of a campaign after its update, and the rollback."""

from dataclasses import replace
from types import SimpleNamespace
from typing import NamedTuple
from unittest.mock import patch

import pytest
from botocore.exceptions import ClientError

from components.args import LimitsArgs
from emulator.virtual.step_functions import Execution
from functions import aws
from functions.personalize import probe
from functions.personalize.tags import PREVIOUS, VERDICT, tags_of
from tests.workflow.pipeline import RUN_ID, before_step, deploy
from tests.workflow.summaries import DEPLOYED, failures, outcomes, report
from tests.world import MOVIES, campaign, campaign_arn, solution, solution_arn

ROLLED_BACK = {"taste": "ROLLED_BACK", "home": "ROLLED_BACK"}
FEW = "the probe failed: 170 results, fewer than minResults 400"
"""User u1 has met 30 of the 200 items, and recommendations leave these out."""


def probed(**probe):
    """Return the dataset group with a probe. By default it asks for user u1 and one result."""
    return MOVIES.with_solutions(
        solution(campaigns=[campaign("home", **(probe or {"user_id": "u1"}))])
    )


PROBE_FAILS = probed(user_id="u1", min_results=400)
"""The probe asks for more results than any version can return."""


class ProbedRun(NamedTuple):
    """A run, and the number of questions that its probe asked."""

    execution: Execution
    questions: int


def run_with_bad_answers(pipeline, bad):
    """Run while the runtime fails at the questions with the numbers `bad`, which begin at 0."""
    questions = 0

    def get_recommendations(**request):
        nonlocal questions
        questions += 1
        if questions - 1 in bad:
            response = {"Error": {"Code": "InternalServerError", "Message": "Sorry"}}
            raise ClientError(response, "GetRecommendations")
        return runtime.get_recommendations(**request)

    runtime = aws.runtime_client()
    client = SimpleNamespace(get_recommendations=get_recommendations)
    with patch("functions.probe_campaign.runtime_client", lambda: client):
        execution = pipeline.run(skipImport=True)
    return ProbedRun(execution, questions)


def phases(execution):
    """Return the phases that the invocations of the probe returned, in order."""
    return [call.outcome["phase"] for call in execution.calls if call.function == "probe_campaign"]


# The probe passes


def test_a_campaign_that_always_answers_well_is_deployed():
    with deploy(probed()) as pipeline:
        execution = pipeline.run(skipImport=True)
        assert pipeline.served_version() == pipeline.versions()[-1]
        questions = [call for call in pipeline.personalize.calls if "Recommend" in call.operation]
    assert outcomes(execution) == DEPLOYED
    assert failures(execution) == {}
    assert phases(execution)[-1] == "PASSED"
    assert {call.request["userId"] for call in questions} == {"u1"}
    assert 10 <= len(questions) <= 30, "about two questions in each of ten minutes"


def test_the_probe_starts_after_the_end_of_the_update():
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
        reads = {
            call.operation
            for call in pipeline.personalize.calls
            if call.operation.startswith("Get")
        }
    assert outcomes(execution) == DEPLOYED
    assert reads == {"GetPersonalizedRanking", "GetSolutionMetrics"}


def test_a_probe_by_item_asks_for_similar_items():
    recipe = "arn:aws:personalize:::recipe/aws-similar-items"
    with deploy(replace(probed(item_id="i1"), recipe=recipe)) as pipeline:
        execution = pipeline.run(skipImport=True)
    assert outcomes(execution) == DEPLOYED


@pytest.mark.parametrize("bad", [{0}, {5}, {3, 4}, {0, 2, 4, 6, 8}], ids=str)
def test_a_few_bad_answers_are_tolerated(bad):
    with deploy(probed()) as pipeline:
        execution, _ = run_with_bad_answers(pipeline, bad)
    assert outcomes(execution) == DEPLOYED


# The probe fails


def test_too_few_results_roll_the_campaign_back_and_mark_the_version():
    with deploy(PROBE_FAILS) as pipeline:
        execution = pipeline.run(skipImport=True)
        old, new = pipeline.versions()
        assert pipeline.served_version() == old
        update = pipeline.describe_campaign()["latestCampaignUpdate"]
        assert update["status"] == "ACTIVE", "the run waited for the rollback"
        assert tags_of(pipeline.client, new)[VERDICT] == "ROLLED_BACK"
        updates = pipeline.requests("UpdateCampaign")
    assert [request["solutionVersionArn"] for request in updates] == [new, old]
    assert outcomes(execution) == ROLLED_BACK
    assert failures(execution) == {"home": FEW}
    campaign_report = report(execution)["solutions"][0]["campaigns"][0]
    assert campaign_report["previousVersionArn"] == old
    assert report(execution)["status"] == "ROLLED_BACK"
    assert report(execution)["text"] == (
        f"Retraining run {RUN_ID}: ROLLED_BACK\n"
        f"  {solution_arn()}: ROLLED_BACK\n"
        f"    version {new}\n"
        f"    {campaign_arn()}: ROLLED_BACK: {FEW}"
    )


def test_persistent_errors_roll_the_campaign_back():
    with deploy(probed()) as pipeline:
        execution, questions = run_with_bad_answers(pipeline, bad=range(2, 100))
        assert pipeline.served_version() == pipeline.versions()[0]
    assert outcomes(execution) == ROLLED_BACK
    assert "InternalServerError" in failures(execution)["home"]
    assert questions == 5, "two good answers, then three bad answers in a row"


def test_a_version_with_a_rollback_is_never_deployed_again():
    with deploy(PROBE_FAILS) as pipeline:
        pipeline.run(skipImport=True)
        bad = pipeline.versions()[-1]
        pipeline.machine.start({"skipImport": True}).wait()
        pipeline.run(resume=RUN_ID, skipImport=True)
        updates = pipeline.requests("UpdateCampaign")
        targets = [request["solutionVersionArn"] for request in updates]
        assert targets.count(bad) == 1, "only the first run deployed this version"
        assert len(pipeline.versions()) == 4, "each run trains another version"


def test_a_failed_update_is_not_probed():
    with deploy(PROBE_FAILS) as pipeline:
        pipeline.inject_fault("fail", job="campaign-update", reason="No capacity")
        execution = pipeline.run(skipImport=True)
        assert pipeline.served_version() == pipeline.versions()[0]
    assert phases(execution) == []
    assert failures(execution) == {"home": "No capacity"}


# Rollback


def test_a_campaign_that_a_foreign_update_has_moved_is_left_alone():
    def move_to_foreign_version(_event):
        pipeline.foreign_update(pipeline.versions()[1])

    with deploy(
        PROBE_FAILS, handlers=before_step("roll_back_campaign", move_to_foreign_version)
    ) as pipeline:
        pipeline.foreign_training()
        pipeline.sleep(3 * 3600)
        execution = pipeline.run(skipImport=True)
        _, foreign_version, bad_version = pipeline.versions()
        assert pipeline.served_version() == foreign_version
        assert len(pipeline.requests("UpdateCampaign")) == 1
    assert outcomes(execution) == {"taste": "FAILED", "home": "FAILED"}
    assert failures(execution) == {
        "home": f"the campaign serves {foreign_version} now, not {bad_version}, so it "
        f"was not rolled back; {FEW}"
    }


def test_a_campaign_that_a_person_moves_back_needs_no_rollback():
    def move_back(event):
        old = event["update"]["previousVersionArn"]
        pipeline.foreign_update(old)

    with deploy(PROBE_FAILS, handlers=before_step("roll_back_campaign", move_back)) as pipeline:
        execution = pipeline.run(skipImport=True)
        assert pipeline.served_version() == pipeline.versions()[0]
        assert len(pipeline.requests("UpdateCampaign")) == 1
    assert outcomes(execution) == ROLLED_BACK


def test_a_rollback_that_fails_reports_both_failures():
    def let_update_fail(_event):
        pipeline.inject_fault("fail", job="campaign-update", reason="No capacity")

    with deploy(
        PROBE_FAILS, handlers=before_step("roll_back_campaign", let_update_fail)
    ) as pipeline:
        execution = pipeline.run(skipImport=True)
        assert pipeline.served_version() == pipeline.versions()[-1]
    assert execution.status == "FAILED", "a person has to look at the campaign"
    assert outcomes(execution) == {"taste": "FAILED", "home": "FAILED"}
    assert failures(execution) == {"home": f"No capacity; {FEW}"}


def test_a_rollback_that_hangs_fails_at_its_deadline():
    def let_update_hang(_event):
        pipeline.inject_fault("hang", job="campaign-update")

    limited = PROBE_FAILS.with_options(limits=LimitsArgs(max_campaign_hours=1))
    with deploy(limited, handlers=before_step("roll_back_campaign", let_update_hang)) as pipeline:
        execution = pipeline.run(skipImport=True)
    assert failures(execution) == {"home": f"still CREATE IN_PROGRESS after 1 hours; {FEW}"}


def test_a_rollback_waits_for_a_running_update():
    def start_foreign_update(event):
        pipeline.foreign_update(
            event["update"]["targetVersionArn"],
            minProvisionedTPS=3,
        )

    with deploy(
        PROBE_FAILS, handlers=before_step("roll_back_campaign", start_foreign_update)
    ) as pipeline:
        execution = pipeline.run(skipImport=True)
        assert pipeline.served_version() == pipeline.versions()[0]
    assert outcomes(execution) == ROLLED_BACK
    assert "Wait to roll back" in execution.states


def test_a_rollback_whose_response_is_lost_is_requested_once():
    def lose_response(_event):
        pipeline.inject_fault("lost-answer", operation="UpdateCampaign")

    with deploy(PROBE_FAILS, handlers=before_step("roll_back_campaign", lose_response)) as pipeline:
        execution = pipeline.run(skipImport=True)
        assert pipeline.served_version() == pipeline.versions()[0]
        assert len(pipeline.requests("UpdateCampaign")) == 2, "the deployment and the rollback"
    assert outcomes(execution) == ROLLED_BACK


# Tags


def test_each_update_writes_the_previous_version_to_the_campaigns_tags():
    with deploy() as pipeline:
        for slot in ("2026-11-29T03:00:00Z", "2026-11-30T03:00:00Z"):
            served_before = pipeline.served_version()
            pipeline.run(skipImport=True, scheduledTime=slot)
            assert tags_of(pipeline.client, campaign_arn())[PREVIOUS] == served_before
            assert pipeline.served_version() != served_before


def test_a_campaign_that_served_nothing_is_not_probed():
    with deploy(PROBE_FAILS) as pipeline:
        pipeline.replace_campaign("fail", reason="Internal service error")
        execution = pipeline.run(skipImport=True)
        assert pipeline.served_version() == pipeline.versions()[-1], "no rollback is possible"
        assert PREVIOUS not in tags_of(pipeline.client, campaign_arn())
    assert phases(execution) == []
    assert outcomes(execution) == DEPLOYED


def test_a_short_probe_still_asks_the_least_number_of_questions():
    with deploy(probed(user_id="u1", minutes=0.5)) as pipeline:
        execution, questions = run_with_bad_answers(pipeline, bad=set())
    assert outcomes(execution) == DEPLOYED
    assert questions > probe.FEWEST_REQUESTS
