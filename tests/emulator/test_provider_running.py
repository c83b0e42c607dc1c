"""Proves what updates and deletions mean for what is running: new code, versions, executions.

Over gRPC and against the emulator.
"""

import json
import threading
import time

import grpc
import pytest
from google.protobuf import empty_pb2
from provider_support import (
    FUNCTION,
    GROUP,
    LOG_GROUP,
    MACHINE,
    ROLE,
    ROLE_POLICY,
    SCHEDULE,
    archive,
    message,
    plain,
    provider,
)
from pulumi.runtime.proto import provider_pb2, status_pb2
from small_stack import allow, eventually, finished, invoke, policy, trust


def answering(digest, answer):
    return archive(digest, work=f"def handler(*_):\n    return {answer!r}\n")


@pytest.fixture(scope="module")
def engine(aws):
    with provider(aws) as engine:
        yield engine


@pytest.fixture(scope="module")
def role(engine):
    return engine.create(ROLE, "running", {"assumeRolePolicy": trust("lambda")})


@pytest.fixture(scope="module")
def states_role(engine):
    role = engine.create(ROLE, "running-states", {"assumeRolePolicy": trust("states")})
    engine.create(ROLE_POLICY, "running", {"role": role.id, "policy": policy(allow("lambda:*"))})
    return role


@pytest.fixture
def function(engine, role, request):
    """Create a published function that answers 'old'. Return it and its inputs."""
    inputs = {
        "role": role.outputs["arn"],
        "code": answering("sha-old", "old"),
        "handler": "work.handler",
        "runtime": "python3.12",
        "publish": True,
        "timeout": 20,
    }
    name = request.node.name.replace("_", "-")[:50]
    resource = engine.create(FUNCTION, name, inputs)
    return resource, inputs


def versions(aws, name):
    listed = aws.client("lambda").list_versions_by_function(FunctionName=name)["Versions"]
    return [version["Version"] for version in listed]


def test_new_code_becomes_a_new_version(aws, engine, function):
    old, inputs = function
    new = engine.update(old, inputs | {"code": answering("sha-new", "new")})
    assert (old.outputs["version"], new.outputs["version"]) == ("1", "2")
    assert new.outputs["qualifiedArn"] == f"{new.outputs['arn']}:2", "what a workflow names"
    assert new.outputs["codeSha256"] != old.outputs["codeSha256"], "the code is another"
    assert invoke(aws, old.outputs["qualifiedArn"], {}) == "old", "the version stays as it was"
    assert invoke(aws, new.outputs["qualifiedArn"], {}) == "new"
    assert invoke(aws, new.outputs["arn"], {}) == "new", "without a version: the latest"


def test_a_new_configuration_becomes_a_new_version_too(aws, engine, function):
    old, inputs = function
    new = engine.update(old, inputs | {"memorySize": 256})
    assert new.outputs["version"] == "2", "executions keep the configuration they began with"
    sizes = [
        aws.client("lambda").get_function_configuration(FunctionName=each.outputs["qualifiedArn"])
        for each in (old, new)
    ]
    assert [size["MemorySize"] for size in sizes] == [128, 256]


def test_new_tags_make_no_version(aws, engine, function):
    old, inputs = function
    new = engine.update(old, inputs | {"tags": {"team": "ranking"}})
    assert new.outputs["version"] == "1"
    assert versions(aws, old.id) == ["$LATEST", "1"]


def test_a_function_that_is_not_published_has_no_new_version(aws, engine, function):
    old, inputs = function
    inputs = inputs | {"publish": False, "code": answering("sha-new", "new")}
    assert engine.update(old, inputs).outputs["version"] == "1", "the last one that there is"
    assert versions(aws, old.id) == ["$LATEST", "1"]


def test_the_logging_that_a_function_is_told_changes_with_its_configuration(aws, engine, function):
    old, inputs = function
    reports = archive(
        "sha-logs",
        work=("import os\n\n\ndef handler(*_):\n    return os.environ['AWS_LAMBDA_LOG_FORMAT']\n"),
    )
    old = engine.update(old, inputs | {"code": reports})
    assert invoke(aws, old.outputs["qualifiedArn"], {}) == "Text", "Lambda's default"
    new = engine.update(old, inputs | {"code": reports, "loggingConfig": {"logFormat": "JSON"}})
    assert invoke(aws, new.outputs["qualifiedArn"], {}) == "JSON"


def test_a_deleted_function_leaves_no_version(aws, engine, function):
    old, inputs = function
    new = engine.update(old, inputs | {"code": answering("sha-new", "new")})
    engine.delete(new)
    client = aws.client("lambda")
    for qualifier in ("$LATEST", "1", "2"):
        with pytest.raises(client.exceptions.ResourceNotFoundException):
            client.get_function(FunctionName=new.id, Qualifier=qualifier)


def workflow(seconds, function_arn=None):
    """Return a definition that waits, then calls the function or waits for a minute."""
    last = {"Type": "Wait", "Seconds": 60, "End": True}
    if function_arn:
        last = {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {"FunctionName": function_arn},
            "ResultSelector": {"said.$": "$.Payload"},
            "End": True,
        }
    wait = {"Type": "Wait", "Seconds": seconds, "Next": "Last"}
    return json.dumps({"StartAt": "Wait", "States": {"Wait": wait, "Last": last}})


def started(aws, machine):
    """Start an execution, and return its ARN once it waits."""
    client = aws.client("stepfunctions")
    arn = client.start_execution(stateMachineArn=machine.id)["executionArn"]
    eventually(
        lambda: client.get_execution_history(executionArn=arn)["events"],
        lambda events: "WaitStateEntered" in [event["type"] for event in events],
    )
    return arn


def test_a_running_execution_keeps_the_version_that_it_began_with(
    aws, engine, function, states_role
):
    old, inputs = function
    arguments = {"roleArn": states_role.outputs["arn"]}
    before = arguments | {"definition": workflow(2, old.outputs["qualifiedArn"])}
    machine = engine.create(MACHINE, "keeping", before)
    running = started(aws, machine)
    new = engine.update(old, inputs | {"code": answering("sha-new", "new")})
    after = arguments | {"definition": workflow(0, new.outputs["qualifiedArn"])}
    machine = engine.update(machine, after)
    executions = [finished(aws, each)["output"] for each in (started(aws, machine), running)]
    assert executions == ['{"said": "new"}', '{"said": "old"}'], (
        "the next one, and the one under way"
    )


def test_the_definition_of_a_running_execution_can_be_read_after_an_update(
    aws, engine, states_role
):
    arguments = {"roleArn": states_role.outputs["arn"]}
    machine = engine.create(MACHINE, "reading", arguments | {"definition": workflow(60)})
    running = started(aws, machine)
    engine.update(machine, arguments | {"definition": workflow(1)})
    found = aws.client("stepfunctions").describe_state_machine_for_execution(executionArn=running)
    assert found["definition"] == workflow(60), "the settings that it runs with"


def test_the_deletion_of_a_state_machine_waits_for_its_executions(aws, engine, states_role):
    inputs = {"roleArn": states_role.outputs["arn"], "definition": workflow(3)}
    machine = engine.create(MACHINE, "waiting", inputs)
    running = started(aws, machine)
    client = aws.client("stepfunctions")
    deletion = threading.Thread(target=engine.delete, args=(machine,))
    began = time.monotonic()
    deletion.start()
    eventually(
        lambda: client.describe_state_machine(stateMachineArn=machine.id)["status"],
        lambda status: status == "DELETING",
    )
    assert client.describe_execution(executionArn=running)["status"] == "RUNNING", "not stopped"
    deletion.join(30)
    assert not deletion.is_alive(), "it ends with the execution"
    assert time.monotonic() - began >= 2, "which has come to its next state, and no further"
    assert engine.read(machine) is None, "it is gone"


def test_a_deletion_that_takes_too_long_says_what_holds_it(aws, engine, states_role):
    inputs = {"roleArn": states_role.outputs["arn"], "definition": workflow(60)}
    machine = engine.create(MACHINE, "held", inputs)
    running = started(aws, machine)
    assert message(engine.delete, machine, seconds=1) == (
        f"{machine.id} is still DELETING after 1 seconds, because executions of it are running "
        "and have not reached their next state; stop them, or give the state machine "
        "custom_timeouts with a longer delete"
    )
    aws.client("stepfunctions").stop_execution(executionArn=running)
    engine.delete(machine)
    assert engine.read(machine) is None, "the next try finds nothing that holds it"


def test_a_user_who_gives_up_does_not_wait_for_a_deletion(aws, states_role):
    inputs = {"roleArn": states_role.outputs["arn"], "definition": workflow(60)}
    with provider(aws) as engine:
        machine = engine.create(MACHINE, "given-up", inputs)
        running = started(aws, machine)
        timer = threading.Timer(1, engine.stub.Cancel, [empty_pb2.Empty()])
        timer.start()
        assert message(engine.delete, machine) == (
            f"{machine.id} is still DELETING, and waiting for it was cancelled"
        )
        timer.join()
    aws.client("stepfunctions").stop_execution(executionArn=running)


def test_a_role_with_a_policy_of_somebody_else_is_not_deleted(aws, engine):
    role = engine.create(ROLE, "held", {"assumeRolePolicy": trust("lambda")})
    document = {
        "RoleName": role.id,
        "PolicyName": "by-hand",
        "PolicyDocument": policy(allow("s3:*")),
    }
    aws.client("iam").put_role_policy(**document)
    assert message(engine.delete, role) == (
        "An error occurred (DeleteConflict) when calling the DeleteRole operation: Cannot delete"
        " entity, must delete all inline policies first."
    ), "as the provider, which only detaches what it has attached"


def test_a_schedule_group_takes_its_schedules_along(engine):
    scheduler_role = engine.create(
        ROLE, "running-scheduler", {"assumeRolePolicy": trust("scheduler")}
    )
    group = engine.create(GROUP, "running", {})
    schedule = engine.create(
        SCHEDULE,
        "running",
        {
            "groupName": group.id,
            "scheduleExpression": "rate(1 day)",
            "flexibleTimeWindow": {"mode": "OFF"},
            "target": {
                "arn": "arn:aws:states:eu-west-1:123456789012:stateMachine:one",
                "roleArn": scheduler_role.outputs["arn"],
            },
        },
    )
    engine.delete(group)
    assert engine.read(schedule) is None, "as on AWS"


def test_a_resource_that_is_made_but_not_finished_is_kept(aws, engine):
    reason = (
        "An error occurred (InvalidParameterException) when calling the PutRetentionPolicy"
        " operation: Invalid retentionInDays value: 91."
    )
    with pytest.raises(grpc.RpcError) as failed:
        engine.create(LOG_GROUP, "unfinished", {"retentionInDays": 91})
    assert failed.value.details() == reason
    [[_, details]] = failed.value.trailing_metadata()
    [detail] = status_pb2.Status.FromString(details).details
    unfinished = provider_pb2.ErrorResourceInitFailed()
    assert detail.Unpack(unfinished), "what the engine looks for"
    assert (unfinished.id, list(unfinished.reasons)) == ("unfinished-19b2585", [reason])
    assert plain(unfinished.properties)["retentionInDays"] == 91, "what it should become"
    listed = aws.client("logs").describe_log_groups(logGroupNamePrefix="unfinished")["logGroups"]
    assert [group["logGroupName"] for group in listed] == ["unfinished-19b2585"]
