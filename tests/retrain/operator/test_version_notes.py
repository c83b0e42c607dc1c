"""Proves that the list of runs says what has happened to their versions since."""

from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from functions.personalize.campaigns import approval_tags
from functions.personalize.tags import BAD
from retrain.account.access import Access
from retrain.account.target import Target
from retrain.look import history, version_notes
from retrain.look.texts import time_text
from retrain.look.version_notes import ROLLED_BACK_SINCE, VersionNotes, answer_error
from tests.retrain.builders import (
    NEW,
    OLD,
    SOLUTION,
    STATE_MACHINE,
    campaign_report,
    run_report,
    solution_report,
)

ASKED_AT = (datetime.now(UTC) - timedelta(hours=1)).replace(microsecond=0)
WAITS = approval_tags("ASKED", ASKED_AT)
REFUSED_NOTE = (
    f"it was refused by ops at {ASKED_AT.isoformat()}; a run asks again after the next training"
)
WAITING_NOTE = (
    f"waits for an answer until {time_text(ASKED_AT + timedelta(hours=24))} UTC: `retrain approve "
    "movies/00000002 --stack prod` or `retrain approve --reject movies/00000002 --stack prod`"
)


@pytest.mark.parametrize(
    ("tags", "error"),
    [
        (WAITS, None),
        ({}, "it waits for no answer; a run asks when the version has passed the gate"),
        (approval_tags("APPROVED", ASKED_AT, "ops"), "it was approved by ops at"),
        (approval_tags("REFUSED", ASKED_AT, "ops"), REFUSED_NOTE),
    ],
    ids=["it waits", "nobody was asked", "approved", "refused"],
)
def test_a_version_that_waits_for_no_answer_says_why(tags, error):
    found = answer_error(tags, {"timeoutHours": 24}, ASKED_AT)
    assert found == error or found.startswith(error)


def run_with(outcome, version=NEW, **changes):
    """Return the report of a run whose campaign had this outcome."""
    campaign = campaign_report(outcome, reason=f"{version} waits")
    return run_report(solution_report(version=version, campaigns=[campaign], **changes))


@pytest.fixture
def notes(monkeypatch):
    """Return a function that returns the notes about reports. All resources have the tags."""
    monkeypatch.setattr(Access, "personalize", None)

    def about(tags, *reports, **solution):
        def tags_of(_client, arn):
            read.append(arn)
            if isinstance(tags, Exception):
                raise tags
            return tags

        read = []
        monkeypatch.setattr(version_notes, "tags_of", tags_of)
        settings = {"solutionArn": SOLUTION, "approval": {"timeoutHours": 24}, **solution}
        target = Target(STATE_MACHINE, {"solutions": [settings]}, Access(), "prod")
        of_runs = VersionNotes(target)
        found = [of_runs.about(report) for report in reports]
        assert len(read) == len(set(read)), "the tags of a version are read once"
        return found

    return about


@pytest.mark.parametrize(
    ("tags", "note"),
    [
        (WAITS, WAITING_NOTE),
        (
            approval_tags("REFUSED", ASKED_AT, "ops"),
            REFUSED_NOTE,
        ),
        (
            approval_tags("APPROVED", ASKED_AT, "ops"),
            f"it was approved by ops at {ASKED_AT.isoformat()}",
        ),
        (
            approval_tags("ASKED", datetime(2026, 1, 1, tzinfo=UTC)),
            (
                "it waits for no answer; a run asks when the version has passed the gate, and an "
                "answer is possible for 24 hours"
            ),
        ),
    ],
    ids=["nobody has answered", "refused", "approved", "too late"],
)
def test_a_version_that_waited_has_its_answer(notes, tags, note):
    assert notes(tags, run_with("AWAITING_APPROVAL")) == [{NEW: note}]


def test_only_the_newest_version_takes_an_answer(notes):
    newer, older = run_with("AWAITING_APPROVAL"), run_with("AWAITING_APPROVAL", version=OLD)
    superseded = {OLD: "nobody has answered, and there is a newer version"}
    assert notes(WAITS, newer, older) == [{NEW: WAITING_NOTE}, superseded]
    failed = run_with("FAILED", version=OLD, reason="no data")
    without = run_report(solution_report(version=None))
    assert notes(WAITS, without, failed, newer) == [{}, {}, {NEW: WAITING_NOTE}], (
        "a training that has failed does not count"
    )


def test_a_deployed_version_that_was_rolled_back_since_says_so(notes):
    rolled_back = {BAD: NEW}
    assert (
        notes(rolled_back, run_with("DEPLOYED"), run_with("DEPLOYED"))
        == [{NEW: ROLLED_BACK_SINCE}] * 2
    )
    assert notes({}, run_with("DEPLOYED")) == [{}]
    assert notes(rolled_back, run_with("ROLLED_BACK")) == [{}], "the line of the campaign says so"


def test_a_version_or_an_approval_that_is_gone_does_not_wait(notes):
    gone = ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "ListTagsForResource")
    waiting = run_with("AWAITING_APPROVAL")
    assert notes(gone, waiting) == [{NEW: "the version does not exist any more"}]
    assert notes(gone, run_with("DEPLOYED")) == [{}]
    ended = [{NEW: "the solution needs no approval any more"}]
    assert notes(WAITS, waiting, approval=None) == ended
    assert notes(WAITS, waiting, solutionArn="another") == ended
    denied = ClientError({"Error": {"Code": "AccessDeniedException"}}, "ListTagsForResource")
    with pytest.raises(ClientError):
        notes(denied, waiting)


def test_the_note_stands_instead_of_the_reason_of_the_report():
    report = run_with("AWAITING_APPROVAL")
    lines = [line.plain for line in history._report_lines(report, {NEW: "it was refused"})]  # noqa: SLF001
    assert lines == [
        "    movies/00000002 FULL, it was refused",
        "    campaign home-page AWAITING_APPROVAL",
    ]
