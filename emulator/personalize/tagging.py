"""Tags: given at creation or later, and read by ListTagsForResource alone."""

from typing import TYPE_CHECKING

from emulator.personalize import rules
from emulator.personalize.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_personalize.type_defs import (
        ListTagsForResourceRequestTypeDef,
        TagResourceRequestTypeDef,
        TagTypeDef,
        UntagResourceRequestTypeDef,
    )


def tags_of(given: "Sequence[TagTypeDef]") -> dict[str, str]:
    """The tags of a request as a mapping, by the rules."""
    tags = {tag["tagKey"]: tag["tagValue"] for tag in given}
    rules.tag_keys_are_yours(tags)
    rules.tags_are_few(tags)
    return tags


def tag_resource(store: Store, request: "TagResourceRequestTypeDef") -> dict[str, object]:
    """Add tags; a key that is there gets the new value."""
    resource = store.any(request["resourceArn"])
    tags = {**resource.tags, **tags_of(request["tags"])}
    rules.tags_are_few(tags)
    resource.tags = tags
    return {}


def untag_resource(store: Store, request: "UntagResourceRequestTypeDef") -> dict[str, object]:
    """Take tags away; keys that are not there are no error."""
    resource = store.any(request["resourceArn"])
    resource.tags = {k: v for k, v in resource.tags.items() if k not in request["tagKeys"]}
    return {}


def list_tags_for_resource(
    store: Store, request: "ListTagsForResourceRequestTypeDef"
) -> dict[str, object]:
    """All tags of a resource, without pages."""
    tags = store.any(request["resourceArn"]).tags
    return {"tags": [{"tagKey": key, "tagValue": value} for key, value in tags.items()]}
