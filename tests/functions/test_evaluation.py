"""The gate is asked: with whose metrics, and what is remembered of its answer."""

import pytest

from functions.personalize.evaluate import evaluate_solution_version
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


def describes(personalize, **changes):
    personalize.says("describe_campaign", {"campaign": campaign(**changes)}, campaignArn=CAMPAIGN)


def measures(personalize, version_arn, **metrics):
    answer = {"solutionVersionArn": version_arn, "metrics": metrics}
    personalize.says("get_solution_metrics", answer, solutionVersionArn=version_arn)


def evaluated(personalize, rules):
    settings_ = settings(solutions=[solution_settings(qualityGate=rules)])
    return evaluate_solution_version(personalize.client, settings_, SOLUTION, CAMPAIGN, ended_job())


def evaluate(personalize, rules=RULES, *tags):
    personalize.says("list_tags_for_resource", {"tags": list(tags)}, resourceArn=VERSION)
    return evaluated(personalize, rules)


def test_a_version_is_compared_with_the_one_that_the_campaign_serves(personalize):
    describes(personalize)
    measures(personalize, VERSION, **{NDCG: 0.42})
    measures(personalize, OLD_VERSION, **{NDCG: 0.4})
    assert evaluate(personalize) == evaluation(), "a version that is accepted is not marked"


def test_a_rejected_version_is_marked_so_that_it_is_never_deployed_again(personalize):
    describes(personalize)
    measures(personalize, VERSION, **{NDCG: 0.1})
    measures(personalize, OLD_VERSION, **{NDCG: 0.4})
    personalize.says("list_tags_for_resource", {"tags": []}, resourceArn=VERSION)
    tags = [{"tagKey": "retraining-verdict", "tagValue": "REJECTED"}]
    personalize.says("tag_resource", {}, resourceArn=VERSION, tags=tags)
    judged = evaluated(personalize, RULES)
    assert judged == evaluation(
        verdict="REJECTED",
        reasons=[f"{NDCG} fell from 0.4000 to 0.1000, by more than 25%"],
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
def test_where_no_version_is_served_that_has_metrics_nothing_is_compared(
    personalize, changes, served
):
    describes(personalize, **changes)
    measures(personalize, VERSION, **{NDCG: 0.42})
    assert evaluate(personalize) == evaluation(
        comparedWith=served,
        notes=[f"{NDCG} could not be compared: new 0.42, live None"],
        metrics={NDCG: {"new": 0.42, "live": None}},
    )


def test_a_version_without_any_metrics_cannot_be_compared(personalize):
    describes(personalize)
    answer = {"solutionVersionArn": VERSION}
    personalize.says("get_solution_metrics", answer, solutionVersionArn=VERSION)
    measures(personalize, OLD_VERSION, **{NDCG: 0.4})
    assert evaluate(personalize) == evaluation(
        notes=[f"{NDCG} could not be compared: new None, live 0.4"],
        metrics={NDCG: {"new": None, "live": 0.4}},
    )


def test_without_a_gate_no_metrics_are_asked_for(personalize):
    describes(personalize)
    assert evaluate(personalize, []) == evaluation(metrics={}), (
        "what is served is noted all the same"
    )


ROLLED_BACK = {"tagKey": "retraining-verdict", "tagValue": "ROLLED_BACK"}
FROM_IT = "a campaign was rolled back from it"


@pytest.mark.parametrize(
    ("value", "reasons"),
    [
        (0.42, [FROM_IT]),
        (0.1, [f"{NDCG} fell from 0.4000 to 0.1000, by more than 25%", FROM_IT]),
    ],
)
def test_a_version_that_another_campaign_was_rolled_back_from_is_rejected(
    personalize, value, reasons
):
    describes(personalize)
    measures(personalize, VERSION, **{NDCG: value})
    measures(personalize, OLD_VERSION, **{NDCG: 0.4})
    judged = evaluate(personalize, RULES, ROLLED_BACK)
    assert (judged["verdict"], judged["reasons"]) == ("REJECTED", reasons), "its mark stays"


def test_so_it_is_where_there_is_no_gate(personalize):
    describes(personalize)
    assert evaluate(personalize, [], ROLLED_BACK)["verdict"] == "REJECTED"


def test_what_another_campaigns_gate_rejected_is_judged_anew(personalize):
    describes(personalize)
    measures(personalize, VERSION, **{NDCG: 0.42})
    measures(personalize, OLD_VERSION, **{NDCG: 0.4})
    rejected = {**ROLLED_BACK, "tagValue": "REJECTED"}
    assert evaluate(personalize, RULES, rejected) == evaluation()
