"""Decides how a campaign gets a new version.

The version starts as a *candidate*. Unless a rule forbids it, its *trial* starts and the campaign
is updated. Then either it becomes the campaign's *good version*, or the campaign is rolled back.
The trial is recorded in the campaign's tags, so if a run dies, a later one takes over, even if the
stack was recreated in between.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from ..common.formatting import format_hours
from ..constants import MAX_TRIAL_WITHOUT_BAKE
from .campaigns import (
    CampaignState,
    DeploymentProgress,
    DeploymentSpec,
    Trial,
)
from .candidates import judge_candidate
from .pacing import (
    OVERDUE_PAUSE_FRACTION,
    choose_poll_pause,
)
from .steps import (
    RETRY_PAUSE_SECONDS,
    Step,
    fail,
)
from .trials import judge_trial

REPORTED_OUTCOMES = ("REJECTED", "ROLLED_BACK", "AWAITING_APPROVAL", "SKIPPED")
"""The outcomes that every run repeats until something changes, so they're only reported once."""
ERROR_PAUSE_FRACTION = 0.35
"""The pause after an error, as a share of the time since the first of these errors. The history of
an execution has room for 50 campaigns that fail for a day (tests/workflow/test_sizes.py)."""


def decide(
    campaign: CampaignState, spec: DeploymentSpec, progress: DeploymentProgress, now: datetime
) -> Step:
    """Return the next step of a deployment.

    Each rule returns a step, or None if it doesn't apply. The first one that applies decides.
    """
    # The rules need these values now, before the step puts them into the progress.
    observations = _build_observations(campaign, spec, progress)
    progress = replace(progress, **observations)

    step = (
        _give_up(campaign, spec, progress, now)
        or _wait_for_update(campaign, spec, now)
        or _judge_trial_or_candidate(campaign, spec, progress, now)
    )
    return step.with_progress(**observations)


def list_versions_to_compare(
    campaign: CampaignState, spec: DeploymentSpec, now: datetime
) -> list[str]:
    """List the ARNs of the versions that `decide()` compares: the candidate and the served one.

    The list is usually empty, because most polls only wait for an update or a trial. That saves
    several requests for each version.
    """
    candidate_arn = spec.candidate_arn
    served_version_arn = campaign.served_version_arn
    if candidate_arn is None or candidate_arn == served_version_arn:
        return []
    if campaign.record.trial is not None or campaign.is_updating(now):
        return []

    if served_version_arn is None:
        return [candidate_arn]
    return [candidate_arn, served_version_arn]


def list_versions_to_order(
    campaign: CampaignState, spec: DeploymentSpec, now: datetime
) -> list[str]:
    """List the ARNs of the versions whose creation times `decide()` compares.

    These are the blocked version and the judged one. Without a blocked version, the list is empty.
    """
    version_arn = _find_judged_version_arn(campaign, spec)
    blocked_arn = campaign.record.blocked_version_arn
    if version_arn is None or blocked_arn in (version_arn, None) or campaign.is_updating(now):
        return []
    return [version_arn, blocked_arn]


def pause_after_error(
    trial: Trial | None,
    spec: DeploymentSpec,
    progress: DeploymentProgress,
    warning: str,
    now: datetime,
) -> Step | None:
    """Return the pause after an error during a trial, or None at the deadline.

    Ending the deployment could leave the version on trial unwatched for hours, because no other run
    polls the campaign while this run works on another solution. `trial` is None if it couldn't be
    read.
    """
    failing_since = progress.failing_since or now
    began_at = progress.began_at
    if trial is None:
        # The trial's start is unknown, so count from the first error.
        began_at = failing_since
    remaining = began_at + _choose_max_duration(trial, spec) - now
    if remaining <= timedelta():
        return None

    # The pauses grow, so that the execution's history doesn't fill up. But during a bake, an error
    # must not delay the polls of the alarms.
    seconds = (now - failing_since).total_seconds() * ERROR_PAUSE_FRACTION
    if spec.bake and (trial is None or trial.is_baking(now)):
        seconds = min(seconds, spec.max_bake_pause_seconds)

    pause_seconds = max(min(seconds, remaining.total_seconds()), RETRY_PAUSE_SECONDS)
    return Step("ON_TRIAL", pause=pause_seconds).with_progress(
        failing_since=failing_since, warnings=progress.add_warnings([warning])
    )


def needs_run(first_step: Step) -> bool:
    """Return True if a deployment with this first step changes something or waits."""
    return first_step.outcome is None or first_step.action is not None


def needs_report(first_step: Step, campaign: CampaignState, candidate_arn: str) -> bool:
    """Return True if a deployment would end at once, with a verdict that was never reported.

    That happens if the run that reached the verdict died before its report.
    """
    if needs_run(first_step) or first_step.outcome not in REPORTED_OUTCOMES:
        return False
    verdict = format_verdict(candidate_arn, first_step.outcome, first_step.cause)
    return campaign.reported_verdict != verdict


def format_verdict(version_arn: str, outcome: str, cause: str | None) -> str:
    """Format the verdict on a candidate for the campaign's tag."""
    return f"{version_arn} {outcome} {cause or ''}".rstrip()


def _build_observations(
    campaign: CampaignState, spec: DeploymentSpec, progress: DeploymentProgress
) -> dict[str, Any]:
    """Return the progress fields that depend on what was polled, not on what is decided."""
    trial = campaign.record.trial
    version_arn = _find_judged_version_arn(campaign, spec) or progress.version_arn
    observations: dict[str, Any] = {"version_arn": version_arn}

    # Once the trial has begun, the served version may be the one on trial.
    if trial is None or progress.previous_version_arn is None:
        previous_version_arn = campaign.served_version_arn
        if previous_version_arn == version_arn:
            previous_version_arn = campaign.record.find_rollback_target_arn(version_arn)
        observations["previous_version_arn"] = previous_version_arn

    update = campaign.update
    if trial and update.belongs_to(trial):
        observations["update_created_at"] = update.created_at
        observations["update_ended_at"] = None
        if not update.is_running:
            observations["update_ended_at"] = update.ended_at
    return observations


def _find_judged_version_arn(campaign: CampaignState, spec: DeploymentSpec) -> str | None:
    """Return the ARN of the version on trial, or of the candidate if there is no trial."""
    if campaign.record.trial is not None:
        return campaign.record.trial.version_arn
    return spec.candidate_arn


def _choose_max_duration(trial: Trial | None, spec: DeploymentSpec) -> timedelta:
    """Return the longest time that a run spends on a deployment."""
    if trial is None:
        return timedelta(hours=spec.max_hours)
    return MAX_TRIAL_WITHOUT_BAKE + spec.bake


def _give_up(
    campaign: CampaignState, spec: DeploymentSpec, progress: DeploymentProgress, now: datetime
) -> Step | None:
    """End the deployment at its deadline."""
    trial = campaign.record.trial
    max_duration = _choose_max_duration(trial, spec)
    if now < progress.began_at + max_duration:
        return None

    phase = "UPDATING"
    if trial is not None:
        phase = "ON_TRIAL"

    duration = format_hours(max_duration / timedelta(hours=1))
    if campaign.is_updating(now):
        reason = f"the update to {campaign.update.version_arn} has not ended in {duration}"
    elif trial:
        reason = f"{trial.version_arn} is still on trial after {duration}"
    elif progress.delayed_by:
        # For example: the baseline <ARN> is still in training after 3 hours.
        reason = f"{progress.delayed_by} after {duration}"
    else:
        reason = f"Personalize has not accepted the update to {progress.version_arn} in {duration}"

    return fail(phase, *progress.rollback_reasons, reason)


def _wait_for_update(campaign: CampaignState, spec: DeploymentSpec, now: datetime) -> Step | None:
    """Wait for an update to end, even a person's. Updates take 8 to 25 minutes."""
    if not campaign.is_updating(now):
        return None

    trial = campaign.record.trial
    phase = "UPDATING"
    if trial is not None and campaign.update.version_arn != trial.version_arn:
        phase = "ROLLING_BACK"

    age = (now - campaign.update.created_at).total_seconds()
    if trial is not None and age >= spec.max_hours * 3600:
        # It's overdue, and frequent polls would fill the execution's history within a day.
        return Step(phase, pause=age * OVERDUE_PAUSE_FRACTION)
    return Step(phase, pause=choose_poll_pause(durations=(), elapsed=age))


def _judge_trial_or_candidate(
    campaign: CampaignState, spec: DeploymentSpec, progress: DeploymentProgress, now: datetime
) -> Step:
    """Judge the version on trial, or the candidate if there is no trial."""
    if campaign.record.trial is not None:
        return judge_trial(campaign, campaign.record.trial, spec, progress, now)
    if spec.candidate_arn is not None:
        return judge_candidate(campaign, spec.candidate_arn, spec, progress, now)
    return Step("ON_TRIAL", outcome="SKIPPED", reasons=("no version is on trial",))
