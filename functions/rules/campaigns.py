"""The types that the deployment rules use: campaign states, specs, progress and actions.

A *candidate* is the version to deploy. Its *trial* starts just before the campaign is updated: a
*probe* sends requests, then alarms watch the version during its *bake*. If it passes, it becomes
the campaign's *good version*, the one to roll back to. If it fails, it becomes the *blocked
version*: no run deploys it or an older one there.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from ..contract import ApprovalSettings, MetricComparison, ProbeSettings, QualityRule
from .probing import ProbeRun
from .steps import Action
from .versions import LONG_AGO, NO_VERSION, SolutionVersion

MAX_DESCRIBE_LAG = timedelta(minutes=10)
"""How long DescribeCampaign may lag behind an update."""


# The state of a campaign


class Trial(NamedTuple):
    """A version on trial."""

    version_arn: str
    began_at: datetime
    """Just before the update was sent. Older updates don't belong to the trial."""
    was_served: bool = False
    """True once a poll has found that the campaign serves the version."""
    bake_ends_at: datetime | None = None
    """When the bake ends. It starts with that poll, so this is None before it or without a bake."""

    def is_baking(self, now: datetime) -> bool:
        """Return True if the bake has begun and hasn't ended yet."""
        return self.bake_ends_at is not None and now < self.bake_ends_at


class DeploymentRecord(NamedTuple):
    """The good, blocked and trial versions of one campaign, stored in its tags.

    They aren't stored in the versions' tags, because a version may be good for one campaign and bad
    for another.
    """

    trial: Trial | None = None
    good_version_arn: str | None = None
    """The last version that passed its trial here."""
    previous_good_version_arn: str | None = None
    blocked_version_arn: str | None = None
    """The newest version that a run or a person rolled back here."""

    def find_rollback_target_arn(self, version_arn: str | None) -> str | None:
        """Return the ARN of the last good version besides this one, or None."""
        if self.good_version_arn == version_arn:
            return self.previous_good_version_arn
        return self.good_version_arn


@dataclass(frozen=True, kw_only=True)
class CampaignUpdate:
    """The latest update of a campaign, or its creation."""

    version_arn: str
    is_running: bool = False
    created_at: datetime
    ended_at: datetime
    """When the update last changed. It has only ended if it isn't running."""
    failure: str | None = None
    """Why the update failed, or None if it didn't."""

    def belongs_to(self, trial: Trial) -> bool:
        """Return True if this is the trial's update, successful or not."""
        return self.version_arn == trial.version_arn and self.created_at >= trial.began_at


class Alarm(NamedTuple):
    """A CloudWatch alarm that watches a version during its bake."""

    name: str
    state: str
    """The state in CloudWatch, or why it couldn't be read."""
    state_changed_at: datetime = LONG_AGO
    """When the alarm entered this state, if that could be read."""

    def has_gone_off_since(self, time: datetime) -> bool:
        """Return True if the alarm entered the ALARM state after `time`, and is still in it."""
        return self.state == "ALARM" and self.state_changed_at > time


@dataclass(frozen=True, kw_only=True)
class CampaignState:
    """A campaign as read by one poll."""

    served_version_arn: str | None
    """None if the campaign could not be created."""
    update: CampaignUpdate
    record: DeploymentRecord
    versions: Mapping[str, SolutionVersion] = field(default_factory=dict)
    """ARN -> version, for `list_versions_to_compare()` and `list_versions_to_order()`. The latter
    have only the fields that DescribeSolutionVersion returns."""
    reported_verdict: str | None = None
    """The last verdict that was reported, as written by `format_verdict()`."""
    pin: str | None = None
    """When and by whom the campaign was pinned, or None. Only people pin campaigns."""
    alarms: Sequence[Alarm] = ()
    """The bake's alarms, read only while the campaign serves the version on trial."""

    @property
    def served_version(self) -> SolutionVersion:
        """The served version. It must be one of `list_versions_to_compare()`."""
        if self.served_version_arn is None:
            return NO_VERSION
        return self.versions[self.served_version_arn]

    @property
    def serves_version_on_trial(self) -> bool:
        """True if the campaign serves the version on trial."""
        trial = self.record.trial
        return trial is not None and trial.version_arn == self.served_version_arn

    @property
    def serves_good_version(self) -> bool:
        """True if the campaign serves its good version, for example after a rollback."""
        return self.served_version_arn == self.record.good_version_arn

    def serves_as_good_version(self, version_arn: str) -> bool:
        """Return True if the campaign serves this version, and it has passed its trial here."""
        is_good = self.served_version_arn == version_arn == self.record.good_version_arn
        return is_good and self.record.trial is None

    def find_newer_blocked_version_arn(self, version_arn: str) -> str | None:
        """Return the ARN of the blocked version if it's newer than this one, or None."""
        blocked_arn = self.record.blocked_version_arn
        if blocked_arn is None:
            return None

        # A version that was deleted counts as older than any other.
        version = self.versions.get(version_arn, NO_VERSION)
        blocked_version = self.versions.get(blocked_arn, NO_VERSION)
        if blocked_version.created_at > version.created_at:
            return blocked_arn
        return None

    def is_updating(self, now: datetime) -> bool:
        """Return True if an update is running, or its result isn't visible yet."""
        if self.update.is_running:
            return True
        if self.update.failure or self.update.version_arn == self.served_version_arn:
            return False

        # DescribeCampaign may still return the version from before the update.
        return now < self.update.ended_at + MAX_DESCRIBE_LAG


# The input of the rules, and what they pass from one poll to the next


@dataclass(frozen=True, kw_only=True)
class DeploymentSpec:
    """What a run should do with a campaign. It doesn't change during the run."""

    campaign_arn: str
    candidate_arn: str | None
    """The version to deploy, or None if there is only a trial to finish."""
    is_candidate_from_earlier_run: bool = False
    """True if an earlier run trained the candidate. Since then, a person may have intervened."""
    gate: Sequence[QualityRule] = ()
    approval: ApprovalSettings | None = None
    """How a person approves the candidate, or None if no approval is needed."""
    probe: ProbeSettings | None = None
    """Without a probe, every version passes."""
    bake: timedelta = timedelta()
    """How long alarms watch a version on trial. 0 means that there is no bake."""
    max_bake_pause_seconds: float = 0
    """The longest pause between two polls of the alarms."""
    alarm_names: Sequence[str] = ()
    max_hours: float


@dataclass(slots=True)
class DeploymentProgress:
    """What a deployment passes from one poll to the next.

    Steps change it (`Step.progress_changes`), the report quotes it, and the execution's data passes
    it from one invocation to the next.
    """

    began_at: datetime
    version_arn: str | None = None
    """The version on trial, or the candidate if there is no trial."""
    previous_version_arn: str | None = None
    """The version that the campaign served before the deployment."""
    update_created_at: datetime | None = None
    """When the update to the version on trial was created."""
    update_ended_at: datetime | None = None
    failing_since: datetime | None = None
    """When the current series of errors began. Each invocation since then ended with one."""
    probe_run: ProbeRun | None = None
    rollback_reasons: list[str] = field(default_factory=list)
    """Why the campaign is rolled back. Empty unless it is."""
    warnings: list[str] = field(default_factory=list)
    metrics: list[MetricComparison] = field(default_factory=list)
    """The metrics that the quality gate compared, in the order of its rules."""
    delayed_by: str = ""
    """Why the version couldn't be deployed so far, for example: a baseline is still in training."""

    def merge_warnings(self, new_warnings: Iterable[str]) -> list[str]:
        """Return all warnings without duplicates, because polls find the same ones repeatedly."""
        return sorted({*self.warnings, *new_warnings})


# Actions


@dataclass(frozen=True)
class Deploy(Action):
    """Save the record of a new trial, then update the campaign to the candidate."""

    candidate_arn: str
    record: DeploymentRecord


@dataclass(frozen=True)
class SaveRecord(Action):
    """Write the record to the campaign's tags."""

    record: DeploymentRecord


@dataclass(frozen=True)
class RollBack(Action):
    """Update the campaign to its good version. The record is saved once it serves that version."""

    good_version_arn: str


@dataclass(frozen=True)
class RequestApproval(Action):
    """Tag the candidate, to show people that it needs their approval."""

    candidate_arn: str
