"""Several executions in one world: they overlap, can be aborted, and leave nothing behind."""

import os
import sys
import threading
from datetime import timedelta

import pytest
from moto import mock_aws
from moto.stepfunctions.parser import models, utils
from small_machines import FUNCTION, invoke, machine, over, task, wait

from emulator.virtual import moto_time
from emulator.virtual.lambda_runtime import replies
from emulator.virtual.step_functions import StepFunctions, run
from emulator.virtual.virtual_time import DEFAULT_START, StuckError, VirtualClock


def elapsed(clock):
    """Give the virtual seconds since the clock began."""
    return (clock.now() - DEFAULT_START).total_seconds()


@pytest.mark.parametrize(
    "long_state",
    [
        wait(5000),
        task("work"),
        over("$.items", Rest=wait(5000)),
        over("$.items", Work=task("work")),
    ],
    ids=["Wait", "Task", "Map of Wait", "Map of Task"],
)
def test_an_aborted_execution_ends_at_once(long_state):
    clock = VirtualClock()
    with StepFunctions(clock) as step_functions:
        functions = {"work": lambda _event, _context: clock.sleep(800)}
        running = step_functions.machine(machine(Long=long_state), functions).start(
            {"items": [1, 2]}
        )
        clock.sleep(60)
        assert running.now().status == "RUNNING"
        running.abort("Enough", "of this")
        assert running.now().status == "ABORTED", "without any waiting"
        execution = running.wait()
    assert (execution.status, elapsed(clock)) == ("ABORTED", 60), execution
    assert execution.events[-1]["executionAbortedEventDetails"] == {
        "error": "Enough",
        "cause": "of this",
    }
    assert {call.outcome for call in execution.calls} <= {None}, "functions have not ended yet"


def test_an_execution_can_be_aborted_before_it_has_done_anything():
    with StepFunctions() as step_functions:
        running = step_functions.machine(machine(Rest=wait(9)), {}).start({})
        running.abort()
        assert running.wait().status == "ABORTED"


def test_executions_overlap_and_see_each_other():
    with StepFunctions() as step_functions:
        seen = {}

        def look(event, _context):
            listed = step_functions.client.list_executions(
                stateMachineArn=loop.arn, statusFilter="RUNNING"
            )
            seen[event["name"]] = sorted(item["name"] for item in listed["executions"])

        definition = machine(Look=task("look", Next="Rest", ResultPath=None), Rest=wait(100))
        loop = step_functions.machine(definition, {"look": look})
        first = loop.start({"name": "first"}, name="first")
        step_functions.clock.sleep(40)
        second = loop.start({"name": "second"}, name="second")
        ends = [one.wait().events[-1]["timestamp"] for one in (second, first)]
    assert seen == {"first": ["first"], "second": ["first", "second"]}
    assert ends == [DEFAULT_START + timedelta(seconds=s) for s in (140, 100)]


def test_machines_in_one_world_have_functions_of_their_own():
    with StepFunctions() as step_functions:
        running = [
            step_functions.machine(
                machine(Work=task("work")), {"work": replies(name)}, name=name
            ).start({})
            for name in ("dev", "prod")
        ]
        assert [one.wait().output for one in running] == ["dev", "prod"]


def test_two_machines_of_one_name_are_refused():
    with StepFunctions() as step_functions:
        step_functions.machine(machine(Rest=wait(1)), {})
        with pytest.raises(ValueError, match="a state machine 'machine' exists already"):
            step_functions.machine(machine(Rest=wait(2)), {})


def test_worlds_in_an_account_that_moto_keeps_start_empty():
    with mock_aws():
        outputs = [run(machine(Work=task("work")), {"work": replies(n)}, {}).output for n in (1, 2)]
    assert outputs == [1, 2]


def test_a_task_token_is_answered_through_boto3_and_is_the_same_in_every_run():
    parameters = {"FunctionName": f"{FUNCTION}:ask", "Payload": {"token.$": "$$.Task.Token"}}
    resource = "arn:aws:states:::lambda:invoke.waitForTaskToken"
    ask = invoke("ask") | {"Resource": resource, "Parameters": parameters}
    tokens = []
    for _ in range(2):
        with StepFunctions() as step_functions:
            running = step_functions.machine(machine(Ask=ask), {"ask": replies(None)}).start({})
            step_functions.clock.sleep(7200)
            tokens.append(running.now().calls[0].payload["token"])
            step_functions.client.send_task_success(
                taskToken=tokens[-1], output='{"approved": true}'
            )
            execution = running.wait()
        assert execution.output == {"approved": True}, execution
        assert elapsed(step_functions.clock) == 7200, "the answer ends the waiting"
    assert tokens[0] == tokens[1], "a token is chance, and chance is seeded"


# Nothing is left behind


def test_twenty_runs_leave_no_threads_and_no_patches():
    before = threading.active_count(), dict(os.environ), models.datetime, list(utils.TMP_THREADS)
    for seed in range(20):
        clock = VirtualClock(seed=seed)
        run(
            {
                **machine(
                    Long=over(
                        "$",
                        Rest=wait(9),
                    )
                ),
                "TimeoutSeconds": 5,
            },
            {},
            [1, 2],
            clock=clock,
        )
    after = threading.active_count(), dict(os.environ), models.datetime, list(utils.TMP_THREADS)
    assert after == before


def test_threads_that_still_wait_are_ended_with_the_world():
    before = threading.active_count()
    with StepFunctions() as step_functions:
        work = lambda _event, _context: step_functions.clock.sleep(800)  # noqa: E731 - one line says it
        step_functions.machine(machine(Each=over("$", Work=task("work"))), {"work": work}).start(
            [1, 2, 3]
        )
        step_functions.clock.sleep(1)
        assert threading.active_count() > before, "they wait"
    assert threading.active_count() == before


def test_a_function_that_never_returns_is_an_error_that_names_it():
    release = threading.Event()
    with pytest.raises(StuckError, match=r"no end after 0\.2 real seconds"):
        run(
            machine(Work=task("work")),
            {"work": lambda _event, _context: release.wait(5)},
            {},
            clock=VirtualClock(patience=0.2),
        )
    release.set()


def test_a_fault_in_the_interpreter_is_raised_in_the_test():
    def broken(_arn):
        raise RuntimeError("broken")

    with StepFunctions() as step_functions:
        step_functions.machine(machine(Rest=wait(9)), {}).start({})
        step_functions.end_event = broken
        with pytest.raises(RuntimeError, match="broken"):
            step_functions.clock.sleep(10)


def test_the_seams_name_every_place_in_moto_that_waits_or_tells_the_time():
    intrinsic = "asl.component.intrinsic.function.statesfunction"
    distributed = "asl.component.state.exec.state_map.iteration.itemprocessor"
    harmless = {
        # Keys and marks that no document shows.
        ("asl.component.eval_component", "long_uid"),
        ("asl.eval.callback.callback", "long_uid"),
        ("backend.state_machine", "long_uid"),
        # Two intrinsic functions that are chance itself.
        (f"{intrinsic}.math_operations.math_random", "random"),
        (f"{intrinsic}.unique_id_generation.uuid", "long_uid"),
        # Distributed Maps and aliases, which nothing here has.
        (f"{distributed}.map_run_record", "long_uid"),
        (f"{distributed}.map_run_record", "threading"),
        ("backend.alias", "random"),
        ("backend.alias", "threading"),
        # A lock that nobody holds while waiting, and a method that is replaced.
        ("asl.eval.event.event_manager", "threading"),
        ("asl.component.state.wait.wait_function.wait_function", "time"),
    }
    found = {
        (name.removeprefix(f"{moto_time.PACKAGE}."), attribute)
        for name, module in sys.modules.items()
        if name.startswith(f"{moto_time.PACKAGE}.") and name != utils.__name__
        for attribute, value in vars(module).items()
        if any(value is original for original in moto_time.ORIGINALS)
    }
    timed = {seam for seam in moto_time.SUBSTITUTES if seam[1] != "datetime"}
    assert found - timed == harmless, "a new place in moto: give it a substitute or a reason"
    assert timed - found == set(), "a place that moto no longer has"


def test_a_world_inside_a_world_is_refused():
    with (
        StepFunctions(),
        pytest.raises(moto_time.SeamMovedError, match="another moto, or a world in a"),
    ):
        StepFunctions().__enter__()


def test_a_seam_that_has_moved_is_named(monkeypatch):
    monkeypatch.setattr(models, "datetime", None)
    with pytest.raises(moto_time.SeamMovedError, match=r"models\.datetime is None: another moto"):
        run(machine(Rest=wait(1)), {}, {})
