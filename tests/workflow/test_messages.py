"""Each run sends one message and one event, with what it has really done."""

import json

import pytest

from components.args import ApprovalArgs, NotificationsArgs
from tests.workflow.pipeline import NEXT_SLOT, deploy
from tests.workflow.summaries import report
from tests.workflow.test_gate import write_worse_data
from tests.world import MOVIES, PIPELINE, TOPIC, solution

ONLY_PROBLEMS = NotificationsArgs(on="problems")


def fail(job):
    """Return a function that makes the next job of a kind fail."""
    return lambda pipeline: pipeline.inject_fault("fail", job=job)


RUNS = {
    "good": (MOVIES, None, "DEPLOYED", "1 campaign serves a new version"),
    "without a campaign": (
        MOVIES.with_solutions(solution(campaigns=[])),
        None,
        "TRAINED",
        "1 new version without a campaign",
    ),
    "worse data": (MOVIES, write_worse_data, "REJECTED", "home keeps its version"),
    "approval": (
        MOVIES.with_solutions(solution(approval=ApprovalArgs())),
        None,
        "AWAITING_APPROVAL",
        "a new version for home needs your approval",
    ),
    "failed training": (MOVIES, fail("solution-version"), "FAILED", "the training of taste failed"),
}


@pytest.mark.parametrize(("group", "prepare", "outcome", "fact"), RUNS.values(), ids=RUNS)
def test_each_run_sends_one_message_and_one_event(group, prepare, outcome, fact):
    with deploy(group) as pipeline:
        if prepare:
            prepare(pipeline)
        execution = pipeline.run()
        served = pipeline.served_version() if outcome != "TRAINED" else None
    (message,), (detail,) = pipeline.inbox.messages, pipeline.inbox.details
    assert (message.topic, message.subject) == (TOPIC, f"{outcome} {PIPELINE}: {fact}")
    assert message.attributes == {
        "pipeline": PIPELINE,
        "outcome": outcome,
        "trigger": "schedule",
    }
    assert detail["outcome"] == report(execution)["status"] == outcome
    assert [item["servedVersionArn"] for item in detail["serving"]] == [served] * bool(served)
    needs_person = outcome not in ("DEPLOYED", "TRAINED")
    assert ("What to do" in message.body) == needs_person


def test_a_good_run_has_facts_from_the_service():
    with deploy(MOVIES.with_options(training_hour_price=2)) as pipeline:
        pipeline.run()
        (version,) = pipeline.versions()[1:]
        described = pipeline.client.describe_solution_version(solutionVersionArn=version)
    (detail,) = pipeline.inbox.details
    hours = described["solutionVersion"]["trainingHours"]
    assert detail["trainingHours"] == round(hours, 4) > 0
    assert detail["trainingCost"] == round(hours * 2, 2)


def test_a_run_that_finds_nothing_new_sends_no_problem():
    with deploy(MOVIES.with_options(notifications=ONLY_PROBLEMS)) as pipeline:
        pipeline.run()
        pipeline.run(scheduledTime=NEXT_SLOT)
    assert pipeline.inbox.messages == []
    assert [detail["outcome"] for detail in pipeline.inbox.details] == ["DEPLOYED", "SKIPPED"]


def test_a_topic_that_refuses_messages_changes_no_outcome():
    with deploy() as pipeline:
        pipeline.inbox.failure = RuntimeError("the topic was deleted")
        refused = report(pipeline.run())
    with deploy() as pipeline:
        accepted = report(pipeline.run())
    assert json.dumps(refused) == json.dumps(accepted)
