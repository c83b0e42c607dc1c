"""CloudWatch's alarms: they keep all of their inputs, and record their actions in their history."""

import datetime as dt
import json
from collections.abc import Callable
from typing import Any

from ministack.services import cloudwatch, sns

from emulator.server import ministack
from emulator.server.http import Response

Alarm = dict[str, Any]
"""MiniStack's record of an alarm, with the field names of the API."""

ACTIONS = {"ALARM": "AlarmActions", "OK": "OKActions"}
"""The field with the actions of a state, if it is not InsufficientDataActions."""


@ministack.replace(cloudwatch, "_put_metric_alarm")
def put_whole_alarm(
    put_alarm: Callable[..., Response], params: object, cbor_data: Alarm, *form: bool
) -> Response:
    """Keep the warm-up period of an alarm, which MiniStack forgets."""
    response = put_alarm(params, cbor_data, *form)
    alarm = cloudwatch._alarms.get(cbor_data.get("AlarmName"))  # noqa: SLF001  # no other way
    if alarm is not None and "WarmUpConfiguration" in cbor_data:
        alarm["WarmUpConfiguration"] = cbor_data["WarmUpConfiguration"]
    return response


@ministack.replace(cloudwatch, "_dispatch_alarm_actions")
def send_and_record(
    send: Callable[..., None], alarm: Alarm, old_state: str, new_state: str, reason: str
) -> None:
    """Record in the history of an alarm whether each of its actions was executed.

    MiniStack sends the messages and records the changes of the state only. The texts are AWS's:
    https://docs.aws.amazon.com/sns/latest/dg/sns-troubleshooting.html
    """
    send(alarm, old_state, new_state, reason)
    if not alarm.get("ActionsEnabled", True):
        return

    topic_arns = alarm.get(ACTIONS.get(new_state, "InsufficientDataActions"))
    if topic_arns is None:
        return
    for topic_arn in topic_arns:
        entry = _build_history_entry(alarm["AlarmName"], topic_arn)
        cloudwatch._history_entries().append(entry)  # noqa: SLF001


def _build_history_entry(alarm_name: str, topic_arn: str) -> dict[str, str]:
    """Build what the history says about one action. It fails only if there is no such topic."""
    if sns._topic_by_arn_any_scope(topic_arn):  # noqa: SLF001  # also of other accounts
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
