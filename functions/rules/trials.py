"""Decides whether a campaign keeps the version on trial.

A *trial* begins just before the campaign is updated to a version. Once the campaign serves that
version, a *probe* sends requests, and alarms watch the version during its *bake*. If it passes, it
becomes the *good version*. If it fails, the campaign is rolled back to the earlier good version. If
that passes the same probe, the version on trial becomes the *blocked version*.
"""

from collections.abc import Sequence
from datetime import datetime

from ..common.formatting import format_time
from .campaigns import (
    MAX_DESCRIBE_LAG,
    CampaignState,
    DeploymentProgress,
    DeploymentRecord,
    DeploymentSpec,
    RollBack,
    SaveRecord,
    Trial,
)
from .probing import ProbeRun
from .steps import SHORT_PAUSE_SECONDS, Step


def judge_trial(
    campaign: CampaignState,
    trial: Trial,
    spec: DeploymentSpec,
    progress: DeploymentProgress,
    now: datetime,
) -> Step:
    """Return the next step of the trial, once no update is running."""
    if campaign.serves_version_on_trial:
        return _judge_served_version(campaign, trial, spec, progress, now)

    # Without the version on trial, the update has failed or was lost, or the pipeline or a person
    # has updated the campaign again.
    if campaign.update.belongs_to(trial):
        return _end_after_failed_update(campaign, trial)
    if _was_update_lost(campaign, trial, progress):
        return _end_after_lost_update(campaign, trial, spec, now)
    if campaign.served_version_arn is not None and campaign.serves_good_version:
        return _judge_rollback(campaign, trial, spec, progress, now)
    return _end_after_intervention(campaign)


# The campaign serves the version on trial


def _judge_served_version(
    campaign: CampaignState,
    trial: Trial,
    spec: DeploymentSpec,
    progress: DeploymentProgress,
    now: datetime,
) -> Step:
    """Roll back after an alarm or a failed probe, and keep the version after its bake."""
    record_step = _record_served_version(campaign, trial, spec, now)
    reasons = _find_rollback_reasons(campaign, trial, progress)

    # Normally, the record comes first. But after an error, roll back first, because perhaps the
    # record can't be written at all.
    has_error = progress.failing_since is not None
    if record_step is not None and not (has_error and reasons):
        return record_step
    if reasons:
        return _build_rollback_step(campaign, trial, reasons)

    probe_run = _continue_probe(campaign, spec, progress, now)
    step = (
        probe_run.choose_next_step(campaign.update.created_at, now)
        or _roll_back_after_probe(campaign, trial, probe_run)
        or _wait_for_bake(trial, spec, now)
        or _keep_version(campaign, trial, progress)
    )

    # Otherwise, the next poll would count the last response of the probe again.
    return step.with_progress(probe_run=probe_run)


def _record_served_version(
    campaign: CampaignState, trial: Trial, spec: DeploymentSpec, now: datetime
) -> Step | None:
    """Record once that the campaign serves the version on trial, and when its bake ends.

    If this run dies and a person rolls back, the next run has to know that the version was served.
    Otherwise, it would believe that the update was lost, and might deploy the version again.
    """
    if spec.probe is None and not spec.bake:
        # The trial ends with this poll, so its record isn't needed.
        return None

    bake_ends_at = trial.bake_ends_at
    if spec.bake and bake_ends_at is None:
        bake_ends_at = now.replace(microsecond=0) + spec.bake

    served_trial = trial._replace(was_served=True, bake_ends_at=bake_ends_at)
    if served_trial == trial:
        return None
    return Step("ON_TRIAL", SaveRecord(campaign.record._replace(trial=served_trial)))


def _find_rollback_reasons(
    campaign: CampaignState, trial: Trial, progress: DeploymentProgress
) -> list[str]:
    """Return an alarm that went off during the trial as the reason to roll back.

    Without one, return the reasons of an earlier poll, in case its request to roll back failed.
    """
    for alarm in reversed(campaign.alarms):
        if alarm.has_gone_off_since(trial.began_at):
            gone_off_at = format_time(alarm.state_changed_at)
            return [f"the alarm {alarm.name} went off at {gone_off_at} UTC"]
    return progress.rollback_reasons


def _roll_back_after_probe(
    campaign: CampaignState, trial: Trial, probe_run: ProbeRun
) -> Step | None:
    """Roll back if the version failed its probe."""
    if not probe_run.has_failed:
        return None

    reason = f"{trial.version_arn} failed its probe: {probe_run.failure}"
    return _build_rollback_step(campaign, trial, [reason])


def _wait_for_bake(trial: Trial, spec: DeploymentSpec, now: datetime) -> Step | None:
    """Wait for the bake to end.

    If the bake was removed from the config since the trial began, it ends at once.
    """
    ends_at = trial.bake_ends_at
    if not spec.bake or ends_at is None or now >= ends_at:
        return None

    remaining = (ends_at - now).total_seconds()
    # Screens show the reason until the next poll, so it names no duration.
    reason = f"the bake ends at {format_time(ends_at)} UTC"
    return Step("BAKING", pause=min(remaining, spec.max_bake_pause_seconds), reasons=(reason,))


def _keep_version(campaign: CampaignState, trial: Trial, progress: DeploymentProgress) -> Step:
    """Make the version on trial the good version, and end the trial."""
    version_arn = trial.version_arn
    record = campaign.record

    # A person may have deployed the blocked version again, and now it has passed.
    blocked_version_arn = record.blocked_version_arn
    if blocked_version_arn == version_arn:
        blocked_version_arn = None

    new_record = DeploymentRecord(
        good_version_arn=version_arn,
        previous_good_version_arn=record.find_rollback_target_arn(version_arn),
        blocked_version_arn=blocked_version_arn,
    )
    step = Step("ON_TRIAL", SaveRecord(new_record), outcome="DEPLOYED")
    return step.with_progress(warnings=progress.merge_warnings(_warn_of_alarms(campaign)))


def _warn_of_alarms(campaign: CampaignState) -> list[str]:
    """Return a warning if alarms could not be read.

    These alarms don't count against the version. Otherwise, a missing permission would make every
    version look bad.
    """
    unknown = [alarm for alarm in campaign.alarms if alarm.state not in ("OK", "ALARM")]
    if not unknown:
        return []

    # One warning lists them all, because the execution's data has room for one per campaign.
    states = "; ".join(f"the alarm {alarm.name}: {alarm.state}" for alarm in unknown)
    return [f"after the bake, {states}"]


def _build_rollback_step(campaign: CampaignState, trial: Trial, reasons: Sequence[str]) -> Step:
    """Return the step that rolls the campaign back to its good version.

    Without a good version, the trial ends and the campaign keeps serving the bad one.
    """
    version_arn = trial.version_arn
    good_version_arn = campaign.record.good_version_arn

    if good_version_arn is not None and good_version_arn != version_arn:
        step = Step("ROLLING_BACK", RollBack(good_version_arn))
        return step.with_progress(rollback_reasons=[*reasons])

    record = _build_blocking_record(campaign, trial)._replace(good_version_arn=None)
    problem = f"no good version is known, so the campaign still serves {version_arn}"
    step = Step("ON_TRIAL", SaveRecord(record), outcome="FAILED", reasons=(*reasons, problem))
    return step.with_progress(rollback_reasons=[*reasons])


# The campaign doesn't serve the version on trial


def _end_after_failed_update(campaign: CampaignState, trial: Trial) -> Step:
    """End the trial, because the campaign doesn't serve the version even after the update."""
    failure = campaign.update.failure
    if failure:
        reason = f"the update to {trial.version_arn} failed: {failure}"
    else:
        reason = f"the update to {trial.version_arn} failed, or the campaign is being deleted"
    return Step("UPDATING", _build_trial_removal(campaign), outcome="FAILED", reasons=(reason,))


def _was_update_lost(campaign: CampaignState, trial: Trial, progress: DeploymentProgress) -> bool:
    """Return True if Personalize seems to have never received the trial's update.

    The run may have died just before it sent the request, or the request was lost.
    """
    has_later_update = campaign.update.created_at >= trial.began_at
    if not has_later_update:
        return True

    # The later update isn't the trial's. If it rolled the version back, the version was served
    # before. Otherwise, a person has only changed another setting of the campaign.
    was_served = trial.was_served or bool(progress.rollback_reasons)
    return campaign.serves_good_version and not was_served


def _end_after_lost_update(
    campaign: CampaignState, trial: Trial, spec: DeploymentSpec, now: datetime
) -> Step:
    """End a trial whose update was lost, so that the version can be deployed again.

    Before that, wait for some minutes, because DescribeCampaign may not show the update yet.
    """
    if now < trial.began_at + MAX_DESCRIBE_LAG:
        return Step("UPDATING", pause=SHORT_PAUSE_SECONDS)

    step = Step("UPDATING", _build_trial_removal(campaign))
    if spec.candidate_arn == trial.version_arn:
        # There's no outcome, because this run deploys the candidate again.
        return step

    reason = f"the update to {trial.version_arn} was never sent, or it failed"
    return step._replace(outcome="FAILED", reasons=(reason,))


def _end_after_intervention(campaign: CampaignState) -> Step:
    """End the trial because a person moved the campaign to another version.

    That's not a failure, because the person did so on purpose.
    """
    reason = f"somebody has moved the campaign to {campaign.served_version_arn}"

    return Step(
        "ON_TRIAL",
        _build_trial_removal(campaign),
        outcome="SKIPPED",
        cause="moved",
        reasons=(reason,),
    )


def _judge_rollback(
    campaign: CampaignState,
    trial: Trial,
    spec: DeploymentSpec,
    progress: DeploymentProgress,
    now: datetime,
) -> Step:
    """Probe the good version after a rollback, and block the bad version if that succeeds.

    There's no bake, because there's no better version to roll back to.
    """
    probe_run = _continue_probe(campaign, spec, progress, now)
    step = (
        probe_run.choose_next_step(campaign.update.created_at, now)
        or _end_if_probe_is_wrong(campaign, progress, probe_run)
        or _block_version(campaign, trial, progress)
    )
    return step.with_progress(probe_run=probe_run)


def _end_if_probe_is_wrong(
    campaign: CampaignState, progress: DeploymentProgress, probe_run: ProbeRun
) -> Step | None:
    """End the trial without blocking its version if even the good version fails the probe.

    For example, every version fails if the probe's user was deleted.
    """
    if not probe_run.has_failed:
        return None

    reason = (
        f"{probe_run.version_arn} answers as badly ({probe_run.failure}), "
        "so the probe is at fault; correct the probe"
    )
    reasons = (*progress.rollback_reasons, reason)
    return Step("ROLLING_BACK", _build_trial_removal(campaign), outcome="FAILED", reasons=reasons)


def _block_version(campaign: CampaignState, trial: Trial, progress: DeploymentProgress) -> Step:
    """End the trial after a rollback, and block its version, so that no run deploys it again."""
    default_reason = f"a run or a person has rolled it back to {campaign.served_version_arn}"
    reasons = progress.rollback_reasons or [default_reason]
    record = _build_blocking_record(campaign, trial)
    return Step("ROLLING_BACK", SaveRecord(record), outcome="ROLLED_BACK", reasons=reasons)


# Helpers


def _build_blocking_record(campaign: CampaignState, trial: Trial) -> DeploymentRecord:
    """Return the record without the trial, and with its version blocked.

    If a newer version is blocked already, that one stays blocked. Otherwise, a run might deploy it
    again.
    """
    newer_blocked_arn = campaign.find_newer_blocked_version_arn(trial.version_arn)
    blocked_arn = newer_blocked_arn or trial.version_arn
    return campaign.record._replace(trial=None, blocked_version_arn=blocked_arn)


def _continue_probe(
    campaign: CampaignState, spec: DeploymentSpec, progress: DeploymentProgress, now: datetime
) -> ProbeRun:
    """Return the probe run of the served version, with its last response counted.

    The probe starts now if it hasn't yet. Without a probe, the version passes at once.
    """
    version_arn = campaign.served_version_arn
    assert version_arn is not None, "the campaign serves the version on trial or its good version"

    if spec.probe is None:
        return ProbeRun(version_arn=version_arn, began_at=now, minutes=0, result="PASSED")

    # After a rollback, the last probe run is that of the bad version.
    probe_run = progress.probe_run
    if probe_run is None or probe_run.version_arn != version_arn:
        return ProbeRun(version_arn=version_arn, began_at=now, minutes=spec.probe["minutes"])
    return probe_run.with_counted_response(campaign.update.created_at, now)


def _build_trial_removal(campaign: CampaignState) -> SaveRecord:
    """Return the action that ends the trial and keeps the rest of the record."""
    return SaveRecord(campaign.record._replace(trial=None))
