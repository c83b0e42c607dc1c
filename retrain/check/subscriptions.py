"""Reads who gets the messages of a topic."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from retrain.account.access import Access

PENDING = "PendingConfirmation"
"""The ARN of a subscription that nobody has confirmed yet."""


class Subscriptions(NamedTuple):
    """Who gets the messages of a topic, by address."""

    confirmed: Sequence[str]
    pending: Sequence[str]


def subscriptions_of(access: Access, topic_arn: str) -> Subscriptions:
    """Return who gets the messages of a topic."""
    client = access.session.client("sns", **access.client_options)
    pages = client.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic_arn)
    confirmed: list[str] = []
    pending: list[str] = []
    for page in pages:
        for subscription in page["Subscriptions"]:
            is_pending = subscription["SubscriptionArn"] == PENDING
            (pending if is_pending else confirmed).append(subscription["Endpoint"])
    return Subscriptions(sorted(confirmed), sorted(pending))
