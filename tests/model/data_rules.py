"""The rules about imports and trainings, as a process of the model.

`Rules` can switch off each rule without which a promise breaks. The other rules save time and
money: an import that a list shows as running is described and waited for, and nothing is trained on
data that a foreign import brought.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from data_world import DATASETS, SOLUTIONS, DataWorld, ImportJob, Object, TaggedJob, Version
from simulation import Call, Process, RequestFailedError, Sleep

QUIET_SECONDS = 900
RETRY_SECONDS = 180


class Rules(NamedTuple):
    """The rules that can be switched off."""

    confirm_imports: bool = True
    """An import counts only if the export did not change between its creation and its end."""
    retry_late: bool = True
    """A request without a response is repeated only when lists must show its effect."""
    write_digest_again: bool = True
    """When a training ends, its digest is computed again for the time of its creation."""
    mark_mixed: bool = True
    """A version during whose training an import ended does not count."""
    check_after_training: bool = True
    """A version is used only if it learned the imports that the run knows."""


class ListedImport(NamedTuple):
    """An import job with the status that the run knows."""

    job: ImportJob
    status: str


@dataclass
class Run:
    """One execution. `problems`, `imported` and `trained` are what its report says."""

    world: DataWorld
    run_id: str
    rules: Rules
    force: bool = False
    problems: list[str] = field(default_factory=list)
    imported: dict[str, ImportJob] = field(default_factory=dict)
    trained: dict[str, Version] = field(default_factory=dict)

    def process(self) -> Process:
        """Retrain the dataset group."""
        for dataset in DATASETS:
            yield from self._import(dataset)
        if not self.problems:
            for solution in SOLUTIONS:
                yield from self._train(solution)
        return self

    # Imports

    def _import(self, dataset: str) -> Process:
        """Import the export of a dataset, unless the dataset holds it already. Try it twice."""
        for attempt in (1, 2):
            newest = yield from self._newest_import(dataset)
            export = yield Call(lambda: self.world.list_export(dataset))
            if newest is None or newest.tags.get("planned") != fingerprint(export):
                newest = yield from self._create_import(dataset, attempt, fingerprint(export))
            if newest is not None and (yield from self._is_confirmed(newest)):
                self.imported[dataset] = newest
                return
            if newest is not None and newest.status(self.world.now) == "FAILED":
                self.problems.append(f"{dataset}: the import failed")
                return
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

    def _newest_import(self, dataset: str) -> Process:
        """Return the newest ACTIVE import of a dataset, once none is running any more."""
        while True:
            imports = yield from self._imports(dataset)
            running = any(status == "IN_PROGRESS" for _, status in imports)
            if not running:
                done = [job for job, status in imports if status == "ACTIVE"]
                return max(done, key=lambda job: job.ended, default=None)
            yield Sleep(60)

    def _create_import(self, dataset: str, attempt: int, planned: object) -> Process:
        """Start an import, or adopt the one that an earlier try has started. Wait for its end."""
        name = f"{self.run_id}-{dataset}-{attempt}"
        tags = {"run": self.run_id, "planned": planned}
        for _ in range(3):
            try:
                job = yield Call(
                    lambda: self.world.create_import(name, dataset, tags), may_fail=True
                )
            except RequestFailedError:
                yield Sleep(RETRY_SECONDS if self.rules.retry_late else 5)
                job = yield Call(lambda: self.world.import_named(name))
            if job is not None:
                yield from self._wait(job)
                return job
        return None

    def _is_confirmed(self, job: ImportJob) -> Process:
        """Return True if an import is ACTIVE and the export has not changed since its creation."""
        status = yield Call(lambda: self.world.describe(job))
        if status != "ACTIVE":
            return False
        if job.tags.get("confirmed"):
            return True
        export = yield Call(lambda: self.world.list_export(job.dataset))
        changed = fingerprint(export) != job.tags["planned"] or any(
            item.modified > job.created for item in export
        )
        if changed and self.rules.confirm_imports:
            return False
        return (yield from self._write(job, confirmed=True))

    # Trainings

    def _train(self, solution: str) -> Process:
        """Train a solution, unless a version of the pipeline has learned the present imports."""
        yield from self._finish_trainings(solution)
        imports = yield from self._imports()
        if foreign := self._foreign_import(imports):
            self.problems.append(f"{solution}: {foreign.name} is a foreign import")
            return
        digest = digest_of(imports, self.world.now, self.world.config[solution])
        version = None if self.force else (yield from self._version_with(solution, digest))
        if version is None:
            version = yield from self._create_version(solution, digest)
        if version is None:
            self.problems.append(f"{solution}: the training was not created")
        elif (yield from self._wait(version)) != "ACTIVE":
            self.problems.append(f"{solution}: the training failed")
        elif (yield from self._learned_what_was_planned(version)):
            self.trained[solution] = version
        else:
            self.problems.append(f"{solution}: the version learned other imports")

    def _foreign_import(self, imports: list[ListedImport]) -> ImportJob | None:
        """Return an import that ended after those that this run knows, or has not ended yet."""
        for job, status in imports:
            known = self.imported[job.dataset]
            later = status == "ACTIVE" and job.ended > known.ended
            if job is not known and (later or status == "IN_PROGRESS"):
                return job
        return None

    def _version_with(self, solution: str, digest: object) -> Process:
        """Return a version of the pipeline that has learned the present imports."""
        versions = yield Call(lambda: self.world.list_versions(solution))
        for version, status in versions:
            counts = not version.foreign and status != "FAILED" and not version.tags.get("mixed")
            if counts and version.tags["digest"] == digest:
                return version
        return None

    def _create_version(self, solution: str, digest: object) -> Process:
        """Start a training, or find the one that an earlier try has started."""
        name = f"{self.run_id}-{solution}"
        tags = {"run": self.run_id, "digest": digest, **({"asked": True} if self.force else {})}
        for _ in range(3):
            try:
                return (
                    yield Call(
                        lambda: self.world.create_version(name, solution, tags), may_fail=True
                    )
                )
            except RequestFailedError:
                yield Sleep(RETRY_SECONDS if self.rules.retry_late else 5)
            versions = yield Call(lambda: self.world.list_versions(solution))
            for version, _ in versions:
                if version.name == name:
                    return version
        return None

    def _finish_trainings(self, solution: str) -> Process:
        """Wait for the trainings that an earlier run left, and write what they learned."""
        versions = yield Call(lambda: self.world.list_versions(solution))
        for version, _ in versions:
            if version.foreign or version.tags.get("judged"):
                continue
            if (yield from self._wait(version)) == "ACTIVE":
                yield from self._learned_what_was_planned(version)

    def _learned_what_was_planned(self, version: Version) -> Process:
        """Write the digest on a version. Return True if it learned the imports of this run.

        What had ended when the training was created is known for certain only now.
        """
        imports = yield from self._imports()
        mixed = self.rules.mark_mixed and any(
            status == "ACTIVE" and version.created <= job.ended <= version.ended
            for job, status in imports
        )
        digest = version.tags["digest"]
        if self.rules.write_digest_again:
            digest = digest_of(imports, version.created, version.config)
        if not (yield from self._write(version, mixed=mixed, digest=digest, judged=True)):
            return False
        planned = digest_of(
            [ListedImport(job, "ACTIVE") for job in self.imported.values()],
            self.world.now,
            version.config,
        )
        return not self.rules.check_after_training or (not mixed and digest == planned)

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


def digest_of(imports: Iterable[ListedImport], when: int, config: int) -> tuple[object, ...]:
    """Return what a training that starts at a time learns: the newest import of each dataset."""
    newest: dict[str, ImportJob] = {}
    for job, status in imports:
        known = newest.get(job.dataset)
        if status == "ACTIVE" and job.ended <= when and (known is None or job.ended > known.ended):
            newest[job.dataset] = job
    return (*(newest[d].name if d in newest else None for d in DATASETS), config)
