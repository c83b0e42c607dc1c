"""Reports a run: as a log record, as a message to people, and as an event for programs.

A report that cannot be delivered never changes the outcome of a run. It is logged, and an alarm
counts it.
"""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, TypedDict

from .. import clock, metrics
from ..aws import events, read_client, sns
from ..errors import AWS_ERRORS, ServiceUnavailable
from ..personalize.campaigns import read_campaign
from .model import Report, ServingReport, report_of
from .text import MAX_CHAT_BYTES, subject_of, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef
    from mypy_boto3_personalize import PersonalizeClient

    from ..contract import FinishedRun, NotificationSettings, Settings

SOURCE = "personalize-retraining"
DETAIL_TYPE = "Retraining Run Report"
LONGEST_READING = timedelta(seconds=60)
"""After this time, no more campaigns are read, because a slow service must not hold up a report."""
PROBLEMS = frozenset({"FAILED", "ROLLED_BACK", "REJECTED", "AWAITING_APPROVAL"})
"""The outcomes of runs that need a person."""

logger = logging.getLogger("retraining")


class ReportedRun(TypedDict):
    """The output of an execution."""

    report: Report
    text: str
    """The report as people read it. It is the cause of a failed execution."""


def report_run(
    step: str,
    document: FinishedRun,
    pipeline: str,
    notifications: NotificationSettings,
    *,
    after_delivery: Callable[[], None] | None = None,
) -> ReportedRun:
    """Log the report of a run, send it as a message and as an event, and return it.

    `after_delivery` is called if both were delivered, so that people and programs know the report.
    """
    serving = read_serving(read_client(), document["settings"]) if "settings" in document else []
    report = report_of(
        document,
        serving,
        pipeline=pipeline,
        dashboard_url=notifications["dashboardUrl"],
        ended_at=clock.now(),
    )
    text = text_of(report)
    facts = {"step": step, "runId": report["runId"]}
    logger.info(text, extra={**facts, "outcome": report["outcome"]})
    metrics.write(pipeline, {"Runs": 1}, Outcome=report["outcome"])

    failures = [*_failed_deliveries(notifications, report, text)]
    metrics.write(pipeline, {"UndeliveredReports": len(failures)})
    if failures:
        message = f"{step}: the report was not delivered: {'; '.join(failures)}"
        logger.error(message, extra={**facts, "undeliveredReports": len(failures)})
    elif after_delivery:
        after_delivery()
    return {"report": report, "text": text}


def needs_person(report: Report) -> bool:
    """Return True if a person should look at the run, also because a trial has not ended."""
    return report["outcome"] in PROBLEMS or any(
        serving["versionOnTrial"] or serving["isBad"] for serving in report["serving"]
    )


def is_repetition(report: Report) -> bool:
    """Return True if the run has failed again to end a trial, as an earlier report has said."""
    is_open = any(serving["versionOnTrial"] for serving in report["serving"])
    return is_open and (report["trigger"], report["outcome"]) == ("trials", "FAILED")


def read_serving(client: PersonalizeClient, settings: Settings) -> list[ServingReport]:
    """Return what each campaign serves now, or that it is not known."""
    deadline = clock.now() + LONGEST_READING
    serving: list[ServingReport] = []
    for solution in settings["solutions"]:
        for campaign in solution["campaigns"]:
            arn = campaign["campaignArn"]
            campaign_report: ServingReport = {
                "campaignArn": arn,
                "isKnown": False,
                "servedVersionArn": None,
                "versionOnTrial": None,
                "isBad": False,
                "pin": None,
            }
            serving.append(campaign_report)
            if clock.now() < deadline:
                with suppress(*AWS_ERRORS):
                    state = read_campaign(client, arn, solution["solutionArn"])
                    served = state.served_version_arn
                    record = state.record
                    campaign_report |= {
                        "isKnown": True,
                        "servedVersionArn": served,
                        "versionOnTrial": record.trial and record.trial.version_arn,
                        "isBad": served is not None and served == record.blocked_version_arn,
                        "pin": state.pin,
                    }
    return serving


def _failed_deliveries(
    notifications: NotificationSettings, report: Report, text: str
) -> Iterator[str]:
    """Send the message and the event. Yield a message for each that was not delivered."""
    topic = notifications["topicArn"]
    deliveries = {"event to the default event bus": partial(_put_event, report)}
    is_wanted = notifications["on"] == "always" or needs_person(report)
    if is_wanted and not is_repetition(report):
        deliveries[f"message to {topic}"] = partial(_publish, report, topic, text)
    for name, deliver in deliveries.items():
        try:
            deliver()
        except Exception as error:  # noqa: BLE001 - after any error, the run has done its work
            yield f"{name}: {error}"


def _publish(report: Report, topic_arn: str, text: str) -> None:
    """Publish a message to the topic, which passes it on to the subscriptions.

    Chat applications subscribe with HTTPS, and show only JSON in this form:
    https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html
    """
    subject = subject_of(report)
    content = {
        "textType": "client-markdown",
        "title": subject,
        "description": text_of(report, MAX_CHAT_BYTES),
    }
    chat = {"version": "1.0", "source": "custom", "content": content}
    sns().publish(
        TopicArn=topic_arn,
        Subject=subject,
        Message=json.dumps({"default": text, "https": json.dumps(chat)}),
        MessageStructure="json",
        # A subscription can filter messages by these attributes.
        MessageAttributes={
            key: {"DataType": "String", "StringValue": report[key]}
            for key in ("pipeline", "outcome", "trigger")
        },
    )


def _put_event(report: Report) -> None:
    """Put the report on the default event bus.

    EventBridge reports a failed entry in a successful response, so botocore raises nothing.

    Raises:
        ServiceUnavailable: EventBridge has not accepted the event.
    """
    entry: PutEventsRequestEntryTypeDef = {
        "Source": SOURCE,
        "DetailType": DETAIL_TYPE,
        "Detail": json.dumps(report),
        "Resources": [report["executionArn"]],
    }
    response = events().put_events(Entries=[entry])
    if response["FailedEntryCount"]:
        (result,) = response["Entries"]
        raise ServiceUnavailable(f"{result.get('ErrorCode')}: {result.get('ErrorMessage')}")
