"""State machines run as their roles, and EventBridge is told how they end."""

import json

import pytest
from small_stack import (
    ACCOUNT,
    REGION,
    allow,
    calling,
    create_function,
    create_machine,
    create_role,
    eventually,
    execute,
    finished,
    grant,
    refusal,
    trust,
    waiting,
)

import emulator


@pytest.fixture(scope="module")
def echo(aws):
    return create_function(aws, "sf-echo")


def test_a_machine_invokes_a_published_function_and_gets_its_answer(aws, echo):
    arn = create_machine(aws, "sf-calls", calling(echo), allow("lambda:InvokeFunction", echo))
    execution = execute(aws, arn, {"a": 1})
    assert execution["status"] == "SUCCEEDED", execution
    answer = json.loads(execution["output"])
    assert (answer["event"], answer["arn"]) == ({"a": 1}, echo), "the version that was named ran"
    invoked = aws.calls("lambda:InvokeFunction")
    caller = f"arn:aws:sts::{ACCOUNT}:assumed-role/sf-calls/sf-calls"
    assert caller in {call["caller"] for call in invoked}, "the machine's role is who invokes"


def test_a_function_s_error_has_its_class_s_name(aws, echo):
    arn = create_machine(aws, "sf-errors", calling(echo), allow("lambda:InvokeFunction", echo))
    execution = execute(aws, arn, {"fail": "no data"})
    assert execution["error"] == "ValueError", "as AWS's own runtime client reports it"
    assert json.loads(execution["cause"])["errorMessage"] == "no data"


@pytest.mark.parametrize("statements", [[], [allow("lambda:InvokeFunction", "arn:aws:lambda:x")]])
def test_a_machine_whose_role_may_not_invoke_fails(aws, echo, statements):
    name = f"sf-denied-{len(statements)}"
    execution = execute(aws, create_machine(aws, name, calling(echo), *statements), {})
    assert (execution["status"], execution["error"]) == (
        "FAILED",
        "Lambda.AccessDeniedException",
    )
    assert execution["cause"].startswith(
        f"User: arn:aws:sts::{ACCOUNT}:assumed-role/{name}/{name} is not authorized to perform:"
        " lambda:InvokeFunction"
    )


def test_a_permission_that_is_taken_away_is_missed_at_once(aws, echo):
    arn = create_machine(aws, "sf-revoked", calling(echo), allow("lambda:InvokeFunction", echo))
    assert execute(aws, arn, {})["status"] == "SUCCEEDED"
    grant(aws, "sf-revoked")
    assert execute(aws, arn, {"again": True})["error"] == "Lambda.AccessDeniedException"


def test_a_machine_whose_role_trusts_somebody_else_is_refused(aws):
    arn = create_role(aws, "sf-untrusting", trust("lambda"))
    create = aws.client("stepfunctions").create_state_machine
    request = {"name": "sf-untrusting", "definition": json.dumps(waiting(1)), "roleArn": arn}
    code, message = refusal(create, **request)
    assert code == "AccessDeniedException"
    assert message == (
        "Neither the global service principal states.amazonaws.com, nor the regional one is"
        f" authorized to assume the provided role: {arn}"
    )


LOGGING = {
    "level": "ERROR",
    "destinations": [
        {
            "cloudWatchLogsLogGroup": {
                "logGroupArn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/vendedlogs/a:*"
            }
        }
    ],
}
DELIVERIES = [
    "logs:CreateLogDelivery",
    "logs:GetLogDelivery",
    "logs:UpdateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:DescribeResourcePolicies",
    "logs:DescribeLogGroups",
]


@pytest.mark.parametrize("missing", DELIVERIES)
def test_a_machine_that_logs_needs_a_role_that_may_set_the_delivery_up(aws, missing):
    name = f"sf-logs-{missing.partition(':')[2]}"
    allowed = allow([action for action in DELIVERIES if action != missing])
    arn = create_role(aws, name, trust("states"), allowed)
    create = aws.client("stepfunctions").create_state_machine
    request = {"name": name, "definition": json.dumps(waiting(0)), "roleArn": arn}
    code, message = refusal(create, **request, loggingConfiguration=LOGGING)
    assert (code, missing in message) == ("AccessDeniedException", True)
    grant(aws, name, allow(DELIVERIES))
    assert create(**request, loggingConfiguration=LOGGING)["stateMachineArn"]


def test_a_role_that_no_longer_trusts_step_functions_fails_the_task(aws, echo):
    arn = create_machine(aws, "sf-distrusts", calling(echo), allow("lambda:InvokeFunction", echo))
    aws.client("iam").update_assume_role_policy(
        RoleName="sf-distrusts", PolicyDocument=trust("lambda")
    )
    execution = execute(aws, arn, {})
    assert execution["status"] == "FAILED"
    assert "states.amazonaws.com is not authorized to perform: sts:AssumeRole" in execution["cause"]


def test_a_stopped_execution_is_aborted_at_once_though_a_function_is_at_work(aws):
    sleeper = create_function(
        aws, "sf-sleeper", code="import time\ndef handler(event, context):\n    time.sleep(5)\n"
    )
    arn = create_machine(
        aws, "sf-stopped", calling(sleeper), allow("lambda:InvokeFunction", sleeper)
    )
    client = aws.client("stepfunctions")
    execution = client.start_execution(stateMachineArn=arn)["executionArn"]
    stopped = client.stop_execution(executionArn=execution, error="Enough", cause="by a test")
    described = client.describe_execution(executionArn=execution)
    assert {key: described[key] for key in ("status", "error", "cause", "stopDate")} == {
        "status": "ABORTED",
        "error": "Enough",
        "cause": "by a test",
        "stopDate": stopped["stopDate"],
    }


def test_an_unknown_operation_is_named(aws):
    redrive = aws.client("stepfunctions").redrive_execution
    code, message = refusal(
        redrive, executionArn=f"arn:aws:states:{REGION}:{ACCOUNT}:execution:none:none"
    )
    assert code == "UnknownOperationException"
    assert message == "the emulator's Step Functions has no RedriveExecution"


def rule(aws, name, machine_arn, target, *statuses):
    """A rule that calls a function when an execution's status becomes one of these."""
    pattern = {
        "source": ["aws.states"],
        "detail-type": ["Step Functions Execution Status Change"],
        "detail": {"stateMachineArn": [machine_arn], "status": list(statuses)},
    }
    events = aws.client("events")
    arn = events.put_rule(Name=name, EventPattern=json.dumps(pattern))["RuleArn"]
    events.put_targets(Rule=name, Targets=[{"Id": "1", "Arn": target}])
    return arn


def let_in(aws, rule_arn, function_arn):
    """Let a rule invoke a function."""
    aws.client("lambda").add_permission(
        FunctionName=function_arn,
        StatementId=rule_arn.rpartition("/")[2],
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=rule_arn,
    )


RECORDER = """
import boto3, json

def handler(event, context):
    boto3.client("s3").put_object(
        Bucket="{bucket}", Key=event["detail"]["name"] + event["detail"]["status"],
        Body=json.dumps(event).encode(),
    )
"""


def recorder(aws, name):
    """A function that keeps the events that it gets in a bucket of its name."""
    aws.client("s3").create_bucket(
        Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    return create_function(
        aws,
        name,
        allow("s3:PutObject", f"arn:aws:s3:::{name}/*"),
        code=RECORDER.replace("{bucket}", name),
    )


def recorded(aws, bucket, count):
    """The events in the bucket by their keys, when there are so many."""
    s3 = aws.client("s3")
    keys = eventually(
        lambda: [o["Key"] for o in s3.list_objects_v2(Bucket=bucket).get("Contents", [])],
        lambda keys: len(keys) >= count,
    )
    return {k: json.load(s3.get_object(Bucket=bucket, Key=k)["Body"]) for k in keys}


def test_a_rule_hears_how_executions_end(aws):
    name = "sf-recorder"
    target = recorder(aws, name)
    arn = create_machine(aws, "sf-told", waiting(1), allow("lambda:InvokeFunction", "*"))
    let_in(aws, rule(aws, "sf-told", arn, target, "SUCCEEDED", "ABORTED"), target)
    client = aws.client("stepfunctions")
    done = client.start_execution(stateMachineArn=arn, name="done", input='{"a": 1}')
    stopped = client.start_execution(stateMachineArn=arn, name="stopped")["executionArn"]
    client.stop_execution(executionArn=stopped, error="Enough", cause="by a test")
    events = recorded(aws, name, 2)
    assert sorted(events) == ["doneSUCCEEDED", "stoppedABORTED"], "RUNNING is not in the pattern"
    event = events["doneSUCCEEDED"]
    described = finished(aws, done["executionArn"])
    assert event["resources"] == [done["executionArn"]]
    assert event["detail"] == {
        "executionArn": done["executionArn"],
        "stateMachineArn": arn,
        "stateMachineVersionArn": None,
        "stateMachineAliasArn": None,
        "name": "done",
        "status": "SUCCEEDED",
        "startDate": int(described["startDate"].timestamp() * 1000),
        "stopDate": int(described["stopDate"].timestamp() * 1000),
        "input": '{"a": 1}',
        "inputDetails": {"included": True},
        "output": '{"a": 1}',
        "outputDetails": {"included": True},
        "error": None,
        "cause": None,
    }
    aborted = events["stoppedABORTED"]["detail"]
    assert (aborted["error"], aborted["cause"]) == ("Enough", "by a test")


def test_a_rule_hears_of_failures_and_of_a_machine_s_own_deadline(aws, echo):
    name = "sf-recorder-two"
    target = recorder(aws, name)
    invokes = allow("lambda:InvokeFunction", echo)
    failing = create_machine(aws, "sf-fails", calling(echo), invokes)
    late = create_machine(aws, "sf-late", {**waiting(60), "TimeoutSeconds": 1}, invokes)
    let_in(aws, rule(aws, "sf-fails", failing, target, "FAILED"), target)
    let_in(aws, rule(aws, "sf-late", late, target, "TIMED_OUT"), target)
    client = aws.client("stepfunctions")
    client.start_execution(stateMachineArn=late, name="late")
    client.start_execution(stateMachineArn=failing, name="failing", input='{"fail": "no"}')
    events = recorded(aws, name, 2)
    assert sorted(events) == ["failingFAILED", "lateTIMED_OUT"]
    failure = events["failingFAILED"]["detail"]
    assert (failure["error"], failure["output"]) == ("ValueError", None)
    assert json.loads(failure["cause"])["errorMessage"] == "no"


def test_a_rule_does_not_reach_a_function_whose_policy_does_not_let_it_in(aws):
    name = "sf-closed"
    target = recorder(aws, name)
    arn = create_machine(aws, "sf-untold", waiting(0), allow("lambda:InvokeFunction", "*"))
    closed = rule(aws, "sf-untold", arn, target, "SUCCEEDED")
    execute(aws, arn, {})
    denied = eventually(
        lambda: [call for call in aws.calls("lambda:InvokeFunction") if call["caller"] == closed],
        bool,
    )
    assert [call["status"] for call in denied] == [403]
    assert "Contents" not in aws.client("s3").list_objects_v2(Bucket=name), "nothing was recorded"


def test_a_function_with_a_permission_for_another_rule_is_not_reached(aws):
    target = recorder(aws, "sf-other")
    arn = create_machine(aws, "sf-one", waiting(0), allow("lambda:InvokeFunction", "*"))
    let_in(aws, rule(aws, "sf-one", "arn:other", target, "FAILED"), target)
    denied_rule = rule(aws, "sf-two", arn, target, "SUCCEEDED")
    execute(aws, arn, {})
    denied = eventually(
        lambda: [c for c in aws.calls("lambda:InvokeFunction") if c["caller"] == denied_rule],
        bool,
    )
    assert [call["status"] for call in denied] == [403]


def test_a_function_s_role_is_asked_for_each_action_on_executions(aws):
    code = """
import boto3

def handler(event, context):
    client = boto3.client("stepfunctions")
    answers = {}
    for name, arguments in event.items():
        try:
            getattr(client, name)(**arguments)
            answers[name] = "allowed"
        except client.exceptions.ClientError as error:
            answers[name] = error.response["Error"]["Code"]
    return answers
"""
    arn = create_machine(aws, "sf-watched", waiting(60), allow("lambda:InvokeFunction", "*"))
    client = aws.client("stepfunctions")
    execution = client.start_execution(stateMachineArn=arn, name="one")["executionArn"]
    watcher = create_function(aws, "sf-watcher", code=code)
    calls = {
        "list_executions": {"stateMachineArn": arn},
        "describe_execution": {"executionArn": execution},
        "get_execution_history": {"executionArn": execution},
        "stop_execution": {"executionArn": execution},
    }
    lambda_ = aws.client("lambda")

    def answers():
        answer = lambda_.invoke(FunctionName=watcher, Payload=json.dumps(calls))
        return json.loads(answer["Payload"].read())

    assert answers() == dict.fromkeys(calls, "AccessDeniedException"), "the role may do nothing"
    grant(
        aws,
        "sf-watcher",
        allow("states:ListExecutions", arn),
        allow(["states:DescribeExecution", "states:GetExecutionHistory"], execution),
        allow("states:StopExecution", arn),
    )
    assert answers() == {
        **dict.fromkeys(calls, "allowed"),
        "stop_execution": "AccessDeniedException",
    }, "stopping is allowed on executions, not on their machine"
    client.stop_execution(executionArn=execution)


def test_ministack_s_interpreter_gives_a_second_opinion(aws, echo):
    outcomes = []
    with emulator.running(interpreter="ministack") as other:
        for running, target in ((aws, echo), (other, create_function(other, "sf-echo"))):
            arn = create_machine(running, "sf-opinion", calling(target), allow("lambda:*"))
            good = execute(running, arn, {"a": 1})
            bad = execute(running, arn, {"fail": "no data"})
            outcomes.append(
                (
                    good["status"],
                    json.loads(good["output"])["event"],
                    bad["status"],
                    bad["error"],
                    json.loads(bad["cause"])["errorMessage"],
                )
            )
    assert outcomes[0] == outcomes[1] == ("SUCCEEDED", {"a": 1}, "FAILED", "ValueError", "no data")
