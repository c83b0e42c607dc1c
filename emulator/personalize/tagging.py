"""The operations on tags. Only ListTagsForResource shows them."""

from typing import TYPE_CHECKING

from emulator.personalize import rules
from emulator.personalize.resources import Resource
from emulator.personalize.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_personalize.type_defs import (
        ListTagsForResourceRequestTypeDef,
        TagResourceRequestTypeDef,
        TagTypeDef,
        UntagResourceRequestTypeDef,
    )


def tags_of(request_tags: "Sequence[TagTypeDef]") -> dict[str, str]:
    """Return the tags of a request by their keys. Raise ApiError if they break a rule."""
    tags = {tag["tagKey"]: tag["tagValue"] for tag in request_tags}
    rules.check_tag_keys(tags)
    rules.check_number_of_tags(tags)
    return tags


def tag_resource(store: Store, request: "TagResourceRequestTypeDef") -> dict[str, object]:
    """Add tags to a resource. If it already has a tag with the same key, replace the value."""
    resource = store.get(Resource, request["resourceArn"])
    tags = {**resource.tags, **tags_of(request["tags"])}
    rules.check_number_of_tags(tags)
    resource.tags = tags
    return {}


def untag_resource(store: Store, request: "UntagResourceRequestTypeDef") -> dict[str, object]:
    """Remove tags from a resource. Ignore the keys that it does not have."""
    resource = store.get(Resource, request["resourceArn"])
    removed = request["tagKeys"]
    resource.tags = {key: tag for key, tag in resource.tags.items() if key not in removed}
    return {}


def list_tags_for_resource(
    store: Store, request: "ListTagsForResourceRequestTypeDef"
) -> dict[str, object]:
    """Return all tags of a resource. This List has no pages."""
    tags = store.get(Resource, request["resourceArn"]).tags
    return {"tags": [{"tagKey": key, "tagValue": value} for key, value in tags.items()]}
