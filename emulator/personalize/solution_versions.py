"""The operations on solution versions: train, stop, read metrics."""

import hashlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial

from emulator.personalize.datasets import find_dataset
from emulator.personalize.errors import JobFailed, already_exists, invalid_input
from emulator.personalize.lifecycle import (
    check_no_unfinished_job,
    create_resource,
    find_active,
)
from emulator.personalize.resources import (
    DataDeletionJob,
    Dataset,
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


def create_solution_version(store: Store, request: Request) -> SolutionVersion:
    """Start the training of a new solution version."""
    solution = find_active(store, Solution, request["solutionArn"])
    check_no_unfinished_job(store, solution.group_arn, DataDeletionJob)

    versions = store.list_resources(SolutionVersion, solution.arn)
    if store.switches.unique_version_names:
        _check_name_is_new(versions, request)
    if request.get("trainingMode") == "UPDATE":
        _check_update_mode(solution, versions, store.now)

    details = {"trainingMode": "FULL", **request, "trainingType": "MANUAL"}
    return start_training(store, solution, details)


def _check_name_is_new(versions: Sequence[SolutionVersion], request: Request) -> None:
    """Reject a name that another version of the same solution already has."""
    for version in versions:
        if "name" in request and version.details["name"] == request["name"]:
            raise already_exists(version.arn)


def _check_update_mode(
    solution: Solution, versions: Sequence[SolutionVersion], now: datetime
) -> None:
    """Reject trainingMode UPDATE if the recipe doesn't support it, or there's nothing to update."""
    if solution.recipe.updatable:
        for version in versions:
            if version.is_active(now) and version.details["trainingMode"] == "FULL":
                return

    raise invalid_input(
        "Training mode UPDATE needs a recipe that supports it, and an ACTIVE solution version"
        f" of {solution.arn} that was trained with mode FULL"
    )


def start_training(
    store: Store, solution: Solution, details: Mapping[str, object]
) -> SolutionVersion:
    """Start a training, which takes a snapshot of the data when it becomes IN_PROGRESS.

    `details` are the fields of Describe that a version doesn't inherit from its solution.
    """
    dataset = find_training_dataset(store, solution)
    inherited = {**solution.details, "name": None, "tags": ()}

    version = create_resource(
        store,
        SolutionVersion,
        {**inherited, **details},
        arn_suffix=f"{solution.details['name']}/{_build_version_id(store, solution)}",
        parent_arns=[dataset.arn, solution.arn, solution.group_arn],
        solution=solution,
    )

    version.timeline.on_in_progress(partial(_take_data, store, version, dataset))
    version.timeline.on_active(partial(_train, version))
    return version


def find_training_dataset(store: Store, solution: Solution) -> Dataset:
    """Look up the dataset that the recipe learns from, and reject one that isn't ACTIVE."""
    dataset_type = solution.recipe.dataset_type
    dataset = find_dataset(store, solution.group_arn, dataset_type)
    if dataset is None:
        raise invalid_input(
            f"Dataset group {solution.group_arn} has no {dataset_type} dataset to train on"
        )

    return find_active(store, Dataset, dataset.arn)


def _build_version_id(store: Store, solution: Solution) -> str:
    """Build the ID of a new version.

    It isn't random, so that a test always gets the same ARNs.
    """
    version_count = len(store.list_resources(SolutionVersion, solution.arn))
    history = f"{solution.arn} {solution.timeline.created.isoformat()} {version_count}"
    return hashlib.sha256(history.encode()).hexdigest()[:8]


def _take_data(store: Store, version: SolutionVersion, dataset: Dataset) -> None:
    """Take a snapshot of the training data, so that later imports don't affect the version."""
    version.training_data = dataset.table
    event_type = version.solution.details.get("eventType")
    if event_type is not None:
        version.training_data = dataset.table.where("EVENT_TYPE", event_type)

    for group_dataset in store.list_resources(Dataset, version.group_arn):
        version.trained_imports[group_dataset.arn] = group_dataset.import_arns


def _train(version: SolutionVersion) -> None:
    """Train the model of a version on its snapshot of the data, and then free the snapshot."""
    # This import is slow because of numpy and implicit, so only trainings pay for it.
    from emulator.personalize.training import train  # noqa: PLC0415

    recipe = version.solution.recipe
    if recipe.dataset_type != "ITEMS":
        check_enough_data(version.training_data, version.solution.details.get("eventType"))
    elif not version.training_data:
        raise JobFailed("Dataset has no items")

    only_popularity = version.timeline.fault == "only-popularity"
    version.model = train(version.training_data, recipe, only_popularity=only_popularity)
    version.training_data = Table()


def check_enough_data(interactions: Table, event_type: str | None = None) -> None:
    """Fail the training if there are too few interactions, or too few users with several."""
    _check_enough_interactions(interactions, event_type)
    _check_enough_users(interactions)


def _check_enough_interactions(interactions: Table, event_type: str | None) -> None:
    """Fail the training if there are too few interactions."""
    if len(interactions) < MIN_INTERACTIONS:
        suffix = ""
        if event_type:
            suffix = f" after filtering by event type: {event_type}"
        raise JobFailed(f"Dataset has fewer than {MIN_INTERACTIONS} interactions{suffix}")


def _check_enough_users(interactions: Table) -> None:
    """Fail the training if too few users have several interactions."""
    counts = Counter(interactions.column("USER_ID")).values()
    required_users = max(MIN_USERS, math.ceil(len(counts) * MIN_SHARE_OF_USERS))
    if sum(count >= MIN_INTERACTIONS_PER_USER for count in counts) < required_users:
        raise JobFailed(
            f"Dataset has fewer than {required_users} users with at least"
            f" {MIN_INTERACTIONS_PER_USER} interactions each"
        )


def stop_solution_version_creation(store: Store, request: Request) -> None:
    """Stop an unfinished training. If it's IN_PROGRESS, it goes through CREATE STOPPING."""
    version = store.get(SolutionVersion, request["solutionVersionArn"])
    status = version.status(store.now)
    if not version.is_unfinished(store.now) or status == "CREATE STOPPING":
        raise invalid_input(f"Solution version {version.arn} is {status} and cannot be stopped")

    version.timeline.stop(store.now, store.look_up_stopping_seconds(version.arn))


def get_solution_metrics(store: Store, request: Request) -> Response:
    """Return the offline metrics of an ACTIVE version, which `training.evaluate` computes."""
    version = find_active(store, SolutionVersion, request["solutionVersionArn"])
    return {"solutionVersionArn": version.arn, "metrics": version.model.metrics}
