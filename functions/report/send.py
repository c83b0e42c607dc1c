"""Reports a run in three ways: a log record, a message to people, and an event for programs.

A failed delivery never changes the outcome, because the run has already done its work. The failure
is logged and counted, and an alarm watches the count.
"""

from __future__ import annotations

import json
import logging
import math
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, TypedDict

from ..common import clock, metrics
from ..common.aws import eventbridge, personalize_read_client, sns
from ..common.errors import AWS_ERRORS, ServiceUnavailable
from ..constants import RUNS, UNDELIVERED_REPORTS
from ..contract import ExecutionData, NotificationSettings, Settings, trains_nothing
from ..personalize.campaigns import build_campaign_state, describe_campaign
from ..personalize.lists import list_recommenders
from ..personalize.tags import read_tags
from .mail import MAX_CHAT_BYTES, format_report, format_subject
from .model import RecommenderReport, Report, ServingReport, build_report

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef
    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize.type_defs import RecommenderSummaryTypeDef, RecommenderTypeDef

SOURCE = "personalize-retraining"
DETAIL_TYPE = "Retraining Run Report"
MAX_READING_TIME = timedelta(seconds=60)
"""After this time, no more campaigns or recommenders are read. A slow service must not hold up the
report."""
ATTENTION_OUTCOMES = frozenset({"FAILED", "ROLLED_BACK", "REJECTED", "AWAITING_APPROVAL"})
"""The outcomes that need a person's attention."""

logger = logging.getLogger("retraining")


class ReportedRun(TypedDict):
    """The output of an execution."""

    report: Report
    text: str
    """The report for people to read, which is also the cause of a failed execution."""


def report_run(
    step: str,
    execution_data: ExecutionData,
    pipeline_name: str,
    notifications: NotificationSettings,
    *,
    after_delivery: Callable[[], None] | None = None,
) -> ReportedRun:
    """Log the report of a run, send it as a message and as an event, and return it.

    `after_delivery` is called unless the message or the event could not be delivered.
    """
    report = build_report(
        execution_data,
        _read_run_serving(execution_data),
        _read_run_recommenders(execution_data),
        pipeline_name=pipeline_name,
        dashboard_url=notifications["dashboardUrl"],
        ended_at=clock.now(),
    )
    text = format_report(report)

    log_fields = {"step": step, "runId": report["runId"]}
    logger.info(text, extra={**log_fields, "outcome": report["outcome"]})
    metrics.publish(pipeline_name, {RUNS: 1}, Outcome=report["outcome"])

    topic_arn = _choose_topic(execution_data, notifications, report)
    failures = _deliver(report, text, topic_arn)
    metrics.publish(pipeline_name, {UNDELIVERED_REPORTS: len(failures)})
    if failures:
        _log_failures(failures, log_fields)
    elif after_delivery:
        after_delivery()

    return {"report": report, "text": text}


def _log_failures(failures: Sequence[str], log_fields: Mapping[str, str]) -> None:
    """Log what couldn't be delivered."""
    logger.error(
        "%s: the report was not delivered: %s",
        log_fields["step"],
        "; ".join(failures),
        extra={**log_fields, "undeliveredReports": len(failures)},
    )


def needs_person(report: Report) -> bool:
    """Check whether a person should look at the run.

    Even after a good outcome, somebody should if a campaign serves a bad version or has an
    unfinished trial, or if a warning asks for a person.
    """
    if report["outcome"] in ATTENTION_OUTCOMES:
        return True
    if any(serving["versionOnTrial"] or serving["isBad"] for serving in report["serving"]):
        return True
    return any(warning.get("needsPerson") for warning in report["warnings"])


def is_repeated_failure(report: Report) -> bool:
    """Check whether the report only repeats that a trial could not be ended.

    As long as a trial can't be ended, `watch_pipeline` starts about 25 such runs a day. People
    don't get messages about these runs.
    """
    has_failed = report["trigger"] == "trials" and report["outcome"] == "FAILED"
    return has_failed and any(serving["versionOnTrial"] for serving in report["serving"])


def _read_run_serving(execution_data: ExecutionData) -> list[ServingReport]:
    """Read what each campaign of the run serves now."""
    # If the input was too large for the first state, the execution's data has no settings.
    if "settings" not in execution_data:
        return []
    return read_serving(personalize_read_client(), execution_data["settings"])


def read_serving(client: PersonalizeClient, settings: Settings) -> list[ServingReport]:
    """Read what each campaign in the settings serves now."""
    deadline = clock.now() + MAX_READING_TIME
    return [
        _read_campaign_serving(client, campaign["campaignArn"], solution["solutionArn"], deadline)
        for solution in settings["solutions"]
        for campaign in solution["campaigns"]
    ]


def _read_campaign_serving(
    client: PersonalizeClient, campaign_arn: str, solution_arn: str, deadline: datetime
) -> ServingReport:
    """Report what a campaign serves, or that it's unknown after an error or the deadline."""
    unknown: ServingReport = {
        "campaignArn": campaign_arn,
        "isKnown": False,
        "servedVersionArn": None,
        "minProvisionedTPS": None,
        "versionOnTrial": None,
        "isBad": False,
        "pin": None,
    }
    if clock.now() >= deadline:
        return unknown

    try:
        campaign = describe_campaign(client, campaign_arn)
        state = build_campaign_state(campaign, read_tags(client, campaign_arn), solution_arn)
    except AWS_ERRORS:
        return unknown

    trial = state.record.trial
    served_version_arn = state.served_version_arn
    is_blocked = served_version_arn == state.record.blocked_version_arn
    return {
        **unknown,
        "isKnown": True,
        "servedVersionArn": served_version_arn,
        "minProvisionedTPS": campaign.get("minProvisionedTPS"),
        "versionOnTrial": trial.version_arn if trial else None,
        "isBad": served_version_arn is not None and is_blocked,
        "pin": state.pin,
    }


def _read_run_recommenders(execution_data: ExecutionData) -> list[RecommenderReport] | None:
    """Read the recommenders of a pipeline that only imports, or return None if it fails."""
    if "settings" not in execution_data:
        return []

    client = personalize_read_client()
    deadline = clock.now() + MAX_READING_TIME
    try:
        summaries = list_recommenders(client, execution_data["settings"])
    except AWS_ERRORS:
        return None
    return [_read_recommender(client, summary, deadline) for summary in summaries]


def _read_recommender(
    client: PersonalizeClient, summary: RecommenderSummaryTypeDef, deadline: datetime
) -> RecommenderReport:
    """Report on a recommender, without its metrics after an error or the deadline."""
    recommender_arn = summary["recommenderArn"]
    last_updated = summary["lastUpdatedDateTime"]

    recommender: RecommenderTypeDef = {}
    if clock.now() < deadline:
        with suppress(*AWS_ERRORS):
            response = client.describe_recommender(recommenderArn=recommender_arn)
            recommender = response["recommender"]

    return {
        "recommenderArn": recommender_arn,
        "status": summary["status"],
        "lastUpdatedAt": last_updated.isoformat(),
        "ageDays": round((clock.now() - last_updated) / timedelta(days=1), 3),
        # Personalize may send NaN as a string, and an event can't contain it.
        "metrics": {
            name: value
            for name, value in recommender.get("modelMetrics", {}).items()
            if isinstance(value, int | float) and math.isfinite(value)
        },
    }


def _choose_topic(
    execution_data: ExecutionData, notifications: NotificationSettings, report: Report
) -> str | None:
    """Return the ARN of the topic for the message, or None if people don't get one."""
    if is_repeated_failure(report) or _found_no_version(execution_data, report):
        return None
    if notifications["on"] == "problems" and not needs_person(report):
        return None
    return notifications["topicArn"]


def _found_no_version(execution_data: ExecutionData, report: Report) -> bool:
    """Check whether a scheduled run had nothing to do, in a pipeline that trains nothing.

    Such a pipeline may look for new versions every hour, and find one in a week.
    """
    has_work = report["imports"] or report["solutions"] or report["trials"]
    if report["trigger"] != "schedule" or report["outcome"] != "SKIPPED" or has_work:
        return False
    return trains_nothing(execution_data["settings"])


def _deliver(report: Report, text: str, topic_arn: str | None) -> list[str]:
    """Send the event, and the message if there's a topic. List what couldn't be delivered.

    If one can't be delivered, the other is still sent.
    """
    deliveries = {"event to the default event bus": partial(_put_event, report)}
    if topic_arn is not None:
        deliveries[f"message to {topic_arn}"] = partial(_publish_message, report, topic_arn, text)

    failures = []
    for name, deliver in deliveries.items():
        try:
            deliver()
        except Exception as error:  # noqa: BLE001 - whatever it is, the run has done its work
            failures.append(f"{name}: {error}")
    return failures


def _publish_message(report: Report, topic_arn: str, text: str) -> None:
    """Publish the message to the topic, which forwards it to its subscribers.

    Chat applications subscribe via HTTPS and only show JSON in this format:
    https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html
    """
    subject = format_subject(report)
    content = {
        "textType": "client-markdown",
        "title": subject,
        "description": format_report(report, MAX_CHAT_BYTES),
    }
    chat_message = {"version": "1.0", "source": "custom", "content": content}

    sns().publish(
        TopicArn=topic_arn,
        Subject=subject,
        Message=json.dumps({"default": text, "https": json.dumps(chat_message)}),
        MessageStructure="json",
        # Subscriptions can filter messages by these attributes.
        MessageAttributes={
            key: {"DataType": "String", "StringValue": report[key]}
            for key in ("pipeline", "outcome", "trigger")
        },
    )


def _put_event(report: Report) -> None:
    """Put the report on the default event bus.

    Raises:
        ServiceUnavailable: EventBridge rejected the event. botocore doesn't raise anything then,
            because the response as a whole is successful.
    """
    entry: PutEventsRequestEntryTypeDef = {
        "Source": SOURCE,
        "DetailType": DETAIL_TYPE,
        "Detail": json.dumps(report),
        "Resources": [report["executionArn"]],
    }
    response = eventbridge().put_events(Entries=[entry])

    if response["FailedEntryCount"]:
        (result,) = response["Entries"]
        raise ServiceUnavailable(f"{result.get('ErrorCode')}: {result.get('ErrorMessage')}")
