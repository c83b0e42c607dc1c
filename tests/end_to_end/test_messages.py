"""The message and the event about a run arrive. If they cannot, the run ends as it would anyway."""

import json
from typing import NamedTuple

import pytest

from tests.end_to_end.stack import eventually

QUEUE = "mailbox"


class Mailbox(NamedTuple):
    """A queue that is subscribed to the topic, and that is the target of a rule for events."""

    stack: object
    url: str

    def message_about(self, run):
        """Return the subject, the body and the attributes of the message about a run."""
        return self._take(lambda body: run.arn in body.get("Message", ""))

    def event_about(self, run):
        """Return the event about a run."""
        return self._take(lambda body: body.get("resources") == [run.arn])

    def has_message_about(self, run):
        """Return True if a message about a run is in the queue."""
        return any(run.arn in body.get("Message", "") for body in self._bodies())

    def _take(self, is_about):
        (found,) = eventually(
            lambda: [body for body in self._bodies() if is_about(body)], lambda bodies: bodies
        )
        return found

    def _bodies(self):
        """Return the bodies of all messages in the queue, which stay in it."""
        sqs = self.stack.client("sqs")
        bodies = []
        while batch := sqs.receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=10, VisibilityTimeout=1
        ).get("Messages"):
            bodies += [json.loads(message["Body"]) for message in batch]
        return bodies


@pytest.fixture(scope="module")
def mailbox(films):
    """Subscribe a queue to the topic of the second stack, and create a rule for its events."""
    topic, sqs, events = films.output("topic_arn"), films.client("sqs"), films.client("events")
    pattern = {
        "source": ["personalize-retraining"],
        "detail-type": ["Retraining Run Report"],
        "detail": {"pipeline": ["retraining-films"]},
    }
    rule = events.put_rule(Name=QUEUE, EventPattern=json.dumps(pattern))["RuleArn"]
    url = sqs.create_queue(QueueName=QUEUE)["QueueUrl"]
    queue_arn = rule.replace(":events:", ":sqs:").replace(f":rule/{QUEUE}", f":{QUEUE}")
    statements = [
        {
            "Effect": "Allow",
            "Principal": {"Service": f"{service}.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue_arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": source}},
        }
        for service, source in (("sns", topic), ("events", rule))
    ]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    subscription = films.client("sns").subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=queue_arn, ReturnSubscriptionArn=True
    )
    events.put_targets(Rule=QUEUE, Targets=[{"Id": "queue", "Arn": queue_arn}])
    yield Mailbox(films, url)
    events.remove_targets(Rule=QUEUE, Ids=["queue"])
    events.delete_rule(Name=QUEUE)
    films.client("sns").unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
    sqs.delete_queue(QueueUrl=url)


def lines(message):
    """Return the lines of a message."""
    return message["Message"].splitlines()


def undelivered(stack, run):
    """Return the log records about reports of a run that were not delivered."""
    return [
        record
        for record in stack.log(run.started_at)
        if record.get("runId") == run.report["runId"] and "undeliveredReports" in record
    ]


def test_a_message_and_an_event_about_a_good_run_arrive(films, mailbox):
    before = films.served_version().rpartition("/")[2]
    run = films.run(datasets=["users"], force=True)
    new = films.served_version().rpartition("/")[2]
    message = mailbox.message_about(run)
    assert message["Subject"] == "DEPLOYED retraining-films: the new version for films is in use"
    assert {name: value["Value"] for name, value in message["MessageAttributes"].items()} == {
        "pipeline": "retraining-films",
        "outcome": "DEPLOYED",
        "trigger": "manual",
    }
    assert f"- films: {new} (before: {before}, DEPLOYED)" in lines(message)
    event = mailbox.event_about(run)
    assert event["detail"] == run.report
    assert undelivered(films, run) == []


def test_a_message_about_a_failed_run_has_the_reason_and_the_command(films, mailbox):
    fault = {"fault": "fail", "job": "solution-version", "of": films.solution_arn}
    films.emulator.control("POST", "faults", fault)
    run = films.run(skipImport=True, force=True)
    assert run.status == "FAILED"
    message = mailbox.message_about(run)
    assert message["Subject"] == "FAILED retraining-films: training of films failed"
    machine = films.output("state_machine_arn")
    assert f"  retrain start --state-machine-arn {machine}" in lines(message)
    (reason,) = [line for line in lines(message) if line.startswith("- training of films: ")]
    (failed,) = mailbox.event_about(run)["detail"]["solutions"]
    assert reason == f"- training of films: {failed['reason']}"


def test_a_run_whose_topic_was_deleted_ends_as_before(films, mailbox):
    topic = films.output("topic_arn")
    sns = films.client("sns")
    sns.delete_topic(TopicArn=topic)
    try:
        run = films.run(skipImport=True)
        assert (run.status, run.report["outcome"]) == ("SUCCEEDED", "SKIPPED")
        (record,) = eventually(lambda: undelivered(films, run), bool)
        assert record["undeliveredReports"] == 1
        assert record["level"] == "ERROR"
        assert f"message to {topic}: " in record["message"]
        assert mailbox.event_about(run)["detail"]["outcome"] == "SKIPPED"
        assert not mailbox.has_message_about(run)
    finally:
        assert sns.create_topic(Name=topic.rpartition(":")[2])["TopicArn"] == topic
