"""Replay many weekly runs in virtual time: lag, transitions and Lambda calls of a healthy run.

    python -m tests.benchmarks.replay [--runs 100] [--seed 1] [--seconds 930,745,1245,5430,930]

Real are the state machine, the functions, the pacing and moto's interpreter; simulated are
Personalize's durations: those given, with a run-to-run spread of 10%, and 3% of the jobs half and
3% twice as long as usual. Expectations come from the runs before, as the functions read them from
the service. Each week has an export of its own. The lag of a job is the time from its end until the
state that follows is entered.
"""

import argparse
import json
import random
import statistics
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from emulator.virtual.step_functions import Execution
from tests.workflow.pipeline import deploy
from tests.world import interactions

STAGES = ("interactions", "items", "users", "solution-version", "campaign-update")
USUAL = (930, 745, 1245, 5430, 930)
SPREAD, ODD = 0.1, 0.03
WARM_UP = 5
"""Runs before the measured ones: as many durations as planning remembers."""
WEEK = timedelta(days=7)


class Measured(NamedTuple):
    """One run: lag in seconds per stage, transitions, Lambda calls, and those that failed."""

    lags: dict[str, float]
    transitions: int
    calls: int
    failed_calls: int


def replay(usual: Sequence[float], *, runs: int, seed: int) -> Iterator[Measured]:
    """Give the measurements of `runs` runs, a week apart, after a warm-up."""
    draw = random.Random(seed)  # noqa: S311 - a simulation
    lasts: dict[str, float] = {}

    def timings(kind: str, arn: str) -> tuple[float, float]:
        stage = next((each for each in STAGES if f"-{each}-" in arn), kind)
        seconds = lasts.get(stage, 600)
        return 60, seconds - 60

    with deploy(timings=timings) as pipeline:
        for number in range(WARM_UP + runs):
            lasts.update(zip(STAGES, (_duration(draw, each) for each in usual), strict=True))
            slot = pipeline.clock.now()
            pipeline.bucket.put("interactions.csv", interactions(shift=number + 1))
            execution = pipeline.run(scheduledTime=slot.isoformat())
            if execution.status != "SUCCEEDED":
                raise AssertionError(f"a healthy run ended {execution.status}: {execution.cause}")
            if number >= WARM_UP:
                yield _measure(execution)
            pipeline.clock.sleep((slot + WEEK - pipeline.clock.now()).total_seconds())


def _duration(draw: random.Random, usual: float) -> float:
    seconds, kind = draw.gauss(usual, usual * SPREAD), draw.random()
    return seconds / 2 if kind < ODD else seconds * 2 if kind < 2 * ODD else seconds


def _measure(execution: Execution) -> Measured:
    output = execution.output or {}
    ended = {
        result["dataset"]["type"]: result["job"]["endedAt"]
        for result in output["imports"]["results"]
    }
    solution = output["solutions"][0]
    ended["solution-version"] = solution["version"]["endedAt"]
    ended["campaign-update"] = solution["campaigns"][0]["update"]["endedAt"]
    noticed = {
        "solution-version": _entered(execution, "Update campaigns"),
        "campaign-update": _entered(execution, "Campaign updated"),
        **_imports_noticed(execution),
    }
    lags = {
        stage: (noticed[stage] - datetime.fromisoformat(ended[stage])).total_seconds()
        for stage in STAGES
    }
    failed = [call for call in execution.calls if isinstance(call.outcome, str)]
    return Measured(lags, execution.transitions, len(execution.calls), len(failed))


def _entered(execution: Execution, state: str) -> datetime:
    return next(moment for moment, name in execution.timeline if name == state)


def _imports_noticed(execution: Execution) -> dict[str, datetime]:
    """Give when each import's end was noticed, by the dataset in the state's input."""
    found = {}
    for event in execution.events:
        entered = event.get("stateEnteredEventDetails", {})
        if entered.get("name") == "Dataset imported":
            found[json.loads(entered["input"])["dataset"]["type"]] = event["timestamp"]
    return found


def table(measured: Sequence[Measured]) -> str:
    """Give the means, a line each."""
    lags = {
        "imports": [run.lags[each] for run in measured for each in STAGES[:3]],
        "training": [run.lags["solution-version"] for run in measured],
        "campaign": [run.lags["campaign-update"] for run in measured],
    }
    lines = [f"{len(measured)} runs"]
    lines += [
        f"lag until a finished job is noticed, {stage}: mean {statistics.mean(each):.0f} s, "
        f"worst {max(each):.0f} s"
        for stage, each in lags.items()
    ]
    lines += [
        (
            f"transitions a run: mean {statistics.mean(run.transitions for run in measured):.0f}, "
            f"most {max(run.transitions for run in measured)}"
        ),
        (
            f"Lambda calls a run: mean {statistics.mean(run.calls for run in measured):.0f}, "
            f"of them failing {sum(run.failed_calls for run in measured)}"
        ),
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--seconds",
        type=lambda text: [float(each) for each in text.split(",")],
        default=USUAL,
        help=f"usual durations of {', '.join(STAGES)}",
    )
    given = parser.parse_args()
    print(table(list(replay(given.seconds, runs=given.runs, seed=given.seed))))


if __name__ == "__main__":
    main()
