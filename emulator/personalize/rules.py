"""The rules of the service, one function each. A broken rule raises the error of the service.

A rule of a call raises ApiError, and a rule of a running job raises JobFailed. Sources that are
not named are the developer guide and the API reference of Amazon Personalize.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from emulator.personalize.errors import (
    ApiError,
    JobFailed,
    already_exists,
    in_use,
    invalid_input,
    limit_exceeded,
)
from emulator.personalize.resources import (
    Campaign,
    Changeable,
    Dataset,
    DatasetGroup,
    EventTracker,
    ImportJob,
    Resource,
    Solution,
    SolutionVersion,
)
from emulator.personalize.store import Store
from emulator.personalize.tables import REQUIRED_FIELDS, RowSchema, Table

# Quotas: guide, "Amazon Personalize endpoints and quotas".
UNFINISHED_IMPORTS_PER_REGION = 5
UNFINISHED_VERSIONS_PER_REGION = 20
GROUPS_PER_REGION = 5
SOLUTIONS_PER_GROUP = 10
CAMPAIGNS_PER_GROUP = 5
TAGS_PER_RESOURCE = 50
MIN_INTERACTIONS = 1000
MIN_USERS = 25
MAX_INCREMENTAL_BYTES = 10**9


# All resources


def check_name_is_free(store: Store, arn: str) -> None:
    """Raise if the account and region already have a resource with this ARN."""
    if arn in store:
        raise already_exists(arn)


def check_is_active(store: Store, resource: Resource) -> None:
    """Raise if a resource is not ACTIVE.

    The error is ResourceInUse while the resource is unfinished, and InvalidInput after it failed.
    """
    if resource.is_active(store.now):
        return
    message = f"Resource {resource.arn} is not ACTIVE, its status is {resource.status(store.now)}"
    raise in_use(message) if resource.is_unfinished(store.now) else invalid_input(message)


def check_can_be_updated(store: Store, resource: Changeable) -> None:
    """Raise if a resource is neither ACTIVE nor CREATE FAILED, or has an unfinished update."""
    status = resource.status(store.now)
    if status not in ("ACTIVE", "CREATE FAILED"):
        raise in_use(f"Resource {resource.arn} cannot be updated, its status is {status}")
    if resource.is_changing(store.now):
        raise in_use(f"Resource {resource.arn} is being updated")


def check_can_be_deleted(store: Store, resource: Resource, dependants: Sequence[Resource]) -> None:
    """Raise if a resource is unfinished or being deleted, or if there is a dependant."""
    status = resource.status(store.now)
    if resource.is_unfinished(store.now) or status.startswith("DELETE"):
        raise in_use(f"Resource {resource.arn} cannot be deleted, its status is {status}")
    for dependant in dependants:
        raise in_use(f"Resource {resource.arn} is in use by {dependant.arn}")


def check_number_of_tags(tags: Mapping[str, str]) -> None:
    """Raise if a resource has more than 50 tags."""
    if len(tags) > TAGS_PER_RESOURCE:
        raise ApiError(
            "TooManyTagsException", f"A resource can have at most {TAGS_PER_RESOURCE} tags"
        )


def check_tag_keys(keys: Iterable[str]) -> None:
    """Raise if a key begins with `aws:`, which AWS reserves for itself."""
    for key in keys:
        if key.lower().startswith("aws:"):
            raise invalid_input(f"Tag keys must not start with aws: {key}")


# Quotas


def check_group_quota(store: Store) -> None:
    """Raise if the region already has 5 dataset groups."""
    _check_quota(GROUPS_PER_REGION, store.all(DatasetGroup))


def check_solution_quota(store: Store, group_arn: str) -> None:
    """Raise if the dataset group already has 10 solutions."""
    _check_quota(SOLUTIONS_PER_GROUP, store.all(Solution, group_arn))


def check_campaign_quota(store: Store, group_arn: str) -> None:
    """Raise if the dataset group already has 5 campaigns."""
    _check_quota(CAMPAIGNS_PER_GROUP, store.all(Campaign, group_arn))


def check_import_quota(store: Store) -> None:
    """Raise if 5 import jobs are pending or in progress in the region."""
    _check_unfinished_quota(store, UNFINISHED_IMPORTS_PER_REGION, store.all(ImportJob))


def check_training_quota(store: Store) -> None:
    """Raise if 20 solution versions are pending or in progress in the region."""
    _check_unfinished_quota(store, UNFINISHED_VERSIONS_PER_REGION, store.all(SolutionVersion))


def _check_quota(quota: int, resources: Sequence[Resource]) -> None:
    if len(resources) >= quota:
        raise limit_exceeded(
            f"More than {quota} resources in ACTIVE state. Please delete some and try again."
        )


def _check_unfinished_quota(store: Store, quota: int, resources: Iterable[Resource]) -> None:
    if sum(resource.is_unfinished(store.now) for resource in resources) >= quota:
        raise limit_exceeded(f"More than {quota} resources with PENDING or IN_PROGRESS status")


# Datasets and event trackers


def check_schema_fields(dataset_type: str, schema: RowSchema) -> None:
    """Raise if the type of dataset is unknown, or if the schema lacks a field that it needs."""
    if dataset_type not in REQUIRED_FIELDS:
        known = ", ".join(REQUIRED_FIELDS)
        raise invalid_input(f"Invalid dataset type {dataset_type}; it must be one of {known}")
    if missing := [name for name in REQUIRED_FIELDS[dataset_type] if name not in schema.names]:
        raise invalid_input(
            f"Schema of the {dataset_type} dataset is missing the fields: [{', '.join(missing)}]"
        )


def check_has_no_tracker(store: Store, group_arn: str) -> None:
    """Raise if the dataset group already has an event tracker. It can have only one."""
    for tracker in store.all(EventTracker, group_arn):
        raise already_exists(tracker.arn)


# Import jobs


class S3Location(NamedTuple):
    """The bucket, and the key of one object or a prefix that ends in "/"."""

    bucket: str
    key: str


def parse_location(location: str) -> S3Location:
    """Return the parts of a data location. Raise if it is not like `s3://bucket/key`."""
    scheme, _, path = location.partition("://")
    bucket, _, key = path.partition("/")
    if scheme != "s3" or not bucket:
        raise invalid_input("Invalid Data location.")
    return S3Location(bucket, key)


def check_full_import_exists(store: Store, dataset: Dataset, mode: str) -> None:
    """Raise for an INCREMENTAL import into a dataset without an ACTIVE FULL import."""
    full_imports = [
        job
        for job in store.all(ImportJob, dataset.arn)
        if job.details["importMode"] == "FULL" and job.is_active(store.now)
    ]
    if mode == "INCREMENTAL" and not full_imports:
        raise invalid_input(
            f"Dataset {dataset.arn} has no bulk data; import with importMode FULL first"
        )


def check_enough_to_import(dataset: Dataset, records: int) -> None:
    """Raise if an import job of either mode has fewer than 1,000 interactions."""
    if dataset.type == "INTERACTIONS" and records < MIN_INTERACTIONS:
        raise JobFailed(
            f"Dataset import job has {records} interactions, fewer than {MIN_INTERACTIONS}"
        )


def check_incremental_size(mode: str, size: int) -> None:
    """Raise if an INCREMENTAL import job has more than 1 GB. `size` is in bytes."""
    if mode == "INCREMENTAL" and size > MAX_INCREMENTAL_BYTES:
        raise JobFailed(f"Incremental dataset import job has {size} bytes, more than 1 GB")


# Solutions and solution versions


def check_version_name_is_free(store: Store, solution: Solution, name: str | None) -> None:
    """Raise if the solution has a version with this name and the switch forbids it."""
    if name is None or not store.options.switches.unique_version_names:
        return
    for version in solution.versions:
        if version.details.get("name") == name:
            raise already_exists(version.arn)


def check_update_is_possible(store: Store, solution: Solution, mode: str) -> None:
    """Raise for an UPDATE training without an ACTIVE FULL version, or with another recipe."""
    if mode != "UPDATE":
        return
    if not solution.recipe.updatable:
        raise invalid_input(
            f"Training mode UPDATE is not supported by the recipe {solution.recipe.name}"
        )
    full_versions = [
        version
        for version in solution.versions
        if version.is_active(store.now) and version.details["trainingMode"] == "FULL"
    ]
    if not full_versions:
        raise invalid_input(
            f"Training mode UPDATE needs an ACTIVE solution version of {solution.arn} "
            "that was trained with mode FULL"
        )


def check_enough_to_train(data: Table, event_type: str | None) -> None:
    """Raise if there are fewer than 1,000 interactions, or 25 users with at least 2 each."""
    if len(data) < MIN_INTERACTIONS:
        suffix = f" after filtering by event type: {event_type}" if event_type else ""
        raise JobFailed(f"Dataset has fewer than {MIN_INTERACTIONS} interactions{suffix}")
    once: set[object] = set()
    twice: set[object] = set()
    for user in data.column("USER_ID"):
        (twice if user in once else once).add(user)
    if len(twice) < MIN_USERS:
        raise JobFailed(
            f"Dataset has fewer than {MIN_USERS} users with at least 2 interactions each"
        )


def check_can_be_stopped(store: Store, version: SolutionVersion) -> None:
    """Raise if a training is neither pending nor in progress."""
    status = version.status(store.now)
    if not version.is_unfinished(store.now) or status == "CREATE STOPPING":
        raise invalid_input(f"Solution version {version.arn} is {status} and cannot be stopped")


# Campaigns


def check_recipe_has_campaigns(solution: Solution) -> None:
    """Raise for recipes of user segments, which are computed in batches only."""
    if solution.recipe.type == "USER_SEGMENTATION":
        raise invalid_input(f"The recipe {solution.recipe.name} does not support campaigns")


def check_sync_and_latest(version_arn: str | None, *, sync: bool) -> None:
    """Raise if only one of syncWithLatestSolutionVersion and `<solution>/$LATEST` is given."""
    is_latest = version_arn is not None and version_arn.endswith("/$LATEST")
    if sync and version_arn is not None and not is_latest:
        raise invalid_input(
            "syncWithLatestSolutionVersion needs solutionVersionArn in SolutionArn/$LATEST format"
        )
    if is_latest and not sync:
        raise invalid_input("$LATEST needs syncWithLatestSolutionVersion to be true")
