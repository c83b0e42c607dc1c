"""The rules about campaigns on trial, as a process of the model.

`Rules` can switch off each rule without which a promise breaks in the events that are modelled.
"""

from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from campaign_world import (
    UNSEEN_SECONDS,
    Campaign,
    CampaignWorld,
    Described,
    Update,
    Version,
)
from machine import Execution, Machine, wait_for_turn
from simulation import LATE_SECONDS, STALE_SECONDS, Call, Process, RequestFailedError, Sleep

UPDATE_DEADLINE_SECONDS = 3600
ROLLBACK_DEADLINE_SECONDS = 3 * 3600


class Rules(NamedTuple):
    """The rules that can be switched off."""

    trial_before_update: bool = True
    """The tag `trial` is written before the campaign moves. If that fails, it does not move."""
    reserve_tags: bool = True
    """That request writes all four tags, so that a later request never needs a new key."""
    finish_trials: bool = True
    """Every run, also one that is refused, first finishes the trials that an earlier run left."""
    trial_executions: bool = True
    """A run that ends with a campaign on trial starts an execution that finishes trials."""
    judge_what_serves: bool = True
    """A trial is finished by what the campaign serves, whatever its latest update was."""
    wait_for_updates: bool = True
    """A trial never ends while an update of the campaign is running."""
    roll_back_after_errors: bool = True
    """An error of UpdateCampaign leads to the probe, not past it."""
    probe_after_rollback: bool = True
    """If the good version answers as badly, the probe is at fault and there is no verdict."""
    try_what_people_deploy: bool = True
    """The version of this run is put on trial also if a person has deployed it meanwhile."""
    respect_people: bool = True
    """A version does not wait for a campaign that somebody has moved since it was created."""
    know_own_updates: bool = True
    """The tag keeps the time of the last rollback, which no person made."""
    wait_for_older_runs: bool = True
    """An execution waits until no older one is running."""
    look_again_late: bool = True
    """It looks once more after 90 seconds, when lists must show an older one, not after 60."""


class Trial(NamedTuple):
    """The tag `trial` of a campaign on trial.

    `known` is the creation time of the pipeline's last rollback of the campaign, or None.
    """

    version: Version
    known: int | None


class Ended(NamedTuple):
    """The tag `trial` of a campaign whose trial has ended, with the same `known`."""

    known: int | None


@dataclass
class Run:
    """One execution. `outcomes` has the outcome of each campaign."""

    world: CampaignWorld
    machine: Machine
    execution: Execution
    rules: Rules
    kind: str
    """`retrain` trains and deploys, `again` deploys what waits, others only finish trials."""
    outcomes: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    """Promises that the run broke."""
    doubts: list[str] = field(default_factory=list)
    """Promises that it broke, if no request failed and no execution died."""

    def process(self) -> Process:
        """Finish trials, then deploy the newest version, unless a guard refuses the run."""
        if self.rules.wait_for_older_runs and not (
            yield from wait_for_turn(
                self.machine,
                self.execution,
                second_look=STALE_SECONDS if self.rules.look_again_late else LATE_SECONDS,
            )
        ):
            return self
        if self.rules.finish_trials or self.kind == "trial":
            for campaign in self.world.campaigns:
                yield from self._finish_trial(campaign)
        if self.kind in ("retrain", "again"):
            version = self.world.train() if self.kind == "retrain" else newest_version(self.world)
            for campaign in self.world.campaigns:
                outcome = yield from self._deploy(campaign, version)
                self.outcomes[campaign.name] = outcome
                if outcome == "DEPLOYED" and version.number not in campaign.passed:
                    self.problems.append(f"{campaign.name}: {version} was deployed untried")
        return self

    def _finish_trial(self, campaign: Campaign) -> Process:
        """Judge the version that an earlier run left on trial, if there is one."""
        version = on_trial((yield Call(lambda: dict(campaign.tags))))
        if version is not None:
            described = yield from self._settled(campaign)
            if not self.rules.judge_what_serves and described:
                version = described.latest.version
            self.outcomes[campaign.name] = yield from self._judge(campaign, version)

    def _deploy(self, campaign: Campaign, version: Version) -> Process:
        """Deploy the version to a campaign, and return the outcome."""
        described = yield from self._settled(campaign)
        if described is None:
            return "FAILED: busy"
        live, tags = described.serves, (yield Call(lambda: dict(campaign.tags)))
        if live is version:
            return (yield from self._try_live_version(campaign, version, tags))
        if reason := self._refusal(campaign, version, described, tags):
            return reason
        if version.metric < live.metric - 5 * (1 + self.world.gate_changes):
            yield from self._write(campaign, verdict=(version, self.world.gate_changes, live))
            return "REJECTED"
        if self.rules.trial_before_update and not (
            yield from self._begin_trial(campaign, tags, version, live)
        ):
            return "FAILED: not tagged"
        outcome = yield from self._update(campaign, version, described)
        if not self.rules.trial_before_update:
            yield from self._begin_trial(campaign, tags, version, live)
        return outcome or (yield from self._judge(campaign, version))

    def _try_live_version(
        self, campaign: Campaign, version: Version, tags: dict[str, object]
    ) -> Process:
        """Try a version that a person has deployed before this run, and return the outcome.

        A version that a person chose before the run was planned waits for no campaign.
        """
        if on_trial(tags) is version:
            return "FAILED: on trial"
        if self.kind == "again":
            return "SKIPPED: nothing waits"
        if not self.rules.try_what_people_deploy:
            return "DEPLOYED"
        if not (yield from self._begin_trial(campaign, tags, version, tags.get("good"))):
            return "FAILED: not tagged"
        return (yield from self._judge(campaign, version))

    def _update(self, campaign: Campaign, version: Version, before: Described) -> Process:
        """Update a campaign and wait for the end. Return the outcome, or None for the probe."""
        try:
            yield Call(lambda: self.world.update(campaign, version), may_fail=True)
        except RequestFailedError:
            if not self.rules.roll_back_after_errors:
                yield from self._end_trial(campaign)
                return "FAILED: not updated"
        updated = yield from self._was_updated(campaign, before.latest)
        return None if updated else "FAILED: on trial"

    def _refusal(
        self, campaign: Campaign, version: Version, described: Described, tags: dict[str, object]
    ) -> str | None:
        """Return the outcome of a campaign that may not get the version, else None."""
        live = described.serves
        if live.number > version.number:
            return "SKIPPED: older"
        if tags.get("verdict") == (version, self.world.gate_changes, live):
            return "REJECTED"
        if self._was_moved(described, tags, version):
            if not campaign.moved_by_a_person(version.created):
                self.doubts.append(f"{campaign.name}: nobody moved it from {version}")
            return "SKIPPED: moved by a person"
        if self.kind == "again" and campaign.choice_stands(version, self.world.now):
            self.problems.append(f"{campaign.name}: {version} replaces what a person chose")
        return None

    def _was_moved(self, described: Described, tags: dict[str, object], version: Version) -> bool:
        """Return True if somebody has moved the campaign since a version that waits was created.

        Only then. A version that this run trained is deployed where the gate lets it pass.
        """
        return (
            self.rules.respect_people
            and self.kind == "again"
            and described.latest.created > version.created
            and described.latest.version is not version
            and not (self.rules.know_own_updates and described.latest.created == known_update(tags))
        )

    def _begin_trial(
        self, campaign: Campaign, tags: dict[str, object], version: Version, live: Version
    ) -> Process:
        """Put a version on trial. Return False if the tags cannot be written."""
        good = tags.get("good") if on_trial(tags) is live else live
        reserved = {key: tags.get(key) for key in ("previous", "verdict")}
        return (
            yield from self._write(
                campaign,
                trial=Trial(version, known_update(tags)),
                good=good,
                **(reserved if self.rules.reserve_tags else {}),
            )
        )

    def _end_trial(
        self, campaign: Campaign, *, known: int | None = None, **tags: object
    ) -> Process:
        """End a trial. Return False if the tags cannot be written.

        `known` is the creation time of the rollback, if there was one.
        """
        if known is None:
            known = known_update((yield Call(lambda: dict(campaign.tags))))
        return (yield from self._write(campaign, trial=Ended(known), **tags))

    def _settled(self, campaign: Campaign) -> Process:
        """Describe a campaign as soon as no update is running. Return None past the deadline.

        An update that was just accepted may not be shown yet, so the first request comes late.
        """
        end = self.world.now + UPDATE_DEADLINE_SECONDS
        yield Sleep(UNSEEN_SECONDS + 1)
        while self.world.now < end:
            described = yield Call(lambda: self.world.describe(campaign))
            if described.latest_status != "IN_PROGRESS":
                return described
            yield Sleep(120)
        return None

    def _was_updated(self, campaign: Campaign, before: Update) -> Process:
        """Wait for the end of an update after `before`. Return False past the deadline."""
        end = self.world.now + UPDATE_DEADLINE_SECONDS
        while self.world.now < end:
            yield Sleep(120)
            described = yield Call(lambda: self.world.describe(campaign))
            if described.latest is not before and described.latest_status != "IN_PROGRESS":
                return True
        return False

    def _judge(self, campaign: Campaign, version: Version) -> Process:
        """Keep the version on trial if it answers well, else roll the campaign back."""
        fault_changes = self.world.fault_changes
        described = yield from self._settled(campaign)
        while described and described.serves is version:
            answer = yield from self._probe(campaign, version)
            if answer == "well":
                return (yield from self._keep(campaign, version))
            if answer == "badly":
                return (yield from self._roll_back(campaign, version, fault_changes))
            if not self.rules.wait_for_updates:
                yield from self._end_trial(campaign)
                return "FAILED: moved by a person"
            described = yield from self._settled(campaign)
        if described is None:
            return "FAILED: on trial"
        yield from self._end_trial(campaign)
        return "FAILED: not updated, or moved by a person"

    def _keep(self, campaign: Campaign, version: Version) -> Process:
        """End the trial of a version that answered well."""
        if version.serves_well:
            campaign.passed.add(version.number)
        previous = yield Call(lambda: campaign.tags.get("good"))
        kept = yield from self._end_trial(campaign, good=version, previous=previous)
        return "DEPLOYED" if kept else "FAILED: on trial"

    def _roll_back(self, campaign: Campaign, version: Version, fault_changes: int) -> Process:
        """Move a campaign back to its good version, and return the outcome."""
        good = yield Call(lambda: campaign.tags.get("good"))
        if good is None or good is version:
            verdict = version, self.world.gate_changes, good
            yield from self._end_trial(campaign, verdict=verdict)
            return "FAILED: no way back"
        accepted = yield from self._move_back(campaign, version, good)
        described = yield from self._settled(campaign)
        if described is None or described.serves is version:
            return "FAILED: on trial"
        if described.serves is not good:
            yield from self._end_trial(campaign)
            return "FAILED: moved by a person"
        known = described.latest.created if accepted else None
        answer = yield from self._probe(campaign, good)
        if answer != "well" and self.rules.probe_after_rollback:
            yield from self._end_trial(campaign, known=known)
            return "FAILED: the probe is at fault, or a person moved the campaign"
        verdict = version, self.world.gate_changes, good
        if not (yield from self._end_trial(campaign, known=known, verdict=verdict)):
            return "FAILED: on trial"
        if version.serves_well and fault_changes == self.world.fault_changes:
            self.doubts.append(f"{campaign.name} condemned {version}")
        return "ROLLED_BACK"

    def _move_back(self, campaign: Campaign, version: Version, good: Version) -> Process:
        """Move a campaign back, for as long as it takes. Return True if our update was accepted."""
        end, accepted = self.world.now + ROLLBACK_DEADLINE_SECONDS, False
        while self.world.now < end:
            described: Described = yield Call(lambda: self.world.describe(campaign))
            if described.latest_status != "IN_PROGRESS":
                if described.serves is not version:
                    break
                with suppress(RequestFailedError):
                    yield Call(lambda: self.world.update(campaign, good, back=True), may_fail=True)
                    accepted = True
            yield Sleep(120)
        return accepted

    def _probe(self, campaign: Campaign, version: Version) -> Process:
        """Send up to three requests. Return `well`, `badly`, or `moved` if somebody moved it."""
        for _ in range(3):
            before = yield Call(lambda: self.world.describe(campaign))
            try:
                well = yield Call(lambda: self.world.answers_well(campaign), may_fail=True)
            except RequestFailedError:
                well = False
            after = yield Call(lambda: self.world.describe(campaign))
            if not (
                before.serves is after.serves is version
                and before.latest is after.latest
                and "IN_PROGRESS" not in (before.latest_status, after.latest_status)
            ):
                return "moved"
            if well:
                return "well"
            yield Sleep(100)
        return "badly"

    def _write(self, campaign: Campaign, **tags: object) -> Process:
        """Write tags. Return True if that succeeded within three tries."""
        for _ in range(3):
            try:
                yield Call(lambda: self.world.tag(campaign, **tags), may_fail=True)
            except RequestFailedError:
                yield Sleep(60)
            else:
                return True
        return False


def on_trial(tags: dict[str, object]) -> Version | None:
    """Return the version that is on trial at a campaign with these tags, or None."""
    trial = tags.get("trial")
    return trial.version if isinstance(trial, Trial) else None


def known_update(tags: dict[str, object]) -> int | None:
    """Return the creation time of the last rollback, or None."""
    trial = tags.get("trial")
    return trial.known if isinstance(trial, (Trial, Ended)) else None


def newest_version(world: CampaignWorld) -> Version:
    """Return the newest version of the solution."""
    return world.versions[-1]
