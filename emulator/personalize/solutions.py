"""The operations on solutions and their versions: configure, train, stop, read metrics."""

import hashlib
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from emulator.personalize.errors import JobFailed, already_exists, invalid_input, not_found
from emulator.personalize.lifecycle import (
    check_no_deletion,
    create,
    find_active,
    find_updatable,
    update,
)
from emulator.personalize.recipes import RECIPES, Recipe
from emulator.personalize.resources import (
    Dataset,
    DatasetGroup,
    Solution,
    SolutionVersion,
)
from emulator.personalize.store import Request, Response, Store
from emulator.personalize.tables import (
    MIN_INTERACTIONS,
    MIN_INTERACTIONS_PER_USER,
    MIN_SHARE_OF_USERS,
    MIN_USERS,
    Table,
)

DEFAULTS = {"performHPO": False, "performAutoML": False, "performAutoTraining": True}
EVERY_WEEK = {"autoTrainingConfig": {"schedulingExpression": "rate(7 days)"}}


def create_solution(store: Store, request: Request) -> Solution:
    """Create a solution. By default it has automatic training every 7 days, as in the service.

    The emulator starts no training by itself.
    """
    group = find_active(store, DatasetGroup, request["datasetGroupArn"])
    details: dict[str, Any] = {**DEFAULTS, **request}

    if details["performAutoTraining"]:
        details["solutionConfig"] = {**EVERY_WEEK, **details.get("solutionConfig", {})}

    recipe_arn = request.get("recipeArn")
    if recipe_arn is None:
        raise invalid_input("recipeArn is missing; this emulator does not perform AutoML")
    if recipe_arn not in RECIPES:
        raise not_found(recipe_arn)

    recipe = RECIPES[recipe_arn]
    return create(store, Solution, details, belongs_to=[group.arn], recipe=recipe)


def update_solution(store: Store, request: Request) -> Solution:
    """Start an update of a solution. Its settings are in force when the update is ACTIVE."""
    solution = find_updatable(store, Solution, request["solutionArn"])
    settings: dict[str, Any] = {**solution.settings(store.now), **request}
    changed_config = settings.get("solutionUpdateConfig", {})
    settings["solutionConfig"] = {**settings.get("solutionConfig", {}), **changed_config}
    update(store, solution, settings)
    return solution


def create_solution_version(store: Store, request: Request) -> SolutionVersion:
    """Start a training. It uses the rows of the time when the version becomes IN_PROGRESS."""
    solution = find_active(store, Solution, request["solutionArn"])
    check_no_deletion(store, solution.group_arn)
    versions = store.list_resources(SolutionVersion, solution.arn)
    if store.switches.unique_version_names:
        _check_name_is_new(versions, request)

    training_mode = request.get("trainingMode", "FULL")
    if training_mode == "UPDATE":
        _check_update_mode(solution, versions, store.now)
    dataset = _find_training_dataset(store, solution)

    def take_data() -> None:
        version.data = dataset.table
        for learned in store.list_resources(Dataset, solution.group_arn):
            version.learned[learned.arn] = learned.imports

    inherited = {**solution.details, "name": None, "tags": ()}
    version = create(
        store,
        SolutionVersion,
        {**inherited, **request, "trainingMode": training_mode, "trainingType": "MANUAL"},
        path=f"{solution.details['name']}/{_build_version_id(solution, len(versions))}",
        belongs_to=[dataset.arn, solution.arn, solution.group_arn],
        solution=solution,
        on_progress=take_data,
        on_end=lambda: _train(version),
    )
    return version


def _check_name_is_new(versions: Sequence[SolutionVersion], request: Request) -> None:
    """Reject the name of another version of the solution."""
    for version in reversed(versions):
        if "name" in request and version.details["name"] == request["name"]:
            raise already_exists(version.arn)


def _check_update_mode(
    solution: Solution, versions: Sequence[SolutionVersion], now: datetime
) -> None:
    """Reject trainingMode UPDATE if there is nothing to update, or no recipe that can do it."""
    if solution.recipe.updatable:
        for version in versions:
            if version.is_active(now) and version.details["trainingMode"] == "FULL":
                return

    raise invalid_input(
        "Training mode UPDATE needs a recipe that supports it, and an ACTIVE solution version"
        f" of {solution.arn} that was trained with mode FULL"
    )


def _build_version_id(solution: Solution, version_count: int) -> str:
    """Build the id of a new version. The same history of calls gives the same ids."""
    history = f"{solution.arn} {solution.timeline.created.isoformat()} {version_count}"
    return hashlib.sha256(history.encode()).hexdigest()[:8]


def stop_solution_version_creation(store: Store, request: Request) -> None:
    """Stop a training. If it is IN_PROGRESS it becomes CREATE STOPPING before CREATE STOPPED."""
    version = store.get(SolutionVersion, request["solutionVersionArn"])
    status = version.status(store.now)
    if not version.is_unfinished(store.now) or status == "CREATE STOPPING":
        raise invalid_input(f"Solution version {version.arn} is {status} and cannot be stopped")
    version.timeline.stop(store.now, store.stop_seconds(version.arn))


def get_solution_metrics(store: Store, request: Request) -> Response:
    """Return the metrics of an ACTIVE version. `training.evaluate` explains them."""
    version = find_active(store, SolutionVersion, request["solutionVersionArn"])
    assert version.model is not None, "an ACTIVE version has been trained"
    return {"solutionVersionArn": version.arn, "metrics": version.model.metrics}


def _find_training_dataset(store: Store, solution: Solution) -> Dataset:
    """Find the ACTIVE dataset that the recipe learns from."""
    recipe = solution.recipe
    datasets = store.list_resources(Dataset, solution.group_arn)
    arns = [dataset.arn for dataset in datasets if dataset.type == recipe.data]
    if not arns:
        raise invalid_input(
            f"Dataset group {solution.group_arn} has no {recipe.data} dataset to train on"
        )

    dataset = find_active(store, Dataset, arns[0])
    if recipe.method == "words":
        _check_textual_fields(dataset, recipe)
    return dataset


def _check_textual_fields(dataset: Dataset, recipe: Recipe) -> None:
    """Reject items without a name or a text (guide, "Semantic-Similarity recipe")."""
    found: set[str] = set()
    for column in dataset.schema.columns:
        found |= column.attributes

    for attribute in ("itemName", "textual"):
        if attribute not in found:
            raise invalid_input(
                f"The schema of {dataset.arn} has no field with {attribute}: true, which the recipe"
                f" {recipe.name} needs"
            )


def _train(version: SolutionVersion) -> None:
    """Train the model of a version on the data that it has taken, and drop the data."""
    # numpy and implicit take long to import, and only trainings need them.
    from emulator.personalize.training import train  # noqa: PLC0415

    data = version.data
    recipe = version.solution.recipe
    event_type = version.solution.details.get("eventType")
    if event_type is not None:
        data = data.where("EVENT_TYPE", event_type)

    if recipe.method != "words":
        _check_enough_interactions(data, event_type)
    elif not len(data):
        raise JobFailed("Dataset has no items")

    if version.timeline.knows_only_popularity:
        recipe = replace(recipe, method="popularity")
    version.model = train(data, recipe)
    version.data = Table()


def _check_enough_interactions(data: Table, event_type: object) -> None:
    """Fail a training with too few interactions, or too few users who have several."""
    if len(data) < MIN_INTERACTIONS:
        suffix = ""
        if event_type:
            suffix = f" after filtering by event type: {event_type}"
        raise JobFailed(f"Dataset has fewer than {MIN_INTERACTIONS} interactions{suffix}")

    counts = Counter(data.column("USER_ID")).values()
    required = max(MIN_USERS, math.ceil(len(counts) * MIN_SHARE_OF_USERS))
    if sum(count >= MIN_INTERACTIONS_PER_USER for count in counts) < required:
        raise JobFailed(
            f"Dataset has fewer than {required} users with at least"
            f" {MIN_INTERACTIONS_PER_USER} interactions each"
        )
