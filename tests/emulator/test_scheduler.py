"""Proves that schedules start state machines with their roles, when they are due or fired."""

import datetime as dt
import itertools
import json

import pytest
import small_stack as s
from ruamel.yaml import YAML

import emulator
from emulator.server import scheduler as scheduler_module
from emulator.server.scheduler import find_due_deliveries
from emulator.server.slots import find_next_slot

SLOT = "2026-11-29T02:00:00Z"
ATTRIBUTES = ("schedule-arn", "scheduled-time", "execution-id", "attempt-number")
SENDING_CODE = """
import json

import boto3

def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl="{url}", MessageBody=json.dumps(event))
"""


def create_allowed_schedule(aws, name, seconds=0, **fields):
    """Create a machine that waits, and a schedule whose role may start it. Return both ARNs."""
    machine_arn = s.create_machine(aws, f"{name}-machine", s.waiting(seconds))
    start = s.allow("states:StartExecution", machine_arn)
    return machine_arn, s.create_schedule(aws, name, machine_arn, start, **fields)


def executions_of(aws, machine_arn):
    client = aws.client("stepfunctions")
    return client.list_executions(stateMachineArn=machine_arn)["executions"]


def error_of(fire, *arguments):
    """Return the message with which a schedule is not fired."""
    with pytest.raises(emulator.EmulatorError) as error:
        fire(*arguments)
    return str(error.value)


# The delivery


def test_a_fired_schedule_fills_in_the_context_and_uses_its_role(aws):
    name = "sched-fired"
    target_input = json.dumps({key: f"<aws.scheduler.{key}>" for key in ATTRIBUTES})
    states = aws.client("stepfunctions")
    machine_arn, schedule_arn = create_allowed_schedule(aws, name, seconds=60, Input=target_input)
    first, again = (aws.fire(name, name, SLOT) for _ in range(2))
    assert again == first, "a second delivery for a slot finds the first execution"

    execution = states.describe_execution(executionArn=first)
    values = (schedule_arn, SLOT, execution["name"], "1")
    assert json.loads(execution["input"]) == dict(zip(ATTRIBUTES, values, strict=True))

    session = f"arn:aws:sts::{s.ACCOUNT}:assumed-role/{name}/{execution['name']}"
    starts = [call for call in aws.calls("states:StartExecution") if call["caller"] == session]
    assert [call["status"] for call in starts] == [200, 200]

    run = states.describe_execution(executionArn=aws.fire(name, name))
    slot = dt.datetime.fromisoformat(json.loads(run["input"])["scheduled-time"])
    assert abs(run["startDate"] - slot) < dt.timedelta(seconds=10), "by default it is now"
    assert len(executions_of(aws, machine_arn)) == 2

    states.delete_state_machine(stateMachineArn=machine_arn)
    aws.client("iam").update_assume_role_policy(
        RoleName=name,
        PolicyDocument=s.trust("scheduler", StringEquals={"aws:SourceArn": s.group_arn("other")}),
    )
    assert error_of(aws.fire, name, name, SLOT) == (
        "AccessDeniedException: scheduler.amazonaws.com is not authorized to perform:"
        f" sts:AssumeRole on resource: arn:aws:iam::{s.ACCOUNT}:role/{name}"
        f" (aws:SourceArn: {s.group_arn(name)})"
    )
    assert error_of(aws.fire, "none", "away") == "there is no schedule none in group away"


def test_a_schedule_invokes_a_function_with_its_role_and_does_not_wait(aws):
    name = "sched-function"
    url, queue_arn = s.create_queue(aws, name)
    send = s.allow("sqs:SendMessage", queue_arn)
    function_arn = s.create_function(aws, name, send, code=SENDING_CODE.format(url=url))
    by = f"{name}-by"
    invoke = s.allow("lambda:InvokeFunction", function_arn)
    s.create_schedule(
        aws, by, function_arn, invoke, Input='{"at": "<aws.scheduler.scheduled-time>"}'
    )
    assert aws.fire(by, by, SLOT) == function_arn

    (message,) = s.received(aws, url)
    assert json.loads(message["Body"]) == {"at": SLOT}
    s.create_schedule(aws, "sched-denied", function_arn, send)
    assert "lambda:InvokeFunction" in error_of(aws.fire, "sched-denied", "sched-denied", SLOT)


# Dead letters


@pytest.mark.parametrize("may_send", [True, False])
def test_an_event_that_cannot_be_delivered_is_a_dead_letter(aws, may_send):
    name = f"sched-dead-{may_send}"
    url, queue_arn = s.create_queue(aws, name)
    machine_arn = s.create_machine(aws, f"{name}-machine", s.waiting(0))
    send = [s.allow("sqs:SendMessage", queue_arn)] if may_send else []
    options = {"Input": '{"at": "<aws.scheduler.scheduled-time>"}'}
    options["DeadLetterConfig"] = {"Arn": queue_arn}
    schedule_arn = s.create_schedule(aws, name, machine_arn, *send, **options)
    error = error_of(aws.fire, name, name, SLOT)
    sends = [call for call in aws.calls("sqs:SendMessage") if f"/{name}/" in call["caller"]]
    assert [call["status"] for call in sends] == [200 if may_send else 403]

    if not may_send:
        assert "Messages" not in aws.client("sqs").receive_message(QueueUrl=url), "it is lost"
        return
    (message,) = s.received(aws, url)
    assert json.loads(message["Body"]) == {"at": SLOT}

    sent = message["MessageAttributes"].items()
    attributes = {key: attribute["StringValue"] for key, attribute in sent}
    assert len(attributes.pop("EXECUTION_ID")) == 16
    assert attributes == {
        "ERROR_CODE": "AccessDeniedException",
        "ERROR_MESSAGE": error.removeprefix("AccessDeniedException: "),
        "EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts",
        "IS_PAYLOAD_TRUNCATED": "false",
        "RETRY_ATTEMPTS": "0",
        "SCHEDULED_TIME": SLOT,
        "SCHEDULE_ARN": schedule_arn,
        "TARGET_ARN": machine_arn,
    }


# The creation of a schedule


def test_each_schedule_of_the_golden_file_is_refused(aws, golden):
    """A line has fields of the schedule, and the service and the condition in its role's trust."""
    numbers = itertools.count()
    create = aws.client("scheduler").create_schedule
    standard = {"trust": "scheduler", "condition": {}, "ScheduleExpression": "rate(1 day)"}

    def answer(line):
        fields = {**standard, "Arn": "arn:aws:states:x", **YAML(typ="safe").load(line)}
        condition = fields.pop("condition")
        trust = s.trust(fields.pop("trust"), **({"StringEquals": condition} if condition else {}))
        role_arn = s.create_role(aws, f"sched-refused-{next(numbers)}", trust)
        fields["Target"] = {"Arn": fields.pop("Arn"), "RoleArn": role_arn}
        return ": ".join(s.refusal(create, Name="x", FlexibleTimeWindow={"Mode": "OFF"}, **fields))

    golden.answers("schedules.txt", answer)


# Time


def test_a_rate_fires_when_it_is_created_and_a_disabled_schedule_does_not(aws):
    paused = "sched-paused"
    by = "sched-paused-by"
    machine_arn = s.create_machine(aws, paused, s.waiting(0))
    role_arn = s.create_role(aws, by, s.trust("scheduler"), s.allow("states:*", "*"))
    aws.client("scheduler").create_schedule(
        Name=paused,
        ScheduleExpression="rate(1 minute)",
        FlexibleTimeWindow={"Mode": "OFF"},
        State="DISABLED",
        Target={"Arn": machine_arn, "RoleArn": role_arn},
    )
    assert error_of(aws.fire, paused) == f"schedule {paused} in group default is DISABLED"

    later_machine, _ = create_allowed_schedule(aws, "sched-running", expression="rate(1 minute)")
    s.eventually(lambda: executions_of(aws, later_machine), bool)
    assert executions_of(aws, machine_arn) == [], "it would have fired before the later schedule"


CHANGED = dt.datetime(2026, 11, 24, 10, 0, 30, 700_000, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    "state, since, now, slots",
    [
        ("ENABLED", -0.4, 0.1, ["10:00:30"]),
        ("ENABLED", -0.9, -0.4, []),
        ("ENABLED", 0.1, 0.6, []),
        ("DISABLED", -0.4, 0.1, []),
        ("ENABLED", 100, 250, ["10:02:30", "10:04:30"]),
    ],
    ids=["just changed", "before the change", "between slots", "disabled", "after a pause"],
)
def test_a_tick_delivers_every_slot_since_the_last_tick_once(monkeypatch, state, since, now, slots):
    """The schedule is due every two minutes. Times are seconds after its last change."""
    schedule = {"State": state, **timing("rate(2 minutes)", created=CHANGED.isoformat())}
    monkeypatch.setattr(scheduler_module, "_list_schedules", lambda: [schedule])
    start, end = (CHANGED + dt.timedelta(seconds=seconds) for seconds in (since, now))
    delivered = [slot.time().isoformat() for _, slot in find_due_deliveries(start, end)]
    assert delivered == slots


def timing(expression, zone="UTC", created="2026-11-24T10:00:30+00:00"):
    """Return the fields of a schedule that say when it is due."""
    return {
        "ScheduleExpression": expression,
        "ScheduleExpressionTimezone": zone,
        "LastModificationDate": dt.datetime.fromisoformat(created).timestamp(),
    }


def test_each_slot_of_the_golden_file_is_as_the_guide_of_scheduler_says(golden):
    def answer(line):
        if line.startswith("#"):
            return []
        expression, *options = line.split(" | ")
        fields = dict(option.split(" ", 1) for option in options)
        after = [dt.datetime.fromisoformat(fields.pop("after"))] if "after" in fields else []
        try:
            slot = find_next_slot(timing(expression, **fields), *after)
        except ValueError as error:
            return str(error)

        return slot.isoformat() if slot else "never"

    golden.answers("slots.txt", answer)
