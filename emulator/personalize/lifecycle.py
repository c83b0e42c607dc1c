"""Creates, looks up, updates, deletes and tags resources of any class."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

from emulator.personalize.errors import already_exists, in_use, invalid_input
from emulator.personalize.resources import (
    Job,
    Resource,
    Solution,
    SolutionVersion,
    Updatable,
    Update,
)
from emulator.personalize.store import Request, ResourceT, Response, Store
from emulator.personalize.timeline import Timeline
from emulator.protocol.errors import ApiError

UpdatableT = TypeVar("UpdatableT", bound=Updatable)

MAX_TAGS = 50
"""The maximum number of tags of a resource (guide, "Amazon Personalize endpoints and quotas")."""


def create_resource(
    store: Store,
    resource_class: type[ResourceT],
    details: Mapping[str, Any],
    *,
    arn_suffix: str | None = None,
    parent_arns: Sequence[str] = (),
    **attributes: object,
) -> ResourceT:
    """Add a resource to the store, and start the job that creates it.

    `details` are the fields that Describe will return: those of the request, and the ones that AWS
    sets itself. `attributes` are the other attributes of the resource class, for example a
    solution's recipe. If there's no `arn_suffix`, the ARN ends with the resource's name.

    Raises:
        ApiError: The name is already taken, too many jobs are unfinished, or a tag is invalid.
    """
    # Most jobs call their name jobName.
    name = str(details.get("name", details.get("jobName")))
    arn = _build_unused_arn(store, resource_class, arn_suffix or name)
    _check_quota(store, resource_class)
    tags = _merge_tags({}, details.get("tags", ()))

    resource = resource_class(
        arn=arn,
        details={resource_class.arn_field(): arn, **details},
        timeline=store.start_job(resource_class.resource_type, arn, *parent_arns, name),
        parent_arns=tuple(parent_arns),
        tags=tags,
        **attributes,
    )

    store.resources[arn] = resource
    return resource


def _build_unused_arn(store: Store, resource_class: type[Resource], suffix: str) -> str:
    """Build the ARN of a new resource, and reject one that already exists."""
    # The ARN of a solution version starts with the ARN of its solution.
    arn_type = resource_class.resource_type.removesuffix("-version")

    arn = store.build_arn(arn_type, suffix)
    if arn in store.resources:
        raise already_exists(arn)

    return arn


def _check_quota(store: Store, resource_class: type[Resource]) -> None:
    """Reject a new job if its region already has the maximum number of unfinished ones."""
    resources = store.list_resources(resource_class)
    unfinished = [resource for resource in resources if resource.is_unfinished(store.now)]

    if len(unfinished) >= resource_class.unfinished_quota:
        raise ApiError(
            "LimitExceededException",
            f"More than {resource_class.unfinished_quota} resources with PENDING or IN_PROGRESS"
            " status",
        )


def check_no_unfinished_job(store: Store, group_arn: str, *job_classes: type[Job]) -> None:
    """Reject a request while the dataset group has an unfinished job of one of these classes.

    A data deletion job can't run together with an import, a training or a batch job. The guide
    only advises against it, so a switch can allow it.
    """
    if not store.switches.deletions_exclude_jobs:
        return

    for job in store.list_resources(Job, group_arn):
        if isinstance(job, job_classes) and job.is_unfinished(store.now):
            raise in_use(f"Resource {group_arn} is in use by {job.arn}")


def find_active(store: Store, resource_class: type[ResourceT], arn: str) -> ResourceT:
    """Look up a resource that has to be ACTIVE.

    Raises:
        ApiError: ResourceInUseException if the resource is unfinished, so that it makes sense to
            try again later. InvalidInputException if it isn't ACTIVE for another reason.
    """
    resource = store.get(resource_class, arn)
    if resource.is_active(store.now):
        return resource

    message = f"Resource {resource.arn} is not ACTIVE, its status is {resource.status(store.now)}"
    if resource.is_unfinished(store.now):
        raise in_use(message)

    raise invalid_input(message)


def find_updatable(store: Store, resource_class: type[UpdatableT], arn: str) -> UpdatableT:
    """Look up a resource, and reject an update while its status or another update forbids it."""
    resource = store.get(resource_class, arn)
    status = resource.status(store.now)
    if status not in ("ACTIVE", "CREATE FAILED"):
        raise in_use(f"Resource {resource.arn} cannot be updated, its status is {status}")
    if any(not update.timeline.has_ended(store.now) for update in resource.updates):
        raise in_use(f"Resource {resource.arn} is being updated")

    return resource


def start_update(store: Store, resource: Updatable, new_settings: dict[str, Any]) -> Timeline:
    """Start an update of a resource. The new settings apply once the update is ACTIVE."""
    job_kind = f"{resource.resource_type}-update"
    name = str(resource.details["name"])
    timeline = store.start_job(job_kind, resource.arn, name, verb=store.switches.update_verb)

    visible_from = store.now + timedelta(seconds=store.switches.update_visible_after)
    resource.updates.append(Update(new_settings, timeline, visible_from))
    return timeline


def delete_resource(resource_class: type[Resource], store: Store, request: Request) -> None:
    """Start to delete a resource, unless it's unfinished or in use."""
    resource = store.get(resource_class, request[resource_class.arn_field()])
    _check_deletable(store, resource)

    deletion = store.start_job("deletion", resource.arn, verb="DELETE", outcome="DELETED")
    deletion.transitions[-1].callback = partial(_remove_from_store, store, resource)
    resource.timeline.transitions += deletion.transitions


def _check_deletable(store: Store, resource: Resource) -> None:
    """Reject the deletion of a resource that's unfinished, or that another resource uses."""
    if resource.is_unfinished(store.now):
        status = resource.status(store.now)
        raise in_use(f"Resource {resource.arn} cannot be deleted, its status is {status}")

    for dependent in store.list_resources(Resource, resource.arn):
        # Jobs can't be deleted, so a finished one must not block the deletion forever.
        if not isinstance(dependent, Job) or dependent.is_unfinished(store.now):
            raise in_use(f"Resource {resource.arn} is in use by {dependent.arn}")


def _remove_from_store(store: Store, resource: Resource) -> None:
    """Remove a deleted resource from the store. If it's a solution, remove its versions, too."""
    del store.resources[resource.arn]
    if isinstance(resource, Solution):
        for version in store.list_resources(SolutionVersion, resource.arn):
            del store.resources[version.arn]


def _merge_tags(
    current_tags: Mapping[str, str], requested_tags: Sequence[Mapping[str, str]]
) -> dict[str, str]:
    """Add the requested tags to the current ones, replacing values of the same keys.

    Raises:
        ApiError: A key is reserved, or there would be too many tags.
    """
    tags = dict(current_tags)
    for tag in requested_tags:
        tags[tag["tagKey"]] = tag["tagValue"]

    for key in tags:
        if key.lower().startswith("aws:"):
            raise invalid_input(f"Tag keys must not start with aws: {key}")

    if len(tags) > MAX_TAGS:
        raise ApiError("TooManyTagsException", f"A resource can have at most {MAX_TAGS} tags")

    return tags


def tag_resource(store: Store, request: Request) -> None:
    """Add tags to a resource. If a key already exists, replace its value."""
    resource = store.get(Resource, request["resourceArn"])
    resource.tags = _merge_tags(resource.tags, request["tags"])


def untag_resource(store: Store, request: Request) -> None:
    """Remove tags from a resource. Keys that it doesn't have are ignored."""
    resource = store.get(Resource, request["resourceArn"])
    for key in request["tagKeys"]:
        resource.tags.pop(key, None)


def list_tags_for_resource(store: Store, request: Request) -> Response:
    """Return all tags of a resource. Unlike the other List operations, this one isn't paginated."""
    tags = store.get(Resource, request["resourceArn"]).tags
    return {"tags": [{"tagKey": key, "tagValue": value} for key, value in tags.items()]}
