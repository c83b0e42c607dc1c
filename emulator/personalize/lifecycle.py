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
    name = details.get("name", details.get("jobName"))
    # The ARN of a version begins like that of its solution.
    arn = store.arn(kind.kind.removesuffix("-version"), path or str(name))
    if arn in store.resources:
        raise already_exists(arn)
    _check_quotas(store, kind, belongs_to[-1] if belongs_to else None)
    tags = _with_tags({}, details.get("tags", ()))
    names = [*belongs_to, str(name)]
    timeline = store.start_job(kind.kind, arn, *names, on_progress=on_progress, on_end=on_end)
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


def _check_quotas(store: Store, kind: type[Resource], group_arn: str | None) -> None:
    """Raise ApiError if a dataset group, or the region, cannot have one more resource of a kind."""
    code = "LimitExceededException"
    if len(store.all(kind, group_arn)) >= kind.quota:
        message = f"More than {kind.quota} resources in ACTIVE state. Please delete some"
        raise ApiError(code, f"{message} and try again.")
    unfinished = [resource for resource in store.all(kind) if resource.is_unfinished(store.now)]
    if len(unfinished) >= kind.unfinished_quota:
        message = f"More than {kind.unfinished_quota} resources with PENDING or IN_PROGRESS status"
        raise ApiError(code, message)


def check_no_deletion(store: Store, group_arn: str) -> None:
    """Raise ApiError if a data deletion job of a dataset group is unfinished.

    The guide only advises against other jobs meanwhile, so a switch decides.
    """
    for job in store.all(DataDeletionJob, group_arn):
        if store.switches.deletions_exclude_jobs and job.is_unfinished(store.now):
            raise in_use(f"Resource {group_arn} is in use by {job.arn}")


def active(store: Store, kind: type[R], arn: str) -> R:
    """Return the resource with an ARN. Raise ApiError if it does not exist or is not ACTIVE.

    The code is ResourceInUseException while the resource is unfinished, and InvalidInputException
    when it has failed.
    """
    resource = store.get(kind, arn)
    if resource.is_active(store.now):
        return resource
    message = f"Resource {resource.arn} is not ACTIVE, its status is {resource.status(store.now)}"
    raise in_use(message) if resource.is_unfinished(store.now) else invalid_input(message)


def updatable(store: Store, kind: type[C], arn: str) -> C:
    """Return the resource with an ARN. Raise ApiError if it does not exist, or cannot be updated.

    An unfinished update and most statuses forbid an update.
    """
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
    switches, kind = store.switches, f"{resource.kind}-update"
    name = str(resource.details["name"])
    timeline = store.start_job(kind, resource.arn, name, on_end=on_end, verb=switches.update_verb)
    visible_from = store.now + timedelta(seconds=switches.update_visible_after)
    resource.changes.append(Change(details, timeline, visible_from))


def delete(kind: type[Resource], store: Store, request: Request) -> None:
    """Start to delete a resource. The versions of a solution disappear with it.

    Raise ApiError if it is unfinished, is being deleted, or is in use by a resource that belongs
    to it. Jobs use it until they end.
    """
    resource = store.get(kind, request[kind.arn_field()])
    if resource.is_unfinished(store.now):
        status = resource.status(store.now)
        raise in_use(f"Resource {resource.arn} cannot be deleted, its status is {status}")
    for user in store.all(Resource, resource.arn):
        is_job = isinstance(user, BatchJob | DataDeletionJob | ImportJob | SolutionVersion)
        if not is_job or user.is_unfinished(store.now):
            raise in_use(f"Resource {resource.arn} is in use by {user.arn}")
    is_solution = isinstance(resource, Solution)
    versions = store.all(SolutionVersion, resource.arn) if is_solution else []

    def remove() -> None:
        for deleted in (resource, *versions):
            del store.resources[deleted.arn]

    deletion = store.start_job(
        "deletion", resource.arn, verb="DELETE", outcome="DELETED", on_end=remove
    )
    resource.timeline.moments += deletion.moments


def _with_tags(tags: Mapping[str, str], added: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return the tags of a resource with those that a request adds.

    Raise ApiError if there are too many, or if AWS reserves a key for itself.
    """
    new_tags = {**tags, **{tag["tagKey"]: tag["tagValue"] for tag in added}}
    for key in new_tags:
        if key.lower().startswith("aws:"):
            raise invalid_input(f"Tag keys must not start with aws: {key}")
    if len(new_tags) > TAGS_PER_RESOURCE:
        message = f"A resource can have at most {TAGS_PER_RESOURCE} tags"
        raise ApiError("TooManyTagsException", message)
    return new_tags


def tag_resource(store: Store, request: Request) -> None:
    """Add tags to a resource. If it already has a tag with the same key, replace the value."""
    resource = store.get(Resource, request["resourceArn"])
    resource.tags = _with_tags(resource.tags, request["tags"])


def untag_resource(store: Store, request: Request) -> None:
    """Remove tags from a resource. Ignore the keys that it does not have."""
    resource = store.get(Resource, request["resourceArn"])
    removed = request["tagKeys"]
    resource.tags = {key: tag for key, tag in resource.tags.items() if key not in removed}


def list_tags_for_resource(store: Store, request: Request) -> Response:
    """Return all tags of a resource. This List has no pages."""
    tags = store.get(Resource, request["resourceArn"]).tags
    return {"tags": [{"tagKey": key, "tagValue": value} for key, value in tags.items()]}
