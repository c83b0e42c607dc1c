"""The rules about imports and trainings, as a process of the model.

`Rules` can switch off each rule without which a promise breaks. The other rules save time and
money: an import that a list shows as running is described and waited for, a foreign training is
adopted if it learns what is wanted, and nothing is trained on data that a foreign import brought.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from data_world import (
    DATASETS,
    DAY,
    SOLUTIONS,
    DataWorld,
    ImportJob,
    Object,
    TaggedJob,
    Version,
    newest_imports,
)
from simulation import Call, Process, RequestFailedError, Sleep

QUIET_SECONDS = 900
RETRY_SECONDS = 180
HALF_CADENCE = DAY // 2
OBJECTS = 2


class Rules(NamedTuple):
    """The rules that can be switched off."""

    confirm_imports: bool = True
    """An import counts only if the export did not change between its creation and its end."""
    retry_late: bool = True
    """A request without a response is repeated only when lists must show its effect."""
    wait_after_failures: bool = True
    """A run waits after one that died, until its last request is over and lists show it."""
    write_digest_again: bool = True
    """When a training ends, its digest is computed again for the time of its creation."""
    mark_mixed: bool = True
    """A version during whose training an import ended does not count."""
    check_after_training: bool = True
    """A version is used only if it learned the imports that the run knows."""
    import_days_once: bool = True
    """The export of a day is imported once, also if an earlier one was brought back since."""
    import_after_foreign: bool = True
    """But it is imported again after a foreign FULL import."""
    remember_stacks: bool = True
    """What an earlier stack of the pipeline has imported and trained counts."""
    number_attempts: bool = True
    """A run that is resumed gives its jobs new names if the first ones did not succeed."""


class ListedImport(NamedTuple):
    """An import job with the status that the run knows."""

    job: ImportJob
    status: str


@dataclass
class Run:
    """One execution. `problems`, `imported`, `trained` and `days` are what its report says."""

    world: DataWorld
    run_id: str
    stack: int
    rules: Rules
    force: bool = False
    day: int | None = None
    """The day of the export that somebody asked for."""
    after_failure: bool = False
    """The execution before died a short time ago."""
    problems: list[str] = field(default_factory=list)
    imported: dict[str, ImportJob] = field(default_factory=dict)
    trained: dict[str, Version] = field(default_factory=dict)
    started: int = 0
    today: int = 0
    tried: set[ImportJob] = field(default_factory=set)
    """The imports of this execution that could not be confirmed."""
    days: set[int] = field(default_factory=set)
    """The days of an INCREMENTAL export that the dataset does not hold."""

    def process(self) -> Process:
        """Retrain the dataset group."""
        self.started, self.today = self.world.now, self.world.now // DAY
        if self.after_failure and self.rules.wait_after_failures:
            yield Sleep(RETRY_SECONDS)
        for dataset in DATASETS:
            yield from self._import(dataset)
        if not self.problems:
            for solution in SOLUTIONS:
                yield from self._train(solution)
        return self

    def folder(self, dataset: str) -> int:
        """Return the folder of the export that the run imports."""
        return self.world.folder(dataset, self.today if self.day is None else self.day)

    def _is_known(self, job: TaggedJob) -> bool:
        mine = self.rules.remember_stacks or job.tags.get("stack") == self.stack
        return job.known and mine

    # Imports

    def _import(self, dataset: str) -> Process:
        """Import the export of a dataset, unless the dataset holds it already. Try it twice."""
        folder = self.folder(dataset)
        for _ in (1, 2):
            done = yield from self._ended_imports(dataset)
            export = yield Call(lambda: self.world.list_export(dataset, folder))
            if len(export) < OBJECTS:
                self.problems.append(f"{dataset}: there is no export")
                return
            job = self._import_of(done, dataset, folder, export)
            if job is None:
                job = yield from self._create_import(dataset, folder, export)
            if job is not None and (yield from self._is_confirmed(job)):
                self.imported[dataset] = job
                self.days |= self._days_not_held((yield from self._ended_imports(dataset)))
                return
            if job is not None and job.status(self.world.now) == "FAILED":
                self.problems.append(f"{dataset}: the import failed")
                return
            if job is not None:
                self.tried.add(job)
            yield Sleep(QUIET_SECONDS)
        self.problems.append(f"{dataset}: no import has succeeded on an export at rest")

    def _imports(self, dataset: str | None = None) -> Process:
        """List import jobs with their statuses."""
        listed = yield Call(lambda: self.world.list_imports(dataset))
        imports = []
        for job, listed_status in listed:
            status = listed_status
            if status == "IN_PROGRESS":
                status = yield Call(lambda job=job: self.world.describe(job))
            imports.append(ListedImport(job, status))
        return imports

    def _ended_imports(self, dataset: str | None = None) -> Process:
        """Return the ACTIVE imports of a dataset or of all, once none is running any more."""
        while True:
            imports = yield from self._imports(dataset)
            if all(status != "IN_PROGRESS" for _, status in imports):
                return [job for job, status in imports if status == "ACTIVE"]
            yield Sleep(60)

    def _import_of(
        self, done: list[ImportJob], dataset: str, folder: int, export: list[Object]
    ) -> ImportJob | None:
        """Return the import because of which the export need not be imported, or None."""
        held = [job for job in newest_imports(done) if self._is_known(job)]
        if not self.world.is_full(dataset):
            of_day = [job for job in held if job.tags["folder"] == folder]
            kept = [j for j in of_day if j.tags.get("confirmed") or has_imported(j, export)]
            return kept[0] if kept else None
        newest = held[-1] if held else None
        if newest and has_imported(newest, export):
            return newest
        before = [job for job in done if self._is_known(job) and has_imported(job, export)]
        once = self.rules.import_days_once and self.world.is_dated(dataset) and self.day is None
        if not once or not before:
            return None
        if newest and newest.tags.get("confirmed"):
            return newest
        return None if self.rules.import_after_foreign else before[0]

    def _days_not_held(self, done: list[ImportJob]) -> set[int]:
        """Return the days since the newest FULL import that have no confirmed import."""
        held = newest_imports(done)
        if not held or self.world.is_full(held[0].dataset):
            return set()
        confirmed = {job.tags["folder"] for job in held if job.tags.get("confirmed")}
        return set(range(max(0, held[0].ended // DAY), self.today)) - confirmed

    def _create_import(self, dataset: str, folder: int, export: list[Object]) -> Process:
        """Start an import, or adopt the one that an earlier try has started. Wait for its end."""
        tags = {
            "run": self.run_id,
            "stack": self.stack,
            "folder": folder,
            "planned": fingerprint(export),
            "asked": self.day is not None,
        }
        attempt = 1
        for _ in range(6):
            name = f"{self.stack}-{self.run_id}-{dataset}-{attempt}"
            job = yield Call(lambda name=name: self.world.import_named(name))
            if job is None:
                try:
                    job = yield Call(
                        lambda name=name: self.world.create_import(name, dataset, folder, tags),
                        may_fail=True,
                    )
                except RequestFailedError:
                    yield Sleep(RETRY_SECONDS if self.rules.retry_late else 5)
                    continue
            elif self.rules.number_attempts and (yield from self._is_used_up(job)):
                attempt += 1
                continue
            yield from self._wait(job)
            return job
        return None

    def _is_used_up(self, job: ImportJob) -> Process:
        """Return True if an earlier execution of this run had the import, and it has ended.

        The lists show it, and the dataset does not hold what is wanted: it failed, the export has
        changed, or a foreign import came after it.
        """
        ended = (yield Call(lambda: self.world.describe(job))) != "IN_PROGRESS"
        return ended and (job.created < self.started or job in self.tried)

    def _is_confirmed(self, job: ImportJob) -> Process:
        """Return True if an import is ACTIVE and the export has not changed since its creation."""
        status = yield Call(lambda: self.world.describe(job))
        if status != "ACTIVE":
            return False
        if job.tags.get("confirmed"):
            return True
        export = yield Call(lambda: self.world.list_export(job.dataset, job.tags["folder"]))
        if self.rules.confirm_imports and not has_imported(job, export):
            return False
        return (yield from self._write(job, confirmed=True))

    # Trainings

    def _train(self, solution: str) -> Process:
        """Train a solution, unless a version of the pipeline has learned the present imports."""
        yield from self._finish_trainings(solution)
        done = yield from self._ended_imports()
        if foreign := self._foreign_import(done):
            self.problems.append(f"{solution}: {foreign.name} is a foreign import")
            return
        digest = digest_of(done, self.world.now, self.world.config[solution])
        version = (yield from self._version_with(solution, digest)) or (
            yield from self._adopted_training(solution, done, digest)
        )
        if version is None:
            version = yield from self._create_version(solution, digest)
        if version is None:
            self.problems.append(f"{solution}: the training was not created")
        elif (yield from self._wait(version)) != "ACTIVE":
            self.problems.append(f"{solution}: the training failed")
        elif (yield from self._learned(version)) == digest or not self.rules.check_after_training:
            self.trained[solution] = version
        else:
            self.problems.append(f"{solution}: the version learned other imports")

    def _foreign_import(self, done: list[ImportJob]) -> ImportJob | None:
        """Return a foreign FULL import that ended when the known import ended, or later."""
        for job in done:
            later = job.ended >= self.imported[job.dataset].ended
            if job.full and later and not self._is_known(job):
                return job
        return None

    def _version_with(self, solution: str, digest: object) -> Process:
        """Return a version of the pipeline that has learned the present imports.

        If the data are new in spite of that, return only one of this run or one in training.
        """
        versions = yield Call(lambda: self.world.list_versions(solution))
        for version, status in versions:
            counts = (
                self._is_known(version) and status != "FAILED" and not version.tags.get("mixed")
            )
            if counts and version.tags["digest"] == digest:
                old = version.created < self.world.now - HALF_CADENCE
                again = self.force or (self.world.streamed and old)
                if not again or status == "IN_PROGRESS" or version.tags["run"] == self.run_id:
                    return version
        return None

    def _adopted_training(self, solution: str, done: list[ImportJob], digest: object) -> Process:
        """Return a foreign training that learns what is wanted, with the tags of this run."""
        versions = yield Call(lambda: self.world.list_versions(solution))
        for version, status in versions:
            fits = digest_of(done, version.created, version.config) == digest
            if status == "IN_PROGRESS" and not version.known and fits:
                tags = {"run": self.run_id, "stack": self.stack, "digest": digest}
                if (yield from self._write(version, **tags)):
                    return version
        return None

    def _create_version(self, solution: str, digest: object) -> Process:
        """Start a training, or find the one that an earlier try has started."""
        tags = {"run": self.run_id, "stack": self.stack, "digest": digest}
        if self.force:
            tags["asked"] = True
        attempt = 1
        for _ in range(4):
            versions = yield Call(lambda: self.world.list_versions(solution))
            name = f"{self.stack}-{self.run_id}-{solution}-{attempt}"
            of_name = next(((v, status) for v, status in versions if v.name == name), None)
            if of_name:
                version, status = of_name
                fits = version.tags["digest"] == digest and status != "FAILED"
                if fits and not version.tags.get("mixed"):
                    return version
                attempt += 1
                continue
            try:
                return (
                    yield Call(
                        lambda name=name: self.world.create_version(name, solution, tags),
                        may_fail=True,
                    )
                )
            except RequestFailedError:
                yield Sleep(RETRY_SECONDS if self.rules.retry_late else 5)
        return None

    def _finish_trainings(self, solution: str) -> Process:
        """Wait for the trainings that an earlier run left, and write what they learned."""
        versions = yield Call(lambda: self.world.list_versions(solution))
        for version, _ in versions:
            unfinished = self._is_known(version) and not version.tags.get("judged")
            if unfinished and (yield from self._wait(version)) == "ACTIVE":
                yield from self._learned(version)

    def _learned(self, version: Version) -> Process:
        """Write the digest on a version that has ended. Return it, or None if it does not count.

        What had ended when the training was created is known for certain only now.
        """
        imports = yield from self._imports()
        done = [job for job, status in imports if status == "ACTIVE"]
        mixed = self.rules.mark_mixed and any(
            version.created <= job.ended <= version.ended for job in done
        )
        digest = version.tags["digest"]
        if self.rules.write_digest_again:
            digest = digest_of(done, version.created, version.config)
        written = yield from self._write(version, mixed=mixed, digest=digest, judged=True)
        return digest if written and not mixed else None

    def _wait(self, job: TaggedJob) -> Process:
        """Wait until a job has ended. Return its status."""
        while (status := (yield Call(lambda: self.world.describe(job)))) == "IN_PROGRESS":
            yield Sleep(600)
        return status

    def _write(self, job: TaggedJob, **tags: object) -> Process:
        """Write tags. Return True if that succeeded within three tries."""
        for _ in range(3):
            try:
                yield Call(lambda: self.world.tag(job, **tags), may_fail=True)
            except RequestFailedError:
                yield Sleep(60)
            else:
                return True
        return False


def fingerprint(export: Iterable[Object]) -> tuple[int, ...]:
    """Return what tells two exports apart."""
    return tuple(item.content for item in export)


def has_imported(job: ImportJob, export: Iterable[Object]) -> bool:
    """Return True if an import has read the export as it is.

    If no run has confirmed that, no object may be newer than the import.
    """
    objects = list(export)
    old = all(item.modified <= job.created for item in objects)
    return job.tags["planned"] == fingerprint(objects) and (old or bool(job.tags.get("confirmed")))


def digest_of(done: Iterable[ImportJob], when: int, config: int) -> tuple[object, ...]:
    """Return what a training that starts at a time learns."""
    ended = [job for job in done if job.ended <= when]
    by_dataset = [[job for job in ended if job.dataset == dataset] for dataset in DATASETS]
    return (*(tuple(job.name for job in newest_imports(jobs)) for jobs in by_dataset), config)
