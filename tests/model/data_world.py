"""Exports, imports and trainings, in a service whose lists have entries that are 90 seconds old."""

from dataclasses import dataclass, field
from functools import partial
from itertools import count

from simulation import Job, RequestFailedError, World, as_time

from functions.rules.imports import Export, Import
from functions.rules.trainings import Training

DATASETS = "interactions", "items"
SOLUTIONS = "taste", "similar"
DAY = 24 * 3600


@dataclass(eq=False)
class Object:
    """One object of an export."""

    content: int
    modified: int


@dataclass(eq=False)
class TaggedJob(Job):
    """A job of the service that has a name and tags."""

    name: str
    tags: dict[str, object]

    @property
    def known(self) -> bool:
        """Return True if the pipeline has created the job, also an earlier stack of it."""
        return "run" in self.tags

    def facts(self, when: int) -> dict[str, object]:
        """Return what the service shows of any job at a time."""
        is_running = self.status(when) == "IN_PROGRESS"
        return {
            "arn": self.name,
            "run": self.tags.get("run"),
            "is_running": is_running,
            "is_active": self.status(when) == "ACTIVE",
            "created_at": as_time(self.created),
            "ended_at": as_time(self.created if is_running else self.ended),
        }


@dataclass(eq=False)
class ImportJob(TaggedJob):
    """One dataset import job. `read` has the content that it imported of each object."""

    dataset: str
    full: bool
    folder: int | None
    """The folder of the export. A foreign import has none."""
    read: list[int] = field(default_factory=list)

    def seen(self, when: int) -> Import:
        """Return the import job as the rules see it at a time."""
        planned, held = self.tags.get("fingerprint"), bool(self.tags.get("confirmed"))
        facts = {
            "dataset": self.dataset,
            "is_full": self.full,
            "fingerprint": planned,
            "is_confirmed": held,
        }
        return Import(**self.facts(when), **facts)


@dataclass(eq=False)
class Version(TaggedJob):
    """One solution version. `learned` has the import jobs of each dataset that it learned."""

    solution: str
    config: int
    learned: dict[str, tuple[ImportJob, ...]] = field(default_factory=dict)

    def seen(self, when: int) -> Training:
        """Return the version as the rules see it at a time."""
        return Training(**self.facts(when), digest=self.tags.get("digest"))


@dataclass
class DataWorld(World):
    """S3 and Personalize.

    If `incremental` is true, each day brings new interactions, which are added to those of before.
    If `dated` is true, the items of each day have a folder of their own. It is not documented
    whether the name of a version is unique, so both happen.
    """

    exports: dict[tuple[str, int], list[Object]] = field(default_factory=dict)
    jobs: list[ImportJob] = field(default_factory=list)
    versions: list[Version] = field(default_factory=list)
    config: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SOLUTIONS, 0))
    numbers: count = field(default_factory=lambda: count(1))
    uploading: set[tuple[str, int]] = field(default_factory=set)
    contents: dict[tuple[str, int], list[int]] = field(default_factory=dict)
    """What was written to each location."""
    calm: bool = False

    def __post_init__(self) -> None:
        self.incremental = self.random.random() < 0.4
        self.dated = self.random.random() < 0.5
        self.names_are_unique = self.random.random() < 0.5
        if self.incremental:
            self.jobs.append(
                ImportJob(-1, -1, False, "first", {}, "interactions", True, None, [0, 0])
            )
        for dataset in DATASETS:
            content = next(self.numbers)
            self.contents[dataset, 0] = [content]
            self.exports[dataset, 0] = [Object(content, 0), Object(content, 0)]
        self.at(DAY, self._new_day)

    def is_full(self, dataset: str) -> bool:
        """Return True if an import of this dataset replaces what it holds."""
        return dataset == "items" or not self.incremental

    def is_dated(self, dataset: str) -> bool:
        """Return True if the export of each day has a folder of its own."""
        return self.dated if self.is_full(dataset) else True

    def folder(self, dataset: str, day: int) -> int:
        """Return the folder of the export of a day."""
        return day if self.is_dated(dataset) else 0

    # What people and other programs do

    def _new_day(self) -> None:
        """Export the datasets of a new day, some time after midnight or never."""
        for dataset in DATASETS:
            if self.is_dated(dataset) and (self.calm or self.random.random() < 0.9):
                folder = self.folder(dataset, self.now // DAY)
                delay = self.random.choice((0, 3600))
                self.at(self.now + delay, partial(self.upload, dataset, folder))
        self.at(self.now + DAY, self._new_day)

    def upload(self, dataset: str, folder: int) -> None:
        """Write or replace the objects of an export, one after the other.

        Sometimes they are written again as they are, or as they were before.
        """
        key = dataset, folder
        if key in self.uploading:
            return
        contents = self.contents.setdefault(key, [])
        if not contents or self.random.random() < 0.8:
            contents.append(next(self.numbers))
        content = self.random.choice(contents[-2:]) if self.random.random() < 0.3 else contents[-1]
        self.uploading.add(key)
        rest = self.exports.get(key, [Object(0, 0)] * 2)[1:]
        self.exports[key] = [Object(content, self.now), *rest]

        def finish() -> None:
            self.exports[key] = [self.exports[key][0], Object(content, self.now)]
            self.uploading.remove(key)

        self.at(self.now + self.random.choice((1, 60, 600)), finish)

    def upload_again(self, dataset: str) -> None:
        """Replace the export of today or of the day before, sometimes twice."""
        folder = self.folder(dataset, self.now // DAY) - self.random.choice((0, 0, 1))
        if (dataset, folder) in self.exports:
            self.upload(dataset, folder)
            self.at(self.now + self.random.choice((0, 700)), partial(self.upload, dataset, folder))

    def foreign_import(self, dataset: str) -> None:
        """Import something else into a dataset, or add it."""
        if not any(
            job.dataset == dataset and job.status(self.now) == "IN_PROGRESS" for job in self.jobs
        ):
            full = self.is_full(dataset) or self.random.random() < 0.5
            self._start_import(f"foreign-{next(self.numbers)}", dataset, None, {}, full=full)

    def foreign_training(self, solution: str) -> None:
        """Train a solution, as a person or the service's automatic training does."""
        self._start_training(f"foreign-{next(self.numbers)}", solution, {})

    def change_config(self, solution: str) -> None:
        """Change the configuration of a solution."""
        self.config[solution] += 1

    # What the service answers

    def list_export(self, dataset: str, folder: int) -> Export | None:
        """Return an export as the rules see it, or None without one. S3 is consistent."""
        objects = self.exports.get((dataset, folder))
        if objects is None:
            return None
        fingerprint = "-".join(map(str, (folder, *(item.content for item in objects))))
        return Export(fingerprint, 1, as_time(max(item.modified for item in objects)))

    def list_imports(self, dataset: str | None = None) -> list[Import]:
        """Return import jobs. Each may be as it was 90 seconds ago."""
        return self._listed(job for job in self.jobs if dataset in (None, job.dataset))

    def list_versions(self, solution: str) -> list[Training]:
        """Return the versions of a solution, newest first. Each may be as it was 90 seconds ago."""
        return self._listed(
            version for version in reversed(self.versions) if version.solution == solution
        )

    def _listed(self, jobs):
        listed = [(job, self.as_of()) for job in jobs]
        return [job.seen(when) for job, when in listed if job.created <= when]

    def named(self, name: str) -> TaggedJob:
        """Return the job with a name, which is its ARN for the rules."""
        return next(job for job in (*self.jobs, *self.versions) if job.name == name)

    def confirm(self, name: str) -> None:
        """Write on an import job that it holds its export."""
        self.named(name).tags["confirmed"] = True

    def create_import(self, name: str, dataset: str, folder: int, tags: dict[str, object]) -> None:
        """Start an import, unless the name is taken."""
        if any(job.name == name for job in self.jobs):
            raise RequestFailedError("the name is taken")
        self._start_import(name, dataset, folder, tags, full=self.is_full(dataset))

    def create_version(self, name: str, solution: str, tags: dict[str, object]) -> None:
        """Start a training, unless the name is taken."""
        is_taken = any(version.name == name for version in self.versions)
        if is_taken and self.names_are_unique:
            raise RequestFailedError("the name is taken")
        self._start_training(f"{name}-again" if is_taken else name, solution, tags)

    def calm_down(self) -> None:
        """Let nothing go wrong any more, and export what is missing of today."""
        self.calm = True
        for dataset in DATASETS:
            folder = self.folder(dataset, self.now // DAY)
            if (dataset, folder) not in self.exports:
                self.upload(dataset, folder)

    def _start_import(
        self, name: str, dataset: str, folder: int | None, tags: dict[str, object], *, full: bool
    ) -> None:
        lasts = self.random.choice((600, 1200, 2400))
        fails = not self.calm and self.random.random() < 0.1
        job = ImportJob(self.now, self.now + lasts, fails, name, dict(tags), dataset, full, folder)
        self.jobs.append(job)

        def read(number: int) -> None:
            is_foreign = folder is None
            job.read.append(-1 if is_foreign else self.exports[dataset, folder][number].content)

        for number in (0, 1):
            self.at(self.now + self.random.randint(0, lasts), partial(read, number))

    def _start_training(self, name: str, solution: str, tags: dict[str, object]) -> None:
        lasts = self.random.choice((2400, 7200))
        fails = not self.calm and self.random.random() < 0.1
        config = self.config[solution]
        version = Version(self.now, self.now + lasts, fails, name, dict(tags), solution, config)
        self.versions.append(version)

        def learn(dataset: str) -> None:
            version.learned[dataset] = self.content(dataset)

        for dataset in DATASETS:
            self.at(self.now + self.random.randint(0, lasts), partial(learn, dataset))

    def content(self, dataset: str) -> tuple[ImportJob, ...]:
        """Return the import jobs whose data a dataset holds now: the newest FULL and later ones."""
        done = [
            job for job in self.jobs if job.dataset == dataset and job.status(self.now) == "ACTIVE"
        ]
        done.sort(key=lambda job: job.ended)
        full = max((number for number, job in enumerate(done) if job.full), default=len(done))
        return tuple(done[full:])
