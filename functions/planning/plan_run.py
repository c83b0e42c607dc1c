"""Plans a run: checks the guards, and returns the jobs of the run. All functions are pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import RunRefused
from .guards import GUARDS
from .news import needs_training
from .planned_imports import (
    has_begun_import,
    imports_to_do,
    needs_import,
    planned_import,
)
from .planned_jobs import planned_solution
from .situation import situation_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..contract import Plan, Run
    from ..workflow_settings import Settings
    from .guards import Guard
    from .situation import Situation
    from .world import World


def plan_run(settings: Settings, run: Run, world: World) -> Plan:
    """Return the plan of a run. The guards are checked in the order of their table.

    The first guard that skips the run ends the check, unless a guard before it has refused the run.

    Raises:
        RunRefused: one or more guards refuse the run. The exception has all their messages.
    """
    situation = situation_of(settings, run, world)
    refusals: list[str] = []
    for guard in GUARDS:
        if guard.verdict == "REFUSE":
            refusals.extend(messages_of(guard, situation))
        elif guard.verdict == "SKIP" and not refusals:
            messages = list(messages_of(guard, situation))
            if messages:
                return _skipped_plan(
                    "; ".join(messages), warnings=_warnings(situation) if guard.warns else []
                )
    if refusals:
        raise RunRefused(refusals)
    return _plan(situation)


def messages_of(guard: Guard, situation: Situation) -> Iterator[str]:
    """Yield the messages of a guard. A message about a dataset begins with its config key."""
    for checked_situation in _situations_to_check(guard, situation):
        dataset = checked_situation.selected_dataset
        for message in guard.check(checked_situation):
            yield f"datasets.{dataset['type']}: {message}" if dataset else message


def _situations_to_check(guard: Guard, situation: Situation) -> list[Situation]:
    """Return one situation for each dataset or solution in the scope of a guard.

    For a guard with the scope `run`, return the situation as it is.
    """
    datasets = [situation.with_dataset(dataset) for dataset in situation.datasets]
    solutions = [situation.with_solution(solution) for solution in situation.solutions]
    match guard.scope:
        case "run":
            return [situation]
        case "dataset":
            return datasets
        case "export":
            return [
                dataset
                for dataset in datasets
                if needs_import(dataset) and not has_begun_import(dataset)
            ]
        case "solution":
            return solutions
        case _:  # the scope is "training"
            return [solution for solution in solutions if needs_training(solution)]


def _plan(situation: Situation) -> Plan:
    """Return the plan with all imports and trainings of the run.

    A solution whose training a guard holds back is left out, unless a campaign waits for one of its
    versions. If nothing else is left to do, the run is skipped.
    """
    reasons = _reasons_to_hold(situation)
    solutions = [
        planned
        for solution in situation.solutions
        if (planned := planned_solution(situation.with_solution(solution)))
        and (planned["existingVersionArn"] or solution["solutionArn"] not in reasons)
    ]
    imports = [planned_import(of_dataset) for of_dataset in imports_to_do(situation)]
    is_empty = not solutions and not imports
    reason = "; ".join(reasons.values()) if reasons and is_empty else None
    return {
        "imports": imports,
        "solutions": solutions,
        "skipped": reason,
        "warnings": [*([] if reason else reasons.values()), *_warnings(situation)],
    }


def _skipped_plan(reason: str, warnings: list[str]) -> Plan:
    """Return the plan of a run that a guard skips."""
    return {
        "imports": [],
        "solutions": [],
        "skipped": reason,
        "warnings": warnings,
    }


def _reasons_to_hold(situation: Situation) -> dict[str, str]:
    """Return the ARN of each solution whose training is held back -> the messages about it."""
    reasons: dict[str, str] = {}
    for guard in GUARDS:
        if guard.verdict == "HOLD":
            for of_solution in _situations_to_check(guard, situation):
                if messages := list(guard.check(of_solution)):
                    reasons[of_solution.solution["solutionArn"]] = "; ".join(messages)
    return reasons


def _warnings(situation: Situation) -> list[str]:
    """Return the messages of the guards that only warn."""
    return [
        message
        for guard in GUARDS
        if guard.verdict == "WARN"
        for message in messages_of(guard, situation)
    ]
