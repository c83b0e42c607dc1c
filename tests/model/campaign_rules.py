"""The rules about campaigns on trial, as a process of the model.

`Rules` can switch off each rule without which a promise breaks in the events that are modelled.
"""

from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from campaign_world import Campaign, CampaignWorld, Described, Update, Version
from simulation import Call, Process, RequestFailedError, Sleep

UPDATE_DEADLINE_SECONDS = 3600
ROLLBACK_DEADLINE_SECONDS = 3 * 3600


class Rules(NamedTuple):
    """The rules that can be switched off."""

    trial_before_update: bool = True
    """The tag `trial` is written before the campaign moves. If that fails, it does not move."""
    finish_trials: bool = True
    """Every run, also one that is refused, first finishes the trials that an earlier run left."""
    judge_what_serves: bool = True
    """A trial is finished by what the campaign serves, whatever its latest update was."""
    wait_for_updates: bool = True
    """A trial never ends while an update of the campaign is running."""
    roll_back_after_errors: bool = True
    """An error of UpdateCampaign leads to the probe, not past it."""
    probe_after_rollback: bool = True
    """If the good version answers as badly, the probe is at fault and there is no verdict."""


@dataclass
class Run:
    """One execution. `outcomes` has the outcome of each campaign."""

    world: CampaignWorld
    version: Version
    rules: Rules
    refused: bool = False
    outcomes: dict[str, str] = field(default_factory=dict)

    def process(self) -> Process:
        """Finish trials, then deploy the newest version, unless a guard refuses the run."""
        if self.rules.finish_trials:
            for campaign in self.world.campaigns:
                yield from self._finish_trial(campaign)
        if not self.refused:
            for campaign in self.world.campaigns:
                self.outcomes[campaign.name] = yield from self._deploy(campaign)
        return self

    def _finish_trial(self, campaign: Campaign) -> Process:
        """Judge the version that an earlier run left on trial, if there is one."""
        version = yield Call(lambda: campaign.tags.get("trial"))
        if version is not None:
            described = yield from self._settled(campaign)
            if not self.rules.judge_what_serves and described:
                version = described.latest.version
            self.outcomes[campaign.name] = yield from self._judge(campaign, version)

    def _deploy(self, campaign: Campaign) -> Process:  # noqa: C901, PLR0911 - the rules in order
        """Deploy the version to a campaign, and return the outcome."""
        described = yield from self._settled(campaign)
        if described is None:
            return "FAILED: busy"
        live, tags = described.serves, (yield Call(lambda: dict(campaign.tags)))
        if live is self.version:
            return "FAILED: on trial" if tags.get("trial") is live else "DEPLOYED"
        if live.number > self.version.number:
            return "SKIPPED"
        if tags.get("verdict") == (self.version, self.world.gate_changes, live):
            return "REJECTED"
        if self.version.metric < live.metric - 5 * (1 + self.world.gate_changes):
            verdict = self.version, self.world.gate_changes, live
            yield from self._write(campaign, verdict=verdict)
            return "REJECTED"
        good = tags.get("good") if tags.get("trial") is live else live
        if self.rules.trial_before_update and not (
            yield from self._write(campaign, trial=self.version, good=good)
        ):
            return "FAILED: not tagged"
        try:
            yield Call(lambda: self.world.update(campaign, self.version), may_fail=True)
        except RequestFailedError:
            if not self.rules.roll_back_after_errors:
                yield from self._write(campaign, trial=None)
                return "FAILED: not updated"
        if not self.rules.trial_before_update:
            yield from self._write(campaign, trial=self.version, good=good)
        if not (yield from self._was_updated(campaign, described.latest)):
            return "FAILED: on trial"
        return (yield from self._judge(campaign, self.version))

    def _settled(self, campaign: Campaign) -> Process:
        """Describe a campaign as soon as no update is running. Return None past the deadline.

        An update that was just accepted may not be shown yet, so the first request comes late.
        """
        end = self.world.now + UPDATE_DEADLINE_SECONDS
        yield Sleep(61)
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
        described = yield from self._settled(campaign)
        while described and described.serves is version:
            answer = yield from self._probe(campaign, version)
            if answer == "well":
                return (yield from self._keep(campaign, version))
            if answer == "badly":
                return (yield from self._roll_back(campaign, version))
            if not self.rules.wait_for_updates:
                yield from self._write(campaign, trial=None)
                return "FAILED: moved by a person"
            described = yield from self._settled(campaign)
        if described is None:
            return "FAILED: on trial"
        yield from self._write(campaign, trial=None)
        return "FAILED: not updated, or moved by a person"

    def _keep(self, campaign: Campaign, version: Version) -> Process:
        """End the trial of a version that answered well."""
        if version.serves_well:
            campaign.passed.add(version.number)
        previous = yield Call(lambda: campaign.tags.get("good"))
        kept = yield from self._write(campaign, good=version, previous=previous, trial=None)
        return "DEPLOYED" if kept else "FAILED: on trial"

    def _roll_back(  # noqa: PLR0911 - one way out for each outcome
        self, campaign: Campaign, version: Version
    ) -> Process:
        """Move a campaign back to its good version, and return the outcome."""
        good = yield Call(lambda: campaign.tags.get("good"))
        if good is None or good is version:
            verdict = version, self.world.gate_changes, good
            yield from self._write(campaign, trial=None, verdict=verdict)
            return "FAILED: no way back"
        if not (yield from self._move_back(campaign, version, good)):
            return "FAILED: on trial"
        described = yield from self._settled(campaign)
        if described is None:
            return "FAILED: on trial"
        if described.serves is not good:
            yield from self._write(campaign, trial=None)
            return "FAILED: moved by a person"
        answer = yield from self._probe(campaign, good)
        if answer != "well" and self.rules.probe_after_rollback:
            yield from self._write(campaign, trial=None)
            return "FAILED: the probe is at fault, or a person moved the campaign"
        verdict = version, self.world.gate_changes, good
        if not (yield from self._write(campaign, trial=None, verdict=verdict)):
            return "FAILED: on trial"
        campaign.condemned.add(version.number)
        return "ROLLED_BACK"

    def _move_back(self, campaign: Campaign, version: Version, good: Version) -> Process:
        """Move a campaign back. Return False if it serves the version past the deadline."""
        end = self.world.now + ROLLBACK_DEADLINE_SECONDS
        while self.world.now < end:
            described: Described = yield Call(lambda: self.world.describe(campaign))
            if described.latest_status != "IN_PROGRESS":
                if described.serves is not version:
                    return True
                with suppress(RequestFailedError):
                    yield Call(lambda: self.world.update(campaign, good, back=True), may_fail=True)
            yield Sleep(120)
        return False

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
