"""The command `test-alarm`, which tests whether an alarm notifies the pipeline's SNS topic."""

from __future__ import annotations

from datetime import timedelta
from json import loads
from typing import TYPE_CHECKING, Any

from functions.common import clock
from functions.contract import pipeline_name
from retrain.account.errors import FailedError, OperatorError
from retrain.account.output import print_json, print_message, print_result
from retrain.account.subscriptions import list_subscriptions, read_filter_policies
from retrain.account.target import Target
from retrain.options import JsonOption, command

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from retrain.account.access import Access

TESTED_ALARM = "run-failed"
"""The part of the alarm's name between the pipeline's name and Pulumi's random suffix."""
NOTIFICATION_TIMEOUT = timedelta(seconds=60)
"""CloudWatch runs the actions of an alarm within seconds, so this is more than enough."""
POLL_SECONDS = 2
MAX_CLOCK_SKEW = timedelta(minutes=5)
"""How far this machine's clock may be behind that of AWS."""


@command
def test_alarm(target: Target, *, as_json: JsonOption = False) -> int:
    """Send a test alarm to the topic of the pipeline, and print who gets its messages.

    For example: retrain test-alarm --stack prod

    The alarm about a failed run goes to ALARM and notifies the topic. Then the command sets it back
    to its former state. The reason of the alarm says that this is a test.

    A subscription with a filter policy is named, because SNS may drop its messages.

    Exit code 0: the topic was notified, and somebody has subscribed to it.
    Exit code 1: the alarm could not notify the topic, or nobody subscribes.
    Exit code 2: the pipeline or its alarms were not found.
    """
    topic_arn = target.settings["notifications"]["topicArn"]
    alarm = _find_alarm(target)
    _trigger_alarm(target.access, alarm, topic_arn)

    confirmed_addresses = _print_subscribers(
        target.access, alarm["AlarmName"], topic_arn, as_json=as_json
    )
    if not confirmed_addresses:
        raise FailedError(
            f"the alarm has notified {topic_arn}, but nobody has subscribed and confirmed; add an "
            "address with notifications.emails"
        )
    return 0


def _print_subscribers(
    access: Access, alarm_name: str, topic_arn: str, *, as_json: bool
) -> list[str]:
    """Print who has subscribed to the topic, and return the confirmed addresses."""
    subscriptions = list_subscriptions(access, topic_arn)
    confirmed_addresses = [item.address for item in subscriptions if item.is_confirmed]
    pending_addresses = [item.address for item in subscriptions if not item.is_confirmed]
    # The alarm's history shows that the topic received the message, but not whether the filter
    # policy of a subscription dropped it. All we can do is warn.
    filtered_addresses = [item.address for item in read_filter_policies(access, subscriptions)]

    if as_json:
        print_json(
            {
                "alarm": alarm_name,
                "topicArn": topic_arn,
                "confirmed": confirmed_addresses,
                "filtered": filtered_addresses,
                "pending": pending_addresses,
            }
        )
    elif confirmed_addresses:
        print_result(f"{topic_arn} notifies {', '.join(confirmed_addresses)}")

    if filtered_addresses:
        print_message(
            "an alarm has no message attributes, and gets only through a filter policy that "
            f"accepts this: {', '.join(filtered_addresses)}"
        )
    if pending_addresses:
        print_message(
            f"not confirmed yet, by the link in a mail of AWS: {', '.join(pending_addresses)}"
        )
    return confirmed_addresses


def _find_alarm(target: Target) -> Mapping[str, str]:
    """Find the pipeline's alarm about failed runs. Raise OperatorError if it doesn't exist."""
    prefix = f"{pipeline_name(target.settings)}-{TESTED_ALARM}-"
    response = target.access.client("cloudwatch").describe_alarms(AlarmNamePrefix=prefix)
    alarms: Sequence[Mapping[str, str]] = response["MetricAlarms"]

    if not alarms:
        raise OperatorError(
            f"there is no alarm whose name begins with {prefix}; create it again with "
            f"`{target.deploy_command} --refresh`"
        )
    return alarms[0]


def _trigger_alarm(access: Access, alarm: Mapping[str, str], topic_arn: str) -> None:
    """Set an alarm to ALARM, wait until it has notified the topic, and restore its state.

    The state is restored even if the wait fails or is interrupted.
    """
    client = access.client("cloudwatch")
    alarm_name = alarm["AlarmName"]
    reason = f"A test of retrain test-alarm by {access.fetch_caller_arn()}. No run failed."

    try:
        # The alarm may already be in ALARM, but CloudWatch only runs actions if the state changes.
        client.set_alarm_state(AlarmName=alarm_name, StateValue="OK", StateReason=reason)
        client.set_alarm_state(AlarmName=alarm_name, StateValue="ALARM", StateReason=reason)
        print_message(f"{alarm_name} is in ALARM for this test")
        _wait_for_notification(access, alarm_name, topic_arn)
    finally:
        client.set_alarm_state(
            AlarmName=alarm_name,
            StateValue=alarm["StateValue"],
            StateReason=alarm["StateReason"],
        )
        print_message(f"{alarm_name} is set back to {alarm['StateValue']}")


def _wait_for_notification(access: Access, alarm_name: str, topic_arn: str) -> None:
    """Poll the alarm's history until it shows that the alarm has notified the topic.

    Raises FailedError if the notification failed, or doesn't appear within NOTIFICATION_TIMEOUT.
    """
    client = access.client("cloudwatch")
    began_at = clock.now() - timedelta(seconds=1)
    while clock.now() < began_at + NOTIFICATION_TIMEOUT:
        history = client.describe_alarm_history(
            AlarmName=alarm_name,
            HistoryItemType="Action",
            StartDate=began_at,
            EndDate=clock.now() + MAX_CLOCK_SKEW,
        )
        actions = [loads(item["HistoryData"]) for item in history["AlarmHistoryItems"]]
        if any(_has_succeeded(action, alarm_name, topic_arn) for action in actions):
            return
        clock.sleep(POLL_SECONDS)

    raise FailedError(
        f"the history of {alarm_name} shows no action after {NOTIFICATION_TIMEOUT.seconds} "
        "seconds; look at it with `aws cloudwatch describe-alarm-history --alarm-name "
        f"{alarm_name}`"
    )


def _has_succeeded(action: Mapping[str, Any], alarm_name: str, topic_arn: str) -> bool:
    """Return True if the history says that an alarm action succeeded.

    Raises FailedError if the action failed, because then there's nothing more to wait for.
    """
    state = action.get("actionState")
    if state == "Failed":
        raise FailedError(
            f"{alarm_name} could not notify {topic_arn}: {action.get('error') or 'no reason'}; "
            "check that the topic exists, its policy, and the policy of its KMS key"
        )
    return bool(state == "Succeeded")
