"""Proves that handlers receive what Lambda sends, and that their errors are those of Lambda."""

import json
from decimal import Decimal

import pytest
from small_machines import FUNCTION, elapsed, machine, replies, task

from emulator.virtual.step_functions import Fails, StepFunctions, run
from emulator.virtual.virtual_time import VirtualClock


def test_an_exception_is_caught_by_its_class_name_and_has_lambdas_cause():
    catch = {"ErrorEquals": ["KeyError"], "ResultPath": "$.error", "Next": "Rest"}
    definition = machine(Work=task("work", Catch=[catch]), Rest={"Type": "Succeed"})
    execution = run(definition, {"work": lambda event, _context: event["absent"]}, {})
    cause = json.loads(execution.output["error"]["Cause"])
    assert (cause["errorType"], cause["errorMessage"]) == ("KeyError", "'absent'")
    assert cause["stackTrace"][0].startswith(f'  File "{__file__}"'), "only the handler's frames"
    assert execution.calls[0].outcome == "KeyError"


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (
            "Lambda.TooManyRequestsException",
            "made to fail (Service: AWSLambda; Status Code: 429; Error Code: TooManyRequestsExc",
        ),
        ("Sandbox.Timedout", '{"errorMessage":"made to fail","errorType":"Sandbox.Timedout"}'),
    ],
)
def test_a_failure_of_lambda_itself_has_lambdas_name(error, cause):
    execution = run(machine(Work=task("work")), {"work": replies(Fails(error))}, {})
    assert (execution.status, execution.error) == ("FAILED", error), execution
    assert execution.cause.startswith(cause)


def test_a_missing_function_is_an_error_of_lambda():
    execution = run(machine(Work=task("wrok")), {"work": replies({})}, {})
    assert execution.error == "Lambda.ResourceNotFoundException"
    assert execution.cause.startswith(f"Function not found: {FUNCTION}:wrok:7"), execution


def test_the_event_and_the_result_are_converted_to_json():
    def work(event, _context):
        event["items"].append("changed")
        return (1, Decimal("0.5"), None)

    definition = machine(Work=task("work", ResultPath="$.result"))
    execution = run(definition, {"work": work}, {"items": []})
    assert execution.output == {"items": [], "result": [1, 0.5, None]}, "the event was a copy"
    assert execution.calls == [("work", {"items": []}, [1, 0.5, None])]


def test_a_function_is_stopped_at_its_timeout():
    clock, times = VirtualClock(), []

    def work(_event, _context):
        for _ in range(2):
            clock.sleep(20)
            times.append(elapsed(clock))

    with StepFunctions(clock) as step_functions:
        definition, functions = machine(Work=task("work")), {"work": work}
        created = step_functions.machine(definition, functions, timeouts={"work": 30})
        execution = created.start({}).wait()
    assert (execution.error, elapsed(clock)) == ("Sandbox.Timedout", 30), execution
    assert times == [20]
    assert "Task timed out after 30.00 seconds" in execution.cause


def test_a_call_without_a_prepared_reply_fails_the_state():
    definition = machine(Work=task("work", Next="Again"), Again=task("work"))
    execution = run(definition, {"work": replies({})}, {})
    assert execution.error == "AssertionError"
    assert '"called more than 1 times: {}"' in execution.cause
