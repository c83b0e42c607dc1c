"""The runner of state machines that the other tests in this folder stand on."""

import os
import sys
import threading
import time
from datetime import timedelta
from decimal import Decimal

import pytest
from moto.stepfunctions.parser import models, utils

from tests import moto_seams
from tests.interpreter import ACCOUNT, REGION, Fails, StuckError, World, replies, run
from tests.virtual_time import DEFAULT_START, VirtualClock

FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function"


def task(function, **fields):
    """Give a Task that calls a function by its ARN, and is the last state unless told otherwise."""
    fields = fields if "Next" in fields else {"End": True, **fields}
    return {"Type": "Task", "Resource": f"{FUNCTION}:{function}:7", **fields}


def invoke(function, **fields):
    """Give the same as `task`, through the lambda:invoke integration."""
    parameters = {"FunctionName": f"{FUNCTION}:{function}:7", "Payload.$": "$"}
    resource = "arn:aws:states:::lambda:invoke"
    return task(function, **fields) | {"Resource": resource, "Parameters": parameters}


def machine(*, start=None, **states):
    """Give a definition; the first state is where it starts."""
    return {"StartAt": start or next(iter(states)), "States": states}


def over(items_path, **states):
    """Give a Map that runs the states for each item."""
    processor = {"ProcessorConfig": {"Mode": "INLINE"}, **machine(**states)}
    return {"Type": "Map", "ItemsPath": items_path, "ItemProcessor": processor, "End": True}


def wait(seconds, **fields):
    """Give a Wait, the last state unless told otherwise."""
    return {"Type": "Wait", "Seconds": seconds, **(fields or {"End": True})}


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


# Aborting, and several at once


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
    with World(clock) as world:
        functions = {"work": lambda _event, _context: clock.sleep(800)}
        running = world.machine(machine(Long=long_state), functions).start({"items": [1, 2]})
        clock.sleep(60)
        assert running.now().status == "RUNNING"
        running.abort("Enough", "of this")
        execution = running.wait()
    assert (execution.status, elapsed(clock)) == ("ABORTED", 60), execution
    assert execution.events[-1]["executionAbortedEventDetails"] == {
        "error": "Enough",
        "cause": "of this",
    }
    assert {call.outcome for call in execution.calls} <= {None}, "functions have not ended yet"


def test_an_execution_can_be_aborted_before_it_has_done_anything():
    with World() as world:
        running = world.machine(machine(Rest=wait(9)), {}).start({})
        running.abort()
        assert running.wait().status == "ABORTED"


def test_executions_overlap_and_see_each_other():
    with World() as world:
        seen = {}

        def look(event, _context):
            listed = world.client.list_executions(stateMachineArn=loop.arn, statusFilter="RUNNING")
            seen[event["name"]] = sorted(item["name"] for item in listed["executions"])

        definition = machine(Look=task("look", Next="Rest", ResultPath=None), Rest=wait(100))
        loop = world.machine(definition, {"look": look})
        first = loop.start({"name": "first"}, name="first")
        world.clock.sleep(40)
        second = loop.start({"name": "second"}, name="second")
        ends = [one.wait().events[-1]["timestamp"] for one in (second, first)]
    assert seen == {"first": ["first"], "second": ["first", "second"]}
    assert ends == [DEFAULT_START + timedelta(seconds=s) for s in (140, 100)]


def test_machines_in_one_world_have_functions_of_their_own():
    with World() as world:
        running = [
            world.machine(machine(Work=task("work")), {"work": replies(name)}, name=name).start({})
            for name in ("dev", "prod")
        ]
        assert [one.wait().output for one in running] == ["dev", "prod"]


def test_a_task_token_is_answered_through_boto3():
    parameters = {"FunctionName": f"{FUNCTION}:ask", "Payload": {"token.$": "$$.Task.Token"}}
    resource = "arn:aws:states:::lambda:invoke.waitForTaskToken"
    ask = invoke("ask") | {"Resource": resource, "Parameters": parameters}
    with World() as world:
        running = world.machine(machine(Ask=ask), {"ask": replies(None)}).start({})
        world.clock.sleep(7200)
        token = running.now().calls[0].payload["token"]
        world.client.send_task_success(taskToken=token, output='{"approved": true}')
        execution = running.wait()
    assert execution.output == {"approved": True}, execution
    assert elapsed(world.clock) == 7200, "the answer ends the waiting"


# Functions


@pytest.mark.parametrize("kind", [task, invoke])
def test_an_exception_is_caught_by_its_class_and_has_lambdas_cause(kind):
    catch = {"ErrorEquals": ["KeyError"], "ResultPath": "$.error", "Next": "Rest"}
    definition = machine(
        Work=kind("work", Catch=[catch]),
        Rest={
            "Type": "Pass",
            "Parameters": {"cause.$": "States.StringToJson($.error.Cause)"},
            "End": True,
        },
    )
    execution = run(definition, {"work": lambda event, _context: event["absent"]}, {})
    cause = execution.output["cause"]
    assert (cause["errorType"], cause["errorMessage"]) == ("KeyError", "'absent'")
    assert cause["stackTrace"][0].startswith(f'  File "{__file__}"'), "only the handler's frames"
    assert execution.calls[0].outcome == "KeyError"


@pytest.mark.parametrize("kind", [task, invoke])
@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (
            "Lambda.TooManyRequestsException",
            "made to fail (Service: AWSLambda; Status Code: 429; Error Code: TooManyRequestsException; ",
        ),
        ("Sandbox.Timedout", '{"errorMessage":"made to fail","errorType":"Sandbox.Timedout"}'),
    ],
)
def test_lambdas_own_failures_have_lambdas_names(kind, error, cause):
    execution = run(machine(Work=kind("work")), {"work": replies(Fails(error))}, {})
    assert (execution.status, execution.error) == ("FAILED", error), execution
    assert execution.cause.startswith(cause)


def test_a_function_that_is_not_there_is_lambdas_error():
    execution = run(machine(Work=task("wrok")), {"work": replies({})}, {})
    assert execution.error == "Lambda.ResourceNotFoundException"
    assert execution.cause.startswith(f"Function not found: {FUNCTION}:wrok:7"), execution


def test_event_and_result_pass_through_json():
    def work(event, _context):
        event["items"].append("mine")
        return (1, Decimal("0.5"), None)

    after = task("work", ResultPath="$.result")
    execution = run(machine(Work=after), {"work": work}, {"items": []})
    assert execution.output == {"items": [], "result": [1, 0.5, None]}, "the event was a copy"
    assert execution.calls == [("work", {"items": []}, [1, 0.5, None])]


def test_a_result_that_is_not_json_is_a_marshal_error():
    execution = run(machine(Work=task("work")), {"work": replies({1, 2})}, {})
    assert execution.error == "Runtime.MarshalError"
    assert '"Unable to marshal response: Object of type set is not' in execution.cause


def test_a_function_is_stopped_at_its_own_limit():
    clock, left = VirtualClock(), []

    def work(_event, context):
        left.append(context.get_remaining_time_in_millis())
        clock.sleep(20)
        left.append(context.get_remaining_time_in_millis())
        clock.sleep(20)

    with World(clock) as world:
        definition = machine(Work=task("work"))
        execution = (
            world.machine(definition, {"work": work}, timeouts={"work": 30}).start({}).wait()
        )
    assert (execution.error, elapsed(clock)) == ("Sandbox.Timedout", 30), execution
    assert left == [30_000, 10_000], "virtual milliseconds"
    assert "Task timed out after 30.00 seconds" in execution.cause


def test_a_handler_sees_its_invocation():
    seen = []
    run(machine(Work=task("work")), {"work": lambda _event, context: seen.append(context)}, {})
    context = seen[0]
    assert (context.function_name, context.function_version) == ("work", "7")
    assert context.invoked_function_arn == f"{FUNCTION}:work:7"
    assert len(context.aws_request_id) == 36, "a UUID"


# The record


def test_events_are_what_boto3_gives():
    with World() as world:
        running = world.machine(machine(Work=task("work")), {"work": replies({"a": 1})}).start({})
        execution = running.wait()
        history = world.client.get_execution_history(executionArn=running.arn, maxResults=1000)
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


# Nothing is left behind


def test_two_hundred_runs_leave_no_threads_and_no_patches():
    before = threading.active_count(), dict(os.environ), models.datetime, list(utils.TMP_THREADS)
    for seed in range(200):
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
    with World() as world:
        work = lambda _event, _context: world.clock.sleep(800)  # noqa: E731 - one line says it
        world.machine(machine(Each=over("$", Work=task("work"))), {"work": work}).start([1, 2, 3])
        world.clock.sleep(1)
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

    with World() as world, pytest.raises(RuntimeError, match="broken"):
        running = world.machine(machine(Rest=wait(9)), {}).start({})
        world.ended = broken
        world.clock.sleep(10)
        running.wait()


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
        (name.removeprefix(f"{moto_seams.PACKAGE}."), attribute)
        for name, module in sys.modules.items()
        if name.startswith(f"{moto_seams.PACKAGE}.") and name != utils.__name__
        for attribute, value in vars(module).items()
        if any(value is original for original in moto_seams.ORIGINALS)
    }
    timed = {seam for seam in moto_seams.SUBSTITUTES if seam[1] != "datetime"}
    assert found - timed == harmless, "a new place in moto: give it a substitute or a reason"
    assert timed - found == set(), "a place that moto no longer has"


def test_a_seam_that_has_moved_is_named(monkeypatch):
    monkeypatch.setattr(models, "datetime", None)
    with pytest.raises(moto_seams.SeamMovedError, match=r"models\.datetime is None: another moto"):
        run(machine(Rest=wait(1)), {}, {})
