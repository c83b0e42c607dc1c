"""The operations on solutions and their versions: configure, train, stop, read metrics."""

import hashlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial

from emulator.personalize.datasets import find_dataset
from emulator.personalize.errors import JobFailed, already_exists, invalid_input, not_found
from emulator.personalize.lifecycle import (
    check_no_unfinished_job,
    create,
    find_active,
    find_updatable,
    update,
)
from emulator.personalize.recipes import RECIPES, Recipe
from emulator.personalize.resources import (
    DataDeletionJob,
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

DEFAULT_SETTINGS = {"performHPO": False, "performAutoML": False, "performAutoTraining": True}
EVERY_WEEK = {"autoTrainingConfig": {"schedulingExpression": "rate(7 days)"}}


def create_solution(store: Store, request: Request) -> Solution:
    """Create a solution. By default it has automatic training every 7 days, as in the service.

    The emulator starts no training by itself.
    """
    group = find_active(store, DatasetGroup, request["datasetGroupArn"])
    recipe = _find_recipe(request)

    details = {**DEFAULT_SETTINGS, **request}
    if details["performAutoTraining"]:
        details["solutionConfig"] = {**EVERY_WEEK, **request.get("solutionConfig", {})}

    return create(store, Solution, details, belongs_to=[group.arn], recipe=recipe)


def _find_recipe(request: Request) -> Recipe:
    """Find the recipe that a new solution names."""
    recipe_arn = request.get("recipeArn")
    if recipe_arn is None:
        raise invalid_input("recipeArn is missing; this emulator does not perform AutoML")
    if recipe_arn not in RECIPES:
        raise not_found(recipe_arn)

    return RECIPES[recipe_arn]


def update_solution(store: Store, request: Request) -> Solution:
    """Start an update of a solution. Its settings are in force when the update is ACTIVE."""
    solution = find_updatable(store, Solution, request["solutionArn"])
    settings = {**solution.settings(store.now), **request}

    # The request has only those parts of the configuration that change.
    old_config = settings.get("solutionConfig", {})
    settings["solutionConfig"] = {**old_config, **request.get("solutionUpdateConfig", {})}
    update(store, solution, settings)
    return solution


def create_solution_version(store: Store, request: Request) -> SolutionVersion:
    """Start a training that the caller asks for, so that it is not an automatic one."""
    solution = find_active(store, Solution, request["solutionArn"])
    check_no_unfinished_job(store, solution.group_arn, DataDeletionJob)

    versions = store.list_resources(SolutionVersion, solution.arn)
    if store.switches.unique_version_names:
        _check_name_is_new(versions, request)
    if request.get("trainingMode") == "UPDATE":
        _check_update_mode(solution, versions, store.now)

    details = {"trainingMode": "FULL", **request, "trainingType": "MANUAL"}
    return _start_training(store, solution, details)


def _check_name_is_new(versions: Sequence[SolutionVersion], request: Request) -> None:
    """Reject the name of another version of the solution."""
    for version in versions:
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


def _start_training(
    store: Store, solution: Solution, details: Mapping[str, object]
) -> SolutionVersion:
    """Start to train a version of a solution. It takes its data when it is IN_PROGRESS.

    `details` are the fields of Describe that a version does not inherit from its solution.
    """
    dataset = _find_training_dataset(store, solution)
    inherited = {**solution.details, "name": None, "tags": ()}

    version = create(
        store,
        SolutionVersion,
        {**inherited, **details},
        path=f"{solution.details['name']}/{_build_version_id(store, solution)}",
        belongs_to=[dataset.arn, solution.arn, solution.group_arn],
        solution=solution,
    )

    version.timeline.when_in_progress(partial(_take_data, store, version, dataset))
    version.timeline.when_active(partial(_train, version))
    return version


def _find_training_dataset(store: Store, solution: Solution) -> Dataset:
    """Find the ACTIVE dataset that the recipe learns from."""
    dataset_type = solution.recipe.dataset_type
    dataset = find_dataset(store, solution.group_arn, dataset_type)
    if dataset is None:
        raise invalid_input(
            f"Dataset group {solution.group_arn} has no {dataset_type} dataset to train on"
        )

    return find_active(store, Dataset, dataset.arn)


def _build_version_id(store: Store, solution: Solution) -> str:
    """Build the id of a new version. The same history of calls gives the same ids."""
    version_count = len(store.list_resources(SolutionVersion, solution.arn))
    history = f"{solution.arn} {solution.timeline.created.isoformat()} {version_count}"
    return hashlib.sha256(history.encode()).hexdigest()[:8]


def _take_data(store: Store, version: SolutionVersion, dataset: Dataset) -> None:
    """Take the rows to train on. An import that ends later makes no difference to the version."""
    version.data = dataset.table
    event_type = version.solution.details.get("eventType")
    if event_type is not None:
        version.data = dataset.table.where("EVENT_TYPE", event_type)

    for group_dataset in store.list_resources(Dataset, version.group_arn):
        version.learned[group_dataset.arn] = group_dataset.imports


def _train(version: SolutionVersion) -> None:
    """Train the model of a version on the data that it has taken, and drop the data."""
    # numpy and implicit take long to import, and only trainings need them.
    from emulator.personalize.training import train  # noqa: PLC0415

    recipe = version.solution.recipe
    if recipe.dataset_type != "ITEMS":
        _check_enough_interactions(version.data, version.solution.details.get("eventType"))
        _check_enough_users(version.data)
    elif not version.data:
        raise JobFailed("Dataset has no items")

    only_popularity = version.timeline.fault == "only-popularity"
    version.model = train(version.data, recipe, only_popularity=only_popularity)
    version.data = Table()


def _check_enough_interactions(interactions: Table, event_type: str | None) -> None:
    """Fail a training with too few interactions."""
    if len(interactions) < MIN_INTERACTIONS:
        suffix = ""
        if event_type:
            suffix = f" after filtering by event type: {event_type}"
        raise JobFailed(f"Dataset has fewer than {MIN_INTERACTIONS} interactions{suffix}")


def _check_enough_users(interactions: Table) -> None:
    """Fail a training with too few users who have several interactions."""
    counts = Counter(interactions.column("USER_ID")).values()
    required_users = max(MIN_USERS, math.ceil(len(counts) * MIN_SHARE_OF_USERS))
    if sum(count >= MIN_INTERACTIONS_PER_USER for count in counts) < required_users:
        raise JobFailed(
            f"Dataset has fewer than {required_users} users with at least"
            f" {MIN_INTERACTIONS_PER_USER} interactions each"
        )


def stop_solution_version_creation(store: Store, request: Request) -> None:
    """Stop a training. One that is IN_PROGRESS becomes CREATE STOPPING before CREATE STOPPED."""
    version = store.get(SolutionVersion, request["solutionVersionArn"])
    status = version.status(store.now)
    if not version.is_unfinished(store.now) or status == "CREATE STOPPING":
        raise invalid_input(f"Solution version {version.arn} is {status} and cannot be stopped")

    version.timeline.stop(store.now, store.stop_seconds(version.arn))


def get_solution_metrics(store: Store, request: Request) -> Response:
    """Show the metrics of an ACTIVE version, which `training.evaluate` explains."""
    version = find_active(store, SolutionVersion, request["solutionVersionArn"])
    return {"solutionVersionArn": version.arn, "metrics": version.model.metrics}
