"""Tests of the alarms of a bake: how they are read, whatever their kind."""

from datetime import timedelta

import boto3
from botocore.stub import Stubber

from functions.bake_alarms import read_alarms
from functions.rules.campaigns import Alarm
from tests.functions.samples import NOW


def test_an_alarm_that_is_no_metric_alarm_is_asked_for_as_a_log_alarm():
    since = NOW - timedelta(hours=1)
    responses = {
        "LogAlarm": {"AlarmName": "log", "StateValue": "ALARM", "StateUpdatedTimestamp": since},
        "MetricAlarm": {
            "AlarmName": "5xx",
            "StateValue": "OK",
            "StateTransitionedTimestamp": since,
            "StateUpdatedTimestamp": NOW,  # when CloudWatch last evaluated it
        },
    }
    client = boto3.client("cloudwatch", region_name="eu-west-1")
    with Stubber(client) as stubber:
        for types, names in (
            (["MetricAlarm", "CompositeAlarm"], ["5xx", "log", "gone"]),
            (["LogAlarm"], ["log", "gone"]),
        ):
            found = {f"{kind}s": [responses[kind]] for kind in types if kind in responses}
            request = {"AlarmNames": names, "AlarmTypes": types}
            stubber.add_response("describe_alarms", found, request)
        alarms = read_alarms(client, ["5xx", "log", "gone"])

    assert alarms == [
        Alarm("5xx", "OK", since),
        Alarm("log", "ALARM", since),
        Alarm("gone", "does not exist"),
    ]


def test_an_alarm_that_rings_is_seen_although_another_one_cannot_be_asked_for():
    client = boto3.client("cloudwatch", region_name="eu-west-1")
    ringing = {"AlarmName": "5xx", "StateValue": "ALARM", "StateUpdatedTimestamp": NOW}
    with Stubber(client) as stubber:
        stubber.add_response("describe_alarms", {"MetricAlarms": [ringing]})
        stubber.add_client_error("describe_alarms", "InvalidParameterValue", "no LogAlarm here")
        first, second = read_alarms(client, ["5xx", "gone"])

    assert first == Alarm("5xx", "ALARM", NOW)
    assert "no LogAlarm here" in second.state


def test_an_alarm_that_an_old_boto3_does_not_know_is_not_called_missing():
    client = boto3.client("cloudwatch", region_name="eu-west-1")
    shape = client.meta.service_model.operation_model("DescribeAlarms").output_shape
    del shape.members["LogAlarms"]
    with Stubber(client) as stubber:
        for _ in range(2):
            stubber.add_response("describe_alarms", {})
        (alarm,) = read_alarms(client, ["log"])

    assert alarm.state == "is not a metric alarm or a composite alarm; this boto3 knows no others"
