"""Proves that state machines run in real time with their roles, and that EventBridge is told.

`test_states_api.py` proves what the API returns, and `test_histories.py` what the states do.
"""

import json
import time

import pytest
from small_machines import machine, map_over
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

from components.iam import LOG_DELIVERY_ACTIONS

LOG_GROUP = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/vendedlogs/a:*"
UNTRUSTING = (
    "Neither the global service principal states.amazonaws.com, nor the regional one is authorized"
    " to assume the provided role"
)


def session(role):
    """Return the ARN of the session of a state machine that has the name of its role."""
    return f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{role}"


@pytest.fixture(scope="module")
def client(aws):
    return aws.client("stepfunctions")


@pytest.fixture(scope="module")
def echo(aws):
    return create_function(aws, "sf-echo")


@pytest.fixture(scope="module")
def sleeper(aws):
    """A function that fails after two seconds."""
    code = "import time\ndef handler(event, context):\n    time.sleep(2)\n    raise ValueError\n"
    return create_function(aws, "sf-sleeper", code=code)


# Roles


def test_a_task_invokes_a_published_function_with_the_role_of_its_machine(aws, echo):
    invokes = allow("lambda:InvokeFunction", echo)
    arn = create_machine(aws, "sf-calls", calling(echo), invokes)
    execution = execute(aws, arn, {"a": 1})
    output = json.loads(execution["output"])
    assert (output["event"], output["arn"]) == ({"a": 1}, echo), "the named version ran"
    assert session("sf-calls") in {call["caller"] for call in aws.calls("lambda:InvokeFunction")}
    failed = execute(aws, arn, {"fail": "no data"})
    assert (failed["status"], failed["error"]) == ("FAILED", "ValueError"), "the name of its class"
    assert json.loads(failed["cause"])["errorMessage"] == "no data"
    for statements in ([], [allow("lambda:InvokeFunction", "arn:aws:lambda:x")]):
        grant(aws, "sf-calls", *statements)
        denied = execute(aws, arn, {"a": 1})
        assert (denied["status"], denied["error"]) == ("FAILED", "Lambda.AccessDeniedException")
        assert denied["cause"].startswith(
            f"User: {session('sf-calls')} is not authorized to perform: lambda:InvokeFunction"
        )
    grant(aws, "sf-calls", invokes)
    aws.client("iam").update_assume_role_policy(RoleName="sf-calls", PolicyDocument=trust("lambda"))
    distrusted = execute(aws, arn, {})["cause"]
    assert "states.amazonaws.com is not authorized to perform: sts:AssumeRole" in distrusted


def test_a_machine_with_a_role_that_does_not_trust_step_functions_is_refused(aws, client):
    arn = create_role(aws, "sf-untrusting", trust("lambda"))
    request = {"name": "sf-untrusting", "definition": json.dumps(waiting(1)), "roleArn": arn}
    code, message = refusal(client.create_state_machine, **request)
    assert (code, message) == ("AccessDeniedException", f"{UNTRUSTING}: {arn}")


def test_a_machine_that_logs_needs_a_role_with_every_logging_action(aws, client):
    request = {
        "name": "sf-logs",
        "definition": json.dumps(waiting(0)),
        "roleArn": create_role(aws, "sf-logs", trust("states")),
        "loggingConfiguration": {
            "level": "ERROR",
            "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": LOG_GROUP}}],
        },
    }
    for missing in LOG_DELIVERY_ACTIONS:
        others = [action for action in LOG_DELIVERY_ACTIONS if action != missing]
        grant(aws, "sf-logs", allow(others))
        code, message = refusal(client.create_state_machine, **request)
        assert (code, missing in message) == ("AccessDeniedException", True)
    grant(aws, "sf-logs", allow(LOG_DELIVERY_ACTIONS))
    arn = client.create_state_machine(**request)["stateMachineArn"]
    grant(aws, "sf-logs")
    client.update_state_machine(stateMachineArn=arn, definition=json.dumps(waiting(1)))


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


def test_a_role_needs_a_permission_for_each_action_on_executions(aws, client):
    arn = create_machine(aws, "sf-watched", waiting(60))
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
    reads = [f"states:{name.title().replace('_', '')}" for name in list(calls)[1:4]]
    grant(
        aws,
        "sf-watcher",
        allow("states:ListExecutions", arn),
        allow(reads, execution),
        allow("states:StopExecution", arn),
    )
    assert invoke(aws, caller, calls) == {
        **dict.fromkeys(calls, "allowed"),
        "stop_execution": "AccessDeniedException",
    }, "StopExecution needs a permission on the execution, and the role has it on the machine"
    client.stop_execution(executionArn=execution)


# Real time


def event_types(client, execution):
    events = client.get_execution_history(executionArn=execution, maxResults=1000)["events"]
    return [event["type"] for event in events]


@pytest.mark.parametrize("is_map", [False, True], ids=["task", "map"])
def test_an_execution_is_stopped_immediately_and_has_no_later_events(aws, client, sleeper, is_map):
    definition = calling(sleeper)
    if is_map:
        definition = machine(Each=map_over("$.items", **definition["States"]))
    tasks, name = (2, "sf-stopped-map") if is_map else (1, "sf-stopped")
    arn = create_machine(aws, name, definition, allow("lambda:InvokeFunction", sleeper))
    started = client.start_execution(stateMachineArn=arn, input='{"items": [1, 2]}')
    execution = started["executionArn"]
    eventually(
        lambda: event_types(client, execution),
        lambda types: types.count("LambdaFunctionStarted") == tasks,
    )
    stopped = client.stop_execution(executionArn=execution)
    description = client.describe_execution(executionArn=execution)
    assert (description["status"], description["stopDate"]) == ("ABORTED", stopped["stopDate"])
    types = event_types(client, execution)
    assert types[-1] == "ExecutionAborted"
    eventually(
        lambda: [call["caller"] for call in aws.calls("lambda:InvokeFunction")],
        lambda callers: callers.count(session(name)) == tasks,
    )
    time.sleep(0.2)
    assert event_types(client, execution) == types, "the functions failed later"


def test_the_timeouts_of_a_task_and_of_a_machine_are_real_time(aws, sleeper):
    task = {**calling(sleeper)["States"]["Call"], "TimeoutSeconds": 1}
    invokes = allow("lambda:InvokeFunction", sleeper)
    arn = create_machine(aws, "sf-late-task", machine(Call=task), invokes)
    execution = execute(aws, arn, {})
    assert (execution["status"], execution["error"]) == ("FAILED", "States.Timeout")
    late_map = machine(Each=map_over("$.items", **calling(sleeper)["States"]))
    late_machine = {**late_map, "TimeoutSeconds": 1}
    arn = create_machine(aws, "sf-late-machine", late_machine, invokes)
    description = execute(aws, arn, {"items": [1]})
    assert description["status"] == "TIMED_OUT"
    assert 1 <= (description["stopDate"] - description["startDate"]).total_seconds() < 3


# Events

RECORDER_CODE = """
import boto3, json

def handler(event, context):
    key = event["detail"]["name"] + " " + event["detail"]["status"]
    boto3.client("s3").put_object(Bucket="sf-recorder", Key=key, Body=json.dumps(event).encode())
"""


@pytest.fixture(scope="module")
def recorder(aws):
    """A function that stores its events in a bucket."""
    aws.client("s3").create_bucket(
        Bucket="sf-recorder", CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    puts = allow("s3:PutObject", "arn:aws:s3:::sf-recorder/*")
    return create_function(aws, "sf-recorder", puts, code=RECORDER_CODE)


def recorded_events(aws, number):
    """Wait until the bucket has this number of events, and return them by their keys."""
    s3 = aws.client("s3")

    def keys():
        objects = s3.list_objects_v2(Bucket="sf-recorder").get("Contents", [])
        return [item["Key"] for item in objects]

    stored = eventually(keys, lambda stored: len(stored) >= number)
    bodies = {key: s3.get_object(Bucket="sf-recorder", Key=key)["Body"] for key in stored}
    return {key: json.load(body) for key, body in bodies.items()}


def create_rule(aws, name, machine_arn, function_arn, *, is_allowed_for=None):
    """Create a rule that invokes a function when an execution has ended, and return its ARN.

    The function allows it for the rule `is_allowed_for`.
    """
    pattern = {
        "source": ["aws.states"],
        "detail-type": ["Step Functions Execution Status Change"],
        "detail": {
            "stateMachineArn": [machine_arn],
            "status": ["SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT"],
        },
    }
    events = aws.client("events")
    arn = events.put_rule(Name=name, EventPattern=json.dumps(pattern))["RuleArn"]
    events.put_targets(Rule=name, Targets=[{"Id": "1", "Arn": function_arn}])
    if is_allowed_for:
        aws.client("lambda").add_permission(
            FunctionName=function_arn,
            StatementId=name,
            Action="lambda:InvokeFunction",
            Principal="events.amazonaws.com",
            SourceArn=arn.replace(name, is_allowed_for),
        )
    return arn


def test_a_rule_receives_the_ends_of_executions(aws, client, echo, recorder):
    invokes = allow("lambda:InvokeFunction", echo)
    arn = create_machine(aws, "sf-told", calling(echo), invokes)
    late = create_machine(aws, "sf-late", {**waiting(60), "TimeoutSeconds": 1})
    for name, machine_arn in (("sf-told", arn), ("sf-late", late)):
        create_rule(aws, name, machine_arn, recorder, is_allowed_for=name)
    done = client.start_execution(stateMachineArn=arn, name="done", input='{"a": 1}')
    client.start_execution(stateMachineArn=arn, name="failing", input='{"fail": "no"}')
    client.start_execution(stateMachineArn=late, name="late")
    stopped = client.start_execution(stateMachineArn=late, name="stopped")["executionArn"]
    client.stop_execution(executionArn=stopped, error="Enough", cause="by a test")
    events = recorded_events(aws, 4)
    keys = ["done SUCCEEDED", "failing FAILED", "late TIMED_OUT", "stopped ABORTED"]
    assert sorted(events) == keys, "RUNNING is not in the pattern"
    event, description = events["done SUCCEEDED"], finished(aws, done["executionArn"])
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
        "output": description["output"],
        "outputDetails": {"included": True},
        "error": None,
        "cause": None,
    }
    reasons = [events[key]["detail"] for key in keys[1:]]
    assert [reason["error"] for reason in reasons] == ["ValueError", None, "Enough"]
    assert [reason["output"] for reason in reasons] == [None] * 3


def test_a_rule_needs_a_permission_of_its_own_to_invoke_a_function(aws, recorder):
    arn = create_machine(aws, "sf-untold", waiting(0))
    rules = [
        create_rule(aws, "sf-none", arn, recorder),
        create_rule(aws, "sf-other", arn, recorder, is_allowed_for="sf-another"),
    ]
    name = execute(aws, arn, {})["name"]

    def denied_callers():
        calls = aws.calls("lambda:InvokeFunction")
        return sorted(call["caller"] for call in calls if call["status"] == 403)

    eventually(denied_callers, lambda callers: set(rules) <= set(callers))
    stored = aws.client("s3").list_objects_v2(Bucket="sf-recorder").get("Contents", [])
    assert not [item["Key"] for item in stored if name in item["Key"]]
