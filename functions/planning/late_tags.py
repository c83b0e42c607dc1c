"""Writes the tags that an earlier run did not write on its versions before it ended."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from ..personalize.statuses import is_active
from ..personalize.tags import write_tags
from ..personalize.trained_versions import tags_of_learning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_personalize import PersonalizeClient

    from ..workflow_settings import Tags
    from .situation import Situation


class LateTags(NamedTuple):
    """The tags that a version lacks."""

    arn: str
    tags: Tags


def write_late_tags(client: PersonalizeClient, situation: Situation) -> None:
    """Write the tags that versions of an earlier run or release lack.

    A resource that can take no more tags stays as it is. Then every run finds out again what it
    would have read from the tags.
    """
    for arn, tags in late_tags(situation):
        with suppress(client.exceptions.TooManyTagsException):
            write_tags(client, arn, tags)


def late_tags(situation: Situation) -> Iterator[LateTags]:
    """Yield the missing tags of each version whose tags are incomplete.

    A version gets the digest of what it learned if it is ACTIVE and no run has written that on it.
    """
    for versions in situation.world.trained_versions.values():
        for version in versions:
            is_certain = is_active(version.status) and not version.is_recorded
            if version.is_known and is_certain and version.learned is not None:
                yield LateTags(version.arn, tags_of_learning(version.learned))
