"""Proves that executions share virtual time, call handlers as Lambda does, overlap and end.

`test_histories.py` proves what the states do.
"""

import gc
import json
import weakref
from datetime import timedelta
from decimal import Decimal

from small_machines import elapsed, machine, map_over, replies, task, wait

from emulator.virtual.step_functions import StepFunctions, run
from emulator.virtual.virtual_time import DEFAULT_START, VirtualClock
from tests.benchmarks.replay import transitions


def test_an_exception_is_caught_by_its_class_name_and_has_lambdas_cause():
    catch = {"ErrorEquals": ["KeyError"], "ResultPath": "$.error", "Next": "Rest"}
    definition = machine(Work=task("work", Catch=[catch]), Rest={"Type": "Succeed"})
    execution = run(definition, {"work": lambda event, _context: event["absent"]}, {})
    cause = json.loads(execution.output["error"]["Cause"])

    assert (cause["errorType"], cause["errorMessage"]) == ("KeyError", "'absent'")
    assert cause["stackTrace"][0].startswith(f'  File "{__file__}"'), "only the handler's frames"
    assert execution.calls[0].outcome == "KeyError"


def test_the_event_and_the_result_are_converted_to_json():
    def work(event, _context):
        event["items"].append("changed")
        return (1, Decimal("0.5"), None)

    definition = machine(Work=task("work", ResultPath="$.result"))
    execution = run(definition, {"work": work}, {"items": []})
    assert execution.output == {"items": [], "result": [1, 0.5, None]}, "the event was a copy"
    assert execution.calls == [("work", {"items": []}, [1, 0.5, None])]


def test_a_function_is_stopped_at_its_timeout():
    clock = VirtualClock()
    times = []

    def work(_event, _context):
        for _ in range(2):
            clock.sleep(20)
            times.append(elapsed(clock))

    with StepFunctions(clock) as step_functions:
        definition = machine(Work=task("work"))
        functions = {"work": work}
        created = step_functions.create_state_machine(definition, functions, timeouts={"work": 30})
        execution = created.start({}).wait()
    assert (execution.error, elapsed(clock)) == ("Sandbox.Timedout", 30), execution
    assert times == [20]
    assert "Task timed out after 30.00 seconds" in execution.cause


def test_each_state_of_each_iteration_and_each_retry_is_a_transition():
    retry = {"ErrorEquals": ["ValueError"], "IntervalSeconds": 10}
    functions = {"work": replies(ValueError("no"), ValueError("not yet"), {"done": True})}
    definition = machine(
        Work=task("work", Retry=[retry], ResultPath=None, Next="Each"),
        Each=map_over("$.items", One=wait(1, Next="Two"), Two=wait(1)),
    )
    execution = run(definition, functions, {"items": [1, 2, 3]})

    assert [call.outcome for call in execution.calls] == [
        "ValueError",
        "ValueError",
        {"done": True},
    ]
    assert execution.states == ["Work", "Each", "One", "One", "One", "Two", "Two", "Two"]
    assert transitions(execution) == 3 + 1 + 3 * 2


def test_a_function_continues_after_the_timeout_of_its_task_and_its_result_is_lost():
    clock = VirtualClock()
    ends = []

    def work(_event, _context):
        clock.sleep(100)
        ends.append(elapsed(clock))

    catch = {"ErrorEquals": ["States.Timeout"], "Next": "Rest"}
    definition = machine(Work=task("work", TimeoutSeconds=30, Catch=[catch]), Rest=wait(200))
    execution = run(definition, {"work": work}, {}, clock=clock)
    assert execution.status == "SUCCEEDED", execution
    assert elapsed(clock) == 230, "the task ended after 30 seconds"
    assert ends == [100], "Lambda does not stop a function because its caller has gone"


def test_executions_overlap_and_each_machine_has_its_own_functions():
    with StepFunctions() as step_functions:
        started = []
        for name, seconds in (("dev", 100), ("prod", 40)):
            definition = machine(Rest=wait(seconds, Next="Work"), Work=task("work"))
            functions = {"work": replies(name)}
            started.append(
                step_functions.create_state_machine(definition, functions, name=name).start({})
            )
        ends = [execution.wait() for execution in reversed(started)]

    assert [(execution.output, execution.timeline[-1]) for execution in ends] == [
        ("prod", (DEFAULT_START + timedelta(seconds=40), "Work")),
        ("dev", (DEFAULT_START + timedelta(seconds=100), "Work")),
    ]


def test_random_times_and_failures_are_the_same_each_time():
    def random_history():
        clock = VirtualClock()

        def draw(_event, _context):
            clock.sleep(clock.random.uniform(1, 50))
            if clock.random.random() < 0.5:
                raise OSError
            return clock.random.random()

        retry = {"ErrorEquals": ["OSError"], "IntervalSeconds": 100, "MaxAttempts": 9}
        drawing = task("draw", Retry=[{**retry, "JitterStrategy": "FULL"}])
        return run(machine(Each=map_over("$", Draw=drawing)), {"draw": draw}, [1] * 4, clock=clock)

    assert random_history().events == random_history().events


def test_functions_end_with_the_block_and_the_clock_is_forgotten():
    clocks = [VirtualClock()]
    ends = []

    def work(event, _context):
        try:
            clocks[0].sleep(1000)
        finally:
            ends.append(event)

    with StepFunctions(clocks[0]) as step_functions:
        definition = machine(Each=map_over("$", Work=task("work")))
        step_functions.create_state_machine(definition, {"work": work}).start([1, 2, 3])
        clocks[0].sleep(1)
        assert ends == [], "they sleep"
    assert ends == [1, 2, 3]
    clock = weakref.ref(clocks.pop())
    del step_functions
    gc.collect()
    assert clock() is None, "a suspended greenlet would keep it for ever"
