"""The schedule: when it starts what, as whom, and what becomes of a start that fails."""

import json

from tests.components.conftest import deploy
from tests.components.documents import GROUP, MACHINE, QUEUE, allow, document, trust
from tests.components.sample import BOUNDARY, KEY, NAME, minimal

SCHEDULE = "aws:scheduler/schedule:Schedule"
GROUP_TYPE = "aws:scheduler/scheduleGroup:ScheduleGroup"
QUEUE_TYPE = "aws:sqs/queue:Queue"
TAGS = {"team": "discovery", "retraining-pipeline": NAME}


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
            "input": json.dumps(
                {
                    "trigger": "schedule",
                    "scheduledTime": "<aws.scheduler.scheduled-time>",
                    "scheduleArn": "<aws.scheduler.schedule-arn>",
                }
            ),
            "retryPolicy": {"maximumEventAgeInSeconds": 3600, "maximumRetryAttempts": 30},
            "deadLetterConfig": {"arn": QUEUE},
        },
    }


def test_without_pause_the_schedule_is_enabled_and_weekly_in_utc(least):
    inputs = least.one(SCHEDULE, f"{NAME}-schedule").inputs
    assert {
        key: inputs[key] for key in ("state", "scheduleExpression", "scheduleExpressionTimezone")
    } == {
        "state": "ENABLED",
        "scheduleExpression": "rate(7 days)",
        "scheduleExpressionTimezone": "UTC",
    }


def test_the_group_has_a_name_of_its_own_and_the_tags(deployed):
    assert deployed.one(GROUP_TYPE, NAME).inputs == {"tags": TAGS}


def test_the_schedules_role_is_for_schedules_of_the_group_alone(deployed):
    role = deployed.one("aws:iam/role:Role", f"{NAME}-schedule")
    assert deployed.trust(f"{NAME}-schedule") == trust(
        "scheduler",
        StringEquals={"aws:SourceAccount": "123456789012", "aws:SourceArn": GROUP},
    )
    assert (role.inputs["permissionsBoundary"], role.inputs["tags"]) == (BOUNDARY, TAGS)


def test_the_schedules_role_may_start_the_machine_and_fill_the_encrypted_queue(deployed):
    assert deployed.policy(f"{NAME}-schedule") == document(
        allow(["states:StartExecution"], [MACHINE]),
        allow(["sqs:SendMessage"], [QUEUE]),
        allow(["kms:GenerateDataKey", "kms:Decrypt"], [KEY]),
    )


def test_without_a_key_the_schedules_role_may_use_none(least):
    assert least.policy(f"{NAME}-schedule") == document(
        allow(["states:StartExecution"], [MACHINE]),
        allow(["sqs:SendMessage"], [QUEUE]),
    )


def test_the_schedules_policy_belongs_to_its_role(deployed):
    policy = deployed.one("aws:iam/rolePolicy:RolePolicy", f"{NAME}-schedule")
    assert policy.inputs["role"] == f"{NAME}-schedule-1234567"


def test_the_queue_keeps_for_14_days_and_is_encrypted_with_the_key(deployed):
    assert deployed.one(QUEUE_TYPE, f"{NAME}-dead-letters").inputs == {
        "messageRetentionSeconds": 14 * 24 * 3600,
        "kmsMasterKeyId": KEY,
        "tags": TAGS,
    }


def test_without_a_key_the_queue_is_encrypted_by_sqs_itself(least):
    assert least.one(QUEUE_TYPE, f"{NAME}-dead-letters").inputs == {
        "messageRetentionSeconds": 14 * 24 * 3600,
        "sqsManagedSseEnabled": True,
        "tags": {"retraining-pipeline": NAME},
    }


def test_a_rate_is_written_as_scheduler_wants_it():
    engine = deploy(lambda: minimal(retraining_rate="1 day"))
    inputs = engine.one(SCHEDULE, f"{NAME}-schedule").inputs
    assert inputs["scheduleExpression"] == "rate(1 day)"
