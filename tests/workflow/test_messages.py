"""Each run sends one message and one event, with what it has really done."""

import io
import json
from contextlib import redirect_stdout
from types import SimpleNamespace

import pytest

from components.args import ApprovalArgs, NotificationsArgs, QualityRuleArgs
from components.rules.fields import NDCG_AT_10
from functions import aws
from functions.report_words import duration
from retrain.operator.history import history
from retrain.operator.target import Target
from tests.workflow.pipeline import NEXT_SLOT, deploy
from tests.workflow.setups import write_worse_data
from tests.workflow.summaries import report
from tests.world import MOVIES, PIPELINE, TOPIC, solution, solution_arn

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


def at_least(minimum):
    """Return a quality gate with this minimum."""
    return [QualityRuleArgs(metric=NDCG_AT_10, minimum=minimum)]


THREE_SOLUTIONS = MOVIES.with_solutions(
    solution(quality_gate=at_least(0)),
    solution("similar", campaigns=["shelf"], quality_gate=at_least(0.99)),
    solution("late", campaigns=["attic"]),
)


@pytest.fixture(scope="module")
def mixed_run():
    """Return an execution with a DEPLOYED, a REJECTED and a FAILED solution, and its reports."""
    with deploy(THREE_SOLUTIONS) as pipeline:
        pipeline.inject_fault(
            "fail", job="solution-version", of=solution_arn("late"), reason="too few users"
        )
        write_worse_data(pipeline)
        execution = pipeline.run()
        access = SimpleNamespace(step_functions=aws.stepfunctions(), personalize=pipeline.client)
        target = Target(pipeline.machine.arn, THREE_SOLUTIONS.settings(), access, None)
        with redirect_stdout(io.StringIO()) as printed:
            history(target, limit=1, as_json=False)
        with redirect_stdout(io.StringIO()) as printed_json:
            history(target, limit=1, as_json=True)
        described = {
            arn: pipeline.client.describe_solution_version(solutionVersionArn=arn)
            for name in ("taste", "similar", "late")
            for arn in pipeline.versions(name)
        }
        metrics = {
            arn: pipeline.client.get_solution_metrics(solutionVersionArn=arn)["metrics"]
            for arn in described
            if described[arn]["solutionVersion"]["status"] == "ACTIVE"
        }
    ((message,), (detail,)) = pipeline.inbox.messages, pipeline.inbox.details
    return SimpleNamespace(
        execution=execution,
        report=report(execution),
        message=message.body,
        detail=detail,
        history=printed.getvalue(),
        row=json.loads(printed_json.getvalue())[0],
        versions={arn: item["solutionVersion"] for arn, item in described.items()},
        metrics=metrics,
    )


def test_the_history_of_a_failed_run_shows_the_report_of_its_outcome_document(mixed_run):
    assert mixed_run.execution.status == "FAILED"
    assert mixed_run.row["report"] == mixed_run.report
    assert mixed_run.execution.cause == mixed_run.report["text"]


def test_all_reports_of_a_run_agree_about_outcomes_and_versions(mixed_run):
    keys = ("solutionArn", "outcome", "solutionVersionArn", "failure")
    campaign_keys = ("campaignArn", "outcome", "servedVersionArn", "failure")
    for of_report, of_event in zip(
        mixed_run.report["solutions"], mixed_run.detail["solutions"], strict=True
    ):
        assert [of_report[key] for key in keys] == [of_event[key] for key in keys]
        for campaign, event in zip(of_report["campaigns"], of_event["campaigns"], strict=True):
            assert [campaign[key] for key in campaign_keys] == [event[key] for key in campaign_keys]
    outcomes = [solution["outcome"] for solution in mixed_run.detail["solutions"]]
    assert outcomes == ["DEPLOYED", "REJECTED", "FAILED"]
    for solution_report in mixed_run.detail["solutions"]:
        arn = solution_report["solutionVersionArn"]
        name, version = solution_report["solutionArn"].rpartition("/")[2], arn.rpartition("/")[2]
        assert arn in mixed_run.execution.cause
        assert f"{name}: {solution_report['outcome']}\nVersion {version}, " in mixed_run.message
        assert f"    {name}/{version} FULL" in mixed_run.history


def test_all_reports_of_a_run_agree_about_metrics(mixed_run):
    for solution_report in mixed_run.detail["solutions"][:2]:
        (campaign,) = solution_report["campaigns"]
        new, live = (
            mixed_run.metrics[campaign_or_solution[key]][NDCG_AT_10]
            for campaign_or_solution, key in (
                (solution_report, "solutionVersionArn"),
                (campaign, "previousVersionArn"),
            )
        )
        change = (new - live) / live
        metric = campaign["metrics"][NDCG_AT_10]
        assert (metric["new"], metric["live"]) == (new, live), "as GetSolutionMetrics shows them"
        assert change < -0.1, "the data have become worse"
        assert metric["change"] == pytest.approx(change, abs=1e-6)
        shown = f"{live:.4g} -> {new:.4g} ({change:+.1%})"
        name = campaign["campaignArn"].rpartition("/")[2]
        part = mixed_run.message.partition(f"\n- {name}: {campaign['outcome']}, ")[2]
        assert part.splitlines()[1:3] == [f"  {shown}", f"  {NDCG_AT_10}"]
        cause = mixed_run.execution.cause.partition(f"    {campaign['campaignArn']}: ")[2]
        assert cause.splitlines()[1] == f"      {NDCG_AT_10}: {shown}"
        (line,) = [line for line in mixed_run.history.splitlines() if f" {name} " in line]
        assert f"NDCG@10 {new:.4f} ({change:+.1%})" in line


def test_all_reports_of_a_run_agree_about_durations(mixed_run):
    detail, row = mixed_run.detail, mixed_run.row
    assert row["seconds"] == pytest.approx(detail["seconds"], abs=5)
    whole = duration(detail["seconds"])
    assert f"({detail['trigger']}), {whole}\n" in mixed_run.message
    assert f"  {whole} " in mixed_run.history
    for solution_report in detail["solutions"]:
        version = mixed_run.versions[solution_report["solutionVersionArn"]]
        took = version["lastUpdatedDateTime"] - version["creationDateTime"]
        assert solution_report["seconds"] == took.total_seconds()
        hours = version.get("trainingHours")
        assert solution_report["trainingHours"] == hours
        text = (
            f"in {duration(took.total_seconds())}, {hours:.3g} training hours"
            if hours
            else (f"without success after {duration(took.total_seconds())}")
        )
        version_id = version["solutionVersionArn"].rpartition("/")[2]
        (line,) = [
            line for line in mixed_run.message.splitlines() if f"Version {version_id}" in line
        ]
        assert line.endswith(text)


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
