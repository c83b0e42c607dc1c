"""The operations on solutions and their versions: configure, train, stop, read metrics."""

import hashlib
import math
from collections import Counter
from dataclasses import replace
from typing import Any

from emulator.personalize.errors import JobFailed, already_exists, invalid_input, not_found
from emulator.personalize.lifecycle import (
    active,
    check_no_deletion,
    create,
    updatable,
    update,
)
from emulator.personalize.recipes import RECIPES
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
    group = active(store, DatasetGroup, request["datasetGroupArn"])
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
    solution = updatable(store, Solution, request["solutionArn"])
    settings: dict[str, Any] = {**solution.settings(store.now), **request}
    changed_config = settings.get("solutionUpdateConfig", {})
    settings["solutionConfig"] = {**settings.get("solutionConfig", {}), **changed_config}
    update(store, solution, settings)
    return solution


def create_solution_version(store: Store, request: Request) -> SolutionVersion:
    """Start a training. It uses the rows of the time when the version becomes IN_PROGRESS."""
    solution = active(store, Solution, request["solutionArn"])
    check_no_deletion(store, solution.group_arn)
    mode = request.get("trainingMode", "FULL")
    versions = store.all(SolutionVersion, solution.arn)
    names = {version.details.get("name"): version.arn for version in versions}
    name = request.get("name")
    if store.switches.unique_version_names and name is not None and name in names:
        raise already_exists(names[name])
    has_full_version = any(
        version.is_active(store.now) and version.details["trainingMode"] == "FULL"
        for version in versions
    )
    if mode == "UPDATE" and not (solution.recipe.updatable and has_full_version):
        raise invalid_input(
            "Training mode UPDATE needs a recipe that supports it, and an ACTIVE solution version"
            f" of {solution.arn} that was trained with mode FULL"
        )
    dataset = _training_dataset(store, solution)

    def take_data() -> None:
        version.data = dataset.table
        datasets = store.all(Dataset, solution.group_arn)
        version.learned = {item.arn: item.imports for item in datasets}

    # The same history of calls gives the same ids.
    history = f"{solution.arn} {solution.timeline.created.isoformat()} {len(versions)}"
    version_id = hashlib.sha256(history.encode()).hexdigest()[:8]
    inherited = {**solution.details, "name": None, "tags": ()}
    version = create(
        store,
        SolutionVersion,
        {**inherited, **request, "trainingMode": mode, "trainingType": "MANUAL"},
        path=f"{solution.details['name']}/{version_id}",
        belongs_to=[dataset.arn, solution.arn, solution.group_arn],
        solution=solution,
        on_progress=take_data,
        on_end=lambda: _train(version),
    )
    return version


def stop_solution_version_creation(store: Store, request: Request) -> None:
    """Stop a training. If it is IN_PROGRESS it becomes CREATE STOPPING before CREATE STOPPED."""
    version = store.get(SolutionVersion, request["solutionVersionArn"])
    status = version.status(store.now)
    if not version.is_unfinished(store.now) or status == "CREATE STOPPING":
        raise invalid_input(f"Solution version {version.arn} is {status} and cannot be stopped")
    version.timeline.stop(store.now, store.stop_seconds(version.arn))


def get_solution_metrics(store: Store, request: Request) -> Response:
    """Return the metrics of an ACTIVE version. `training.evaluate` explains them."""
    version = active(store, SolutionVersion, request["solutionVersionArn"])
    assert version.model is not None, "an ACTIVE version has been trained"
    return {"solutionVersionArn": version.arn, "metrics": version.model.metrics}


def _training_dataset(store: Store, solution: Solution) -> Dataset:
    """Return the dataset that the recipe learns from.

    Raise ApiError if the group lacks it, or if it is not ACTIVE. aws-semantic-similarity needs one
    string field with `itemName` and at least one with `textual` (guide, "Semantic-Similarity
    recipe").
    """
    recipe, datasets = solution.recipe, store.all(Dataset, solution.group_arn)
    arns = [dataset.arn for dataset in datasets if dataset.type == recipe.data]
    if not arns:
        raise invalid_input(
            f"Dataset group {solution.group_arn} has no {recipe.data} dataset to train on"
        )
    dataset = active(store, Dataset, arns[0])
    attributes = {name for column in dataset.schema.columns for name in column.attributes}
    missing = {"itemName", "textual"} - attributes
    if recipe.method == "words" and missing:
        raise invalid_input(
            f"The schema of {dataset.arn} has no field with {min(missing)}: true, which the recipe"
            f" {recipe.name} needs"
        )
    return dataset


def _train(version: SolutionVersion) -> None:
    """Train the model of a version on `version.data`, and drop the data. May raise JobFailed."""
    # numpy and implicit take long to import, and only trainings need them.
    from emulator.personalize.training import train  # noqa: PLC0415

    event_type = version.solution.details.get("eventType")
    data, recipe = version.data, version.solution.recipe
    if event_type is not None:
        data = data.where("EVENT_TYPE", event_type)
    if recipe.method == "words" and not len(data):
        raise JobFailed("Dataset has no items")
    if recipe.method != "words":
        _check_enough_interactions(data, event_type)
    if version.timeline.knows_only_popularity:
        recipe = replace(recipe, method="popularity")
    version.model = train(data, recipe)
    version.data = Table()


def _check_enough_interactions(data: Table, event_type: object) -> None:
    if len(data) < MIN_INTERACTIONS:
        suffix = f" after filtering by event type: {event_type}" if event_type else ""
        raise JobFailed(f"Dataset has fewer than {MIN_INTERACTIONS} interactions{suffix}")
    counts = Counter(data.column("USER_ID")).values()
    required = max(MIN_USERS, math.ceil(len(counts) * MIN_SHARE_OF_USERS))
    if sum(count >= MIN_INTERACTIONS_PER_USER for count in counts) < required:
        raise JobFailed(
            f"Dataset has fewer than {required} users with at least"
            f" {MIN_INTERACTIONS_PER_USER} interactions each"
        )
