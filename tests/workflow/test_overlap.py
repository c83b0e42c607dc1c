"""A run waits for an older execution of its state machine."""

from datetime import timedelta

from tests.workflow.pipeline import NEXT_SLOT, deploy
from tests.workflow.summaries import ALL_DONE, DEPLOYED, outcomes
from tests.world import interactions


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
    assert plans(later)[0]["reasons"] == [{"text": "run-1, an older run, is still running"}]
    assert max(waits(later)) <= 600
    assert len(waits(later)) < 40, "the checks become rarer: three transitions each are paid for"
