"""Tests of the evaluation: which metrics are read, and which verdicts are written."""

import pytest

from functions.personalize.evaluate import evaluate_solution_version
from functions.personalize.verdicts import verdict_tags
from tests.functions.samples import (
    CAMPAIGN,
    NDCG,
    OLD_VERSION,
    RULES,
    SOLUTION,
    VERSION,
    campaign,
    ended_job,
    evaluation,
    settings,
    solution_settings,
)

FELL = f"{NDCG} fell from 0.4000 to 0.1000, by more than 25%"


def expect_campaign(personalize, **changes):
    response = {"campaign": campaign(**changes)}
    personalize.expect("describe_campaign", response, campaignArn=CAMPAIGN)


def expect_metrics(personalize, **ndcg):
    """Expect the NDCG of the version `new`, and perhaps of the version `live`, to be read."""
    arns = {"new": VERSION, "live": OLD_VERSION}
    for name, value in ndcg.items():
        metrics = {} if value is None else {"metrics": {NDCG: value}}
        response = {"solutionVersionArn": arns[name], **metrics}
        personalize.expect("get_solution_metrics", response, solutionVersionArn=arns[name])


def evaluate(personalize, *, rules=RULES, verdict=None, writes=False):
    """Judge the version. It may have the verdict of an earlier release, and one may be written."""
    key = "retraining-verdict"
    tags = [{"tagKey": key, "tagValue": verdict}] if verdict else []
    personalize.expect("list_tags_for_resource", {"tags": tags}, resourceArn=VERSION)
    personalize.expect("list_tags_for_resource", {"tags": []}, resourceArn=CAMPAIGN)
    settings_ = settings(solutions=[solution_settings(qualityGate=rules)])
    if writes:
        verdict_ = verdict_tags(settings_, CAMPAIGN, VERSION, "REJECTED", OLD_VERSION)
        written = [{"tagKey": key, "tagValue": verdict_[key]}]
        personalize.expect("tag_resource", {}, resourceArn=CAMPAIGN, tags=written)
    return evaluate_solution_version(
        personalize.client, settings_, SOLUTION, CAMPAIGN, ended_job()
    ).evaluation


def test_a_version_is_compared_with_the_version_that_the_campaign_serves(personalize):
    expect_campaign(personalize)
    expect_metrics(personalize, new=0.42, live=0.4)
    assert evaluate(personalize) == evaluation(), "an accepted version gets no tag"


def test_the_campaign_gets_the_verdict_about_a_rejected_version(personalize):
    expect_campaign(personalize)
    expect_metrics(personalize, new=0.1, live=0.4)
    assert evaluate(personalize, writes=True) == evaluation(
        verdict="REJECTED",
        reasons=[FELL],
        metrics={NDCG: {"new": 0.1, "live": 0.4}},
    )


@pytest.mark.parametrize(
    ("changes", "served"),
    [
        ({"status": "CREATE FAILED"}, None),
        ({"solutionVersionArn": f"{SOLUTION}/$LATEST"}, f"{SOLUTION}/$LATEST"),
    ],
    ids=["none", "latest"],
)
def test_without_a_served_version_nothing_is_compared(personalize, changes, served):
    expect_campaign(personalize, **changes)
    expect_metrics(personalize, new=0.42)
    assert evaluate(personalize) == evaluation(
        comparedWith=served,
        notes=[
            (
                f"{NDCG} was not compared, because the new version has 0.42 and the version in "
                "use has no value; maxDrop had no effect"
            )
        ],
        metrics={NDCG: {"new": 0.42, "live": None}},
    )


def test_a_version_without_any_metrics_is_rejected_if_the_live_version_has_them(personalize):
    expect_campaign(personalize)
    expect_metrics(personalize, new=None, live=0.4)
    assert evaluate(personalize, writes=True) == evaluation(
        verdict="REJECTED",
        reasons=[
            (
                f"{NDCG} has no value, but the version in use has 0.4000, so it may have fallen "
                "by more than 25%; check the exports, or remove the rule from the qualityGate"
            )
        ],
        metrics={NDCG: {"new": None, "live": 0.4}},
    )


def test_without_a_gate_no_metrics_are_read(personalize):
    expect_campaign(personalize)
    assert evaluate(personalize, rules=[]) == evaluation(metrics={}), (
        "the update still has to know which version was served"
    )


ROLLED_BACK = f"a campaign was rolled back from {VERSION}"


@pytest.mark.parametrize(
    ("value", "reasons"), [(0.42, [ROLLED_BACK]), (0.1, [FELL, ROLLED_BACK])], ids=["good", "bad"]
)
def test_a_version_that_another_campaign_was_rolled_back_from_is_rejected(
    personalize, value, reasons
):
    expect_campaign(personalize)
    expect_metrics(personalize, new=value, live=0.4)
    judged = evaluate(personalize, verdict="ROLLED_BACK")
    assert (judged["verdict"], judged["reasons"]) == ("REJECTED", reasons), "the tag stays"


def test_such_a_version_is_rejected_without_a_gate_too(personalize):
    expect_campaign(personalize)
    assert evaluate(personalize, rules=[], verdict="ROLLED_BACK")["verdict"] == "REJECTED"


def test_a_version_that_another_gate_rejected_is_judged_again(personalize):
    expect_campaign(personalize)
    expect_metrics(personalize, new=0.42, live=0.4)
    assert evaluate(personalize, verdict="REJECTED") == evaluation()
