"""The operations on solutions and their versions: configure, train, stop, read metrics."""

import hashlib
from collections import Counter
from datetime import UTC, datetime
from typing import Any

from emulator.personalize import campaigns
from emulator.personalize.errors import JobFailed, already_exists, invalid_input, not_found
from emulator.personalize.lifecycle import check_can_be_updated, check_is_active, create, update
from emulator.personalize.recipes import RECIPES, Recipe
from emulator.personalize.resources import (
    Dataset,
    DatasetGroup,
    EventTracker,
    ImportJob,
    Solution,
    SolutionVersion,
)
from emulator.personalize.store import Request, Response, Store
from emulator.personalize.tables import (
    MIN_INTERACTIONS,
    MIN_INTERACTIONS_PER_USER,
    MIN_USERS,
    Table,
)

# The fields of a solution that its versions show too.
SHARED_FIELDS = (
    *("performHPO", "performAutoML", "recipeArn", "eventType", "datasetGroupArn"),
    *("solutionArn", "solutionConfig"),
)
DEFAULTS = {"performHPO": False, "performAutoML": False, "performAutoTraining": True}
EVERY_WEEK = {"autoTrainingConfig": {"schedulingExpression": "rate(7 days)"}}
NEVER = datetime.min.replace(tzinfo=UTC)


def create_solution(store: Store, request: Request) -> Response:
    """Create a solution. By default it has automatic training every 7 days, as in the service.

    The emulator starts no training by itself.
    """
    group = store.get(DatasetGroup, request["datasetGroupArn"])
    check_is_active(store, group)
    details: dict[str, Any] = {**DEFAULTS, **request}
    if details["performAutoTraining"]:
        details["solutionConfig"] = {**EVERY_WEEK, **details.get("solutionConfig", {})}
    solution = create(
        store,
        Solution,
        details,
        belongs_to=[group.arn],
        recipe=_recipe(request.get("recipeArn")),
    )
    return {"solutionArn": solution.arn}


def update_solution(store: Store, request: Request) -> Response:
    """Start an update of a solution. Its settings are in force when the update is ACTIVE."""
    solution = store.get(Solution, request["solutionArn"])
    check_can_be_updated(store, solution)
    settings: dict[str, Any] = {**solution.settings(store.now), **request}
    changed_config = settings.get("solutionUpdateConfig", {})
    settings["solutionConfig"] = {**settings.get("solutionConfig", {}), **changed_config}
    update(store, solution, settings)
    return {"solutionArn": solution.arn}


def create_solution_version(store: Store, request: Request) -> Response:
    """Start a training that a caller asks for."""
    solution = store.get(Solution, request["solutionArn"])
    version = start_training(store, solution, request, training_type="MANUAL")
    return {"solutionVersionArn": version.arn}


def start_training(
    store: Store, solution: Solution, request: Request, *, training_type: str
) -> SolutionVersion:
    """Start a training and return the new version.

    The training uses the rows that the dataset has when the version becomes IN_PROGRESS. The
    request is that of CreateSolutionVersion, or empty for an automatic training.

    Raises:
        ApiError: A rule does not allow the training.
    """
    mode = request.get("trainingMode", "FULL")
    check_is_active(store, solution)
    names = {version.details.get("name"): version.arn for version in solution.versions}
    name = request.get("name")
    if store.options.switches.unique_version_names and name is not None and name in names:
        raise already_exists(names[name])
    if mode == "UPDATE":
        _check_can_train_update(store, solution)
    dataset = _training_dataset(store, solution)

    def take_data() -> None:
        if mode == "UPDATE" and store.options.switches.update_needs_new_data:
            _check_has_new_data(store, solution)
        version.data, version.data_time = dataset.table, store.now
        datasets = store.all(Dataset, solution.group_arn)
        version.learned = {item.arn: item.imports for item in datasets}

    def train() -> None:
        _train(version)
        campaigns.follow_latest(store, solution)

    shared = {key: solution.details.get(key) for key in SHARED_FIELDS}
    version = create(
        store,
        SolutionVersion,
        {**request, **shared, "trainingMode": mode, "trainingType": training_type},
        path=f"{solution.details['name']}/{_version_id(solution)}",
        belongs_to=[solution.arn, solution.group_arn],
        solution=solution,
        on_progress=take_data,
        on_end=train,
    )
    solution.versions.append(version)
    return version


def stop_solution_version_creation(store: Store, request: Request) -> None:
    """Stop a training. If it is IN_PROGRESS it becomes CREATE STOPPING before CREATE STOPPED."""
    version = store.get(SolutionVersion, request["solutionVersionArn"])
    status = version.status(store.now)
    if not version.is_unfinished(store.now) or status == "CREATE STOPPING":
        raise invalid_input(f"Solution version {version.arn} is {status} and cannot be stopped")
    version.timeline.stop(store.now, sum(store.duration("stop", version.arn)))


def get_solution_metrics(store: Store, request: Request) -> Response:
    """Return the metrics of an ACTIVE version. `training.evaluate` explains them."""
    version = store.get(SolutionVersion, request["solutionVersionArn"])
    check_is_active(store, version)
    assert version.model is not None, "an ACTIVE version has been trained"
    return {"solutionVersionArn": version.arn, "metrics": version.model.metrics}


def _recipe(arn: str | None) -> Recipe:
    """Return the recipe with an ARN. Raise ApiError if it is missing or unknown."""
    if arn is None:
        raise invalid_input("recipeArn is missing; this emulator does not perform AutoML")
    for recipe in RECIPES:
        if recipe.arn == arn:
            return recipe
    raise not_found(arn)


def _check_can_train_update(store: Store, solution: Solution) -> None:
    """Raise ApiError if a solution cannot be trained in the mode UPDATE.

    The recipe must support it, and an ACTIVE version must have been trained in the mode FULL.
    """
    if not solution.recipe.updatable:
        raise invalid_input(
            f"Training mode UPDATE is not supported by the recipe {solution.recipe.name}"
        )
    has_full_version = any(
        version.is_active(store.now) and version.details["trainingMode"] == "FULL"
        for version in solution.versions
    )
    if not has_full_version:
        raise invalid_input(
            f"Training mode UPDATE needs an ACTIVE solution version of {solution.arn} "
            "that was trained with mode FULL"
        )


def _check_has_new_data(store: Store, solution: Solution) -> None:
    """Raise JobFailed if no dataset was updated since the last training.

    Trainings that failed or were stopped do not count. An ACTIVE event tracker stands for
    interactions that arrive all the time. New items are new data, because the training processes
    the "new items added to the items dataset": https://stackoverflow.com/questions/69294232.
    """
    learned = [
        version.data_time
        for version in solution.versions
        if version.data_time and (version.is_active(store.now) or version.is_unfinished(store.now))
    ]
    imported = [
        job.timeline.moment_at(store.now).time
        for dataset in store.all(Dataset, solution.group_arn)
        for job in store.all(ImportJob, dataset.arn)
        if job.is_active(store.now)
    ]
    trackers = store.all(EventTracker, solution.group_arn)
    has_events = any(tracker.is_active(store.now) for tracker in trackers)
    if not has_events and max(imported, default=NEVER) <= max(learned, default=NEVER):
        raise JobFailed("There are no updates to a dataset since the last training")


def _training_dataset(store: Store, solution: Solution) -> Dataset:
    """Return the dataset that the recipe learns from.

    Raise ApiError if the group lacks it, or if it is not ACTIVE. aws-semantic-similarity needs one
    string field with `itemName` and at least one with `textual` (guide, "Semantic-Similarity
    recipe").
    """
    recipe, datasets = solution.recipe, store.all(Dataset, solution.group_arn)
    dataset = next((dataset for dataset in datasets if dataset.type == recipe.data), None)
    if dataset is None:
        raise invalid_input(
            f"Dataset group {solution.group_arn} has no {recipe.data} dataset to train on"
        )
    check_is_active(store, dataset)
    attributes = {name for column in dataset.schema.columns for name in column.attributes}
    missing = {"itemName", "textual"} - attributes
    if recipe.method == "words" and missing:
        raise invalid_input(
            f"The schema of {dataset.arn} has no field with {min(missing)}: true, which the recipe"
            f" {recipe.name} needs"
        )
    return dataset


def _version_id(solution: Solution) -> str:
    """Return the id of the next version of a solution, which is 8 hexadecimal digits.

    The same history of calls gives the same ids.
    """
    text = f"{solution.arn} {solution.timeline.created.isoformat()} {len(solution.versions)}"
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _train(version: SolutionVersion) -> None:
    """Train the model of a version on `version.data`, and drop the data. May raise JobFailed."""
    # numpy and implicit take long to import, and only trainings need them.
    from emulator.personalize.training import train  # noqa: PLC0415

    event_type = version.solution.details.get("eventType")
    data, recipe = version.data, version.solution.recipe
    if event_type is not None:
        data = data.where("EVENT_TYPE", event_type)
    if recipe.method != "words":
        suffix = f" after filtering by event type: {event_type}" if event_type else ""
        _check_enough_interactions(data, suffix)
    elif not len(data):
        raise JobFailed("Dataset has no items")
    version.model = train(data, recipe)
    version.data = Table()


def _check_enough_interactions(data: Table, suffix: str) -> None:
    """Raise JobFailed if there are too few interactions, or too few users with at least two."""
    if len(data) < MIN_INTERACTIONS:
        raise JobFailed(f"Dataset has fewer than {MIN_INTERACTIONS} interactions{suffix}")
    counts = Counter(data.column("USER_ID")).values()
    returning_users = sum(interactions >= MIN_INTERACTIONS_PER_USER for interactions in counts)
    if returning_users < MIN_USERS:
        raise JobFailed(
            f"Dataset has fewer than {MIN_USERS} users with at least"
            f" {MIN_INTERACTIONS_PER_USER} interactions each"
        )
