"""The operations on solutions and their versions: configure, train, stop, read metrics."""

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from emulator.personalize import automatic_training, campaigns, rules
from emulator.personalize.errors import invalid_input, not_found
from emulator.personalize.recipes import RECIPES, Recipe
from emulator.personalize.resources import (
    Campaign,
    Change,
    Dataset,
    DatasetGroup,
    Solution,
    SolutionVersion,
)
from emulator.personalize.store import Store
from emulator.personalize.tables import Table
from emulator.personalize.tagging import tags_of

if TYPE_CHECKING:
    from mypy_boto3_personalize.type_defs import (
        CreateSolutionRequestTypeDef,
        CreateSolutionVersionRequestTypeDef,
        DeleteSolutionRequestTypeDef,
        GetSolutionMetricsRequestTypeDef,
        StopSolutionVersionCreationRequestTypeDef,
        UpdateSolutionRequestTypeDef,
    )

# The fields of a solution that its versions show too.
SHARED_FIELDS = ("performHPO", "performAutoML", "recipeArn", "eventType", "datasetGroupArn")
EVERY_WEEK = {"schedulingExpression": "rate(7 days)"}


def create_solution(store: Store, request: "CreateSolutionRequestTypeDef") -> dict[str, object]:
    """Create a solution. By default it has automatic training every 7 days, as in the service."""
    group = store.get(DatasetGroup, request["datasetGroupArn"])
    rules.check_is_active(store, group)
    recipe = _recipe(store, request.get("recipeArn"))
    arn = store.arn("solution", request["name"])
    rules.check_name_is_free(store, arn)
    rules.check_solution_quota(store, group.arn)
    details: dict[str, object] = {
        "solutionArn": arn,
        "performHPO": False,
        "performAutoML": False,
        "performAutoTraining": True,
        **request,
    }
    if details["performAutoTraining"]:
        config = cast("Mapping[str, object]", request.get("solutionConfig", {}))
        details["solutionConfig"] = {"autoTrainingConfig": EVERY_WEEK, **config}
    tags = tags_of(request.get("tags", ()))
    solution = Solution(
        arn=arn,
        details=details,
        timeline=store.start_job(
            "solution",
            arn,
            request["name"],
            group.arn,
            on_end=lambda: _begin_automatic_training(store, solution),
        ),
        belongs_to=(group.arn,),
        tags=tags,
        recipe=recipe,
        group_arn=group.arn,
    )
    store.add(solution)
    return {"solutionArn": arn}


def update_solution(store: Store, request: "UpdateSolutionRequestTypeDef") -> dict[str, object]:
    """Start an update of a solution. Its settings are in force when the update is ACTIVE."""
    solution = store.get(Solution, request["solutionArn"])
    rules.check_can_be_updated(store, solution)
    old_settings = solution.settings(store.now)
    old_config = cast("Mapping[str, object]", old_settings.get("solutionConfig", {}))
    new_config = cast("Mapping[str, object]", request.get("solutionUpdateConfig", {}))
    details = {**old_settings, **request, "solutionConfig": {**old_config, **new_config}}
    timeline = store.start_job(
        "solution-update",
        solution.arn,
        str(solution.details["name"]),
        on_end=lambda: _begin_automatic_training(store, solution),
    )
    solution.changes.append(Change(details, timeline, visible_from=store.now))
    store.schedule(timeline)
    return {"solutionArn": solution.arn}


def delete_solution(store: Store, request: "DeleteSolutionRequestTypeDef") -> dict[str, object]:
    """Start to delete a solution and its versions.

    Raises:
        ApiError: A campaign uses the solution, or one of its trainings is unfinished.
    """
    solution = store.get(Solution, request["solutionArn"])
    trainings = [version for version in solution.versions if version.is_unfinished(store.now)]
    rules.check_can_be_deleted(store, solution, [*store.all(Campaign, solution.arn), *trainings])
    store.delete(solution, *solution.versions)
    return {}


def create_solution_version(
    store: Store, request: "CreateSolutionVersionRequestTypeDef"
) -> dict[str, object]:
    """Start a training that a caller asks for. `start_training` also starts automatic ones."""
    solution = store.get(Solution, request["solutionArn"])
    version = start_training(
        store,
        solution,
        name=request.get("name"),
        mode=request.get("trainingMode", "FULL"),
        tags=tags_of(request.get("tags", ())),
    )
    return {"solutionVersionArn": version.arn}


def start_training(
    store: Store,
    solution: Solution,
    *,
    name: str | None = None,
    mode: str = "FULL",
    tags: Mapping[str, str] | None = None,
    automatic: bool = False,
) -> SolutionVersion:
    """Start a training and return the new version.

    The training uses the rows that the dataset has when the version becomes IN_PROGRESS.

    Raises:
        ApiError: A rule does not allow the training.
    """
    rules.check_is_active(store, solution)
    rules.check_version_name_is_free(store, solution, name)
    rules.check_training_mode(store, solution, mode)
    dataset = _training_dataset(store, solution)
    rules.check_is_active(store, dataset)
    rules.check_is_not_importing(store, dataset)
    if solution.recipe.method == "words":
        rules.check_items_have_texts(dataset)
    rules.check_training_quota(store)
    arn = f"{solution.arn}/{_version_id(solution)}"
    details = {key: solution.details[key] for key in SHARED_FIELDS if key in solution.details}
    details |= {
        "solutionVersionArn": arn,
        "solutionArn": solution.arn,
        "name": name,
        "solutionConfig": solution.details.get("solutionConfig"),
        "trainingMode": mode,
        "trainingType": "AUTOMATIC" if automatic else "MANUAL",
    }

    def take_data() -> None:
        rules.check_update_has_new_data(store, version)
        version.data, version.data_time = dataset.table, store.now
        datasets = store.all(Dataset, solution.group_arn)
        version.learned = {dataset.arn: dataset.imports for dataset in datasets}

    def train() -> None:
        _train(version)
        campaigns.follow_latest(store, solution)

    fault_names = [solution.arn, solution.group_arn]
    if name is not None:
        fault_names.append(name)
    version = SolutionVersion(
        arn=arn,
        details=details,
        timeline=store.start_job(
            "solution-version", arn, *fault_names, on_progress=take_data, on_end=train
        ),
        belongs_to=(solution.arn, solution.group_arn),
        tags=dict(tags or {}),
        solution=solution,
    )
    solution.versions.append(version)
    return store.add(version)


def stop_solution_version_creation(
    store: Store, request: "StopSolutionVersionCreationRequestTypeDef"
) -> dict[str, object]:
    """Stop a training. If it is IN_PROGRESS it becomes CREATE STOPPING before CREATE STOPPED."""
    version = store.get(SolutionVersion, request["solutionVersionArn"])
    rules.check_can_be_stopped(store, version)
    version.timeline.stop(store.now, store.duration("stop", version.arn).total)
    return {}


def get_solution_metrics(
    store: Store, request: "GetSolutionMetricsRequestTypeDef"
) -> dict[str, object]:
    """Return the metrics of an ACTIVE version. `training.evaluate` explains them."""
    version = store.get(SolutionVersion, request["solutionVersionArn"])
    rules.check_is_active(store, version)
    assert version.model is not None, "an ACTIVE version has been trained"
    return {"solutionVersionArn": version.arn, "metrics": version.model.metrics}


def _begin_automatic_training(store: Store, solution: Solution) -> None:
    """Plan the automatic trainings of a solution that, or whose update, is ACTIVE."""
    automatic_training.begin(
        store, solution, lambda: start_training(store, solution, automatic=True)
    )


def _recipe(store: Store, arn: str | None) -> Recipe:
    """Return the recipe with an ARN. Raise ApiError if it is missing or unknown."""
    if arn is None:
        raise invalid_input("recipeArn is missing; this emulator does not perform AutoML")
    for recipe in RECIPES:
        if recipe.arn(store.partition) == arn:
            return recipe
    raise not_found(arn)


def _training_dataset(store: Store, solution: Solution) -> Dataset:
    """Return the dataset that the recipe learns from. Raise ApiError if the group lacks it."""
    for dataset in store.all(Dataset, solution.group_arn):
        if dataset.type == solution.recipe.data:
            return dataset
    raise invalid_input(
        f"Dataset group {solution.group_arn} has no {solution.recipe.data} dataset to train on"
    )


def _version_id(solution: Solution) -> str:
    """Return the id of the next version of a solution, which is 8 hexadecimal digits.

    The same history of calls gives the same ids.
    """
    text = f"{solution.arn} {solution.timeline.created.isoformat()} {len(solution.versions)}"
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _train(version: SolutionVersion) -> None:
    """Train the model of a version on `version.data`, and drop the data.

    Raises:
        JobFailed: There are too few interactions, or no items, to train on.
    """
    # numpy and implicit take long to import, and only trainings need them.
    from emulator.personalize.training import train  # noqa: PLC0415

    event_type = version.details.get("eventType")
    data = version.data
    if event_type is not None:
        data = data.where("EVENT_TYPE", event_type)
    if version.solution.recipe.method == "words":
        rules.check_has_items(data)
    else:
        rules.check_enough_to_train(data, None if event_type is None else str(event_type))
    version.model = train(data, version.solution.recipe)
    version.data = Table()
