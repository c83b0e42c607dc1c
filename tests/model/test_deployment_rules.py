"""The rules of a deployment, one row for each situation. tests/model plays them in random order."""

from datetime import UTC, datetime, timedelta

import pytest

from functions.rules.deployments import (
    Ask,
    Deploy,
    Deployment,
    GoBack,
    Memory,
    Notes,
    Probe,
    SeenCampaign,
    Trial,
    Update,
    Version,
    WriteNotes,
    decide,
    is_busy,
    waits,
    was_moved,
)
from functions.rules.pacing import pause
from functions.rules.probing import Probing, Response
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
    standard = {"is_running": False, "has_failed": False, "failure": None}
    times = {"created_at": NOW - 80 * MINUTE, "ended_at": NOW - HOUR}
    return Update(**{**standard, **times, "version": version, **fields})


def campaign(serves=LIVE, *, latest=None, versions=None, created=False, **notes):
    """Return a campaign that serves a version. `notes` are its tags."""
    known = {**VERSIONS, **(versions or {})}
    return SeenCampaign(
        serves=serves,
        is_being_created=created,
        update=latest or update(serves),
        notes=Notes(**notes),
        version=known.__getitem__,
    )


def wanted(**fields):
    """Return what a run wants of the campaign: that it serves the new version."""
    standard = {
        "version": NEW,
        "rejections": lambda new, live: ["worse"] if new["ndcg"] < live["ndcg"] * 0.9 else [],
        "probe_minutes": 10,
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
LATE = Memory(NOW - 3 * HOUR)
REJECTED = wanted(rejections=lambda *_: ["worse", "much worse"])
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
            Step("JUDGING", outcome="REJECTED", reasons=("worse", "much worse")),
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
    compared = []
    want = wanted(rejections=lambda new, live: compared.append((new, live)) or [])
    assert step(campaign(None, latest=update(LIVE, has_failed=True)), want)[0].act == Deploy(
        Notes(BEGUN)
    )
    assert compared == [({"ndcg": 0.39}, {})]


def test_an_update_that_is_not_accepted_is_given_up_at_its_deadline():
    reason = "Personalize has not accepted the update to new in 3 hours"
    assert step(campaign(), memory=LATE)[0] == Step("UPDATING", outcome="FAILED", reasons=(reason,))


RUNNING = update(NEW, is_running=True, created_at=NOW - 10 * MINUTE)


@pytest.mark.parametrize(
    ("seen", "phase"),
    [
        (campaign(latest=RUNNING), "UPDATING"),
        (campaign(latest=RUNNING, trial=on_trial()), "UPDATING"),
        (campaign(NEW, latest=RUNNING._replace(version=LIVE), trial=on_trial()), "GOING_BACK"),
        (campaign(latest=RUNNING._replace(is_running=False, ended_at=NOW)), "UPDATING"),
    ],
)
def test_an_update_is_waited_for(seen, phase):
    age = (NOW - seen.update.created_at).total_seconds()
    assert step(seen)[0] == Step(phase, pause=pause((), age))


@pytest.mark.parametrize(
    ("trial", "memory", "hours"),
    [
        (None, Memory(NOW - HOUR), 3),
        (on_trial(ago=25 * HOUR), Memory(NOW - 24 * HOUR), 24),
    ],
)
def test_an_update_is_given_up_at_its_deadline(trial, memory, hours):
    late = update(NEW, is_running=True, created_at=NOW - timedelta(hours=hours))
    reason = f"the update to new has not ended in {hours} hours"
    given_up = step(campaign(latest=late, trial=trial), memory=memory)[0]
    assert given_up == Step("UPDATING", outcome="FAILED", reasons=(reason,))
    young = late._replace(created_at=late.created_at + MINUTE)
    memory.began_at += MINUTE
    assert step(campaign(latest=young, trial=trial), memory=memory)[0].outcome is None


def test_the_update_of_a_trial_is_looked_at_rarely_after_its_deadline():
    late = update(NEW, is_running=True, created_at=NOW - 5 * HOUR)
    seen = campaign(latest=late, trial=on_trial(ago=5 * HOUR))
    assert step(seen)[0] == Step("UPDATING", pause=HOUR.total_seconds())


def test_a_trial_that_does_not_end_is_left_to_the_watcher():
    memory = Memory(NOW - 24 * HOUR)
    seen = campaign(NEW, trial=on_trial(ago=30 * HOUR), good=LIVE)
    expected = Step("TRYING", outcome="FAILED", reasons=("new is still on trial",))
    assert step(seen, memory=memory)[0] == expected
    memory.began_at += MINUTE
    assert step(seen, memory=memory)[0].outcome is None


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
            wanted(probe_minutes=None),
            Step("TRYING", WriteNotes(Notes(good=NEW, previous=LIVE)), outcome="DEPLOYED"),
        ),
        (
            campaign(NEW, trial=on_trial(), good=LIVE),
            probed("PASSED"),
            wanted(version=NEWER),
            Step("TRYING", WriteNotes(Notes(good=NEW, previous=LIVE))),
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
            campaign(trial=on_trial(ago=MINUTE), good=LIVE),
            Memory(NOW, is_refused=True),
            Step("UPDATING", WriteNotes(Notes(good=LIVE))),
        ),
        (
            campaign(
                latest=update(NEW, has_failed=True, created_at=NOW - 9 * MINUTE, failure="no"),
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
            campaign(OLD, latest=TAKEN_BACK._replace(version=OLD), trial=on_trial(), good=LIVE),
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
                reasons=(f"{LIVE} answers as badly (0 results), so {AT_FAULT}",),
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
    memory.response = Response("0 results")
    pausing, _ = step(seen, memory=memory)
    assert (pausing.act, pausing.pause, memory.probing.bad_in_a_row) == (None, 30, 1)
    memory.response = Response("0 results")
    moved = campaign(NEW, latest=update(NEW, created_at=NOW - MINUTE), trial=on_trial(), good=LIVE)
    asking, _ = step(moved, memory=memory)
    assert (asking.act, memory.probing.bad_in_a_row) == (Probe(), 1)


@pytest.mark.parametrize(
    ("latest", "created", "expected"),
    [
        (update(LIVE), False, False),
        (update(LIVE), True, True),
        (update(LIVE, is_running=True), False, True),
        (update(NEW, has_failed=True, ended_at=NOW), False, False),
        (update(NEW, ended_at=NOW - 9 * MINUTE), False, True),
        (update(NEW, ended_at=NOW - 10 * MINUTE), False, False),
    ],
)
def test_a_campaign_is_busy_until_describe_shows_what_has_changed(latest, created, expected):
    assert bool(is_busy(campaign(latest=latest, created=created), NOW)) is expected


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
