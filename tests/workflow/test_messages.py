"""Each run sends one message and one event, with what it has really done."""

from tests.workflow.pipeline import deploy
from tests.workflow.summaries import report, text
from tests.world import PIPELINE, TOPIC


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
