"""Random sequences of runs keep what the rules about campaigns promise."""

from collections.abc import Iterator
from random import Random

import pytest
from campaign_rules import Rules, Run
from campaign_world import Campaign, CampaignWorld
from simulation import Died, drive

RUNS = 6
CALM_RUNS = 2
"""The last runs of a sequence, during which nothing happens."""
SEQUENCES = 1000


def violations(seed: int, rules: Rules) -> Iterator[str]:
    """Yield a message for each broken promise of one random sequence of runs."""
    random = Random(seed)  # noqa: S311 - a reproducible sequence
    world = CampaignWorld(random)
    rates = {
        "event_rate": random.choice([0, 0.02, 0.1]),
        "death_rate": random.choice([0, 0.02, 0.05]),
        "fail_rate": random.choice([0, 0.1, 0.4]),
    }
    people = random.random() < 0.7
    moves = [lambda campaign=campaign: world.move_by_hand(campaign) for campaign in world.campaigns]
    events = [*(moves if people else ()), world.toggle_fault, world.loosen]
    for number in range(RUNS):
        calm = number >= RUNS - CALM_RUNS
        world.probe_is_at_fault = world.probe_is_at_fault and not calm
        fault_changes = world.fault_changes
        version = world.train() if random.random() < 0.7 else world.versions[-1]
        run = Run(world, version, rules, refused=random.random() < 0.3)
        result = drive(world, run.process(), events, **(dict.fromkeys(rates, 0) if calm else rates))
        world.advance(random.choice([200, 3 * 3600]))
        for campaign in world.campaigns:
            if not isinstance(result, Died):
                yield from _bad_version_stays(world, run, campaign)
            if fault_changes == world.fault_changes and rates["fail_rate"] == 0:
                yield from _condemned_without_fault(world, campaign)
            campaign.condemned.clear()
            yield from (
                f"{campaign.name} moved to the older version {update.version.number}"
                for update in campaign.updates
                if update.older
            )


def _bad_version_stays(world: CampaignWorld, run: Run, campaign: Campaign) -> Iterator[str]:
    """Yield a message if the served version neither passed, nor is on trial, nor was chosen."""
    update = campaign.served_by(world.now)
    chosen = any(choice.person and choice.version is update.version for choice in campaign.updates)
    passed = update.version.number in campaign.passed
    if not (chosen or passed or campaign.tags.get("trial") is update.version):
        yield f"{campaign.name} serves {update.version}, untried; {run.outcomes}"


def _condemned_without_fault(world: CampaignWorld, campaign: Campaign) -> Iterator[str]:
    for version in world.versions:
        if version.serves_well and version.number in campaign.condemned:
            yield f"{campaign.name} condemned {version}"


@pytest.mark.parametrize("tenth", range(10))
def test_no_sequence_of_runs_breaks_a_promise(tenth):
    for seed in range(tenth, SEQUENCES, 10):
        assert list(violations(seed, Rules())) == [], f"seed {seed}"


@pytest.mark.parametrize("rule", Rules._fields)
def test_every_rule_is_needed(rule):
    rules = Rules()._replace(**{rule: False})
    assert any(violation for seed in range(SEQUENCES) for violation in violations(seed, rules)), (
        f"nothing goes wrong without {rule}: the rule is superfluous or the model weak"
    )
