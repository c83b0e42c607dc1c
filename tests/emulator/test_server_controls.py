"""Proves the emulator's controls below /_emulator."""

import json
import urllib.request

import pytest
from small_stack import ACCOUNT, REGION

import emulator


def test_health_is_json_with_the_account_and_the_region(aws):
    url = f"{aws.endpoint}/_emulator/health"
    with urllib.request.urlopen(url) as response:  # noqa: S310 - the emulator's URL
        assert response.headers["content-type"] == "application/json"
        document = json.load(response)
    assert document == {"status": "ok", "account": ACCOUNT, "region": REGION}


def test_the_error_of_an_unknown_control_lists_all_controls(aws):
    with pytest.raises(emulator.EmulatorError) as error:
        aws.control("POST", "explode")
    assert str(error.value) == (
        "no POST /_emulator/explode; there are GET /_emulator/health, GET /_emulator/calls,"
        " DELETE /_emulator/calls, POST /_emulator/fire, GET /_emulator/personalize/calls,"
        " GET /_emulator/faults, POST /_emulator/faults, DELETE /_emulator/faults"
    )


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "schedule is missing"),
        ({"schedule": "a", "scheduledTime": "soon"}, "Invalid isoformat string: 'soon'"),
    ],
)
def test_a_control_refuses_an_invalid_document(aws, body, message):
    with pytest.raises(emulator.EmulatorError) as error:
        aws.control("POST", "fire", body)
    assert str(error.value) == message


def test_the_calls_of_every_service_have_an_action_and_a_caller(aws):
    aws.client("iam").list_roles()
    aws.client("logs").describe_log_groups()
    aws.client("scheduler").list_schedules()
    aws.client("cloudwatch").list_metrics()
    root = f"arn:aws:iam::{ACCOUNT}:root"
    for action in (
        "iam:ListRoles",
        "logs:DescribeLogGroups",
        "scheduler:ListSchedules",
        "cloudwatch:ListMetrics",
    ):
        calls = [(call["caller"], call["status"]) for call in aws.calls(action)]
        assert calls[-1:] == [(root, 200)], action
