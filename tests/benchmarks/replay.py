"""Replay weekly runs in virtual time, and measure lag, transitions, Lambda calls and their cost.

    python -m tests.benchmarks.replay [--runs 100] [--seed 1] [--seconds 930,745,1245,5430,930]

The state machine, the functions and the pacing are real. The durations of the jobs in Personalize
are simulated: a usual duration with a standard deviation of 10%, and 3% of the jobs take half as
long and 3% twice as long. The functions expect what they read about earlier jobs. Each week has
other exports. The lag of a job is the time from its end until the workflow enters the state that
follows.

Then a run of a pipeline for which Personalize trains finds nothing.

The cost is that of Step Functions and Lambda, at AWS's list prices. In virtual time, an invocation
only takes the time that the function sleeps. The cost of a cold start is added to every invocation.
"""

import argparse
import json
import random
import statistics
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from components.function_configs import FUNCTION_CONFIGS
from emulator.virtual.step_functions import Execution, Handler
from functions.common import clock
from tests.workflow.bucket import Bucket
from tests.workflow.pipeline import NEXT_SLOT, deploy, handler
from tests.workflow.summaries import report
from tests.world import MOVIES, exports, solution

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
HOURS_PER_MONTH = 30 * 24
DOLLARS_PER_TRANSITION = 0.025 / 1000
"""In most regions: https://aws.amazon.com/step-functions/pricing/."""
DOLLARS_PER_GIGABYTE_SECOND = 0.0000133334
"""On arm64: https://aws.amazon.com/lambda/pricing/."""
DOLLARS_PER_CALL = 0.20 / 1_000_000
"""https://aws.amazon.com/lambda/pricing/"""
COLD_START_SECONDS = 5
"""How long a function of 128 MB takes to import boto3 and create a client."""
ATTEMPT_EVENTS = {"LambdaFunctionScheduled", "MapStateStarted"}
"""The history events with which an attempt at a state begins."""


class Invocation(NamedTuple):
    """The invocation of a step's function, and the seconds that it took."""

    step: str
    seconds: float


class Measurements(NamedTuple):
    """The measurements of one run. `lags` are seconds by stage."""

    lags: Mapping[str, float]
    transitions: int
    calls: int
    failed_calls: int


def replay(
    usual_seconds: Sequence[float], invocations: list[Invocation], *, runs: int, seed: int
) -> Iterator[Measurements]:
    """Run once a week, and yield the measurements of each run after the warm-up.

    Each invocation of a function is appended to `invocations`.
    """
    chance = random.Random(seed)  # noqa: S311 - a simulation
    durations: dict[str, float] = {}
    simulated: set[str] = set()

    def timings(kind: str, arn: str) -> tuple[float, float]:
        stage = arn.rpartition("-")[2] if kind == "dataset-import-job" else kind
        simulated.add(stage)
        return 60, durations.get(stage, 600) - 60

    with deploy(timings=timings, handlers=timed_handlers(invocations)) as pipeline:
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

    return {step: timed(step) for step in FUNCTION_CONFIGS}


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
        **{item["dataset"]["type"]: item["status"] for item in output["imports"]["results"]},
        "solution-version": solution["version"],
        "campaign-update": solution["campaigns"][0]["status"],
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


def cost_table(measurements: Sequence[Measurements], invocations: Sequence[Invocation]) -> str:
    """Return the cost of a run as text. The invocations include those of the warm-up runs."""
    runs = WARM_UP_RUNS + len(measurements)
    calls = len(invocations) / runs
    seconds = sum(invocation.seconds for invocation in invocations) / runs
    transitions = statistics.mean(run.transitions for run in measurements)
    states_cost = transitions * DOLLARS_PER_TRANSITION
    functions_cost = _price(invocations) / runs
    return (
        f"Step Functions: {transitions:.0f} transitions a run, ${states_cost:.4f}\n"
        f"Lambda: {calls:.0f} calls a run, held for {seconds:.0f} s, ${functions_cost:.4f}\n"
        f"both: ${states_cost + functions_cost:.4f} a run"
    )


def idle_table() -> str:
    """Return as text what a run costs that finds nothing, if it starts every hour.

    Its pipeline has no datasets, and Personalize trains its solution.
    """
    group = MOVIES.with_datasets().with_solutions(solution(trained_by="personalize"))
    invocations: list[Invocation] = []
    with deploy(
        group.with_options(retraining_rate="1 hour"), handlers=timed_handlers(invocations)
    ) as pipeline:
        pipeline.run()  # It finds a version that has never had a trial.
        invocations.clear()
        idle = pipeline.run(scheduledTime=NEXT_SLOT)

    if report(idle)["outcome"] != "SKIPPED":
        raise AssertionError(f"the run has found something: {report(idle)}")
    states_cost = transitions(idle) * DOLLARS_PER_TRANSITION * HOURS_PER_MONTH
    functions_cost = _price(invocations) * HOURS_PER_MONTH
    return (
        f"a run that finds nothing: {transitions(idle)} transitions, {len(idle.calls)} calls\n"
        f"every hour: Step Functions ${states_cost:.2f} a month, Lambda ${functions_cost:.2f}"
    )


def _price(invocations: Sequence[Invocation]) -> float:
    """Return the dollars that Lambda bills for invocations."""
    gigabyte_seconds = sum(map(_gigabyte_seconds, invocations))
    return gigabyte_seconds * DOLLARS_PER_GIGABYTE_SECOND + len(invocations) * DOLLARS_PER_CALL


def _gigabyte_seconds(invocation: Invocation) -> float:
    gigabytes = FUNCTION_CONFIGS[invocation.step].memory_megabytes / 1024
    return gigabytes * (invocation.seconds + COLD_START_SECONDS)


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
    invocations: list[Invocation] = []
    runs = replay(arguments.seconds, invocations, runs=arguments.runs, seed=arguments.seed)
    measurements = list(runs)
    tables = [table(measurements), cost_table(measurements, invocations), idle_table()]
    print(*tables, sep="\n\n")


if __name__ == "__main__":
    main()
