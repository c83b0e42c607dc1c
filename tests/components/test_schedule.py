"""Proves when the schedules start what, with which roles, and where a failed start goes."""

import json

from components.schedule import EXECUTION_INPUT
from tests.components.documents import (
    GROUP,
    INVOCATION,
    MACHINE,
    QUEUE,
    QUEUE_TYPE,
    ROLE_POLICY,
    SCHEDULE,
    SCHEDULE_GROUP,
    TAGS,
    allow,
    document,
    function_arn,
    trust,
)
from tests.components.sample import KEY, NAME


def test_the_schedule_has_exactly_these_inputs(deployed):
    assert deployed.one(SCHEDULE, f"{NAME}-schedule").inputs == {
        "groupName": f"{NAME}-1234567",
        "scheduleExpression": "cron(0 3 ? * MON *)",
        "scheduleExpressionTimezone": "Europe/Berlin",
        "state": "DISABLED",
        "flexibleTimeWindow": {"mode": "OFF"},
        "target": {
            "arn": MACHINE,
            "roleArn": f"arn:aws:iam::123456789012:role/{NAME}-schedule-1234567",
            "input": json.dumps(EXECUTION_INPUT),
            "retryPolicy": {"maximumEventAgeInSeconds": 3600, "maximumRetryAttempts": 30},
            "deadLetterConfig": {"arn": QUEUE},
        },
    }


def test_the_input_is_equal_in_two_deliveries_of_an_event():
    assert EXECUTION_INPUT == {
        "trigger": "schedule",
        "scheduledTime": "<aws.scheduler.scheduled-time>",
        "scheduleArn": "<aws.scheduler.schedule-arn>",
    }


def test_by_default_the_schedule_is_enabled_and_weekly_in_utc(smallest):
    inputs = smallest.one(SCHEDULE, f"{NAME}-schedule").inputs
    assert (
        inputs["state"],
        inputs["scheduleExpression"],
        inputs["scheduleExpressionTimezone"],
    ) == ("ENABLED", "rate(7 days)", "UTC")


def test_pulumi_names_the_group(deployed):
    assert deployed.one(SCHEDULE_GROUP, NAME).inputs == {"tags": TAGS}


def test_only_schedules_of_the_group_assume_the_role(deployed):
    assert deployed.trust(f"{NAME}-schedule") == trust(
        "scheduler",
        StringEquals={"aws:SourceAccount": "123456789012", "aws:SourceArn": GROUP},
    )


def test_the_role_may_start_executions_and_send_to_the_encrypted_queue(deployed):
    assert deployed.policy(f"{NAME}-schedule") == document(
        allow(["states:StartExecution"], [MACHINE]),
        allow(["sqs:SendMessage"], [QUEUE]),
        allow(["kms:GenerateDataKey", "kms:Decrypt"], [KEY]),
    )


def test_without_a_key_the_role_has_no_permissions_on_keys(smallest):
    assert smallest.policy(f"{NAME}-schedule") == document(
        allow(["states:StartExecution"], [MACHINE]),
        allow(["sqs:SendMessage"], [QUEUE]),
    )


def test_the_queue_keeps_messages_for_14_days_and_is_encrypted_with_the_key(deployed):
    assert deployed.one(QUEUE_TYPE, f"{NAME}-dead-letters").inputs == {
        "messageRetentionSeconds": 14 * 24 * 3600,
        "kmsMasterKeyId": KEY,
        "tags": TAGS,
    }


def test_without_a_key_sqs_encrypts_the_queue(smallest):
    assert smallest.one(QUEUE_TYPE, f"{NAME}-dead-letters").inputs == {
        "messageRetentionSeconds": 14 * 24 * 3600,
        "sqsManagedSseEnabled": True,
        "tags": {"retraining-pipeline": NAME},
    }


# The age of the models

MEASUREMENT = f"{NAME}-measure-model-age"
EVENT = json.dumps({"stateMachineArn": MACHINE})


def test_the_ages_are_measured_every_hour_even_while_the_pipeline_is_paused(deployed):
    assert deployed.one(SCHEDULE, f"{NAME}-schedule").inputs["state"] == "DISABLED"
    assert deployed.one(SCHEDULE, MEASUREMENT).inputs == {
        "groupName": f"{NAME}-1234567",
        "scheduleExpression": "rate(1 hour)",
        "flexibleTimeWindow": {"mode": "OFF"},
        "target": {
            "arn": function_arn("measure-model-age"),
            "roleArn": f"arn:aws:iam::123456789012:role/{NAME}-model-age-1234567",
            "input": EVENT,
            "retryPolicy": {"maximumEventAgeInSeconds": 900, "maximumRetryAttempts": 5},
        },
    }


def test_only_schedules_of_the_group_invoke_the_measuring_function_with_the_role(deployed):
    assert deployed.trust(f"{NAME}-model-age") == deployed.trust(f"{NAME}-schedule")
    assert deployed.policy(f"{NAME}-model-age") == document(
        allow(["lambda:InvokeFunction"], [function_arn("measure-model-age")])
    )


def test_the_ages_are_measured_once_during_the_deployment(deployed):
    assert deployed.one(INVOCATION, MEASUREMENT).inputs == {
        "functionName": f"{MEASUREMENT}-1234567",
        "input": EVENT,
    }


def test_nothing_is_measured_before_the_function_may_read(deployed):
    policies = [
        deployed.one(ROLE_POLICY, name).urn for name in (MEASUREMENT, f"{MEASUREMENT}-executions")
    ]
    for type_ in (INVOCATION, SCHEDULE):
        assert set(policies) <= deployed.one(type_, MEASUREMENT).dependencies
