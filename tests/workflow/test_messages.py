"""Each run sends one message and one event, with what it has really done."""

from components.args import QualityRuleArgs
from components.rules.fields import NDCG_AT_10
from functions.words import duration_text, name_of
from tests.workflow.pipeline import deploy
from tests.workflow.summaries import report, text
from tests.world import MOVIES, PIPELINE, TOPIC, solution, solution_arn


def test_a_run_sends_one_message_and_one_event():
    with deploy() as pipeline:
        execution = pipeline.run()
        served = pipeline.served_version()
    (message,) = pipeline.inbox.messages
    (detail,) = pipeline.inbox.details
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


def test_the_cause_of_a_failed_run_shows_its_report_with_the_durations_of_the_service():
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
    found = report(execution)
    assert execution.status == "FAILED"
    assert f" UTC, after {duration_text(found['seconds'])}\n" in execution.cause
    outcomes = [row["outcome"] for row in found["solutions"]]
    assert outcomes == ["DEPLOYED", "REJECTED", "FAILED"]
    for row in found["solutions"]:
        version = versions[row["solutionVersionArn"]]["solutionVersion"]
        took = version["lastUpdatedDateTime"] - version["creationDateTime"]
        assert row["seconds"] == took.total_seconds()
        assert row["trainingHours"] == version.get("trainingHours")
        failed = "FAILED, " if row["outcome"] == "FAILED" else ""
        name, version_id = map(name_of, (row["solutionArn"], row["solutionVersionArn"]))
        assert f"\n- {name}: {failed}version {version_id}, FULL in " in execution.cause
    assert found["trainingCost"] == round(found["trainingHours"] * 2, 2) > 0
