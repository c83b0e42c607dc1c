"""Proves that `close_run` is called for executions that may have ended without a report."""

import json

from tests.components.documents import (
    DASHBOARD_URL,
    MACHINE,
    ROLE_POLICY,
    TAGS,
    TOPIC,
    function_arn,
)
from tests.components.sample import NAME

CLOSE_RUN = f"{NAME}-close-run"
EVENT_TARGET = "aws:cloudwatch/eventTarget:EventTarget"
PERMISSION = "aws:lambda/permission:Permission"


def test_the_rule_matches_the_executions_of_this_state_machine_that_did_not_succeed(deployed):
    inputs = dict(deployed.one("aws:cloudwatch/eventRule:EventRule", CLOSE_RUN).inputs)
    assert json.loads(inputs.pop("eventPattern")) == {
        "source": ["aws.states"],
        "detail-type": ["Step Functions Execution Status Change"],
        "detail": {
            "stateMachineArn": [MACHINE],
            "status": ["FAILED", "TIMED_OUT", "ABORTED"],
        },
    }
    assert inputs == {
        "description": "Executions that may have ended without a report",
        "tags": TAGS,
    }


def test_the_rule_calls_close_run(deployed):
    inputs = dict(deployed.one(EVENT_TARGET, CLOSE_RUN).inputs)
    del inputs["inputTransformer"]
    assert inputs == {"rule": f"{CLOSE_RUN}-1234567", "arn": function_arn("close-run")}


def test_close_run_gets_the_execution_and_where_to_send_its_report(deployed):
    transformer = deployed.one(EVENT_TARGET, CLOSE_RUN).inputs["inputTransformer"]
    assert transformer["inputPaths"] == {
        field: f"$.detail.{field}" for field in ("executionArn", "startDate", "stopDate")
    }
    values = {"executionArn": '"arn"', "startDate": "1", "stopDate": "2"}
    text = transformer["inputTemplate"]
    for field, value in values.items():
        text = text.replace(f"<{field}>", value)
    assert json.loads(text) == {
        "detail": {"executionArn": "arn", "startDate": 1, "stopDate": 2},
        "pipeline": NAME,
        "notifications": {"topicArn": TOPIC, "on": "problems", "dashboardUrl": DASHBOARD_URL},
    }


def test_only_this_rule_may_call_close_run(deployed):
    permissions = deployed.all_of(PERMISSION)
    assert {name: permission.inputs for name, permission in permissions.items()} == {
        CLOSE_RUN: {
            "action": "lambda:InvokeFunction",
            "function": f"{CLOSE_RUN}-1234567",
            "principal": "events.amazonaws.com",
            "sourceArn": f"arn:aws:events:eu-west-1:123456789012:rule/{CLOSE_RUN}-1234567",
        }
    }


def test_the_rule_calls_close_run_only_when_all_permissions_exist(deployed):
    required = {
        deployed.one(PERMISSION, CLOSE_RUN).urn,
        deployed.one(ROLE_POLICY, f"{CLOSE_RUN}-executions").urn,
    }
    assert required <= deployed.one(EVENT_TARGET, CLOSE_RUN).dependencies
