"""The quality gate accepts or rejects a version for each campaign, and marks what it rejects."""

import math
from dataclasses import replace

import pytest

from components.args import LimitsArgs, QualityRuleArgs
from components.rules.metrics import NDCG_AT_10
from functions.personalize.tags import VERDICT, tags_of
from tests.workflow.pipeline import NEXT_SLOT, RUN_ID, deploy, handler
from tests.workflow.summaries import (
    DEPLOYED,
    failures,
    metric_line,
    ndcg,
    outcomes,
    problems_of,
    report,
    warning_about_old_version,
)
from tests.world import MOVIES, campaign_arn, interactions, solution, solution_arn

REJECTED = {"taste": "REJECTED", "home": "REJECTED"}
IMPORTED = {"interactions": "IMPORTED", "items": "IMPORTED", "users": "IMPORTED"}
TWO_CAMPAIGNS = MOVIES.with_solutions(solution(campaigns=["home", "mail"]))


def write_worse_data(pipeline):
    """Write interactions from which a model learns nothing."""
    pipeline.bucket.put("interactions.csv", interactions(shuffled=True))


def write_similar_data(pipeline):
    """Write other interactions, from which a model learns as much as from the first ones."""
    pipeline.bucket.put("interactions.csv", interactions(1280))


def gated(*rules):
    """Return the group with these rules in the gate. Without rules, the gate is disabled."""
    return MOVIES.with_solutions(solution(quality_gate=rules, quality_gate_enabled=bool(rules)))


def evaluations(execution):
    """Return the results of the gate, in order."""
    return [
        call.outcome for call in execution.calls if call.function == "evaluate_solution_version"
    ]


def test_a_worse_version_is_rejected_with_both_values_and_the_campaign_is_not_updated():
    with deploy() as pipeline:
        write_worse_data(pipeline)
        before = pipeline.describe_campaign()
        execution = pipeline.run()
        old, new = pipeline.versions()
        old_value, new_value = ndcg(pipeline, old), ndcg(pipeline, new)
        assert pipeline.describe_campaign() == before
        assert pipeline.requests("UpdateCampaign") == []
    reason = f"{NDCG_AT_10} fell from {old_value:.4f} to {new_value:.4f}, by more than 25%"
    assert new_value < old_value / 2, "the new data must be much worse"
    assert execution.status == "SUCCEEDED", "a rejection is a result, and not a failure"
    assert outcomes(execution) == {**IMPORTED, **REJECTED}
    assert report(execution)["status"] == "REJECTED"
    assert failures(execution) == {"home": reason}
    campaign = report(execution)["solutions"][0]["campaigns"][0]
    assert campaign["metrics"] == {NDCG_AT_10: {"new": new_value, "live": old_value}}
    assert report(execution)["text"] == (
        f"Retraining run {RUN_ID}: REJECTED\n"
        "  import of interactions: IMPORTED\n"
        "  import of items: IMPORTED\n"
        "  import of users: IMPORTED\n"
        f"  {solution_arn()}: REJECTED\n"
        f"    version {new}\n"
        f"    {campaign_arn()}: REJECTED: {reason}\n"
        f"{metric_line(execution)}\n" + warning_about_old_version(solution_arn())
    )


def test_a_version_as_good_as_the_live_one_is_accepted():
    with deploy() as pipeline:
        write_similar_data(pipeline)
        execution = pipeline.run()
        old, new = pipeline.versions()
        assert ndcg(pipeline, new) != ndcg(pipeline, old), "the models are different"
        assert pipeline.served_version() == new
        assert tags_of(pipeline.client, campaign_arn())[VERDICT] == "none"
    assert outcomes(execution) == {**IMPORTED, **DEPLOYED}


def test_a_rejected_version_is_marked_and_not_deployed_by_a_run_without_import():
    with deploy() as pipeline:
        write_worse_data(pipeline)
        pipeline.run()
        old, rejected = pipeline.versions()
        verdict = tags_of(pipeline.client, campaign_arn())[VERDICT]
        assert verdict.startswith(f"{rejected} REJECTED ")
        write_similar_data(pipeline)
        pipeline.machine.start({"skipImport": True, "force": True}).wait()
        assert len(pipeline.requests("CreateSolutionVersion")) == 2, (
            "the second run trains another version"
        )
        assert pipeline.requests("UpdateCampaign") == []
        assert pipeline.served_version() == old


def test_a_run_whose_version_was_rejected_cannot_be_resumed():
    with deploy() as pipeline:
        write_worse_data(pipeline)
        pipeline.run()
        (problem,) = problems_of(pipeline.run(resume=RUN_ID))
        assert len(pipeline.versions()) == 2
    assert problem.startswith(f"resume: run {RUN_ID} is SUCCEEDED; nothing is left to do; "), (
        "a rejection is a result, not a failure"
    )


def test_each_campaign_of_a_solution_is_compared_with_the_version_that_it_serves():
    with deploy(TWO_CAMPAIGNS) as pipeline:
        write_worse_data(pipeline)
        pipeline.run(datasets=["interactions"])
        first, bad = pipeline.versions()
        pipeline.foreign_update(bad, "mail")
        pipeline.sleep(3600)
        execution = pipeline.machine.start({"skipImport": True, "force": True}).wait()
        third = pipeline.versions()[-1]
        assert pipeline.served_version("home") == first, (
            "the first version is much better than the third"
        )
        assert pipeline.served_version("mail") == third, "the second version is as bad as the third"
    assert outcomes(execution) == {"taste": "REJECTED", "home": "REJECTED", "mail": "DEPLOYED"}


def foreign_update_after_the_gate(pipeline, version):
    """Return the gate's function. A foreign update moves the campaign after its first verdict."""
    versions = [version]

    def evaluate(event, context):
        evaluation = handler("evaluate_solution_version")(event, context)
        if versions:
            pipeline.foreign_update(versions.pop())
        return evaluation

    return evaluate


def test_the_gate_compares_again_if_the_campaign_serves_another_version_meanwhile():
    with deploy() as pipeline:
        first = pipeline.served_version()
        second = pipeline.foreign_training()
        pipeline.sleep(3 * 3600)
        pipeline.handlers["evaluate_solution_version"] = foreign_update_after_the_gate(
            pipeline, second
        )
        execution = pipeline.run(skipImport=True)
        assert pipeline.served_version() == pipeline.versions()[-1]
        assert len(pipeline.requests("UpdateCampaign")) == 1
    assert [evaluation["comparedWith"] for evaluation in evaluations(execution)] == [first, second]
    assert outcomes(execution) == DEPLOYED


def test_the_second_comparison_can_reject():
    with deploy() as pipeline:
        good = pipeline.served_version()
        write_worse_data(pipeline)
        pipeline.run(datasets=["interactions"])
        bad = pipeline.versions()[-1]
        pipeline.foreign_update(bad)
        pipeline.sleep(3600)
        pipeline.machine.functions["evaluate_solution_version"] = foreign_update_after_the_gate(
            pipeline, good
        )
        execution = pipeline.machine.start({"skipImport": True, "force": True}).wait()
        assert pipeline.requests("UpdateCampaign") == []
        assert pipeline.served_version() == good
    verdicts = [evaluation["verdict"] for evaluation in evaluations(execution)]
    assert verdicts == ["ACCEPTED", "REJECTED"], "as good as the bad version, worse than the good"
    assert outcomes(execution) == REJECTED


def test_without_a_gate_every_version_is_deployed():
    with deploy(gated()) as pipeline:
        write_worse_data(pipeline)
        execution = pipeline.run()
        assert pipeline.served_version() == pipeline.versions()[-1]
        assert pipeline.requests("GetSolutionMetrics") == []
    assert outcomes(execution) == {**IMPORTED, **DEPLOYED}
    assert report(execution)["solutions"][0]["campaigns"][0]["metrics"] == {}


def test_a_metric_that_the_recipe_does_not_have_is_a_warning():
    with deploy(gated(QualityRuleArgs(metric="hit_at_k", max_drop=0.1))) as pipeline:
        write_worse_data(pipeline)
        execution = pipeline.run()
        assert pipeline.served_version() == pipeline.versions()[-1]
    assert outcomes(execution) == {**IMPORTED, **DEPLOYED}
    assert report(execution)["warnings"] == [
        (
            f"{campaign_arn()}: hit_at_k was not compared, because the new version has no value "
            "and the version in use has no value; maxDrop had no effect"
        )
    ]


@pytest.mark.parametrize(
    ("metric", "minimum", "reason"),
    [
        ("hit_at_k", 0.1, "hit_at_k has no value, but the minimum is 0.1"),
        ("coverage", 1.5, "coverage has the value {:.4f}, but the minimum is 1.5"),
    ],
    ids=["missing", "too small"],
)
def test_a_version_that_does_not_reach_a_minimum_is_rejected(metric, minimum, reason):
    with deploy(gated(QualityRuleArgs(metric=metric, minimum=minimum))) as pipeline:
        execution = pipeline.run(skipImport=True)
        old, new = pipeline.versions()
        response = pipeline.client.get_solution_metrics(solutionVersionArn=new)
        assert pipeline.served_version() == old
    assert failures(execution) == {"home": reason.format(response["metrics"].get(metric))}
    assert outcomes(execution) == REJECTED


def test_every_broken_rule_is_reported():
    rules = (
        QualityRuleArgs(metric=NDCG_AT_10, max_drop=0.25),
        QualityRuleArgs(metric="coverage", minimum=0.01),
        QualityRuleArgs(metric="precision_at_25", max_drop=0.25, minimum=0.9),
    )
    with deploy(gated(*rules)) as pipeline:
        write_worse_data(pipeline)
        execution = pipeline.run()
    metrics = [reason.split()[0] for reason in failures(execution)["home"].split("; ")]
    assert metrics == [NDCG_AT_10, "precision_at_25", "precision_at_25"]


def test_a_campaign_that_serves_nothing_gets_a_version_that_cannot_be_compared():
    with deploy() as pipeline:
        pipeline.replace_campaign("fail", reason="Internal service error")
        write_worse_data(pipeline)
        execution = pipeline.run()
        new = pipeline.versions()[-1]
        assert pipeline.describe_campaign()["status"] == "ACTIVE"
        assert pipeline.served_version() == new
        value = ndcg(pipeline, new)
    assert outcomes(execution) == {**IMPORTED, **DEPLOYED}
    assert report(execution)["warnings"] == [
        (
            f"{campaign_arn()}: {NDCG_AT_10} was not compared, because the new version has {value} "
            "and the version in use has no value; maxDrop had no effect"
        )
    ]
    assert report(execution)["solutions"][0]["campaigns"][0]["previousVersionArn"] is None


def test_a_campaign_that_serves_nothing_gets_no_version_below_the_minimum():
    with deploy(gated(QualityRuleArgs(metric=NDCG_AT_10, minimum=0.99))) as pipeline:
        pipeline.replace_campaign("fail", reason="Internal service error")
        execution = pipeline.run(skipImport=True)
        assert pipeline.describe_campaign()["status"] == "CREATE FAILED"
    assert outcomes(execution) == REJECTED


def test_an_error_in_the_gate_fails_the_campaign_without_an_update():
    def raise_error(_event, _context):
        raise ValueError("no metrics")

    with deploy(handlers={"evaluate_solution_version": raise_error}) as pipeline:
        execution = pipeline.run(skipImport=True)
        assert pipeline.requests("UpdateCampaign") == []
    assert outcomes(execution) == {"taste": "FAILED", "home": "FAILED"}
    assert failures(execution) == {"home": "ValueError: no metrics"}


def test_a_campaign_that_changes_after_every_comparison_fails_at_its_deadline():
    def compare_with_another_version(event, context):
        evaluation = handler("evaluate_solution_version")(event, context)
        pipeline.sleep(50)
        return {**evaluation, "comparedWith": f"{solution_arn()}/00000000"}

    limited = MOVIES.with_options(limits=LimitsArgs(max_campaign_hours=1))
    with deploy(
        limited, handlers={"evaluate_solution_version": compare_with_another_version}
    ) as pipeline:
        execution = pipeline.run(skipImport=True)
        assert pipeline.requests("UpdateCampaign") == []
    assert failures(execution) == {
        "home": "gave up after 1 hours: the quality gate has to judge the version again"
    }


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_metric_that_is_no_number_rejects_the_new_version(value):
    with deploy() as pipeline:
        pipeline.inject_fault("metrics", operation="GetSolutionMetrics", values={NDCG_AT_10: value})
        execution = pipeline.run(skipImport=True)
        assert pipeline.requests("UpdateCampaign") == []
    assert outcomes(execution) == REJECTED
    assert failures(execution) == {
        "home": f"{NDCG_AT_10} has the value {value}, which is not a finite number"
    }


def test_a_version_without_a_metric_of_the_live_version_is_rejected_until_the_rule_is_removed():
    with deploy() as pipeline:
        live = pipeline.served_version()
        value = ndcg(pipeline, live)
        pipeline.inject_fault(
            "metrics", operation="GetSolutionMetrics", values={NDCG_AT_10: None}, times=1
        )
        execution = pipeline.run(skipImport=True)
        new = pipeline.versions()[-1]
        assert pipeline.requests("GetSolutionMetrics")[0] == {"solutionVersionArn": new}
        assert pipeline.requests("UpdateCampaign") == []
        without_rule = replace(pipeline, group=gated())
        without_rule.prefix = "without-rule"
        second = without_rule.machine.start({"skipImport": True}).wait()
        assert pipeline.served_version() == new
        assert len(pipeline.versions()) == 2, "the version is judged again, and not trained again"
    assert outcomes(execution) == REJECTED
    assert failures(execution) == {
        "home": (
            f"{NDCG_AT_10} has no value, but the version in use has {value:.4f}, so it may have "
            "fallen by more than 25%; check the exports, or remove the rule from the qualityGate"
        )
    }
    assert outcomes(second) == DEPLOYED


def test_a_metric_of_the_live_version_that_is_no_number_is_not_compared():
    with deploy() as pipeline:
        live = pipeline.served_version()
        pipeline.inject_fault(
            "metrics", operation="GetSolutionMetrics", of=live, values={NDCG_AT_10: math.nan}
        )
        execution = pipeline.run(skipImport=True)
    assert outcomes(execution) == DEPLOYED
    assert "was not compared" in report(execution)["warnings"][0]


def test_a_version_that_was_rejected_is_judged_again_after_a_change_of_the_gate():
    with deploy() as pipeline:
        write_worse_data(pipeline)
        pipeline.run()
        rejected = pipeline.versions()[-1]
        unchanged = pipeline.run(scheduledTime=NEXT_SLOT)
        loosened = replace(pipeline, group=gated(QualityRuleArgs(metric=NDCG_AT_10, max_drop=1)))
        loosened.prefix = "loosened"
        execution = loosened.machine.start({}).wait()
        assert pipeline.served_version() == rejected
        assert len(pipeline.versions()) == 2, "the version is judged again, and not trained again"
    assert report(unchanged)["status"] == "SKIPPED"
    assert outcomes(execution) == DEPLOYED


def test_a_rejection_that_cannot_be_written_fails_without_an_update():
    with deploy() as pipeline:
        write_worse_data(pipeline)
        pipeline.inject_fault("deny", operation="TagResource", of=campaign_arn(), times=None)
        execution = pipeline.run()
        assert pipeline.requests("UpdateCampaign") == []
    assert outcomes(execution)["home"] == "FAILED"
