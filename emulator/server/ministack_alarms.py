"""The places where the emulator replaces what MiniStack's CloudWatch does differently from AWS.

Written for ministack 1.5.33, like `ministack_internals.py`. A test checks that every place is still
there.
"""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

from ministack.services import cloudwatch, sns

if TYPE_CHECKING:
    from emulator.server.http import Response

Alarm = dict[str, Any]
"""MiniStack's record of an alarm, with the field names of the API."""

FORGOTTEN = ("Metrics", "WarmUpConfiguration")
"""The fields of an alarm that MiniStack does not keep."""
METRIC_OF_QUERIES = ("MetricName", "Namespace", "Statistic", "Period")
"""The fields of an alarm that an alarm with queries does not have:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html"""


def keep_whole_alarms() -> None:
    """Keep the queries and the warm-up period of an alarm, which MiniStack forgets.

    MiniStack does not evaluate an alarm with queries, because it has no metric. SetAlarmState
    changes its state.
    """
    put_metric_alarm = cloudwatch._put_metric_alarm  # noqa: SLF001  # it stores the alarm

    def put_and_keep(
        params: object,
        cbor_data: dict[str, Any],
        is_cbor: bool,  # noqa: FBT001  # as in MiniStack
        is_json: bool = False,  # noqa: FBT001, FBT002
    ) -> Response:
        response: Response = put_metric_alarm(params, cbor_data, is_cbor, is_json)
        alarm = cloudwatch._alarms.get(cbor_data.get("AlarmName"))  # noqa: SLF001  # no other way
        if alarm is not None:
            alarm |= {field: cbor_data[field] for field in FORGOTTEN if field in cbor_data}
        if alarm is not None and "Metrics" in alarm:
            alarm |= dict.fromkeys(METRIC_OF_QUERIES)
        return response

    cloudwatch._put_metric_alarm = put_and_keep  # noqa: SLF001


def record_actions() -> None:
    """Record in the history of an alarm whether each of its actions was executed.

    MiniStack sends the messages and records the changes of the state only. The texts are those that
    AWS documents: https://docs.aws.amazon.com/sns/latest/dg/sns-troubleshooting.html.
    """
    dispatch = cloudwatch._dispatch_alarm_actions  # noqa: SLF001  # it is called for each change

    def dispatch_and_record(alarm: Alarm, old_state: str, new_state: str, reason: str) -> None:
        dispatch(alarm, old_state, new_state, reason)
        field = {"ALARM": "AlarmActions", "OK": "OKActions"}.get(
            new_state, "InsufficientDataActions"
        )
        if alarm.get("ActionsEnabled", True):
            for action in alarm.get(field) or ():
                cloudwatch._history_entries().append(_action_entry(alarm, action))  # noqa: SLF001

    cloudwatch._dispatch_alarm_actions = dispatch_and_record  # noqa: SLF001


def _action_entry(alarm: Alarm, action: str) -> dict[str, object]:
    """Return the entry of the history for an action, which is the ARN of a topic."""
    if sns._topic_by_arn_any_scope(action):  # noqa: SLF001  # it also finds topics of other accounts
        state, error = "Succeeded", None
        summary = f"Successfully executed action {action}"
    else:
        state, error = "Failed", "Resource does not exist"
        summary = f'Failed to execute action {action}. Received error: "{error}"'
    return {
        "AlarmName": alarm["AlarmName"],
        "AlarmType": "CompositeAlarm" if "AlarmRule" in alarm else "MetricAlarm",
        "Timestamp": dt.datetime.now(tz=dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "HistoryItemType": "Action",
        "HistorySummary": summary,
        "HistoryData": json.dumps(
            {"actionState": state, "notificationResource": action, "error": error}
        ),
    }
