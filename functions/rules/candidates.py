"""Decides whether a campaign gets the candidate: the version to deploy there.

No *trial* is in progress, and the campaign still uses its *served version*. Its *good version*
passed a trial there, and its *blocked version* was rolled back there. Unless a rule forbids it, a
trial starts and the campaign is updated to the candidate.
"""

from datetime import datetime, timedelta

from ..common.formatting import format_time, resource_name
from ..common.messages import Message, Reason
from .campaigns import (
    CampaignState,
    Deploy,
    DeploymentProgress,
    DeploymentRecord,
    DeploymentSpec,
    RequestApproval,
    SaveRecord,
    Trial,
)
from .gate import apply_gate, find_baseline_delay
from .steps import Step
from .versions import SolutionVersion


def judge_candidate(
    campaign: CampaignState,
    candidate_arn: str,
    spec: DeploymentSpec,
    progress: DeploymentProgress,
    now: datetime,
) -> Step:
    """Return the step that starts the trial, or the step of the first rule against it."""
    if campaign.served_version_arn == candidate_arn:
        return _judge_served_candidate(campaign, candidate_arn, spec, now)

    candidate = campaign.versions[candidate_arn]
    return (
        _keep_newer_version(campaign, candidate)
        or _respect_intervention(campaign, candidate, spec)
        or _avoid_blocked_version(campaign, candidate, progress)
        or _avoid_older_than_blocked_version(campaign, candidate, spec)
        or _respect_refusal(candidate)
        or _reject_untrusted_data(candidate, spec)
        or _wait_for_baselines(campaign, candidate, now)
        or _deploy_or_reject(campaign, candidate, spec, progress, now)
    )


def _judge_served_candidate(
    campaign: CampaignState, candidate_arn: str, spec: DeploymentSpec, now: datetime
) -> Step:
    """Start a trial of a candidate that the campaign already serves, unless it's good or pinned.

    For example, a person may have updated the campaign. The quality gate doesn't apply, because it
    would compare the candidate with itself.
    """
    return (
        _keep_good_version(campaign, candidate_arn)
        or _respect_pin(campaign, spec)
        or Step("ON_TRIAL", SaveRecord(_build_trial_record(campaign, candidate_arn, now)))
    )


def _deploy_or_reject(
    campaign: CampaignState,
    candidate: SolutionVersion,
    spec: DeploymentSpec,
    progress: DeploymentProgress,
    now: datetime,
) -> Step:
    """Deploy the candidate, unless its metrics, a pin or a missing approval forbid that."""
    gate_result = apply_gate(candidate, campaign.served_version, spec.gate)

    step = (
        _reject_bad_metrics(gate_result.rejections)
        or _respect_pin(campaign, spec)
        or _request_approval(candidate, spec, now)
        or _start_trial(campaign, candidate, now)
    )

    return step.with_progress(
        delayed_by="",  # The rules no longer wait for baselines.
        metrics=gate_result.comparisons,
        warnings=progress.merge_warnings([*candidate.data_warnings, *gate_result.warnings]),
    )


# The rules


def _keep_good_version(campaign: CampaignState, candidate_arn: str) -> Step | None:
    """Leave the campaign alone if the candidate has already passed its trial here."""
    if campaign.serves_as_good_version(candidate_arn):
        return Step("JUDGING", outcome="DEPLOYED")
    return None


def _keep_newer_version(campaign: CampaignState, candidate: SolutionVersion) -> Step | None:
    """Don't replace the served version with an older one."""
    if campaign.served_version.created_at <= candidate.created_at:
        return None

    served_version_arn = campaign.served_version_arn
    reason = f"the campaign serves {served_version_arn}, which is newer than {candidate.arn}"
    return _end_deployment(reason, outcome="SKIPPED", cause="newer")


def _respect_intervention(
    campaign: CampaignState, candidate: SolutionVersion, spec: DeploymentSpec
) -> Step | None:
    """Don't undo a person's update that is newer than the candidate.

    Someone who went back to an older version during an incident doesn't want a waiting candidate
    deployed soon after.
    """
    if not spec.is_candidate_from_earlier_run:
        return None

    good_version_arn = campaign.record.good_version_arn
    served_version_arn = campaign.served_version_arn
    if good_version_arn is None or served_version_arn is None:
        return None

    # Without a trial, the pipeline always leaves a campaign at its good version.
    was_moved = served_version_arn != good_version_arn
    if not was_moved or campaign.update.created_at <= candidate.created_at:
        return None

    reason = f"somebody has moved the campaign to {served_version_arn}"
    return _end_deployment(reason, outcome="SKIPPED", cause="moved")


def _avoid_blocked_version(
    campaign: CampaignState, candidate: SolutionVersion, progress: DeploymentProgress
) -> Step | None:
    """Don't redeploy a version that was rolled back here."""
    if campaign.record.blocked_version_arn != candidate.arn:
        return None

    # Only the run that rolled it back knows the reasons.
    default_reason = f"a run or a person rolled {candidate.arn} back at this campaign"
    reasons = progress.rollback_reasons or [default_reason]
    return Step("JUDGING", outcome="ROLLED_BACK", reasons=reasons)


def _avoid_older_than_blocked_version(
    campaign: CampaignState, candidate: SolutionVersion, spec: DeploymentSpec
) -> Step | None:
    """Don't deploy a version that is older than the blocked one.

    After two rollbacks in a row, only the newer version is recorded as blocked, but the older one
    is just as bad.
    """
    blocked_arn = campaign.find_newer_blocked_version_arn(candidate.arn)
    if blocked_arn is None:
        return None

    problem = f"{candidate.arn} is older than {blocked_arn}, which was rolled back here"
    reason = _advise_to_deploy_anyway(problem, candidate, spec)
    return _end_deployment(reason, outcome="SKIPPED", cause="older")


def _respect_refusal(candidate: SolutionVersion) -> Step | None:
    """Reject a candidate that a person refused to approve."""
    if candidate.approval != "REFUSED":
        return None

    reason = f"{candidate.arn} was refused"
    return _end_deployment(reason, outcome="REJECTED", cause="refused")


def _reject_untrusted_data(candidate: SolutionVersion, spec: DeploymentSpec) -> Step | None:
    """Reject a candidate that Personalize or a person trained on data that isn't trusted.

    Each poll judges the data again. So once a run has confirmed the import, the candidate passes.
    """
    if candidate.untrusted_data is None:
        return None

    reason = _advise_to_deploy_anyway(candidate.untrusted_data, candidate, spec)
    return _end_deployment(reason, outcome="REJECTED", cause="data")


def _wait_for_baselines(
    campaign: CampaignState, candidate: SolutionVersion, now: datetime
) -> Step | None:
    """Wait for the baselines that the quality gate needs."""
    delay = find_baseline_delay(candidate, campaign.served_version, now)
    if delay is None:
        return None

    step = Step("JUDGING", pause=delay.pause, reasons=(delay.reason,))
    return step.with_progress(delayed_by=delay.reason)


def _reject_bad_metrics(rejections: list[str]) -> Step | None:
    """Reject a candidate that failed the quality gate."""
    if not rejections:
        return None
    return _end_deployment(*rejections, outcome="REJECTED", cause="gate")


def _respect_pin(campaign: CampaignState, spec: DeploymentSpec) -> Step | None:
    """Skip a campaign that a person has pinned to its served version.

    A trial that has begun ignores the pin, because a bad version must be rolled back anyway.
    """
    if campaign.pin is None:
        return None

    reason = Message(
        text=f"the campaign is {campaign.pin}, so it keeps its version; to end this, unpin it",
        command=f"retrain unpin --campaign {resource_name(spec.campaign_arn)}",
    )
    return _end_deployment(reason, outcome="SKIPPED", cause="pinned")


def _request_approval(
    candidate: SolutionVersion, spec: DeploymentSpec, now: datetime
) -> Step | None:
    """Ask for approval of the candidate, and leave its deployment to a later run."""
    if spec.approval is None or candidate.approval == "APPROVED":
        return None

    reason = f"{candidate.arn} is waiting for approval"
    if candidate.approval == "REQUESTED":
        return Step("JUDGING", outcome="AWAITING_APPROVAL", reasons=(reason,))

    expires_at = now + timedelta(hours=spec.approval["timeoutHours"])
    return Step(
        "JUDGING",
        RequestApproval(candidate.arn),
        outcome="AWAITING_APPROVAL",
        reasons=(f"{reason} until {format_time(expires_at)} UTC",),
    )


def _start_trial(campaign: CampaignState, candidate: SolutionVersion, now: datetime) -> Step:
    """Start a trial of the candidate, and update the campaign."""
    record = _build_trial_record(campaign, candidate.arn, now)
    return Step("UPDATING", Deploy(candidate.arn, record))


# Helpers


def _advise_to_deploy_anyway(
    problem: str, candidate: SolutionVersion, spec: DeploymentSpec
) -> Message:
    """Say how a person deploys the candidate in spite of a problem."""
    campaign_name = resource_name(spec.campaign_arn)
    version_id = resource_name(candidate.arn)
    return Message(
        text=f"{problem}; to deploy it anyway, move the campaign to it",
        command=f"retrain rollback --campaign {campaign_name} --to {version_id}",
    )


def _end_deployment(*reasons: Reason, outcome: str, cause: str) -> Step:
    """Return the step that ends the deployment without a trial."""
    return Step("JUDGING", outcome=outcome, cause=cause, reasons=reasons)


def _build_trial_record(
    campaign: CampaignState, candidate_arn: str, now: datetime
) -> DeploymentRecord:
    """Return the campaign's record with a new trial of the candidate."""
    # Rounded down, so that an update created in the same second belongs to the trial.
    trial = Trial(version_arn=candidate_arn, began_at=now.replace(microsecond=0))

    # The served version counts as good, even if it never had a trial. Otherwise, a campaign that
    # has served it for months could not be rolled back after its first trial.
    record = campaign.record
    good_version_arn = campaign.served_version_arn
    if good_version_arn in (None, candidate_arn, record.blocked_version_arn):
        good_version_arn = record.find_rollback_target_arn(candidate_arn)
    return record._replace(trial=trial, good_version_arn=good_version_arn)
