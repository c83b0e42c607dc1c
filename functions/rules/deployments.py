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
from .campaigns import CampaignState, DeploymentProgress, DeploymentSpec, Trial
from .candidates import judge_candidate
from .pacing import OVERDUE_PAUSE_FRACTION, choose_poll_pause
from .steps import RETRY_PAUSE_SECONDS, Step, fail
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
    # The progress itself changes after the decision, but the rules already need the new values.
    polled_changes = _find_polled_changes(campaign, spec, progress)
    progress = replace(progress, **polled_changes)

    step = (
        _give_up(campaign, spec, progress, now)
        or _wait_for_update(campaign, spec, now)
        or _judge_trial_or_candidate(campaign, spec, progress, now)
    )
    return step.with_progress(**polled_changes)


def list_versions_to_compare(
    campaign: CampaignState, spec: DeploymentSpec, now: datetime
) -> list[str]:
    """List the ARNs of the candidate and the served version if `decide()` compares their metrics.

    Reading metrics takes several requests for each version, so the list is empty while there's
    only an update or a trial to wait for.
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
    """List the ARNs of two versions if `decide()` needs to know which of them is newer.

    They are the version on trial or the candidate, and the blocked version.
    """
    version_arn = _find_judged_version_arn(campaign, spec)
    blocked_arn = campaign.record.blocked_version_arn
    if version_arn is None or blocked_arn is None or blocked_arn == version_arn:
        return []
    if campaign.is_updating(now):
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

    If the deployment failed at once, users might get bad recommendations for hours, until another
    run continues the trial. `trial` is None if its record couldn't be read.
    """
    first_error_at = progress.failing_since or now
    counted_from = progress.began_at
    if trial is None:
        # Perhaps there's no trial at all, so only count the time since the first error.
        counted_from = first_error_at
    deadline = counted_from + _choose_max_duration(trial, spec)
    if now >= deadline:
        return None

    # The pauses grow, so that the execution's history doesn't fill up.
    pause_seconds = (now - first_error_at).total_seconds() * ERROR_PAUSE_FRACTION
    if spec.bake and (trial is None or trial.is_baking(now)):
        # But alarms must be polled as often as without an error.
        pause_seconds = min(pause_seconds, spec.max_bake_pause_seconds)

    remaining_seconds = (deadline - now).total_seconds()
    pause_seconds = max(min(pause_seconds, remaining_seconds), RETRY_PAUSE_SECONDS)
    step = Step("ON_TRIAL", pause=pause_seconds)
    return step.with_progress(
        failing_since=first_error_at, warnings=progress.merge_warnings([warning])
    )


def needs_run(first_step: Step) -> bool:
    """Return True if a deployment that starts with this step would change something or wait."""
    return first_step.outcome is None or first_step.action is not None


def needs_report(first_step: Step, campaign: CampaignState, candidate_arn: str) -> bool:
    """Return True if a deployment would end at once, with a verdict that was never reported.

    The run that first reached this verdict may have died before its report.
    """
    if needs_run(first_step) or first_step.outcome not in REPORTED_OUTCOMES:
        return False

    verdict = format_verdict(candidate_arn, first_step.outcome, first_step.cause)
    return campaign.reported_verdict != verdict


def format_verdict(version_arn: str, outcome: str, cause: str | None) -> str:
    """Format the verdict on a candidate for the campaign's tag."""
    if cause is None:
        return f"{version_arn} {outcome}"
    return f"{version_arn} {outcome} {cause}"


def _find_polled_changes(
    campaign: CampaignState, spec: DeploymentSpec, progress: DeploymentProgress
) -> dict[str, Any]:
    """Return the changes to the progress that the poll found, whatever the rules decide."""
    trial = campaign.record.trial
    version_arn = _find_judged_version_arn(campaign, spec) or progress.version_arn
    changes: dict[str, Any] = {"version_arn": version_arn}

    # Once the trial has begun, the campaign may no longer show what it served before.
    if trial is None or progress.previous_version_arn is None:
        changes["previous_version_arn"] = _find_previous_version_arn(campaign, version_arn)

    update = campaign.update
    if trial is not None and update.belongs_to(trial):
        changes["update_created_at"] = update.created_at
        changes["update_ended_at"] = None if update.is_running else update.ended_at
    return changes


def _find_previous_version_arn(campaign: CampaignState, version_arn: str | None) -> str | None:
    """Return the ARN of the version that was served before this one, as far as it's known."""
    if campaign.served_version_arn == version_arn:
        return campaign.record.find_rollback_target_arn(version_arn)
    return campaign.served_version_arn


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
    """Fail at the deadline, and say what took so long."""
    trial = campaign.record.trial
    max_duration = _choose_max_duration(trial, spec)
    if now < progress.began_at + max_duration:
        return None

    phase = "UPDATING" if trial is None else "ON_TRIAL"
    delay = _explain_delay(campaign, progress, max_duration, now)
    return fail(phase, *progress.rollback_reasons, delay)


def _explain_delay(
    campaign: CampaignState,
    progress: DeploymentProgress,
    max_duration: timedelta,
    now: datetime,
) -> str:
    """Explain what the deployment is still waiting for at its deadline."""
    duration = format_hours(max_duration / timedelta(hours=1))
    trial = campaign.record.trial

    if campaign.is_updating(now):
        return f"the update to {campaign.update.version_arn} has not ended in {duration}"
    if trial is not None:
        return f"{trial.version_arn} is still on trial after {duration}"
    if progress.delayed_by:
        # For example: the baseline <ARN> is still in training after 3 hours.
        return f"{progress.delayed_by} after {duration}"
    return f"Personalize has not accepted the update to {progress.version_arn} in {duration}"


def _wait_for_update(campaign: CampaignState, spec: DeploymentSpec, now: datetime) -> Step | None:
    """Wait for an update to end, whether the pipeline or a person sent it."""
    if not campaign.is_updating(now):
        return None

    trial = campaign.record.trial
    phase = "UPDATING"
    if trial is not None and campaign.update.version_arn != trial.version_arn:
        phase = "ROLLING_BACK"

    age = now - campaign.update.created_at
    age_seconds = age.total_seconds()
    if trial is not None and age >= timedelta(hours=spec.max_hours):
        # The update is overdue, and frequent polls would fill the execution's history within a day.
        return Step(phase, pause=age_seconds * OVERDUE_PAUSE_FRACTION)
    return Step(phase, pause=choose_poll_pause(durations=(), elapsed=age_seconds))


def _judge_trial_or_candidate(
    campaign: CampaignState, spec: DeploymentSpec, progress: DeploymentProgress, now: datetime
) -> Step:
    """Judge the version on trial, or the candidate if there is no trial."""
    if campaign.record.trial is not None:
        return judge_trial(campaign, campaign.record.trial, spec, progress, now)
    if spec.candidate_arn is not None:
        return judge_candidate(campaign, spec.candidate_arn, spec, progress, now)
    return Step("ON_TRIAL", outcome="SKIPPED", reasons=("no version is on trial",))
