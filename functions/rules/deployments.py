"""Decides how a campaign gets a version: judge it, put it on trial, then keep it or go back.

A version is on trial from just before its update is sent until it has answered its probe, or until
the campaign serves another version again. The tags of the campaign say so, so any later run, of
this pipeline or of a new stack, goes on where a run has died.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from .pacing import pause
from .probing import Probing, Response, count, pause_between
from .steps import SHORT_PAUSE, Action, Case, Step, first_step

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

UNSEEN = timedelta(minutes=10)
"""The time after which Describe certainly shows an update that was sent, and what it changed."""
LONGEST_TRIAL = timedelta(hours=24)
"""A run gives up a trial after this time. The trial stays open, and the watcher rings."""
OVERDUE_SHARE = 0.2
"""The update of a trial that is past its deadline is looked at in pauses of this share of its age,
so that the looks of a day do not fill the history of the execution."""

# What a look shows


class Trial(NamedTuple):
    """A version on trial."""

    version: str
    at: datetime
    """The time just before the update was sent. An older update is another update."""


class Notes(NamedTuple):
    """What the tags of a campaign say about versions."""

    trial: Trial | None = None
    good: str | None = None
    """The version that has passed here, to which the campaign goes back."""
    previous: str | None = None
    bad: str | None = None
    """The version that was taken back here, by a run or by a person."""


class Update(NamedTuple):
    """The latest update of a campaign."""

    version: str
    is_running: bool
    has_failed: bool
    created_at: datetime
    ended_at: datetime
    """The time of the last change, which is the end of an update that has ended."""
    failure: str | None = None


class Version(NamedTuple):
    """What is known about a version. Only the answer of a person can change."""

    created_at: datetime
    metrics: Mapping[str, float]
    answer: str = ""
    """APPROVED, REFUSED, ASKED, or empty if nobody was asked or the time to answer is over."""


@dataclass(frozen=True, kw_only=True)
class SeenCampaign:
    """A campaign as one look shows it."""

    serves: str | None
    """The version that the campaign serves, or None if its creation has failed."""
    is_being_created: bool = False
    update: Update | None
    notes: Notes
    version: Callable[[str], Version]
    """Reads what is known about a version, when a rule needs it."""


# What is given, and what is remembered


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """What a run wants of a campaign."""

    version: str | None
    """The version that the campaign shall serve, or None if only a trial has to be ended."""
    waited: bool = False
    """True if an earlier run trained the version, so that a person may have moved the campaign
    meanwhile."""
    rejections: Callable[[Mapping[str, float], Mapping[str, float]], Sequence[str]]
    """The quality gate: returns why metrics are not good enough beside the metrics in use."""
    approval_hours: float | None = None
    """The hours in which a person may approve the version, or None if nobody has to."""
    probe_minutes: float | None
    """None if the campaign has no probe. Then each version passes."""
    max_hours: float


@dataclass
class Memory:
    """What a deployment remembers between two looks."""

    began_at: datetime
    probing: Probing | None = None
    response: Response | None = None
    """The response to the last request of the probe, until the next look shows if it counts."""
    is_refused: bool = False
    """True if Personalize has certainly refused the update of the version on trial."""
    reasons: list[str] = field(default_factory=list)


# What may be done


@dataclass(frozen=True)
class Deploy(Action):
    """Write `trial` and `good`, then send the update to the version on trial."""

    notes: Notes


@dataclass(frozen=True)
class WriteNotes(Action):
    """Write the tags of the campaign."""

    notes: Notes


@dataclass(frozen=True)
class GoBack(Action):
    """Send an update to the good version. The tags are written when it serves."""

    version: str


@dataclass(frozen=True)
class Ask(Action):
    """Write on the version that a run asks for an approval now."""

    version: str


@dataclass(frozen=True)
class Probe(Action):
    """Request recommendations from the campaign."""

    changes: ClassVar[bool] = False


DeploymentCase = Case[SeenCampaign, Deployment, Memory]


def decide(seen: SeenCampaign, wanted: Deployment, memory: Memory, now: datetime) -> Step:
    """Return the next step of a deployment."""
    return first_step(RULES, Case(seen, wanted, memory, now))


# The rules about an update and a trial, in the order in which they are asked


def _wait_for_update(case: DeploymentCase) -> Step | None:
    """Look again until no update is running. Give it up at its deadline.

    An update takes 8 to 25 minutes, so the invocation stays open from its beginning.
    """
    seen, wanted, memory, now = case
    if not is_busy(seen, now):
        return None
    update, trial = seen.update, seen.notes.trial
    target = update.version if update else seen.serves
    created_at = update.created_at if update else memory.began_at
    deadline = created_at + timedelta(hours=wanted.max_hours)
    if trial:
        # The update may be of an earlier run, which has given up.
        deadline = max(created_at, memory.began_at) + LONGEST_TRIAL
    phase = "GOING_BACK" if trial and target != trial.version else "UPDATING"
    if now >= deadline:
        hours = (deadline - created_at) / timedelta(hours=1)
        reason = f"the update to {target} has not ended in {hours:g} hours"
        return Step(phase, outcome="FAILED", reasons=(*memory.reasons, reason))
    age = (now - created_at).total_seconds()
    if age >= wanted.max_hours * 3600:
        return Step(phase, pause=age * OVERDUE_SHARE)
    return Step(phase, pause=pause((), age))


def _give_up_trial(case: DeploymentCase) -> Step | None:
    """Leave a trial open that does not end. The watcher rings."""
    trial = case.seen.notes.trial
    if trial is None or case.now < max(trial.at, case.memory.began_at) + LONGEST_TRIAL:
        return None
    return Step("TRYING", outcome="FAILED", reasons=(f"{trial.version} is still on trial",))


def _try_version(case: DeploymentCase) -> Step | None:
    """Probe the version on trial if it is served. Keep it, or go back."""
    seen, wanted, memory, _ = case
    notes, trial = seen.notes, seen.notes.trial
    if trial is None or seen.serves != trial.version:
        return None
    if step := _probe(case, trial.version):
        return step
    probing = memory.probing
    if probing is None or probing.verdict == "PASSED":
        previous = notes.good if notes.good != trial.version else notes.previous
        bad = None if notes.bad == trial.version else notes.bad
        kept = Notes(None, good=trial.version, previous=previous, bad=bad)
        return Step("TRYING", WriteNotes(kept), outcome=_if_wanted("DEPLOYED", trial, wanted))
    failure = f"{trial.version} failed its probe: {probing.failure}"
    if notes.good in (None, trial.version):
        ended = notes._replace(trial=None, good=None, bad=trial.version)
        reason = f"no good version is known, so the campaign still serves {trial.version}"
        return Step("TRYING", WriteNotes(ended), outcome="FAILED", reasons=(failure, reason))
    memory.reasons = [failure]
    return Step("GOING_BACK", GoBack(str(notes.good)))


def _send_again(case: DeploymentCase) -> Step | None:
    """End a trial whose update was certainly refused, so that it is judged and sent again."""
    notes, memory = case.seen.notes, case.memory
    if notes.trial is None or not memory.is_refused:
        return None
    memory.is_refused = False
    return Step("UPDATING", WriteNotes(notes._replace(trial=None)))


def _end_unsent_trial(case: DeploymentCase) -> Step | None:
    """End the trial of a version whose update was never sent, or has failed.

    If a run wants the version, the update that was not sent is sent again.
    """
    update, notes = case.seen.update, case.seen.notes
    trial = notes.trial
    if trial is None:
        return None
    ended = WriteNotes(notes._replace(trial=None))
    if update is None or update.created_at < trial.at:
        if case.now < trial.at + UNSEEN:
            return Step("UPDATING", pause=SHORT_PAUSE)
        if case.wanted.version == trial.version:
            return Step("UPDATING", ended)
        reason = f"the update to {trial.version} was never sent"
        return Step("UPDATING", ended, outcome="FAILED", reasons=(reason,))
    if update.version == trial.version:
        reason = f"the update to {trial.version} failed: {update.failure or 'it is not served'}"
        return Step("UPDATING", ended, outcome="FAILED", reasons=(reason,))
    return None


def _judge_taken_back(case: DeploymentCase) -> Step | None:
    """End the trial of a version that was taken back, by a run or by a person.

    The good version has to answer better. If it does not, the probe is at fault.
    """
    seen, wanted, memory, _ = case
    notes, trial = seen.notes, seen.notes.trial
    if trial is None:
        return None
    ended = notes._replace(trial=None)
    if seen.serves is None or seen.serves != notes.good:
        reason = f"somebody has moved the campaign to {seen.serves}"
        return Step("TRYING", WriteNotes(ended), outcome="SKIPPED", reasons=(reason,))
    if step := _probe(case, seen.serves):
        return step
    if memory.probing and memory.probing.verdict == "FAILED":
        fault = (
            f"{seen.serves} answers as badly ({memory.probing.failure}), so the probe is at fault; "
            "correct the probe"
        )
        faults = (*memory.reasons, fault)
        return Step("GOING_BACK", WriteNotes(ended), outcome="FAILED", reasons=faults)
    reasons = memory.reasons or [f"somebody has moved the campaign back to {seen.serves}"]
    taken_back = WriteNotes(ended._replace(bad=trial.version))
    outcome = _if_wanted("ROLLED_BACK", trial, wanted)
    return Step("GOING_BACK", taken_back, outcome=outcome, reasons=reasons)


# The rules about a version that the campaign shall serve. No version is on trial.


def _end_without_version(case: DeploymentCase) -> Step | None:
    """End an item that only ends a trial."""
    if case.wanted.version is not None:
        return None
    return Step("TRYING", outcome="SKIPPED", reasons=("no version is on trial",))


def _keep_served(case: DeploymentCase) -> Step | None:
    """Put the version on trial if it is served already and has not passed here."""
    notes, version = case.seen.notes, _version(case)
    if case.seen.serves != version:
        return None
    if notes.good == version:
        return Step("JUDGING", outcome="DEPLOYED")
    return Step("TRYING", WriteNotes(_notes_on_trial(case)))


def _respect_campaign(case: DeploymentCase) -> Step | None:
    """Skip a campaign that serves a newer version, or that somebody has moved away."""
    seen, version, live = case.seen, _version(case), case.seen.serves
    if live and seen.version(live).created_at > seen.version(version).created_at:
        reason = f"the campaign serves {live}, which is newer than {version}"
    elif case.wanted.waited and was_moved(seen, version):
        reason = f"somebody has moved the campaign to {live}"
    else:
        return None
    return Step("JUDGING", outcome="SKIPPED", reasons=(reason,))


def _refuse_bad(case: DeploymentCase) -> Step | None:
    """Leave out a version that was taken back here."""
    version = _version(case)
    if case.seen.notes.bad != version:
        return None
    reasons = case.memory.reasons or [f"{version} was taken back here before"]
    return Step("JUDGING", outcome="ROLLED_BACK", reasons=reasons)


def _refuse_worse(case: DeploymentCase) -> Step | None:
    """Reject a version that a person has refused, or that the quality gate rejects now."""
    version, live = _version(case), case.seen.serves
    known = case.seen.version(version)
    if known.answer == "REFUSED":
        return Step("JUDGING", outcome="REJECTED", reasons=(f"{version} was refused",))
    live_metrics = case.seen.version(live).metrics if live else {}
    if reasons := case.wanted.rejections(known.metrics, live_metrics):
        return Step("JUDGING", outcome="REJECTED", reasons=tuple(reasons))
    return None


def _ask_for_approval(case: DeploymentCase) -> Step | None:
    """Ask for an approval if one is needed."""
    version, hours = _version(case), case.wanted.approval_hours
    answer = case.seen.version(version).answer
    if hours is None or answer == "APPROVED":
        return None
    reason = f"{version} waits for an approval"
    if answer == "ASKED":
        return Step("JUDGING", outcome="AWAITING_APPROVAL", reasons=(reason,))
    end = case.now + timedelta(hours=hours)
    reasons = (f"{reason} until {end.isoformat(timespec='seconds')}",)
    return Step("JUDGING", Ask(version), outcome="AWAITING_APPROVAL", reasons=reasons)


def _send(case: DeploymentCase) -> Step:
    """Put the version on trial and send its update, until it is accepted or too late."""
    hours = case.wanted.max_hours
    if case.now >= case.memory.began_at + timedelta(hours=hours):
        reason = f"Personalize has not accepted the update to {_version(case)} in {hours:g} hours"
        return Step("UPDATING", outcome="FAILED", reasons=(reason,))
    return Step("UPDATING", Deploy(_notes_on_trial(case)))


RULES = (
    _wait_for_update,
    _give_up_trial,
    _try_version,
    _send_again,
    _end_unsent_trial,
    _judge_taken_back,
    _end_without_version,
    _keep_served,
    _respect_campaign,
    _refuse_bad,
    _refuse_worse,
    _ask_for_approval,
    _send,
)
"""The rules of a deployment, in the order in which they are asked."""


# Facts that rules share


def is_busy(seen: SeenCampaign, now: datetime) -> bool:
    """Return True if an update is running, or if Describe does not show yet what it has changed."""
    update = seen.update
    if seen.is_being_created or (update and update.is_running):
        return True
    if update is None or update.has_failed or update.version == seen.serves:
        return False
    return now < update.ended_at + UNSEEN


def waits(seen: SeenCampaign, wanted: Deployment, now: datetime) -> bool:
    """Return True if there is something to do at a campaign with a version that waits for it."""
    step = decide(seen, wanted, Memory(now), now)
    return step.outcome is None or step.act is not None


def was_moved(seen: SeenCampaign, version: str) -> bool:
    """Return True if somebody has moved the campaign since this version was created.

    The pipeline itself moves a campaign to the version on trial and to the good version only.
    """
    update, notes = seen.update, seen.notes
    own = {notes.good, notes.trial and notes.trial.version}
    return (
        notes.good is not None
        and seen.serves not in own
        and update is not None
        and update.created_at > seen.version(version).created_at
    )


def _version(case: DeploymentCase) -> str:
    """Return the version that the campaign shall serve."""
    assert case.wanted.version is not None, "only `_end_without_version` gets no version"
    return case.wanted.version


def _if_wanted(outcome: str, trial: Trial, wanted: Deployment) -> str | None:
    """Return the outcome if the trial decides about the item. Another version may be wanted."""
    return outcome if wanted.version in (None, trial.version) else None


def _notes_on_trial(case: DeploymentCase) -> Notes:
    """Return the notes that put the wanted version on trial now.

    The version that is served becomes the good one, unless it was taken back here. The time is the
    beginning of a second, so that no update of this second looks older.
    """
    notes, live, version = case.seen.notes, case.seen.serves, _version(case)
    good = notes.good if live in (None, version, notes.bad) else live
    trial = Trial(version, case.now.replace(microsecond=0))
    return notes._replace(trial=trial, good=good if good != version else notes.previous)


def _probe(case: DeploymentCase, version: str) -> Step | None:
    """Return the next step of the probe of the version that is served, or None at its end.

    A response counts only if the campaign has served the version without an update in between.
    """
    seen, wanted, memory, now = case
    if wanted.probe_minutes is None:
        memory.probing = None
        return None
    if memory.probing is None or memory.probing.version != version:
        memory.probing, memory.response = Probing(version, now), None
    probing, update_at = memory.probing, seen.update.created_at if seen.update else None
    response, memory.response = memory.response, None
    is_same = probing.asked_at is not None and probing.update_at == update_at
    if response is not None and is_same:
        count(probing, response, wanted.probe_minutes, now)
    if probing.verdict:
        return None
    if probing.asked_at is not None and is_same:
        rest = pause_between(wanted.probe_minutes) - (now - probing.asked_at).total_seconds()
        if rest > 0:
            return Step("TRYING", pause=rest)
    probing.asked_at, probing.update_at = now, update_at
    return Step("TRYING", Probe())
