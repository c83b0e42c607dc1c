"""Random sequences of runs keep what the rules about imports and trainings promise."""

from collections import Counter
from collections.abc import Iterator
from random import Random

import pytest
from data_rules import Rules, Run
from data_world import DATASETS, SOLUTIONS, DataWorld, Version
from simulation import Died, drive

RUNS = 5
CALM_RUNS = 2
"""The last runs of a sequence, during which nothing happens."""
SEQUENCES = 1000


def violations(seed: int, rules: Rules) -> Iterator[str]:
    """Yield a message for each broken promise of one random sequence of runs."""
    random = Random(seed)  # noqa: S311 - a reproducible sequence
    world = DataWorld(random)
    rates = {
        "event_rate": random.choice([0, 0.02, 0.1]),
        "death_rate": random.choice([0, 0.01, 0.05]),
        "fail_rate": random.choice([0, 0.1, 0.3]),
    }
    events = [
        lambda: world.upload(random.choice(DATASETS)),
        lambda: world.foreign_import(random.choice(DATASETS)),
        lambda: world.foreign_training(random.choice(SOLUTIONS)),
        lambda: world.change_config(random.choice(SOLUTIONS)),
    ]
    for number in range(RUNS):
        calm = number >= RUNS - CALM_RUNS
        force = random.random() < 0.05 and not calm
        run = Run(world, f"run-{number}", rules, force=force)
        result = drive(world, run.process(), events, **(dict.fromkeys(rates, 0) if calm else rates))
        if not isinstance(result, Died):
            yield from _wrong_results(run)
        world.advance(12 * 3600 if calm else random.choice([180, 3600, 12 * 3600]))
    yield from _paid_twice(world)
    if not run.problems:
        yield from _outdated(world, run)


def _wrong_results(run: Run) -> Iterator[str]:
    for dataset, job in run.imported.items():
        if len(set(job.read)) != 1 or job.foreign:
            yield f"{run.run_id}: {dataset} does not hold its export: {job.name} read {job.read}"
    for solution, version in run.trained.items():
        for dataset, learned in version.learned.items():
            if learned is not run.imported[dataset]:
                yield f"{run.run_id} uses {version.name} of {solution}, which learned {learned}"


def _paid_twice(world: DataWorld) -> Iterator[str]:
    """Compare what finished trainings learned.

    A training during which an import ended may have learned either import, so it does not count.
    """
    paid: dict[tuple[object, ...], Version] = {}
    for version in world.versions:
        disturbed = any(
            job.status(world.now) == "ACTIVE" and version.created <= job.ended <= version.ended
            for job in world.jobs
        )
        if version.foreign or "asked" in version.tags or disturbed:
            continue
        if version.status(world.now) == "ACTIVE":
            key = version.solution, version.config, *(version.learned[d] for d in DATASETS)
            if key in paid:
                yield f"{version.name} and {paid[key].name} learned the same imports"
            paid[key] = version


def _outdated(world: DataWorld, run: Run) -> Iterator[str]:
    for dataset in DATASETS:
        job = world.content(dataset)
        if job.read != [each.content for each in world.exports[dataset]]:
            yield f"{dataset} holds {job.name}, which is not the present export"
    for solution in SOLUTIONS:
        if run.trained[solution].config != world.config[solution]:
            yield f"{solution} has a new configuration that was not trained"


@pytest.mark.parametrize("tenth", range(10))
def test_no_sequence_of_runs_breaks_a_promise(tenth):
    for seed in range(tenth, SEQUENCES, 10):
        assert list(violations(seed, Rules())) == [], f"seed {seed}"


@pytest.mark.parametrize("rule", Rules._fields)
def test_every_rule_is_needed(rule):
    rules = Rules()._replace(**{rule: False})
    found = Counter(message for seed in range(SEQUENCES) for message in violations(seed, rules))
    assert found, f"nothing goes wrong without {rule}: the rule is superfluous or the model weak"
