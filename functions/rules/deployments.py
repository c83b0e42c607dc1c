"""Decides how a campaign gets a version: judge it, put it on trial, then keep it or go back.

A version is on trial from just before its update is sent until it has passed its probe and its
bake, or until the campaign serves another version again. The campaign's tags record the trial, so
any later run, even one of a recreated stack, continues where a run has died.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import NamedTuple

from ..contract import MetricValues, ProbeSettings, QualityRule
from ..words import duration_text, time_text
from .gate import Baselines, compare
from .pacing import LONGEST_SLEEP, pause
from .probing import Probing
from .steps import LIST_LAG, SHORT_PAUSE, Action, Case, Step

DESCRIBE_LAG = timedelta(minutes=10)
"""The time after which DescribeCampaign certainly shows an update, and the version it changed."""
LONGEST_TRIAL = timedelta(hours=24)
"""A run gives up a trial after this time and the hours of its bake. The trial stays open, so an
alarm goes off."""
OVERDUE_SHARE = 0.2
"""The pause between two looks at an overdue update, as a share of its age. A day of more frequent
looks would fill the history of the execution."""


class Trial(NamedTuple):
    """A version on trial."""

    version: str
    at: datetime
    """The time just before the update was sent. An older update does not belong to the trial."""
    was_served: bool = False
    """True once a look has shown that the campaign serves the version."""
    baked_until: datetime | None = None
    """The end of the bake, which begins with that look. Until then, alarms decide too."""


class Notes(NamedTuple):
    """What the tags of a campaign say about its versions."""

    trial: Trial | None = None
    good: str | None = None
    """The version that has passed on this campaign, and to which it goes back."""
    previous: str | None = None
    """The version that was good before."""
    bad: str | None = None
    """The version that a run or a person has taken back from this campaign."""

    def good_before(self, version: str | None) -> str | None:
        """Return the last good version that is not this version."""
        return self.good if self.good != version else self.previous


@dataclass(frozen=True, kw_only=True)
class Update:
    """The latest update of a campaign, or its creation."""

    version: str
    is_running: bool = False
    created_at: datetime
    ended_at: datetime
    """The time of the last change, which is the end if the update is not running."""
    failure: str | None = None
    """Why the update failed, or None if it did not."""


class Version(NamedTuple):
    """What is known about a version. Only a person's answer and the baselines can change."""

    created_at: datetime
    metrics: Mapping[str, float]
    answer: str | None = None
    """APPROVED, REFUSED, ASKED, or None if nobody was asked or the request has expired."""
    ended_at: datetime = datetime.min.replace(tzinfo=UTC)
    """When its training has ended."""
    baselines: Baselines = MappingProxyType({})


NO_VERSION = Version(datetime.min.replace(tzinfo=UTC), {})
"""What is known where no version is in use."""


class Alarm(NamedTuple):
    """An alarm of a bake."""

    name: str
    state: str
    """Its state in CloudWatch, or why it is not known."""
    since: datetime | None = None
    """When it went into this state."""


@dataclass(frozen=True, kw_only=True)
class SeenCampaign:
    """A campaign as one look shows it."""

    serves: str | None
    """The version that the campaign serves, or None if its creation has failed."""
    update: Update
    notes: Notes
    versions: Mapping[str, Version]
    """What is known about each version that the rules ask for."""
    pin: str | None = None
    """Since when and by whom the campaign is pinned, or None. A run never writes this."""
    alarms: Sequence[Alarm] = ()
    """The alarms of the bake. They are read only while the version on trial is served."""


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """What a run wants to do with a campaign."""

    version: str | None
    """The version to deploy, or None if only a trial has to be ended."""
    waited: bool = False
    """True if an earlier run trained the version, so somebody may have moved the campaign since."""
    gate: Sequence[QualityRule] = ()
    approval_hours: float | None = None
    """The hours that a person has to approve the version, or None if no approval is needed."""
    probe: ProbeSettings | None = None
    """The probe of the campaign. Without one, every version passes."""
    bake: timedelta = timedelta()
    """How long alarms decide about the version, or 0 if the campaign has no bake."""
    bake_pause: float = 0
    """The most seconds between two looks at these alarms."""
    alarms: Sequence[str] = ()
    """Their names."""
    max_hours: float


@dataclass
class Memory:
    """What a deployment remembers between two looks."""

    began_at: datetime
    version: str | None = None
    """The version that the deployment is about: the version on trial, or else the wanted one."""
    previous: str | None = None
    """The version that the campaign served before."""
    created_at: datetime | None = None
    """The creation of the update to the version on trial."""
    ended_at: datetime | None = None
    is_on_trial: bool = False
    """True if the last look has shown a version on trial."""
    probing: Probing | None = None
    reasons: list[str] = field(default_factory=list)
    """Why the campaign goes back."""
    warnings: list[str] = field(default_factory=list)
    metrics: dict[str, MetricValues] = field(default_factory=dict)
    """The metrics that the quality gate has compared."""
    waits_because: str | None = None
    """Why the quality gate cannot compare yet."""


@dataclass(frozen=True)
class Deploy(Action):
    """Write the tags, then send the update to the version on trial."""

    version: str
    notes: Notes


@dataclass(frozen=True)
class WriteNotes(Action):
    """Write the tags of the campaign."""

    notes: Notes


@dataclass(frozen=True)
class GoBack(Action):
    """Send an update to the good version. The tags are written once the campaign serves it."""

    version: str


@dataclass(frozen=True)
class Ask(Action):
    """Tag the version to ask for its approval."""

    version: str


DeploymentCase = Case[SeenCampaign, Deployment, Memory]


def decide(seen: SeenCampaign, wanted: Deployment, memory: Memory, now: datetime) -> Step:
    """Return the next step of a deployment."""
    trial, case = seen.notes.trial, Case(seen, wanted, memory, now)
    _remember(seen, wanted, memory)
    if step := _give_up(case) or _wait_for_update(case):
        return step
    if trial:
        return _end_unsent(case, trial) or _judge_served(case, trial)
    if wanted.version is None:
        return Step("TRYING", outcome="SKIPPED", reasons=("no version is on trial",))
    for rule in (_keep_served, _respect_campaign, _refuse, _respect_pin, _ask_for_approval):
        if step := rule(case, wanted.version):
            return step
    return Step("UPDATING", Deploy(wanted.version, _notes_on_trial(case, wanted.version)))


def wait_for_baseline(phase: str, new: Version, live: Baselines, now: datetime) -> Step | None:
    """Look again while a baseline of the new version or of the live one is in training.

    The new version's baseline is trained in parallel, so a list may not show it at once.
    """
    known = [baseline for baseline in (*new.baselines.values(), *live.values()) if baseline]
    running = next((baseline for baseline in known if baseline.is_running), None)
    age = now - (running.created_at if running else new.ended_at)
    if not running and (None not in new.baselines.values() or age >= LIST_LAG):
        return None
    reason = "no baseline is listed yet"
    if running:
        reason = f"the baseline {running.arn} is still in training"
    pause_seconds = min(max((age * OVERDUE_SHARE).total_seconds(), 1), LONGEST_SLEEP)
    return Step(phase, pause=pause_seconds, reasons=(reason,))


def needs_run(first_step: Step) -> bool:
    """Return True if a deployment that begins with this step changes or waits for something."""
    return first_step.outcome is None or first_step.act is not None


def _remember(seen: SeenCampaign, wanted: Deployment, memory: Memory) -> None:
    """Remember what the report says about the version and its update."""
    notes, update = seen.notes, seen.update
    trial = notes.trial
    memory.is_on_trial = trial is not None
    memory.version = trial.version if trial else wanted.version or memory.version
    if trial is None or memory.previous is None:
        is_served = seen.serves == memory.version
        memory.previous = notes.good_before(memory.version) if is_served else seen.serves
    if trial and update.version == trial.version and update.created_at >= trial.at:
        memory.created_at = update.created_at
        memory.ended_at = None if update.is_running else update.ended_at


# The rules about an update, whether a version is on trial or not


def _give_up(case: DeploymentCase) -> Step | None:
    """Give up at the deadline. A trial stays open, so an alarm goes off."""
    seen, wanted, memory, now = case
    trial = seen.notes.trial
    limit = LONGEST_TRIAL + wanted.bake if trial else timedelta(hours=wanted.max_hours)
    if now < memory.began_at + limit:
        return None
    hours = f"{limit / timedelta(hours=1):g} hours"
    if _is_busy(seen, now):
        reason = f"the update to {seen.update.version} has not ended in {hours}"
    elif trial:
        reason = f"{trial.version} is still on trial after {hours}"
    elif memory.waits_because:
        reason = f"{memory.waits_because} after {hours}"
    else:
        reason = f"Personalize has not accepted the update to {memory.version} in {hours}"
    phase = "TRYING" if trial else "UPDATING"
    return Step(phase, outcome="FAILED", reasons=(*memory.reasons, reason))


def _wait_for_update(case: DeploymentCase) -> Step | None:
    """Look again until no update is running, which takes 8 to 25 minutes."""
    seen, wanted, _, now = case
    if not _is_busy(seen, now):
        return None
    trial, age = seen.notes.trial, (now - seen.update.created_at).total_seconds()
    is_overdue = trial is not None and age >= wanted.max_hours * 3600
    phase = "GOING_BACK" if trial and seen.update.version != trial.version else "UPDATING"
    return Step(phase, pause=age * OVERDUE_SHARE if is_overdue else pause((), age))


def _is_busy(seen: SeenCampaign, now: datetime) -> bool:
    """Return True if an update is running, or if DescribeCampaign does not show its result yet."""
    update = seen.update
    if update.is_running or update.failure or update.version == seen.serves:
        return update.is_running
    return now < update.ended_at + DESCRIBE_LAG


# The rules about a version on trial


def _end_unsent(case: DeploymentCase, trial: Trial) -> Step | None:
    """End the trial of a version whose update was never sent or has failed.

    If the run wants to deploy this version and its update is not seen, the deployment begins again.
    A later update to the good version takes nothing back if the version was never served: somebody
    may have changed another setting of the campaign.
    """
    seen, wanted, _, now = case
    update, end_trial = seen.update, WriteNotes(seen.notes._replace(trial=None))
    if seen.serves == trial.version:
        return None
    if update.created_at >= trial.at and update.version == trial.version:
        failure = f": {update.failure}" if update.failure else ", or the campaign is being deleted"
        reason = f"the update to {trial.version} failed{failure}"
        return Step("UPDATING", end_trial, outcome="FAILED", reasons=(reason,))
    if update.created_at >= trial.at and (trial.was_served or seen.serves != seen.notes.good):
        return None
    if now < trial.at + DESCRIBE_LAG:
        return Step("UPDATING", pause=SHORT_PAUSE)
    if wanted.version == trial.version:
        return Step("UPDATING", end_trial)
    reason = f"the update to {trial.version} was never sent, or it failed"
    return Step("UPDATING", end_trial, outcome="FAILED", reasons=(reason,))


def _judge_served(case: DeploymentCase, trial: Trial) -> Step:
    """Probe and bake the version that is served, and end the trial.

    It is the version on trial, or the good version after a run or a person went back to it. If the
    good version fails as well, the probe is at fault. The good version is not baked.
    """
    seen, _, memory, _ = case
    notes, served = seen.notes, seen.serves
    without_trial = notes._replace(trial=None)
    if served is None or served not in (trial.version, notes.good):
        reason = f"somebody has moved the campaign to {served}"
        return Step("TRYING", WriteNotes(without_trial), outcome="SKIPPED", reasons=(reason,))
    is_tried = served == trial.version
    if step := (is_tried and _heed_alarms(case, trial)) or _probe(case, served):
        return step
    failure = memory.probing.failure if memory.probing else None
    has_passed = memory.probing is None or memory.probing.verdict == "PASSED"
    if is_tried and not has_passed:
        memory.reasons = [f"{trial.version} failed its probe: {failure}"]
        return _go_back(case, trial)
    if is_tried:
        return _keep(case, trial)
    if has_passed:
        reasons = memory.reasons or [f"a run or a person has moved it back to {served}"]
        mark_bad = WriteNotes(without_trial._replace(bad=trial.version))
        return Step("GOING_BACK", mark_bad, outcome="ROLLED_BACK", reasons=reasons)
    fault = f"{served} answers as badly ({failure}), so the probe is at fault; correct the probe"
    reasons = [*memory.reasons, fault]
    return Step("GOING_BACK", WriteNotes(without_trial), outcome="FAILED", reasons=reasons)


def _heed_alarms(case: DeploymentCase, trial: Trial) -> Step | None:
    """Go back once a look has shown an alarm that went off after the trial began.

    The campaign goes back even if a later look shows that the alarm is over. The first look notes
    that the version is served, and begins its bake. Without a probe and a bake, the trial ends
    with that look.
    """
    seen, wanted, memory, now = case
    served = trial._replace(was_served=True)
    if wanted.bake and not trial.baked_until:
        served = served._replace(baked_until=now.replace(microsecond=0) + wanted.bake)
    if served != trial and (wanted.probe or wanted.bake):
        return Step("TRYING", WriteNotes(seen.notes._replace(trial=served)))
    for name, state, since in seen.alarms:
        if state == "ALARM" and since and since > trial.at:
            memory.reasons = [f"the alarm {name} went off at {time_text(since)} UTC"]
    return _go_back(case, trial) if memory.reasons else None


def _keep(case: DeploymentCase, trial: Trial) -> Step:
    """Keep the version at the end of its bake. An alarm in an unknown state changes nothing."""
    seen, wanted, memory, now = case
    if wanted.bake and trial.baked_until and now < trial.baked_until:
        left = (trial.baked_until - now).total_seconds()
        reason = f"the bake ends at {time_text(trial.baked_until)} UTC, in {duration_text(left)}"
        return Step("BAKING", pause=min(left, wanted.bake_pause), reasons=(reason,))
    unknown = [alarm for alarm in seen.alarms if alarm.state not in ("OK", "ALARM")]
    if texts := [f"the alarm {name}: {state}" for name, state, _ in unknown]:
        # One text, because the document of a run has room for one per campaign.
        memory.warnings = sorted({*memory.warnings, f"after the bake, {'; '.join(texts)}"})
    notes, version = seen.notes, trial.version
    bad = None if notes.bad == version else notes.bad
    kept = Notes(good=version, previous=notes.good_before(version), bad=bad)
    return Step("TRYING", WriteNotes(kept), outcome="DEPLOYED")


def _go_back(case: DeploymentCase, trial: Trial) -> Step:
    """Go back for the reasons in the memory."""
    notes, memory = case.seen.notes, case.memory
    if notes.good and notes.good != trial.version:
        return Step("GOING_BACK", GoBack(notes.good))
    reason = f"no good version is known, so the campaign still serves {trial.version}"
    mark_bad = WriteNotes(notes._replace(trial=None, good=None, bad=trial.version))
    return Step("TRYING", mark_bad, outcome="FAILED", reasons=(*memory.reasons, reason))


def _probe(case: DeploymentCase, version: str) -> Step | None:
    """Return the next step of probing the version that is served, or None at the end."""
    seen, wanted, memory, now = case
    if wanted.probe is None:
        memory.probing = None
        return None
    if memory.probing is None or memory.probing.version != version:
        memory.probing = Probing(version, now)
    return memory.probing.next_step(seen.update.created_at, wanted.probe["minutes"], now)


# The rules about a version to deploy. No version is on trial.


def _keep_served(case: DeploymentCase, version: str) -> Step | None:
    """Put the version on trial if it is already served but has not passed here."""
    if case.seen.serves != version:
        return None
    if case.seen.notes.good == version:
        return Step("JUDGING", outcome="DEPLOYED")
    on_trial = Step("TRYING", WriteNotes(_notes_on_trial(case, version)))
    return _respect_pin(case, version) or on_trial


def _respect_campaign(case: DeploymentCase, version: str) -> Step | None:
    """Skip a campaign that serves a newer version, or that somebody has moved since the training.

    The pipeline itself moves a campaign only to the version on trial and to the good version.
    """
    seen, live, good = case.seen, case.seen.serves, case.seen.notes.good
    created_at = seen.versions[version].created_at
    was_moved = (
        good is not None and live not in (good, None) and seen.update.created_at > created_at
    )
    if live and seen.versions[live].created_at > created_at:
        reason = f"the campaign serves {live}, which is newer than {version}"
    elif case.wanted.waited and was_moved:
        reason = f"somebody has moved the campaign to {live}"
    else:
        return None
    return Step("JUDGING", outcome="SKIPPED", reasons=(reason,))


def _refuse(case: DeploymentCase, version: str) -> Step | None:
    """Refuse a version that was taken back here, or that a person or the quality gate rejects."""
    seen, wanted, memory, now = case
    if seen.notes.bad == version:
        reasons = memory.reasons or [f"a run or a person has taken {version} back here"]
        return Step("JUDGING", outcome="ROLLED_BACK", reasons=reasons)
    new, live = seen.versions[version], seen.versions[seen.serves] if seen.serves else NO_VERSION
    if new.answer == "REFUSED":
        return Step("JUDGING", outcome="REJECTED", reasons=(f"{version} was refused",))
    wait = wait_for_baseline("JUDGING", new, live.baselines, now)
    memory.waits_because = wait.reasons[0] if wait else None
    if wait:
        return wait
    compared = compare(new.metrics, live.metrics, wanted.gate, new.baselines, live.baselines)
    memory.metrics = compared.values
    memory.warnings = sorted({*memory.warnings, *compared.warnings})
    if compared.rejections:
        return Step("JUDGING", outcome="REJECTED", reasons=compared.rejections)
    return None


def _respect_pin(case: DeploymentCase, _version: str) -> Step | None:
    """Skip a campaign that a person has pinned. A trial that was open before goes on to its end."""
    if case.seen.pin is None:
        return None
    reason = f"the campaign is {case.seen.pin}, so it keeps its version; see retrain unpin"
    return Step("JUDGING", outcome="SKIPPED", reasons=(reason,))


def _ask_for_approval(case: DeploymentCase, version: str) -> Step | None:
    hours, answer = case.wanted.approval_hours, case.seen.versions[version].answer
    if hours is None or answer == "APPROVED":
        return None
    reason = f"{version} waits for an approval"
    if answer == "ASKED":
        return Step("JUDGING", outcome="AWAITING_APPROVAL", reasons=(reason,))
    end = case.now + timedelta(hours=hours)
    reasons = (f"{reason} until {time_text(end)} UTC",)
    return Step("JUDGING", Ask(version), outcome="AWAITING_APPROVAL", reasons=reasons)


def _notes_on_trial(case: DeploymentCase, version: str) -> Notes:
    """Return the notes that put the version on trial now.

    The version that is served becomes the good one, unless it was taken back here. The time is
    rounded down, because an update created in the same second must not look older.
    """
    notes, live = case.seen.notes, case.seen.serves
    trial = Trial(version, case.now.replace(microsecond=0))
    if live not in (None, version, notes.bad):
        return notes._replace(trial=trial, good=live)
    return notes._replace(trial=trial, good=notes.good_before(version))
