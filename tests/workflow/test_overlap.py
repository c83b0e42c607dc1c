"""A run waits for other executions of its state machine before it changes anything."""

from datetime import timedelta

import pytest

from components.args import LimitsArgs
from tests.workflow.pipeline import NEXT_SLOT, deploy
from tests.workflow.summaries import ALL_DONE, DEPLOYED, outcomes, problems_of, skip_reason
from tests.world import MOVIES, interactions

DAILY = MOVIES.with_options(retraining_rate="1 day")
STALE = {"operation": "ListExecutions", "times": None}
"""The fault of a list of executions that is behind, in the terms of `inject`."""


def plans(execution):
    """Return what each call of the planner decided, in order."""
    planned = [call.outcome for call in execution.calls if call.function == "plan_retraining"]
    return [outcome["plan"] for outcome in planned]


def waits(execution):
    """Return the seconds that a run waited before it began."""
    return [plan["seconds"] for plan in plans(execution) if plan["todo"] == "WAIT"]


def began_at(execution):
    """Return when a run was planned after it had waited."""
    return [time for time, state in execution.timeline if state == "Plan retraining"][-1]


def ended_at(execution):
    """Return when an execution ended."""
    return execution.events[-1]["timestamp"]


# An older run


def test_a_run_waits_for_an_older_run_and_then_goes_on():
    with deploy() as pipeline:
        earlier = pipeline.start()
        pipeline.sleep(3600)
        pipeline.bucket.put("interactions.csv", interactions(shift=1))
        later = pipeline.run(scheduledTime=NEXT_SLOT)
        first = earlier.wait()
        assert len(pipeline.versions()) == 3, "each run trains a version"
    assert outcomes(first) == ALL_DONE
    assert outcomes(later) == {"interactions": "IMPORTED", **DEPLOYED}
    delay = began_at(later) - ended_at(first)
    assert timedelta(0) < delay <= timedelta(minutes=10)
    assert plans(later)[0]["reason"] == f"{earlier.arn}, an older run, is still running"
    assert max(waits(later)) <= 600
    assert len(waits(later)) < 40, "the checks become rarer: three transitions each are paid for"


def test_a_run_waits_for_half_of_the_cadence_and_is_then_skipped():
    with deploy(DAILY) as pipeline:
        pipeline.inject_fault("hang", job="solution-version", times=1)
        earlier = pipeline.start()
        pipeline.sleep(600)
        started_at = pipeline.clock.now()
        later = pipeline.run(scheduledTime=NEXT_SLOT)
        assert pipeline.clock.now() - started_at == timedelta(hours=12)
        assert earlier.now().status == "RUNNING"
        earlier.abort()
    assert skip_reason(later) == (
        f"{earlier.arn}, an older run, is still running, and this run has waited for 12 hours; the "
        "next run does what is left to do; if the older run hangs, stop it"
    )


def test_a_run_waits_for_a_day_at_most():
    monthly = MOVIES.with_options(
        retraining_rate="30 days", limits=LimitsArgs(max_training_hours=48)
    )
    with deploy(monthly) as pipeline:
        pipeline.inject_fault("hang", job="solution-version", times=1)
        earlier = pipeline.start()
        pipeline.sleep(600)
        started_at = pipeline.clock.now()
        later = pipeline.run(scheduledTime=NEXT_SLOT)
        assert pipeline.clock.now() - started_at == timedelta(hours=24)
        earlier.abort()
    assert "has waited for 24 hours" in skip_reason(later)


def test_of_three_runs_each_waits_for_the_one_before():
    with deploy() as pipeline:
        started = []
        for day in range(3):
            started.append(
                pipeline.start(scheduledTime=f"2026-12-0{day + 1}T03:00:00Z", force=True)
            )
            pipeline.sleep(300)
        first, second, third = (execution.wait() for execution in started)
        assert len(pipeline.versions()) == 3
    assert ended_at(first) < began_at(second)
    assert ended_at(second) < began_at(third)
    assert outcomes(second)["interactions"] == "IMPORTED"
    assert skip_reason(third), "the second run has done what it was asked for"


def test_a_run_goes_on_after_the_older_run_was_aborted():
    with deploy() as pipeline:
        older = pipeline.start()
        pipeline.sleep(600)
        younger = pipeline.start(scheduledTime=NEXT_SLOT)
        pipeline.sleep(3600)
        older.abort()
        aborted_at = pipeline.clock.now()
        execution = younger.wait()
    assert outcomes(execution) == DEPLOYED
    assert began_at(execution) - aborted_at >= timedelta(seconds=180), (
        "a function of the aborted run may have created a job that no list shows yet"
    )


def test_a_run_that_is_aborted_while_it_waits_has_done_nothing():
    with deploy() as pipeline:
        older = pipeline.start()
        pipeline.sleep(600)
        younger = pipeline.start(scheduledTime=NEXT_SLOT)
        pipeline.sleep(3600)
        younger.abort()
        assert outcomes(older.wait()) == ALL_DONE
        assert len(pipeline.versions()) == 2


# Executions that are not listed yet


@pytest.mark.parametrize("seconds_between", [0, 20, 80])
def test_of_two_runs_that_no_list_shows_at_first_the_younger_one_waits(seconds_between):
    with deploy() as pipeline:
        pipeline.step_functions.faults.inject({"fault": "stale", "seconds": 85, **STALE})
        started = [pipeline.start()]
        pipeline.sleep(seconds_between)
        started.append(pipeline.start(scheduledTime=NEXT_SLOT))
        first, second = (execution.wait() for execution in started)
        assert len(pipeline.versions()) == 2
    assert outcomes(first) == ALL_DONE
    assert began_at(second) > ended_at(first)


def test_no_run_begins_before_every_older_run_is_listed():
    with deploy() as pipeline:
        execution = pipeline.run()
    assert waits(execution) == [90], "the lists may be behind"
    assert [plan["todo"] for plan in plans(execution)] == ["WAIT", "WORK"]


# One event of the schedule, twice


def test_a_slot_that_fires_twice_runs_once():
    with deploy() as pipeline:
        first = pipeline.start()
        pipeline.sleep(30)
        second = pipeline.run()
        execution = first.wait()
        assert len(pipeline.versions()) == 2
    assert skip_reason(second).startswith("nothing is new")
    assert outcomes(execution) == ALL_DONE


# Runs that do not wait


def test_a_refused_input_does_not_wait_for_an_older_run():
    with deploy() as pipeline:
        older = pipeline.start()
        pipeline.sleep(600)
        started_at = pipeline.clock.now()
        execution = pipeline.run(scheduledTime=NEXT_SLOT, force="yes")
        assert pipeline.clock.now() == started_at
        older.abort()
    assert len(problems_of(execution)) == 1


def test_an_aborted_run_does_not_block_the_next_run():
    with deploy() as pipeline:
        started = pipeline.start()
        pipeline.sleep(600)
        started.abort()
        execution = pipeline.run(scheduledTime=NEXT_SLOT)
    assert outcomes(execution) == ALL_DONE
    assert waits(execution)[0] == 180, "twice the time, after a run without success"


def test_a_run_does_not_wait_after_a_run_that_succeeded():
    with deploy() as pipeline:
        pipeline.run()
        execution = pipeline.run(scheduledTime=NEXT_SLOT)
    assert waits(execution) == [90]


def test_a_run_of_another_pipeline_does_not_block_a_run():
    with deploy() as pipeline:
        wait = {"Type": "Wait", "Seconds": 9 * 3600, "End": True}
        definition = {"StartAt": "Rest", "States": {"Rest": wait}}
        pipeline.step_functions.machine(definition, {}, name="retraining-beefbeef").start({})
        execution = pipeline.run()
    assert outcomes(execution) == ALL_DONE


# Executions that finish trials
