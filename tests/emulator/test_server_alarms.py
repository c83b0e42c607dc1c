"""Proves that an alarm of the emulator sends its messages, and records whether it could.

Does not prove when CloudWatch evaluates an alarm. The emulator does so when a value is put.
"""

import json

import pytest

DELETED_TOPIC = "arn:aws:sns:eu-west-1:123456789012:deleted"


@pytest.fixture
def queue(aws):
    """Return the URL of a queue and the ARN of a topic that sends its messages to the queue."""
    sqs, sns = aws.client("sqs"), aws.client("sns")
    url = sqs.create_queue(QueueName="alarms")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    topic = sns.create_topic(Name="alarms")["TopicArn"]
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn["QueueArn"],
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn["QueueArn"])
    yield url, topic
    sns.delete_topic(TopicArn=topic)
    sqs.delete_queue(QueueUrl=url)


@pytest.fixture
def put_alarm(aws):
    """Return a function that creates an alarm with these actions and other inputs."""
    cloudwatch = aws.client("cloudwatch")

    def put_alarm(name, *actions, **inputs):
        metric = {"MetricName": "Errors", "Namespace": "Sample", "Statistic": "Sum", "Period": 60}
        cloudwatch.put_metric_alarm(
            AlarmName=name,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanOrEqualToThreshold",
            AlarmActions=actions,
            **(inputs or metric),
        )
        names.append(name)

    names = []
    yield put_alarm
    cloudwatch.delete_alarms(AlarmNames=names)


def received(aws, url):
    """Return the alarms' messages in a queue."""
    response = aws.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10)
    bodies = [json.loads(message["Body"]) for message in response.get("Messages", [])]
    return [json.loads(body["Message"]) for body in bodies]


def actions(aws, name):
    """Return the actions in the history of an alarm, the newest first."""
    items = aws.client("cloudwatch").describe_alarm_history(
        AlarmName=name, HistoryItemType="Action"
    )["AlarmHistoryItems"]
    return [item["HistorySummary"] for item in items]


def test_a_value_above_the_threshold_sends_the_message_of_the_alarm(aws, queue, put_alarm):
    url, topic = queue
    put_alarm("errors", topic)
    aws.client("cloudwatch").put_metric_data(
        Namespace="Sample", MetricData=[{"MetricName": "Errors", "Value": 3}]
    )
    (message,) = received(aws, url)
    assert (message["AlarmName"], message["NewStateValue"]) == ("errors", "ALARM")
    assert actions(aws, "errors") == [f"Successfully executed action {topic}"]


def test_an_alarm_on_metric_math_can_be_set_to_alarm(aws, queue, put_alarm):
    url, topic = queue
    metric = {"Metric": {"Namespace": "Sample", "MetricName": "Age"}, "Period": 60, "Stat": "Sum"}
    queries = [
        {"Id": "age", "Expression": "FILL(m1, 1)", "ReturnData": True},
        {"Id": "m1", "MetricStat": metric, "ReturnData": False},
    ]
    put_alarm("age", topic, Metrics=queries)
    aws.client("cloudwatch").set_alarm_state(
        AlarmName="age", StateValue="ALARM", StateReason="a test"
    )
    (message,) = received(aws, url)
    assert (message["AlarmName"], message["NewStateReason"]) == ("age", "a test")


def test_an_action_on_a_topic_that_does_not_exist_fails_in_the_history(aws, put_alarm):
    put_alarm("lost", DELETED_TOPIC)
    aws.client("cloudwatch").set_alarm_state(
        AlarmName="lost", StateValue="ALARM", StateReason="a test"
    )
    assert actions(aws, "lost") == [
        f'Failed to execute action {DELETED_TOPIC}. Received error: "Resource does not exist"'
    ]
