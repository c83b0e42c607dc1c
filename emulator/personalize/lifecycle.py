"""What the operations on all resources have in common: create, update, delete and tag them."""

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
from emulator.personalize.store import R, Request, Response, Store
from emulator.personalize.timeline import Timeline
from emulator.protocol.errors import ApiError

C = TypeVar("C", bound=Updatable)
TAGS_PER_RESOURCE = 50  # guide, "Amazon Personalize endpoints and quotas"


def create(
    store: Store,
    kind: type[R],
    details: Mapping[str, Any],
    *,
    path: str | None = None,
    belongs_to: Sequence[str] = (),
    **fields: object,
) -> R:
    """Add a resource, start the job that creates it, and return it.

    `details` are the fields of the request, perhaps with others that Describe shows. The ARN ends
    in `path`, by default in the name. `fields` are those that only this kind of resource has.

    Raises:
        ApiError: The name is taken, a quota is used up, or a tag is not valid.
    """
    name = str(details.get("name", details.get("jobName")))
    arn = _build_free_arn(store, kind, path or name)
    _check_quota(store, kind)
    tags = _merge_tags({}, details.get("tags", ()))

    resource = kind(
        arn=arn,
        details={kind.arn_field(): arn, **details},
        timeline=store.start_job(kind.resource_type, arn, *belongs_to, name),
        belongs_to=tuple(belongs_to),
        tags=tags,
        **fields,
    )

    store.resources[arn] = resource
    return resource


def _build_free_arn(store: Store, kind: type[Resource], path: str) -> str:
    """Build the ARN of a new resource, or reject a name that is taken."""
    # The ARN of a version begins like that of its solution.
    arn_type = kind.resource_type.removesuffix("-version")

    arn = store.build_arn(arn_type, path)
    if arn in store.resources:
        raise already_exists(arn)

    return arn


def _check_quota(store: Store, kind: type[Resource]) -> None:
    """Reject a job if too many of its kind are unfinished in the region."""
    resources = store.list_resources(kind)
    unfinished = [resource for resource in resources if resource.is_unfinished(store.now)]
    if len(unfinished) >= kind.unfinished_quota:
        raise ApiError(
            "LimitExceededException",
            f"More than {kind.unfinished_quota} resources with PENDING or IN_PROGRESS status",
        )


def check_no_unfinished_job(store: Store, group_arn: str, *kinds: type[Job]) -> None:
    """Reject a request while a job of one of these kinds is unfinished in a dataset group.

    A data deletion job excludes imports, trainings and batch jobs, and each of these excludes it.
    The guide only advises against running them together, so a switch decides.
    """
    if not store.switches.deletions_exclude_jobs:
        return

    for job in store.list_resources(Job, group_arn):
        if isinstance(job, kinds) and job.is_unfinished(store.now):
            raise in_use(f"Resource {group_arn} is in use by {job.arn}")


def find_active(store: Store, kind: type[R], arn: str) -> R:
    """Find the ACTIVE resource with an ARN.

    Raises:
        ApiError: ResourceInUseException while the resource is unfinished, so the call may succeed
            later. InvalidInputException when it has failed.
    """
    resource = store.get(kind, arn)
    if resource.is_active(store.now):
        return resource

    message = f"Resource {resource.arn} is not ACTIVE, its status is {resource.status(store.now)}"
    if resource.is_unfinished(store.now):
        raise in_use(message)

    raise invalid_input(message)


def find_updatable(store: Store, kind: type[C], arn: str) -> C:
    """Find the resource with an ARN, if neither its status nor another update forbids an update."""
    resource = store.get(kind, arn)
    status = resource.status(store.now)
    if status not in ("ACTIVE", "CREATE FAILED"):
        raise in_use(f"Resource {resource.arn} cannot be updated, its status is {status}")
    if resource.is_updating(store.now):
        raise in_use(f"Resource {resource.arn} is being updated")

    return resource


def update(store: Store, resource: Updatable, details: dict[str, Any]) -> Timeline:
    """Start an update of a resource. Its details are in force when the update is ACTIVE."""
    update_kind = f"{resource.resource_type}-update"
    name = str(resource.details["name"])
    timeline = store.start_job(update_kind, resource.arn, name, verb=store.switches.update_verb)

    visible_from = store.now + timedelta(seconds=store.switches.update_visible_after)
    resource.updates.append(Update(details, timeline, visible_from))
    return timeline


def delete(kind: type[Resource], store: Store, request: Request) -> None:
    """Start to delete a resource that is finished and not in use."""
    resource = store.get(kind, request[kind.arn_field()])
    _check_deletable(store, resource)

    deletion = store.start_job("deletion", resource.arn, verb="DELETE", outcome="DELETED")
    deletion.moments[-1].effect = partial(_remove, store, resource)
    resource.timeline.moments += deletion.moments


def _check_deletable(store: Store, resource: Resource) -> None:
    """Reject a deletion while the resource is unfinished, or while anything belongs to it."""
    if resource.is_unfinished(store.now):
        status = resource.status(store.now)
        raise in_use(f"Resource {resource.arn} cannot be deleted, its status is {status}")

    for user in store.list_resources(Resource, resource.arn):
        # Nobody can delete a job, so one that has ended must not keep the resource forever.
        if not isinstance(user, Job) or user.is_unfinished(store.now):
            raise in_use(f"Resource {resource.arn} is in use by {user.arn}")


def _remove(store: Store, resource: Resource) -> None:
    """Remove a resource at the end of its deletion. A solution takes its versions with it."""
    del store.resources[resource.arn]
    if isinstance(resource, Solution):
        for version in store.list_resources(SolutionVersion, resource.arn):
            del store.resources[version.arn]


def _merge_tags(
    current_tags: Mapping[str, str], requested_tags: Sequence[Mapping[str, str]]
) -> dict[str, str]:
    """Merge the tags of a request into those of a resource. If both have a key, the request wins.

    Raises:
        ApiError: Personalize would not let a resource have these tags.
    """
    tags = dict(current_tags)
    for tag in requested_tags:
        tags[tag["tagKey"]] = tag["tagValue"]

    for key in tags:
        if key.lower().startswith("aws:"):
            raise invalid_input(f"Tag keys must not start with aws: {key}")

    if len(tags) > TAGS_PER_RESOURCE:
        message = f"A resource can have at most {TAGS_PER_RESOURCE} tags"
        raise ApiError("TooManyTagsException", message)

    return tags


def tag_resource(store: Store, request: Request) -> None:
    """Add tags to a resource. If it already has a tag with the same key, replace the value."""
    resource = store.get(Resource, request["resourceArn"])
    resource.tags = _merge_tags(resource.tags, request["tags"])


def untag_resource(store: Store, request: Request) -> None:
    """Remove tags from a resource. Ignore the keys that it does not have."""
    resource = store.get(Resource, request["resourceArn"])
    for key in request["tagKeys"]:
        resource.tags.pop(key, None)


def list_tags_for_resource(store: Store, request: Request) -> Response:
    """List all tags of a resource. This List has no pages."""
    tags = store.get(Resource, request["resourceArn"]).tags
    return {"tags": [{"tagKey": key, "tagValue": value} for key, value in tags.items()]}
