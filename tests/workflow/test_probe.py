"""The probe of a campaign after its update, and the rollback."""

from contextlib import ExitStack, contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import NamedTuple
from unittest.mock import patch

import pytest
from botocore.exceptions import ClientError

from components.args import LimitsArgs
from emulator.virtual.lambda_runtime import Fails
from emulator.virtual.step_functions import Execution
from functions import aws
from functions.personalize import probe
from functions.personalize.tags import GOOD, PREVIOUS, TRIAL, VERDICT, tags_of
from tests.workflow.answers import bad_answers, no_results, server_error, without_list
from tests.workflow.pipeline import (
    NEXT_SLOT,
    RUN_ID,
    before_step,
    deploy,
    handler,
    killed_after_work,
)
from tests.workflow.summaries import (
    DEPLOYED,
    failures,
    metric_line,
    outcomes,
    report,
    warning_about_old_version,
)
from tests.world import MOVIES, campaign, campaign_arn, solution, solution_arn

ROLLED_BACK = {"taste": "ROLLED_BACK", "home": "ROLLED_BACK"}
NONE = "the probe failed: 0 results, fewer than minResults 1"
FEW = "170 results, fewer than minResults 400"
"""User u1 has met 30 of the 200 items, and recommendations leave these out."""


def probed(**probe):
    """Return the dataset group with a probe. By default it asks for user u1 and one result."""
    return MOVIES.with_solutions(
        solution(campaigns=[campaign("home", **(probe or {"user_id": "u1"}))])
    )


PROBED = probed()
PROBE_AT_FAULT = probed(user_id="u1", min_results=400)
"""The probe asks for more results than any version can return."""


@contextmanager
def deploy_probed(group=PROBED, answer=no_results, **options):
    """Deploy a pipeline. Only the first version answers well."""
    with deploy(group, **options) as pipeline, bad_answers(pipeline, answer=answer):
        yield pipeline


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
    with deploy_probed() as pipeline:
        execution = pipeline.run(skipImport=True)
        old, new = pipeline.versions()
        assert pipeline.served_version() == old
        update = pipeline.describe_campaign()["latestCampaignUpdate"]
        assert update["status"] == "ACTIVE", "the run waited for the rollback"
        tags = tags_of(pipeline.client, campaign_arn())
        assert tags[VERDICT].startswith(f"{new} ROLLED_BACK ")
        updates = pipeline.requests("UpdateCampaign")
    assert [request["solutionVersionArn"] for request in updates] == [new, old]
    assert outcomes(execution) == ROLLED_BACK
    assert failures(execution) == {"home": NONE}
    campaign_report = report(execution)["solutions"][0]["campaigns"][0]
    assert campaign_report["previousVersionArn"] == old
    assert report(execution)["status"] == "ROLLED_BACK"
    assert report(execution)["text"] == (
        f"Retraining run {RUN_ID}: ROLLED_BACK\n"
        f"  {solution_arn()}: ROLLED_BACK\n"
        f"    version {new}\n"
        f"    {campaign_arn()}: ROLLED_BACK: {NONE}\n"
        f"{metric_line(execution)}\n" + warning_about_old_version(solution_arn())
    )


def test_errors_for_five_minutes_roll_the_campaign_back():
    with deploy(PROBED) as pipeline:
        execution, _ = run_with_bad_answers(pipeline, bad=range(2, 14))
        assert pipeline.served_version() == pipeline.versions()[0]
    assert outcomes(execution) == ROLLED_BACK
    assert "InternalServerError" in failures(execution)["home"]


def test_errors_for_four_minutes_are_tolerated():
    with deploy(PROBED) as pipeline:
        execution, _ = run_with_bad_answers(pipeline, bad=range(2, 10))
    assert outcomes(execution) == DEPLOYED


def test_a_version_with_a_rollback_is_never_deployed_again():
    with deploy_probed() as pipeline:
        pipeline.run(skipImport=True)
        bad = pipeline.versions()[-1]
        pipeline.run(skipImport=True)
        pipeline.machine.start({"skipImport": True, "force": True}).wait()
        updates = pipeline.requests("UpdateCampaign")
        targets = [request["solutionVersionArn"] for request in updates]
        assert targets.count(bad) == 1, "only the first run deployed this version"
        assert len(pipeline.versions()) == 3, "the third run trains another version"


def test_a_failed_update_is_not_probed():
    with deploy_probed() as pipeline:
        pipeline.inject_fault("fail", job="campaign-update", reason="No capacity")
        old = pipeline.served_version()
        execution = pipeline.run(skipImport=True)
        assert pipeline.served_version() == old
        questions = [call for call in pipeline.personalize.calls if "Recommend" in call.operation]
    assert questions == []
    assert failures(execution) == {"home": "No capacity"}


# Rollback


def test_a_campaign_that_a_foreign_update_has_moved_is_left_alone():
    def move_to_foreign_version(_event):
        pipeline.foreign_update(pipeline.versions()[1])

    with deploy_probed(
        handlers=before_step("roll_back_campaign", move_to_foreign_version)
    ) as pipeline:
        pipeline.foreign_training()
        pipeline.sleep(3 * 3600)
        execution = pipeline.run(skipImport=True)
        _, foreign_version, bad_version = pipeline.versions()
        assert pipeline.served_version() == foreign_version
        assert len(pipeline.requests("UpdateCampaign")) == 1
    assert outcomes(execution) == {"taste": "FAILED", "home": "FAILED"}
    assert failures(execution) == {
        "home": f"{NONE}; the campaign serves {foreign_version} now, not {bad_version}, so it "
        "was not rolled back"
    }


def test_a_campaign_that_a_person_moves_back_needs_no_rollback():
    def move_back(event):
        old = event["update"]["previousVersionArn"]
        pipeline.foreign_update(old)

    with deploy_probed(handlers=before_step("roll_back_campaign", move_back)) as pipeline:
        execution = pipeline.run(skipImport=True)
        assert pipeline.served_version() == pipeline.versions()[0]
        assert len(pipeline.requests("UpdateCampaign")) == 1
    assert outcomes(execution) == ROLLED_BACK


def test_a_rollback_that_fails_is_tried_again():
    def let_update_fail(_event):
        pipeline.inject_fault("fail", job="campaign-update", reason="No capacity")

    with deploy_probed(handlers=before_step("roll_back_campaign", let_update_fail)) as pipeline:
        execution = pipeline.run(skipImport=True)
        assert pipeline.served_version() == pipeline.versions()[0]
        assert len(pipeline.requests("UpdateCampaign")) == 3
    assert outcomes(execution) == ROLLED_BACK


def test_a_rollback_that_hangs_fails_at_its_deadline_and_may_still_serve_the_bad_version():
    def let_update_hang(_event):
        pipeline.inject_fault("hang", job="campaign-update")

    limited = PROBED.with_options(limits=LimitsArgs(max_campaign_hours=1))
    handlers = before_step("roll_back_campaign", let_update_hang)
    with deploy_probed(limited, handlers=handlers) as pipeline:
        execution = pipeline.run(skipImport=True)
        bad = pipeline.versions()[-1]
        assert pipeline.served_version() == bad
        trial = tags_of(pipeline.client, campaign_arn())[TRIAL]
        assert trial.startswith(f"{bad} "), "the next run finishes the trial"
    assert outcomes(execution) == {"taste": "FAILED", "home": "FAILED"}
    assert failures(execution) == {
        "home": f"{NONE}; still CREATE IN_PROGRESS after 1 hours; the campaign may still serve the "
        "version that answers badly"
    }


def test_a_rollback_that_is_refused_until_its_deadline_says_that_the_bad_version_may_still_serve():
    def deny_updates(_event):
        pipeline.inject_fault("deny", operation="UpdateCampaign", times=None)

    limited = PROBED.with_options(limits=LimitsArgs(max_campaign_hours=1))
    handlers = before_step("roll_back_campaign", deny_updates)
    with deploy_probed(limited, handlers=handlers) as pipeline:
        execution = pipeline.run(skipImport=True)
        bad = pipeline.versions()[-1]
        assert pipeline.served_version() == bad
    assert outcomes(execution) == {"taste": "FAILED", "home": "FAILED"}
    assert failures(execution)["home"].startswith(f"{NONE}; gave up after 1 hours: ")
    assert failures(execution)["home"].endswith(f"; the campaign may still serve {bad}")


def test_a_rollback_waits_for_a_running_update():
    def start_foreign_update(event):
        pipeline.foreign_update(
            event["update"]["targetVersionArn"],
            minProvisionedTPS=3,
        )

    with deploy_probed(
        handlers=before_step("roll_back_campaign", start_foreign_update)
    ) as pipeline:
        execution = pipeline.run(skipImport=True)
        assert pipeline.served_version() == pipeline.versions()[0]
    assert outcomes(execution) == ROLLED_BACK
    assert "Wait to roll back" in execution.states


def test_a_rollback_whose_response_is_lost_is_requested_once():
    def lose_response(_event):
        pipeline.inject_fault("lost-answer", operation="UpdateCampaign")

    with deploy_probed(handlers=before_step("roll_back_campaign", lose_response)) as pipeline:
        execution = pipeline.run(skipImport=True)
        assert pipeline.served_version() == pipeline.versions()[0]
        assert len(pipeline.requests("UpdateCampaign")) == 2, "the deployment and the rollback"
    assert outcomes(execution) == ROLLED_BACK


# Tags


def test_a_version_that_passes_becomes_the_good_version_of_the_campaign():
    with deploy(PROBED) as pipeline:
        served_before = pipeline.served_version()
        pipeline.run(skipImport=True)
        tags = tags_of(pipeline.client, campaign_arn())
        assert tags == {
            TRIAL: "ended",
            GOOD: pipeline.served_version(),
            PREVIOUS: served_before,
            VERDICT: "none",
        }


def test_a_campaign_that_served_nothing_cannot_be_rolled_back_and_its_version_gets_a_verdict():
    with deploy_probed() as pipeline:
        pipeline.replace_campaign("fail", reason="Internal service error")
        execution = pipeline.run(skipImport=True)
        bad = pipeline.versions()[-1]
        assert pipeline.served_version() == bad, "no rollback is possible"
        tags = tags_of(pipeline.client, campaign_arn())
        assert tags[VERDICT].startswith(f"{bad} ROLLED_BACK ")
        assert tags[TRIAL] == "ended"
    assert outcomes(execution) == {"taste": "FAILED", "home": "FAILED"}
    assert failures(execution) == {
        "home": f"{NONE}; no good version is known, so the campaign still serves {bad}"
    }


def test_a_short_probe_still_asks_the_least_number_of_questions():
    with deploy(probed(user_id="u1", minutes=0.5)) as pipeline:
        execution, questions = run_with_bad_answers(pipeline, bad=set())
    assert outcomes(execution) == DEPLOYED
    assert questions > probe.FEWEST_REQUESTS


# The probe is at fault


def test_a_probe_that_no_version_answers_is_at_fault_and_condemns_no_version():
    with deploy(PROBE_AT_FAULT) as pipeline:
        execution = pipeline.run(skipImport=True)
        old, new = pipeline.versions()
        assert pipeline.served_version() == old
        assert tags_of(pipeline.client, campaign_arn())[VERDICT] == "none"
    assert outcomes(execution) == {"taste": "FAILED", "home": "FAILED"}
    assert failures(execution) == {
        "home": f"the probe failed: {FEW}; the probe is at fault, because the previous version "
        f"answers as badly: {FEW}; correct the probe; {new} gets no verdict, and the next run "
        "deploys it again"
    }


def test_the_next_run_tries_the_same_version_again_without_a_training():
    with deploy(PROBE_AT_FAULT) as pipeline:
        pipeline.run(skipImport=True)
        new = pipeline.versions()[-1]
        execution = pipeline.run(scheduledTime=NEXT_SLOT, skipImport=True)
        assert pipeline.versions()[-1] == new
        assert [request["solutionVersionArn"] for request in pipeline.requests("UpdateCampaign")][
            2
        ] == new
    assert outcomes(execution) == {"taste": "FAILED", "home": "FAILED"}


# What a person or a failure does in between


@pytest.mark.parametrize("answer", [no_results, without_list, server_error])
def test_every_kind_of_bad_answer_rolls_the_campaign_back(answer):
    with deploy_probed(answer=answer) as pipeline:
        execution = pipeline.run(skipImport=True)
        assert pipeline.served_version() == pipeline.versions()[0]
    assert outcomes(execution) == ROLLED_BACK


@pytest.mark.parametrize("error", ["Sandbox.Timedout", "Runtime.OutOfMemory", "ValueError"])
def test_a_probe_function_that_fails_rolls_the_campaign_back(error):
    fails = [error]

    def fail(event, _context):
        if event["rollback"] or not fails:
            return handler("probe_campaign")(event, _context)
        raise Fails(error)

    with deploy(PROBED, handlers={"probe_campaign": fail}) as pipeline:
        execution = pipeline.run(skipImport=True)
        assert pipeline.served_version() == pipeline.versions()[0]
        (campaign_report,) = report(execution)["solutions"][0]["campaigns"]
        assert campaign_report["outcome"] == "FAILED"
        assert "gets no verdict" in campaign_report["failure"], "nothing is known about the version"
        del fails[:]
        again = pipeline.run(scheduledTime=NEXT_SLOT, skipImport=True)
        assert len(pipeline.versions()) == 2, "the version is tried again without a training"
        assert pipeline.served_version() == pipeline.versions()[1]
    assert outcomes(again) == DEPLOYED


def test_a_rollback_moves_a_campaign_that_it_may_not_describe():
    def deny_describe(_event):
        pipeline.inject_fault("deny", operation="DescribeCampaign", times=1)

    with deploy_probed(handlers=before_step("roll_back_campaign", deny_describe)) as pipeline:
        execution = pipeline.run(skipImport=True)
        assert pipeline.served_version() == pipeline.versions()[0]
    assert outcomes(execution) == ROLLED_BACK


@pytest.mark.parametrize("fault", ["throttle", "deny"])
def test_a_trial_that_cannot_be_written_leaves_the_campaign_where_it_is(fault):
    with deploy_probed() as pipeline:
        pipeline.inject_fault(fault, operation="TagResource", of=campaign_arn(), times=None)
        execution = pipeline.run(skipImport=True)
        assert pipeline.requests("UpdateCampaign") == []
    assert outcomes(execution) == {"taste": "FAILED", "home": "FAILED"}


def test_a_trial_that_cannot_be_ended_stays_for_the_next_run():
    def deny_tags(_event):
        pipeline.inject_fault("deny", operation="TagResource", times=None)

    with deploy(PROBED, handlers=before_step("end_trial", deny_tags)) as pipeline:
        execution = pipeline.run(skipImport=True)
        new = pipeline.versions()[-1]
        assert pipeline.served_version() == new
        assert tags_of(pipeline.client, campaign_arn())[TRIAL].startswith(f"{new} ")
    assert outcomes(execution) == {"taste": "FAILED", "home": "FAILED"}
    assert "AccessDeniedException" in failures(execution)["home"]


@pytest.mark.parametrize(
    ("step", "answers_well", "failure"),
    [
        ("watch_campaign_update", True, "it was not updated, or somebody has moved it"),
        ("probe_campaign", True, "it was not updated, or somebody has moved it"),
        ("probe_campaign", False, "it was not updated, or somebody has moved it"),
        ("roll_back_campaign", False, "so it was not rolled back"),
        ("end_trial", False, None),
        ("end_trial", True, None),
    ],
)
def test_a_campaign_that_a_person_moves_keeps_the_version_of_the_person(
    step, answers_well, failure
):
    def move(_event):
        if step == "watch_campaign_update":
            pipeline.sleep(100)
        pipeline.foreign_update(pipeline.versions()[1])

    quick = {"campaign-update": 61}
    handlers = before_step(step, move)
    with ExitStack() as stack:
        pipeline = stack.enter_context(deploy(PROBED, durations=quick, handlers=handlers))
        if not answers_well:
            stack.enter_context(bad_answers(pipeline))
        pipeline.foreign_training()
        pipeline.sleep(3 * 3600)
        execution = pipeline.run(skipImport=True)
        pipeline.sleep(3600)
        assert pipeline.served_version() == pipeline.versions()[1]
        tags = tags_of(pipeline.client, campaign_arn())
        assert tags[TRIAL].startswith("ended")
        if failure:
            assert outcomes(execution) == {"taste": "FAILED", "home": "FAILED"}
            assert failure in failures(execution)["home"]
            assert tags[VERDICT] == "none", "nothing is known about the version"


@pytest.mark.parametrize("answers_well", [True, False])
@pytest.mark.parametrize("step", ["begin_trial", "evaluate_solution_version"])
def test_a_version_that_a_person_has_deployed_before_the_run_is_probed_too(step, answers_well):
    def move(_event):
        pipeline.foreign_update(pipeline.versions()[-1])
        pipeline.sleep(100)

    handlers = before_step(step, move)
    quick = {"campaign-update": 61}
    with ExitStack() as stack:
        pipeline = stack.enter_context(deploy(PROBED, durations=quick, handlers=handlers))
        first = pipeline.served_version()
        if step == "evaluate_solution_version":
            # The gate does not know what served before, but the tag does.
            pipeline.client.tag_resource(
                resourceArn=campaign_arn(), tags=[{"tagKey": GOOD, "tagValue": first}]
            )
        if not answers_well:
            stack.enter_context(bad_answers(pipeline))
        execution = pipeline.run(skipImport=True)
        new = pipeline.versions()[-1]
        assert pipeline.served_version() == (new if answers_well else first)
        tags = tags_of(pipeline.client, campaign_arn())
    assert outcomes(execution) == (DEPLOYED if answers_well else ROLLED_BACK)
    assert phases(execution)[0] == ("NEAR" if answers_well else "FAILED")
    if answers_well:
        assert (tags[TRIAL], tags[GOOD], tags[PREVIOUS]) == ("ended", new, first)
    else:
        assert tags[GOOD] == first
        assert tags[VERDICT].startswith(f"{new} ROLLED_BACK ")


def test_the_report_says_what_serves_if_a_person_moves_the_campaign_after_its_trial():
    def move(_event):
        pipeline.foreign_update(pipeline.versions()[0])
        pipeline.sleep(100)

    quick = {"campaign-update": 61}
    handlers = before_step("report_outcome", move)
    with deploy(PROBED, durations=quick, handlers=handlers) as pipeline:
        execution = pipeline.run(skipImport=True)
        old, new = pipeline.versions()
        assert tags_of(pipeline.client, campaign_arn())[VERDICT] == "none"
    assert outcomes(execution) == {"taste": "SKIPPED", "home": "SKIPPED"}
    assert failures(execution) == {
        "home": f"the campaign serves {old} now, not {new}: somebody has moved it since"
    }


@pytest.mark.parametrize("answers_well", [True, False])
def test_a_function_that_fails_after_it_has_sent_the_update_does_not_end_the_trial(answers_well):
    handlers = killed_after_work("update_campaign", error="RuntimeError")
    with ExitStack() as stack:
        pipeline = stack.enter_context(deploy(PROBED, handlers=handlers))
        if not answers_well:
            stack.enter_context(bad_answers(pipeline))
        execution = pipeline.run(skipImport=True)
        old, new = pipeline.versions()
        assert pipeline.served_version() == (new if answers_well else old)
        assert tags_of(pipeline.client, campaign_arn())[TRIAL].startswith("ended")
    assert outcomes(execution) == (DEPLOYED if answers_well else ROLLED_BACK)


def test_an_update_that_is_denied_ends_the_trial_with_the_error():
    with deploy(PROBED) as pipeline:
        pipeline.inject_fault("deny", operation="UpdateCampaign", times=None)
        old = pipeline.served_version()
        execution = pipeline.run(skipImport=True)
        assert pipeline.served_version() == old
        assert tags_of(pipeline.client, campaign_arn())[TRIAL] == "ended"
    assert outcomes(execution) == {"taste": "FAILED", "home": "FAILED"}
    assert "AccessDeniedException" in failures(execution)["home"]
