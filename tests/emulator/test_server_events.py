"""Proves that rules of EventBridge reach queues and topics as their policies say."""

import json

import pytest
from small_stack import ACCOUNT, REGION, allowing, create_queue, eventually, received, refusal


@pytest.mark.parametrize("action", ["sqs:SendMessage", "sns:Publish"])
def test_an_event_reaches_a_target_only_if_its_policy_allows_the_rule(aws, action):
    name, sqs, sns = f"ev-{action[:3]}", aws.client("sqs"), aws.client("sns")
    url, queue = create_queue(aws, name)
    topic = sns.create_topic(Name=name)["TopicArn"]
    target = {"sqs:SendMessage": queue, "sns:Publish": topic}[action]
    events = aws.client("events")
    rule = events.put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))["RuleArn"]
    events.put_targets(Rule=name, Targets=[{"Id": "1", "Arn": target}])
    if target == topic:
        policy = allowing("sns", "sqs:SendMessage", topic)
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)

    def put_event():
        events.put_events(Entries=[{"Source": name, "DetailType": "it", "Detail": "{}"}])

    def allow(source):
        policy = {"Policy": allowing("events", action, source)}
        if target == topic:
            value = policy["Policy"]
            sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=value)
        else:
            sqs.set_queue_attributes(QueueUrl=url, Attributes=policy)

    def refusals():
        return len([call for call in aws.calls(action) if call["caller"] == rule])

    put_event()
    assert eventually(refusals, bool) == 1, "the default policy does not allow EventBridge"
    allow(f"{rule}-2")
    put_event()
    assert eventually(refusals, lambda count: count > 1) == 2, "only another rule may"
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    allow(rule)
    put_event()
    assert len(received(aws, url)) == 1


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
