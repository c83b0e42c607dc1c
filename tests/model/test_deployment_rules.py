"""The rules of a deployment, one row for each state. tests/model plays them in random order."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from functions.rules import batch_jobs
from functions.rules.batch_jobs import SeenBatchJobs, WantedBatchJob
from functions.rules.deployments import (
    Alarm,
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
    needs_run,
)
from functions.rules.gate import Baseline
from functions.rules.pacing import pause
from functions.rules.probing import Probe, Probing, Response
from functions.rules.steps import Step

NOW = datetime(2026, 11, 29, 6, tzinfo=UTC)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
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


def campaign(serves=LIVE, *, latest=None, answer=None, **notes):
    """Return a campaign that serves a version. `notes` are its tags.

    `answer` is that of a person about the new version.
    """
    return SeenCampaign(
        serves=serves,
        update=latest or update(serves),
        notes=Notes(**notes),
        versions={**VERSIONS, NEW: VERSIONS[NEW]._replace(answer=answer)},
    )


def wanted(**fields):
    """Return what a run wants of the campaign: that it serves the new version."""
    gate, probe = [{"metric": "ndcg", "maxDrop": 0.1}], {"minutes": 10}
    return Deployment(**{"version": NEW, "gate": gate, "probe": probe, "max_hours": 3, **fields})


def step(seen, want=None, memory=None):
    """Return the step of the rules, and the memory after it."""
    memory = memory or Memory(NOW)
    decided = decide(seen, want or wanted(), memory, NOW)
    return decided._replace(reasons=tuple(decided.reasons)), memory


def end(outcome, *reasons, act=None, phase="JUDGING"):
    """Return a step that ends the item."""
    return Step(phase, act, outcome=outcome, reasons=reasons)


def on_trial(version=NEW, ago=10 * MINUTE, *, was_served=True):
    """Return a trial that has begun some time ago."""
    return Trial(version, NOW - ago, was_served=was_served)


# No version is on trial

BEGUN = Trial(NEW, NOW)
APPROVAL = wanted(approval_hours=2)
TOO_LOW = end("REJECTED", "ndcg has the value 0.3900, but the minimum is 0.4")
MINIMUM = wanted(gate=[{"metric": "ndcg", "minimum": 0.4}])
WAITING = "new waits for an approval"


@pytest.mark.parametrize(
    ("seen", "want", "notes"),
    [
        (campaign(), wanted(), Notes(BEGUN, good=LIVE)),
        (campaign(good=OLD, bad=LIVE), wanted(), Notes(BEGUN, good=OLD, bad=LIVE)),
        (campaign(OLD, good=LIVE), wanted(), Notes(BEGUN, good=OLD)),
        (campaign(bad=LIVE, good=NEW, previous=OLD), wanted(), Notes(BEGUN, OLD, OLD, LIVE)),
        (campaign(answer="APPROVED"), APPROVAL, Notes(BEGUN, good=LIVE)),
        (campaign(None, latest=update(LIVE, failure="no")), wanted(), Notes(BEGUN)),
    ],
)
def test_the_version_is_put_on_trial_and_sent(seen, want, notes):
    assert step(seen, want)[0] == Step("UPDATING", Deploy(NEW, notes))


def test_a_version_that_is_served_and_was_never_tried_is_put_on_trial_without_an_update():
    notes = Notes(BEGUN, good=LIVE)
    assert step(campaign(NEW, good=LIVE))[0] == Step("TRYING", WriteNotes(notes))


def pinned(seen):
    """Return a campaign that somebody has pinned."""
    return replace(seen, pin="pinned since Monday by ops")


UNTIL_UNPIN = (
    "the campaign is pinned since Monday by ops, so it keeps its version; see retrain unpin"
)


@pytest.mark.parametrize(
    ("seen", "want", "expected"),
    [
        (pinned(campaign()), wanted(), end("SKIPPED", UNTIL_UNPIN)),
        (pinned(campaign()), APPROVAL, end("SKIPPED", UNTIL_UNPIN)),
        (pinned(campaign(NEW, good=LIVE)), wanted(), end("SKIPPED", UNTIL_UNPIN)),
        (pinned(campaign(NEW, good=NEW)), wanted(), end("DEPLOYED")),
        (pinned(campaign()), MINIMUM, TOO_LOW),
        (pinned(campaign(NEW, trial=on_trial(), good=LIVE)), wanted(), Step("TRYING", Probe())),
    ],
)
def test_a_pinned_campaign_gets_no_version_but_its_trial_goes_on(seen, want, expected):
    assert step(seen, want)[0] == expected


@pytest.mark.parametrize(
    ("seen", "want", "expected"),
    [
        (campaign(NEW, good=NEW), wanted(), end("DEPLOYED")),
        (
            campaign(NEWER),
            wanted(),
            end("SKIPPED", "the campaign serves newer, which is newer than new"),
        ),
        (
            campaign(OLD, good=LIVE),
            wanted(waited=True),
            end("SKIPPED", "somebody has moved the campaign to old"),
        ),
        (
            campaign(bad=NEW),
            wanted(),
            end("ROLLED_BACK", "a run or a person has taken new back here"),
        ),
        (campaign(answer="REFUSED"), wanted(), end("REJECTED", "new was refused")),
        (campaign(), MINIMUM, TOO_LOW),
        (
            campaign(),
            APPROVAL,
            end("AWAITING_APPROVAL", f"{WAITING} until 2026-11-29 08:00 UTC", act=Ask(NEW)),
        ),
        (campaign(answer="ASKED"), APPROVAL, end("AWAITING_APPROVAL", WAITING)),
        (
            campaign(),
            wanted(version=None),
            end("SKIPPED", "no version is on trial", phase="TRYING"),
        ),
    ],
)
def test_a_version_that_is_not_deployed_has_a_reason(seen, want, expected):
    assert step(seen, want)[0] == expected


def test_a_campaign_that_serves_nothing_has_no_version_to_compare_with():
    _, memory = step(campaign(None, latest=update(LIVE, failure="no")))
    assert memory.metrics == {"ndcg": {"new": 0.39, "live": None}}
    assert memory.warnings[0].startswith("ndcg was not compared, because the new version has 0.39")


@pytest.mark.parametrize(
    ("seen", "want", "expected"),
    [
        (campaign(), wanted(), True),
        (campaign(latest=update(NEW, is_running=True)), wanted(), True),
        (campaign(), APPROVAL, True),
        (campaign(answer="ASKED"), APPROVAL, False),
        (campaign(NEW, good=NEW), wanted(), False),
        (pinned(campaign()), wanted(), False),
    ],
)
def test_a_campaign_waits_if_there_is_something_to_do(seen, want, expected):
    assert needs_run(decide(seen, want, Memory(NOW), NOW)) is expected


@pytest.mark.parametrize(
    ("seen", "was_moved"),
    [
        (campaign(OLD, good=LIVE), True),
        (campaign(OLD), False),
        (campaign(LIVE, good=LIVE), False),
        (campaign(None, latest=update(OLD, failure="no"), good=LIVE), False),
        (campaign(OLD, latest=update(OLD, created_at=NOW - 3 * HOUR), good=LIVE), False),
    ],
)
def test_only_an_update_that_the_pipeline_would_not_send_is_a_move(seen, was_moved):
    assert (step(seen, wanted(waited=True))[0].outcome == "SKIPPED") is was_moved


# Updates and deadlines

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
    ("latest", "is_busy"),
    [
        (update(LIVE), False),
        (update(LIVE, is_running=True), True),
        (update(NEW, failure="no", ended_at=NOW), False),
        (update(NEW, ended_at=NOW - 10 * MINUTE + SECOND), True),
        (update(NEW, ended_at=NOW - 10 * MINUTE), False),
    ],
)
def test_a_campaign_is_busy_until_describe_shows_what_has_changed(latest, is_busy):
    assert (step(campaign(latest=latest))[0].act is None) is is_busy


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
    memory = Memory(NOW - timedelta(hours=hours), reasons=["before"])
    given_up, _ = step(seen, memory=memory)
    assert (given_up.act, given_up.outcome) == (None, "FAILED")
    assert given_up.reasons == ("before", reason)
    memory.began_at += SECOND
    assert step(seen, memory=memory)[0].outcome is None


@pytest.mark.parametrize(("hours", "seconds"), [(3, 36 * 60), (5, 3600)])
def test_the_update_of_a_trial_is_looked_at_rarely_after_its_deadline(hours, seconds):
    late = update(NEW, is_running=True, created_at=NOW - hours * HOUR)
    assert step(campaign(latest=late, trial=on_trial()))[0] == Step("UPDATING", pause=seconds)


# The baselines of the gate

RELATIVE = wanted(gate=[{"metric": "ndcg", "maxDrop": 0.1, "relativeTo": "popular"}])
TRAINED = Baseline("popular/1", NOW - 2 * HOUR, is_running=False, metrics={"ndcg": 0.1})
IN_TRAINING = Baseline("popular/2", NOW - 20 * SECOND, is_running=True, metrics={})


def with_baselines(new, live, *, ended=HOUR, **changes):
    """Return a campaign whose two versions have these baselines. The training ended before."""
    seen = campaign(**changes)
    versions = {
        NEW: seen.versions[NEW]._replace(baselines={"popular": new}, ended_at=NOW - ended),
        LIVE: seen.versions[LIVE]._replace(baselines={"popular": live}, ended_at=NOW),
    }
    return replace(seen, versions={**seen.versions, **versions})


@pytest.mark.parametrize(
    ("seen", "pause_seconds"),
    [
        (with_baselines(IN_TRAINING, TRAINED), 4),
        (with_baselines(TRAINED, IN_TRAINING), 4),
        (with_baselines(IN_TRAINING._replace(created_at=NOW), TRAINED), 1),
        (with_baselines(IN_TRAINING._replace(created_at=NOW - HOUR), TRAINED), 45),
        (with_baselines(None, TRAINED, ended=SECOND), 1),
        (with_baselines(None, TRAINED, ended=3 * MINUTE - SECOND), 35.8),
    ],
    ids=["new", "live", "just created", "for long", "just ended", "not listed yet"],
)
def test_a_baseline_in_training_is_waited_for_in_an_open_invocation(seen, pause_seconds):
    waiting, memory = step(seen, RELATIVE)
    assert waiting == Step("JUDGING", pause=pause_seconds, reasons=(memory.waits_because,))


@pytest.mark.parametrize(
    ("seen", "outcome"),
    [
        (with_baselines(TRAINED, TRAINED), None),
        (with_baselines(None, TRAINED, ended=3 * MINUTE), None),
        (with_baselines(TRAINED, None), None),
        (with_baselines(IN_TRAINING, TRAINED, bad=NEW), "ROLLED_BACK"),
        (with_baselines(IN_TRAINING, TRAINED, answer="REFUSED"), "REJECTED"),
        (with_baselines(IN_TRAINING, TRAINED, serves=NEW, good=NEW), "DEPLOYED"),
    ],
    ids=["trained", "missing", "live missing", "bad", "refused", "served"],
)
def test_a_version_is_not_held_up_longer_than_its_judgement_needs(seen, outcome):
    decided, _ = step(seen, RELATIVE)
    assert (decided.pause, decided.outcome) == (0, outcome)


@pytest.mark.parametrize(("hours", "outcome"), [(2.9, None), (3, "FAILED")])
def test_a_batch_job_waits_for_the_baseline_too(hours, outcome):
    versions = with_baselines(IN_TRAINING, TRAINED).versions
    want = WantedBatchJob(run="run", version=NEW, gate=RELATIVE.gate, job={"maxHours": 3})
    memory = batch_jobs.Memory(NOW - timedelta(hours=hours))
    decided = batch_jobs.decide(SeenBatchJobs(jobs=[], versions=versions), want, memory, NOW)
    assert (decided.pause, decided.outcome) == (0 if outcome else 4, outcome)
    assert "the baseline popular/2 is still in training" in decided.reasons[0]


def test_the_baseline_is_named_if_its_training_does_not_end():
    memory = Memory(NOW - 3 * HOUR + SECOND)
    assert step(with_baselines(IN_TRAINING, TRAINED), RELATIVE, memory)[0].outcome is None
    memory.began_at = NOW - 3 * HOUR
    given_up, _ = step(with_baselines(IN_TRAINING, TRAINED), RELATIVE, memory)
    reason = "the baseline popular/2 is still in training after 3 hours"
    assert (given_up.outcome, given_up.reasons) == ("FAILED", (reason,))
    memory.began_at = NOW
    step(with_baselines(TRAINED, TRAINED), RELATIVE, memory)
    assert memory.waits_because is None


# A version is on trial

FAILURE = "new failed its probe: 0 results"
DELETED = "the update to new failed, or the campaign is being deleted"
NO_WAY_BACK = "no good version is known, so the campaign still serves new"
KEPT = end("DEPLOYED", act=WriteNotes(Notes(good=NEW, previous=LIVE)), phase="TRYING")


def probed(verdict, version=NEW):
    """Return the memory of a deployment whose probe has ended."""
    return Memory(NOW, probing=Probing(version, NOW, verdict=verdict, failure="0 results"))


@pytest.mark.parametrize(
    ("notes", "memory", "want", "expected"),
    [
        (Notes(good=LIVE), Memory(NOW), wanted(), Step("TRYING", Probe())),
        (Notes(good=LIVE, previous=OLD, bad=NEW), probed("PASSED"), wanted(), KEPT),
        (
            Notes(good=NEW, previous=OLD, bad=LIVE),
            probed("PASSED"),
            wanted(version=None),
            end("DEPLOYED", act=WriteNotes(Notes(None, NEW, OLD, LIVE)), phase="TRYING"),
        ),
        (Notes(good=LIVE), Memory(NOW), wanted(probe=None), KEPT),
        (Notes(good=LIVE), probed("FAILED"), wanted(), Step("GOING_BACK", GoBack(LIVE))),
        (
            Notes(),
            probed("FAILED"),
            wanted(),
            end("FAILED", FAILURE, NO_WAY_BACK, act=WriteNotes(Notes(bad=NEW)), phase="TRYING"),
        ),
    ],
)
def test_a_version_on_trial_that_is_served_is_kept_or_taken_back(notes, memory, want, expected):
    seen = campaign(NEW, **notes._replace(trial=on_trial())._asdict())
    assert step(seen, want, memory)[0] == expected


def test_before_its_probe_a_tag_says_that_the_version_was_served():
    seen = campaign(NEW, trial=on_trial(was_served=False), good=LIVE)
    assert step(seen)[0] == Step("TRYING", WriteNotes(Notes(on_trial(), good=LIVE)))


TAKEN_BACK = update(LIVE, created_at=NOW - 5 * MINUTE)
FAULT = "live answers as badly (0 results), so the probe is at fault; correct the probe"
GOOD = WriteNotes(Notes(good=LIVE))
REJUDGED = campaign(latest=TAKEN_BACK, trial=on_trial(), good=LIVE)


@pytest.mark.parametrize(
    ("seen", "memory", "expected"),
    [
        (
            campaign(trial=on_trial(ago=10 * MINUTE - SECOND)),
            Memory(NOW),
            Step("UPDATING", pause=15),
        ),
        (campaign(trial=on_trial(), good=LIVE), Memory(NOW), Step("UPDATING", GOOD)),
        (
            campaign(trial=on_trial(NEWER), good=LIVE),
            Memory(NOW),
            end(
                "FAILED",
                "the update to newer was never sent, or it failed",
                act=GOOD,
                phase="UPDATING",
            ),
        ),
        (
            campaign(
                latest=update(NEW, created_at=NOW - 9 * MINUTE, failure="no"),
                trial=on_trial(),
                good=LIVE,
            ),
            Memory(NOW),
            end("FAILED", "the update to new failed: no", act=GOOD, phase="UPDATING"),
        ),
        (
            campaign(None, latest=update(NEW), trial=on_trial(ago=90 * MINUTE), good=LIVE),
            Memory(NOW),
            end("FAILED", DELETED, act=GOOD, phase="UPDATING"),
        ),
        (
            campaign(OLD, latest=replace(TAKEN_BACK, version=OLD), trial=on_trial(), good=LIVE),
            Memory(NOW),
            end("SKIPPED", "somebody has moved the campaign to old", act=GOOD, phase="TRYING"),
        ),
        (REJUDGED, Memory(NOW), Step("TRYING", Probe())),
        (
            campaign(latest=TAKEN_BACK, trial=on_trial(was_served=False), good=LIVE),
            Memory(NOW),
            Step("UPDATING", GOOD),
        ),
        (
            REJUDGED,
            probed("PASSED", LIVE),
            end(
                "ROLLED_BACK",
                "a run or a person has moved it back to live",
                act=WriteNotes(Notes(good=LIVE, bad=NEW)),
                phase="GOING_BACK",
            ),
        ),
        (REJUDGED, probed("FAILED", LIVE), end("FAILED", FAULT, act=GOOD, phase="GOING_BACK")),
    ],
)
def test_a_version_on_trial_that_is_not_served_is_judged_by_what_happened(seen, memory, expected):
    assert step(seen, memory=memory)[0] == expected


def test_the_reason_of_a_rollback_is_the_failure_of_the_probe_also_if_the_tags_got_no_answer():
    memory = probed("FAILED")
    step(campaign(NEW, trial=on_trial(), good=LIVE), memory=memory)
    memory.probing = Probing(LIVE, NOW, verdict="PASSED")
    for seen in (REJUDGED, campaign(bad=NEW)):
        ended, _ = step(seen, memory=memory)
        assert (ended.outcome, ended.reasons) == ("ROLLED_BACK", (FAILURE,))


@pytest.mark.parametrize(
    ("seen", "version", "previous"),
    [
        (campaign(), NEW, LIVE),
        (campaign(NEW, good=LIVE), NEW, LIVE),
        (campaign(NEW, good=NEW, previous=LIVE), NEW, LIVE),
        (campaign(trial=on_trial(NEWER), good=OLD), NEWER, LIVE),
        (campaign(NEWER, trial=on_trial(NEWER), good=OLD), NEWER, OLD),
    ],
)
def test_the_report_is_about_the_version_on_trial_and_the_one_before(seen, version, previous):
    _, memory = step(seen)
    assert (memory.version, memory.previous) == (version, previous)
    step(campaign(version, trial=on_trial(version), good=OLD), memory=memory)
    assert memory.previous == previous, "what was served before the trial stays"


@pytest.mark.parametrize(
    ("latest", "created_at", "ended_at"),
    [
        (RUNNING, RUNNING.created_at, None),
        (replace(RUNNING, is_running=False, ended_at=NOW), RUNNING.created_at, NOW),
        (replace(RUNNING, created_at=NOW - HOUR), None, None),
        (TAKEN_BACK, None, None),
    ],
)
def test_only_the_update_of_the_trial_is_reported(latest, created_at, ended_at):
    _, memory = step(campaign(latest=latest, trial=on_trial(), good=LIVE))
    assert (memory.created_at, memory.ended_at) == (created_at, ended_at)


# Bakes

BAKED = {"probe": None, "bake": 2 * HOUR, "bake_pause": 300}
BEGAN = NOW - 80 * MINUTE
"""When the trial began."""


def bake(*alarms, until=NOW + HOUR, **fields):
    """Return a campaign that serves the new version during its bake."""
    trial = Trial(NEW, BEGAN, was_served=True, baked_until=until)
    return replace(campaign(NEW, **{"trial": trial, "good": LIVE, **fields}), alarms=alarms)


RINGING = Alarm("orders", "ALARM", BEGAN + SECOND)
OK = Alarm("orders", "OK")
RANG = "the alarm orders went off at 2026-11-29 04:40 UTC"
BACK = Step("GOING_BACK", GoBack(LIVE))
BAKING = Step("BAKING", pause=300, reasons=("the bake ends at 2026-11-29 07:00 UTC, in 1 h",))
SOON = "the bake ends at 2026-11-29 06:03 UTC, in 3 min"


@pytest.mark.parametrize("trial", [on_trial(was_served=False), on_trial()])
@pytest.mark.parametrize("probe", [None, {"minutes": 10}])
def test_a_bake_begins_when_a_look_shows_that_the_version_is_served(trial, probe):
    """The word `served` is there already if the bake is new in the config."""
    noted = trial._replace(was_served=True, baked_until=NOW + 2 * HOUR)
    seen = campaign(NEW, trial=trial, good=LIVE)
    expected = Step("TRYING", WriteNotes(Notes(noted, good=LIVE)))
    assert step(seen, wanted(**BAKED | {"probe": probe}))[0] == expected


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (bake(OK), BAKING),
        (bake(until=NOW + 200 * SECOND), BAKING._replace(pause=200, reasons=(SOON,))),
        (bake(until=NOW), KEPT),
        (bake(RINGING), BACK),
        (bake(OK, RINGING, until=NOW - 9 * HOUR), BACK),
        (bake(RINGING._replace(since=BEGAN), until=NOW), KEPT),
        (bake(RINGING._replace(since=BEGAN)), BAKING),
        (bake(OK._replace(since=BEGAN + SECOND)), BAKING),
        (
            bake(RINGING, good=None),
            end("FAILED", RANG, NO_WAY_BACK, act=WriteNotes(Notes(bad=NEW)), phase="TRYING"),
        ),
        (replace(REJUDGED, alarms=[RINGING]), None),
    ],
)
def test_an_alarm_that_goes_off_during_the_bake_moves_the_campaign_back(seen, expected):
    decided, memory = step(seen, wanted(**BAKED))
    assert decided.outcome == "ROLLED_BACK" if expected is None else decided == expected
    if expected == BACK:
        assert memory.reasons == [RANG]


def test_an_alarm_is_heeded_during_the_probe_and_the_bake_goes_on_after_it():
    want = wanted(**BAKED | {"probe": {"minutes": 10}})
    assert step(bake(), want)[0] == Step("TRYING", Probe())
    assert step(bake(RINGING), want)[0] == BACK
    assert step(bake(), want, probed("PASSED"))[0] == BAKING
    assert step(bake(until=NOW), want)[0] == Step("TRYING", Probe()), "the probe is longer"
    failed, memory = step(bake(), want, probed("FAILED"))
    assert (failed, memory.reasons) == (BACK, [FAILURE])


def test_an_alarm_that_recovers_before_the_campaign_has_gone_back_is_not_forgotten():
    _, memory = step(bake(RINGING), wanted(**BAKED))
    assert step(bake(OK, until=NOW), wanted(**BAKED), memory)[0] == BACK
    ended, _ = step(REJUDGED, wanted(**BAKED), memory)
    assert (ended.outcome, ended.reasons) == ("ROLLED_BACK", (RANG,))


def test_a_bake_that_the_config_has_no_more_ends_at_once():
    assert step(bake(), wanted(probe=None))[0] == KEPT


def test_a_deployment_with_a_bake_is_given_up_later():
    seen, memory = bake(), Memory(NOW - 26 * HOUR + SECOND)
    assert step(seen, wanted(**BAKED), memory)[0].outcome is None
    memory.began_at -= SECOND
    assert step(seen, wanted(**BAKED), memory)[0].reasons == (
        "new is still on trial after 26 hours",
    )


# Probes


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


GOOD_ONE, BAD, ERROR = Response(), Response("0 results"), Response("500", is_error=True)


@pytest.mark.parametrize(
    ("responses", "minutes", "verdict"),
    [
        ([GOOD_ONE] * 21, 10, "PASSED"),
        ([GOOD_ONE] * 20, 10, ""),
        ([BAD] * 3, 10, "FAILED"),
        ([BAD, BAD, GOOD_ONE, BAD, BAD], 10, ""),
        ([*[GOOD_ONE] * 20, BAD, GOOD_ONE], 10, "PASSED"),
        ([BAD, ERROR, BAD, ERROR, BAD], 10, "FAILED"),
        ([ERROR] * 31, 10, "FAILED"),
        ([ERROR] * 30, 10, ""),
        ([*[ERROR] * 30, GOOD_ONE], 10, "PASSED"),
        ([*[ERROR] * 20, BAD, *[ERROR] * 30], 10, ""),
        ([GOOD_ONE] * 11, 1, "PASSED"),
    ],
)
def test_a_probe_ends_after_its_minutes_three_bad_responses_or_15_silent_minutes(
    responses, minutes, verdict
):
    probing, now = Probing(NEW, NOW), NOW
    for response in responses:
        assert probing.next_step(NOW, minutes, now) == Step("TRYING", Probe())
        probing.response = response
        waiting = probing.next_step(NOW, minutes, now)
        now += timedelta(seconds=waiting.pause if waiting else 0)
    assert probing.verdict == verdict
    failures = [response.failure for response in responses if response.failure]
    assert probing.failure == (failures[-1] if failures else None)
