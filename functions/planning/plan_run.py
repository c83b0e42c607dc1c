"""Decides what a run does, from its situation. Pure functions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import RunRefused
from .guards import GUARDS
from .planned_jobs import has_begun_import, needs_training, planned_import, planned_solution
from .situation import situation_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..contract import Plan, Run, Settings
    from .guards import Guard
    from .situation import Situation
    from .world import World

DRY_RUN = "this is a dry run"


def plan_run(settings: Settings, run: Run, world: World) -> Plan:
    """Return the plan of a run. The guards are checked in the order of their table.

    Raises:
        RunRefused: with the messages of all guards that refuse the run.
    """
    situation = situation_of(settings, run, world)
    problems: list[str] = []
    for guard in GUARDS:
        # A run with problems is refused, even if it would be skipped without them.
        if guard.verdict == "WARN" or (guard.verdict == "SKIP" and problems):
            continue
        messages = list(_messages(guard, situation))
        if messages and guard.verdict == "SKIP":
            return _skipped_plan(guard, situation, "; ".join(messages))
        problems.extend(messages)
    if problems:
        raise RunRefused(problems)
    return _plan(situation)


def _messages(guard: Guard, situation: Situation) -> Iterator[str]:
    """Yield the messages of a guard. A message about a dataset begins with its config key."""
    for part in _parts(guard, situation):
        dataset = part.selected_dataset
        for message in guard.check(part):
            yield f"datasets.{dataset['type']}: {message}" if dataset else message


def _parts(guard: Guard, situation: Situation) -> list[Situation]:
    """Return the situations that a guard checks, by its scope."""
    datasets = [situation.with_dataset(dataset) for dataset in situation.datasets]
    solutions = [situation.with_solution(solution) for solution in situation.solutions]
    match guard.scope:
        case "run":
            return [situation]
        case "dataset":
            return datasets
        case "export":
            return [part for part in datasets if not has_begun_import(part)]
        case "solution":
            return solutions
        case _:
            return [part for part in solutions if needs_training(part)]


def _plan(situation: Situation, *, skipped: str | None = None) -> Plan:
    """Return the plan with everything that the run covers. A dry run is always skipped."""
    dry_run = DRY_RUN if situation.run["request"].get("dryRun") else None
    return {
        "imports": [
            planned_import(situation.with_dataset(dataset)) for dataset in situation.datasets
        ],
        "solutions": [
            planned_solution(situation.with_solution(solution)) for solution in situation.solutions
        ],
        "skipped": skipped or dry_run,
        "warnings": _warnings(situation),
    }


def _skipped_plan(guard: Guard, situation: Situation, reason: str) -> Plan:
    """Return the plan after a guard has skipped the run."""
    if guard.keeps == "plan":
        return _plan(situation, skipped=reason)
    if guard.keeps == "waiting versions":
        return _deployment_plan(situation, reason)
    return {"imports": [], "solutions": [], "skipped": reason, "warnings": []}


def _deployment_plan(situation: Situation, reason: str) -> Plan:
    """Return a plan that imports and trains nothing and deploys the versions that wait.

    Without it an update that failed would stay undone until the data change.
    """
    without_import = replace(situation, datasets=())
    plan = _plan(without_import)
    waiting = [solution for solution in plan["solutions"] if solution["existingVersionArn"]]
    skipped = plan["skipped"] if waiting else reason
    return {**plan, "solutions": waiting, "skipped": skipped}


def _warnings(situation: Situation) -> list[str]:
    return [
        message
        for guard in GUARDS
        if guard.verdict == "WARN"
        for message in _messages(guard, situation)
    ]
