"""Checks the alarms of the deployed pipeline, and who gets the alarms and the reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.settings import PROJECT
from functions.contract import pipeline_name
from functions.words import count_text
from retrain.account.permissions import topic_arn_of
from retrain.act.alarm_test import TEST_REASON
from retrain.check.findings import Finding
from retrain.check.subscriptions import subscriptions_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from retrain.check.findings import Account

ALARM_FIX = "find the name of the alarm in docs/operations.md#alarms, which says what to do"
NOTIFICATIONS_FIX = (
    f"write the line `{PROJECT}:notifications: {{emails: [team@example.com]}}` into the stack's "
    "file, with your address"
)
TEST_FIX = "nothing; CloudWatch sets the state again when it next evaluates the alarm"


def check_alarms(account: Account) -> Iterator[Finding]:
    """Find out whether alarms of the pipeline are on. No alarm stops a run."""
    target = account.pipeline.target
    if target is None:
        return
    access = target.access
    client = access.session.client("cloudwatch", **access.client_options)
    name = pipeline_name(target.settings)
    pages = client.get_paginator("describe_alarms").paginate(AlarmNamePrefix=f"{name}-")
    alarms = [
        (alarm["AlarmName"], alarm["StateValue"], alarm.get("StateReason", ""))
        for page in pages
        for alarm in page.get("MetricAlarms", [])
    ]
    ringing = [row for row in alarms if row[1] == "ALARM"]
    for alarm, _, reason in ringing:
        if reason.startswith(TEST_REASON):
            yield Finding("warn", f"{alarm} is in ALARM because of a test: {reason}", TEST_FIX)
        else:
            yield Finding("warn", f"{alarm} is in ALARM: {reason or 'no reason'}", ALARM_FIX)
    if not alarms:
        yield Finding("warn", f"no alarm watches {name}", account.pipeline.deploy_command)
    elif not ringing:
        yield Finding("ok", f"{count_text(len(alarms), 'alarm')}, none in ALARM")


def check_notifications(account: Account) -> Iterator[Finding]:
    """Find out whether anybody gets the reports and the alarms."""
    pipeline = account.pipeline
    topic_arn = topic_arn_of(pipeline)
    if topic_arn is None:
        emails = pipeline.args.notifications.emails if pipeline.args else ()
        if emails:
            yield Finding("ok", f"reports and alarms will go to {', '.join(emails)}")
        else:
            text = "no address and no topic is set, so no report and no alarm reaches anybody"
            yield Finding("warn", text, NOTIFICATIONS_FIX)
        return
    subscriptions = subscriptions_of(account.access, topic_arn)
    if subscriptions.confirmed:
        yield Finding("ok", f"{topic_arn} notifies {', '.join(subscriptions.confirmed)}")
    elif subscriptions.pending:
        yield Finding(
            "warn",
            f"nobody has confirmed the messages of {topic_arn}",
            f"open the link in the mail of AWS to {', '.join(subscriptions.pending)}",
        )
    else:
        text = f"nobody subscribes to {topic_arn}, so no report and no alarm reaches anybody"
        yield Finding("warn", text, NOTIFICATIONS_FIX)
