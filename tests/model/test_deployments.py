"""Random sequences of runs keep what the rules of deployments promise."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf
from random import Random
from typing import Any

import pytest
from campaign_world import Campaign, CampaignWorld
from deploying import Run
from machine import Execution, Machine
from simulation import Died, Simulation

RUNS = 4
SEQUENCES = 500
WATCH_SECONDS = 900
CALM_SECONDS = 30 * 3600
"""The time after which no version may be on trial any more, if nothing goes wrong."""


@dataclass
class Sequence:
    """A random sequence of runs. `problems` are the promises that were broken."""

    random: Random
    problems: list[str] = field(default_factory=list)
    running: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Draw what goes wrong, and how often."""
        self.world = CampaignWorld(self.random)
        self.world.needs_approval = self.random.random() < 0.3
        for campaign in self.world.campaigns:
            campaign.probed = self.random.random() < 0.8
        self.machine = Machine(self.world)
        self.simulation = Simulation(
            self.world,
            self._events(),
            event_rate=self.random.choice((0, 0.02, 0.1)),
            fail_rate=self.random.choice((0, 0.1, 0.4)),
            death_rate=self.random.choice((0, 0.02, 0.05)),
        )
        self.faultless = self.simulation.fail_rate == self.simulation.death_rate == 0
        self.world.at(self.world.now + WATCH_SECONDS, self._watch)

    def _events(self) -> list[Any]:
        campaigns, world = self.world.campaigns, self.world
        moves = [lambda campaign=campaign: world.move_by_hand(campaign) for campaign in campaigns]
        resizes = [lambda campaign=campaign: world.resize(campaign) for campaign in campaigns]
        people = self.random.random() < 0.7
        return [
            *(moves if people else ()),
            *resizes,
            world.toggle_fault,
            world.loosen,
            world.answer,
        ]

    def run(self) -> list[str]:
        """Run the sequence, and return the broken promises."""
        for number in range(RUNS):
            kind = self.random.choice(("retrain", "retrain", "retrain", "again", "refused"))
            self._start(f"run-{number}", kind)
            if self.random.random() < 0.2:
                self.world.advance(self.random.choice((0, 5, 20)))
                self._start(f"manual-{number}", self.random.choice(("retrain", "again")))
            is_early = number < RUNS - 1 and self.random.random() < 0.3
            self.simulation.run(until=self.world.now + 1800 if is_early else inf)
            if not is_early:
                self.world.advance(self.random.choice((200, 3 * 3600)))
        self.simulation.calm()
        if self.world.probe_is_at_fault:
            self.world.toggle_fault()
        end = self.world.now + CALM_SECONDS
        while self.world.now < end:
            self.simulation.run(until=end)
            self.world.advance(WATCH_SECONDS)
        for campaign in self.world.campaigns:
            served = campaign.served_by(self.world.now).version
            if campaign.notes.trial:
                self.problems.append(f"{campaign.name} is still on trial: {campaign.notes}")
            elif self._is_bad(campaign) and not self._was_chosen(campaign):
                self.problems.append(f"{campaign.name} still serves {served}: {campaign.notes}")
        return self.problems

    def _watch(self) -> None:
        """Start a run that ends trials if no execution is running."""
        self.world.at(self.world.now + WATCH_SECONDS, self._watch)
        is_open = any(campaign.notes.trial for campaign in self.world.campaigns)
        if is_open and not self.running:
            self._start(f"watched-{self.world.now}", "trials")

    def _start(self, name: str, kind: str) -> None:
        execution = self.machine.start(name)
        self.running.add(name)
        run = Run(self.world, self.machine, execution, kind, is_quiet=self._is_quiet())
        self.simulation.start(run.process(), lambda result: self._ended(run, execution, result))

    def _ended(self, run: Run, execution: Execution, result: Run | Died) -> None:
        """Check an execution that has ended."""
        self.running.discard(execution.name)
        self.machine.end(execution, succeeded=not isinstance(result, Died))
        self.problems += run.problems
        if self.faultless:
            self.problems += run.doubts
        for campaign in self.world.campaigns:
            self.problems += self._promises(campaign, run)

    def _is_quiet(self) -> bool:
        """Return True if nothing goes wrong, nobody does anything, and no other run is there."""
        simulation = self.simulation
        rates = simulation.event_rate, simulation.fail_rate, simulation.death_rate
        return not any(rates) and not self.world.probe_is_at_fault and len(self.running) == 1

    def _promises(self, campaign: Campaign, run: Run) -> Iterator[str]:
        served = campaign.served_by(self.world.now).version
        notes = campaign.notes
        on_trial = notes.trial and notes.trial.version
        if not (
            self._was_chosen(campaign)
            or served.number in campaign.passed
            or str(served) in (on_trial, notes.bad)
        ):
            yield f"{campaign.name} serves {served}, untried; {run.outcomes}"
        yield from (
            f"{campaign.name} moved to the older version {update.version.number}"
            for update in campaign.updates
            if update.older
        )
        step = run.outcomes.get(campaign.name)
        if step and step.outcome == "DEPLOYED" and not campaign.passed:
            yield f"{campaign.name}: {step} without a version that has passed"

    def _is_bad(self, campaign: Campaign) -> bool:
        """Return True if a campaign serves a bad version although a good one is known."""
        served = campaign.served_by(self.world.now).version
        has_good = campaign.notes.good not in (None, str(served))
        return campaign.probed and not served.serves_well and has_good

    def _was_chosen(self, campaign: Campaign) -> bool:
        """Return True if a person moved the campaign to the version that it serves."""
        served = campaign.served_by(self.world.now).version
        return any(update.person and update.version is served for update in campaign.updates)


@pytest.mark.parametrize("tenth", range(10))
def test_no_sequence_of_runs_breaks_a_promise(tenth):
    for seed in range(tenth, SEQUENCES, 10):
        sequence = Sequence(Random(seed))  # noqa: S311 - a reproducible sequence
        assert sequence.run() == [], f"seed {seed}"
