"""Proves that a state machine runs in virtual time, with the history that AWS would return."""

import time
from datetime import timedelta

import pytest
from small_machines import (
    LONG_STATES,
    elapsed,
    invoke,
    machine,
    map_over,
    task,
    wait,
    wait_for_item,
)

from emulator.virtual.lambda_runtime import replies
from emulator.virtual.step_functions import StepFunctions, run
from emulator.virtual.virtual_time import DEFAULT_START, VirtualClock


def event_types(execution):
    return [event["type"] for event in execution.events]


# Time


def test_a_wait_of_an_hour_takes_exactly_an_hour_and_no_real_time():
    clock, start = VirtualClock(), time.monotonic()
    execution = run(machine(Rest=wait(3600)), {}, {"kept": 1}, clock=clock)
    assert execution.status == "SUCCEEDED", execution
    assert execution.output == {"kept": 1}, "a Wait does not change its input"
    assert elapsed(clock) == 3600
    assert time.monotonic() - start < 10


def test_a_wait_until_a_timestamp_ends_at_that_time_in_utc():
    clock = VirtualClock()
    state = {"Type": "Wait", "TimestampPath": "$.until", "End": True}
    run(machine(Rest=state), {}, {"until": "2026-11-29T04:30:00Z"}, clock=clock)
    assert elapsed(clock) == 5400, "the clock starts at three o'clock"


def test_a_map_ends_with_its_longest_iteration():
    clock = VirtualClock()
    definition = machine(Each=map_over("$.waits", Rest=wait_for_item()))
    execution = run(definition, {}, {"waits": [300, 7200, 60]}, clock=clock)
    assert execution.output == [300, 7200, 60], "in the order of the items"
    assert elapsed(clock) == 7200


def test_maps_inside_a_map_wait_in_parallel():
    clock = VirtualClock()
    definition = machine(Outer=map_over("$.all", Inner=map_over("$", Rest=wait_for_item())))
    execution = run(definition, {}, {"all": [[1, 50], [70]]}, clock=clock)
    assert execution.output == [[1, 50], [70]], execution
    assert elapsed(clock) == 70
    assert execution.states == ["Outer", "Inner", "Inner", "Rest", "Rest", "Rest"]


def test_a_branch_that_fails_ends_the_other_branches():
    clock = VirtualClock()
    branches = [machine(Slow=wait(500)), machine(Soon=wait(50, Next="Bad"), Bad=task("work"))]
    catch = {"ErrorEquals": ["ValueError"], "Next": "Rest"}
    parallel = {"Type": "Parallel", "Branches": branches, "Catch": [catch], "Next": "Rest"}
    functions = {"work": replies(ValueError("bad"))}
    execution = run(machine(Both=parallel, Rest=wait(1)), functions, {}, clock=clock)
    assert execution.status == "SUCCEEDED", execution
    assert elapsed(clock) == 51, "the slow branch was not awaited"


def test_a_clock_continues_from_run_to_run():
    clock = VirtualClock()
    for _ in range(3):
        run(machine(Rest=wait(100)), {}, {}, clock=clock)
    assert elapsed(clock) == 300


def test_events_have_virtual_times():
    clock = VirtualClock()
    functions = {"work": lambda _event, _context: clock.sleep(5)}
    definition = machine(Rest=wait(90, Next="Work"), Work=task("work"))
    execution = run(definition, functions, {}, clock=clock)
    assert execution.timeline == [
        (DEFAULT_START, "Rest"),
        (DEFAULT_START + timedelta(seconds=90), "Work"),
    ]
    assert execution.events[-1]["timestamp"] == DEFAULT_START + timedelta(seconds=95)


@pytest.mark.parametrize("task_state", [task, invoke])
def test_retries_back_off_in_virtual_time_and_each_is_a_transition(task_state):
    clock = VirtualClock()
    retry = {"ErrorEquals": ["ValueError"], "IntervalSeconds": 10, "BackoffRate": 3}
    functions = {"work": replies(ValueError("no"), ValueError("not yet"), {"done": True})}
    execution = run(machine(Work=task_state("work", Retry=[retry])), functions, {}, clock=clock)
    assert execution.status == "SUCCEEDED", execution
    assert elapsed(clock) == 10 + 30
    outcomes = [call.outcome for call in execution.calls]
    assert outcomes == ["ValueError", "ValueError", {"done": True}]
    assert execution.states == ["Work"], "a retry enters no state"
    assert execution.transitions == 3, "AWS bills each retry like a state"


def test_a_function_continues_after_the_timeout_of_its_task_and_its_result_is_lost():
    clock, ends = VirtualClock(), []

    def work(_event, _context):
        clock.sleep(100)
        ends.append(elapsed(clock))

    catch = {"ErrorEquals": ["States.Timeout"], "Next": "Rest"}
    definition = machine(Work=task("work", TimeoutSeconds=30, Catch=[catch]), Rest=wait(200))
    execution = run(definition, {"work": work}, {}, clock=clock)
    assert execution.status == "SUCCEEDED", execution
    assert elapsed(clock) == 230, "the task ended after 30 seconds"
    assert ends == [100], "Lambda does not stop a function because its caller has gone"
    assert "LambdaFunctionSucceeded" not in event_types(execution)


@pytest.mark.parametrize("long_state", LONG_STATES.values(), ids=LONG_STATES)
def test_an_execution_times_out_exactly_at_the_timeout_of_its_machine(long_state):
    clock = VirtualClock()
    definition = {**machine(Long=long_state), "TimeoutSeconds": 600}
    functions = {"work": lambda _event, _context: clock.sleep(800)}
    execution = run(definition, functions, {"items": [1, 2]}, clock=clock)
    assert (execution.status, elapsed(clock)) == ("TIMED_OUT", 600), execution
    assert event_types(execution)[-1] == "ExecutionTimedOut"


# The history


def test_events_have_the_format_of_boto3():
    with StepFunctions() as step_functions:
        functions = {"work": replies({"a": 1})}
        started = step_functions.machine(machine(Work=task("work")), functions).start({})
        execution = started.wait()
        history = step_functions.client.get_execution_history(
            executionArn=started.arn, maxResults=1000
        )
    assert execution.events == history["events"]


def test_each_state_of_each_iteration_is_a_transition():
    definition = machine(
        Begin={"Type": "Pass", "Next": "Each"},
        Each=map_over("$.items", One=wait(1, Next="Two"), Two=wait(1)),
    )
    execution = run(definition, {}, {"items": [1, 2, 3]})
    assert execution.transitions == 1 + 1 + 3 * 2


def test_the_start_time_of_an_execution_has_the_format_of_aws():
    state = {"Type": "Pass", "Parameters": {"at.$": "$$.Execution.StartTime"}, "End": True}
    assert run(machine(Begin=state), {}, {}).output == {"at": "2026-11-29T03:00:00.000Z"}


def random_history(seed):
    """Return the events of a machine whose times and failures are random."""
    clock = VirtualClock(seed=seed)

    def draw(_event, context):
        clock.sleep(clock.random.uniform(1, 50))
        if clock.random.random() < 0.5:
            raise OSError(context.aws_request_id)
        return context.aws_request_id

    retry = {
        "ErrorEquals": ["OSError"],
        "IntervalSeconds": 100,
        "MaxAttempts": 9,
        "JitterStrategy": "FULL",
    }
    states = {
        "Draw": task("draw", Retry=[retry], Next="Rest"),
        "Rest": wait(5, Next="Again"),
        "Again": task("draw", Retry=[retry]),
    }
    definition = machine(Each=map_over("$.items", **states))
    return run(definition, {"draw": draw}, {"items": [1, 2, 3, 4]}, clock=clock).events


def test_the_history_depends_on_the_seed_only():
    assert random_history(1) == random_history(1)
    assert random_history(1) != random_history(2)
