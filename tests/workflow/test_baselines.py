"""Whole runs judge a version relative to a baseline, which the run trains on the same imports.

tests/functions/test_gate.py shows what the gate compares, and tests/model/test_deployment_rules.py
when it waits.
"""

from dataclasses import replace

import pytest

from components.args import QualityRuleArgs
from components.rules.single_settings import NDCG_AT_10
from tests.workflow.pipeline import NEXT_SLOT, deploy
from tests.workflow.summaries import failures, ndcg, outcomes, report, text, warnings_of
from tests.world import MOVIES, solution, solution_arn

POPULAR = solution_arn("popular")
PLAIN = QualityRuleArgs(metric=NDCG_AT_10, max_drop=0.2)
RELATIVE = replace(PLAIN, relative_to=POPULAR)


def group(rule=RELATIVE):
    """Return a group with a solution that is judged by a rule, and with its baseline."""
    judged = solution(quality_gate=[rule])
    baseline = solution("popular", campaigns=[])
    only = MOVIES.with_datasets("interactions").with_solutions(judged, baseline)

    return replace(only, baseline="popular")


def interactions(random_users=0):
    """Return ten interactions of each of 200 users, with hits and with what their group likes.

    Before the newest, a user has met all hits but one, and all items that the group likes but one.
    The newest is one of these two, so a model that only knows the hits predicts half of them. For
    `random_users` of ten users, it is an item that no other user has, which no model predicts.
    """
    rows = []
    for user in range(200):
        *hits, last_hit = (f"hit{(user + number) % 5}" for number in range(5))
        *liked, last_liked = (f"g{user % 5}-{(user // 5 + number) % 6}" for number in range(6))
        newest = last_hit if user // 5 % 2 else last_liked
        newest = f"x{user}" if user // 10 % 10 < random_users else newest
        rows += [
            f"u{user},{item},{1_790_000_000 + user + 1000 * number}"
            for number, item in enumerate([*hits, *liked, newest])
        ]

    return "\n".join(["USER_ID,ITEM_ID,TIMESTAMP", *rows]).encode()


def second_run(pipeline, random_users=0):
    """Bring other interactions, and run again."""
    pipeline.bucket.put("interactions.csv", interactions(random_users) + b"\n")
    return pipeline.run(scheduledTime=NEXT_SLOT)


def warnings(execution):
    """Return the warnings without the ARN of the campaign."""
    return [warning.partition(": ")[2] for warning in warnings_of(execution)]


@pytest.mark.parametrize(
    "random_users, fault, rule, outcome",
    [
        (3, None, PLAIN, "REJECTED"),
        (3, None, RELATIVE, "DEPLOYED"),
        (6, None, replace(RELATIVE, max_baseline_drop=0.7), "DEPLOYED"),
        (0, "only-popularity", RELATIVE, "REJECTED"),
    ],
    ids=["harder data looks like a worse model", "harder data", "much harder", "worse model"],
)
def test_the_baseline_tells_a_worse_model_from_harder_data(random_users, fault, rule, outcome):
    with deploy(group(rule)) as pipeline:
        pipeline.bucket.put("interactions.csv", interactions())
        pipeline.run()
        if fault:
            pipeline.inject_fault(fault, job="solution-version", of=solution_arn())
        execution = second_run(pipeline, random_users)
        numbers = [
            ndcg(pipeline, version)
            for name in ("taste", "popular")
            for version in pipeline.versions(name)[:0:-1]
        ]

    assert outcomes(execution)["home"] == outcome
    assert warnings(execution) == []
    (campaign,) = report(execution)["solutions"][0]["campaigns"]
    (metric,) = campaign["metrics"]
    keys = ("new", "served", "newBaseline", "servedBaseline")
    baselines = [None, None] if rule == PLAIN else numbers[2:]
    assert [metric[key] for key in keys] == [*numbers[:2], *baselines]
    says_why = "harder for every model" in text(execution)
    assert says_why == ((rule, outcome) == (PLAIN, "REJECTED"))
    if (rule, outcome) == (RELATIVE, "REJECTED"):
        new, live, new_baseline, live_baseline = numbers
        fall = f"{live / live_baseline:.4f} to {new / new_baseline:.4f} times the baseline"
        assert failures(execution) == {"home": f"NDCG@10 fell from {fall}, by more than 20%"}
