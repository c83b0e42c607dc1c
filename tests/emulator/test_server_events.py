"""Proves that rules and alarms reach queues and topics as their policies say, and the controls.

Does not prove when CloudWatch evaluates an alarm. The emulator does so when a value is put.
"""

import json

import pytest
from small_stack import ACCOUNT, REGION, allowing, create_queue, eventually, received, refusal

import emulator

CONTROLS = (
    "GET /_emulator/health, GET /_emulator/calls, DELETE /_emulator/calls, POST /_emulator/fire, "
    "POST /_emulator/train, POST /_emulator/skip, GET /_emulator/faults, POST /_emulator/faults, "
    "DELETE /_emulator/faults"
)
NO_SOLUTION = f"arn:aws:personalize:{REGION}:{ACCOUNT}:solution/none"
DELETED_TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:deleted"


def create_topic_with_queue(aws, name):
    """Create a topic that sends its messages to a queue. Return the queue's URL and both ARNs."""
    sqs = aws.client("sqs")
    sns = aws.client("sns")
    url, queue = create_queue(aws, name)
    topic = sns.create_topic(Name=name)["TopicArn"]
    policy = allowing("sns", "sqs:SendMessage", topic)
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    return url, queue, topic


@pytest.mark.parametrize("action", ["sqs:SendMessage", "sns:Publish"])
def test_an_event_reaches_a_target_only_if_its_policy_allows_the_rule(aws, action):
    name = f"ev-{action[:3]}"
    sqs = aws.client("sqs")
    sns = aws.client("sns")
    url, queue, topic = create_topic_with_queue(aws, name)
    is_topic = action == "sns:Publish"
    if not is_topic:
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})
    events = aws.client("events")
    rule = events.put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))["RuleArn"]
    events.put_targets(Rule=name, Targets=[{"Id": "1", "Arn": topic if is_topic else queue}])

    def allow(source):
        policy = allowing("events", action, source)
        if is_topic:
            attribute = {"AttributeName": "Policy", "AttributeValue": policy}
            sns.set_topic_attributes(TopicArn=topic, **attribute)
        else:
            sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})

    def refusals():
        return len([call for call in aws.calls(action) if call["caller"] == rule])

    for count, source in enumerate((None, f"{rule}-2", rule)):
        if source:
            allow(source)
        events.put_events(Entries=[{"Source": name, "DetailType": "it", "Detail": "{}"}])
        if source != rule:  # by default, and if only another rule is allowed
            assert eventually(refusals, lambda found, count=count: found > count) == count + 1
            assert "Messages" not in sqs.receive_message(QueueUrl=url)
    assert len(received(aws, url)) == 1


@pytest.mark.parametrize("arn", [f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:any", "queue"])
def test_a_target_that_would_get_no_events_is_refused(aws, arn):
    events = aws.client("events")
    events.put_rule(Name="ev-other", EventPattern=json.dumps({"source": ["ev"]}))
    assert refusal(events.put_targets, Rule="ev-other", Targets=[{"Id": "1", "Arn": arn}]) == (
        "ValidationException",
        (
            f"Targets: {arn!r} is not supported, only a Lambda function, an SQS queue or an SNS"
            " topic; a function can call other services"
        ),
    )


def test_an_alarm_sends_its_message_and_records_if_it_could(aws):
    url, _, topic = create_topic_with_queue(aws, "alarms")
    cloudwatch = aws.client("cloudwatch")
    metric = {"MetricName": "Errors", "Namespace": "Sample", "Statistic": "Sum", "Period": 60}
    rule = {"EvaluationPeriods": 1, "Threshold": 1}
    rule["ComparisonOperator"] = "GreaterThanOrEqualToThreshold"
    for name, action in (("errors", topic), ("lost", DELETED_TOPIC)):
        cloudwatch.put_metric_alarm(AlarmName=name, AlarmActions=[action], **metric, **rule)

    def actions(name):
        history = cloudwatch.describe_alarm_history(AlarmName=name, HistoryItemType="Action")
        return [item["HistorySummary"] for item in history["AlarmHistoryItems"]]

    data = [{"MetricName": "Errors", "Value": 3}]
    cloudwatch.put_metric_data(Namespace="Sample", MetricData=data)
    (message,) = received(aws, url)
    content = json.loads(json.loads(message["Body"])["Message"])
    assert (content["AlarmName"], content["NewStateValue"]) == ("errors", "ALARM")
    assert actions("errors") == [f"Successfully executed action {topic}"]
    cloudwatch.set_alarm_state(AlarmName="lost", StateValue="ALARM", StateReason="a test")
    assert actions("lost") == [
        f'Failed to execute action {DELETED_TOPIC}. Received error: "Resource does not exist"'
    ]


# The controls below /_emulator


@pytest.mark.parametrize(
    "path, body, message",
    [
        (
            "explode",
            None,
            f"no POST /_emulator/explode; there are {CONTROLS}",
        ),
        ("fire", {}, "schedule is missing"),
        (
            "train",
            {"solutionArn": NO_SOLUTION},
            f"ResourceNotFoundException: Resource Arn {NO_SOLUTION} does not exist.",
        ),
        ("fire", {"schedule": "a", "scheduledTime": "x"}, "Invalid isoformat string: 'x'"),
    ],
)
def test_a_control_refuses_an_invalid_request(aws, path, body, message):
    with pytest.raises(emulator.EmulatorError) as error:
        aws.control("POST", path, body)
    assert str(error.value) == message
