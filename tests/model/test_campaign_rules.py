"""Random sequences of runs keep what the rules about campaigns promise."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf
from random import Random
from typing import Any

import pytest
from campaign_rules import Rules, Run, on_trial
from campaign_world import Campaign, CampaignWorld
from machine import Execution, Machine
from simulation import Died, Process, Simulation

RUNS = 5
CALM_RUNS = 2
"""The runs after these, during which nothing happens."""
SEQUENCES = 1000
TRIAL_EXECUTIONS = 3
"""How many executions one run may cause that only finish trials."""


@dataclass
class Sequence:
    """A random sequence of runs. `problems` are the promises that were broken."""

    random: Random
    rules: Rules
    problems: list[str] = field(default_factory=list)
    last: bool = False
    """The last run during which something may go wrong has been started."""

    def __post_init__(self) -> None:
        """Draw what goes wrong, and how often."""
        self.world = CampaignWorld(self.random)
        self.machine = Machine(self.world)
        self.simulation = Simulation(
            self.world,
            self._events(),
            event_rate=self.random.choice((0, 0.02, 0.1)),
            fail_rate=self.random.choice((0, 0.1, 0.4)),
            death_rate=self.random.choice((0, 0.02, 0.05)),
        )
        self.faultless = self.simulation.fail_rate == self.simulation.death_rate == 0

    def _events(self) -> list[Any]:
        campaigns = self.world.campaigns
        moves = [
            lambda campaign=campaign: self.world.move_by_hand(campaign) for campaign in campaigns
        ]
        fills = [lambda campaign=campaign: self.world.fill_tags(campaign) for campaign in campaigns]
        people = self.random.random() < 0.7
        full = self.random.random() < 0.2
        return [
            *(moves if people else ()),
            *(fills if full else ()),
            self.world.toggle_fault,
            self.world.loosen,
        ]

    def run(self) -> list[str]:
        """Run the sequence, and return the broken promises."""
        for number in range(RUNS):
            self._start(f"run-{number}")
            if self.random.random() < 0.2:
                self.world.advance(self.random.choice((0, 5, 20)))
                self._start(f"manual-{number}")
            self.last = number == RUNS - 1
            is_early = not self.last and self.random.random() < 0.3
            self.simulation.run(until=self.world.now + 1800 if is_early else inf)
            if not is_early:
                self.world.advance(self.random.choice((200, 3 * 3600)))
        self._check_trials_are_over()
        for number in range(CALM_RUNS):
            self._start(f"calm-{number}")
            self.simulation.run()
        self._check_trials_are_over()
        return self.problems

    def _start(self, name: str, *, attempt: int = 0) -> None:
        """Start an execution. An `attempt` only finishes trials, the second one an hour later."""
        execution = self.machine.start(name, delay=3600 if attempt > 1 else 0)
        if execution is None:
            return
        kind = (
            "trial" if attempt else self.random.choice(("retrain", "retrain", "again", "refused"))
        )
        run = Run(self.world, self.machine, execution, self.rules, kind)
        self.simulation.start(run.process(), lambda result: self._ended(run, attempt, result))

    def _ended(self, run: Run, attempt: int, result: Run | Died) -> None:
        """Check an execution that has ended, and start one that finishes the trials it left."""
        died = isinstance(result, Died)
        self.machine.end(run.execution, succeeded=not died)
        if self.last and not attempt:
            self._calm()
        self.problems += run.problems
        if self.faultless:
            self.problems += run.doubts
        for campaign in self.world.campaigns:
            self.problems += self._promises(campaign, run)
        if died:
            self.simulation.start(self._close(run.execution, attempt), lambda _: None, delay=30)
        else:
            self._start_trial(run.execution, attempt)

    def _calm(self) -> None:
        self.simulation.calm()
        if self.world.probe_is_at_fault:
            self.world.toggle_fault()

    def _close(self, execution: Execution, attempt: int) -> Process:
        """Do what the function does that EventBridge invokes after an execution died."""
        yield from ()
        self._start_trial(execution, attempt)

    def _start_trial(self, execution: Execution, attempt: int) -> None:
        left = any(on_trial(campaign.tags) for campaign in self.world.campaigns)
        if left and self.rules.trial_executions and attempt < TRIAL_EXECUTIONS:
            name = execution.name.partition("-trial-")[0]
            self._start(f"{name}-trial-{attempt + 1}", attempt=attempt + 1)

    # The promises

    def _promises(self, campaign: Campaign, run: Run) -> Iterator[str]:
        served = campaign.served_by(self.world.now).version
        if not (
            self._was_chosen(campaign)
            or served.number in campaign.passed
            or on_trial(campaign.tags) is served
        ):
            yield f"{campaign.name} serves {served}, untried; {run.outcomes}"
        yield from (
            f"{campaign.name} moved to the older version {update.version.number}"
            for update in campaign.updates
            if update.older
        )

    def _was_chosen(self, campaign: Campaign) -> bool:
        """Return True if a person moved the campaign to the version that it serves."""
        served = campaign.served_by(self.world.now).version
        return any(update.person and update.version is served for update in campaign.updates)

    def _check_trials_are_over(self) -> None:
        """Note a campaign that is still on trial, and a bad version that nobody chose."""
        for campaign in self.world.campaigns:
            served = campaign.served_by(self.world.now).version
            if on_trial(campaign.tags) is served:
                self.problems.append(f"{campaign.name} is still on trial: {campaign.tags}")
            elif not served.serves_well and not self._was_chosen(campaign):
                self.problems.append(f"{campaign.name} still serves {served}: {campaign.tags}")


def violations(seed: int, rules: Rules) -> list[str]:
    """Return a message for each broken promise of one random sequence of runs."""
    return Sequence(Random(seed), rules).run()  # noqa: S311 - a reproducible sequence


@pytest.mark.parametrize("tenth", range(10))
def test_no_sequence_of_runs_breaks_a_promise(tenth):
    for seed in range(tenth, SEQUENCES, 10):
        assert violations(seed, Rules()) == [], f"seed {seed}"


@pytest.mark.parametrize("rule", Rules._fields)
def test_every_rule_is_needed(rule):
    rules = Rules()._replace(**{rule: False})
    assert any(violations(seed, rules) for seed in range(SEQUENCES)), (
        f"nothing goes wrong without {rule}: the rule is superfluous or the model weak"
    )
