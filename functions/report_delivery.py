"""Sends the report of a run: a log record, a message to people, and an event for programs.

A report that cannot be delivered never changes the outcome of a run. It is logged, and an alarm
counts it.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

from . import clock, metrics
from .aws import events, sns
from .report import run_of_document
from .report_event import DETAIL_TYPE, SOURCE, event_detail
from .report_message import message_of, needs_person

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef
    from mypy_boto3_sns import SNSClient

    from .campaign_reports import Standings
    from .contract import FinishedRun
    from .report import RunReport
    from .report_event import EventDetail, Sender
    from .report_message import Message

ENTRY_ATTEMPTS = 3
"""An entry that EventBridge does not take is put again, after one second and after two more."""

logger = logging.getLogger("retraining")


class NotDeliveredError(Exception):
    """EventBridge has answered that it did not take the event."""


def send_report(
    step: str,
    sender: Sender,
    document: FinishedRun,
    report: RunReport,
    standings: Standings | None = None,
) -> RunReport:
    """Log the text of a report, send the message and the event, and return the report.

    An execution that only finishes trials, and had none to finish, sends nothing.

    Args:
        step: the function that reports.
        sender: the pipeline, and where its reports go.
        document: the document of the run.
        report: the report of this document.
        standings: what the campaigns serve now.
    """
    logger.info(
        report["text"],
        extra={"step": step, "runId": report["runId"], "outcome": report["status"]},
    )
    if _is_worth_sending(document, report):
        failures = [*_failed_deliveries(sender, document, report, standings or {})]
        metrics.write(sender.pipeline, {"UndeliveredReports": len(failures)})
        if failures:
            logger.error(
                "%s: the report was not delivered: %s",
                step,
                "; ".join(failures),
                extra={
                    "step": step,
                    "runId": report["runId"],
                    "undeliveredReports": len(failures),
                },
            )
    return report


def _is_worth_sending(document: FinishedRun, report: RunReport) -> bool:
    """Return False for an execution that only finishes trials and had none to finish."""
    is_trial = run_of_document(document)["trigger"] == "trials"
    return not (is_trial and report["status"] == "SKIPPED")


def _failed_deliveries(
    sender: Sender, document: FinishedRun, report: RunReport, standings: Standings
) -> Iterator[str]:
    """Send the message and the event. Yield why one of them was not delivered."""
    try:
        detail = event_detail(sender, document, report, standings, clock.now())
        message = message_of(detail)
    except Exception as error:
        # The documents of other releases may differ. The run has done its work anyway.
        logger.exception("the report could not be written")
        yield f"{type(error).__name__}: {error}"
        return
    notifications = sender.notifications
    if notifications and (notifications["on"] == "always" or needs_person(detail)):
        try:
            _publish(sns(), notifications["topicArn"], message)
        except Exception as error:  # noqa: BLE001 - after any error, the run has done its work
            yield f"message to {notifications['topicArn']}: {error}"
    try:
        _put_event(events(), detail)
    except Exception as error:  # noqa: BLE001 - after any error, the run has done its work
        yield f"event to the default event bus: {error}"


def _publish(client: SNSClient, topic_arn: str, message: Message) -> None:
    """Publish a message to the topic, which passes it on to the subscriptions."""
    client.publish(
        TopicArn=topic_arn,
        Subject=message.subject,
        Message=message.by_protocol(),
        MessageStructure="json",
        MessageAttributes={
            name: {"DataType": "String", "StringValue": value}
            for name, value in message.attributes.items()
        },
    )


def _put_event(client: EventBridgeClient, detail: EventDetail) -> None:
    """Put the event on the default event bus.

    EventBridge reports a failed entry without an error, so botocore does not retry it.

    Raises:
        NotDeliveredError: EventBridge has not taken the entry in ENTRY_ATTEMPTS.
    """
    entry: PutEventsRequestEntryTypeDef = {
        "Source": SOURCE,
        "DetailType": DETAIL_TYPE,
        "Detail": json.dumps(detail),
        "Resources": [detail["executionArn"]],
    }
    for attempt in range(ENTRY_ATTEMPTS):
        clock.sleep(attempt)
        response = client.put_events(Entries=[entry])
        if not response["FailedEntryCount"]:
            return
    (result,) = response["Entries"]
    raise NotDeliveredError(f"{result.get('ErrorCode')}: {result.get('ErrorMessage')}")
