"""Reads the subscriptions of the notification topic."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from retrain.account.access import Access

NO_FILTER = "{}"
"""A filter policy that was removed. SNS empties the attribute, but doesn't delete it."""


class Subscription(NamedTuple):
    """A subscription to an SNS topic."""

    address: str
    arn: str
    """`PendingConfirmation` until somebody opens the link that SNS sent to the address."""
    protocol: str
    """For example `email`."""

    @property
    def is_confirmed(self) -> bool:
        """True if SNS delivers messages to the address."""
        return self.arn != "PendingConfirmation"


def list_subscriptions(access: Access, topic_arn: str) -> list[Subscription]:
    """List the subscriptions of a topic, sorted by address."""
    paginator = access.client("sns").get_paginator("list_subscriptions_by_topic")
    pages = paginator.paginate(TopicArn=topic_arn)

    return sorted(
        Subscription(
            subscription["Endpoint"], subscription["SubscriptionArn"], subscription["Protocol"]
        )
        for page in pages
        for subscription in page["Subscriptions"]
    )


def read_filter_policies(
    access: Access, subscriptions: Sequence[Subscription]
) -> dict[Subscription, str]:
    """Read the filter policy of each confirmed subscription that has one.

    Because of a filter policy, SNS may drop messages of alarms, which don't have attributes:
    https://docs.aws.amazon.com/sns/latest/dg/sns-message-filtering.html.
    """
    client = access.client("sns")
    filter_policies = {}

    for subscription in subscriptions:
        if not subscription.is_confirmed:
            continue
        response = client.get_subscription_attributes(SubscriptionArn=subscription.arn)
        filter_policy = response["Attributes"].get("FilterPolicy", NO_FILTER)
        if filter_policy != NO_FILTER:
            filter_policies[subscription] = filter_policy
    return filter_policies
