"""The runner of state machines: time passes virtually, and the record is what AWS would give."""

import time
from datetime import timedelta

import pytest
from small_machines import invoke, machine, over, task, wait

from emulator.virtual.lambda_runtime import replies
from emulator.virtual.step_functions import StepFunctions, run
from emulator.virtual.virtual_time import DEFAULT_START, VirtualClock


def elapsed(clock):
    """Give the virtual seconds since the clock began."""
    return (clock.now() - DEFAULT_START).total_seconds()


def types(execution):
    """Give the types of the events of the history, in order."""
    return [event["type"] for event in execution.events]


# Time


def test_a_wait_of_an_hour_takes_exactly_an_hour_and_no_real_time():
    clock, began = VirtualClock(), time.monotonic()
    execution = run(machine(Rest=wait(3600)), {}, {"kept": 1}, clock=clock)
    assert execution.status == "SUCCEEDED", execution
    assert execution.output == {"kept": 1}, "a Wait changes nothing"
    assert elapsed(clock) == 3600, "time is exact, not a sum of floats"
    assert time.monotonic() - began < 10, "an hour passed without anybody waiting for it"


def test_a_wait_until_a_timestamp_ends_then():
    clock = VirtualClock()
    until = {"Type": "Wait", "TimestampPath": "$.then", "End": True}
    run(machine(Rest=until), {}, {"then": "2026-11-29T04:30:00Z"}, clock=clock)
    assert elapsed(clock) == 5400, "from three o'clock, in UTC whatever the machine's zone"


def test_a_map_whose_iterations_wait_differently_ends_with_the_longest():
    clock = VirtualClock()
    definition = machine(
        Each=over("$.waits", Rest={"Type": "Wait", "SecondsPath": "$", "End": True})
    )
    execution = run(definition, {}, {"waits": [300, 7200, 60]}, clock=clock)
    assert execution.output == [300, 7200, 60], "results are in the order of the items"
    assert elapsed(clock) == 7200, "the iterations wait side by side"


def test_maps_inside_maps_wait_side_by_side():
    clock = VirtualClock()
    inner = over("$", Rest={"Type": "Wait", "SecondsPath": "$", "End": True})
    execution = run(
        machine(Outer=over("$.all", Inner=inner)), {}, {"all": [[1, 50], [70]]}, clock=clock
    )
    assert execution.output == [[1, 50], [70]], execution
    assert elapsed(clock) == 70, "all three wait at once"
    assert execution.states == ["Outer", "Inner", "Inner", "Rest", "Rest", "Rest"]


def test_branches_wait_side_by_side_and_one_that_fails_ends_the_others():
    clock = VirtualClock()
    branches = [machine(Slow=wait(500)), machine(Soon=wait(50, Next="Bad"), Bad=task("work"))]
    catch = {"ErrorEquals": ["ValueError"], "Next": "Rest"}
    both = {"Type": "Parallel", "Branches": branches, "Catch": [catch], "Next": "Rest"}
    bad = replies(ValueError("bad"))
    execution = run(machine(Both=both, Rest=wait(1)), {"work": bad}, {}, clock=clock)
    assert execution.status == "SUCCEEDED", execution
    assert elapsed(clock) == 51, "nobody waited for the slow branch"


def test_one_clock_goes_on_from_run_to_run():
    clock = VirtualClock()
    for _ in range(3):
        run(machine(Rest=wait(100)), {}, {}, clock=clock)
    assert elapsed(clock) == 300


def test_events_carry_virtual_time():
    clock = VirtualClock()
    execution = run(
        machine(Rest=wait(90, Next="Work"), Work=task("work")),
        {"work": lambda _event, _context: clock.sleep(5)},
        {},
        clock=clock,
    )
    assert execution.timeline == [
        (DEFAULT_START, "Rest"),
        (DEFAULT_START + timedelta(seconds=90), "Work"),
    ]
    assert execution.events[-1]["timestamp"] == DEFAULT_START + timedelta(seconds=95)


@pytest.mark.parametrize("kind", [task, invoke])
def test_retries_back_off_in_virtual_time_and_are_billed(kind):
    clock = VirtualClock()
    retry = {"ErrorEquals": ["ValueError"], "IntervalSeconds": 10, "BackoffRate": 3}
    work = replies(ValueError("no"), ValueError("not yet"), {"done": True})
    execution = run(machine(Work=kind("work", Retry=[retry])), {"work": work}, {}, clock=clock)
    assert execution.status == "SUCCEEDED", execution
    assert elapsed(clock) == 10 + 30, "the second pause is three times the first"
    assert [call.outcome for call in execution.calls] == [
        "ValueError",
        "ValueError",
        {"done": True},
    ]
    assert execution.states == ["Work"], "a retry enters no state"
    assert execution.transitions == 3, "AWS bills each retry like a state"


def test_a_function_that_outlasts_its_task_gives_a_timeout_and_goes_on_unheard():
    clock, ended = VirtualClock(), []

    def work(_event, _context):
        clock.sleep(100)
        ended.append(elapsed(clock))

    catch = {"ErrorEquals": ["States.Timeout"], "Next": "Rest"}
    definition = machine(Work=task("work", TimeoutSeconds=30, Catch=[catch]), Rest=wait(200))
    execution = run(definition, {"work": work}, {}, clock=clock)
    assert execution.status == "SUCCEEDED", execution
    assert elapsed(clock) == 230, "the task ended after 30 seconds"
    assert ended == [100], "Lambda does not stop a function whose caller has gone"
    assert "LambdaFunctionSucceeded" not in types(execution), "nobody listened any more"


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
def test_a_machine_past_its_timeout_has_timed_out_then(long_state):
    clock = VirtualClock()
    definition = {**machine(Long=long_state), "TimeoutSeconds": 600}
    functions = {"work": lambda _event, _context: clock.sleep(800)}
    execution = run(definition, functions, {"items": [1, 2]}, clock=clock)
    assert (execution.status, elapsed(clock)) == ("TIMED_OUT", 600), execution
    assert types(execution)[-1] == "ExecutionTimedOut"


# The record


def test_events_are_what_boto3_gives():
    with StepFunctions() as step_functions:
        running = step_functions.machine(
            machine(Work=task("work")), {"work": replies({"a": 1})}
        ).start({})
        execution = running.wait()
        history = step_functions.client.get_execution_history(
            executionArn=running.arn, maxResults=1000
        )
    assert execution.events == history["events"]


def test_a_transition_is_a_state_entered_and_iterations_count():
    definition = machine(
        Begin={"Type": "Pass", "Next": "Each"},
        Each=over("$.items", One=wait(1, Next="Two"), Two=wait(1)),
    )
    execution = run(definition, {}, {"items": [1, 2, 3]})
    assert execution.transitions == 1 + 1 + 3 * 2


def test_the_start_time_of_an_execution_is_written_as_aws_writes_it():
    started = {"Type": "Pass", "Parameters": {"at.$": "$$.Execution.StartTime"}, "End": True}
    assert run(machine(Begin=started), {}, {}).output == {"at": "2026-11-29T03:00:00.000Z"}


def lottery(clock):
    """Give a machine and functions in which chance decides how long things take."""
    retry = {
        "ErrorEquals": ["OSError"],
        "IntervalSeconds": 100,
        "MaxAttempts": 9,
        "JitterStrategy": "FULL",
    }
    states = {
        "Draw": task("draw", Retry=[retry], Next="Rest"),
        "Rest": wait(5, Next="Again"),
        "Again": task("draw"),
    }

    def draw(_event, context):
        clock.sleep(clock.random.uniform(1, 50))
        if clock.random.random() < 0.5:
            raise OSError(context.aws_request_id)
        return context.aws_request_id

    for name in ("Draw", "Again"):
        states[name]["Retry"] = [retry]
    return machine(Each=over("$.items", **states)), {"draw": draw}


def test_the_same_seed_gives_the_same_history_and_another_seed_another():
    def history(seed):
        clock = VirtualClock(seed=seed)
        return run(*lottery(clock), {"items": [1, 2, 3, 4]}, clock=clock).events

    assert history(1) == history(1), "a run is a function of machine, functions and seed"
    assert history(1) != history(2)
