"""The quality gate: what it lets through, what it holds back, and what it remembers."""

import pytest

from components.args import LimitsArgs, QualityRuleArgs
from components.rules.metrics import NDCG_AT_10
from functions.personalize.tags import VERDICT, recall
from tests.workflow.pipeline import RUN, handler, pipeline
from tests.workflow.reading import (
    campaign_arn,
    failures,
    ndcg,
    outcomes,
    report,
    solution_arn,
)
from tests.world import exports, settings, solution

DONE = {"taste": "DEPLOYED", "home": "DEPLOYED"}
REJECTED = {"taste": "REJECTED", "home": "REJECTED"}
IMPORTED = {"interactions": "IMPORTED", "items": "IMPORTED", "users": "IMPORTED"}
TWO = [solution(campaigns=("home", "mail"))]


def worsen(made):
    """Put interactions in the bucket from which nothing can be learnt."""
    made.bucket.put("interactions.csv", exports(shuffled=True)["interactions.csv"])


def better(made):
    """Put other interactions in the bucket from which as much can be learnt as from the first."""
    made.bucket.put("interactions.csv", exports(1280)["interactions.csv"])


def gated(*rules):
    """Give settings with these rules in the gate."""
    return settings(solutions=[solution(quality_gate=rules, quality_gate_enabled=bool(rules))])


def test_a_worse_version_is_rejected_with_both_values_and_the_campaign_is_not_touched():
    with pipeline() as made:
        worsen(made)
        first = made.campaign()
        execution = made.run()
        old, new = made.versions()
        was, is_ = ndcg(made, old), ndcg(made, new)
        assert made.campaign() == first, "not even an update was tried"
        assert made.started("UpdateCampaign") == []
    why = f"{NDCG_AT_10} fell from {was:.4f} to {is_:.4f}, by more than 25%"
    assert is_ < was / 2, "else the example proves little"
    assert execution.status == "SUCCEEDED", "the gate has done its work; nothing is broken"
    assert outcomes(execution) == {**IMPORTED, **REJECTED}
    assert report(execution)["status"] == "REJECTED"
    assert failures(execution) == {"home": why}
    campaign = report(execution)["solutions"][0]["campaigns"][0]
    assert campaign["metrics"] == {NDCG_AT_10: {"new": is_, "live": was}}
    assert report(execution)["text"] == (
        f"Retraining run {RUN}: REJECTED\n"
        "  import of interactions: IMPORTED\n"
        "  import of items: IMPORTED\n"
        "  import of users: IMPORTED\n"
        f"  {solution_arn()}: REJECTED\n"
        f"    version {new}\n"
        f"    {campaign_arn()}: REJECTED: {why}"
    )


def test_a_version_as_good_as_the_live_one_is_accepted():
    with pipeline() as made:
        better(made)
        execution = made.run()
        old, new = made.versions()
        assert ndcg(made, new) != ndcg(made, old), "the two are not the same model"
        assert made.served() == new
        assert VERDICT not in recall(made.api, new)
    assert outcomes(execution) == {**IMPORTED, **DONE}


def test_a_rejected_version_is_marked_and_never_deployed_by_a_run_without_import():
    with pipeline() as made:
        worsen(made)
        made.run()
        old, rejected = made.versions()
        assert recall(made.api, rejected)[VERDICT] == "REJECTED"
        better(made)
        made.machine.start({"skipImport": True}).wait()
        assert len(made.started("CreateSolutionVersion")) == 2, "another one is trained"
        assert made.started("UpdateCampaign") == []
        assert made.served() == old


def test_a_rejected_version_is_not_deployed_when_its_run_is_resumed():
    with pipeline() as made:
        worsen(made)
        made.run()
        old, rejected = made.versions()
        execution = made.run(resume=RUN)
        assert made.started("UpdateCampaign") == []
        assert made.served() == old
        again = report(execution)["solutions"][0]["solutionVersionArn"]
        assert again == made.versions()[-1] != rejected, "it counts as a failed attempt"


def test_campaigns_of_one_solution_that_serve_different_versions_are_judged_separately():
    with pipeline(settings(solutions=TWO)) as made:
        worsen(made)
        made.run(datasets=["interactions"])
        first, bad = made.versions()
        made.api.update_campaign(campaignArn=campaign_arn("mail"), solutionVersionArn=bad)
        made.let_pass(3600)
        execution = made.machine.start({"skipImport": True}).wait()
        third = made.versions()[-1]
        assert made.served("home") == first, "the first version was much better"
        assert made.served("mail") == third, "it served one that was as bad"
    assert outcomes(execution) == {"taste": "REJECTED", "home": "REJECTED", "mail": "DEPLOYED"}


def moved_once_judged(made, version):
    """Give the gate, after whose first verdict somebody moves the campaign to another version."""
    moves = [version]

    def judge(event, context):
        judged = handler("evaluate_solution_version")(event, context)
        if moves:
            made.api.update_campaign(campaignArn=campaign_arn(), solutionVersionArn=moves.pop())
        return judged

    return judge


def test_the_gate_is_asked_again_when_the_campaign_serves_another_version_by_then():
    with pipeline() as made:
        first = made.served()
        second = made.api.create_solution_version(solutionArn=solution_arn())["solutionVersionArn"]
        made.let_pass(3 * 3600)
        made.handlers["evaluate_solution_version"] = moved_once_judged(made, second)
        execution = made.run(skipImport=True)
        assert made.served() == made.versions()[-1]
        assert len(made.started("UpdateCampaign")) == 1
    judged = [call for call in execution.calls if call.function == "evaluate_solution_version"]
    assert [call.outcome["comparedWith"] for call in judged] == [first, second]
    assert outcomes(execution) == DONE


def test_the_gate_that_is_asked_again_may_say_no():
    with pipeline() as made:
        good = made.served()
        worsen(made)
        made.run(datasets=["interactions"])
        bad = made.versions()[-1]
        made.api.update_campaign(campaignArn=campaign_arn(), solutionVersionArn=bad)
        made.let_pass(3600)
        made.machine.functions["evaluate_solution_version"] = moved_once_judged(made, good)
        execution = made.machine.start({"skipImport": True}).wait()
        assert made.started("UpdateCampaign") == []
        assert made.served() == good
    verdicts = [
        call.outcome["verdict"]
        for call in execution.calls
        if call.function == "evaluate_solution_version"
    ]
    assert verdicts == ["ACCEPTED", "REJECTED"], "as good as the bad one, not as the good one"
    assert outcomes(execution) == REJECTED


def test_without_a_gate_whatever_was_trained_is_deployed():
    with pipeline(gated()) as made:
        worsen(made)
        execution = made.run()
        assert made.served() == made.versions()[-1]
        assert made.started("GetSolutionMetrics") == [], "what nobody asks for is not read"
    assert outcomes(execution) == {**IMPORTED, **DONE}
    assert report(execution)["solutions"][0]["campaigns"][0]["metrics"] == {}


def test_a_metric_that_the_recipe_does_not_have_is_noted_and_not_held_against_the_version():
    with pipeline(gated(QualityRuleArgs(metric="hit_at_k", max_drop=0.1))) as made:
        worsen(made)
        execution = made.run()
        assert made.served() == made.versions()[-1]
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
    with pipeline(gated(QualityRuleArgs(metric=metric, minimum=minimum))) as made:
        execution = made.run(skipImport=True)
        new = made.api.get_solution_metrics(solutionVersionArn=made.versions()[-1])["metrics"]
        assert made.served() == made.versions()[0]
    assert failures(execution) == {"home": why.format(new.get(metric))}
    assert outcomes(execution) == REJECTED


def test_all_rules_have_to_hold_and_each_broken_one_is_told():
    rules = (
        QualityRuleArgs(metric=NDCG_AT_10, max_drop=0.25),
        QualityRuleArgs(metric="coverage", minimum=0.01),
        QualityRuleArgs(metric="precision_at_25", max_drop=0.25, minimum=0.9),
    )
    with pipeline(gated(*rules)) as made:
        worsen(made)
        execution = made.run()
    told = [each.split()[0] for each in failures(execution)["home"].split("; ")]
    assert told == [NDCG_AT_10, "precision_at_25", "precision_at_25"]


def create_in_vain(made):
    """Replace the campaign by one whose creation fails: it serves nothing."""
    made.api.delete_campaign(campaignArn=campaign_arn())
    made.let_pass(3600)
    made.order("fail", job="campaign", reason="Internal service error")
    made.api.create_campaign(
        name="home", solutionVersionArn=made.versions()[0], minProvisionedTPS=2
    )
    made.let_pass(3600)


def test_a_campaign_that_serves_nothing_yet_takes_what_cannot_be_compared():
    with pipeline() as made:
        create_in_vain(made)
        worsen(made)
        execution = made.run()
        new = made.versions()[-1]
        assert (made.campaign()["status"], made.served()) == ("ACTIVE", new)
        value = ndcg(made, new)
    assert outcomes(execution) == {**IMPORTED, **DONE}
    assert report(execution)["warnings"] == [
        f"{campaign_arn()}: {NDCG_AT_10} could not be compared: new {value}, live None"
    ]
    assert report(execution)["solutions"][0]["campaigns"][0]["previousVersionArn"] is None


def test_a_campaign_that_serves_nothing_yet_stays_so_below_the_minimum():
    with pipeline(gated(QualityRuleArgs(metric=NDCG_AT_10, minimum=0.99))) as made:
        create_in_vain(made)
        execution = made.run(skipImport=True)
        assert made.campaign()["status"] == "CREATE FAILED"
    assert outcomes(execution) == REJECTED


def test_a_gate_that_cannot_be_asked_fails_the_campaign_and_touches_nothing():
    def broken(_event, _context):
        raise ValueError("no metrics")

    with pipeline(handlers={"evaluate_solution_version": broken}) as made:
        execution = made.run(skipImport=True)
        assert made.started("UpdateCampaign") == []
    assert outcomes(execution) == {"taste": "FAILED", "home": "FAILED"}
    assert failures(execution) == {"home": "ValueError: no metrics"}


def test_a_campaign_that_is_moved_again_and_again_is_given_up_after_the_limit():
    """Each time the gate has judged, the campaign serves another version."""

    def restless(event, context):
        judged = handler("evaluate_solution_version")(event, context)
        made.clock.sleep(50)
        return {**judged, "comparedWith": f"{solution_arn()}/00000000"}

    limited = settings(limits=LimitsArgs(max_campaign_hours=1))
    with pipeline(limited, handlers={"evaluate_solution_version": restless}) as made:
        execution = made.run(skipImport=True)
        assert made.started("UpdateCampaign") == []
    assert failures(execution) == {"home": "the gate has to be asked again, for 1 hours now"}
