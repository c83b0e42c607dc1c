"""The rules of the service, one function each; every one raises what the service answers."""

from collections.abc import Iterable, Mapping, Sequence

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
IMPORTS_UNDER_WAY_PER_REGION = 5
VERSIONS_UNDER_WAY_PER_REGION = 20
GROUPS_PER_REGION = 5
SOLUTIONS_PER_GROUP = 10
CAMPAIGNS_PER_GROUP = 5
TAGS_PER_RESOURCE = 50
MIN_INTERACTIONS = 1000
MIN_USERS = 25
MAX_INCREMENTAL_BYTES = 10**9


def name_is_free(store: Store, arn: str) -> None:
    """Names are unique per account and region; an import job's name is spent for ever."""
    if arn in store:
        raise already_exists(arn)


def version_name_is_free(store: Store, solution: Solution, name: str | None) -> None:
    """Whether version names are unique within a solution is a switch."""
    if store.around.switches.unique_version_names and name is not None:
        for version in solution.versions:
            if version.details.get("name") == name:
                raise already_exists(version.arn)


def must_be_active(store: Store, resource: Resource) -> None:
    """Only ACTIVE resources can be used: those under way later, those that failed never."""
    if resource.active(store.now):
        return
    message = f"Resource {resource.arn} is not ACTIVE, its status is {resource.status(store.now)}"
    raise in_use(message) if resource.under_way(store.now) else invalid_input(message)


def group_quota(store: Store) -> None:
    """5 dataset groups per region."""
    _at_most(GROUPS_PER_REGION, store.all(DatasetGroup))


def solution_quota(store: Store, group_arn: str) -> None:
    """10 solutions per dataset group."""
    _at_most(SOLUTIONS_PER_GROUP, store.all(Solution, group_arn))


def campaign_quota(store: Store, group_arn: str) -> None:
    """5 campaigns per dataset group."""
    _at_most(CAMPAIGNS_PER_GROUP, store.all(Campaign, group_arn))


def import_quota(store: Store) -> None:
    """5 imports pending or in progress per region; the words are the service's."""
    _at_most_under_way(store, IMPORTS_UNDER_WAY_PER_REGION, store.all(ImportJob))


def training_quota(store: Store) -> None:
    """20 solution versions pending or in progress per region."""
    _at_most_under_way(store, VERSIONS_UNDER_WAY_PER_REGION, store.all(SolutionVersion))


def schema_fits(dataset_type: str, rows: RowSchema) -> None:
    """There are five types of dataset, and each demands certain fields of its schema."""
    if dataset_type not in REQUIRED_FIELDS:
        known = ", ".join(REQUIRED_FIELDS)
        raise invalid_input(f"Invalid dataset type {dataset_type}; it must be one of {known}")
    if missing := [name for name in REQUIRED_FIELDS[dataset_type] if name not in rows.names]:
        raise invalid_input(
            f"Schema of the {dataset_type} dataset is missing the fields: [{', '.join(missing)}]"
        )


def one_tracker_per_group(store: Store, group_arn: str) -> None:
    """A dataset group has at most one event tracker."""
    for tracker in store.all(EventTracker, group_arn):
        raise already_exists(tracker.arn)


def location_is_in_s3(location: str) -> tuple[str, str]:
    """A location is one object or a prefix, `s3://bucket/key`; gives bucket and key."""
    scheme, _, path = location.partition("://")
    bucket, _, key = path.partition("/")
    if scheme != "s3" or not bucket:
        raise invalid_input("Invalid Data location.")
    return bucket, key


def full_import_comes_first(store: Store, dataset: Dataset, mode: str) -> None:
    """INCREMENTAL adds to bulk data, so a FULL import must have ended well before."""
    full = [
        job
        for job in store.all(ImportJob, dataset.arn)
        if job.details["importMode"] == "FULL" and job.active(store.now)
    ]
    if mode == "INCREMENTAL" and not full:
        raise invalid_input(
            f"Dataset {dataset.arn} has no bulk data; import with importMode FULL first"
        )


def import_is_large_enough(dataset: Dataset, records: int) -> None:
    """Either import mode takes at least 1,000 interactions a job."""
    if dataset.type == "INTERACTIONS" and records < MIN_INTERACTIONS:
        raise JobFailed(
            f"Dataset import job has {records} interactions, fewer than {MIN_INTERACTIONS}"
        )


def increment_is_small_enough(mode: str, size: int) -> None:
    """An INCREMENTAL import takes at most 1 GB a job."""
    if mode == "INCREMENTAL" and size > MAX_INCREMENTAL_BYTES:
        raise JobFailed(f"Incremental dataset import job has {size} bytes, more than 1 GB")


def enough_to_train(data: Table, event_type: str | None) -> None:
    """A training needs 1,000 interactions, and 25 users with at least 2 each."""
    if len(data) < MIN_INTERACTIONS:
        suffix = f" after filtering by event type: {event_type}" if event_type else ""
        raise JobFailed(f"Dataset has fewer than {MIN_INTERACTIONS} interactions{suffix}")
    seen: set[object] = set()
    twice: set[object] = set()
    for user in data.column("USER_ID"):
        (twice if user in seen else seen).add(user)
    if len(twice) < MIN_USERS:
        raise JobFailed(
            f"Dataset has fewer than {MIN_USERS} users with at least 2 interactions each"
        )


def update_needs_full_version(store: Store, solution: Solution, mode: str) -> None:
    """An UPDATE training needs an ACTIVE version trained FULL, and a recipe that supports it."""
    if mode != "UPDATE":
        return
    if not solution.recipe.updatable:
        raise invalid_input(
            f"Training mode UPDATE is not supported by the recipe {solution.recipe.name}"
        )
    if not any(
        v.active(store.now) and v.details["trainingMode"] == "FULL" for v in solution.versions
    ):
        raise invalid_input(
            f"Training mode UPDATE needs an ACTIVE solution version of {solution.arn} "
            "that was trained with mode FULL"
        )


def can_be_stopped(store: Store, version: SolutionVersion) -> None:
    """Only a training that is pending or in progress can be stopped."""
    status = version.status(store.now)
    if not version.under_way(store.now) or status == "CREATE STOPPING":
        raise invalid_input(f"Solution version {version.arn} is {status} and cannot be stopped")


def metrics_need_active_version(store: Store, version: SolutionVersion) -> None:
    """There are metrics only after a training has succeeded."""
    must_be_active(store, version)


def recipe_serves_campaigns(solution: Solution) -> None:
    """User segments are made in batches; their recipes have no campaigns."""
    if solution.recipe.type == "USER_SEGMENTATION":
        raise invalid_input(f"The recipe {solution.recipe.name} does not support campaigns")


def sync_follows_latest(version_arn: str | None, *, sync: bool) -> None:
    """The setting syncWithLatestSolutionVersion goes together with `<solution>/$LATEST`."""
    latest = version_arn is not None and version_arn.endswith("/$LATEST")
    if sync and version_arn is not None and not latest:
        raise invalid_input(
            "syncWithLatestSolutionVersion needs solutionVersionArn in SolutionArn/$LATEST format"
        )
    if latest and not sync:
        raise invalid_input("$LATEST needs syncWithLatestSolutionVersion to be true")


def can_be_updated(store: Store, resource: Changeable) -> None:
    """An update takes a resource that is ACTIVE or CREATE FAILED, and not being updated."""
    status = resource.status(store.now)
    if status not in ("ACTIVE", "CREATE FAILED"):
        raise in_use(f"Resource {resource.arn} cannot be updated, its status is {status}")
    if resource.changing(store.now):
        raise in_use(f"Resource {resource.arn} is being updated")


def can_be_deleted(store: Store, resource: Resource, dependants: Sequence[Resource]) -> None:
    """Nothing may depend on it, and neither it nor a job of its own may be under way."""
    if resource.under_way(store.now) or resource.status(store.now).startswith("DELETE"):
        status = resource.status(store.now)
        raise in_use(f"Resource {resource.arn} cannot be deleted, its status is {status}")
    for dependant in dependants:
        raise in_use(f"Resource {resource.arn} is in use by {dependant.arn}")


def tags_are_few(tags: Mapping[str, str]) -> None:
    """At most 50 tags on a resource."""
    if len(tags) > TAGS_PER_RESOURCE:
        raise ApiError(
            "TooManyTagsException", f"A resource can have at most {TAGS_PER_RESOURCE} tags"
        )


def tag_keys_are_yours(keys: Iterable[str]) -> None:
    """Keys that begin with `aws:` are AWS's own."""
    for key in keys:
        if key.lower().startswith("aws:"):
            raise invalid_input(f"Tag keys must not start with aws: {key}")


def _at_most(quota: int, resources: Sequence[Resource]) -> None:
    if len(resources) >= quota:
        raise limit_exceeded(
            f"More than {quota} resources in ACTIVE state. Please delete some and try again."
        )


def _at_most_under_way(store: Store, quota: int, resources: Iterable[Resource]) -> None:
    if sum(resource.under_way(store.now) for resource in resources) >= quota:
        raise limit_exceeded(f"More than {quota} resources with PENDING or IN_PROGRESS status")
