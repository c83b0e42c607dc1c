"""The message and the event about a run arrive, with the policies of the topic and the queues."""

import json

from small_stack import allowing, create_queue

from tests.end_to_end.stack import eventually

PATTERN = {
    "source": ["personalize-retraining"],
    "detail-type": ["Retraining Run Report"],
    "detail": {"pipeline": ["retraining-films"]},
}


def create_mailbox(films, service, source):
    """Create a queue to which a service may send for a resource. Return its URL and its ARN."""
    url, queue = create_queue(films, f"mailbox-{service}")
    policy = allowing(service, "sqs:SendMessage", source)
    films.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    return url, queue


def message_about(films, run, url):
    """Return the message about a run, when it has arrived in a queue."""
    sqs = films.client("sqs")

    def receive():
        found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", ())
        return [message["Body"] for message in found if run.arn in message["Body"]]

    (body,) = eventually(receive, bool)
    return json.loads(body)


def test_a_message_and_an_event_about_a_run_arrive(films):
    topic = films.output("topic_arn")
    messages, queue = create_mailbox(films, "sns", topic)
    films.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    events = films.client("events")
    rule = events.put_rule(Name="reports", EventPattern=json.dumps(PATTERN))["RuleArn"]
    reports, queue = create_mailbox(films, "events", rule)
    events.put_targets(Rule="reports", Targets=[{"Id": "queue", "Arn": queue}])

    before = films.served_version().rpartition("/")[2]
    run = films.run(datasets=["users"], force=True)
    new = films.served_version().rpartition("/")[2]

    message = message_about(films, run, messages)
    assert message["Subject"] == "DEPLOYED retraining-films: the new version for films is in use"
    assert {name: value["Value"] for name, value in message["MessageAttributes"].items()} == {
        "pipeline": "retraining-films",
        "outcome": "DEPLOYED",
        "trigger": "manual",
    }
    assert f"- films: {new} (before: {before}, DEPLOYED)" in message["Message"].splitlines()
    assert message_about(films, run, reports)["detail"] == run.report
