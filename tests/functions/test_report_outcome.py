"""Tests of the notes about the verdicts that a report has told."""

import logging

import pytest
from botocore.exceptions import ClientError

from functions import report_outcome
from functions.personalize.tags import REPORTED_VERDICT_TAG
from functions.report import send
from functions.report_outcome import handler
from tests.functions import samples as s
from tests.functions.samples import CAMPAIGN, VERSION, campaign_result, solution_result

DENIED = ClientError({"Error": {"Code": "AuthorizationError", "Message": "no"}}, "TagResource")
CAUSES = {"REJECTED": "gate", "SKIPPED": "moved"}


def deny(*_, **__):
    """Refuse a request."""
    raise DENIED


@pytest.fixture
def written(monkeypatch):
    """Let reports be delivered. Return the campaigns and tags that are written."""
    tags = []
    monkeypatch.setattr(send, "personalize_read_client", lambda: None)
    monkeypatch.setattr(send, "read_serving", lambda *_: [])
    monkeypatch.setattr(report_outcome, "personalize_write_client", lambda: None)
    monkeypatch.setattr(report_outcome, "write_tags", lambda _, *written: tags.append(written))

    return tags


def finished(outcome, *, is_trial=False):
    """Return the document of a run in which one campaign has this outcome."""
    results = [campaign_result(outcome, "it fell", cause=CAUSES.get(outcome))]
    document = s.finished(solutions=[solution_result(campaigns=[] if is_trial else results)])
    return {**document, "trials": results if is_trial else []}


@pytest.mark.parametrize(
    "outcome, verdict",
    [
        ("REJECTED", f"{VERSION} REJECTED gate"),
        ("SKIPPED", f"{VERSION} SKIPPED moved"),
        ("ROLLED_BACK", f"{VERSION} ROLLED_BACK"),
        ("AWAITING_APPROVAL", f"{VERSION} AWAITING_APPROVAL"),
        ("DEPLOYED", None),
        ("FAILED", None),
    ],
)
@pytest.mark.parametrize("is_trial", [False, True])
def test_a_verdict_is_noted_after_its_report(written, outcome, verdict, is_trial):
    handler(finished(outcome, is_trial=is_trial), None)
    assert written == ([(CAMPAIGN, {REPORTED_VERDICT_TAG: verdict})] if verdict else [])


def test_the_verdict_on_an_older_version_is_not_noted(written):
    """The tag is about the newest version."""
    planned = s.planned_campaign(approvedVersionArn=VERSION)
    result = campaign_result("ROLLED_BACK", campaign=planned)
    handler(s.finished(solutions=[solution_result(campaigns=[result])]), None)
    assert written == []


def test_a_verdict_is_not_noted_if_its_report_was_not_delivered(written, monkeypatch, inbox):
    monkeypatch.setattr(inbox, "publish", deny)
    handler(finished("REJECTED"), None)
    assert written == []


@pytest.mark.usefixtures("written")
def test_a_verdict_that_cannot_be_noted_is_a_warning_and_changes_nothing(monkeypatch, caplog):
    monkeypatch.setattr(report_outcome, "write_tags", deny)
    reported = handler(finished("REJECTED"), None)

    assert reported["report"]["outcome"] == "REJECTED"
    assert "was not noted, so the next run reports it again" in caplog.text
    assert {record.levelno for record in caplog.records if record.levelno >= logging.WARNING} == {
        logging.WARNING
    }
