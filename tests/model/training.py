"""Runs that import and train by the real rules, as processes of the model."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from data_world import DATASETS, DAY, SOLUTIONS, DataWorld, ImportJob, TaggedJob, Version
from deploying import FIRST_MINUTE, as_time
from simulation import Call, Process, RequestFailedError, Sleep

from functions.rules import imports, trainings
from functions.rules.imports import Export, Import, SeenDataset, WantedImport
from functions.rules.steps import Step
from functions.rules.trainings import SeenSolution, Training, WantedTraining

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
            objects = yield Call(lambda d=dataset, f=folder: self.world.list_export(d, f))
            if not objects:
                self.failed.append(f"{dataset} has no export")
                continue
            yield from self._import(dataset, folder, fingerprint(folder, objects), started)
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
            listed = yield Call(lambda: self.world.list_imports(dataset))
            objects = yield Call(lambda: self.world.list_export(dataset, folder))
            newest = max((as_time(item.modified) for item in objects), default=None)
            jobs = [seen_import(job, status) for job, status in listed]
            return SeenDataset(imports=jobs, export=Export(fingerprint(folder, objects), 1, newest))

        def perform(act: object) -> Process:
            match act:
                case imports.CheckContent(present):
                    memory.checked = present
                case imports.Confirm(arn, _):
                    job = named(arn, self.world.jobs)
                    yield Call(lambda: self.world.tag(job, held=True), may_fail=True)
                case imports.Create(export):
                    memory.sent_at = as_time(self.world.now)
                    tags = {"run": self.run_id, "planned": export.fingerprint}
                    name = f"{self.stack}-{self.run_id}-{dataset}"
                    yield Call(
                        lambda: self.world.create_import(name, dataset, folder, tags),
                        may_fail=True,
                    )

        step, seen = yield from self._reconcile(imports.decide, look, perform, wanted, memory)
        if step.outcome == "IMPORTED":
            holder = imports.holder(seen, is_full=wanted.is_full)
            self.imported[dataset] = named(holder.arn, self.world.jobs)
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
            config = yield Call(lambda: self.world.config[solution])
            versions = yield Call(lambda: self.world.list_versions(solution))
            jobs = yield Call(self.world.list_imports)
            return SeenSolution(
                config=str(config),
                imports=[seen_import(job, status) for job, status in jobs],
                trainings=[seen_training(version, status) for version, status in versions][::-1],
            )

        def perform(act: object) -> Process:
            match act:
                case trainings.Create(digest):
                    memory.sent_at = as_time(self.world.now)
                    name = f"{self.stack}-{self.run_id}-{solution}"
                    tags = {"run": self.run_id, "digest": digest}
                    if self.force:
                        tags["asked"] = True
                    yield Call(
                        lambda: self.world.create_version(name, solution, tags),
                        may_fail=True,
                    )

        step, _ = yield from self._reconcile(trainings.decide, look, perform, wanted, memory)
        if step.outcome == "TRAINED":
            self.trained[solution] = named(memory.version, self.world.versions)
        else:
            self.failed.append(f"{solution}: {step.reasons}")

    def _reconcile(
        self,
        decide: Callable[..., Step],
        look: Callable[[], Process],
        perform: Callable[[object], Process],
        wanted: object,
        memory: object,
    ) -> Process:
        """Look, decide, act once, until there is an outcome."""
        invoked_at = self.world.now
        while True:
            seen = yield from look()
            now = self.world.now
            step = decide(seen, wanted, memory, as_time(now))
            if step.act is not None:
                if step.act.changes and now - invoked_at > FIRST_MINUTE:
                    invoked_at = now
                    yield Sleep(1)
                    continue
                try:
                    yield from perform(step.act)
                except RequestFailedError:
                    yield Sleep(60)
                    continue
            if step.outcome is not None:
                return step, seen
            if step.act is None:
                yield Sleep(max(LOOK_SECONDS, round(step.pause)))
                if step.pause > 45:
                    invoked_at = self.world.now


def named(name: str, jobs: Sequence[TaggedJob]) -> TaggedJob:
    """Return the job with a name, which is its ARN for the rules."""
    return next(job for job in jobs if job.name == name)


def fingerprint(folder: int, objects: list) -> str:
    """Return the fingerprint of an export."""
    return "-".join(map(str, (folder, *(item.content for item in objects))))


def seen_import(job: ImportJob, status: str) -> Import:
    """Return an import job as the rules see it."""
    planned, is_held = job.tags.get("planned"), bool(job.tags.get("held"))
    facts = {"dataset": job.dataset, "is_full": job.full, "planned": planned, "is_held": is_held}
    return Import(**_facts(job, status), **facts)


def seen_training(version: Version, status: str) -> Training:
    """Return a version as the rules see it."""
    return Training(**_facts(version, status), digest=version.tags.get("digest"))


def _facts(job: TaggedJob, status: str) -> dict[str, object]:
    is_running = status == "IN_PROGRESS"
    return {
        "arn": job.name,
        "run": job.tags.get("run"),
        "is_running": is_running,
        "is_active": status == "ACTIVE",
        "created_at": as_time(job.created),
        "ended_at": as_time(job.created if is_running else job.ended),
    }


def wrong_results(run: Run) -> Iterator[str]:
    """Yield a message for each import and version that the run should not go on with."""
    for dataset, job in run.imported.items():
        if len(set(job.read)) != 1 or not job.known:
            yield f"{run.run_id}: {dataset} does not hold its export: {job.name} read {job.read}"
    for solution, version in run.trained.items():
        if not version.known:
            yield f"{run.run_id}: {solution} uses the foreign {version.name}"
