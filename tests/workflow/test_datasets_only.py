"""Proves what a pipeline without solutions does, which imports for recommenders of a domain."""

from dataclasses import replace

from components.args import NotificationsArgs
from functions.constants import NDCG_METRICS
from tests.workflow.pipeline import NEXT_SLOT, deploy
from tests.workflow.summaries import outcomes, report
from tests.world import HOUR, MOVIES, interactions

DOMAIN = replace(MOVIES.with_datasets("interactions", "items").with_solutions(), domain="ECOMMERCE")

USE_CASE = "arn:aws:personalize:::recipe/aws-ecomm-recommended-for-you"


def create_recommender(pipeline, name):
    """Create a recommender, which is ACTIVE an hour later, and return its ARN."""
    response = pipeline.client.create_recommender(
        name=name, datasetGroupArn=pipeline.group.arn, recipeArn=USE_CASE
    )
    pipeline.sleep(HOUR)
    return response["recommenderArn"]


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
    assert len(messages) == 4, "only a run that deploys alone is quiet if it finds nothing"


def test_a_run_without_solutions_reports_its_recommenders_and_asks_a_person_about_a_stopped_one():
    on_problems = DOMAIN.with_options(notifications=NotificationsArgs(on="problems"))
    with deploy(on_problems) as pipeline:
        arns = [create_recommender(pipeline, name) for name in ("for-you", "paused")]
        first = pipeline.run()
        assert pipeline.inbox.messages == [], "both are ACTIVE"
        pipeline.client.stop_recommender(recommenderArn=arns[1])
        pipeline.sleep(HOUR)
        second = pipeline.run(scheduledTime=NEXT_SLOT)
        (message,) = pipeline.inbox.messages

    assert [
        (each["recommenderArn"], each["status"], each["metrics"].keys() >= {*NDCG_METRICS})
        for execution in (first, second)
        for each in report(execution)["recommenders"]
    ] == [
        (arns[0], "ACTIVE", True),
        (arns[1], "ACTIVE", True),
        (arns[0], "ACTIVE", True),
        (arns[1], "INACTIVE", True),
    ]
    assert "the recommender paused is INACTIVE, so it answers no requests" in message.body
    assert outcomes(second) == {}, "it starts nothing"
    assert pipeline.requests("StartRecommender") == []


def test_the_watcher_counts_the_recommenders_that_are_not_active():
    with deploy(DOMAIN) as pipeline:
        arn = create_recommender(pipeline, "for-you")
        counts = [pipeline.watch()["inactiveRecommenders"]]
        pipeline.client.stop_recommender(recommenderArn=arn)
        pipeline.sleep(HOUR)
        counts.append(pipeline.watch()["inactiveRecommenders"])
        pipeline.client.start_recommender(recommenderArn=arn)
        pipeline.sleep(HOUR)
        counts.append(pipeline.watch()["inactiveRecommenders"])

    assert counts == [0, 1, 0]


def test_a_pipeline_with_solutions_asks_for_no_recommenders():
    with deploy(MOVIES) as pipeline:
        assert report(pipeline.run())["recommenders"] == []
        pipeline.watch()
        assert pipeline.requests("ListRecommenders") == []
