"""Proves that an alarm of the emulator sends its messages, and records whether it could.

Does not prove when CloudWatch evaluates an alarm. The emulator does so when a value is put.
"""

import json

import pytest
from small_stack import allowing, create_queue, received

DELETED_TOPIC = "arn:aws:sns:eu-west-1:123456789012:deleted"


@pytest.fixture(scope="module")
def queue(aws):
    """Return the URL of a queue and the ARN of a topic that sends its messages to the queue."""
    sqs, sns = aws.client("sqs"), aws.client("sns")
    url, arn = create_queue(aws, "alarms")
    topic = sns.create_topic(Name="alarms")["TopicArn"]
    policy = allowing("sns", "sqs:SendMessage", topic)
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return url, topic


def put_alarm(aws, name, *actions):
    """Create an alarm with these actions."""
    aws.client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        AlarmActions=actions,
        MetricName="Errors",
        Namespace="Sample",
        Statistic="Sum",
        Period=60,
    )


def set_to_alarm(aws, name):
    state = {"StateValue": "ALARM", "StateReason": "a test"}
    aws.client("cloudwatch").set_alarm_state(AlarmName=name, **state)


def alarm_message(aws, url):
    """Take the alarm's message from a queue."""
    (message,) = received(aws, url)
    return json.loads(json.loads(message["Body"])["Message"])


def actions(aws, name):
    """Return the actions in the history of an alarm, the newest first."""
    items = aws.client("cloudwatch").describe_alarm_history(
        AlarmName=name, HistoryItemType="Action"
    )["AlarmHistoryItems"]
    return [item["HistorySummary"] for item in items]


def test_a_value_above_the_threshold_sends_the_message_of_the_alarm(aws, queue):
    url, topic = queue
    put_alarm(aws, "errors", topic)
    data = [{"MetricName": "Errors", "Value": 3}]
    aws.client("cloudwatch").put_metric_data(Namespace="Sample", MetricData=data)
    message = alarm_message(aws, url)
    assert (message["AlarmName"], message["NewStateValue"]) == ("errors", "ALARM")
    assert actions(aws, "errors") == [f"Successfully executed action {topic}"]


def test_an_action_on_a_topic_that_does_not_exist_fails_in_the_history(aws):
    put_alarm(aws, "lost", DELETED_TOPIC)
    set_to_alarm(aws, "lost")
    assert actions(aws, "lost") == [
        f'Failed to execute action {DELETED_TOPIC}. Received error: "Resource does not exist"'
    ]
