"""Schedules start state machines as their own roles, when due and when told to."""

import json
import time

import pytest
from botocore.exceptions import ClientError
from small_stack import (
    ACCOUNT,
    REGION,
    allow,
    create_machine,
    create_role,
    create_schedule,
    eventually,
    finished,
    group_arn,
    refusal,
    role_clients,
    trust,
    waiting,
)

import emulator

SLOT = "2026-11-29T02:00:00Z"


def test_firing_fills_in_the_context_and_starts_as_the_schedule_s_role(aws):
    arn = create_machine(aws, "sched-fired", waiting(0))
    attributes = ["schedule-arn", "scheduled-time", "execution-id", "attempt-number"]
    fired = create_schedule(
        aws,
        "sched-fired-by",
        arn,
        allow("states:StartExecution", arn),
        Input=json.dumps({name: f"<aws.scheduler.{name}>" for name in attributes}),
    )
    execution = finished(aws, aws.fire("sched-fired-by", "sched-fired-by", SLOT))
    given = json.loads(execution["input"])
    assert given == {
        "schedule-arn": fired,
        "scheduled-time": SLOT,
        "execution-id": execution["name"].replace("-", "")[:16],
        "attempt-number": "1",
    }
    starts = aws.calls("states:StartExecution")
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/sched-fired-by/{given['execution-id']}"
    assert [call["status"] for call in starts if call["caller"] == session] == [200]


def test_the_next_slot_is_fired_unless_another_is_named(aws):
    arn = create_machine(aws, "sched-next", waiting(0))
    create_schedule(
        aws,
        "sched-next-by",
        arn,
        allow("states:StartExecution", arn),
        Input='{"scheduledTime": "<aws.scheduler.scheduled-time>"}',
    )
    inputs = [
        json.loads(finished(aws, aws.fire("sched-next-by", "sched-next-by"))["input"])
        for _ in range(2)
    ]
    assert inputs[0] != inputs[1], "the second time the slot after it"
    assert all(given["scheduledTime"].endswith(("T01:00:00Z", "T02:00:00Z")) for given in inputs)


def test_a_second_delivery_for_a_slot_finds_the_first_one_s_execution(aws):
    arn = create_machine(aws, "sched-twice", waiting(60))
    create_schedule(aws, "sched-twice-by", arn, allow("states:StartExecution", arn))
    first = aws.fire("sched-twice-by", "sched-twice-by", SLOT)
    second = aws.fire("sched-twice-by", "sched-twice-by", SLOT)
    client = aws.client("stepfunctions")
    assert second == first
    assert len(client.list_executions(stateMachineArn=arn)["executions"]) == 1
    client.stop_execution(executionArn=first)


def dead_letter(aws, url):
    """The one message in a queue, with its attributes."""

    def look():
        return aws.client("sqs").receive_message(QueueUrl=url, MessageAttributeNames=["All"])

    message = eventually(look, lambda answer: "Messages" in answer)["Messages"][0]
    attributes = message["MessageAttributes"].items()
    return message["Body"], {name: value["StringValue"] for name, value in attributes}


def queue(aws, name):
    url = aws.client("sqs").create_queue(QueueName=name)["QueueUrl"]
    return url, f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"


def test_what_cannot_be_delivered_is_a_dead_letter_sent_by_the_role(aws):
    arn = create_machine(aws, "sched-dead", waiting(0))
    url, queue_arn = queue(aws, "sched-dead")
    dead = create_schedule(
        aws,
        "sched-dead-by",
        arn,
        allow("sqs:SendMessage", queue_arn),
        Input='{"at": "<aws.scheduler.scheduled-time>"}',
        DeadLetterConfig={"Arn": queue_arn},
    )
    with pytest.raises(emulator.EmulatorError, match="not authorized") as failed:
        aws.fire("sched-dead-by", "sched-dead-by", SLOT)
    body, attributes = dead_letter(aws, url)
    assert json.loads(body) == {"at": SLOT}
    code, _, message = str(failed.value).partition(": ")
    execution_id = attributes.pop("EXECUTION_ID")
    assert len(execution_id) == 16
    assert attributes == {
        "ERROR_CODE": code,
        "ERROR_MESSAGE": message,
        "EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts",
        "IS_PAYLOAD_TRUNCATED": "false",
        "RETRY_ATTEMPTS": "0",
        "SCHEDULED_TIME": SLOT,
        "SCHEDULE_ARN": dead,
        "TARGET_ARN": arn,
    }
    assert code == "AccessDeniedException"


def test_without_the_permission_to_send_there_is_no_dead_letter(aws):
    arn = create_machine(aws, "sched-lost", waiting(0))
    url, queue_arn = queue(aws, "sched-lost")
    create_schedule(aws, "sched-lost-by", arn, DeadLetterConfig={"Arn": queue_arn})
    with pytest.raises(emulator.EmulatorError, match="not authorized"):
        aws.fire("sched-lost-by", "sched-lost-by", SLOT)
    assert "Messages" not in aws.client("sqs").receive_message(QueueUrl=url)
    sends = aws.calls("sqs:SendMessage")
    refused = [call["status"] for call in sends if "/sched-lost-by/" in call["caller"]]
    assert refused == [403], "it was tried, as the schedule's role"


def test_a_role_that_loses_the_group_s_trust_starts_nothing(aws):
    arn = create_machine(aws, "sched-trust", waiting(0))
    create_schedule(aws, "sched-trust-by", arn, allow("states:StartExecution", arn))
    aws.client("iam").update_assume_role_policy(
        RoleName="sched-trust-by",
        PolicyDocument=trust("scheduler", StringEquals={"aws:SourceArn": group_arn("other")}),
    )
    with pytest.raises(emulator.EmulatorError) as failed:
        aws.fire("sched-trust-by", "sched-trust-by", SLOT)
    assert str(failed.value) == (
        "AccessDeniedException: scheduler.amazonaws.com is not authorized to perform:"
        f" sts:AssumeRole on resource: arn:aws:iam::{ACCOUNT}:role/sched-trust-by"
        f" (aws:SourceArn: {group_arn('sched-trust-by')})"
    )


@pytest.mark.parametrize(
    "trust_policy",
    [
        trust("states"),
        trust("scheduler", StringEquals={"aws:SourceAccount": "210987654321"}),
        trust(
            "scheduler",
            ArnEquals={"aws:SourceArn": f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/default/x"},
        ),
    ],
    ids=["another service", "another account", "the schedule instead of its group"],
)
def test_a_role_that_the_group_may_not_assume_is_refused_at_creation(aws, trust_policy, request):
    name = f"sched-refused-{request.node.callspec.id.replace(' ', '-')[:30]}"
    role_arn = create_role(aws, name, trust_policy)
    with pytest.raises(ClientError) as refused:
        aws.client("scheduler").create_schedule(
            Name="x",
            ScheduleExpression="rate(1 day)",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={"Arn": "arn:aws:states:x", "RoleArn": role_arn},
        )
    assert refused.value.response["Error"] == {
        "Code": "ValidationException",
        "Message": "The execution role you provide must allow AWS EventBridge Scheduler to assume"
        " the role.",
    }


def test_an_expression_that_is_none_is_refused_at_creation(aws):
    role_arn = create_role(aws, "sched-expression", trust("scheduler"))
    with pytest.raises(ClientError, match=r"Invalid Schedule Expression cron\(1 2 3\)\."):
        aws.client("scheduler").create_schedule(
            Name="sched-expression",
            ScheduleExpression="cron(1 2 3)",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={"Arn": "arn:aws:states:x", "RoleArn": role_arn},
        )


def test_a_rate_fires_by_itself_at_once_when_created_and_when_changed(aws):
    arn = create_machine(aws, "sched-rate", waiting(0))
    create_schedule(
        aws,
        "sched-rate-by",
        arn,
        allow("states:StartExecution", arn),
        expression="rate(7 days)",
    )
    client = aws.client("stepfunctions")

    def executions():
        return client.list_executions(stateMachineArn=arn)["executions"]

    eventually(executions, lambda found: len(found) == 1)
    time.sleep(1)  # slots are whole seconds, and one slot is started once
    scheduler = aws.client("scheduler")
    known = scheduler.get_schedule(Name="sched-rate-by", GroupName="sched-rate-by")
    scheduler.update_schedule(
        **{name: known[name] for name in ("Name", "GroupName", "FlexibleTimeWindow", "Target")},
        ScheduleExpression="rate(8 days)",
    )
    eventually(executions, lambda found: len(found) == 2)


def test_a_disabled_schedule_never_fires(aws):
    arn = create_machine(aws, "sched-paused", waiting(0))
    role_arn = create_role(aws, "sched-paused-by", trust("scheduler"), allow("states:*", "*"))
    aws.client("scheduler").create_schedule(
        Name="sched-paused",
        ScheduleExpression="rate(1 minute)",
        FlexibleTimeWindow={"Mode": "OFF"},
        State="DISABLED",
        Target={"Arn": arn, "RoleArn": role_arn},
    )
    with pytest.raises(emulator.EmulatorError) as refused:
        aws.fire("sched-paused")
    assert str(refused.value) == "schedule sched-paused in group default is DISABLED"
    started = create_machine(aws, "sched-running", waiting(0))
    create_schedule(
        aws,
        "sched-running-by",
        started,
        allow("states:StartExecution", started),
        expression="rate(1 minute)",
    )
    client = aws.client("stepfunctions")

    def executions(machine_arn):
        return client.list_executions(stateMachineArn=machine_arn)["executions"]

    eventually(lambda: executions(started), bool)
    assert executions(arn) == [], "it was due before the other one, which has fired"


def test_a_role_may_read_the_schedules_that_its_policy_names_with_their_group(aws):
    arn = create_machine(aws, "sched-read", waiting(0))
    read = create_schedule(aws, "sched-read-by", arn)
    scheduler = role_clients(aws, "sched-reader", allow("scheduler:GetSchedule", read))("scheduler")
    found = scheduler.get_schedule(Name="sched-read-by", GroupName="sched-read-by")
    assert found["Arn"] == read
    code, _ = refusal(scheduler.get_schedule, Name="sched-read-by")
    assert code == "AccessDeniedException", "that would be the group default"


def test_a_schedule_that_is_not_there_is_named(aws):
    with pytest.raises(emulator.EmulatorError) as refused:
        aws.fire("none", "nowhere")
    assert str(refused.value) == "there is no schedule none in group nowhere"


def test_a_target_that_is_no_state_machine_is_refused(aws):
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:any"
    create_schedule(aws, "sched-queue", arn, allow("sqs:SendMessage"))
    with pytest.raises(emulator.EmulatorError) as refused:
        aws.fire("sched-queue", "sched-queue")
    assert str(refused.value) == f"UnsupportedTarget: only state machines, not {arn}"
