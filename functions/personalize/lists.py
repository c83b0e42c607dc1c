"""Reads lists of Personalize, which only grow, within a bounded time."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from .. import clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from mypy_boto3_personalize.type_defs import PaginatorConfigTypeDef

Item = TypeVar("Item")
Page = TypeVar("Page")

PAGE_SIZE: PaginatorConfigTypeDef = {"PageSize": 100}
"""The configuration of a paginator. The service returns at most 100 items a page."""
READING_TIME = timedelta(seconds=30)
"""The time for which the pages of a list are read. Import jobs and versions cannot be deleted, so
their lists become longer with every run."""


class Listed(NamedTuple, Generic[Item]):
    """The items of a list. They are all items if `is_complete` is true."""

    items: list[Item]
    is_complete: bool


def read_pages(
    pages: Iterable[Page], items_of: Callable[[Page], Sequence[Item]], end: datetime | None = None
) -> Listed[Item]:
    """Read the pages of a list until the last page, or until the reading time is over.

    Several lists share their reading time if `end` is given.
    """
    end = end or clock.now() + READING_TIME
    items: list[Item] = []
    for page in pages:
        if clock.now() > end:
            return Listed(items, is_complete=False)
        items.extend(items_of(page))
    return Listed(items, is_complete=True)
