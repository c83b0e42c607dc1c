"""Proves that schedules start state machines with their roles, when they are due or fired."""

import json
import time

import pytest
from botocore.exceptions import ClientError
from small_stack import (
    ACCOUNT,
    REGION,
    allow,
    create_function,
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
SENDING_CODE = """
import json

import boto3

def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl="{url}", MessageBody=json.dumps(event))
"""


def create_allowed_schedule(aws, name, machine_arn, **fields):
    """Create a schedule whose role may start the state machine."""
    start = allow("states:StartExecution", machine_arn)
    return create_schedule(aws, name, machine_arn, start, **fields)


def executions_of(aws, machine_arn):
    client = aws.client("stepfunctions")
    return client.list_executions(stateMachineArn=machine_arn)["executions"]


# The delivery


def test_a_fired_schedule_fills_in_the_context_and_uses_its_role(aws):
    name = "sched-fired-by"
    machine_arn = create_machine(aws, "sched-fired", waiting(0))
    attributes = ["schedule-arn", "scheduled-time", "execution-id", "attempt-number"]
    target_input = json.dumps({key: f"<aws.scheduler.{key}>" for key in attributes})
    schedule_arn = create_allowed_schedule(aws, name, machine_arn, Input=target_input)
    execution = finished(aws, aws.fire(name, name, SLOT))
    execution_id = execution["name"].replace("-", "")[:16]
    assert json.loads(execution["input"]) == {
        "schedule-arn": schedule_arn,
        "scheduled-time": SLOT,
        "execution-id": execution_id,
        "attempt-number": "1",
    }
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/{execution_id}"
    starts = [call for call in aws.calls("states:StartExecution") if call["caller"] == session]
    assert [call["status"] for call in starts] == [200]


def test_each_fire_without_a_time_uses_the_next_slot(aws):
    name = "sched-next-by"
    machine_arn = create_machine(aws, "sched-next", waiting(0))
    target_input = '{"scheduledTime": "<aws.scheduler.scheduled-time>"}'
    create_allowed_schedule(aws, name, machine_arn, Input=target_input)
    first, second = (
        json.loads(finished(aws, aws.fire(name, name))["input"])["scheduledTime"] for _ in range(2)
    )
    assert first < second
    assert first.endswith(("T01:00:00Z", "T02:00:00Z")), "three o'clock in Berlin"


def test_a_second_delivery_for_a_slot_finds_the_first_execution(aws):
    name = "sched-twice-by"
    machine_arn = create_machine(aws, "sched-twice", waiting(60))
    create_allowed_schedule(aws, name, machine_arn)
    first, second = (aws.fire(name, name, SLOT) for _ in range(2))
    assert second == first
    assert len(executions_of(aws, machine_arn)) == 1
    aws.client("stepfunctions").stop_execution(executionArn=first)


def test_a_role_that_no_longer_trusts_the_group_starts_nothing(aws):
    name = "sched-trust-by"
    machine_arn = create_machine(aws, "sched-trust", waiting(0))
    create_allowed_schedule(aws, name, machine_arn)
    aws.client("iam").update_assume_role_policy(
        RoleName=name,
        PolicyDocument=trust("scheduler", StringEquals={"aws:SourceArn": group_arn("other")}),
    )
    with pytest.raises(emulator.EmulatorError) as error:
        aws.fire(name, name, SLOT)
    assert str(error.value) == (
        "AccessDeniedException: scheduler.amazonaws.com is not authorized to perform:"
        f" sts:AssumeRole on resource: arn:aws:iam::{ACCOUNT}:role/{name}"
        f" (aws:SourceArn: {group_arn(name)})"
    )


def test_a_missing_schedule_is_named(aws):
    with pytest.raises(emulator.EmulatorError) as error:
        aws.fire("none", "nowhere")
    assert str(error.value) == "there is no schedule none in group nowhere"


def test_a_schedule_invokes_a_function_with_its_role_and_does_not_wait(aws):
    name = "sched-function"
    url = aws.client("sqs").create_queue(QueueName=name)["QueueUrl"]
    send = allow("sqs:SendMessage", queue_arn(name))
    function_arn = create_function(aws, name, send, code=SENDING_CODE.format(url=url))
    create_schedule(
        aws,
        f"{name}-by",
        function_arn,
        allow("lambda:InvokeFunction", function_arn),
        Input='{"at": "<aws.scheduler.scheduled-time>"}',
    )
    assert aws.fire(f"{name}-by", f"{name}-by", SLOT) == function_arn
    response = eventually(
        lambda: aws.client("sqs").receive_message(QueueUrl=url),
        lambda response: "Messages" in response,
    )
    assert json.loads(response["Messages"][0]["Body"]) == {"at": SLOT}


def test_a_schedule_without_the_permission_invokes_no_function(aws):
    function_arn = create_function(aws, "sched-denied")
    create_schedule(aws, "sched-denied-by", function_arn, allow("sqs:SendMessage"))
    with pytest.raises(emulator.EmulatorError, match="lambda:InvokeFunction"):
        aws.fire("sched-denied-by", "sched-denied-by", SLOT)


def test_a_target_that_is_no_state_machine_and_no_function_is_refused(aws):
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:any"
    create_schedule(aws, "sched-queue", arn, allow("sqs:SendMessage"))
    with pytest.raises(emulator.EmulatorError) as error:
        aws.fire("sched-queue", "sched-queue")
    assert str(error.value) == f"UnsupportedTarget: no state machine or function: {arn}"


# Dead letters


def queue_arn(name):
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"


def test_an_event_that_cannot_be_delivered_is_a_dead_letter(aws):
    name = "sched-dead"
    url = aws.client("sqs").create_queue(QueueName=name)["QueueUrl"]
    machine_arn = create_machine(aws, "sched-dead-machine", waiting(0))
    schedule_arn = create_schedule(
        aws,
        name,
        machine_arn,
        allow("sqs:SendMessage", queue_arn(name)),
        Input='{"at": "<aws.scheduler.scheduled-time>"}',
        DeadLetterConfig={"Arn": queue_arn(name)},
    )
    with pytest.raises(emulator.EmulatorError, match="not authorized") as error:
        aws.fire(name, name, SLOT)
    response = eventually(
        lambda: aws.client("sqs").receive_message(QueueUrl=url, MessageAttributeNames=["All"]),
        lambda response: "Messages" in response,
    )
    (message,) = response["Messages"]
    assert json.loads(message["Body"]) == {"at": SLOT}
    attributes = {
        key: attribute["StringValue"] for key, attribute in message["MessageAttributes"].items()
    }
    assert len(attributes.pop("EXECUTION_ID")) == 16
    assert attributes == {
        "ERROR_CODE": "AccessDeniedException",
        "ERROR_MESSAGE": str(error.value).removeprefix("AccessDeniedException: "),
        "EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts",
        "IS_PAYLOAD_TRUNCATED": "false",
        "RETRY_ATTEMPTS": "0",
        "SCHEDULED_TIME": SLOT,
        "SCHEDULE_ARN": schedule_arn,
        "TARGET_ARN": machine_arn,
    }


def test_the_dead_letter_is_lost_if_the_role_may_not_send_it(aws):
    name = "sched-lost"
    url = aws.client("sqs").create_queue(QueueName=name)["QueueUrl"]
    machine_arn = create_machine(aws, "sched-lost-machine", waiting(0))
    create_schedule(aws, name, machine_arn, DeadLetterConfig={"Arn": queue_arn(name)})
    with pytest.raises(emulator.EmulatorError, match="not authorized"):
        aws.fire(name, name, SLOT)
    assert "Messages" not in aws.client("sqs").receive_message(QueueUrl=url)
    sends = [call for call in aws.calls("sqs:SendMessage") if f"/{name}/" in call["caller"]]
    assert [call["status"] for call in sends] == [403]


# The creation of a schedule


@pytest.mark.parametrize(
    ("name", "trust_policy"),
    [
        ("service", trust("states")),
        ("account", trust("scheduler", StringEquals={"aws:SourceAccount": "210987654321"})),
        (
            "schedule-instead-of-group",
            trust(
                "scheduler",
                ArnEquals={
                    "aws:SourceArn": f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/default/x"
                },
            ),
        ),
    ],
)
def test_a_role_that_does_not_trust_the_group_is_refused(aws, name, trust_policy):
    role_arn = create_role(aws, f"sched-wrong-{name}", trust_policy)
    assert refusal(
        aws.client("scheduler").create_schedule,
        Name="x",
        ScheduleExpression="rate(1 day)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": "arn:aws:states:x", "RoleArn": role_arn},
    ) == (
        "ValidationException",
        "The execution role you provide must allow AWS EventBridge Scheduler to assume the role.",
    )


def test_an_invalid_expression_is_refused(aws):
    role_arn = create_role(aws, "sched-expression", trust("scheduler"))
    with pytest.raises(ClientError, match=r"Invalid Schedule Expression cron\(1 2 3\)\."):
        aws.client("scheduler").create_schedule(
            Name="sched-expression",
            ScheduleExpression="cron(1 2 3)",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={"Arn": "arn:aws:states:x", "RoleArn": role_arn},
        )


def test_a_role_may_read_the_schedules_of_the_group_that_its_policy_names(aws):
    machine_arn = create_machine(aws, "sched-read", waiting(0))
    schedule_arn = create_schedule(aws, "sched-read-by", machine_arn)
    client = role_clients(aws, "sched-reader", allow("scheduler:GetSchedule", schedule_arn))
    scheduler = client("scheduler")
    schedule = scheduler.get_schedule(Name="sched-read-by", GroupName="sched-read-by")
    assert schedule["Arn"] == schedule_arn
    code, _ = refusal(scheduler.get_schedule, Name="sched-read-by")
    assert code == "AccessDeniedException", "this is a schedule of the group default"


# Time


def test_a_rate_fires_at_once_when_it_is_created_and_when_it_is_changed(aws):
    name = "sched-rate-by"
    machine_arn = create_machine(aws, "sched-rate", waiting(0))
    create_allowed_schedule(aws, name, machine_arn, expression="rate(7 days)")

    def count():
        return len(executions_of(aws, machine_arn))

    eventually(count, lambda number: number == 1)
    time.sleep(1)  # a slot is a whole second, and each slot starts one execution
    scheduler = aws.client("scheduler")
    schedule = scheduler.get_schedule(Name=name, GroupName=name)
    kept = ("Name", "GroupName", "FlexibleTimeWindow", "Target")
    scheduler.update_schedule(
        **{key: schedule[key] for key in kept}, ScheduleExpression="rate(8 days)"
    )
    eventually(count, lambda number: number == 2)


def test_a_disabled_schedule_does_not_fire(aws):
    machine_arn = create_machine(aws, "sched-paused", waiting(0))
    role_arn = create_role(aws, "sched-paused-by", trust("scheduler"), allow("states:*", "*"))
    aws.client("scheduler").create_schedule(
        Name="sched-paused",
        ScheduleExpression="rate(1 minute)",
        FlexibleTimeWindow={"Mode": "OFF"},
        State="DISABLED",
        Target={"Arn": machine_arn, "RoleArn": role_arn},
    )
    with pytest.raises(emulator.EmulatorError) as error:
        aws.fire("sched-paused")
    assert str(error.value) == "schedule sched-paused in group default is DISABLED"
    later_machine = create_machine(aws, "sched-running", waiting(0))
    create_allowed_schedule(aws, "sched-running-by", later_machine, expression="rate(1 minute)")
    eventually(lambda: executions_of(aws, later_machine), bool)
    assert executions_of(aws, machine_arn) == [], "it would have fired before the later schedule"
