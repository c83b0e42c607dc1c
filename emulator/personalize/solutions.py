"""The operations on solutions and their versions: configure, train, stop, read metrics."""

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from emulator.personalize import campaigns, rules
from emulator.personalize.errors import invalid_input, not_found
from emulator.personalize.lifecycle import create, update
from emulator.personalize.recipes import RECIPES, Recipe
from emulator.personalize.resources import Dataset, DatasetGroup, Solution, SolutionVersion
from emulator.personalize.store import Store
from emulator.personalize.tables import Table

if TYPE_CHECKING:
    import mypy_boto3_personalize.type_defs as t

# The fields of a solution that its versions show too.
SHARED_FIELDS = (
    *("performHPO", "performAutoML", "recipeArn", "eventType", "datasetGroupArn"),
    *("solutionArn", "solutionConfig"),
)
DEFAULTS = {"performHPO": False, "performAutoML": False, "performAutoTraining": True}
EVERY_WEEK = {"autoTrainingConfig": {"schedulingExpression": "rate(7 days)"}}


def create_solution(store: Store, request: "t.CreateSolutionRequestTypeDef") -> dict[str, object]:
    """Create a solution. By default it has automatic training every 7 days, as in the service.

    The emulator starts no training by itself.
    """
    group = store.get(DatasetGroup, request["datasetGroupArn"])
    rules.check_is_active(store, group)
    details: dict[str, Any] = {**DEFAULTS, **request}
    if details["performAutoTraining"]:
        details["solutionConfig"] = {**EVERY_WEEK, **details.get("solutionConfig", {})}
    solution = create(
        store,
        Solution,
        details,
        belongs_to=[group.arn],
        fields={"recipe": _recipe(store, request.get("recipeArn")), "group_arn": group.arn},
    )
    return {"solutionArn": solution.arn}


def update_solution(store: Store, request: "t.UpdateSolutionRequestTypeDef") -> dict[str, object]:
    """Start an update of a solution. Its settings are in force when the update is ACTIVE."""
    solution = store.get(Solution, request["solutionArn"])
    rules.check_can_be_updated(store, solution)
    settings: dict[str, Any] = {**solution.settings(store.now), **request}
    changed_config = settings.get("solutionUpdateConfig", {})
    settings["solutionConfig"] = {**settings.get("solutionConfig", {}), **changed_config}
    update(store, solution, settings)
    return {"solutionArn": solution.arn}


def create_solution_version(
    store: Store, request: "t.CreateSolutionVersionRequestTypeDef"
) -> dict[str, object]:
    """Start a training that a caller asks for."""
    solution = store.get(Solution, request["solutionArn"])
    version = start_training(store, solution, request, training_type="MANUAL")
    return {"solutionVersionArn": version.arn}


def start_training(
    store: Store, solution: Solution, request: Mapping[str, Any], *, training_type: str
) -> SolutionVersion:
    """Start a training and return the new version.

    The training uses the rows that the dataset has when the version becomes IN_PROGRESS. The
    request is that of CreateSolutionVersion, or empty for an automatic training.

    Raises:
        ApiError: A rule does not allow the training.
    """
    mode = request.get("trainingMode", "FULL")
    rules.check_is_active(store, solution)
    rules.check_version_name_is_free(store, solution, request.get("name"))
    rules.check_training_mode(store, solution, mode)
    dataset = _training_dataset(store, solution)
    rules.check_is_active(store, dataset)
    if solution.recipe.method == "words":
        rules.check_items_have_texts(dataset)

    def take_data() -> None:
        rules.check_update_has_new_data(store, version)
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
        fields={"solution": solution},
        on_progress=take_data,
        on_end=train,
    )
    solution.versions.append(version)
    return version


def stop_solution_version_creation(
    store: Store, request: "t.StopSolutionVersionCreationRequestTypeDef"
) -> None:
    """Stop a training. If it is IN_PROGRESS it becomes CREATE STOPPING before CREATE STOPPED."""
    version = store.get(SolutionVersion, request["solutionVersionArn"])
    rules.check_can_be_stopped(store, version)
    version.timeline.stop(store.now, store.duration("stop", version.arn).total)


def get_solution_metrics(
    store: Store, request: "t.GetSolutionMetricsRequestTypeDef"
) -> dict[str, object]:
    """Return the metrics of an ACTIVE version. `training.evaluate` explains them."""
    version = store.get(SolutionVersion, request["solutionVersionArn"])
    rules.check_is_active(store, version)
    assert version.model is not None, "an ACTIVE version has been trained"
    return {"solutionVersionArn": version.arn, "metrics": version.model.metrics}


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
    """Train the model of a version on `version.data`, and drop the data. May raise JobFailed."""
    # numpy and implicit take long to import, and only trainings need them.
    from emulator.personalize.training import train  # noqa: PLC0415

    event_type = version.solution.details.get("eventType")
    data = version.data
    if event_type is not None:
        data = data.where("EVENT_TYPE", event_type)
    if version.solution.recipe.method == "words":
        rules.check_has_items(data)
    else:
        rules.check_enough_to_train(data, None if event_type is None else str(event_type))
    version.model = train(data, version.solution.recipe)
    version.data = Table()
