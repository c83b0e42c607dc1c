"""The nouns of a deployment: what its rules know about a campaign, and what they can do with it.

A *candidate* is the version that a campaign is to get. From just before its update until its
verdict, it's on *trial*: first it answers a *probe*, then alarms watch it, which is its *bake*. If
it passes, it becomes the campaign's *good version*, the one to roll back to. If it doesn't, it's
the *blocked version*: no run deploys it or an older one there. Versions are named by their ARNs,
and what we know of one is a `SolutionVersion`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from ..contract import ApprovalSettings, MetricValues, ProbeSettings, QualityRule
from .probing import ProbeRun
from .steps import Action
from .versions import LONG_AGO, NO_VERSION, SolutionVersion

DESCRIBE_LAG = timedelta(minutes=10)
"""After this time, DescribeCampaign certainly shows an update, and the version that it changed."""


# What a poll of a campaign shows


class Trial(NamedTuple):
    """A version on trial."""

    version_arn: str
    began_at: datetime
    """Just before the update was sent. An older update doesn't belong to the trial."""
    was_served: bool = False
    """True once a poll has shown that the campaign serves the version."""
    bake_ends_at: datetime | None = None
    """The end of the bake, which begins with that poll. None before it, or without a bake."""

    def is_baking(self, now: datetime) -> bool:
        """Return True during the bake."""
        return self.bake_ends_at is not None and now < self.bake_ends_at


class DeploymentRecord(NamedTuple):
    """What runs have learned about the versions of one campaign. It's kept in the campaign's tags.

    A version may be good for one campaign and bad for another, so a version's own tags don't say.
    """

    trial: Trial | None = None
    good_version_arn: str | None = None
    """The last version that has passed its trial here."""
    previous_good_version_arn: str | None = None
    blocked_version_arn: str | None = None
    """The newest version that a run or a person has rolled back here."""

    def other_good_version_arn(self, version_arn: str | None) -> str | None:
        """Return the good version to roll back to if this version turns out to be bad, or None."""
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
    """The time of its last change. For a running update, that's not its end."""
    failure: str | None = None
    """Why the update failed, or None if it didn't."""

    def belongs_to(self, trial: Trial) -> bool:
        """Return True if the update has moved the campaign to the version on trial, or tried to."""
        return self.version_arn == trial.version_arn and self.created_at >= trial.began_at


class Alarm(NamedTuple):
    """A CloudWatch alarm that watches a version during its bake."""

    name: str
    state: str
    """Its state in CloudWatch, or why we don't know it."""
    since: datetime = LONG_AGO
    """When it went into this state, if we know it."""

    def went_off_after(self, time: datetime) -> bool:
        """Return True if the alarm is ringing, and began to after `time`."""
        return self.state == "ALARM" and self.since > time


@dataclass(frozen=True, kw_only=True)
class CampaignState:
    """A campaign as one poll shows it."""

    served_version_arn: str | None
    """None if the creation of the campaign has failed."""
    update: CampaignUpdate
    record: DeploymentRecord
    versions: Mapping[str, SolutionVersion] = field(default_factory=dict)
    """What we know about each of `versions_to_compare()` and `versions_to_order()`. Of the latter,
    that's only what DescribeSolutionVersion shows."""
    reported_verdict: str | None = None
    """The verdict about a candidate that a report has told people (`format_verdict()`)."""
    pin: str | None = None
    """Since when and by whom the campaign is pinned, or None. Only people pin campaigns."""
    alarms: Sequence[Alarm] = ()
    """The alarms of the bake. They're only read while the version on trial is being served."""

    @property
    def served_version(self) -> SolutionVersion:
        """What we know about the served version, which is one of `versions_to_compare()`."""
        if self.served_version_arn is None:
            return NO_VERSION
        return self.versions[self.served_version_arn]

    @property
    def serves_version_on_trial(self) -> bool:
        """True if the campaign answers with the version on trial."""
        trial = self.record.trial
        return trial is not None and trial.version_arn == self.served_version_arn

    @property
    def serves_good_version(self) -> bool:
        """True if the campaign answers with its good version, for example after a rollback."""
        return self.served_version_arn == self.record.good_version_arn

    def has_passed(self, version_arn: str) -> bool:
        """Return True if the campaign serves the version, which has passed its trial here."""
        is_good = self.served_version_arn == version_arn == self.record.good_version_arn
        return is_good and self.record.trial is None

    def newer_blocked_version_arn(self, version_arn: str) -> str | None:
        """Return the blocked version if it's newer than another version, else None.

        A version that doesn't exist is older than any other.
        """
        blocked_arn = self.record.blocked_version_arn
        version = self.versions.get(version_arn, NO_VERSION)
        blocked = self.versions.get(blocked_arn or "", NO_VERSION)
        if blocked.created_at <= version.created_at:
            return None
        return blocked_arn

    def is_updating(self, now: datetime) -> bool:
        """Return True if an update is running, or has ended without a visible result so far."""
        if self.update.is_running:
            return True
        if self.update.failure or self.update.version_arn == self.served_version_arn:
            return False

        # For some time, DescribeCampaign may still show the version from before the update.
        return now < self.update.ended_at + DESCRIBE_LAG


# What the rules are told, and what they keep between two polls


@dataclass(frozen=True, kw_only=True)
class DeploymentSpec:
    """What a run is supposed to do with a campaign. It doesn't change during the run."""

    campaign_arn: str
    candidate_arn: str | None
    """The version to deploy, or None if the run only has to end a trial."""
    from_earlier_run: bool = False
    """True if an earlier run trained the candidate. Since then, somebody may have intervened."""
    gate: Sequence[QualityRule] = ()
    approval: ApprovalSettings | None = None
    """How a person approves the candidate. None if nobody has to."""
    probe: ProbeSettings | None = None
    """Without a probe, every version passes."""
    bake: timedelta = timedelta()
    """How long alarms watch a version on trial. 0 if the campaign has no bake."""
    bake_pause: float = 0
    """The most seconds between two polls of these alarms."""
    alarm_names: Sequence[str] = ()
    max_hours: float


@dataclass(slots=True)
class DeploymentProgress:
    """How far a deployment has come.

    Steps say what's new (`Step.remembered`), the report quotes it, and the document of the run
    carries it from one invocation to the next.
    """

    began_at: datetime
    version_arn: str | None = None
    """What the deployment is about: the version on trial, or else the candidate."""
    previous_version_arn: str | None = None
    """The version that the campaign served before."""
    update_created_at: datetime | None = None
    """When the update to the version on trial was created."""
    update_ended_at: datetime | None = None
    failing_since: datetime | None = None
    """When the first of the errors came that have ended each invocation since."""
    probe_run: ProbeRun | None = None
    rollback_reasons: list[str] = field(default_factory=list)
    """Why the campaign is rolled back. Empty if it isn't."""
    warnings: list[str] = field(default_factory=list)
    metrics: list[MetricValues] = field(default_factory=list)
    """What the quality gate has compared, in the order of its rules."""
    blocked_by: str = ""
    """What has kept the deployment from going on so far, for example a baseline in training."""

    def add_warnings(self, new_warnings: Iterable[str]) -> list[str]:
        """Return all warnings. The rules run at each poll, so repetitions are dropped."""
        return sorted({*self.warnings, *new_warnings})


# What the rules can do


@dataclass(frozen=True)
class Deploy(Action):
    """Save the record of a new trial, then update the campaign to the candidate."""

    candidate_arn: str
    record: DeploymentRecord


@dataclass(frozen=True)
class SaveRecord(Action):
    """Write the record to the tags of the campaign."""

    record: DeploymentRecord


@dataclass(frozen=True)
class RollBack(Action):
    """Update the campaign to its good version. The record follows once that is being served."""

    good_version_arn: str


@dataclass(frozen=True)
class RequestApproval(Action):
    """Tag the candidate, so that people see that it waits for their approval."""

    candidate_arn: str
