"""Each run sends one message and one event, with what it has really done."""

from datetime import datetime
from types import SimpleNamespace

import pytest

from components.args import ApprovalArgs, NotificationsArgs, QualityRuleArgs
from components.rules.fields import NDCG_AT_10
from functions.words import duration_text
from tests.workflow.pipeline import NEXT_SLOT, Pipeline, deploy
from tests.workflow.summaries import report, text
from tests.world import MOVIES, PIPELINE, TOPIC, solution, solution_arn

ONLY_PROBLEMS = NotificationsArgs(on="problems")


def fail(job):
    """Return a function that makes the next job of a kind fail."""
    return lambda pipeline: pipeline.inject_fault("fail", job=job)


RUNS = {
    "good": (MOVIES, None, "DEPLOYED", "the new version for home is in use"),
    "without a campaign": (
        MOVIES.with_solutions(solution(campaigns=[])),
        None,
        "TRAINED",
        "there is a new version without a campaign",
    ),
    "worse data": (
        MOVIES,
        Pipeline.upload_worse_data,
        "REJECTED",
        "the new version for home was rejected",
    ),
    "approval": (
        MOVIES.with_solutions(solution(approval=ApprovalArgs())),
        None,
        "AWAITING_APPROVAL",
        "the new version for home needs your approval",
    ),
    "failed training": (MOVIES, fail("solution-version"), "FAILED", "training of taste failed"),
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
    assert (message.body, detail) == (text(execution), report(execution))
    assert message.attributes == {
        "pipeline": PIPELINE,
        "outcome": outcome,
        "trigger": "schedule",
    }
    assert [item["servedVersionArn"] for item in detail["serving"]] == [served] * bool(served)
    assert ("What to do" in message.body) == (outcome != "TRAINED")


def at_least(minimum):
    """Return a quality gate with this minimum."""
    return [QualityRuleArgs(metric=NDCG_AT_10, minimum=minimum)]


THREE_SOLUTIONS = MOVIES.with_options(training_hour_price=2).with_solutions(
    solution(quality_gate=at_least(0)),
    solution("similar", campaigns=["shelf"], quality_gate=at_least(0.99)),
    solution("late", campaigns=["attic"]),
)


@pytest.fixture(scope="module")
def mixed_run():
    """Return an execution with a DEPLOYED, a REJECTED and a FAILED solution, and its report."""
    with deploy(THREE_SOLUTIONS) as pipeline:
        pipeline.inject_fault(
            "fail", job="solution-version", of=solution_arn("late"), reason="too few users"
        )
        pipeline.upload_worse_data()
        execution = pipeline.run()
        versions = {
            arn: pipeline.client.describe_solution_version(solutionVersionArn=arn)
            for name in ("taste", "similar", "late")
            for arn in pipeline.versions(name)
        }
        metrics = {
            arn: pipeline.client.get_solution_metrics(solutionVersionArn=arn)["metrics"]
            for name in ("taste", "similar")
            for arn in pipeline.versions(name)
        }
    return SimpleNamespace(
        execution=execution,
        report=report(execution),
        versions={arn: item["solutionVersion"] for arn, item in versions.items()},
        metrics=metrics,
    )


def test_the_cause_of_a_failed_run_shows_its_report(mixed_run):
    assert mixed_run.execution.status == "FAILED"
    outcomes = [solution["outcome"] for solution in mixed_run.report["solutions"]]
    assert outcomes == ["DEPLOYED", "REJECTED", "FAILED"]
    for row in mixed_run.report["solutions"]:
        name, version = (
            row[key].rpartition("/")[2] for key in ("solutionArn", "solutionVersionArn")
        )
        failed = "FAILED, " if row["outcome"] == "FAILED" else ""
        assert f"\n- {name}: {failed}version {version}, FULL in " in mixed_run.execution.cause


def test_the_report_has_the_metrics_of_the_service(mixed_run):
    for row in mixed_run.report["solutions"][:2]:
        (campaign,) = row["campaigns"]
        new, live = (
            mixed_run.metrics[campaign[key]][NDCG_AT_10]
            for key in ("versionArn", "previousVersionArn")
        )
        change = (new - live) / live
        metric = campaign["metrics"][NDCG_AT_10]
        assert (metric["new"], metric["live"]) == (new, live), "as GetSolutionMetrics shows them"
        assert change < -0.1, "the data have become worse"
        assert metric["change"] == pytest.approx(change, abs=1e-6)
        shown = f"  NDCG@10: {live:.4f} → {new:.4f} ({change:+.1%})"
        assert f" {campaign['outcome']})\n{shown}\n" in mixed_run.execution.cause


def test_the_report_has_the_durations_of_the_service(mixed_run):
    found = mixed_run.report
    duration_of_run = datetime.fromisoformat(found["endedAt"]) - datetime.fromisoformat(
        found["startedAt"]
    )
    assert found["seconds"] == duration_of_run.total_seconds()
    whole = duration_text(found["seconds"])
    assert f" UTC, after {whole}\n" in mixed_run.execution.cause
    hours = 0
    for row in found["solutions"]:
        version = mixed_run.versions[row["solutionVersionArn"]]
        took = version["lastUpdatedDateTime"] - version["creationDateTime"]
        assert row["seconds"] == took.total_seconds()
        assert row["trainingHours"] == version.get("trainingHours")
        hours += row["trainingHours"] or 0
    assert found["trainingHours"] == round(hours, 4) > 0
    assert found["trainingCost"] == round(hours * 2, 2)


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
        assert report(pipeline.run()) == refused
