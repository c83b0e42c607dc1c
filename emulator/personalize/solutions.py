"""Solutions and their versions: configuring, training, stopping, metrics."""

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from emulator.personalize import campaigns, rules
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

# Fields of a solution that its versions show too.
SHARED = ("performHPO", "performAutoML", "recipeArn", "eventType", "datasetGroupArn")
EVERY_WEEK = {"schedulingExpression": "rate(7 days)"}


def create_solution(store: Store, request: "CreateSolutionRequestTypeDef") -> dict[str, object]:
    """A recipe with its configuration; training by itself every 7 days is the default."""
    group = store.get(DatasetGroup, request["datasetGroupArn"])
    rules.must_be_active(store, group)
    recipe = _recipe(store, request.get("recipeArn"))
    arn = store.arn("solution", request["name"])
    rules.name_is_free(store, arn)
    rules.solution_quota(store, group.arn)
    details: dict[str, object] = {
        "solutionArn": arn,
        "performHPO": False,
        "performAutoML": False,
        "performAutoTraining": True,
        **request,
    }
    if details["performAutoTraining"]:
        given = cast("Mapping[str, object]", request.get("solutionConfig", {}))
        details["solutionConfig"] = {"autoTrainingConfig": EVERY_WEEK, **given}
    tags = tags_of(request.get("tags", ()))
    store.add(
        Solution(
            arn=arn,
            details=details,
            timeline=store.start("solution", arn, request["name"], group.arn),
            belongs_to=(group.arn,),
            tags=tags,
            recipe=recipe,
            group_arn=group.arn,
        )
    )
    return {"solutionArn": arn}


def update_solution(store: Store, request: "UpdateSolutionRequestTypeDef") -> dict[str, object]:
    """Change the automatic training; in force when the update is ACTIVE."""
    solution = store.get(Solution, request["solutionArn"])
    rules.can_be_updated(store, solution)
    given = cast("Mapping[str, object]", request.get("solutionUpdateConfig", {}))
    before = solution.settings(store.now)
    config = {**cast("Mapping[str, object]", before.get("solutionConfig", {})), **given}
    details = {**before, **request, "solutionConfig": config}
    line = store.start("solution-update", solution.arn, str(solution.details["name"]))
    solution.changes.append(Change(details, line, store.now))
    store.schedule(line)
    return {"solutionArn": solution.arn}


def delete_solution(store: Store, request: "DeleteSolutionRequestTypeDef") -> dict[str, object]:
    """Deletes all versions too; not while a campaign uses it or a training is under way."""
    solution = store.get(Solution, request["solutionArn"])
    trainings = [v for v in solution.versions if v.under_way(store.now)]
    rules.can_be_deleted(store, solution, [*store.all(Campaign, solution.arn), *trainings])
    store.delete(solution, *solution.versions)
    return {}


def create_solution_version(
    store: Store, request: "CreateSolutionVersionRequestTypeDef"
) -> dict[str, object]:
    """Start a training by hand."""
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
    """A new version: it takes the data as they are when it comes into progress."""
    rules.must_be_active(store, solution)
    rules.version_name_is_free(store, solution, name)
    rules.update_needs_full_version(store, solution, mode)
    data = _training_data(store, solution)
    rules.must_be_active(store, data)
    rules.training_quota(store)
    arn = f"{solution.arn}/{_version_id(solution)}"
    details = {key: solution.details[key] for key in SHARED if key in solution.details}
    details |= {
        "solutionVersionArn": arn,
        "solutionArn": solution.arn,
        "name": name,
        "solutionConfig": solution.details.get("solutionConfig"),
        "trainingMode": mode,
        "trainingType": "AUTOMATIC" if automatic else "MANUAL",
    }

    def begin() -> None:
        version.data = data.table

    def end() -> None:
        _train(version)
        campaigns.follow_latest(store, solution)

    names = [n for n in (name, solution.arn, solution.group_arn) if n is not None]
    line = store.start("solution-version", arn, *names, begin=begin, end=end)
    version = SolutionVersion(
        arn=arn,
        details=details,
        timeline=line,
        belongs_to=(solution.arn, solution.group_arn),
        tags=dict(tags or {}),
        solution=solution,
    )
    solution.versions.append(version)
    return store.add(version)


def stop_solution_version_creation(
    store: Store, request: "StopSolutionVersionCreationRequestTypeDef"
) -> dict[str, object]:
    """Stop a training: CREATE STOPPING, then CREATE STOPPED; at once while it is pending."""
    version = store.get(SolutionVersion, request["solutionVersionArn"])
    rules.can_be_stopped(store, version)
    version.timeline.stop(store.now, store.duration("stop", version.arn).total)
    return {}


def get_solution_metrics(
    store: Store, request: "GetSolutionMetricsRequestTypeDef"
) -> dict[str, object]:
    """How well the version foresaw the last interactions of users that it was not trained on."""
    version = store.get(SolutionVersion, request["solutionVersionArn"])
    rules.metrics_need_active_version(store, version)
    assert version.model is not None, "an ACTIVE version has been trained"
    return {"solutionVersionArn": version.arn, "metrics": version.model.metrics}


def _recipe(store: Store, arn: str | None) -> Recipe:
    if arn is None:
        raise invalid_input("recipeArn is missing; this emulator does not perform AutoML")
    for recipe in RECIPES:
        if recipe.arn(store.partition) == arn:
            return recipe
    raise not_found(arn)


def _training_data(store: Store, solution: Solution) -> Dataset:
    for dataset in store.all(Dataset, solution.group_arn):
        if dataset.type == solution.recipe.data:
            return dataset
    raise invalid_input(
        f"Dataset group {solution.group_arn} has no {solution.recipe.data} dataset to train on"
    )


def _version_id(solution: Solution) -> str:
    """8 hexadecimal digits of the service's; here they follow from the version's number."""
    text = f"{solution.arn} {solution.timeline.created.isoformat()} {len(solution.versions)}"
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _train(version: SolutionVersion) -> None:
    from emulator.personalize.training import train  # noqa: PLC0415 - numpy and implicit only where a model is trained

    event_type = version.details.get("eventType")
    data = version.data
    if event_type is not None:
        data = data.where("EVENT_TYPE", event_type)
    rules.enough_to_train(data, None if event_type is None else str(event_type))
    version.model = train(data, version.solution.recipe)
    version.data = Table()
