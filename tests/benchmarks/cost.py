"""Compute what a run costs beside Personalize: Step Functions and Lambda, at AWS's list prices.

    python -m tests.benchmarks.cost [--runs 100] [--seed 1]

The runs are those of `replay.py`. In virtual time, an invocation only takes the time that the
function sleeps. The cost of a cold start is added to every invocation.
"""

import argparse
import statistics
from collections.abc import Sequence
from typing import NamedTuple

from components.state_machine.steps import STEPS
from emulator.virtual.step_functions import Handler
from functions import clock
from tests.benchmarks.replay import USUAL_SECONDS, WARM_UP_RUNS, Measurements, replay
from tests.workflow.pipeline import handler

DOLLARS_PER_TRANSITION = 0.025 / 1000
"""In most regions: https://aws.amazon.com/step-functions/pricing/."""
DOLLARS_PER_GIGABYTE_SECOND = 0.0000133334
"""On arm64: https://aws.amazon.com/lambda/pricing/."""
DOLLARS_PER_CALL = 0.20 / 1_000_000
"""https://aws.amazon.com/lambda/pricing/"""
COLD_START_SECONDS = 5
"""The time in which a function of 128 MB imports boto3 and creates a client (`steps.py`)."""


class Invocation(NamedTuple):
    """The invocation of a step's function, and the seconds that it took."""

    step: str
    seconds: float


def timed_handlers(invocations: list[Invocation]) -> dict[str, Handler]:
    """Return the functions by step. Each invocation is appended to `invocations`."""

    def timed(step: str) -> Handler:
        def run(event, context):
            started_at = clock.now()
            try:
                return handler(step)(event, context)
            finally:
                seconds = (clock.now() - started_at).total_seconds()
                invocations.append(Invocation(step, seconds))

        return run

    return {step: timed(step) for step in STEPS}


def table(measurements: Sequence[Measurements], invocations: Sequence[Invocation]) -> str:
    """Return the cost of a run as text. The invocations include those of the warm-up runs."""
    runs = WARM_UP_RUNS + len(measurements)
    calls = len(invocations) / runs
    seconds = sum(invocation.seconds for invocation in invocations) / runs
    gigabyte_seconds = sum(map(_gigabyte_seconds, invocations)) / runs
    transitions = statistics.mean(run.transitions for run in measurements)
    states_cost = transitions * DOLLARS_PER_TRANSITION
    functions_cost = gigabyte_seconds * DOLLARS_PER_GIGABYTE_SECOND + calls * DOLLARS_PER_CALL
    return (
        f"Step Functions: {transitions:.0f} transitions a run, ${states_cost:.4f}\n"
        f"Lambda: {calls:.0f} calls a run, held for {seconds:.0f} s, ${functions_cost:.4f}\n"
        f"both: ${states_cost + functions_cost:.4f} a run"
    )


def _gigabyte_seconds(invocation: Invocation) -> float:
    gigabytes = STEPS[invocation.step].memory_megabytes / 1024
    return gigabytes * (invocation.seconds + COLD_START_SECONDS)


def main() -> None:
    """Print the cost of a run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    invocations: list[Invocation] = []
    measurements = list(
        replay(
            USUAL_SECONDS,
            runs=arguments.runs,
            seed=arguments.seed,
            handlers=timed_handlers(invocations),
        )
    )
    print(table(measurements, invocations))


if __name__ == "__main__":
    main()
