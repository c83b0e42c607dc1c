"""Proves that state machines run in real time with their roles, and that EventBridge is told.

`test_states_api.py` proves what the API returns, and `test_histories.py` what the states do.
"""

import json
import time

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
    invoke,
    refusal,
    trust,
    waiting,
)


@pytest.fixture(scope="module")
def echo(aws):
    return create_function(aws, "sf-echo")


def test_a_machine_invokes_a_published_function_with_its_role(aws, echo):
    arn = create_machine(aws, "sf-calls", calling(echo), allow("lambda:InvokeFunction", echo))
    execution = execute(aws, arn, {"a": 1})
    assert execution["status"] == "SUCCEEDED", execution
    output = json.loads(execution["output"])
    assert (output["event"], output["arn"]) == ({"a": 1}, echo), "the named version ran"
    caller = f"arn:aws:sts::{ACCOUNT}:assumed-role/sf-calls/sf-calls"
    assert caller in {call["caller"] for call in aws.calls("lambda:InvokeFunction")}


def test_the_error_of_a_function_is_the_name_of_its_class(aws, echo):
    arn = create_machine(aws, "sf-errors", calling(echo), allow("lambda:InvokeFunction", echo))
    execution = execute(aws, arn, {"fail": "no data"})
    assert execution["error"] == "ValueError"
    assert json.loads(execution["cause"])["errorMessage"] == "no data"


@pytest.mark.parametrize("statements", [[], [allow("lambda:InvokeFunction", "arn:aws:lambda:x")]])
def test_an_execution_fails_if_the_role_may_not_invoke(aws, echo, statements):
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


def test_a_removed_permission_has_effect_immediately(aws, echo):
    arn = create_machine(aws, "sf-revoked", calling(echo), allow("lambda:InvokeFunction", echo))
    assert execute(aws, arn, {})["status"] == "SUCCEEDED"
    grant(aws, "sf-revoked")
    assert execute(aws, arn, {"again": True})["error"] == "Lambda.AccessDeniedException"


def test_a_machine_with_a_role_that_does_not_trust_step_functions_is_refused(aws):
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
LOGGING_ACTIONS = [
    "logs:CreateLogDelivery",
    "logs:GetLogDelivery",
    "logs:UpdateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:DescribeResourcePolicies",
    "logs:DescribeLogGroups",
]


@pytest.mark.parametrize("missing", LOGGING_ACTIONS)
def test_a_machine_that_logs_needs_a_role_with_every_logging_action(aws, missing):
    name = f"sf-logs-{missing.partition(':')[2]}"
    allowed = allow([action for action in LOGGING_ACTIONS if action != missing])
    arn = create_role(aws, name, trust("states"), allowed)
    create = aws.client("stepfunctions").create_state_machine
    request = {"name": name, "definition": json.dumps(waiting(0)), "roleArn": arn}
    code, message = refusal(create, **request, loggingConfiguration=LOGGING)
    assert (code, missing in message) == ("AccessDeniedException", True)
    grant(aws, name, allow(LOGGING_ACTIONS))
    assert create(**request, loggingConfiguration=LOGGING)["stateMachineArn"]


def test_a_role_that_no_longer_trusts_step_functions_fails_the_task(aws, echo):
    arn = create_machine(aws, "sf-distrusts", calling(echo), allow("lambda:InvokeFunction", echo))
    aws.client("iam").update_assume_role_policy(
        RoleName="sf-distrusts", PolicyDocument=trust("lambda")
    )
    execution = execute(aws, arn, {})
    assert execution["status"] == "FAILED"
    assert "states.amazonaws.com is not authorized to perform: sts:AssumeRole" in execution["cause"]


@pytest.fixture(scope="module")
def sleeper(aws):
    """A function that fails after two seconds."""
    code = "import time\ndef handler(event, context):\n    time.sleep(2)\n    raise ValueError\n"
    return create_function(aws, "sf-sleeper", code=code)


def map_over_items(definition):
    """Return a definition that runs another one for each of `$.items`."""
    state = {"Type": "Map", "ItemsPath": "$.items", "ItemProcessor": definition, "End": True}
    return {"StartAt": "Each", "States": {"Each": state}}


def event_types(client, execution):
    events = client.get_execution_history(executionArn=execution, maxResults=1000)["events"]
    return [event["type"] for event in events]


@pytest.mark.parametrize("is_map", [False, True], ids=["task", "map"])
def test_an_execution_is_stopped_immediately_and_has_no_later_events(aws, sleeper, is_map):
    definition = map_over_items(calling(sleeper)) if is_map else calling(sleeper)
    tasks, name = (2, "sf-stopped-map") if is_map else (1, "sf-stopped")
    arn = create_machine(aws, name, definition, allow("lambda:InvokeFunction", sleeper))
    client = aws.client("stepfunctions")
    started = client.start_execution(stateMachineArn=arn, input='{"items": [1, 2]}')
    execution = started["executionArn"]
    eventually(
        lambda: event_types(client, execution),
        lambda types: types.count("LambdaFunctionStarted") == tasks,
    )
    stopped = client.stop_execution(executionArn=execution, error="Enough", cause="by a test")
    description = client.describe_execution(executionArn=execution)
    assert {key: description[key] for key in ("status", "error", "cause", "stopDate")} == {
        "status": "ABORTED",
        "error": "Enough",
        "cause": "by a test",
        "stopDate": stopped["stopDate"],
    }
    types = event_types(client, execution)
    assert types[-1] == "ExecutionAborted"
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/{name}"
    eventually(
        lambda: [call for call in aws.calls("lambda:InvokeFunction") if call["caller"] == session],
        lambda calls: len(calls) == tasks,
    )
    time.sleep(0.2)
    assert event_types(client, execution) == types, "the functions failed later"


def test_the_timeouts_of_a_task_and_of_a_machine_are_real_time(aws, sleeper):
    task = {**calling(sleeper)["States"]["Call"], "TimeoutSeconds": 1}
    invokes = allow("lambda:InvokeFunction", sleeper)
    late_task = {"StartAt": "Call", "States": {"Call": task}}
    execution = execute(aws, create_machine(aws, "sf-late-task", late_task, invokes), {})
    assert (execution["status"], execution["error"]) == ("FAILED", "States.Timeout")
    late_machine = {**map_over_items(calling(sleeper)), "TimeoutSeconds": 1}
    arn = create_machine(aws, "sf-late-machine", late_machine, invokes)
    description = execute(aws, arn, {"items": [1]})
    assert description["status"] == "TIMED_OUT"
    assert 1 <= (description["stopDate"] - description["startDate"]).total_seconds() < 3


def test_a_deleted_machine_disappears_when_its_execution_reaches_its_next_state(aws):
    states = {
        "First": {"Type": "Wait", "Seconds": 2, "Next": "Second"},
        "Second": {"Type": "Wait", "Seconds": 60, "End": True},
    }
    arn = create_machine(aws, "sf-deleted", {"StartAt": "First", "States": states})
    client = aws.client("stepfunctions")
    execution = client.start_execution(stateMachineArn=arn)["executionArn"]
    client.delete_state_machine(stateMachineArn=arn)
    assert client.describe_state_machine(stateMachineArn=arn)["status"] == "DELETING"
    assert client.describe_execution(executionArn=execution)["status"] == "RUNNING"

    def is_deleted():
        try:
            client.describe_state_machine(stateMachineArn=arn)
        except client.exceptions.StateMachineDoesNotExist:
            return True
        return False

    eventually(is_deleted, bool, seconds=10)


def create_rule(aws, name, machine_arn, function_arn, *statuses):
    """Create a rule that invokes a function when an execution gets one of the statuses."""
    pattern = {
        "source": ["aws.states"],
        "detail-type": ["Step Functions Execution Status Change"],
        "detail": {"stateMachineArn": [machine_arn], "status": list(statuses)},
    }
    events = aws.client("events")
    arn = events.put_rule(Name=name, EventPattern=json.dumps(pattern))["RuleArn"]
    events.put_targets(Rule=name, Targets=[{"Id": "1", "Arn": function_arn}])
    return arn


def allow_rule(aws, rule_arn, function_arn):
    """Allow a rule to invoke a function, in the function's resource policy."""
    aws.client("lambda").add_permission(
        FunctionName=function_arn,
        StatementId=rule_arn.rpartition("/")[2],
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=rule_arn,
    )


RECORDER_CODE = """
import boto3, json

def handler(event, context):
    boto3.client("s3").put_object(
        Bucket="{bucket}", Key=event["detail"]["name"] + event["detail"]["status"],
        Body=json.dumps(event).encode(),
    )
"""


def create_recorder(aws, name):
    """Create a function that stores its events in a bucket with its name."""
    aws.client("s3").create_bucket(
        Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    return create_function(
        aws,
        name,
        allow("s3:PutObject", f"arn:aws:s3:::{name}/*"),
        code=RECORDER_CODE.replace("{bucket}", name),
    )


def recorded_events(aws, bucket, number):
    """Wait until the bucket has this number of events, and return them by their keys."""
    s3 = aws.client("s3")

    def keys():
        objects = s3.list_objects_v2(Bucket=bucket).get("Contents", [])
        return [item["Key"] for item in objects]

    stored = eventually(keys, lambda stored: len(stored) >= number)
    return {key: json.load(s3.get_object(Bucket=bucket, Key=key)["Body"]) for key in stored}


def denied_statuses(aws, rule_arn):
    """Wait for refused invocations by a rule, and return their statuses."""

    def statuses():
        calls = aws.calls("lambda:InvokeFunction")
        return [call["status"] for call in calls if call["caller"] == rule_arn]

    return eventually(statuses, bool)


def test_a_rule_receives_the_ends_of_executions(aws):
    name = "sf-recorder"
    recorder = create_recorder(aws, name)
    arn = create_machine(aws, "sf-told", waiting(1), allow("lambda:InvokeFunction", "*"))
    allow_rule(aws, create_rule(aws, "sf-told", arn, recorder, "SUCCEEDED", "ABORTED"), recorder)
    client = aws.client("stepfunctions")
    done = client.start_execution(stateMachineArn=arn, name="done", input='{"a": 1}')
    stopped = client.start_execution(stateMachineArn=arn, name="stopped")["executionArn"]
    client.stop_execution(executionArn=stopped, error="Enough", cause="by a test")
    events = recorded_events(aws, name, 2)
    assert sorted(events) == ["doneSUCCEEDED", "stoppedABORTED"], "RUNNING is not in the pattern"
    event = events["doneSUCCEEDED"]
    description = finished(aws, done["executionArn"])
    assert event["resources"] == [done["executionArn"]]
    assert event["detail"] == {
        "executionArn": done["executionArn"],
        "stateMachineArn": arn,
        "stateMachineVersionArn": None,
        "stateMachineAliasArn": None,
        "name": "done",
        "status": "SUCCEEDED",
        "startDate": int(description["startDate"].timestamp() * 1000),
        "stopDate": int(description["stopDate"].timestamp() * 1000),
        "input": '{"a": 1}',
        "inputDetails": {"included": True},
        "output": '{"a":1}',
        "outputDetails": {"included": True},
        "error": None,
        "cause": None,
    }
    aborted = events["stoppedABORTED"]["detail"]
    assert (aborted["error"], aborted["cause"]) == ("Enough", "by a test")


def test_a_rule_receives_failures_and_the_timeout_of_a_machine(aws, echo):
    name = "sf-recorder-two"
    recorder = create_recorder(aws, name)
    invokes = allow("lambda:InvokeFunction", echo)
    failing = create_machine(aws, "sf-fails", calling(echo), invokes)
    late = create_machine(aws, "sf-late", {**waiting(60), "TimeoutSeconds": 1}, invokes)
    allow_rule(aws, create_rule(aws, "sf-fails", failing, recorder, "FAILED"), recorder)
    allow_rule(aws, create_rule(aws, "sf-late", late, recorder, "TIMED_OUT"), recorder)
    client = aws.client("stepfunctions")
    client.start_execution(stateMachineArn=late, name="late")
    client.start_execution(stateMachineArn=failing, name="failing", input='{"fail": "no"}')
    events = recorded_events(aws, name, 2)
    assert sorted(events) == ["failingFAILED", "lateTIMED_OUT"]
    failure = events["failingFAILED"]["detail"]
    assert (failure["error"], failure["output"]) == ("ValueError", None)
    assert json.loads(failure["cause"])["errorMessage"] == "no"


def test_a_rule_cannot_invoke_a_function_without_a_permission(aws):
    name = "sf-closed"
    recorder = create_recorder(aws, name)
    arn = create_machine(aws, "sf-untold", waiting(0), allow("lambda:InvokeFunction", "*"))
    rule = create_rule(aws, "sf-untold", arn, recorder, "SUCCEEDED")
    execute(aws, arn, {})
    assert denied_statuses(aws, rule) == [403]
    assert "Contents" not in aws.client("s3").list_objects_v2(Bucket=name), "nothing was recorded"


def test_a_rule_cannot_invoke_a_function_with_a_permission_for_another_rule(aws):
    recorder = create_recorder(aws, "sf-other")
    arn = create_machine(aws, "sf-one", waiting(0), allow("lambda:InvokeFunction", "*"))
    allow_rule(aws, create_rule(aws, "sf-one", "arn:other", recorder, "FAILED"), recorder)
    rule = create_rule(aws, "sf-two", arn, recorder, "SUCCEEDED")
    execute(aws, arn, {})
    assert denied_statuses(aws, rule) == [403]


CALLING_CODE = """
import boto3

def handler(event, context):
    client = boto3.client("stepfunctions")
    results = {}
    for name, arguments in event.items():
        try:
            getattr(client, name)(**arguments)
            results[name] = "allowed"
        except client.exceptions.ClientError as error:
            results[name] = error.response["Error"]["Code"]
    return results
"""


def test_a_role_needs_a_permission_for_each_action_on_executions(aws):
    arn = create_machine(aws, "sf-watched", waiting(60), allow("lambda:InvokeFunction", "*"))
    client = aws.client("stepfunctions")
    execution = client.start_execution(stateMachineArn=arn, name="one")["executionArn"]
    caller = create_function(aws, "sf-watcher", code=CALLING_CODE)
    calls = {
        "list_executions": {"stateMachineArn": arn},
        "describe_execution": {"executionArn": execution},
        "get_execution_history": {"executionArn": execution},
        "describe_state_machine_for_execution": {"executionArn": execution},
        "stop_execution": {"executionArn": execution},
    }
    assert invoke(aws, caller, calls) == dict.fromkeys(calls, "AccessDeniedException")
    grant(
        aws,
        "sf-watcher",
        allow("states:ListExecutions", arn),
        allow(
            [
                "states:DescribeExecution",
                "states:GetExecutionHistory",
                "states:DescribeStateMachineForExecution",
            ],
            execution,
        ),
        allow("states:StopExecution", arn),
    )
    assert invoke(aws, caller, calls) == {
        **dict.fromkeys(calls, "allowed"),
        "stop_execution": "AccessDeniedException",
    }, "StopExecution needs a permission on the execution, and the role has it on the machine"
    client.stop_execution(executionArn=execution)
