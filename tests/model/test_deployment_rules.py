"""The rules of a deployment, one row for each situation. tests/model plays them in random order."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from functions.rules.deployments import (
    Ask,
    Deploy,
    Deployment,
    GoBack,
    Memory,
    Notes,
    SeenCampaign,
    Trial,
    Update,
    Version,
    WriteNotes,
    decide,
    waits,
    was_moved,
)
from functions.rules.pacing import pause
from functions.rules.probing import Probe, Probing, Response
from functions.rules.steps import Step

NOW = datetime(2026, 11, 29, 6, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
OLD, LIVE, NEW, NEWER = "old", "live", "new", "newer"
VERSIONS = {
    OLD: Version(NOW - 50 * HOUR, {"ndcg": 0.3}),
    LIVE: Version(NOW - 30 * HOUR, {"ndcg": 0.4}),
    NEW: Version(NOW - 2 * HOUR, {"ndcg": 0.39}),
    NEWER: Version(NOW - HOUR, {"ndcg": 0.5}),
}


def update(version, **fields):
    """Return an update to a version that has succeeded an hour ago."""
    times = {"created_at": NOW - 80 * MINUTE, "ended_at": NOW - HOUR}
    return Update(**{"version": version, **times, **fields})


def campaign(serves=LIVE, *, latest=None, versions=None, **notes):
    """Return a campaign that serves a version. `notes` are its tags."""
    known = {**VERSIONS, **(versions or {})}
    return SeenCampaign(
        serves=serves, update=latest or update(serves), notes=Notes(**notes), versions=known
    )


def wanted(**fields):
    """Return what a run wants of the campaign: that it serves the new version."""
    standard = {
        "version": NEW,
        "gate": [{"metric": "ndcg", "maxDrop": 0.1}],
        "probe": {"minutes": 10},
        "max_hours": 3,
    }
    return Deployment(**{**standard, **fields})


def step(seen, want=None, memory=None):
    """Return the step of the rules, and the memory after it."""
    memory = memory or Memory(NOW)
    return decide(seen, want or wanted(), memory, NOW), memory


def on_trial(version=NEW, ago=10 * MINUTE):
    """Return a trial that has begun some time ago."""
    return Trial(version, NOW - ago)


BEGUN = Trial(NEW, NOW)
REJECTED = wanted(gate=[{"metric": "ndcg", "minimum": 0.4}])
WAITING, SOON = "new waits for an approval", "2026-11-29T08:00:00+00:00"
APPROVED = {NEW: VERSIONS[NEW]._replace(answer="APPROVED")}
ASKED = {NEW: VERSIONS[NEW]._replace(answer="ASKED")}
REFUSED = {NEW: VERSIONS[NEW]._replace(answer="REFUSED")}


@pytest.mark.parametrize(
    ("seen", "want", "expected"),
    [
        (campaign(), wanted(), Step("UPDATING", Deploy(Notes(BEGUN, good=LIVE)))),
        (
            campaign(good=OLD, bad=LIVE),
            wanted(),
            Step("UPDATING", Deploy(Notes(BEGUN, good=OLD, bad=LIVE))),
        ),
        (campaign(NEW, good=NEW), wanted(), Step("JUDGING", outcome="DEPLOYED")),
        (
            campaign(NEW, good=LIVE),
            wanted(),
            Step("TRYING", WriteNotes(Notes(BEGUN, good=LIVE))),
        ),
        (
            campaign(NEWER),
            wanted(),
            Step(
                "JUDGING",
                outcome="SKIPPED",
                reasons=("the campaign serves newer, which is newer than new",),
            ),
        ),
        (
            campaign(OLD, good=LIVE),
            wanted(),
            Step("UPDATING", Deploy(Notes(BEGUN, good=OLD))),
        ),
        (
            campaign(OLD, good=LIVE),
            wanted(waited=True),
            Step("JUDGING", outcome="SKIPPED", reasons=("somebody has moved the campaign to old",)),
        ),
        (
            campaign(bad=NEW),
            wanted(),
            Step("JUDGING", outcome="ROLLED_BACK", reasons=["new was taken back here before"]),
        ),
        (
            campaign(versions=REFUSED),
            wanted(),
            Step("JUDGING", outcome="REJECTED", reasons=("new was refused",)),
        ),
        (
            campaign(),
            REJECTED,
            Step(
                "JUDGING",
                outcome="REJECTED",
                reasons=["ndcg has the value 0.3900, but the minimum is 0.4"],
            ),
        ),
        (
            campaign(),
            wanted(approval_hours=2),
            Step("JUDGING", Ask(NEW), 0, "AWAITING_APPROVAL", (f"{WAITING} until {SOON}",)),
        ),
        (
            campaign(versions=ASKED),
            wanted(approval_hours=2),
            Step("JUDGING", outcome="AWAITING_APPROVAL", reasons=(WAITING,)),
        ),
        (
            campaign(versions=APPROVED),
            wanted(approval_hours=2),
            Step("UPDATING", Deploy(Notes(BEGUN, good=LIVE))),
        ),
        (
            campaign(),
            wanted(version=None),
            Step("TRYING", outcome="SKIPPED", reasons=("no version is on trial",)),
        ),
    ],
)
def test_without_a_trial_the_version_is_judged_and_put_on_trial(seen, want, expected):
    assert step(seen, want)[0] == expected


def test_a_campaign_that_serves_nothing_has_no_version_to_compare_with():
    sending, memory = step(campaign(None, latest=update(LIVE, failure="no")))
    assert sending.act == Deploy(Notes(BEGUN))
    assert memory.metrics == {"ndcg": {"new": 0.39, "live": None}}
    assert memory.warnings[0].startswith("ndcg was not compared, because the new version has 0.39")


RUNNING = update(NEW, is_running=True, created_at=NOW - 10 * MINUTE)


@pytest.mark.parametrize(
    ("seen", "phase"),
    [
        (campaign(latest=RUNNING), "UPDATING"),
        (campaign(latest=RUNNING, trial=on_trial()), "UPDATING"),
        (campaign(NEW, latest=replace(RUNNING, version=LIVE), trial=on_trial()), "GOING_BACK"),
        (campaign(latest=replace(RUNNING, is_running=False, ended_at=NOW)), "UPDATING"),
    ],
)
def test_an_update_is_waited_for(seen, phase):
    age = (NOW - seen.update.created_at).total_seconds()
    assert step(seen)[0] == Step(phase, pause=pause((), age))


@pytest.mark.parametrize(
    ("seen", "hours", "reason"),
    [
        (campaign(latest=RUNNING), 3, "the update to new has not ended in 3 hours"),
        (campaign(), 3, "Personalize has not accepted the update to new in 3 hours"),
        (
            campaign(latest=RUNNING, trial=on_trial()),
            24,
            "the update to new has not ended in 24 hours",
        ),
        (campaign(NEW, trial=on_trial(), good=LIVE), 24, "new is still on trial after 24 hours"),
    ],
)
def test_a_deployment_is_given_up_at_its_deadline_and_a_trial_stays_open(seen, hours, reason):
    memory = Memory(NOW - timedelta(hours=hours))
    given_up, _ = step(seen, memory=memory)
    assert (given_up.act, given_up.outcome, given_up.reasons) == (None, "FAILED", (reason,))
    memory.began_at += MINUTE
    assert step(seen, memory=memory)[0].outcome is None


def test_the_update_of_a_trial_is_looked_at_rarely_after_its_deadline():
    late = update(NEW, is_running=True, created_at=NOW - 5 * HOUR)
    seen = campaign(latest=late, trial=on_trial(ago=5 * HOUR))
    assert step(seen)[0] == Step("UPDATING", pause=HOUR.total_seconds())


def probed(verdict, version=NEW):
    """Return the memory of a deployment whose probe has ended."""
    return Memory(NOW, probing=Probing(version, NOW, verdict=verdict, failure="0 results"))


FAILURE = "new failed its probe: 0 results"
NO_WAY_BACK = "no good version is known, so the campaign still serves new"


@pytest.mark.parametrize(
    ("seen", "memory", "want", "expected"),
    [
        (campaign(NEW, trial=on_trial(), good=LIVE), Memory(NOW), None, Step("TRYING", Probe())),
        (
            campaign(NEW, trial=on_trial(), good=LIVE, previous=OLD, bad=NEW),
            probed("PASSED"),
            None,
            Step("TRYING", WriteNotes(Notes(good=NEW, previous=LIVE)), outcome="DEPLOYED"),
        ),
        (
            campaign(NEW, trial=on_trial(), good=NEW, previous=OLD, bad=LIVE),
            probed("PASSED"),
            wanted(version=None),
            Step("TRYING", WriteNotes(Notes(None, NEW, OLD, LIVE)), outcome="DEPLOYED"),
        ),
        (
            campaign(NEW, trial=on_trial(), good=LIVE),
            Memory(NOW),
            wanted(probe=None),
            Step("TRYING", WriteNotes(Notes(good=NEW, previous=LIVE)), outcome="DEPLOYED"),
        ),
        (
            campaign(NEW, trial=on_trial(), good=LIVE),
            probed("FAILED"),
            None,
            Step("GOING_BACK", GoBack(LIVE)),
        ),
        (
            campaign(NEW, trial=on_trial()),
            probed("FAILED"),
            None,
            Step("TRYING", WriteNotes(Notes(bad=NEW)), 0, "FAILED", (FAILURE, NO_WAY_BACK)),
        ),
    ],
)
def test_a_version_on_trial_that_is_served_is_kept_or_taken_back(seen, memory, want, expected):
    assert step(seen, want, memory)[0] == expected


TAKEN_BACK = update(LIVE, created_at=NOW - 5 * MINUTE)
AT_FAULT = "the probe is at fault; correct the probe"
NEVER = "the update to newer was never sent"


@pytest.mark.parametrize(
    ("seen", "memory", "expected"),
    [
        (campaign(trial=on_trial(ago=9 * MINUTE)), Memory(NOW), Step("UPDATING", pause=15)),
        (
            campaign(trial=on_trial(), good=LIVE),
            Memory(NOW),
            Step("UPDATING", WriteNotes(Notes(good=LIVE))),
        ),
        (
            campaign(trial=on_trial(NEWER), good=LIVE),
            Memory(NOW),
            Step("UPDATING", WriteNotes(Notes(good=LIVE)), outcome="FAILED", reasons=(NEVER,)),
        ),
        (
            campaign(
                latest=update(NEW, created_at=NOW - 9 * MINUTE, failure="no"),
                trial=on_trial(),
            ),
            Memory(NOW),
            Step(
                "UPDATING",
                WriteNotes(Notes()),
                outcome="FAILED",
                reasons=("the update to new failed: no",),
            ),
        ),
        (
            campaign(OLD, latest=replace(TAKEN_BACK, version=OLD), trial=on_trial(), good=LIVE),
            Memory(NOW),
            Step(
                "TRYING",
                WriteNotes(Notes(good=LIVE)),
                outcome="SKIPPED",
                reasons=("somebody has moved the campaign to old",),
            ),
        ),
        (
            campaign(latest=TAKEN_BACK, trial=on_trial(), good=LIVE),
            Memory(NOW),
            Step("TRYING", Probe()),
        ),
        (
            campaign(latest=TAKEN_BACK, trial=on_trial(), good=LIVE),
            probed("PASSED", LIVE),
            Step(
                "GOING_BACK",
                WriteNotes(Notes(good=LIVE, bad=NEW)),
                outcome="ROLLED_BACK",
                reasons=["somebody has moved the campaign back to live"],
            ),
        ),
        (
            campaign(latest=TAKEN_BACK, trial=on_trial(), good=LIVE),
            probed("FAILED", LIVE),
            Step(
                "GOING_BACK",
                WriteNotes(Notes(good=LIVE)),
                outcome="FAILED",
                reasons=[f"{LIVE} answers as badly (0 results), so {AT_FAULT}"],
            ),
        ),
    ],
)
def test_a_version_on_trial_that_is_not_served_is_judged_by_what_happened(seen, memory, expected):
    assert step(seen, memory=memory)[0] == expected


def test_the_reason_of_a_rollback_is_the_failure_of_the_probe():
    memory = probed("FAILED")
    step(campaign(NEW, trial=on_trial(), good=LIVE), memory=memory)
    assert memory.reasons == [FAILURE]
    memory.probing = Probing(LIVE, NOW, verdict="PASSED")
    ended, _ = step(campaign(latest=TAKEN_BACK, trial=on_trial(), good=LIVE), memory=memory)
    assert (ended.outcome, ended.reasons) == ("ROLLED_BACK", [FAILURE])
    again, _ = step(campaign(bad=NEW), memory=memory)
    assert (again.outcome, again.reasons) == ("ROLLED_BACK", [FAILURE])


def test_a_response_counts_only_if_nothing_has_changed_meanwhile():
    seen = campaign(NEW, trial=on_trial(), good=LIVE)
    asking, memory = step(seen)
    assert asking.act == Probe()
    memory.probing.response = Response("0 results")
    pausing, _ = step(seen, memory=memory)
    assert (pausing.act, pausing.pause, memory.probing.bad_in_a_row) == (None, 30, 1)
    memory.probing.response = Response("0 results")
    moved = campaign(NEW, latest=update(NEW, created_at=NOW - MINUTE), trial=on_trial(), good=LIVE)
    asking, _ = step(moved, memory=memory)
    assert (asking.act, memory.probing.bad_in_a_row) == (Probe(), 1)


@pytest.mark.parametrize(
    ("latest", "is_busy"),
    [
        (update(LIVE), False),
        (update(LIVE, is_running=True), True),
        (update(NEW, failure="no", ended_at=NOW), False),
        (update(NEW, ended_at=NOW - 9 * MINUTE), True),
        (update(NEW, ended_at=NOW - 10 * MINUTE), False),
    ],
)
def test_a_campaign_is_busy_until_describe_shows_what_has_changed(latest, is_busy):
    assert (step(campaign(latest=latest))[0].act is None) is is_busy


@pytest.mark.parametrize(
    ("seen", "want", "expected"),
    [
        (campaign(), wanted(), True),
        (campaign(NEW), wanted(), True),
        (campaign(latest=RUNNING), wanted(), True),
        (campaign(), wanted(approval_hours=2), True),
        (campaign(versions=ASKED), wanted(approval_hours=2), False),
        (campaign(NEW, good=NEW), wanted(), False),
        (campaign(bad=NEW), wanted(), False),
        (campaign(), REJECTED, False),
        (campaign(OLD, good=LIVE), wanted(waited=True), False),
    ],
)
def test_a_campaign_waits_if_there_is_something_to_do(seen, want, expected):
    assert waits(seen, want, NOW) is expected


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (campaign(OLD, good=LIVE), True),
        (campaign(OLD), False),
        (campaign(LIVE, good=LIVE), False),
        (campaign(OLD, good=LIVE, trial=on_trial(OLD)), False),
        (campaign(OLD, latest=update(OLD, created_at=NOW - 3 * HOUR), good=LIVE), False),
    ],
)
def test_only_an_update_that_the_pipeline_would_not_send_is_a_move(seen, expected):
    assert was_moved(seen, NEW) is expected
