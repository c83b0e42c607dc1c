"""Corrects MiniStack's CloudWatch alarms.

Alarms keep their warm-up periods, and alarm histories contain the executed actions.
"""

import datetime as dt
import json
from collections.abc import Callable
from typing import Any

from ministack.services import cloudwatch, sns

from emulator.server import ministack
from emulator.server.http import Response

Alarm = dict[str, Any]
"""MiniStack's record of an alarm, with the same field names as in the API."""

ACTION_FIELDS = {"ALARM": "AlarmActions", "OK": "OKActions"}
"""Alarm state -> the field with its actions. For any other state, it's InsufficientDataActions."""


@ministack.replace(cloudwatch, "_put_metric_alarm")
def keep_warm_up_period(
    put_alarm: Callable[..., Response], params: object, cbor_data: Alarm, *form: bool
) -> Response:
    """Create or update an alarm, and store its warm-up period, which MiniStack would drop."""
    response = put_alarm(params, cbor_data, *form)
    alarm = cloudwatch._alarms.get(cbor_data.get("AlarmName"))  # noqa: SLF001  # no other way
    if alarm is not None and "WarmUpConfiguration" in cbor_data:
        alarm["WarmUpConfiguration"] = cbor_data["WarmUpConfiguration"]
    return response


@ministack.replace(cloudwatch, "_dispatch_alarm_actions")
def record_actions(
    execute_actions: Callable[..., None],
    alarm: Alarm,
    old_state: str,
    new_state: str,
    reason: str,
) -> None:
    """Execute an alarm's actions and record in the alarm history whether each action succeeded.

    MiniStack only records state changes. The wording of the entries is documented by AWS:
    https://docs.aws.amazon.com/sns/latest/dg/sns-troubleshooting.html
    """
    execute_actions(alarm, old_state, new_state, reason)
    if not alarm.get("ActionsEnabled", True):
        return

    action_field = ACTION_FIELDS.get(new_state, "InsufficientDataActions")
    for topic_arn in alarm.get(action_field) or []:
        entry = _build_history_entry(alarm["AlarmName"], topic_arn)
        cloudwatch._history_entries().append(entry)  # noqa: SLF001  # no other way


def _build_history_entry(alarm_name: str, topic_arn: str) -> dict[str, str]:
    """Build the history entry for an action, which has failed if the topic doesn't exist."""
    if sns._topic_by_arn_any_scope(topic_arn):  # noqa: SLF001  # also finds other accounts' topics
        state = "Succeeded"
        error = None
        summary = f"Successfully executed action {topic_arn}"
    else:
        state = "Failed"
        error = "Resource does not exist"
        summary = f'Failed to execute action {topic_arn}. Received error: "{error}"'

    data = {"actionState": state, "notificationResource": topic_arn, "error": error}
    return {
        "AlarmName": alarm_name,
        "AlarmType": "MetricAlarm",
        "Timestamp": dt.datetime.now(tz=dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "HistoryItemType": "Action",
        "HistorySummary": summary,
        "HistoryData": json.dumps(data),
    }
