"""The rules of a deployment, one row for each state. tests/model plays them in random order."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from functions.common.messages import Message
from functions.rules.campaigns import (
    Alarm,
    CampaignState,
    CampaignUpdate,
    Deploy,
    DeploymentProgress,
    DeploymentRecord,
    DeploymentSpec,
    RequestApproval,
    RollBack,
    SaveRecord,
    Trial,
)
from functions.rules.deployments import (
    decide,
    list_versions_to_compare,
    list_versions_to_order,
    needs_report,
    needs_run,
    pause_after_error,
)
from functions.rules.pacing import choose_poll_pause
from functions.rules.probing import Probe, ProbeRun, Response
from functions.rules.steps import Step, update_progress
from functions.rules.versions import NO_VERSION

NOW = datetime(2026, 11, 29, 6, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
OLD = "old"
LIVE = "live"
TWIN = "twin"
NEW = "new"
NEWER = "newer"
VERSIONS = {
    OLD: NO_VERSION._replace(created_at=NOW - 50 * HOUR, metrics={"ndcg": 0.3}),
    LIVE: NO_VERSION._replace(created_at=NOW - 30 * HOUR, metrics={"ndcg": 0.4}),
    TWIN: NO_VERSION._replace(created_at=NOW - 2 * HOUR, metrics={"ndcg": 0.4}),
    NEW: NO_VERSION._replace(created_at=NOW - 2 * HOUR, metrics={"ndcg": 0.39}),
    NEWER: NO_VERSION._replace(created_at=NOW - HOUR, metrics={"ndcg": 0.5}),
}
VERSIONS = {arn: version._replace(arn=arn) for arn, version in VERSIONS.items()}


def update(version, **fields):
    """Return an update to a version that has succeeded an hour ago."""
    times = {"created_at": NOW - 80 * MINUTE, "ended_at": NOW - HOUR}
    return CampaignUpdate(**{"version_arn": version, **times, **fields})


def campaign(served_version_arn=LIVE, *, latest=None, approval=None, **record):
    """Return a campaign that serves a version. `record` is what its tags say.

    `answer` is that of a person about the new version.
    """
    return CampaignState(
        served_version_arn=served_version_arn,
        update=latest or update(served_version_arn),
        record=DeploymentRecord(**record),
        versions={**VERSIONS, NEW: VERSIONS[NEW]._replace(approval=approval)},
    )


def trained_elsewhere(seen, **facts):
    """Return a campaign whose candidate no run has trained. `facts` are about its data."""
    return replace(seen, versions={**seen.versions, NEW: seen.versions[NEW]._replace(**facts)})


def wanted(**fields):
    """Return what a run wants of the campaign: that it serves the new version."""
    gate = [{"metric": "ndcg", "maxDrop": 0.1}]
    probe = {"minutes": 10}

    return DeploymentSpec(
        **{
            "campaign_arn": "home",
            "candidate_arn": NEW,
            "gate": gate,
            "probe": probe,
            "max_hours": 3,
            **fields,
        }
    )


DEPLOY_NEW = wanted()


def polled(seen, spec):
    """Return the campaign with what a poll reads about versions, and not more."""
    compared = list_versions_to_compare(seen, spec, NOW)
    ordered = list_versions_to_order(seen, spec, NOW)
    versions = {arn: seen.versions.get(arn, NO_VERSION) for arn in (*compared, *ordered)}

    return replace(seen, versions=versions)


def step(seen, want=None, progress=None, now=NOW):
    """Return the step of the rules, and the progress after it.

    The rules know no more about versions than a poll has read for them.
    """
    spec = want or DEPLOY_NEW
    progress = progress or DeploymentProgress(NOW - 3 * MINUTE)
    decided = decide(polled(seen, spec), spec, progress, now)
    update_progress(progress, decided)

    return decided._replace(reasons=tuple(decided.reasons), progress_changes={}), progress


def end(outcome, *reasons, cause=None, action=None, phase="JUDGING"):
    """Return a step that ends the item."""
    return Step(phase, action, outcome=outcome, cause=cause, reasons=reasons)


def on_trial(version=NEW, ago=10 * MINUTE, *, was_served=True):
    """Return a trial that has begun some time ago."""
    return Trial(version, NOW - ago, was_served=was_served)


TRIED = campaign(NEW, trial=on_trial(), good_version_arn=LIVE)
"""A campaign that serves the new version, which is on trial."""


# No version is on trial

BEGUN = Trial(NEW, NOW)
APPROVAL = wanted(approval={"timeoutHours": 2})
TOO_LOW = end("REJECTED", "ndcg has the value 0.3900, but the minimum is 0.4", cause="gate")
MINIMUM = wanted(gate=[{"metric": "ndcg", "minimum": 0.4}])
WAITING = "new is waiting for approval"


@pytest.mark.parametrize(
    "seen, want, record",
    [
        (campaign(), DEPLOY_NEW, DeploymentRecord(BEGUN, good_version_arn=LIVE)),
        (campaign(TWIN), DEPLOY_NEW, DeploymentRecord(BEGUN, good_version_arn=TWIN)),
        (
            campaign(good_version_arn=OLD, blocked_version_arn=LIVE),
            DEPLOY_NEW,
            DeploymentRecord(BEGUN, good_version_arn=OLD, blocked_version_arn=LIVE),
        ),
        (
            campaign(OLD, good_version_arn=LIVE),
            DEPLOY_NEW,
            DeploymentRecord(BEGUN, good_version_arn=OLD),
        ),
        (
            campaign(blocked_version_arn=LIVE, good_version_arn=NEW, previous_good_version_arn=OLD),
            DEPLOY_NEW,
            DeploymentRecord(BEGUN, OLD, OLD, LIVE),
        ),
        (campaign(approval="APPROVED"), APPROVAL, DeploymentRecord(BEGUN, good_version_arn=LIVE)),
        (campaign(None, latest=update(LIVE, failure="no")), DEPLOY_NEW, DeploymentRecord(BEGUN)),
    ],
)
def test_the_version_is_put_on_trial_and_sent(seen, want, record):
    now = NOW + SECOND / 2  # An update's time has no microseconds.
    assert step(seen, want, now=now)[0] == Step("UPDATING", Deploy(NEW, record))


def test_a_version_that_is_served_and_was_never_tried_is_put_on_trial_without_an_update():
    record = DeploymentRecord(BEGUN, good_version_arn=LIVE)
    assert step(campaign(NEW, good_version_arn=LIVE))[0] == Step("ON_TRIAL", SaveRecord(record))


def pinned(seen):
    """Return a campaign that somebody has pinned."""
    return replace(seen, pin="pinned since Monday by ops")


UNTIL_UNPIN = Message(
    text=(
        "the campaign is pinned since Monday by ops, so it keeps its version; to end this, unpin it"
    ),
    command="retrain unpin --campaign home",
)
SKIPPED_BY_PIN = end("SKIPPED", UNTIL_UNPIN, cause="pinned")


@pytest.mark.parametrize(
    "seen, want, expected",
    [
        (pinned(campaign()), DEPLOY_NEW, SKIPPED_BY_PIN),
        (pinned(campaign()), APPROVAL, SKIPPED_BY_PIN),
        (pinned(campaign(NEW, good_version_arn=LIVE)), DEPLOY_NEW, SKIPPED_BY_PIN),
        (pinned(campaign(NEW, good_version_arn=NEW)), DEPLOY_NEW, end("DEPLOYED")),
        (pinned(campaign()), MINIMUM, TOO_LOW),
        (
            pinned(TRIED),
            DEPLOY_NEW,
            Step("ON_TRIAL", Probe()),
        ),
    ],
)
def test_a_pinned_campaign_gets_no_version_but_its_trial_goes_on(seen, want, expected):
    assert step(seen, want)[0] == expected


@pytest.mark.parametrize(
    "seen, want, expected",
    [
        (campaign(NEW, good_version_arn=NEW), DEPLOY_NEW, end("DEPLOYED")),
        (
            campaign(NEWER),
            DEPLOY_NEW,
            end("SKIPPED", "the campaign serves newer, which is newer than new", cause="newer"),
        ),
        (
            campaign(OLD, good_version_arn=LIVE),
            wanted(is_candidate_from_earlier_run=True),
            end("SKIPPED", "somebody has moved the campaign to old", cause="moved"),
        ),
        (
            campaign(blocked_version_arn=NEW),
            DEPLOY_NEW,
            end("ROLLED_BACK", "a run or a person rolled new back at this campaign"),
        ),
        (
            campaign(good_version_arn=LIVE, blocked_version_arn=NEWER),
            DEPLOY_NEW,
            end(
                "SKIPPED",
                Message(
                    text=(
                        "new is older than newer, which was rolled back here; to deploy it "
                        "anyway, move the campaign to it"
                    ),
                    command="retrain rollback --campaign home --to new",
                ),
                cause="older",
            ),
        ),
        (
            campaign(approval="REFUSED"),
            DEPLOY_NEW,
            end("REJECTED", "new was refused", cause="refused"),
        ),
        (
            trained_elsewhere(campaign(), untrusted_data="it was trained on nonsense"),
            DEPLOY_NEW,
            end(
                "REJECTED",
                Message(
                    text="it was trained on nonsense; to deploy it anyway, move the campaign to it",
                    command="retrain rollback --campaign home --to new",
                ),
                cause="data",
            ),
        ),
        (campaign(), MINIMUM, TOO_LOW),
        (
            campaign(),
            APPROVAL,
            end(
                "AWAITING_APPROVAL",
                f"{WAITING} until 2026-11-29 08:00 UTC",
                action=RequestApproval(NEW),
            ),
        ),
        (campaign(approval="REQUESTED"), APPROVAL, end("AWAITING_APPROVAL", WAITING)),
        (
            campaign(),
            wanted(candidate_arn=None),
            end("SKIPPED", "no version is on trial", phase="ON_TRIAL"),
        ),
    ],
)
def test_a_version_that_is_not_deployed_has_a_reason(seen, want, expected):
    assert step(seen, want)[0] == expected


def test_a_doubt_about_the_data_of_a_version_is_a_warning():
    doubtful = trained_elsewhere(campaign(), data_warnings=["an import was running"])
    found, progress = step(doubtful)
    assert isinstance(found.action, Deploy)
    assert progress.warnings == ["an import was running"]


def test_a_campaign_that_serves_nothing_has_no_version_to_compare_with():
    progress = DeploymentProgress(NOW, warnings=["a tag is late"])
    step(campaign(None, latest=update(LIVE, failure="no")), progress=progress)
    assert progress.metrics == [{"metric": "ndcg", "new": 0.39, "served": None}]
    earlier, warning = progress.warnings

    assert earlier == "a tag is late"
    assert warning.startswith("ndcg was not compared, because the candidate has 0.39")


@pytest.mark.parametrize(
    "seen, want, has_work, has_news",
    [
        (campaign(), DEPLOY_NEW, True, False),
        (campaign(latest=update(NEW, is_running=True)), DEPLOY_NEW, True, False),
        (campaign(), APPROVAL, True, False),
        (campaign(approval="REQUESTED"), APPROVAL, False, True),
        (campaign(NEW, good_version_arn=NEW), DEPLOY_NEW, False, False),
        (pinned(campaign()), DEPLOY_NEW, False, True),
    ],
)
def test_a_campaign_waits_if_there_is_something_to_do_or_else_to_say(
    seen, want, has_work, has_news
):
    first_step, _ = step(seen, want)
    assert needs_run(first_step) is has_work
    assert needs_report(first_step, seen, NEW) is has_news


@pytest.mark.parametrize(
    "seen, was_moved",
    [
        (campaign(OLD, good_version_arn=LIVE), True),
        (campaign(OLD), False),
        (campaign(LIVE, good_version_arn=LIVE), False),
        (campaign(None, latest=update(OLD, failure="no"), good_version_arn=LIVE), False),
        (
            campaign(OLD, latest=update(OLD, created_at=NOW - 3 * HOUR), good_version_arn=LIVE),
            False,
        ),
    ],
)
def test_only_an_update_that_the_pipeline_would_not_send_is_a_move(seen, was_moved):
    assert (
        step(seen, wanted(is_candidate_from_earlier_run=True))[0].outcome == "SKIPPED"
    ) is was_moved


NO_CANDIDATE = wanted(candidate_arn=None)
UPDATING = update(LIVE, is_running=True)


@pytest.mark.parametrize(
    "seen, want, compared, ordered",
    [
        (campaign(), DEPLOY_NEW, [NEW, LIVE], []),
        (campaign(None, latest=update(LIVE, failure="no")), DEPLOY_NEW, [NEW], []),
        (campaign(NEW), DEPLOY_NEW, [], []),
        (campaign(blocked_version_arn=OLD), DEPLOY_NEW, [NEW, LIVE], [NEW, OLD]),
        (campaign(blocked_version_arn=NEW), DEPLOY_NEW, [NEW, LIVE], []),
        (campaign(blocked_version_arn=OLD), NO_CANDIDATE, [], []),
        (campaign(blocked_version_arn=OLD, trial=on_trial(NEWER)), DEPLOY_NEW, [], [NEWER, OLD]),
        (campaign(blocked_version_arn=OLD, latest=UPDATING), DEPLOY_NEW, [], []),
    ],
    ids=["both", "nothing served", "deployed", "block", "itself", "no version", "trial", "update"],
)
def test_a_poll_reads_only_the_versions_that_are_going_to_be_compared(
    seen, want, compared, ordered
):
    assert list_versions_to_compare(seen, want, NOW) == compared
    assert list_versions_to_order(seen, want, NOW) == ordered


@pytest.mark.parametrize(
    "blocked, is_deployed",
    [(None, True), (LIVE, True), (TWIN, True), ("deleted", True), (NEWER, False)],
)
def test_only_a_version_that_is_older_than_the_blocked_one_is_left_out(blocked, is_deployed):
    decided, _ = step(campaign(good_version_arn=LIVE, blocked_version_arn=blocked))
    assert isinstance(decided.action, Deploy) is is_deployed


@pytest.mark.parametrize(
    "before, after", [(None, NEW), (OLD, NEW), ("deleted", NEW), (NEW, NEW), (NEWER, NEWER)]
)
def test_the_newest_version_that_was_rolled_back_stays_blocked(before, after):
    rolled_back = replace(REJUDGED, record=REJUDGED.record._replace(blocked_version_arn=before))
    ended, _ = step(rolled_back, progress=probed("PASSED", LIVE))
    assert (ended.outcome, ended.action.record.blocked_version_arn) == ("ROLLED_BACK", after)

    without_way_back = campaign(NEW, trial=on_trial(), blocked_version_arn=before)
    ended, _ = step(without_way_back, progress=probed("FAILED"))
    assert (ended.outcome, ended.action.record.blocked_version_arn) == ("FAILED", after)


# Verdicts that were reported

REFUSED = campaign(approval="REFUSED")


@pytest.mark.parametrize(
    "seen, want, verdict",
    [
        (REFUSED, DEPLOY_NEW, "new REJECTED refused"),
        (campaign(), MINIMUM, "new REJECTED gate"),
        (pinned(campaign()), DEPLOY_NEW, "new SKIPPED pinned"),
        (campaign(blocked_version_arn=NEW), DEPLOY_NEW, "new ROLLED_BACK"),
        (campaign(approval="REQUESTED"), APPROVAL, "new AWAITING_APPROVAL"),
    ],
)
def test_a_verdict_is_reported_until_the_tag_of_the_campaign_says_so(seen, want, verdict):
    first_step, _ = step(seen, want)
    for reported in (None, "new SKIPPED moved", verdict.replace("new", "old")):
        assert needs_report(first_step, replace(seen, reported_verdict=reported), NEW), reported

    assert not needs_report(first_step, replace(seen, reported_verdict=verdict), NEW)


# Updates and deadlines

RUNNING = update(NEW, is_running=True, created_at=NOW - 10 * MINUTE)


@pytest.mark.parametrize(
    "seen, phase",
    [
        (campaign(latest=RUNNING), "UPDATING"),
        (campaign(latest=RUNNING, trial=on_trial()), "UPDATING"),
        (
            campaign(NEW, latest=replace(RUNNING, version_arn=LIVE), trial=on_trial()),
            "ROLLING_BACK",
        ),
        (campaign(latest=replace(RUNNING, is_running=False, ended_at=NOW)), "UPDATING"),
    ],
)
def test_an_update_is_waited_for(seen, phase):
    age = (NOW - seen.update.created_at).total_seconds()
    assert step(seen)[0] == Step(phase, pause=choose_poll_pause((), age))


@pytest.mark.parametrize(
    "latest, is_busy",
    [
        (update(LIVE), False),
        (update(LIVE, is_running=True), True),
        (update(NEW, failure="no", ended_at=NOW), False),
        (update(NEW, ended_at=NOW - 10 * MINUTE + SECOND), True),
        (update(NEW, ended_at=NOW - 10 * MINUTE), False),
    ],
)
def test_a_campaign_is_busy_until_describe_shows_what_has_changed(latest, is_busy):
    assert (step(campaign(latest=latest))[0].action is None) is is_busy


@pytest.mark.parametrize(
    "seen, hours, bake_hours, reason",
    [
        (campaign(latest=RUNNING), 3, 2, "the update to new has not ended in 3 hours"),
        (campaign(), 3, 2, "Personalize has not accepted the update to new in 3 hours"),
        (
            campaign(latest=RUNNING, trial=on_trial()),
            24,
            0,
            "the update to new has not ended in 24 hours",
        ),
        (TRIED, 24, 0, "new is still on trial after 24 hours"),
        (TRIED, 26, 2, "new is still on trial after 26 hours"),
    ],
)
def test_a_deployment_is_given_up_at_its_deadline_and_a_trial_stays_open(
    seen, hours, bake_hours, reason
):
    want = wanted(bake=bake_hours * HOUR)
    progress = DeploymentProgress(NOW - hours * HOUR, rollback_reasons=["before"])
    given_up, _ = step(seen, want, progress)
    assert (given_up.action, given_up.outcome) == (None, "FAILED")
    assert given_up.reasons == ("before", reason)
    progress.began_at += SECOND

    assert step(seen, want, progress)[0].outcome is None


@pytest.mark.parametrize("hours, seconds", [(3, 36 * 60), (5, 3600)])
def test_the_update_of_a_trial_is_looked_at_rarely_after_its_deadline(hours, seconds):
    late = update(NEW, is_running=True, created_at=NOW - hours * HOUR)
    assert step(campaign(latest=late, trial=on_trial()))[0] == Step("UPDATING", pause=seconds)


# The baselines of the gate

RELATIVE = wanted(gate=[{"metric": "ndcg", "maxDrop": 0.1, "relativeTo": "popular"}])
TRAINED = NO_VERSION._replace(arn="popular/1", metrics={"ndcg": 0.1})
IN_TRAINING = NO_VERSION._replace(arn="popular/2", created_at=NOW - 20 * SECOND, is_running=True)


def with_baselines(new, live, *, ended=HOUR, **changes):
    """Return a campaign whose two versions have these baselines. The training ended before."""
    seen = campaign(**changes)
    versions = {
        NEW: seen.versions[NEW]._replace(baselines={"popular": new}, ended_at=NOW - ended),
        LIVE: seen.versions[LIVE]._replace(baselines={"popular": live}, ended_at=NOW),
    }

    return replace(seen, versions={**seen.versions, **versions})


@pytest.mark.parametrize(
    "seen, pause_seconds",
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
    waiting, progress = step(seen, RELATIVE)
    assert waiting == Step("JUDGING", pause=pause_seconds, reasons=(progress.delayed_by,))


@pytest.mark.parametrize(
    "seen, outcome",
    [
        (with_baselines(TRAINED, TRAINED), None),
        (with_baselines(None, TRAINED, ended=3 * MINUTE), None),
        (with_baselines(TRAINED, None), None),
        (with_baselines(TRAINED._replace(metrics={}), TRAINED), None),
        (with_baselines(IN_TRAINING, TRAINED, blocked_version_arn=NEW), "ROLLED_BACK"),
        (with_baselines(IN_TRAINING, TRAINED, approval="REFUSED"), "REJECTED"),
        (
            trained_elsewhere(with_baselines(IN_TRAINING, TRAINED), untrusted_data="nonsense"),
            "REJECTED",
        ),
        (
            trained_elsewhere(campaign(blocked_version_arn=NEW), untrusted_data="nonsense"),
            "ROLLED_BACK",
        ),
        (
            with_baselines(IN_TRAINING, TRAINED, served_version_arn=NEW, good_version_arn=NEW),
            "DEPLOYED",
        ),
    ],
    ids=[
        "trained",
        "missing",
        "live missing",
        "without metrics",
        "bad",
        "refused",
        "bad data",
        "bad, and bad data",
        "served",
    ],
)
def test_a_version_is_not_held_up_longer_than_its_judgement_needs(seen, outcome):
    decided, _ = step(seen, RELATIVE)
    assert (decided.pause, decided.outcome) == (0, outcome)


def test_the_baseline_is_named_if_its_training_does_not_end():
    progress = DeploymentProgress(NOW - 3 * HOUR + SECOND)
    assert step(with_baselines(IN_TRAINING, TRAINED), RELATIVE, progress)[0].outcome is None
    progress.began_at = NOW - 3 * HOUR
    given_up, _ = step(with_baselines(IN_TRAINING, TRAINED), RELATIVE, progress)
    reason = "the baseline popular/2 is still in training after 3 hours"
    assert (given_up.outcome, given_up.reasons) == ("FAILED", (reason,))
    progress.began_at = NOW
    step(with_baselines(TRAINED, TRAINED), RELATIVE, progress)

    assert progress.delayed_by == ""


# A version is on trial

FAILURE = "new failed its probe: 0 results"
DELETED = "the update to new failed, or the campaign is being deleted"
NO_WAY_BACK = "no good version is known, so the campaign still serves new"
KEPT = end(
    "DEPLOYED",
    action=SaveRecord(DeploymentRecord(good_version_arn=NEW, previous_good_version_arn=LIVE)),
    phase="ON_TRIAL",
)


def stuck(reason):
    """Return the step after which the campaign still serves a bad version."""
    blocked = SaveRecord(DeploymentRecord(blocked_version_arn=NEW))
    return end("FAILED", reason, NO_WAY_BACK, action=blocked, phase="ON_TRIAL")


def probed(result, version=NEW):
    """Return the progress of a deployment whose probe has ended."""
    return DeploymentProgress(
        NOW, probe_run=ProbeRun(version, NOW, 10, result=result, failure="0 results")
    )


@pytest.mark.parametrize(
    "record, progress, want, expected",
    [
        (
            DeploymentRecord(good_version_arn=LIVE),
            None,
            DEPLOY_NEW,
            Step("ON_TRIAL", Probe()),
        ),
        (
            DeploymentRecord(
                good_version_arn=LIVE, previous_good_version_arn=OLD, blocked_version_arn=NEW
            ),
            probed("PASSED"),
            DEPLOY_NEW,
            KEPT,
        ),
        (
            DeploymentRecord(
                good_version_arn=NEW, previous_good_version_arn=OLD, blocked_version_arn=LIVE
            ),
            probed("PASSED"),
            wanted(candidate_arn=None),
            end(
                "DEPLOYED",
                action=SaveRecord(DeploymentRecord(None, NEW, OLD, LIVE)),
                phase="ON_TRIAL",
            ),
        ),
        (
            DeploymentRecord(good_version_arn=LIVE),
            None,
            wanted(probe=None),
            KEPT,
        ),
        (
            DeploymentRecord(good_version_arn=LIVE),
            probed("FAILED"),
            DEPLOY_NEW,
            Step("ROLLING_BACK", RollBack(LIVE)),
        ),
        (
            DeploymentRecord(),
            probed("FAILED"),
            DEPLOY_NEW,
            stuck(FAILURE),
        ),
    ],
)
def test_a_version_on_trial_that_is_served_is_kept_or_taken_back(record, progress, want, expected):
    seen = campaign(NEW, **record._replace(trial=on_trial())._asdict())
    assert step(seen, want, progress)[0] == expected


def test_before_its_probe_a_tag_says_that_the_version_was_served():
    seen = campaign(NEW, trial=on_trial(was_served=False), good_version_arn=LIVE)
    assert step(seen)[0] == Step(
        "ON_TRIAL", SaveRecord(DeploymentRecord(on_trial(), good_version_arn=LIVE))
    )


TAKEN_BACK = update(LIVE, created_at=NOW - 5 * MINUTE)
FAULT = "live answers as badly (0 results), so the probe is at fault; correct the probe"
RANG = "the alarm orders went off at 2026-11-29 04:40 UTC"
GOOD = SaveRecord(DeploymentRecord(good_version_arn=LIVE))
REJUDGED = campaign(latest=TAKEN_BACK, trial=on_trial(), good_version_arn=LIVE)


@pytest.mark.parametrize(
    "seen, progress, expected",
    [
        (
            campaign(trial=on_trial(ago=10 * MINUTE - SECOND)),
            None,
            Step("UPDATING", pause=15),
        ),
        (
            campaign(trial=on_trial(), good_version_arn=LIVE),
            None,
            Step("UPDATING", GOOD),
        ),
        (
            campaign(trial=on_trial(NEWER), good_version_arn=LIVE),
            None,
            end(
                "FAILED",
                "the update to newer was never sent, or it failed",
                action=GOOD,
                phase="UPDATING",
            ),
        ),
        (
            campaign(
                latest=update(NEW, created_at=NOW - 9 * MINUTE, failure="no"),
                trial=on_trial(),
                good_version_arn=LIVE,
            ),
            None,
            end("FAILED", "the update to new failed: no", action=GOOD, phase="UPDATING"),
        ),
        (
            campaign(
                None, latest=update(NEW), trial=on_trial(ago=90 * MINUTE), good_version_arn=LIVE
            ),
            None,
            end("FAILED", DELETED, action=GOOD, phase="UPDATING"),
        ),
        (
            campaign(
                OLD,
                latest=replace(TAKEN_BACK, version_arn=OLD),
                trial=on_trial(),
                good_version_arn=LIVE,
            ),
            None,
            end(
                "SKIPPED",
                "somebody has moved the campaign to old",
                cause="moved",
                action=GOOD,
                phase="ON_TRIAL",
            ),
        ),
        (REJUDGED, None, Step("ON_TRIAL", Probe())),
        (
            campaign(latest=TAKEN_BACK, trial=on_trial(was_served=False), good_version_arn=LIVE),
            None,
            Step("UPDATING", GOOD),
        ),
        (
            REJUDGED,
            probed("PASSED", LIVE),
            end(
                "ROLLED_BACK",
                "a run or a person has rolled it back to live",
                action=SaveRecord(DeploymentRecord(good_version_arn=LIVE, blocked_version_arn=NEW)),
                phase="ROLLING_BACK",
            ),
        ),
        (
            REJUDGED,
            replace(probed("FAILED", LIVE), rollback_reasons=[RANG]),
            end("FAILED", RANG, FAULT, action=GOOD, phase="ROLLING_BACK"),
        ),
    ],
)
def test_a_version_on_trial_that_is_not_served_is_judged_by_what_happened(seen, progress, expected):
    assert step(seen, progress=progress)[0] == expected


def test_the_reason_of_a_rollback_is_the_failure_of_the_probe_also_if_the_tags_got_no_answer():
    progress = probed("FAILED")
    step(TRIED, progress=progress)
    progress.probe_run = ProbeRun(LIVE, NOW, 10, result="PASSED")
    for seen in (REJUDGED, campaign(blocked_version_arn=NEW)):
        ended, _ = step(seen, progress=progress)
        assert (ended.outcome, ended.reasons) == ("ROLLED_BACK", (FAILURE,))


@pytest.mark.parametrize(
    "seen, version, previous",
    [
        (campaign(), NEW, LIVE),
        (campaign(NEW, good_version_arn=LIVE), NEW, LIVE),
        (campaign(NEW, good_version_arn=NEW, previous_good_version_arn=LIVE), NEW, LIVE),
        (campaign(trial=on_trial(NEWER), good_version_arn=OLD), NEWER, LIVE),
        (campaign(NEWER, trial=on_trial(NEWER), good_version_arn=OLD), NEWER, OLD),
    ],
)
def test_the_report_is_about_the_version_on_trial_and_the_one_before(seen, version, previous):
    _, progress = step(seen)
    assert (progress.version_arn, progress.previous_version_arn) == (version, previous)
    step(campaign(version, trial=on_trial(version), good_version_arn=OLD), progress=progress)

    assert progress.previous_version_arn == previous, "what was served before the trial stays"


@pytest.mark.parametrize(
    "latest, created_at, ended_at",
    [
        (RUNNING, RUNNING.created_at, None),
        (
            replace(RUNNING, is_running=False, created_at=NOW - 9 * MINUTE, ended_at=NOW),
            NOW - 9 * MINUTE,
            NOW,
        ),
        (replace(RUNNING, created_at=NOW - HOUR), None, None),
        (TAKEN_BACK, None, None),
    ],
)
def test_only_the_update_of_the_trial_is_reported(latest, created_at, ended_at):
    _, progress = step(campaign(latest=latest, trial=on_trial(), good_version_arn=LIVE))
    assert (progress.update_created_at, progress.update_ended_at) == (created_at, ended_at)


# Bakes

BAKED = {"probe": None, "bake": 2 * HOUR, "max_bake_pause_seconds": 300}
BEGAN = NOW - 80 * MINUTE
"""When the trial began."""


def bake(*alarms, until=NOW + HOUR, **fields):
    """Return a campaign that serves the new version during its bake."""
    trial = Trial(NEW, BEGAN, was_served=True, bake_ends_at=until)
    return replace(
        campaign(NEW, **{"trial": trial, "good_version_arn": LIVE, **fields}), alarms=alarms
    )


RINGING = Alarm("orders", "ALARM", BEGAN + SECOND)
OK = Alarm("orders", "OK")
BACK = Step("ROLLING_BACK", RollBack(LIVE))
BAKING = Step("BAKING", pause=300, reasons=("the bake ends at 2026-11-29 07:00 UTC",))
SOON = "the bake ends at 2026-11-29 06:03 UTC"


@pytest.mark.parametrize("trial", [on_trial(was_served=False), on_trial()])
@pytest.mark.parametrize("probe", [None, {"minutes": 10}])
def test_a_bake_begins_when_a_look_shows_that_the_version_is_served(trial, probe):
    """The word `served` is there already if the bake is new in the config."""
    noted = trial._replace(was_served=True, bake_ends_at=NOW + 2 * HOUR)
    seen = campaign(NEW, trial=trial, good_version_arn=LIVE)
    expected = Step("ON_TRIAL", SaveRecord(DeploymentRecord(noted, good_version_arn=LIVE)))

    assert step(seen, wanted(**BAKED | {"probe": probe}), now=NOW + SECOND / 2)[0] == expected


@pytest.mark.parametrize(
    "seen, expected",
    [
        (bake(OK), BAKING),
        (bake(until=NOW + 200 * SECOND), BAKING._replace(pause=200, reasons=(SOON,))),
        (bake(until=NOW), KEPT),
        (bake(RINGING, OK._replace(name="returns", state_changed_at=NOW)), BACK),
        (bake(RINGING._replace(name="returns"), RINGING), BACK),
        (bake(OK, RINGING, until=NOW - 9 * HOUR), BACK),
        (bake(RINGING._replace(state_changed_at=BEGAN), until=NOW), KEPT),
        (bake(RINGING._replace(state_changed_at=BEGAN)), BAKING),
        (bake(OK._replace(state_changed_at=BEGAN + SECOND)), BAKING),
        (
            bake(RINGING, good_version_arn=None),
            stuck(RANG),
        ),
        (replace(REJUDGED, alarms=[RINGING]), None),
    ],
)
def test_an_alarm_that_goes_off_during_the_bake_moves_the_campaign_back(seen, expected):
    decided, progress = step(seen, wanted(**BAKED))
    assert decided.outcome == "ROLLED_BACK" if expected is None else decided == expected
    if expected == BACK:
        assert progress.rollback_reasons == [RANG]
    if expected == KEPT:
        assert progress.warnings == [], "an alarm from before the trial is nobody's news"


def test_an_alarm_is_heeded_although_the_arrival_cannot_be_recorded():
    """Whoever may update a campaign may be denied to tag it."""
    arriving = Trial(NEW, BEGAN, was_served=False)
    seen = replace(campaign(NEW, trial=arriving, good_version_arn=LIVE), alarms=[RINGING])
    recording, progress = step(seen, wanted(**BAKED))
    assert recording.action.record.trial.was_served, "there was no error yet"
    progress.failing_since = NOW - MINUTE
    assert step(seen, wanted(**BAKED), progress)[0] == BACK
    rolled_back = campaign(latest=TAKEN_BACK, trial=arriving, good_version_arn=LIVE)
    ended, _ = step(rolled_back, wanted(**BAKED), progress)

    assert (ended.outcome, ended.reasons) == ("ROLLED_BACK", (RANG,))
    assert ended.action.record.blocked_version_arn == NEW


def test_an_alarm_is_heeded_during_the_probe_and_the_bake_goes_on_after_it():
    want = wanted(**BAKED | {"probe": {"minutes": 10}})
    assert step(bake(), want)[0] == Step("ON_TRIAL", Probe())
    assert step(bake(RINGING), want)[0] == BACK
    assert step(bake(), want, probed("PASSED"))[0] == BAKING
    assert step(bake(until=NOW), want)[0] == Step("ON_TRIAL", Probe()), "the probe is longer"
    failed, progress = step(bake(), want, probed("FAILED"))

    assert (failed, progress.rollback_reasons) == (BACK, [FAILURE])


def test_an_alarm_that_recovers_before_the_campaign_has_gone_back_is_not_forgotten():
    _, progress = step(bake(RINGING), wanted(**BAKED))
    assert step(bake(OK, until=NOW), wanted(**BAKED), progress)[0] == BACK
    ended, _ = step(REJUDGED, wanted(**BAKED), progress)

    assert (ended.outcome, ended.reasons) == ("ROLLED_BACK", (RANG,))


def test_a_bake_that_the_config_has_no_more_ends_at_once():
    assert step(bake(), wanted(probe=None))[0] == KEPT


# Errors during a trial

BAKING_TRIAL = on_trial()._replace(bake_ends_at=NOW + HOUR)
BAKED_TRIAL = on_trial()._replace(bake_ends_at=NOW)
WITH_BAKE = wanted(bake=2 * HOUR, max_bake_pause_seconds=300)


@pytest.mark.parametrize(
    "trial, want, began_ago, failing_for, seconds",
    [
        (on_trial(), DEPLOY_NEW, HOUR, None, 60),
        (on_trial(), DEPLOY_NEW, HOUR, 1000 * SECOND, 350),
        (on_trial(), DEPLOY_NEW, 24 * HOUR - 100 * SECOND, 1000 * SECOND, 100),
        (on_trial(), DEPLOY_NEW, 24 * HOUR - SECOND, 1000 * SECOND, 60),
        (on_trial(), DEPLOY_NEW, 24 * HOUR, None, None),
        (None, DEPLOY_NEW, 24 * HOUR, 1000 * SECOND, 350),
        (None, DEPLOY_NEW, HOUR, 3 * HOUR, None),
        (on_trial(), WITH_BAKE, 24 * HOUR, 1000 * SECOND, 350),
        (BAKED_TRIAL, WITH_BAKE, HOUR, 1000 * SECOND, 350),
        (BAKING_TRIAL, WITH_BAKE, HOUR, 1000 * SECOND, 300),
        (BAKING_TRIAL, WITH_BAKE, 26 * HOUR, None, None),
        (None, WITH_BAKE, HOUR, 1000 * SECOND, 300),
        (BAKING_TRIAL, DEPLOY_NEW, HOUR, 1000 * SECOND, 350),
    ],
)
def test_after_errors_a_trial_is_polled_in_growing_pauses_for_a_day_after_its_bake(
    trial, want, began_ago, failing_for, seconds
):
    """Without the tags, there may be a trial. Then the deadline counts from the first error."""
    progress = DeploymentProgress(NOW - began_ago, warnings=["early"])
    if failing_for:
        progress.failing_since = NOW - failing_for

    pausing = pause_after_error(trial, want, progress, "late", NOW)
    if seconds is None:
        assert pausing is None
        return

    assert (pausing.phase, pausing.outcome, pausing.pause) == ("ON_TRIAL", None, seconds)
    update_progress(progress, pausing)
    assert progress.failing_since == NOW - (failing_for or 0 * SECOND)
    assert progress.warnings == ["early", "late"]


# Probes


def test_a_response_counts_only_if_nothing_has_changed_meanwhile():
    seen = TRIED
    asking, progress = step(seen)
    assert asking.action == Probe()
    progress.probe_run = replace(progress.probe_run, response=Response("0 results"))
    pausing, _ = step(seen, progress=progress)
    assert (pausing.action, pausing.pause, progress.probe_run.bad_in_a_row) == (None, 30, 1)
    progress.probe_run = replace(progress.probe_run, response=Response("0 results"))
    moved = campaign(
        NEW, latest=update(NEW, created_at=NOW - MINUTE), trial=on_trial(), good_version_arn=LIVE
    )
    asking, _ = step(moved, progress=progress)

    assert (asking.action, progress.probe_run.bad_in_a_row) == (Probe(), 1)


GOOD_ONE = Response()
BAD = Response("0 results")
ERROR = Response("500", is_error=True)


@pytest.mark.parametrize(
    "responses, minutes, verdict",
    [
        ([GOOD_ONE] * 21, 10, "PASSED"),
        ([GOOD_ONE] * 20, 10, None),
        ([BAD] * 3, 10, "FAILED"),
        ([BAD, BAD, GOOD_ONE, BAD, BAD], 10, None),
        ([*[GOOD_ONE] * 20, BAD, GOOD_ONE], 10, "PASSED"),
        ([BAD, ERROR, BAD, ERROR, BAD], 10, "FAILED"),
        ([ERROR] * 31, 10, "FAILED"),
        ([ERROR] * 30, 10, None),
        ([*[ERROR] * 30, GOOD_ONE], 10, "PASSED"),
        ([*[ERROR] * 20, BAD, *[ERROR] * 30], 10, None),
        ([GOOD_ONE] * 11, 1, "PASSED"),
    ],
)
def test_a_probe_ends_after_its_minutes_three_bad_responses_or_15_silent_minutes(
    responses, minutes, verdict
):
    probing = ProbeRun(NEW, NOW, minutes)
    now = NOW
    for response in responses:
        asking = probing.choose_next_step(NOW, now)
        assert asking.action == Probe()
        asked = replace(asking.progress_changes["probe_run"], response=response)
        probing = asked.with_counted_response(NOW, now)
        waiting = probing.choose_next_step(NOW, now)
        now += timedelta(seconds=waiting.pause if waiting else 0)
    assert probing.result == verdict
    failures = [response.failure for response in responses if response.failure]

    assert probing.failure == (failures[-1] if failures else None)
