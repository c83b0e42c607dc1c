"""Plans a run: checks the guards, and returns the jobs of the run. All functions are pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import RunRefused
from . import (
    campaign_guards,
    export_files,
    export_guards,
    resource_guards,
    training_guards,
)
from .guards import Guard
from .news import limit_of_month
from .planned_imports import (
    has_begun_import,
    imports_to_do,
    needs_import,
    planned_import,
)
from .planned_jobs import planned_solution
from .run_guards import event_of_deployment, nothing_new
from .situation import situation_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..contract import Plan, Run
    from ..workflow_settings import Settings
    from .guards import Verdict
    from .situation import Situation
    from .world import World

GUARDS = tuple(
    found
    for module in (
        resource_guards,
        export_guards,
        training_guards,
        campaign_guards,
        export_files,
    )
    for found in vars(module).values()
    if isinstance(found, Guard)
)
"""The guards in the order in which they are checked. `docs/guards.md` shows them."""


def plan_run(settings: Settings, run: Run, world: World) -> Plan:
    """Return the plan of a run: its imports and trainings, or why it is skipped.

    Raises:
        RunRefused: one or more guards refuse the run. The exception has all their messages.
    """
    situation = situation_of(settings, run, world)
    skipped = event_of_deployment(situation)
    if skipped is None and (refusals := _messages("REFUSE", situation)):
        raise RunRefused(refusals)
    of_solutions = [situation.with_solution(solution) for solution in situation.solutions]
    imports = [] if skipped else [planned_import(each) for each in imports_to_do(situation)]
    planned = [None if skipped else planned_solution(each) for each in of_solutions]
    limits = [
        f"{each.solution['solutionArn']}: {limit}"
        for each in of_solutions
        if not skipped and (limit := limit_of_month(each))
    ]
    warnings = _messages("WARN", situation)
    if not skipped and not imports and not any(planned):
        skipped, limits = "; ".join(limits) or nothing_new(situation), []
    return {
        "todo": "NOTHING" if skipped else "WORK",
        "seconds": 0,
        "reason": skipped,
        "imports": imports,
        "solutions": [solution for solution in planned if solution],
        "warnings": [*limits, *warnings],
    }


def _messages(verdict: Verdict, situation: Situation) -> list[str]:
    """Return the messages of the guards with a verdict."""
    guards = [guard for guard in GUARDS if guard.verdict == verdict]
    return [message for guard in guards for message in messages_of(guard, situation)]


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
