"""The command `test-alarm`: sends a test alarm to the topic, and prints who gets its messages."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from functions import clock
from functions.contract import pipeline_name
from retrain.account.errors import FailedError, OperatorError
from retrain.account.output import print_json, print_message, print_result
from retrain.account.target import Target
from retrain.check.subscriptions import subscriptions_of
from retrain.options import JsonOption, command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from retrain.check.subscriptions import Subscriptions

TESTED_ALARM = "run-failed"
"""The end of the name of the alarm that is tested."""
DEADLINE_SECONDS = 60
"""CloudWatch executes the actions of an alarm within seconds."""
POLL_SECONDS = 2
TEST_REASON = "A test of retrain test-alarm"
"""The beginning of the reason that the alarm has during the test."""


class TestedAlarm(NamedTuple):
    """The alarm that is tested, with its state before the test."""

    name: str
    state: str
    reason: str


@command
def test_alarm(target: Target, *, as_json: JsonOption = False) -> int:
    """Send a test alarm to the topic of the pipeline, and print who gets its messages.

    For example: retrain test-alarm --stack prod

    The alarm about a failed run goes to ALARM and notifies the topic. Then
    the command sets it back to its former state. The reason of the alarm says
    that this is a test.

    Exit code 0: the topic was notified, and somebody has subscribed to it.
    Exit code 1: the alarm could not notify the topic, or nobody subscribes.
    Exit code 2: the pipeline or its alarms were not found.
    """
    former = _tested_alarm(target)
    alarm, topic_arn = former.name, _topic_arn(target)
    with _in_alarm(target, former) as began_at:
        _wait_for_action(target, alarm, topic_arn, began_at)
    subscriptions = subscriptions_of(target.access, topic_arn)
    if as_json:
        print_json(
            {
                "alarm": alarm,
                "topicArn": topic_arn,
                "confirmed": subscriptions.confirmed,
                "pending": subscriptions.pending,
            }
        )
    if not subscriptions.confirmed:
        raise FailedError(_nobody_message(topic_arn, subscriptions))
    if not as_json:
        print_result(f"{topic_arn} notifies {', '.join(subscriptions.confirmed)}")
    if subscriptions.pending:
        print_message(f"not confirmed yet: {', '.join(subscriptions.pending)}")
    return 0


@contextmanager
def _in_alarm(target: Target, former: TestedAlarm) -> Iterator[datetime]:
    """Set an alarm to ALARM, yield a time just before, and restore the former state at the end."""
    access = target.access
    client = access.session.client("cloudwatch", **access.client_options)
    alarm, state = former.name, former.state
    if state == "ALARM" and former.reason.startswith(TEST_REASON):
        state = "OK"  # an earlier test was interrupted
    began_at = clock.now() - timedelta(seconds=1)
    reason = f"{TEST_REASON} by {access.caller()}. No run failed."
    try:
        # CloudWatch notifies the topic only if the state changes.
        for test_state in ("OK", "ALARM"):
            client.set_alarm_state(AlarmName=alarm, StateValue=test_state, StateReason=reason)
        print_message(f"{alarm} is in ALARM for this test")
        yield began_at
    finally:
        client.set_alarm_state(AlarmName=alarm, StateValue=state, StateReason=former.reason)
        print_message(f"{alarm} is set back to {state}")


def _tested_alarm(target: Target) -> TestedAlarm:
    """Return the alarm that is tested."""
    access = target.access
    client = access.session.client("cloudwatch", **access.client_options)
    prefix = f"{pipeline_name(target.settings)}-{TESTED_ALARM}-"
    alarms = client.describe_alarms(AlarmNamePrefix=prefix)["MetricAlarms"]
    if not alarms:
        raise OperatorError(
            f"there is no alarm whose name begins with {prefix}; deploy this release with "
            f"`{target.deploy_command}`"
        )
    alarm = alarms[0]
    return TestedAlarm(alarm["AlarmName"], alarm["StateValue"], alarm.get("StateReason", ""))


def _topic_arn(target: Target) -> str:
    """Return the topic of the deployed pipeline."""
    notifications = target.settings.get("notifications")
    if notifications is None:
        raise OperatorError(
            f"{target.name} was deployed by a release without messages; deploy this release with "
            f"`{target.deploy_command}`"
        )
    return notifications["topicArn"]


def _wait_for_action(target: Target, alarm: str, topic_arn: str, began_at: datetime) -> None:
    """Wait until the history of the alarm shows that it has notified the topic.

    Raises FailedError if it could not, or if the history does not show it in time.
    """
    access = target.access
    client = access.session.client("cloudwatch", **access.client_options)
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        history = client.describe_alarm_history(
            AlarmName=alarm, HistoryItemType="Action", StartDate=began_at, EndDate=_soon()
        )
        for item in history["AlarmHistoryItems"]:
            data = json.loads(item["HistoryData"])
            if data.get("actionState") == "Succeeded":
                return
            if data.get("actionState") == "Failed":
                raise FailedError(
                    f"{alarm} could not notify {topic_arn}: {data.get('error') or 'no reason'}; "
                    "check that the topic exists, its policy, and the policy of its KMS key"
                )
        clock.sleep(POLL_SECONDS)
    raise FailedError(
        f"the history of {alarm} shows no action after {DEADLINE_SECONDS} seconds; look at it with "
        f"`aws cloudwatch describe-alarm-history --alarm-name {alarm}`"
    )


def _soon() -> datetime:
    """Return a time after the present, because the clocks of AWS may be ahead."""
    return clock.now() + timedelta(minutes=5)


def _nobody_message(topic_arn: str, subscriptions: Subscriptions) -> str:
    """Return a message about a topic that nobody has subscribed to."""
    if subscriptions.pending:
        return (
            f"the alarm has notified {topic_arn}, but nobody has confirmed: "
            f"{', '.join(subscriptions.pending)} got a message with the link"
        )
    return (
        f"the alarm has notified {topic_arn}, but nobody subscribes to it; add an address with "
        "notifications.emails"
    )
