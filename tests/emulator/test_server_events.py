"""Proves that rules of EventBridge reach queues and topics as their policies say."""

import json

import pytest
from small_stack import ACCOUNT, REGION, eventually, policy, refusal


def allowing(service, action, source):
    """Return a resource policy that lets a service do an action for the resource `source`."""
    return policy(
        {
            "Effect": "Allow",
            "Principal": {"Service": f"{service}.amazonaws.com"},
            "Action": action,
            "Resource": "*",
            "Condition": {"ArnEquals": {"aws:SourceArn": source}},
        }
    )


class Queue:
    """A queue as the target of a rule."""

    action = "sqs:SendMessage"

    def __init__(self, aws):
        self.client, self.arn = aws.client("sqs"), f"arn:aws:sqs:{REGION}:{ACCOUNT}:ev-sqs"
        self.url = self.client.create_queue(QueueName="ev-sqs")["QueueUrl"]

    def set_policy(self, document):
        """Replace the resource policy."""
        self.client.set_queue_attributes(QueueUrl=self.url, Attributes={"Policy": document})

    def has_message(self):
        """Return True if an event has arrived. It is received only once."""
        return "Messages" in self.client.receive_message(QueueUrl=self.url)


class Topic:
    """A topic as the target of a rule. It has a queue as its subscriber."""

    action = "sns:Publish"

    def __init__(self, aws):
        self.client, self.queue = aws.client("sns"), Queue(aws)
        self.arn = self.client.create_topic(Name="ev-sns")["TopicArn"]
        self.queue.set_policy(allowing("sns", Queue.action, self.arn))
        self.client.subscribe(TopicArn=self.arn, Protocol="sqs", Endpoint=self.queue.arn)

    def set_policy(self, document):
        """Replace the resource policy."""
        self.client.set_topic_attributes(
            TopicArn=self.arn, AttributeName="Policy", AttributeValue=document
        )

    def has_message(self):
        """Return True if an event has arrived. It is received only once."""
        return self.queue.has_message()


@pytest.mark.parametrize("kind", [Queue, Topic])
def test_an_event_reaches_a_target_only_if_its_policy_allows_the_rule(aws, kind):
    target, name = kind(aws), f"ev-{kind.__name__}"
    events = aws.client("events")
    rule = events.put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))["RuleArn"]
    events.put_targets(Rule=name, Targets=[{"Id": "1", "Arn": target.arn}])

    def put_event():
        events.put_events(Entries=[{"Source": name, "DetailType": "it", "Detail": "{}"}])

    def refusals():
        return len([call for call in aws.calls(target.action) if call["caller"] == rule])

    put_event()
    assert eventually(refusals, bool) == 1, "the default policy does not allow EventBridge"
    target.set_policy(allowing("events", target.action, f"{rule}-2"))
    put_event()
    assert eventually(refusals, lambda count: count > 1) == 2, "only another rule may"
    assert not target.has_message()
    target.set_policy(allowing("events", target.action, rule))
    put_event()
    assert eventually(target.has_message, bool)


@pytest.mark.parametrize("arn", [f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:any", "queue"])
def test_a_target_that_would_get_no_events_is_refused(aws, arn):
    events = aws.client("events")
    events.put_rule(Name="ev-other", EventPattern=json.dumps({"source": ["ev"]}))
    code, message = refusal(events.put_targets, Rule="ev-other", Targets=[{"Id": "1", "Arn": arn}])
    assert code == "ValidationException"
    assert message == (
        f"Targets: {arn!r} is not supported, only a Lambda function, an SQS queue or an SNS topic;"
        " a function can call other services"
    )
