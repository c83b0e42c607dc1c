"""The operations on recommenders: create, stop and start.

Not emulated: the retraining every 7 days, because nothing that the API shows is documented to
change with it, and requests for recommendations.
"""

from functools import partial

from emulator.personalize.datasets import find_dataset
from emulator.personalize.errors import in_use, invalid_input
from emulator.personalize.lifecycle import create_resource, find_active
from emulator.personalize.recipes import USE_CASES, Recipe
from emulator.personalize.resources import Dataset, DatasetGroup, Recommender
from emulator.personalize.solution_versions import check_enough_data
from emulator.personalize.store import Request, Store


def create_recommender(store: Store, request: Request) -> Recommender:
    """Create a recommender, which trains its model on the group's interactions."""
    group = find_active(store, DatasetGroup, request["datasetGroupArn"])
    recipe = _find_use_case(group, request["recipeArn"])
    dataset = find_dataset(store, group.arn, "INTERACTIONS")
    if dataset is None:
        raise invalid_input(f"Dataset group {group.arn} has no INTERACTIONS dataset to train on")

    recommender = create_resource(store, Recommender, request, parent_arns=[dataset.arn, group.arn])
    recommender.timeline.on_active(partial(_train, recommender, dataset, recipe))
    return recommender


def _find_use_case(group: DatasetGroup, recipe_arn: str) -> Recipe:
    """Look up the recipe of a use case, and reject one that the group's domain doesn't have."""
    for recipe in USE_CASES.get(group.details.get("domain", ""), ()):
        if recipe.arn == recipe_arn:
            return recipe
    raise invalid_input(f"{recipe_arn} is not a use case of the domain of {group.arn}")


def _train(recommender: Recommender, dataset: Dataset, recipe: Recipe) -> None:
    """Train and evaluate the model, of which only the metrics are kept."""
    # This import is slow because of numpy and implicit, so only trainings pay for it.
    from emulator.personalize.training import train  # noqa: PLC0415

    check_enough_data(dataset.table)
    recommender.details["modelMetrics"] = train(dataset.table, recipe).metrics


def stop_recommender(store: Store, request: Request) -> Recommender:
    """Stop an ACTIVE recommender, which keeps its model."""
    return _start_or_stop(store, request, "ACTIVE", verb="STOP", outcome="INACTIVE")


def start_recommender(store: Store, request: Request) -> Recommender:
    """Start an INACTIVE recommender with the model that it had."""
    return _start_or_stop(store, request, "INACTIVE", verb="START", outcome="ACTIVE")


def _start_or_stop(
    store: Store, request: Request, required_status: str, *, verb: str, outcome: str
) -> Recommender:
    """Start or stop a recommender, which takes a while. It must have the required status.

    `verb` names the statuses in the meantime, such as STOP PENDING, and `outcome` the one after.
    """
    recommender = store.get(Recommender, request["recommenderArn"])
    status = recommender.status(store.now)
    if status != required_status:
        raise in_use(f"Resource {recommender.arn} is {status}, but must be {required_status}")

    job = store.start_job("recommender", recommender.arn, verb=verb, outcome=outcome)
    recommender.timeline.transitions += job.transitions
    return recommender
