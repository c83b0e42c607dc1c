"""What the operations on all resources have in common: create, update, delete and tag them."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from emulator.personalize.errors import already_exists, in_use, invalid_input
from emulator.personalize.resources import (
    BatchJob,
    Change,
    Changeable,
    DataDeletionJob,
    ImportJob,
    Resource,
    Solution,
    SolutionVersion,
)
from emulator.personalize.store import R, Request, Response, Store
from emulator.protocol.errors import ApiError

C = TypeVar("C", bound=Changeable)
TAGS_PER_RESOURCE = 50  # guide, "Amazon Personalize endpoints and quotas"


def create(
    store: Store,
    kind: type[R],
    details: Mapping[str, Any],
    *,
    path: str | None = None,
    belongs_to: Sequence[str] = (),
    on_progress: Callable[[], None] | None = None,
    on_end: Callable[[], None] | None = None,
    **fields: object,
) -> R:
    """Add a resource, start the job that creates it, and return it.

    `details` are the fields of the request, perhaps with others that Describe shows. The ARN ends
    in `path`, by default in the name. `fields` are those that only this kind of resource has.

    Raises:
        ApiError: The name is taken, a quota is used up, or a tag is not valid.
    """
    name = str(details.get("name", details.get("jobName")))
    if path is None:
        path = name

    # The ARN of a version begins like that of its solution.
    arn = store.build_arn(kind.kind.removesuffix("-version"), path)
    if arn in store.resources:
        raise already_exists(arn)

    _check_quota(store, kind)
    tags = _merge_tags({}, details.get("tags", ()))
    timeline = store.start_job(
        kind.kind, arn, *belongs_to, name, on_progress=on_progress, on_end=on_end
    )

    resource = kind(
        arn=arn,
        details={kind.arn_field(): arn, **details},
        timeline=timeline,
        belongs_to=tuple(belongs_to),
        tags=tags,
        **fields,
    )
    store.resources[arn] = resource
    return resource


def _check_quota(store: Store, kind: type[Resource]) -> None:
    """Reject a job if too many of its kind are unfinished in the region."""
    resources = store.list_resources(kind)
    unfinished = [resource for resource in resources if resource.is_unfinished(store.now)]
    if len(unfinished) >= kind.unfinished_quota:
        raise ApiError(
            "LimitExceededException",
            f"More than {kind.unfinished_quota} resources with PENDING or IN_PROGRESS status",
        )


def check_no_deletion(store: Store, group_arn: str) -> None:
    """Reject a job while a data deletion job of its dataset group is unfinished.

    The guide only advises against other jobs meanwhile, so a switch decides.
    """
    for job in store.list_resources(DataDeletionJob, group_arn):
        if store.switches.deletions_exclude_jobs and job.is_unfinished(store.now):
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
    if resource.is_changing(store.now):
        raise in_use(f"Resource {resource.arn} is being updated")
    return resource


def update(
    store: Store,
    resource: Changeable,
    details: dict[str, object],
    on_end: Callable[[], None] | None = None,
) -> None:
    """Start an update of a resource. Its details are in force when the update is ACTIVE."""
    job_kind = f"{resource.kind}-update"
    name = str(resource.details["name"])
    verb = store.switches.update_verb
    timeline = store.start_job(job_kind, resource.arn, name, on_end=on_end, verb=verb)

    visible_from = store.now + timedelta(seconds=store.switches.update_visible_after)
    resource.changes.append(Change(details, timeline, visible_from))


def delete(kind: type[Resource], store: Store, request: Request) -> None:
    """Start to delete a resource that is finished and not in use."""
    resource = store.get(kind, request[kind.arn_field()])
    if resource.is_unfinished(store.now):
        status = resource.status(store.now)
        raise in_use(f"Resource {resource.arn} cannot be deleted, its status is {status}")
    _check_not_in_use(store, resource)

    deleted_resources = [resource]
    if isinstance(resource, Solution):
        # The versions of a solution disappear with it.
        deleted_resources += store.list_resources(SolutionVersion, resource.arn)

    def remove() -> None:
        for deleted in deleted_resources:
            del store.resources[deleted.arn]

    deletion = store.start_job(
        "deletion", resource.arn, verb="DELETE", outcome="DELETED", on_end=remove
    )
    resource.timeline.moments += deletion.moments


def _check_not_in_use(store: Store, resource: Resource) -> None:
    """Reject a deletion while anything belongs to the resource. Jobs use it until they end."""
    for user in store.list_resources(Resource, resource.arn):
        is_job = isinstance(user, BatchJob | DataDeletionJob | ImportJob | SolutionVersion)
        if not is_job or user.is_unfinished(store.now):
            raise in_use(f"Resource {resource.arn} is in use by {user.arn}")


def _merge_tags(
    current_tags: Mapping[str, str], requested_tags: Sequence[Mapping[str, str]]
) -> dict[str, str]:
    """Merge the tags of a request into those of a resource, and check the result."""
    merged_tags = dict(current_tags)
    for tag in requested_tags:
        merged_tags[tag["tagKey"]] = tag["tagValue"]

    for key in merged_tags:
        if key.lower().startswith("aws:"):
            raise invalid_input(f"Tag keys must not start with aws: {key}")
    if len(merged_tags) > TAGS_PER_RESOURCE:
        message = f"A resource can have at most {TAGS_PER_RESOURCE} tags"
        raise ApiError("TooManyTagsException", message)
    return merged_tags


def tag_resource(store: Store, request: Request) -> None:
    """Add tags to a resource. If it already has a tag with the same key, replace the value."""
    resource = store.get(Resource, request["resourceArn"])
    resource.tags = _merge_tags(resource.tags, request["tags"])


def untag_resource(store: Store, request: Request) -> None:
    """Remove tags from a resource. Ignore the keys that it does not have."""
    resource = store.get(Resource, request["resourceArn"])
    removed = request["tagKeys"]
    resource.tags = {key: tag for key, tag in resource.tags.items() if key not in removed}


def list_tags_for_resource(store: Store, request: Request) -> Response:
    """List all tags of a resource. This List has no pages."""
    tags = store.get(Resource, request["resourceArn"]).tags
    return {"tags": [{"tagKey": key, "tagValue": value} for key, value in tags.items()]}
