"""Proves how recommenders look in `status`, `history` and the message of a run."""

from dataclasses import replace

from tests.retrain.in_process import account
from tests.retrain.look.test_status import services
from tests.world import HOUR, MOVIES

DOMAIN = replace(MOVIES.with_datasets("interactions").with_solutions(), domain="ECOMMERCE")
USE_CASES = {
    "best-sellers": "aws-ecomm-popular-items-by-purchases",
    "for-you": "aws-ecomm-recommended-for-you",
}


def test_the_golden_screens_of_recommenders(golden):
    """A run with two recommenders, one of which was stopped before it."""
    with account(DOMAIN) as prod:
        prod.services = services(prod)
        client = prod.pipeline.client
        for name, use_case in USE_CASES.items():
            recipe = f"arn:aws:personalize:::recipe/{use_case}"
            request = {"datasetGroupArn": DOMAIN.arn, "recipeArn": recipe}
            arn = client.create_recommender(name=name, **request)["recommenderArn"]
        prod.pipeline.sleep(100 * HOUR)
        client.stop_recommender(recommenderArn=arn)
        prod.pipeline.sleep(HOUR)
        prod.pipeline.run()
        screens = [prod.transcript("status -s prod", "history -s prod")]
        document = prod.retrain("status --json").document["recommenders"]
        prod.pipeline.inject_fault("deny", operation="ListRecommenders", times=2)
        screens.append(prod.transcript("status -s prod"))
        assert prod.retrain("status --json").document["recommenders"].keys() == {"error"}
        client.start_recommender(recommenderArn=arn)
        prod.pipeline.sleep(HOUR)
        started = prod.retrain("status --json").document["recommenders"]
    message = prod.pipeline.inbox.messages[0].body

    assert [(each["recommenderArn"], each["status"]) for each in document] == [
        (arn.replace("for-you", "best-sellers"), "ACTIVE"),
        (arn, "INACTIVE"),
    ]
    assert [each["status"] for each in started] == ["ACTIVE", "ACTIVE"]
    golden("recommenders.txt", "\n".join([*screens, message]))
