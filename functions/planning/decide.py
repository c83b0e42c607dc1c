"""Decide what a run does: from the settings, the request and the world, without asking anybody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import RunRefused
from ..executions import day_of
from . import export_guards, guards
from .planned_jobs import nothing_resumed, planned_import, planned_solution, resumed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..contract import DatasetSettings, Plan, Run, Settings, SolutionSettings
    from .world import World

DATE = "{date}"
"""In a location: the day of the run, as 2026-11-29, in UTC."""
DRY_RUN = "this is a dry run"


def datasets_of(settings: Settings, run: Run) -> list[DatasetSettings]:
    """Give the datasets that the run imports, with the date in their locations filled in."""
    request, day = run["request"], day_of(run["id"])
    return [
        {
            **dataset,
            "dataLocation": dataset["dataLocation"].replace(DATE, day),
            "readyMarker": dataset["readyMarker"] and dataset["readyMarker"].replace(DATE, day),
        }
        for dataset in settings["datasets"]
        if not request.get("skipImport")
        and dataset["type"] in request.get("datasets", [dataset["type"]])
    ]


def solutions_of(settings: Settings, run: Run) -> list[SolutionSettings]:
    """Give the solutions that the run trains."""
    return [
        solution
        for solution in settings["solutions"]
        if solution["solutionArn"] in run["request"].get("solutions", [solution["solutionArn"]])
    ]


def decide(settings: Settings, run: Run, world: World) -> Plan:
    """Give the plan.

    Raises:
        RunRefused: with every problem that stops the run.
    """
    datasets, solutions = datasets_of(settings, run), solutions_of(settings, run)
    if too_early := (
        guards.comes_from_deployment(world, run["request"])
        or guards.another_run_is_under_way(world)
    ):
        return _skipped(too_early)
    problems = list(_problems(settings, run, world, datasets, solutions))
    unchanged = export_guards.nothing_new(world, datasets) if _may_skip(settings, run) else None
    if unchanged and not problems:
        warnings = list(_warnings(settings, run, world, [], solutions))
        waiting = _waiting(settings, run, world, solutions)
        return {**(waiting or _skipped(unchanged)), "warnings": warnings}
    imports = [planned_import(settings, run, world, dataset) for dataset in datasets]
    begun = {job["jobName"] for jobs in world.import_jobs.values() for job in jobs if resumed(run)}
    to_check = [
        dataset
        for dataset, planned in zip(datasets, imports, strict=True)
        if planned["jobName"] not in begun
    ]
    dated = [each["datasetArn"] for each in settings["datasets"] if DATE in each["dataLocation"]]
    problems += guards.replaces_no_newer_day(
        world, run, [each for each in to_check if each["datasetArn"] in dated]
    )
    if problems := [*problems, *export_guards.problems(world, to_check)]:
        raise RunRefused(problems)
    planned_solutions = [
        planned_solution(settings, run, world, solution, importing=bool(datasets))
        for solution in solutions
    ]
    to_train = [
        solution
        for solution, planned in zip(solutions, planned_solutions, strict=True)
        if planned["existingVersionArn"] is None
    ]
    most = settings["limits"]["maxTrainingsPerMonth"]
    often = list(guards.trained_often_enough(world, to_train, most))
    return {
        "imports": imports,
        "solutions": planned_solutions,
        "skipped": "; ".join(often) or (DRY_RUN if run["request"].get("dryRun") else None),
        "warnings": list(_warnings(settings, run, world, to_check, solutions)),
    }


def _problems(
    settings: Settings,
    run: Run,
    world: World,
    datasets: Sequence[DatasetSettings],
    solutions: Sequence[SolutionSettings],
) -> Iterator[str]:
    asked = run["request"].get("trainingMode")
    yield from guards.exist_and_belong_together(world, settings, solutions)
    yield from guards.incremental_needs_full(world, datasets)
    yield from guards.update_needs_recipe(world, solutions, asked)
    yield from guards.update_needs_full(world, solutions, asked)
    yield from guards.passes_by_the_gate(world, solutions)
    yield from guards.probes_can_be_answered(world, solutions)
    if settings["autoTraining"] == "refuse":
        yield from guards.trains_automatically(world, solutions)


def _warnings(
    settings: Settings,
    run: Run,
    world: World,
    datasets: Sequence[DatasetSettings],
    solutions: Sequence[SolutionSettings],
) -> Iterator[str]:
    if resumed(run):
        yield from nothing_resumed(settings, run, world)
    yield from guards.imports_are_crowded(world, datasets)
    if settings["autoTraining"] == "warn":
        yield from guards.trains_automatically(world, solutions)


def _may_skip(settings: Settings, run: Run) -> bool:
    forced = run["request"].get("force") or resumed(run)
    return settings["skipWhenUnchanged"] and not forced


def _waiting(
    settings: Settings, run: Run, world: World, solutions: Sequence[SolutionSettings]
) -> Plan | None:
    """Plan to deploy what was trained and is not served, where nothing has to be trained.

    An update that failed would otherwise stay undone until the data change.
    """
    planned = (
        planned_solution(settings, run, world, solution, importing=False) for solution in solutions
    )
    waiting = [solution for solution in planned if solution["existingVersionArn"]]
    if not waiting:
        return None
    dry = DRY_RUN if run["request"].get("dryRun") else None
    return {"imports": [], "solutions": waiting, "skipped": dry, "warnings": []}


def _skipped(reason: str) -> Plan:
    return {"imports": [], "solutions": [], "skipped": reason, "warnings": []}
