"""Random sequences of runs keep what the rules about imports and trainings promise."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import pytest
from data_rules import HALF_CADENCE, Rules, Run
from data_world import DATASETS, DAY, SOLUTIONS, DataWorld, Version
from simulation import Died, Simulation

RUNS = 5
CALM_RUNS = 2
"""The runs after these, during which nothing happens."""
HOUR = 3600
SEQUENCES = 1000


@dataclass
class Sequence:
    """A random sequence of runs. `problems` are the promises that were broken."""

    random: Random
    rules: Rules
    stack: int = 0
    runs: list[Run] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Draw what goes wrong, and how often."""
        self.world = DataWorld(self.random)
        self.simulation = Simulation(
            self.world,
            self._events(),
            event_rate=self.random.choice((0, 0.02, 0.1)),
            fail_rate=self.random.choice((0, 0.1, 0.3)),
            death_rate=self.random.choice((0, 0.01, 0.05)),
        )

    def _events(self) -> list[Any]:
        world, choice = self.world, self.random.choice
        return [
            lambda: world.upload_again(choice(DATASETS)),
            lambda: world.upload_again(choice(DATASETS)),
            lambda: world.foreign_import(choice(DATASETS)),
            lambda: world.foreign_training(choice(SOLUTIONS)),
            lambda: world.change_config(choice(SOLUTIONS)),
            world.deny_tags,
        ]

    def run(self) -> list[str]:
        """Run the sequence, and return the broken promises."""
        result: Run | Died = Died()
        for number in range(RUNS):
            result = self._run(self._next_run(number, result))
        self.simulation.calm()
        self.world.calm_down()
        for number in range(CALM_RUNS):
            self.world.advance(6 * HOUR)
            self.world.advance(max(0, 2 * HOUR - self.world.now % DAY))
            again = (
                self.runs[-1].problems and self.runs[-1].day is None and self.random.random() < 0.5
            )
            self._run(self._resumed() if again else self._new_run(f"calm-{number}"))
        self.problems += self.world.undone
        self.problems += _paid_twice(self.world)
        self.problems += self.runs[-1].problems
        self.problems += _outdated(self.world, self.runs[-1])
        return self.problems

    def _next_run(self, number: int, before: Run | Died) -> Run:
        """Return a new run or, if the last one did not succeed, perhaps this one once more."""
        died = isinstance(before, Died) and number > 0
        self.world.advance(self.random.choice((0, 30, 180, HOUR, 12 * HOUR, 12 * HOUR)))
        if self.random.random() < 0.1:
            self.stack += 1
        elif number and (died or self.runs[-1].problems) and self.random.random() < 0.4:
            return replace(self._resumed(), after_failure=died)
        yesterday = self.world.now // DAY - 1
        has_yesterday = yesterday >= 0 and (self.world.dated or self.world.incremental)
        return replace(
            self._new_run(f"run-{number}"),
            force=self.random.random() < 0.05,
            day=yesterday if has_yesterday and self.random.random() < 0.15 else None,
            after_failure=died,
        )

    def _new_run(self, run_id: str) -> Run:
        return Run(self.world, run_id, self.stack, self.rules)

    def _resumed(self) -> Run:
        last = self.runs[-1]
        return replace(self._new_run(last.run_id), force=last.force, day=last.day)

    def _run(self, run: Run) -> Run | Died:
        results: list[Run | Died] = []
        self.simulation.start(run.process(), results.append)
        self.simulation.run()
        self.runs.append(run)
        if results[0] is run:
            self.problems += _wrong_results(run)
        return results[0]


def violations(seed: int, rules: Rules) -> list[str]:
    """Return a message for each broken promise of one random sequence of runs."""
    return Sequence(Random(seed), rules).run()  # noqa: S311 - a reproducible sequence


def _wrong_results(run: Run) -> Iterator[str]:
    for dataset, job in run.imported.items():
        if len(set(job.read)) != 1 or not job.known:
            yield f"{run.run_id}: {dataset} does not hold its export: {job.name} read {job.read}"
    for solution, version in run.trained.items():
        for dataset, learned in version.learned.items():
            if run.imported[dataset] not in learned:
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
        if version.person or "asked" in version.tags or disturbed:
            continue
        if version.status(world.now) == "ACTIVE":
            key = version.solution, version.config, *(version.learned[d] for d in DATASETS)
            before = paid.get(key)
            if before and not (world.streamed and version.created - before.created >= HALF_CADENCE):
                yield f"{version.name} and {before.name} learned the same imports"
            paid[key] = version


def _outdated(world: DataWorld, run: Run) -> Iterator[str]:
    for dataset in DATASETS:
        folder, held = run.folder(dataset), world.content(dataset)
        if not world.is_full(dataset):
            days = {job.tags["folder"] for job in held if job.known and len(set(job.read)) == 1}
            expected = set(range(max(0, held[0].ended // DAY), folder)) - run.days | {folder}
            if expected - days:
                yield f"days {expected - days} of {dataset} are missing and not named"
        elif not world.was_brought_back(dataset, folder):
            export = [item.content for item in world.exports[dataset, folder]]
            if not held or held[-1].read != export:
                yield f"{dataset} holds {held}, which is not the present export"
    for solution in SOLUTIONS:
        if solution in run.trained and run.trained[solution].config != world.config[solution]:
            yield f"{solution} has a new configuration that was not trained"


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
