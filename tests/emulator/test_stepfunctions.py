"""Proves that state machines run in real time with their roles, and that EventBridge is told.

`test_states_api.py` proves what the API returns, and `test_histories.py` what the states do.
"""

import json
import time

import pytest
import small_stack as s
from small_machines import machine, map_over


def session(role):
    """Return the ARN of the session of a state machine that has the name of its role."""
    return f"arn:aws:sts::{s.ACCOUNT}:assumed-role/{role}/{role}"


@pytest.fixture(scope="module")
def client(aws):
    return aws.client("stepfunctions")


@pytest.fixture(scope="module")
def echo(aws):
    return s.create_function(aws, "sf-echo")


@pytest.fixture(scope="module")
def sleeper(aws):
    """A function that fails after 1.5 seconds."""
    code = "import time\ndef handler(event, context):\n    time.sleep(1.5)\n    raise ValueError\n"
    return s.create_function(aws, "sf-sleeper", code=code)


# Roles


def test_a_task_invokes_a_published_function_with_the_role_of_its_machine(aws, echo):
    invokes = s.allow("lambda:InvokeFunction", echo)
    arn = s.create_machine(aws, "sf-calls", s.calling(echo), invokes)
    output = json.loads(s.execute(aws, arn, {"a": 1})["output"])
    assert (output["event"], output["arn"]) == ({"a": 1}, echo), "the named version ran"
    assert session("sf-calls") in {call["caller"] for call in aws.calls("lambda:InvokeFunction")}

    failed = s.execute(aws, arn, {"fail": "no data"})
    assert (failed["status"], failed["error"]) == ("FAILED", "ValueError"), "the name of its class"
    assert json.loads(failed["cause"])["errorMessage"] == "no data"

    s.grant(aws, "sf-calls", s.allow("lambda:InvokeFunction", "arn:aws:lambda:x"))
    denied = s.execute(aws, arn, {"a": 1})
    assert (denied["status"], denied["error"]) == ("FAILED", "Lambda.AccessDeniedException")
    assert denied["cause"].startswith(
        f"User: {session('sf-calls')} is not authorized to perform: lambda:InvokeFunction"
    )

    s.grant(aws, "sf-calls", invokes)
    aws.client("iam").update_assume_role_policy(
        RoleName="sf-calls", PolicyDocument=s.trust("lambda")
    )
    distrusted = s.execute(aws, arn, {})["cause"]
    assert "states.amazonaws.com is not authorized to perform: sts:AssumeRole" in distrusted


def test_a_machine_needs_a_role_that_trusts_step_functions_and_may_log(aws, client):
    group = f"arn:aws:logs:{s.REGION}:{s.ACCOUNT}:log-group:/aws/vendedlogs/a:*"
    destinations = [{"cloudWatchLogsLogGroup": {"logGroupArn": group}}]
    logging = {"level": "ERROR", "destinations": destinations}
    for name, service, missing in (
        ("sf-untrusting", "lambda", "states.amazonaws.com"),
        ("sf-silent", "states", "logs:CreateLogDelivery"),
    ):
        arn = s.create_role(aws, name, s.trust(service), s.allow("logs:Describe*"))
        request = {"name": name, "definition": json.dumps(s.waiting(0)), "roleArn": arn}
        request["loggingConfiguration"] = logging
        code, message = s.refusal(client.create_state_machine, **request)
        assert (code, missing in message) == ("AccessDeniedException", True), message


# Real time


def event_types(client, execution):
    events = client.get_execution_history(executionArn=execution, maxResults=1000)["events"]
    return [event["type"] for event in events]


def test_an_execution_is_stopped_immediately_and_has_no_later_events(aws, client, sleeper):
    definition = machine(Each=map_over("$.items", **s.calling(sleeper)["States"]))
    name = "sf-stopped"
    arn = s.create_machine(aws, name, definition, s.allow("lambda:InvokeFunction", sleeper))
    started = client.start_execution(stateMachineArn=arn, input='{"items": [1, 2]}')
    execution = started["executionArn"]
    s.eventually(
        lambda: event_types(client, execution),
        lambda types: types.count("LambdaFunctionStarted") == 2,
    )
    stopped = client.stop_execution(executionArn=execution)
    description = client.describe_execution(executionArn=execution)
    assert (description["status"], description["stopDate"]) == ("ABORTED", stopped["stopDate"])

    types = event_types(client, execution)
    assert types[-1] == "ExecutionAborted"
    s.eventually(
        lambda: [call["caller"] for call in aws.calls("lambda:InvokeFunction")],
        lambda callers: callers.count(session(name)) == 2,
    )
    time.sleep(0.1)
    assert event_types(client, execution) == types, "the functions failed later"


# Events


def test_an_event_says_that_an_execution_has_ended(aws, client, echo):
    url, queue = s.create_queue(aws, "sf-events")
    arn = s.create_machine(aws, "sf-told", s.calling(echo), s.allow("lambda:InvokeFunction", echo))
    late = s.create_machine(aws, "sf-late", {**s.waiting(60), "TimeoutSeconds": 1})
    pattern = {
        "source": ["aws.states"],
        "detail-type": ["Step Functions Execution Status Change"],
        "detail": {
            "stateMachineArn": [arn, late],
            "status": ["SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT"],
        },
    }
    rules = aws.client("events")
    rule = rules.put_rule(Name="sf-told", EventPattern=json.dumps(pattern))["RuleArn"]
    rules.put_targets(Rule="sf-told", Targets=[{"Id": "1", "Arn": queue}])
    policy = {"Policy": s.allowing("events", "sqs:SendMessage", rule)}
    aws.client("sqs").set_queue_attributes(QueueUrl=url, Attributes=policy)
    done = client.start_execution(stateMachineArn=arn, name="done", input='{"a": 1}')
    client.start_execution(stateMachineArn=arn, name="failing", input='{"fail": "no"}')
    client.start_execution(stateMachineArn=late, name="late")
    stopped = client.start_execution(stateMachineArn=late, name="stopped")["executionArn"]
    client.stop_execution(executionArn=stopped, error="Enough", cause="by a test")
    bodies = [json.loads(message["Body"]) for message in s.received(aws, url, 4)]
    events = {f"{body['detail']['name']} {body['detail']['status']}": body for body in bodies}
    keys = ["done SUCCEEDED", "failing FAILED", "late TIMED_OUT", "stopped ABORTED"]
    assert sorted(events) == keys, "RUNNING is not in the pattern"

    event = events["done SUCCEEDED"]
    description = s.finished(aws, done["executionArn"])
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
    late_milliseconds = reasons[1]["stopDate"] - reasons[1]["startDate"]
    assert 1000 <= late_milliseconds < 1500, "the timeout of a machine is real time"
    assert [reason["error"] for reason in reasons] == ["ValueError", None, "Enough"]
    assert [reason["output"] for reason in reasons] == [None] * 3
