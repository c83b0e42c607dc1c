"""The rules of the service, one function each. A broken rule raises the error of the service.

A rule of a call raises ApiError, and a rule of a running job raises JobFailed. Sources that are
not named are the developer guide and the API reference of Amazon Personalize. The quotas of the
guide's "Amazon Personalize endpoints and quotas" are here and in the classes of the resources.
"""

import json
from collections import Counter
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from emulator.personalize.errors import (
    ApiError,
    JobFailed,
    already_exists,
    in_use,
    invalid_input,
    limit_exceeded,
)
from emulator.personalize.resources import (
    Changeable,
    Dataset,
    EventTracker,
    ImportJob,
    Resource,
    Solution,
    SolutionVersion,
)
from emulator.personalize.store import Store
from emulator.personalize.tables import REQUIRED_FIELDS, RowSchema, Table

TAGS_PER_RESOURCE = 50
MIN_INTERACTIONS = 1000
MIN_USERS = 25
MIN_INTERACTIONS_PER_USER = 2
MAX_INCREMENTAL_BYTES = 10**9
NEVER = datetime.min.replace(tzinfo=UTC)


# All resources


def check_name_is_free(store: Store, arn: str) -> None:
    """Raise ApiError if the account and region already have a resource with this ARN."""
    if arn in store:
        raise already_exists(arn)


def check_quotas(store: Store, kind: type[Resource], group_arn: str | None) -> None:
    """Raise ApiError if the region or the dataset group cannot have one more resource of a kind.

    `group_arn` is the dataset group that the quota is for, or None for a quota of the region.
    """
    if len(store.all(kind, group_arn)) >= kind.quota:
        raise limit_exceeded(
            f"More than {kind.quota} resources in ACTIVE state. Please delete some and try again."
        )
    unfinished = [resource for resource in store.all(kind) if resource.is_unfinished(store.now)]
    if len(unfinished) >= kind.unfinished_quota:
        raise limit_exceeded(
            f"More than {kind.unfinished_quota} resources with PENDING or IN_PROGRESS status"
        )


def check_is_active(store: Store, resource: Resource) -> None:
    """Raise ApiError if a resource is not ACTIVE.

    The code is ResourceInUseException while the resource is unfinished, and InvalidInputException
    when it has failed.
    """
    if resource.is_active(store.now):
        return
    message = f"Resource {resource.arn} is not ACTIVE, its status is {resource.status(store.now)}"
    raise in_use(message) if resource.is_unfinished(store.now) else invalid_input(message)


def check_can_be_updated(store: Store, resource: Changeable) -> None:
    """Raise ApiError if a resource has an unfinished update, or a status that forbids updates."""
    status = resource.status(store.now)
    if status not in ("ACTIVE", "CREATE FAILED"):
        raise in_use(f"Resource {resource.arn} cannot be updated, its status is {status}")
    if resource.is_changing(store.now):
        raise in_use(f"Resource {resource.arn} is being updated")


def check_can_be_deleted(store: Store, resource: Resource, users: Collection[Resource]) -> None:
    """Raise ApiError if a resource is unfinished, is being deleted or has a user."""
    status = resource.status(store.now)
    if resource.is_unfinished(store.now) or status.startswith("DELETE"):
        raise in_use(f"Resource {resource.arn} cannot be deleted, its status is {status}")
    for user in users:
        raise in_use(f"Resource {resource.arn} is in use by {user.arn}")


def check_tags(tags: Mapping[str, str]) -> None:
    """Raise ApiError if a resource has more than 50 tags, or a key that AWS reserves for itself."""
    for key in tags:
        if key.lower().startswith("aws:"):
            raise invalid_input(f"Tag keys must not start with aws: {key}")
    if len(tags) > TAGS_PER_RESOURCE:
        raise ApiError(
            "TooManyTagsException", f"A resource can have at most {TAGS_PER_RESOURCE} tags"
        )


# Datasets and event trackers


def check_schema_fields(dataset_type: str, schema: RowSchema) -> None:
    """Raise ApiError if the type is unknown, or if the schema lacks a field that it needs."""
    if dataset_type not in REQUIRED_FIELDS:
        known = ", ".join(REQUIRED_FIELDS)
        raise invalid_input(f"Invalid dataset type {dataset_type}; it must be one of {known}")
    if missing := [name for name in REQUIRED_FIELDS[dataset_type] if name not in schema.names]:
        raise invalid_input(
            f"Schema of the {dataset_type} dataset is missing the fields: [{', '.join(missing)}]"
        )


def check_has_no_tracker(store: Store, group_arn: str) -> None:
    """Raise ApiError if the dataset group already has an event tracker. It can have only one."""
    for tracker in store.all(EventTracker, group_arn):
        raise already_exists(tracker.arn)


# Import jobs


class S3Location(NamedTuple):
    """The bucket, and the key of one object or a prefix that ends in "/"."""

    bucket: str
    key: str


def parse_location(location: str) -> S3Location:
    """Return the bucket and the key of a data location like `s3://bucket/key`.

    Raises:
        ApiError: InvalidInputException for any other text.
    """
    scheme, _, path = location.partition("://")
    bucket, _, key = path.partition("/")
    if scheme != "s3" or not bucket:
        raise invalid_input("Invalid Data location.")
    return S3Location(bucket, key)


def check_full_import_exists(store: Store, dataset: Dataset, mode: str) -> None:
    """Raise ApiError if the mode is INCREMENTAL and the dataset has no ACTIVE FULL import job."""
    has_full_import = any(
        job.details["importMode"] == "FULL" and job.is_active(store.now)
        for job in store.all(ImportJob, dataset.arn)
    )
    if mode == "INCREMENTAL" and not has_full_import:
        raise invalid_input(
            f"Dataset {dataset.arn} has no bulk data; import with importMode FULL first"
        )


def check_enough_to_import(dataset: Dataset, mode: str, records: int) -> None:
    """Raise JobFailed if an import job has fewer than 1,000 interactions.

    The rule is for item interactions in either mode, and for action interactions that are added
    with INCREMENTAL. Datasets of other types have no minimum.
    """
    added = (dataset.type, mode) == ("ACTION_INTERACTIONS", "INCREMENTAL")
    if (dataset.type == "INTERACTIONS" or added) and records < MIN_INTERACTIONS:
        raise JobFailed(
            f"Dataset import job has {records} interactions, fewer than {MIN_INTERACTIONS}"
        )


def check_incremental_size(mode: str, total_bytes: int) -> None:
    """Raise JobFailed if the mode is INCREMENTAL and the files have more than 1 GB in total."""
    if mode == "INCREMENTAL" and total_bytes > MAX_INCREMENTAL_BYTES:
        raise JobFailed(f"Incremental dataset import job has {total_bytes} bytes, more than 1 GB")


# Solutions and solution versions


def check_version_name_is_free(store: Store, solution: Solution, name: str | None) -> None:
    """Raise ApiError if a version of the solution already has this name.

    This rule holds only if the switch `unique_version_names` is on. `name` is None for a version
    without a name.
    """
    if name is None or not store.options.switches.unique_version_names:
        return
    for version in solution.versions:
        if version.details.get("name") == name:
            raise already_exists(version.arn)


def check_training_mode(store: Store, solution: Solution, mode: str) -> None:
    """Raise ApiError if the mode is UPDATE and the solution cannot be trained in this mode.

    The recipe must support it, and an ACTIVE version must have been trained in the mode FULL.
    """
    if mode != "UPDATE":
        return
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


def check_items_have_texts(dataset: Dataset) -> None:
    """Raise ApiError if the schema of the items lacks what aws-semantic-similarity compares.

    It needs one string field with `itemName` and at least one with `textual` (guide,
    "Semantic-Similarity recipe").
    """
    schema = json.loads(str(dataset.schema.details["schema"]))
    for attribute in ("itemName", "textual"):
        if not any(entry.get(attribute) is True for entry in schema["fields"]):
            raise invalid_input(
                f"The schema of {dataset.arn} has no field with {attribute}: true, which the recipe"
                " aws-semantic-similarity needs"
            )


def check_has_items(data: Table) -> None:
    """Raise JobFailed if a dataset of items is empty."""
    if not len(data):
        raise JobFailed("Dataset has no items")


def check_update_has_new_data(store: Store, version: SolutionVersion) -> None:
    """Raise JobFailed if the mode is UPDATE and no dataset was updated since the last training.

    Trainings that failed or were stopped do not count. An ACTIVE event tracker stands for
    interactions that arrive all the time. New items are new data, because the training processes
    the "new items added to the items dataset": https://stackoverflow.com/questions/69294232. The
    switch `update_needs_new_data` turns this rule off.
    """
    is_update = version.details["trainingMode"] == "UPDATE"
    if not is_update or not store.options.switches.update_needs_new_data:
        return
    group_arn = version.solution.group_arn
    learned = [
        other.data_time
        for other in version.solution.versions
        if other.data_time and (other.is_active(store.now) or other.is_unfinished(store.now))
    ]
    imported = [
        job.timeline.moment_at(store.now).time
        for dataset in store.all(Dataset, group_arn)
        for job in store.all(ImportJob, dataset.arn)
        if job.is_active(store.now)
    ]
    has_events = any(tracker.is_active(store.now) for tracker in store.all(EventTracker, group_arn))
    if not has_events and max(imported, default=NEVER) <= max(learned, default=NEVER):
        raise JobFailed("There are no updates to a dataset since the last training")


def check_enough_to_train(data: Table, event_type: str | None) -> None:
    """Raise JobFailed if there are too few interactions, or too few users with at least two.

    `event_type` is the filter of the solution, or None. It is only for the message.
    """
    if len(data) < MIN_INTERACTIONS:
        suffix = f" after filtering by event type: {event_type}" if event_type else ""
        raise JobFailed(f"Dataset has fewer than {MIN_INTERACTIONS} interactions{suffix}")
    interactions_by_user = Counter(data.column("USER_ID"))
    returning_users = sum(
        interactions >= MIN_INTERACTIONS_PER_USER for interactions in interactions_by_user.values()
    )
    if returning_users < MIN_USERS:
        raise JobFailed(
            f"Dataset has fewer than {MIN_USERS} users with at least"
            f" {MIN_INTERACTIONS_PER_USER} interactions each"
        )


def check_can_be_stopped(store: Store, version: SolutionVersion) -> None:
    """Raise ApiError if a training is neither pending nor in progress."""
    status = version.status(store.now)
    if not version.is_unfinished(store.now) or status == "CREATE STOPPING":
        raise invalid_input(f"Solution version {version.arn} is {status} and cannot be stopped")


# Campaigns


def check_recipe_has_campaigns(solution: Solution) -> None:
    """Raise ApiError if the recipe computes user segments, which have no campaigns."""
    if solution.recipe.type == "USER_SEGMENTATION":
        raise invalid_input(f"The recipe {solution.recipe.name} does not support campaigns")


def check_exploration(config: Mapping[str, Any]) -> None:
    """Raise ApiError if an UpdateCampaign has an empty itemExplorationConfig.

    Describe may return such a configuration. `validate` refuses a minProvisionedTPS below 1.
    """
    if config.get("itemExplorationConfig") == {}:
        raise invalid_input("itemExplorationConfig must not be empty")


def check_sync_is_turned_off(config: Mapping[str, Any], version_arn: str | None) -> None:
    """Raise ApiError if an UpdateCampaign turns off syncWithLatestSolutionVersion by half.

    One request must have the ARN of one version and the value false (guide, "Updating a campaign").
    """
    if config.get("syncWithLatestSolutionVersion") is not False or version_arn is None:
        raise invalid_input(
            "syncWithLatestSolutionVersion is turned off by one request with"
            " syncWithLatestSolutionVersion: false and the ARN of a solution version"
        )


def check_sync_and_latest(version_arn: str, *, sync: bool) -> None:
    """Raise ApiError if a request has only one of `$LATEST` and syncWithLatestSolutionVersion.

    `version_arn` ends in `/$LATEST`, or is the ARN of one version. `sync` is the value of
    syncWithLatestSolutionVersion.
    """
    is_latest = version_arn.endswith("/$LATEST")
    if sync and not is_latest:
        raise invalid_input(
            "syncWithLatestSolutionVersion needs solutionVersionArn in SolutionArn/$LATEST format"
        )
    if is_latest and not sync:
        raise invalid_input("$LATEST needs syncWithLatestSolutionVersion to be true")
