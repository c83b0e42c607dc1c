"""The quality gate: what it lets through, what it holds back, and what it remembers."""

import pytest

from components.args import LimitsArgs, QualityRuleArgs
from components.rules.metrics import NDCG_AT_10
from functions.personalize.tags import VERDICT, recall
from tests.workflow.pipeline import RUN_ID, deploy, handler
from tests.workflow.summaries import failures, ndcg, outcomes, report
from tests.world import MOVIES, campaign_arn, interactions, solution, solution_arn

DONE = {"taste": "DEPLOYED", "home": "DEPLOYED"}
REJECTED = {"taste": "REJECTED", "home": "REJECTED"}
IMPORTED = {"interactions": "IMPORTED", "items": "IMPORTED", "users": "IMPORTED"}
TWO_CAMPAIGNS = MOVIES.with_solutions(solution(campaigns=["home", "mail"]))


def worsen(pipeline):
    """Put interactions in the bucket from which nothing can be learnt."""
    pipeline.bucket.put("interactions.csv", interactions(shuffled=True))


def better(pipeline):
    """Put other interactions in the bucket from which as much can be learnt as from the first."""
    pipeline.bucket.put("interactions.csv", interactions(1280))


def gated(*rules):
    """Give settings with these rules in the gate."""
    return MOVIES.with_solutions(solution(quality_gate=rules, quality_gate_enabled=bool(rules)))


def test_a_worse_version_is_rejected_with_both_values_and_the_campaign_is_not_touched():
    with deploy() as pipeline:
        worsen(pipeline)
        first = pipeline.describe_campaign()
        execution = pipeline.run()
        old, new = pipeline.versions()
        was, is_ = ndcg(pipeline, old), ndcg(pipeline, new)
        assert pipeline.describe_campaign() == first, "not even an update was tried"
        assert pipeline.requests("UpdateCampaign") == []
    why = f"{NDCG_AT_10} fell from {was:.4f} to {is_:.4f}, by more than 25%"
    assert is_ < was / 2, "else the example proves little"
    assert execution.status == "SUCCEEDED", "the gate has done its work; nothing is broken"
    assert outcomes(execution) == {**IMPORTED, **REJECTED}
    assert report(execution)["status"] == "REJECTED"
    assert failures(execution) == {"home": why}
    campaign = report(execution)["solutions"][0]["campaigns"][0]
    assert campaign["metrics"] == {NDCG_AT_10: {"new": is_, "live": was}}
    assert report(execution)["text"] == (
        f"Retraining run {RUN_ID}: REJECTED\n"
        "  import of interactions: IMPORTED\n"
        "  import of items: IMPORTED\n"
        "  import of users: IMPORTED\n"
        f"  {solution_arn()}: REJECTED\n"
        f"    version {new}\n"
        f"    {campaign_arn()}: REJECTED: {why}"
    )


def test_a_version_as_good_as_the_live_one_is_accepted():
    with deploy() as pipeline:
        better(pipeline)
        execution = pipeline.run()
        old, new = pipeline.versions()
        assert ndcg(pipeline, new) != ndcg(pipeline, old), "the two are not the same model"
        assert pipeline.served_version() == new
        assert VERDICT not in recall(pipeline.client, new)
    assert outcomes(execution) == {**IMPORTED, **DONE}


def test_a_rejected_version_is_marked_and_never_deployed_by_a_run_without_import():
    with deploy() as pipeline:
        worsen(pipeline)
        pipeline.run()
        old, rejected = pipeline.versions()
        assert recall(pipeline.client, rejected)[VERDICT] == "REJECTED"
        better(pipeline)
        pipeline.machine.start({"skipImport": True}).wait()
        assert len(pipeline.requests("CreateSolutionVersion")) == 2, "another one is trained"
        assert pipeline.requests("UpdateCampaign") == []
        assert pipeline.served_version() == old


def test_a_rejected_version_is_not_deployed_when_its_run_is_resumed():
    with deploy() as pipeline:
        worsen(pipeline)
        pipeline.run()
        old, rejected = pipeline.versions()
        execution = pipeline.run(resume=RUN_ID)
        assert pipeline.requests("UpdateCampaign") == []
        assert pipeline.served_version() == old
        again = report(execution)["solutions"][0]["solutionVersionArn"]
        assert again == pipeline.versions()[-1] != rejected, "it counts as a failed attempt"


def test_campaigns_of_one_solution_that_serve_different_versions_are_judged_separately():
    with deploy(TWO_CAMPAIGNS) as pipeline:
        worsen(pipeline)
        pipeline.run(datasets=["interactions"])
        first, bad = pipeline.versions()
        pipeline.client.update_campaign(campaignArn=campaign_arn("mail"), solutionVersionArn=bad)
        pipeline.sleep(3600)
        execution = pipeline.machine.start({"skipImport": True}).wait()
        third = pipeline.versions()[-1]
        assert pipeline.served_version("home") == first, "the first version was much better"
        assert pipeline.served_version("mail") == third, "it served one that was as bad"
    assert outcomes(execution) == {"taste": "REJECTED", "home": "REJECTED", "mail": "DEPLOYED"}


def moved_once_judged(pipeline, version):
    """Give the gate, after whose first verdict somebody moves the campaign to another version."""
    moves = [version]

    def judge(event, context):
        judged = handler("evaluate_solution_version")(event, context)
        if moves:
            pipeline.client.update_campaign(
                campaignArn=campaign_arn(), solutionVersionArn=moves.pop()
            )
        return judged

    return judge


def test_the_gate_is_asked_again_when_the_campaign_serves_another_version_by_then():
    with deploy() as pipeline:
        first = pipeline.served_version()
        second = pipeline.client.create_solution_version(solutionArn=solution_arn())[
            "solutionVersionArn"
        ]
        pipeline.sleep(3 * 3600)
        pipeline.handlers["evaluate_solution_version"] = moved_once_judged(pipeline, second)
        execution = pipeline.run(skipImport=True)
        assert pipeline.served_version() == pipeline.versions()[-1]
        assert len(pipeline.requests("UpdateCampaign")) == 1
    judged = [call for call in execution.calls if call.function == "evaluate_solution_version"]
    assert [call.outcome["comparedWith"] for call in judged] == [first, second]
    assert outcomes(execution) == DONE


def test_the_gate_that_is_asked_again_may_say_no():
    with deploy() as pipeline:
        good = pipeline.served_version()
        worsen(pipeline)
        pipeline.run(datasets=["interactions"])
        bad = pipeline.versions()[-1]
        pipeline.client.update_campaign(campaignArn=campaign_arn(), solutionVersionArn=bad)
        pipeline.sleep(3600)
        pipeline.machine.functions["evaluate_solution_version"] = moved_once_judged(pipeline, good)
        execution = pipeline.machine.start({"skipImport": True}).wait()
        assert pipeline.requests("UpdateCampaign") == []
        assert pipeline.served_version() == good
    verdicts = [
        call.outcome["verdict"]
        for call in execution.calls
        if call.function == "evaluate_solution_version"
    ]
    assert verdicts == ["ACCEPTED", "REJECTED"], "as good as the bad one, not as the good one"
    assert outcomes(execution) == REJECTED


def test_without_a_gate_whatever_was_trained_is_deployed():
    with deploy(gated()) as pipeline:
        worsen(pipeline)
        execution = pipeline.run()
        assert pipeline.served_version() == pipeline.versions()[-1]
        assert pipeline.requests("GetSolutionMetrics") == [], "what nobody asks for is not read"
    assert outcomes(execution) == {**IMPORTED, **DONE}
    assert report(execution)["solutions"][0]["campaigns"][0]["metrics"] == {}


def test_a_metric_that_the_recipe_does_not_have_is_noted_and_not_held_against_the_version():
    with deploy(gated(QualityRuleArgs(metric="hit_at_k", max_drop=0.1))) as pipeline:
        worsen(pipeline)
        execution = pipeline.run()
        assert pipeline.served_version() == pipeline.versions()[-1]
    assert outcomes(execution) == {**IMPORTED, **DONE}
    assert report(execution)["warnings"] == [
        f"{campaign_arn()}: hit_at_k could not be compared: new None, live None"
    ]


@pytest.mark.parametrize(
    ("metric", "minimum", "why"),
    [
        ("hit_at_k", 0.1, "hit_at_k is missing, below the minimum of 0.1"),
        ("coverage", 1.5, "coverage is {:.4f}, below the minimum of 1.5"),
    ],
    ids=["missing", "too small"],
)
def test_a_minimum_that_is_not_shown_to_be_reached_rejects(metric, minimum, why):
    with deploy(gated(QualityRuleArgs(metric=metric, minimum=minimum))) as pipeline:
        execution = pipeline.run(skipImport=True)
        new = pipeline.client.get_solution_metrics(solutionVersionArn=pipeline.versions()[-1])[
            "metrics"
        ]
        assert pipeline.served_version() == pipeline.versions()[0]
    assert failures(execution) == {"home": why.format(new.get(metric))}
    assert outcomes(execution) == REJECTED


def test_all_rules_have_to_hold_and_each_broken_one_is_told():
    rules = (
        QualityRuleArgs(metric=NDCG_AT_10, max_drop=0.25),
        QualityRuleArgs(metric="coverage", minimum=0.01),
        QualityRuleArgs(metric="precision_at_25", max_drop=0.25, minimum=0.9),
    )
    with deploy(gated(*rules)) as pipeline:
        worsen(pipeline)
        execution = pipeline.run()
    told = [each.split()[0] for each in failures(execution)["home"].split("; ")]
    assert told == [NDCG_AT_10, "precision_at_25", "precision_at_25"]


def create_in_vain(pipeline):
    """Replace the campaign by one whose creation fails: it serves nothing."""
    pipeline.client.delete_campaign(campaignArn=campaign_arn())
    pipeline.sleep(3600)
    pipeline.inject_fault("fail", job="campaign", reason="Internal service error")
    pipeline.client.create_campaign(
        name="home", solutionVersionArn=pipeline.versions()[0], minProvisionedTPS=2
    )
    pipeline.sleep(3600)


def test_a_campaign_that_serves_nothing_yet_takes_what_cannot_be_compared():
    with deploy() as pipeline:
        create_in_vain(pipeline)
        worsen(pipeline)
        execution = pipeline.run()
        new = pipeline.versions()[-1]
        assert (pipeline.describe_campaign()["status"], pipeline.served_version()) == (
            "ACTIVE",
            new,
        )
        value = ndcg(pipeline, new)
    assert outcomes(execution) == {**IMPORTED, **DONE}
    assert report(execution)["warnings"] == [
        f"{campaign_arn()}: {NDCG_AT_10} could not be compared: new {value}, live None"
    ]
    assert report(execution)["solutions"][0]["campaigns"][0]["previousVersionArn"] is None


def test_a_campaign_that_serves_nothing_yet_stays_so_below_the_minimum():
    with deploy(gated(QualityRuleArgs(metric=NDCG_AT_10, minimum=0.99))) as pipeline:
        create_in_vain(pipeline)
        execution = pipeline.run(skipImport=True)
        assert pipeline.describe_campaign()["status"] == "CREATE FAILED"
    assert outcomes(execution) == REJECTED


def test_a_gate_that_cannot_be_asked_fails_the_campaign_and_touches_nothing():
    def broken(_event, _context):
        raise ValueError("no metrics")

    with deploy(handlers={"evaluate_solution_version": broken}) as pipeline:
        execution = pipeline.run(skipImport=True)
        assert pipeline.requests("UpdateCampaign") == []
    assert outcomes(execution) == {"taste": "FAILED", "home": "FAILED"}
    assert failures(execution) == {"home": "ValueError: no metrics"}


def test_a_campaign_that_is_moved_again_and_again_is_given_up_after_the_limit():
    """Each time the gate has judged, the campaign serves another version."""

    def restless(event, context):
        judged = handler("evaluate_solution_version")(event, context)
        pipeline.clock.sleep(50)
        return {**judged, "comparedWith": f"{solution_arn()}/00000000"}

    limited = MOVIES.with_options(limits=LimitsArgs(max_campaign_hours=1))
    with deploy(limited, handlers={"evaluate_solution_version": restless}) as pipeline:
        execution = pipeline.run(skipImport=True)
        assert pipeline.requests("UpdateCampaign") == []
    assert failures(execution) == {"home": "the gate has to be asked again, for 1 hours now"}
