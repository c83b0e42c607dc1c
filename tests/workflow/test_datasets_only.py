"""Proves what a pipeline without solutions does, which imports for recommenders of a domain."""

from dataclasses import replace

from tests.workflow.pipeline import NEXT_SLOT, deploy
from tests.workflow.summaries import outcomes, report
from tests.world import MOVIES, interactions

DOMAIN = replace(MOVIES.with_datasets("interactions", "items").with_solutions(), domain="ECOMMERCE")


def test_a_run_without_solutions_imports_what_is_new_and_nothing_twice():
    with deploy(DOMAIN) as pipeline:
        first = pipeline.run()
        pipeline.bucket.put("interactions.csv", interactions(shift=1))
        second = pipeline.run(scheduledTime=NEXT_SLOT)
        third = pipeline.run(scheduledTime="2026-12-13T03:00:00Z")
        forced = pipeline.run(scheduledTime="2026-12-20T03:00:00Z", force=True)
        messages = [message.subject for message in pipeline.inbox.messages]

    assert [outcomes(execution) for execution in (first, second, third, forced)] == [
        {"interactions": "IMPORTED", "items": "IMPORTED"},
        {"interactions": "IMPORTED"},
        {},
        {"interactions": "IMPORTED", "items": "IMPORTED"},
    ]
    assert report(third)["outcome"] == "SKIPPED"
    assert report(third)["reasons"][0]["command"] == "retrain start --force"
    assert messages[0] == "IMPORTED retraining: new data was imported"
