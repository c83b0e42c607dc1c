"""Proves what boto3 sees of executions in virtual time, with faults and old data."""

import json

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ReadTimeoutError
from small_machines import machine, wait

from emulator.virtual.step_functions import REGION, StepFunctions, run

HOUR = 3600


@pytest.fixture
def step_functions():
    with StepFunctions() as step_functions:
        yield step_functions


@pytest.fixture
def started(step_functions):
    """An execution that takes an hour."""
    return step_functions.machine(machine(Rest=wait(HOUR)), {}).start({})


@pytest.fixture
def client(step_functions):
    """A client that makes one attempt."""
    assert step_functions, "boto3 must create the client inside the block"
    config = Config(retries={"total_max_attempts": 1})
    return boto3.client("stepfunctions", region_name=REGION, config=config)


def listed(step_functions, started, **request):
    arn = started.arn.replace(":execution:", ":stateMachine:").rpartition(":")[0]
    response = step_functions.client.list_executions(stateMachineArn=arn, **request)
    return [(row["executionArn"], row["status"]) for row in response["executions"]]


def test_a_list_of_executions_may_be_old(step_functions, started):
    fault = {"fault": "stale", "operation": "ListExecutions", "seconds": 90, "times": 2}
    step_functions.clock.sleep(60)
    step_functions.faults.inject(fault)
    assert listed(step_functions, started) == [], "it started 60 seconds ago"
    step_functions.clock.sleep(60)
    assert listed(step_functions, started) == [(started.arn, "RUNNING")]
    started.wait()
    assert listed(step_functions, started) == [(started.arn, "SUCCEEDED")], "no fault is left"


def test_an_old_list_shows_an_execution_running_that_has_ended(step_functions, started):
    started.wait()
    for filtered, rows in (
        ("RUNNING", [(started.arn, "RUNNING")]),
        ("SUCCEEDED", []),
    ):
        step_functions.faults.inject({"fault": "stale", "operation": "ListExecutions"})
        assert listed(step_functions, started, statusFilter=filtered) == rows
    step_functions.clock.sleep(60)
    step_functions.faults.inject({"fault": "stale", "operation": "ListExecutions"})
    assert listed(step_functions, started, statusFilter="SUCCEEDED") == [(started.arn, "SUCCEEDED")]


def test_an_execution_that_timed_out_has_a_stop_date(step_functions, client):
    definition = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 900, "End": True}}}
    machine = step_functions.machine(definition, {}, name="slow")
    started = machine.start({})
    step_functions.clock.sleep(60)
    started.time_out()
    (listed,) = client.list_executions(stateMachineArn=machine.arn)["executions"]
    described = client.describe_execution(executionArn=started.arn)
    assert (listed["status"], described["status"]) == ("TIMED_OUT", "TIMED_OUT")
    assert listed["stopDate"] == described["stopDate"] == step_functions.clock.now()


def test_lists_may_be_old_at_a_rate(step_functions, started):
    step_functions.clock.sleep(60)
    step_functions.faults.inject(
        {
            "fault": "stale",
            "operation": "ListExecutions",
            "seconds": 90,
            "times": None,
            "rate": 0.5,
        }
    )
    missing = [listed(step_functions, started) == [] for _ in range(100)]
    assert 30 < sum(missing) < 70


def test_an_old_description_shows_an_ended_execution_as_running_and_no_new_execution(
    step_functions, started, client
):
    step_functions.faults.inject({"fault": "stale", "operation": "DescribeExecution"})
    with pytest.raises(client.exceptions.ExecutionDoesNotExist):
        client.describe_execution(executionArn=started.arn)
    started.wait()
    step_functions.faults.inject({"fault": "stale", "operation": "DescribeExecution"})
    old = client.describe_execution(executionArn=started.arn)
    assert (old["status"], "stopDate" in old, "output" in old) == ("RUNNING", False, False)
    new = client.describe_execution(executionArn=started.arn)
    assert (new["status"], "stopDate" in new, "output" in new) == ("SUCCEEDED", True, True)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("throttle", "ThrottlingException"),
        ("deny", "AccessDeniedException"),
        ("server-error", "InternalServerError"),
    ],
)
def test_a_call_of_step_functions_meets_the_faults_of_calls(
    step_functions, started, fault, code, client
):
    operation = "DescribeStateMachineForExecution"
    step_functions.faults.inject({"fault": fault, "operation": operation, "times": None})
    with pytest.raises(client.exceptions.ClientError) as error:
        client.describe_state_machine_for_execution(executionArn=started.arn)
    assert error.value.response["Error"]["Code"] == code


def test_a_response_of_step_functions_is_lost_after_the_operation(step_functions, started, client):
    step_functions.faults.inject(
        {"fault": "lost-answer", "operation": "StopExecution", "times": None}
    )
    step_functions.clock.let_others_run()
    with pytest.raises(ReadTimeoutError):
        client.stop_execution(executionArn=started.arn)
    step_functions.clock.let_others_run()
    assert started.now().status == "ABORTED"


def test_only_operations_of_step_functions_have_faults_there(step_functions):
    with pytest.raises(ValueError, match=r"unknown operation 'ListSchemas'; known are \*, List"):
        step_functions.faults.inject({"fault": "throttle", "operation": "ListSchemas"})


def test_an_execution_is_described_with_the_definition_that_it_started_with(started, client):
    arn = started.arn.replace(":execution:", ":stateMachine:").rpartition(":")[0]
    client.update_state_machine(stateMachineArn=arn, definition=json.dumps(machine(Other=wait(1))))
    for _ in ("while it runs", "after its end"):
        description = client.describe_state_machine_for_execution(executionArn=started.arn)
        assert json.loads(description["definition"]) == machine(Rest=wait(HOUR))
        started.wait()


# The limit of the documents. https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html

ADD_SETTINGS = {
    "Type": "Pass",
    "Result": {"text": "x" * 5000},
    "ResultPath": "$.settings",
    "Next": "Rest",
}


def input_of(kilobytes):
    return {"note": "y" * (kilobytes * 1024 - len('{"note":""}'))}


def test_a_document_of_250_kilobytes_passes():
    execution = run(machine(Configure=ADD_SETTINGS, Rest=wait(1)), {}, input_of(250))
    assert execution.status == "SUCCEEDED"


def test_an_input_of_255_kilobytes_fails_the_first_state_that_adds_to_it(step_functions):
    definition = machine(Configure=ADD_SETTINGS, Rest=wait(1))
    execution = step_functions.machine(definition, {}).start(input_of(255)).wait()
    assert (execution.status, execution.error) == ("FAILED", "States.DataLimitExceeded")
    assert execution.states == ["Configure"]
    description = step_functions.client.describe_state_machine_for_execution(
        executionArn=execution.arn
    )
    assert json.loads(description["definition"]) == definition, "the settings can be read here"
