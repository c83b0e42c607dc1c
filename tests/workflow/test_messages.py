"""Each run sends one message and one event, with what it has really done."""

from datetime import datetime
from types import SimpleNamespace

import pytest

from components.args import QualityRuleArgs
from components.rules.fields import NDCG_AT_10
from functions.words import duration_text
from tests.workflow.pipeline import deploy
from tests.workflow.summaries import report, text
from tests.world import MOVIES, PIPELINE, TOPIC, solution, solution_arn


def test_a_run_sends_one_message_and_one_event():
    with deploy() as pipeline:
        execution = pipeline.run()
        served = pipeline.served_version()
    (message,), (detail,) = pipeline.inbox.messages, pipeline.inbox.details
    assert message.topic == TOPIC
    assert message.subject == f"DEPLOYED {PIPELINE}: the new version for home is in use"
    assert (message.body, detail) == (text(execution), report(execution))
    assert message.attributes == {
        "pipeline": PIPELINE,
        "outcome": "DEPLOYED",
        "trigger": "schedule",
    }
    assert [item["servedVersionArn"] for item in detail["serving"]] == [served]


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
    return SimpleNamespace(
        execution=execution,
        report=report(execution),
        versions={arn: item["solutionVersion"] for arn, item in versions.items()},
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
