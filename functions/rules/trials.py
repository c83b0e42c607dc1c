"""Decides whether a campaign keeps the version on trial.

A *trial* begins just before the campaign is updated to a version. Once that is being served, a
*probe* sends it requests, and alarms watch its *bake*. If it passes, it becomes the *good version*.
If it fails, the campaign is rolled back to the good version that it had before the trial. Should
that pass the same probe, then the version on trial becomes the *blocked version*.
"""

from collections.abc import Sequence
from datetime import datetime

from ..words import format_duration, format_time
from .campaigns import (
    DESCRIBE_LAG,
    CampaignState,
    DeploymentProgress,
    DeploymentRecord,
    DeploymentSpec,
    RollBack,
    SaveRecord,
    Trial,
)
from .probing import ProbeRun
from .steps import SHORT_PAUSE, Step


def judge_trial(
    campaign: CampaignState,
    trial: Trial,
    spec: DeploymentSpec,
    progress: DeploymentProgress,
    now: datetime,
) -> Step:
    """Return the next step of the trial. No update is running any more.

    It depends on what has become of the version on trial: it's being served, its update has failed
    or was lost, the campaign was rolled back, or a person has intervened.
    """
    if campaign.serves_version_on_trial:
        return _judge_served_version(campaign, trial, spec, progress, now)

    if campaign.update.belongs_to(trial):
        return _report_failed_update(campaign, trial)
    if _was_update_lost(campaign, trial, progress):
        return _handle_lost_update(campaign, trial, spec, now)
    if campaign.served_version_arn and campaign.serves_good_version:
        return _judge_rollback(campaign, trial, spec, progress, now)
    return _accept_intervention(campaign)


# The campaign serves the version on trial


def _judge_served_version(
    campaign: CampaignState,
    trial: Trial,
    spec: DeploymentSpec,
    progress: DeploymentProgress,
    now: datetime,
) -> Step:
    """Watch and probe the version, and keep it if nothing goes wrong.

    Alarms come first, also during the probe, because a bad version shouldn't stay until the end of
    it.
    """
    arrival_step = _record_arrival(campaign, trial, spec, now)
    # If there were errors, perhaps nobody may write the campaign's tags. Then alarms don't wait
    # until the arrival is recorded.
    if arrival_step is not None and progress.failing_since is None:
        return arrival_step

    reasons = _find_rollback_reasons(campaign, trial, progress)
    if reasons:
        return _build_rollback_step(campaign, trial, reasons)
    if arrival_step is not None:
        return arrival_step

    probe_run = _probe_run(campaign, spec, progress, now)
    step = (
        probe_run.next_step(campaign.update.created_at, now)
        or _roll_back_after_probe(campaign, trial, probe_run)
        or _wait_for_bake(trial, spec, now)
        or _keep(campaign, trial, progress)
    )

    # The response to the last request has been counted, and must not be counted again.
    return step.remembering(probe_run=probe_run)


def _record_arrival(
    campaign: CampaignState, trial: Trial, spec: DeploymentSpec, now: datetime
) -> Step | None:
    """Record that the version is being served, and when its bake ends.

    Only a version that was served can be rolled back. So if this run dies, the next one has to know
    that this version was. Without a probe and a bake, the trial ends at once, and there's nothing
    to record.
    """
    bake_ends_at = trial.bake_ends_at
    if spec.bake and bake_ends_at is None:
        bake_ends_at = now.replace(microsecond=0) + spec.bake

    served_trial = trial._replace(was_served=True, bake_ends_at=bake_ends_at)
    if served_trial == trial or not (spec.probe or spec.bake):
        return None
    return Step("TRYING", SaveRecord(campaign.record._replace(trial=served_trial)))


def _find_rollback_reasons(
    campaign: CampaignState, trial: Trial, progress: DeploymentProgress
) -> list[str]:
    """Return why the version has to go, or nothing if no alarm went off during the trial.

    If a rollback was decided before, but its request has failed, the decision stands, even if the
    alarm is over by now.
    """
    ringing = [alarm for alarm in campaign.alarms if alarm.went_off_after(trial.began_at)]
    if not ringing:
        return progress.rollback_reasons

    # One alarm is reason enough.
    alarm = ringing[-1]
    return [f"the alarm {alarm.name} went off at {format_time(alarm.since)} UTC"]


def _roll_back_after_probe(
    campaign: CampaignState, trial: Trial, probe_run: ProbeRun
) -> Step | None:
    """Roll back if the version has failed its probe."""
    if not probe_run.has_failed:
        return None

    reason = f"{trial.version_arn} failed its probe: {probe_run.failure}"
    return _build_rollback_step(campaign, trial, [reason])


def _wait_for_bake(trial: Trial, spec: DeploymentSpec, now: datetime) -> Step | None:
    """Wait for the end of the bake.

    A bake that was removed from the config meanwhile ends at once.
    """
    ends_at = trial.bake_ends_at
    if not spec.bake or ends_at is None or now >= ends_at:
        return None

    remaining = (ends_at - now).total_seconds()
    reason = f"the bake ends at {format_time(ends_at)} UTC, in {format_duration(remaining)}"
    return Step("BAKING", pause=min(remaining, spec.bake_pause), reasons=(reason,))


def _keep(campaign: CampaignState, trial: Trial, progress: DeploymentProgress) -> Step:
    """Make the version on trial the good version."""
    version_arn = trial.version_arn
    blocked_version_arn = campaign.record.blocked_version_arn
    if blocked_version_arn == version_arn:
        blocked_version_arn = None

    kept_record = DeploymentRecord(
        good_version_arn=version_arn,
        previous_good_version_arn=campaign.record.other_good_version_arn(version_arn),
        blocked_version_arn=blocked_version_arn,
    )

    step = Step("TRYING", SaveRecord(kept_record), outcome="DEPLOYED")
    return step.remembering(warnings=progress.add_warnings(_warn_of_alarms(campaign)))


def _warn_of_alarms(campaign: CampaignState) -> list[str]:
    """Return a warning if alarms couldn't be read, or nothing.

    They don't count against the version. Otherwise, a missing permission would make every version
    look bad.
    """
    unknown = [alarm for alarm in campaign.alarms if alarm.state not in ("OK", "ALARM")]
    if not unknown:
        return []

    # It's a single warning, because the document of a run has room for one per campaign.
    states = "; ".join(f"the alarm {alarm.name}: {alarm.state}" for alarm in unknown)
    return [f"after the bake, {states}"]


def _build_rollback_step(campaign: CampaignState, trial: Trial, reasons: Sequence[str]) -> Step:
    """Return the step that rolls the campaign back to its good version.

    If there isn't one, the trial ends although the campaign serves a bad version.
    """
    version_arn = trial.version_arn
    good_version_arn = campaign.record.good_version_arn

    if good_version_arn in (version_arn, None):
        record = _build_blocking_record(campaign, trial)._replace(good_version_arn=None)
        reason = f"no good version is known, so the campaign still serves {version_arn}"
        step = Step("TRYING", SaveRecord(record), outcome="FAILED", reasons=(*reasons, reason))
    else:
        step = Step("ROLLING_BACK", RollBack(good_version_arn))
    return step.remembering(rollback_reasons=[*reasons])


# The campaign doesn't serve the version on trial


def _report_failed_update(campaign: CampaignState, trial: Trial) -> Step:
    """End the trial of a version that isn't served, although its update has ended."""
    failure = campaign.update.failure
    if failure:
        reason = f"the update to {trial.version_arn} failed: {failure}"
    else:
        reason = f"the update to {trial.version_arn} failed, or the campaign is being deleted"
    return Step("UPDATING", _find_end_of_trial(campaign), outcome="FAILED", reasons=(reason,))


def _was_update_lost(campaign: CampaignState, trial: Trial, progress: DeploymentProgress) -> bool:
    """Return True if there's no sign that the update of the trial has ever arrived.

    The run may have died just before it sent the update, or the request was lost.
    """
    if campaign.update.created_at < trial.began_at:
        return True

    # An update to the good version is a rollback only if there was something to roll back.
    # Otherwise, somebody has only changed another setting, and the campaign kept its version.
    was_served = trial.was_served or bool(progress.rollback_reasons)
    return campaign.serves_good_version and not was_served


def _handle_lost_update(
    campaign: CampaignState, trial: Trial, spec: DeploymentSpec, now: datetime
) -> Step:
    """End a trial whose update never arrived, so that its version can be deployed again."""
    if now < trial.began_at + DESCRIBE_LAG:
        # DescribeCampaign may not show the update yet.
        return Step("UPDATING", pause=SHORT_PAUSE)

    if spec.candidate_arn == trial.version_arn:
        # No outcome: without the trial, the deployment begins again.
        return Step("UPDATING", _find_end_of_trial(campaign))

    reason = f"the update to {trial.version_arn} was never sent, or it failed"
    return Step("UPDATING", _find_end_of_trial(campaign), outcome="FAILED", reasons=(reason,))


def _accept_intervention(campaign: CampaignState) -> Step:
    """End the trial, because a person has moved the campaign to a version of their choice.

    It isn't a failure: the person knows, and the report says what the campaign serves.
    """
    reason = f"somebody has moved the campaign to {campaign.served_version_arn}"
    end = _find_end_of_trial(campaign)
    return Step("TRYING", end, outcome="SKIPPED", cause="moved", reasons=(reason,))


def _judge_rollback(
    campaign: CampaignState,
    trial: Trial,
    spec: DeploymentSpec,
    progress: DeploymentProgress,
    now: datetime,
) -> Step:
    """Probe the good version, to which the campaign was rolled back.

    It isn't baked, because there's nothing better to roll back to.
    """
    probe_run = _probe_run(campaign, spec, progress, now)
    step = (
        probe_run.next_step(campaign.update.created_at, now)
        or _blame_probe(campaign, progress, probe_run)
        or _block_version(campaign, trial, progress)
    )
    return step.remembering(probe_run=probe_run)


def _blame_probe(
    campaign: CampaignState, progress: DeploymentProgress, probe_run: ProbeRun
) -> Step | None:
    """Don't block a version if the good version has failed the same probe.

    If the user of the probe was deleted, for example, then every version would fail.
    """
    if not probe_run.has_failed:
        return None

    reason = (
        f"{probe_run.version_arn} answers as badly ({probe_run.failure}), "
        "so the probe is at fault; correct the probe"
    )
    reasons = (*progress.rollback_reasons, reason)
    return Step("ROLLING_BACK", _find_end_of_trial(campaign), outcome="FAILED", reasons=reasons)


def _block_version(campaign: CampaignState, trial: Trial, progress: DeploymentProgress) -> Step:
    """Make the version on trial the blocked version."""
    unknown_reason = f"a run or a person has rolled it back to {campaign.served_version_arn}"
    reasons = progress.rollback_reasons or [unknown_reason]
    record = _build_blocking_record(campaign, trial)
    return Step("ROLLING_BACK", SaveRecord(record), outcome="ROLLED_BACK", reasons=reasons)


# What the rules use


def _build_blocking_record(campaign: CampaignState, trial: Trial) -> DeploymentRecord:
    """Return the record after the trial of a bad version.

    A newer version stays blocked. Otherwise, after a second rollback, a run would deploy the first
    bad version again.
    """
    newer_blocked_arn = campaign.newer_blocked_version_arn(trial.version_arn)
    return campaign.record._replace(
        trial=None, blocked_version_arn=newer_blocked_arn or trial.version_arn
    )


def _probe_run(
    campaign: CampaignState, spec: DeploymentSpec, progress: DeploymentProgress, now: datetime
) -> ProbeRun:
    """Return the probe of the served version, with its last response counted."""
    version_arn = campaign.served_version_arn
    assert version_arn is not None, "the campaign serves the version on trial or its good version"

    if spec.probe is None:
        # Without a probe, every version passes.
        return ProbeRun(version_arn=version_arn, began_at=now, minutes=0, verdict="PASSED")

    # After a rollback, the good version gets a probe of its own.
    probe_run = progress.probe_run
    if probe_run is None or probe_run.version_arn != version_arn:
        return ProbeRun(version_arn=version_arn, began_at=now, minutes=spec.probe["minutes"])
    return probe_run.after_response(campaign.update.created_at, now)


def _find_end_of_trial(campaign: CampaignState) -> SaveRecord:
    """Return the action that ends the trial without a verdict."""
    return SaveRecord(campaign.record._replace(trial=None))
