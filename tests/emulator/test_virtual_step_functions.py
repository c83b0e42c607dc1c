"""Proves that executions overlap, can be aborted, and leave nothing behind in the process."""

import os
import sys
import threading
from datetime import timedelta

import pytest
from moto import mock_aws
from moto.stepfunctions.parser import models, utils
from small_machines import FUNCTION, LONG_STATES, elapsed, invoke, machine, map_over, task, wait

from emulator.virtual import moto_time
from emulator.virtual.lambda_runtime import replies
from emulator.virtual.step_functions import StepFunctions, run
from emulator.virtual.virtual_time import DEFAULT_START, StuckError, VirtualClock


@pytest.mark.parametrize("long_state", LONG_STATES.values(), ids=LONG_STATES)
def test_an_aborted_execution_ends_immediately(long_state):
    clock = VirtualClock()
    with StepFunctions(clock) as step_functions:
        functions = {"work": lambda _event, _context: clock.sleep(800)}
        state_machine = step_functions.machine(machine(Long=long_state), functions)
        started = state_machine.start({"items": [1, 2]})
        clock.sleep(60)
        assert started.now().status == "RUNNING"
        started.abort("Enough", "of this")
        assert started.now().status == "ABORTED"
        execution = started.wait()
    assert (execution.status, elapsed(clock)) == ("ABORTED", 60), execution
    assert execution.events[-1]["executionAbortedEventDetails"] == {
        "error": "Enough",
        "cause": "of this",
    }
    assert {call.outcome for call in execution.calls} <= {None}, "functions have not ended yet"


def test_an_execution_can_be_aborted_before_it_enters_a_state():
    with StepFunctions() as step_functions:
        started = step_functions.machine(machine(Rest=wait(9)), {}).start({})
        started.abort()
        assert started.wait().status == "ABORTED"


def test_executions_overlap_and_are_listed():
    with StepFunctions() as step_functions:
        running_names = {}

        def list_running(event, _context):
            listed = step_functions.client.list_executions(
                stateMachineArn=state_machine.arn, statusFilter="RUNNING"
            )
            names = [execution["name"] for execution in listed["executions"]]
            running_names[event["name"]] = sorted(names)

        definition = machine(List=task("list", Next="Rest", ResultPath=None), Rest=wait(100))
        state_machine = step_functions.machine(definition, {"list": list_running})
        first = state_machine.start({"name": "first"}, name="first")
        step_functions.clock.sleep(40)
        second = state_machine.start({"name": "second"}, name="second")
        ends = [started.wait().events[-1]["timestamp"] for started in (second, first)]
    assert running_names == {"first": ["first"], "second": ["first", "second"]}
    assert ends == [DEFAULT_START + timedelta(seconds=seconds) for seconds in (140, 100)]


def test_an_execution_that_timed_out_is_listed_with_its_end():
    with StepFunctions() as step_functions:
        definition = {**machine(Rest=wait(100)), "TimeoutSeconds": 40}
        state_machine = step_functions.machine(definition, {})
        state_machine.start({}).wait()
        listed = step_functions.client.list_executions(stateMachineArn=state_machine.arn)
    assert [(item["status"], item["stopDate"]) for item in listed["executions"]] == [
        ("TIMED_OUT", DEFAULT_START + timedelta(seconds=40))
    ]


def test_each_machine_has_its_own_functions():
    with StepFunctions() as step_functions:
        executions = [
            step_functions.machine(
                machine(Work=task("work")), {"work": replies(name)}, name=name
            ).start({})
            for name in ("dev", "prod")
        ]
        assert [execution.wait().output for execution in executions] == ["dev", "prod"]


def test_two_machines_with_one_name_are_refused():
    with StepFunctions() as step_functions:
        step_functions.machine(machine(Rest=wait(1)), {})
        with pytest.raises(ValueError, match="a state machine 'machine' exists already"):
            step_functions.machine(machine(Rest=wait(2)), {})


def test_a_second_run_inside_mock_aws_starts_with_an_empty_account():
    with mock_aws():
        outputs = [
            run(machine(Work=task("work")), {"work": replies(number)}, {}).output
            for number in (1, 2)
        ]
    assert outputs == [1, 2]


def test_boto3_can_answer_a_task_token_and_the_token_depends_on_the_seed():
    parameters = {"FunctionName": f"{FUNCTION}:ask", "Payload": {"token.$": "$$.Task.Token"}}
    resource = "arn:aws:states:::lambda:invoke.waitForTaskToken"
    ask = invoke("ask") | {"Resource": resource, "Parameters": parameters}
    tokens = []
    for _ in range(2):
        with StepFunctions() as step_functions:
            started = step_functions.machine(machine(Ask=ask), {"ask": replies(None)}).start({})
            step_functions.clock.sleep(7200)
            tokens.append(started.now().calls[0].payload["token"])
            step_functions.client.send_task_success(
                taskToken=tokens[-1], output='{"approved": true}'
            )
            execution = started.wait()
        assert execution.output == {"approved": True}, execution
        assert elapsed(step_functions.clock) == 7200, "the answer ends the wait"
    assert tokens[0] == tokens[1]


# Nothing is left behind


def process_state():
    """Return what a run changes in the process and must restore."""
    return threading.active_count(), dict(os.environ), models.datetime, list(utils.TMP_THREADS)


def test_twenty_runs_leave_no_threads_and_no_patches():
    state = process_state()
    definition = {**machine(Long=map_over("$", Rest=wait(9))), "TimeoutSeconds": 5}
    for seed in range(20):
        run(definition, {}, [1, 2], clock=VirtualClock(seed=seed))
    assert process_state() == state


def test_threads_that_wait_end_with_the_block():
    threads = threading.active_count()
    with StepFunctions() as step_functions:
        functions = {"work": lambda _event, _context: step_functions.clock.sleep(800)}
        definition = machine(Each=map_over("$", Work=task("work")))
        step_functions.machine(definition, functions).start([1, 2, 3])
        step_functions.clock.sleep(1)
        assert threading.active_count() > threads
    assert threading.active_count() == threads


def test_a_function_that_never_returns_is_an_error():
    release = threading.Event()
    with pytest.raises(StuckError, match=r"no end after 0\.2 real seconds"):
        run(
            machine(Work=task("work")),
            {"work": lambda _event, _context: release.wait(5)},
            {},
            clock=VirtualClock(patience=0.2),
        )
    release.set()


def test_an_error_in_a_thread_of_the_interpreter_is_raised_in_the_test():
    def fail(_arn):
        raise RuntimeError("broken")

    with StepFunctions() as step_functions:
        step_functions.machine(machine(Rest=wait(9)), {}).start({})
        step_functions.end_event = fail
        with pytest.raises(RuntimeError, match="broken"):
            step_functions.clock.sleep(10)


def test_substitutes_name_every_place_in_moto_that_waits_or_reads_the_time():
    intrinsic = "asl.component.intrinsic.function.statesfunction"
    distributed = "asl.component.state.exec.state_map.iteration.itemprocessor"
    harmless = {
        # Internal keys, which no document contains.
        ("asl.component.eval_component", "long_uid"),
        ("asl.eval.callback.callback", "long_uid"),
        ("backend.state_machine", "long_uid"),
        # Two intrinsic functions whose result is random.
        (f"{intrinsic}.math_operations.math_random", "random"),
        (f"{intrinsic}.unique_id_generation.uuid", "long_uid"),
        # Distributed Maps and aliases, which no test uses.
        (f"{distributed}.map_run_record", "long_uid"),
        (f"{distributed}.map_run_record", "threading"),
        ("backend.alias", "random"),
        ("backend.alias", "threading"),
        # A lock that no thread holds while it waits, and a method that is replaced.
        ("asl.eval.event.event_manager", "threading"),
        ("asl.component.state.wait.wait_function.wait_function", "time"),
    }
    places = {
        (name.removeprefix(f"{moto_time.PACKAGE}."), attribute)
        for name, module in sys.modules.items()
        if name.startswith(f"{moto_time.PACKAGE}.") and name != utils.__name__
        for attribute, value in vars(module).items()
        if any(value is original for original in moto_time.ORIGINALS)
    }
    substitutes = {place for place in moto_time.SUBSTITUTES if place[1] != "datetime"}
    assert places - substitutes == harmless, "a new place in moto needs a substitute or a reason"
    assert substitutes - places == set(), "moto no longer has this place"


def test_a_block_inside_a_block_is_refused():
    with (
        StepFunctions(),
        pytest.raises(moto_time.MotoChangedError, match="or this is a block inside another one"),
    ):
        StepFunctions().__enter__()


def test_a_place_that_has_moved_is_named(monkeypatch):
    monkeypatch.setattr(models, "datetime", None)
    with pytest.raises(moto_time.MotoChangedError, match=r"models\.datetime is None; moto is not"):
        run(machine(Rest=wait(1)), {}, {})
