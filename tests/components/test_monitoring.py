"""What notices a run that ended without its report."""

import json

from tests.components.documents import MACHINE, function_arn
from tests.components.sample import NAME

CLOSE_RUN = f"{NAME}-close-run"
RULE_ARN = f"arn:aws:events:eu-west-1:123456789012:rule/{CLOSE_RUN}-1234567"


def test_the_rule_matches_just_the_bad_ends_of_this_state_machine(deployed):
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
        "tags": {"team": "discovery", "retraining-pipeline": NAME},
    }


def test_the_rule_calls_close_run(deployed):
    assert deployed.one("aws:cloudwatch/eventTarget:EventTarget", CLOSE_RUN).inputs == {
        "rule": f"{CLOSE_RUN}-1234567",
        "arn": function_arn("close-run"),
    }


def test_this_rule_alone_may_call_close_run(deployed):
    permissions = deployed.all_of("aws:lambda/permission:Permission")
    assert {name: each.inputs for name, each in permissions.items()} == {
        CLOSE_RUN: {
            "action": "lambda:InvokeFunction",
            "function": f"{CLOSE_RUN}-1234567",
            "principal": "events.amazonaws.com",
            "sourceArn": RULE_ARN,
        }
    }


def test_the_rule_calls_only_once_it_may_and_close_run_can_read(deployed):
    target = deployed.one("aws:cloudwatch/eventTarget:EventTarget", CLOSE_RUN)
    before = {
        deployed.one("aws:lambda/permission:Permission", CLOSE_RUN).urn,
        deployed.one("aws:iam/rolePolicy:RolePolicy", f"{CLOSE_RUN}-executions").urn,
    }
    assert before <= target.dependencies
