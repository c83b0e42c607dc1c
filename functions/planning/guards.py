"""One pure function per guard: what speaks against this run, in words with the way out.

A guard gives problems, which refuse the run, unless its docstring says that they skip it or warn.
Those about the exports are in `data_checks.py`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from ..executions import day_of, scheduled_at
from ..personalize.tags import RUN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mypy_boto3_personalize.type_defs import SolutionVersionSummaryTypeDef

    from ..contract import DatasetSettings, Request, Run, Settings, SolutionSettings, TrainingMode
    from .world import World

FIRST_EVENT = timedelta(minutes=10)
"""A schedule's event so soon after its creation or change comes from the deployment itself."""
WHOLE_MINUTE = timedelta(minutes=2)
"""A slot may be named so much earlier than the change that caused it; schedules count in minutes.

A slot still earlier was due before the change, and its event came late.
"""
UPDATE_RECIPES = ("aws-user-personalization", "aws-hrnn-coldstart")
"""https://docs.aws.amazon.com/personalize/latest/dg/API_CreateSolutionVersion.html#trainingMode."""

PROBED_WITH = {
    **dict.fromkeys(("aws-sims", "aws-similar-items"), "itemId"),
    **dict.fromkeys(("aws-personalized-ranking", "aws-personalized-ranking-v2"), "inputList"),
    **dict.fromkeys(("aws-user-personalization", "aws-user-personalization-v2"), "userId"),
    **dict.fromkeys(("aws-popularity-count", "aws-trending-now"), "userId"),
    "aws-next-best-action": None,
}
"""Recipe -> what its campaigns are asked with; None where a probe cannot ask. Of others nothing is
held: https://docs.aws.amazon.com/personalize/latest/dg/API_RS_GetRecommendations.html."""

MONTH = timedelta(days=30)
IMPORT_SLOTS = 5
"""https://docs.aws.amazon.com/personalize/latest/dg/limits.html; it cannot be raised."""
CROWDED = 0.8
"""Share of the import slots beyond which imports are likely to wait."""


def comes_from_deployment(world: World, request: Request) -> str | None:
    """Give why an event is skipped that a deployment caused, not the calendar.

    A rate schedule fires at once when it is created, and perhaps when it is changed; nobody who
    deploys expects a paid training.
    """
    slot, changed = scheduled_at(request), world.schedule_changed_at
    if slot is None or changed is None:
        return None
    if not -WHOLE_MINUTE <= slot - changed <= FIRST_EVENT:
        return None
    return (
        f"the schedule was created or changed at {changed.isoformat(timespec='seconds')}, and a "
        "deployment starts no training; to retrain now, start an execution with input {}"
    )


def another_run_is_under_way(world: World) -> str | None:
    """Skip the run beside an older one of the same pipeline."""
    return f"{world.older_run} is under way" if world.older_run else None


def exist_and_belong_together(
    world: World, settings: Settings, solutions: Sequence[SolutionSettings]
) -> Iterator[str]:
    """Refuse resources that do not exist, are not ACTIVE, or are of another group or solution."""
    for dataset in settings["datasets"]:
        yield from _usable(dataset["datasetArn"], world.datasets)
    for group_arn in world.groups:
        yield from _usable(group_arn, world.groups)
    for solution in solutions:
        arn = solution["solutionArn"]
        yield from _usable(arn, world.solutions)
        trains_on = world.solutions[arn]["datasetGroupArn"] if arn in world.solutions else None
        if trains_on and world.groups and trains_on not in world.groups:
            groups = ", ".join(world.groups)
            yield (
                f"{arn}: trains on {trains_on}, and the datasets belong to {groups}; "
                "name the datasets of the solution's own group"
            )
        for campaign in solution["campaigns"]:
            yield from _campaign_usable(world, campaign["campaignArn"], arn)


def _usable(arn: str, found: Mapping[str, object]) -> Iterator[str]:
    if arn not in found:
        yield f"{arn}: does not exist; create it, or correct the stack's config"
    elif (status := _status(found[arn])) != "ACTIVE":
        yield f"{arn}: its status is {status}; retraining needs it ACTIVE"


def _campaign_usable(world: World, arn: str, solution_arn: str) -> Iterator[str]:
    campaign = world.campaigns.get(arn)
    if campaign is None:
        yield f"{arn}: does not exist; create it, or take it out of the stack's config"
    elif campaign["status"].startswith("DELETE "):
        yield f"{arn}: its status is {campaign['status']}; take it out of the stack's config"
    elif not campaign["solutionVersionArn"].startswith(f"{solution_arn}/"):
        yield (
            f"{arn}: serves {campaign['solutionVersionArn']}, which is no version of "
            f"{solution_arn}; put the campaign under its own solution"
        )


def trains_automatically(world: World, solutions: Sequence[SolutionSettings]) -> Iterator[str]:
    """Warn of solutions that train, and bill, by themselves too; `autoTraining: refuse` refuses."""
    for solution in solutions:
        arn = solution["solutionArn"]
        if arn in world.solutions and world.solutions[arn].get("performAutoTraining"):
            yield (
                f"{arn}: also trains automatically; turn that off with 'aws personalize "
                f"update-solution --solution-arn {arn} --no-perform-auto-training'"
            )


def passes_by_the_gate(world: World, solutions: Sequence[SolutionSettings]) -> Iterator[str]:
    """Refuse a campaign that takes every newest version by itself while a gate shall judge them."""
    for solution in solutions:
        for each in solution["campaigns"] if solution["qualityGate"] else []:
            arn = each["campaignArn"]
            campaign = world.campaigns.get(arn)
            if campaign and campaign.get("campaignConfig", {}).get("syncWithLatestSolutionVersion"):
                yield (
                    f"{arn}: syncWithLatestSolutionVersion deploys every version past the quality "
                    "gate; turn it off with 'aws personalize update-campaign --campaign-arn "
                    f"{arn} --campaign-config syncWithLatestSolutionVersion=false', or set "
                    "qualityGateEnabled to false"
                )


def probes_can_be_answered(world: World, solutions: Sequence[SolutionSettings]) -> Iterator[str]:
    """Refuse a probe that no campaign of the solution's recipe answers: each would be rolled back.

    That would be after a training that was paid for.
    """
    for solution in solutions:
        recipe = _recipe(world, solution) if solution["solutionArn"] in world.solutions else ""
        for each in solution["campaigns"] if recipe in PROBED_WITH else []:
            probe, wanted = each["probe"], PROBED_WITH[recipe]
            if probe is None:
                continue
            given = next(key for key in ("inputList", "itemId", "userId") if key in probe)
            if given != wanted:
                way_out = f"ask with {wanted}" if wanted else "take the probe out"
                yield (
                    f"{each['campaignArn']}: its probe asks with {given}, which the recipe "
                    f"{recipe} does not answer; {way_out}"
                )


def trained_often_enough(
    world: World, solutions: Sequence[SolutionSettings], most: int
) -> Iterator[str]:
    """Skip the run if a solution has `most` or more new versions within 30 days. 0 is no limit."""
    if not most:
        return
    for solution in solutions:
        arn = solution["solutionArn"]
        recent = [
            each
            for each in world.versions.get(arn, [])
            if world.now - each["creationDateTime"] < MONTH
        ]
        if len(recent) >= most:
            yield (
                f"{arn}: versions created within 30 days: {len(recent)}, and "
                f"limits.maxTrainingsPerMonth is {most}"
            )


def imports_are_crowded(world: World, datasets: Sequence[DatasetSettings]) -> Iterator[str]:
    """Warn when more than 80% of the region's import slots are used, with this run's imports."""
    used = world.import_slots_used + len(datasets)
    if used > CROWDED * IMPORT_SLOTS:
        yield (
            f"{used} imports for {IMPORT_SLOTS} slots: {world.import_slots_used} under way and "
            f"{len(datasets)} of this run; some will wait"
        )


def incremental_needs_full(world: World, datasets: Sequence[DatasetSettings]) -> list[str]:
    """Refuse INCREMENTAL for a dataset that no FULL import has filled."""
    return [
        f"datasets.{dataset['type']}: importMode INCREMENTAL needs an ACTIVE FULL import of "
        f"{dataset['datasetArn']} before; import it once with importMode FULL"
        for dataset in datasets
        if dataset["importMode"] == "INCREMENTAL"
        and not any(
            job["status"] == "ACTIVE" and job.get("importMode", "FULL") == "FULL"
            for job in world.import_jobs.get(dataset["datasetArn"], [])
        )
    ]


def replaces_no_newer_day(
    world: World, run: Run, dated: Sequence[DatasetSettings]
) -> Iterator[str]:
    """Refuse a FULL import of `{date}`'s export over that of a later run's day.

    A run that is resumed, or a slot that comes late, names an old day.
    """
    for dataset in dated:
        other = world.last_import.get(dataset["datasetArn"], {}).get(RUN, "")
        if dataset["importMode"] == "FULL" and day_of(other) > day_of(run["id"]):
            yield (
                f"datasets.{dataset['type']}: {dataset['dataLocation']} is of {day_of(run['id'])}, "
                f"and run {other} has imported a later day since; start a run with {{}}"
            )


def update_needs_recipe(
    world: World, solutions: Sequence[SolutionSettings], asked: TrainingMode | None
) -> list[str]:
    """Refuse UPDATE for a solution whose recipe cannot do it."""
    return [
        f"{solution['solutionArn']}: trainingMode UPDATE needs one of the recipes "
        f"{', '.join(UPDATE_RECIPES)}, and this solution's is {recipe}; train it with FULL"
        for solution in solutions
        if solution["solutionArn"] in world.solutions
        and (asked or solution["trainingMode"]) == "UPDATE"
        and (recipe := _recipe(world, solution)) not in UPDATE_RECIPES
    ]


def update_needs_full(
    world: World, solutions: Sequence[SolutionSettings], asked: TrainingMode | None
) -> list[str]:
    """Refuse an UPDATE that was asked for by name where no ACTIVE FULL version exists."""
    return [
        f"{solution['solutionArn']}: trainingMode UPDATE needs an ACTIVE version that was trained "
        "with FULL, and there is none; start with trainingMode FULL"
        for solution in solutions
        if asked == "UPDATE" and newest_full(world, solution) is None
    ]


def newest_full(world: World, solution: SolutionSettings) -> SolutionVersionSummaryTypeDef | None:
    """Give the newest ACTIVE version that was trained with FULL."""
    return next(
        (
            version
            for version in world.versions.get(solution["solutionArn"], [])
            if version["status"] == "ACTIVE" and version.get("trainingMode", "FULL") == "FULL"
        ),
        None,
    )


def _recipe(world: World, solution: SolutionSettings) -> str:
    return world.solutions[solution["solutionArn"]].get("recipeArn", "").rpartition("/")[2]


def _status(described: object) -> str:
    return str(described["status"]) if isinstance(described, dict) else "unknown"
