"""Plans a run: checks the guards, and returns the jobs of the run. All functions are pure."""

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

    The first guard that skips the run ends the check, unless a guard before it has refused the run.

    Raises:
        RunRefused: one or more guards refuse the run. The exception has all their messages.
    """
    situation = situation_of(settings, run, world)
    refusals: list[str] = []
    for guard in GUARDS:
        if guard.verdict == "REFUSE":
            refusals.extend(_messages(guard, situation))
        elif guard.verdict == "SKIP" and not refusals:
            messages = list(_messages(guard, situation))
            if messages:
                return _skipped_plan(guard, situation, "; ".join(messages))
    if refusals:
        raise RunRefused(refusals)
    return _plan(situation)


def _messages(guard: Guard, situation: Situation) -> Iterator[str]:
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
            return [dataset for dataset in datasets if not has_begun_import(dataset)]
        case "solution":
            return solutions
        case _:  # the scope is "training"
            return [solution for solution in solutions if needs_training(solution)]


def _plan(situation: Situation, *, skipped: str | None = None) -> Plan:
    """Return the plan with all imports and trainings of the run. A dry run is always skipped."""
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
    """Return the plan of a run that a guard skips, with the jobs that the guard keeps."""
    if guard.keeps == "plan":
        return _plan(situation, skipped=reason)
    if guard.keeps == "waiting versions":
        return _plan_of_waiting_versions(situation, reason)
    return {"imports": [], "solutions": [], "skipped": reason, "warnings": []}


def _plan_of_waiting_versions(situation: Situation, reason: str) -> Plan:
    """Return a plan that only deploys the versions that campaigns wait for.

    It is skipped for the reason if no campaign waits. Without this plan a failed campaign update
    would not be tried again until the data change.
    """
    without_imports = replace(situation, datasets=())
    plan = _plan(without_imports)
    solutions = [solution for solution in plan["solutions"] if solution["existingVersionArn"]]
    if not solutions:
        return {**plan, "solutions": [], "skipped": reason}
    return {**plan, "solutions": solutions}


def _warnings(situation: Situation) -> list[str]:
    """Return the messages of the guards that only warn."""
    return [
        message
        for guard in GUARDS
        if guard.verdict == "WARN"
        for message in _messages(guard, situation)
    ]
