"""What the operations on all resources have in common: create, update, delete and tag them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from emulator.personalize import rules
from emulator.personalize.resources import (
    RESOURCE_CLASSES,
    Campaign,
    Change,
    Changeable,
    Dataset,
    DatasetGroup,
    EventTracker,
    ImportJob,
    Resource,
    Schema,
    Solution,
)
from emulator.personalize.store import R, Store
from emulator.personalize.timeline import Timeline

if TYPE_CHECKING:
    import mypy_boto3_personalize.type_defs as t


def create(
    store: Store,
    kind: type[R],
    details: Mapping[str, Any],
    *,
    path: str | None = None,
    belongs_to: Sequence[str] = (),
    fields: Mapping[str, Any] | None = None,
    on_progress: Callable[[], None] | None = None,
    on_end: Callable[[], None] | None = None,
    timeline: Timeline | None = None,
) -> R:
    """Add a resource, start the job that creates it, and return it.

    `details` are the fields of the request, perhaps with others that Describe shows. The ARN ends
    in `path`, by default in the name. `fields` are those that only this kind of resource has. A
    resource with a `timeline` needs no job.

    Raises:
        ApiError: The name is taken, a quota is used up, or a tag is not valid.
    """
    name = details.get("name", details.get("jobName"))
    # The ARN of a version begins like that of its solution.
    arn = store.arn(kind.kind.removesuffix("-version"), path or str(name))
    rules.check_name_is_free(store, arn)
    rules.check_quotas(store, kind, belongs_to[-1] if belongs_to else None)
    tags = tags_of(details.get("tags", ()))
    names = [*belongs_to, *([] if name is None else [str(name)])]
    timeline = timeline or store.start_job(
        kind.kind, arn, *names, on_progress=on_progress, on_end=on_end
    )
    resource = kind(
        arn=arn,
        details={kind.arn_field(): arn, **details},
        timeline=timeline,
        belongs_to=tuple(belongs_to),
        tags=tags,
        **(fields or {}),
    )
    return store.add(resource)


def update(
    store: Store,
    resource: Changeable,
    details: dict[str, object],
    *,
    on_end: Callable[[], None] | None = None,
    verb: str = "CREATE",
    visible_after: float = 0,
) -> None:
    """Start an update of a resource. Its details are in force when the update is ACTIVE.

    Describe does not show the update for `visible_after` seconds.
    """
    name = str(resource.details["name"])
    timeline = store.start_job(
        f"{resource.kind}-update", resource.arn, name, on_end=on_end, verb=verb
    )
    visible_from = store.now + timedelta(seconds=visible_after)
    resource.changes.append(Change(details, timeline, visible_from))
    store.schedule(timeline)


def delete(store: Store, operation_name: str, request: Mapping[str, object]) -> None:
    """Start to delete a resource. The versions of a solution disappear with it.

    Raises:
        ApiError: The resource is in use, or another rule forbids its deletion.
    """
    kind = RESOURCE_CLASSES[operation_name.removeprefix("Delete")]
    resource = store.get(kind, str(request[kind.arn_field()]))
    rules.check_can_be_deleted(store, resource, _users(store, resource))
    store.delete(resource, *(resource.versions if isinstance(resource, Solution) else ()))


def _users(store: Store, resource: Resource) -> Collection[Resource]:
    """Return the resources because of which a resource cannot be deleted."""
    match resource:
        case Schema():
            return [dataset for dataset in store.all(Dataset) if dataset.schema is resource]
        case DatasetGroup(arn=arn):
            contents = (Dataset, Solution, EventTracker)
            return [item for kind in contents for item in store.all(kind, arn)]
        case Dataset(arn=arn, belongs_to=(group_arn,)):
            versions = [
                version
                for solution in store.all(Solution, group_arn)
                for version in solution.versions
            ]
            jobs = [*store.all(ImportJob, arn), *versions]
            return [job for job in jobs if job.is_unfinished(store.now)]
        case Solution(arn=arn, versions=versions):
            trainings = [version for version in versions if version.is_unfinished(store.now)]
            return [*store.all(Campaign, arn), *trainings]
    return []


def tags_of(request_tags: "Sequence[t.TagTypeDef]") -> dict[str, str]:
    """Return the tags of a request by their keys. Raise ApiError if they break a rule."""
    tags = {tag["tagKey"]: tag["tagValue"] for tag in request_tags}
    rules.check_tags(tags)
    return tags


def tag_resource(store: Store, request: "t.TagResourceRequestTypeDef") -> None:
    """Add tags to a resource. If it already has a tag with the same key, replace the value."""
    resource = store.get(Resource, request["resourceArn"])
    tags = {**resource.tags, **tags_of(request["tags"])}
    rules.check_tags(tags)
    resource.tags = tags


def untag_resource(store: Store, request: "t.UntagResourceRequestTypeDef") -> None:
    """Remove tags from a resource. Ignore the keys that it does not have."""
    resource = store.get(Resource, request["resourceArn"])
    removed = request["tagKeys"]
    resource.tags = {key: tag for key, tag in resource.tags.items() if key not in removed}


def list_tags_for_resource(
    store: Store, request: "t.ListTagsForResourceRequestTypeDef"
) -> dict[str, object]:
    """Return all tags of a resource. This List has no pages."""
    tags = store.get(Resource, request["resourceArn"]).tags
    return {"tags": [{"tagKey": key, "tagValue": value} for key, value in tags.items()]}
