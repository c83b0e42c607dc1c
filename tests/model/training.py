"""Runs that import and train by the real rules, as processes of the model."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from data_world import DATASETS, DAY, SOLUTIONS, DataWorld, ImportJob, Version
from simulation import Call, Process, Sleep, as_time, reconcile

from functions.rules import imports, trainings
from functions.rules.imports import SeenDataset, WantedImport
from functions.rules.steps import Step
from functions.rules.trainings import SeenSolution, WantedTraining

MAX_HOURS = 26
LOOK_SECONDS = 120
"""The least pause between two looks. Shorter ones would show nothing new."""


@dataclass
class Run:
    """One run. `imported` and `trained` have what it goes on with."""

    world: DataWorld
    run_id: str
    stack: int
    force: bool = False
    after_failure: bool = False
    """The run before this one has died, so it waits until its last request has arrived."""
    day: int = 0
    imported: dict[str, ImportJob] = field(default_factory=dict)
    trained: dict[str, Version] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)

    def process(self) -> Process:
        """Import the datasets. If all hold their exports, train the solutions."""
        if self.after_failure:
            yield Sleep(180)
        started = self.world.now
        self.day = self.world.now // DAY
        for dataset in DATASETS:
            folder = self.world.folder(dataset, self.day)
            export = yield Call(partial(self.world.list_export, dataset, folder))
            if export is None:
                self.failed.append(f"{dataset} has no export")
            else:
                yield from self._import(dataset, folder, export.fingerprint, started)
        if self.failed:
            return self
        for solution in SOLUTIONS:
            yield from self._train(solution, started)
        return self

    def _import(self, dataset: str, folder: int, planned: str, started: int) -> Process:
        wanted = WantedImport(
            run=self.run_id,
            is_full=self.world.is_full(dataset),
            requested_at=as_time(started) if self.force else None,
            durations=[600],
            max_hours=MAX_HOURS,
        )
        memory = imports.Memory(as_time(self.world.now), checked=planned)

        def look() -> Process:
            jobs = yield Call(partial(self.world.list_imports, dataset))
            export = yield Call(partial(self.world.list_export, dataset, folder))
            return SeenDataset(imports=jobs, export=export)

        def perform(step: Step, _seen: object) -> Process:
            match step.act:
                case imports.CheckContent(present):
                    memory.checked = present
                case imports.Confirm(arn, _):
                    yield Call(partial(self.world.confirm, arn), may_fail=True)
                case imports.Create(export):
                    memory.sent_at = as_time(self.world.now)
                    tags = {"run": self.run_id, "fingerprint": export.fingerprint}
                    name = f"{self.stack}-{self.run_id}-{dataset}"
                    create = partial(self.world.create_import, name, dataset, folder, tags)
                    yield Call(create, may_fail=True)

        step, seen = yield from self._reconcile(imports.decide, look, perform, wanted, memory)
        if step.outcome == "IMPORTED":
            holder = imports.holding_import(seen, is_full=wanted.is_full)
            self.imported[dataset] = self.world.named(holder.arn)
        else:
            self.failed.append(f"{dataset}: {step.reasons}")

    def _train(self, solution: str, started: int) -> Process:
        wanted = WantedTraining(
            run=self.run_id,
            datasets={dataset: self.world.is_full(dataset) for dataset in DATASETS},
            requested_since=as_time(started) if self.force else None,
            durations=[2400],
            max_hours=MAX_HOURS,
        )
        memory = trainings.Memory(as_time(self.world.now))

        def look() -> Process:
            config = yield Call(lambda: str(self.world.config[solution]))
            versions = yield Call(partial(self.world.list_versions, solution))
            jobs = yield Call(self.world.list_imports)
            return SeenSolution(config=config, imports=jobs, trainings=versions)

        def perform(step: Step, _seen: object) -> Process:
            match step.act:
                case trainings.Create(digest):
                    memory.sent_at = as_time(self.world.now)
                    name = f"{self.stack}-{self.run_id}-{solution}"
                    tags = {"run": self.run_id, "digest": digest, "asked": self.force}
                    create = partial(self.world.create_version, name, solution, tags)
                    yield Call(create, may_fail=True)

        step, _ = yield from self._reconcile(trainings.decide, look, perform, wanted, memory)
        if step.outcome == "TRAINED":
            self.trained[solution] = self.world.named(memory.version)
        else:
            self.failed.append(f"{solution}: {step.reasons}")

    def _reconcile(
        self,
        decide: Callable[..., Step],
        look: Callable[[], Process],
        perform: Callable[[Step, object], Process],
        wanted: object,
        memory: object,
    ) -> Process:
        return reconcile(
            self.world,
            look,
            lambda seen: decide(seen, wanted, memory, as_time(self.world.now)),
            perform,
            least_pause=LOOK_SECONDS,
            pause_after_failure=60,
        )


def wrong_results(run: Run) -> Iterator[str]:
    """Yield a message for each import and version that the run should not go on with."""
    for dataset, job in run.imported.items():
        if len(set(job.read)) != 1 or not job.known:
            yield f"{run.run_id}: {dataset} does not hold its export: {job.name} read {job.read}"
    for solution, version in run.trained.items():
        if not version.known:
            yield f"{run.run_id}: {solution} uses the foreign {version.name}"
        for job in _learned_parts(version):
            yield f"{run.run_id}: {version.name} has learned a part: {job.name} read {job.read}"


def _learned_parts(version: Version) -> Iterator[ImportJob]:
    """Yield the imports that brought a part of an export, if no later one brought all of it."""
    for jobs in version.learned.values():
        for number, job in enumerate(jobs):
            later = [other for other in jobs[number:] if other.folder == job.folder]
            is_part = all(len(set(other.read)) > 1 for other in later)
            if job.known and is_part and job.ended <= version.created:
                yield job
