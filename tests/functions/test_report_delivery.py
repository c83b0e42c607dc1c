"""Tests of the delivery of reports: as a log record, as a message and as an event."""

import json
import logging

import boto3
import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError
from botocore.stub import Stubber

from functions import report_delivery
from functions.report import report_of
from functions.report_delivery import send_report
from functions.report_event import Sender
from tests.functions.samples import (
    CAMPAIGN,
    EXECUTION,
    REGION,
    RUN_ID,
    SOLUTION,
    campaign_result,
    finished,
    plan,
    run,
    solution_result,
)
from tests.world import PIPELINE, TOPIC

ALWAYS = {"topicArn": TOPIC, "on": "always", "dashboardUrl": None}
SENDER = Sender(PIPELINE, ALWAYS)
ONLY_PROBLEMS = Sender(PIPELINE, {**ALWAYS, "on": "problems"})
REJECTED = finished(solutions=[solution_result(campaigns=[campaign_result("REJECTED", "it fell")])])


def send(document=None, sender=SENDER, standings=None):
    document = document or finished()
    return send_report(
        "report_outcome", sender, document, report_of(document, standings), standings
    )


def only_trials(*trials):
    """Return the document of an execution that finishes trials."""
    document = finished(
        run=run(trigger="trials"),
        trials=[*trials],
        plan=plan(todo="NOTHING", reason=None if trials else "no campaign is on trial"),
    )
    for key in ("imports", "solutions"):
        del document[key]
    return document


def errors(caplog):
    return [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_each_run_sends_one_message_and_one_event(inbox):
    report = send()
    assert report == report_of(finished()), "the report is returned as it is"
    (message,) = inbox.messages
    assert (message.topic, message.subject) == (
        TOPIC,
        f"DEPLOYED {PIPELINE}: 1 campaign serves a new version",
    )
    assert message.attributes == {
        "pipeline": PIPELINE,
        "outcome": "DEPLOYED",
        "trigger": "schedule",
    }
    (detail,) = inbox.details
    assert (detail["schemaVersion"], detail["outcome"], detail["runId"]) == (1, "DEPLOYED", RUN_ID)


def test_the_text_of_the_report_is_logged(caplog):
    caplog.set_level(logging.INFO)
    report = send()
    record, measured = caplog.records
    assert (measured.name, measured.UndeliveredReports) == ("retraining.metrics", 0)
    assert record.getMessage() == report["text"]
    assert (record.step, record.runId, record.outcome) == ("report_outcome", RUN_ID, "DEPLOYED")


@pytest.mark.parametrize(
    ("sender", "document", "subjects"),
    [
        (SENDER, finished(), ["DEPLOYED"]),
        (SENDER, REJECTED, ["REJECTED"]),
        (ONLY_PROBLEMS, finished(), []),
        (ONLY_PROBLEMS, REJECTED, ["REJECTED"]),
        (Sender(PIPELINE, None), REJECTED, []),
    ],
    ids=["always", "always a problem", "problems", "problems a problem", "earlier release"],
)
def test_the_config_says_which_runs_send_a_message(inbox, sender, document, subjects):
    send(document, sender)
    assert [message.subject.split()[0] for message in inbox.messages] == subjects
    assert len(inbox.details) == 1, "programs hear of every run"


def test_a_version_that_is_still_on_trial_is_a_problem(inbox):
    on_trial = {CAMPAIGN: {"servedVersionArn": None, "versionOnTrial": f"{SOLUTION}/new"}}
    document = finished(plan=plan(todo="NOTHING", reason="nothing is new"))
    del document["imports"], document["solutions"]
    send(document, ONLY_PROBLEMS, on_trial)
    assert len(inbox.messages) == 1


def test_an_execution_without_a_trial_to_finish_sends_nothing(inbox):
    send(only_trials())
    assert (inbox.messages, inbox.details) == ([], [])


def test_an_execution_that_has_finished_a_trial_sends_a_message(inbox):
    send(only_trials(campaign_result()))
    assert (len(inbox.messages), len(inbox.details)) == (1, 1)


# What cannot be delivered

DENIED = ClientError({"Error": {"Code": "AuthorizationError", "Message": "no"}}, "Publish")


@pytest.mark.parametrize(
    "failure",
    [
        ClientError({"Error": {"Code": "NotFound", "Message": "Topic does not exist"}}, "Publish"),
        ClientError({"Error": {"Code": "Throttling", "Message": "Rate exceeded"}}, "Publish"),
        DENIED,
        ConnectTimeoutError(endpoint_url="https://sns"),
        MemoryError(),
    ],
    ids=["deleted", "throttled", "denied", "unreachable", "anything else"],
)
def test_a_report_that_cannot_be_delivered_changes_nothing(inbox, caplog, failure):
    caplog.set_level(logging.INFO)
    inbox.failure = failure
    assert send() == report_of(finished())
    (record,) = errors(caplog)
    assert record.getMessage() == (
        f"report_outcome: the report was not delivered: message to {TOPIC}: {failure}; "
        f"event to the default event bus: {failure}"
    )
    assert (record.step, record.runId, record.undeliveredReports) == ("report_outcome", RUN_ID, 2)
    (measured,) = [record for record in caplog.records if record.name == "retraining.metrics"]
    assert measured.UndeliveredReports == 2, "the alarm rings"


def test_a_message_that_cannot_be_delivered_does_not_keep_the_event_back(
    inbox, caplog, monkeypatch
):
    def deny(**_):
        raise DENIED

    monkeypatch.setattr(inbox, "publish", deny)
    send()
    assert len(inbox.details) == 1
    (record,) = errors(caplog)
    assert record.undeliveredReports == 1


def test_an_entry_that_eventbridge_did_not_take_is_not_delivered(inbox, caplog, monkeypatch):
    entry = {"ErrorCode": "InternalFailure", "ErrorMessage": "try again"}
    response = {"FailedEntryCount": 1, "Entries": [entry]}
    requests = []
    monkeypatch.setattr(inbox, "put_events", lambda **_: requests.append(1) or response)
    send()
    (record,) = errors(caplog)
    assert record.getMessage().endswith("event bus: InternalFailure: try again")
    assert (len(inbox.messages), len(requests)) == (1, 3)


def test_an_entry_that_eventbridge_takes_later_is_delivered(inbox, caplog, monkeypatch, clock):
    refused, put_events = [{"FailedEntryCount": 1, "Entries": [{}]}], inbox.put_events
    monkeypatch.setattr(
        inbox, "put_events", lambda **entry: refused.pop() if refused else put_events(**entry)
    )
    send()
    assert (len(inbox.details), errors(caplog), clock.slept) == (1, [], [0, 1])


def test_a_report_that_cannot_be_written_changes_nothing(inbox, caplog):
    document = finished()
    report = report_of(document)
    del document["solutions"][0]["version"]["isOfRun"]
    assert send_report("report_outcome", SENDER, document, report) == report
    assert (inbox.messages, inbox.details) == ([], [])
    trace, record = errors(caplog)
    assert trace.exc_info[0] is KeyError, "the log has the stack trace"
    assert record.undeliveredReports == 1
    assert record.getMessage().endswith("not delivered: KeyError: 'isOfRun'")


# The requests


def test_the_requests_fit_the_api(monkeypatch):
    keys = {"aws_access_key_id": "AKIA", "aws_secret_access_key": "secret", "region_name": REGION}
    sns, events = (Stubber(boto3.client(service, **keys)) for service in ("sns", "events"))
    published, put = {}, {}
    sns.client.meta.events.register(
        "provide-client-params", lambda params, **_: published.update(params)
    )
    events.client.meta.events.register(
        "provide-client-params", lambda params, **_: put.update(params)
    )
    sns.add_response("publish", {"MessageId": "1"})
    events.add_response("put_events", {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]})
    monkeypatch.setattr(report_delivery, "sns", lambda: sns.client)
    monkeypatch.setattr(report_delivery, "events", lambda: events.client)
    with sns, events:
        send()
    assert published["TopicArn"] == TOPIC
    assert published["MessageAttributes"]["outcome"] == {
        "DataType": "String",
        "StringValue": "DEPLOYED",
    }
    (entry,) = put["Entries"]
    assert json.loads(entry.pop("Detail"))["runId"] == RUN_ID
    assert entry == {
        "Source": "personalize-retraining",
        "DetailType": "Retraining Run Report",
        "Resources": [EXECUTION],
    }
