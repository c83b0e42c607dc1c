"""Replay weekly runs in virtual time, and measure lag, transitions and Lambda calls.

    python -m tests.benchmarks.replay [--runs 100] [--seed 1] [--seconds 930,745,1245,5430,930]

The state machine, the functions and the pacing are real. The durations of the jobs in Personalize
are simulated: a usual duration with a standard deviation of 10%, and 3% of the jobs take half as
long and 3% twice as long. The functions expect what they read about earlier jobs. Each week has
other exports. The lag of a job is the time from its end until the workflow enters the state that
follows.
"""

import argparse
import json
import random
import statistics
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from emulator.virtual.step_functions import Execution, Handler
from tests.workflow.bucket import Bucket
from tests.workflow.pipeline import deploy
from tests.world import exports

IMPORTS = ("interactions", "items", "users")
STAGES = (*IMPORTS, "solution-version", "campaign-update")
USUAL_SECONDS = (930, 745, 1245, 5430, 930)
"""The usual duration of each stage."""
DEVIATION = 0.1
OUTLIERS = 0.03
"""The share of jobs that take half as long, and of jobs that take twice as long."""
WARM_UP_RUNS = 5
"""The runs before the first measured run. Planning reads as many earlier durations."""
WEEK = timedelta(days=7)
ATTEMPT_EVENTS = {"LambdaFunctionScheduled", "MapStateStarted"}
"""The history events with which an attempt at a state begins."""


class Measurements(NamedTuple):
    """The measurements of one run. `lags` are seconds by stage."""

    lags: Mapping[str, float]
    transitions: int
    calls: int
    failed_calls: int


def replay(
    usual_seconds: Sequence[float],
    *,
    runs: int,
    seed: int,
    handlers: Mapping[str, Handler] | None = None,
) -> Iterator[Measurements]:
    """Run once a week, and yield the measurements of each run after the warm-up.

    `handlers` replace functions, by step.
    """
    chance = random.Random(seed)  # noqa: S311 - a simulation
    durations: dict[str, float] = {}
    simulated: set[str] = set()

    def timings(kind: str, arn: str) -> tuple[float, float]:
        stage = arn.rpartition("-")[2] if kind == "dataset-import-job" else kind
        simulated.add(stage)
        return 60, durations.get(stage, 600) - 60

    with deploy(timings=timings, handlers=handlers) as pipeline:
        for number in range(WARM_UP_RUNS + runs):
            for stage, seconds in zip(STAGES, usual_seconds, strict=True):
                durations[stage] = _random_duration(chance, seconds)
            slot = pipeline.clock.now()
            _put_exports(pipeline.bucket, number)
            execution = pipeline.run(scheduledTime=slot.isoformat())
            if execution.status != "SUCCEEDED":
                raise AssertionError(f"a good run ended {execution.status}: {execution.cause}")
            if missing := {*STAGES} - simulated:
                raise AssertionError(f"no job had the simulated duration of {missing}")
            if number >= WARM_UP_RUNS:
                yield _measure(execution)
            pipeline.sleep((slot + WEEK - pipeline.clock.now()).total_seconds())


def _put_exports(bucket: Bucket, number: int) -> None:
    """Write new exports of all datasets, because an export that has not changed is not imported."""
    new_rows = {"items": f"\nnew{number},g0", "users": f"\nnew{number},30"}
    files = exports(shift=number + 1)
    for name in IMPORTS:
        bucket.put(f"{name}.csv", files[f"{name}.csv"] + new_rows.get(name, "").encode())


def _random_duration(chance: random.Random, usual: float) -> float:
    seconds = chance.gauss(usual, usual * DEVIATION)
    draw = chance.random()
    if draw < OUTLIERS:
        return seconds / 2
    if draw < 2 * OUTLIERS:
        return seconds * 2
    return seconds


def _measure(execution: Execution) -> Measurements:
    ended = _ends(execution)
    noticed = _noticed(execution)
    failed_calls = [call for call in execution.calls if isinstance(call.outcome, str)]
    return Measurements(
        lags={stage: (noticed[stage] - ended[stage]).total_seconds() for stage in STAGES},
        transitions=transitions(execution),
        calls=len(execution.calls),
        failed_calls=len(failed_calls),
    )


def transitions(execution: Execution) -> int:
    """Return the number of state transitions that AWS bills.

    AWS bills "each time a step of your workflow is executed", and each retry
    (https://aws.amazon.com/step-functions/pricing/). So each state entered counts once, and each
    attempt that does not directly follow the entry into its state counts once more.
    """
    types = {event["id"]: event["type"] for event in execution.events}
    retries = [
        event
        for event in execution.events
        if event["type"] in ATTEMPT_EVENTS
        and not types[event["previousEventId"]].endswith("StateEntered")
    ]
    return len(execution.states) + len(retries)


def _ends(execution: Execution) -> dict[str, datetime]:
    """Return the time at which the job of each stage ended."""
    (output,) = [call.payload for call in execution.calls if call.function == "report_outcome"]
    solution = output["solutions"][0]
    jobs = {
        **{item["dataset"]["type"]: item["item"] for item in output["imports"]["results"]},
        "solution-version": solution["version"],
        "campaign-update": solution["campaigns"][0]["item"],
    }
    return {stage: datetime.fromisoformat(job["endedAt"]) for stage, job in jobs.items()}


def _noticed(execution: Execution) -> dict[str, datetime]:
    """Return the time at which the workflow entered the state after the job of each stage."""
    times = {}
    for event in execution.events:
        entered = event.get("stateEnteredEventDetails")
        if entered is None:
            continue
        if entered["name"] == "Dataset imported":
            dataset_type = json.loads(entered["input"])["dataset"]["type"]
            times[dataset_type] = event["timestamp"]
        elif entered["name"] == "Update campaigns":
            times["solution-version"] = event["timestamp"]
        elif entered["name"] == "Campaign updated":
            times["campaign-update"] = event["timestamp"]
    return times


def table(measurements: Sequence[Measurements]) -> str:
    """Return the means and the worst values as text."""
    lags = {
        "imports": [run.lags[stage] for run in measurements for stage in IMPORTS],
        "training": [run.lags["solution-version"] for run in measurements],
        "campaign": [run.lags["campaign-update"] for run in measurements],
    }
    counts = [run.transitions for run in measurements]
    calls = [run.calls for run in measurements]
    failing = sum(run.failed_calls for run in measurements)
    lag_lines = [
        f"lag until a finished job is noticed, {stage}: mean {statistics.mean(seconds):.0f} s, "
        f"worst {max(seconds):.0f} s"
        for stage, seconds in lags.items()
    ]
    return "\n".join(
        [
            f"{len(measurements)} runs",
            *lag_lines,
            f"transitions a run: mean {statistics.mean(counts):.0f}, most {max(counts)}",
            f"Lambda calls a run: mean {statistics.mean(calls):.0f}, of them failing {failing}",
        ]
    )


def main() -> None:
    """Print the measurements."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--seconds",
        type=lambda text: [float(seconds) for seconds in text.split(",")],
        default=USUAL_SECONDS,
        help=f"usual durations of {', '.join(STAGES)}",
    )
    arguments = parser.parse_args()
    print(table(list(replay(arguments.seconds, runs=arguments.runs, seed=arguments.seed))))


if __name__ == "__main__":
    main()
