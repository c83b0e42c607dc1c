"""What a run costs beside Personalize: transitions and Lambda's time at AWS's list prices.

    python -m tests.benchmarks.cost [--runs 100] [--seed 1]

The runs are those of `replay.py`. In virtual time a function takes as long as it holds its
invocation; to that, each call is charged a cold start, as if none ever found a warm function.
"""

import argparse
import statistics
from collections.abc import Sequence
from unittest.mock import patch

from components.state_machine.steps import STEPS
from functions import clock
from tests.benchmarks.replay import USUAL, WARM_UP, Measured, replay
from tests.workflow import pipeline

PER_TRANSITION = 0.025 / 1000
"""Dollars, in most regions: https://aws.amazon.com/step-functions/pricing/."""
PER_GIGABYTE_SECOND = 0.0000133334
"""Dollars on arm64: https://aws.amazon.com/lambda/pricing/."""
PER_CALL = 0.20 / 1_000_000
"""Dollars (the same page)."""
COLD_START = 5
"""Seconds until a function of 128 MB has imported boto3 and made a client (`steps.py`)."""


def measure(runs: int, seed: int) -> tuple[list[Measured], list[tuple[str, float]]]:
    """Give the runs, and each call's step and seconds (of the warm-up too)."""
    calls: list[tuple[str, float]] = []
    load = pipeline.handler

    def timed(step):
        handler = load(step)

        def call(event, context):
            began = clock.now()
            try:
                return handler(event, context)
            finally:
                calls.append((step, (clock.now() - began).total_seconds()))

        return call

    with patch.object(pipeline, "handler", timed):
        return list(replay(USUAL, runs=runs, seed=seed)), calls


def table(measured: Sequence[Measured], calls: Sequence[tuple[str, float]]) -> str:
    """Give what a run costs, a line each."""
    runs = WARM_UP + len(measured)
    gigabytes = {step: row.memory_megabytes / 1024 for step, row in STEPS.items()}
    held = sum(seconds for _, seconds in calls) / runs
    gigabyte_seconds = sum(gigabytes[step] * (s + COLD_START) for step, s in calls) / runs
    transitions = statistics.mean(run.transitions for run in measured)
    states = transitions * PER_TRANSITION
    functions = gigabyte_seconds * PER_GIGABYTE_SECOND + len(calls) / runs * PER_CALL
    return (
        f"Step Functions: {transitions:.0f} transitions a run, ${states:.4f}\n"
        f"Lambda: {len(calls) / runs:.0f} calls a run, held for {held:.0f} s, ${functions:.4f}\n"
        f"both: ${states + functions:.4f} a run"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    print(table(*measure(given.runs, given.seed)))


if __name__ == "__main__":
    main()
