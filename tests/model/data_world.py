"""Exports, imports and trainings as a service with late lists shows them. Only FULL imports."""

from dataclasses import dataclass, field
from itertools import count

from simulation import RequestFailedError, World

DATASETS = "interactions", "items"
SOLUTIONS = "taste", "similar"


@dataclass(eq=False)
class Object:
    """One object of an export."""

    content: int
    modified: int


@dataclass(eq=False)
class ImportJob:
    """One dataset import job; `read` is what it imported of each object."""

    name: str
    dataset: str
    created: int
    ended: int
    fails: bool
    tags: dict[str, object]
    read: list[int] = field(default_factory=list)

    def status(self, now: int) -> str:
        """Return the status at a time."""
        if now < self.ended:
            return "IN_PROGRESS"
        return "FAILED" if self.fails else "ACTIVE"

    @property
    def foreign(self) -> bool:
        """Return True if the pipeline did not create it."""
        return "run" not in self.tags


@dataclass(eq=False)
class Version:
    """One solution version; `learned` is the import job of each dataset that it was trained on."""

    name: str
    solution: str
    created: int
    ended: int
    fails: bool
    tags: dict[str, object]
    config: int
    learned: dict[str, ImportJob | None] = field(default_factory=dict)

    def status(self, now: int) -> str:
        """Return the status at a time."""
        if now < self.ended:
            return "IN_PROGRESS"
        return "FAILED" if self.fails else "ACTIVE"

    @property
    def foreign(self) -> bool:
        """Return True if the pipeline did not create it."""
        return "run" not in self.tags


@dataclass
class DataWorld(World):
    """S3 and Personalize."""

    exports: dict[str, list[Object]] = field(default_factory=dict)
    jobs: list[ImportJob] = field(default_factory=list)
    versions: list[Version] = field(default_factory=list)
    config: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SOLUTIONS, 0))
    numbers: count = field(default_factory=lambda: count(1))
    uploading: dict[str, bool] = field(default_factory=lambda: dict.fromkeys(DATASETS, False))
    asked: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        for dataset in DATASETS:
            content = next(self.numbers)
            self.exports[dataset] = [Object(content, self.now), Object(content, self.now)]

    # What people and other programs do

    def upload(self, dataset: str) -> None:
        """Write an export anew, one object after the other."""
        if self.uploading[dataset]:
            return
        content = next(self.numbers)
        self.uploading[dataset] = True
        self._write(dataset, 0, content)

        def finish() -> None:
            self._write(dataset, 1, content)
            self.uploading[dataset] = False

        self.at(self.now + self.random.choice([1, 60, 600]), finish)

    def _write(self, dataset: str, place: int, content: int) -> None:
        objects = list(self.exports[dataset])
        objects[place] = Object(content, self.now)
        self.exports[dataset] = objects

    def foreign_import(self, dataset: str) -> None:
        """Import something else into a dataset."""
        if not any(
            job.dataset == dataset and job.status(self.now) == "IN_PROGRESS" for job in self.jobs
        ):
            self._start_import(f"foreign-{next(self.numbers)}", dataset, {}, foreign=True)

    def foreign_training(self, solution: str) -> None:
        """Train a solution, as a person or the service's automatic training does."""
        self._start_training(f"foreign-{next(self.numbers)}", solution, {})

    def change_config(self, solution: str) -> None:
        """Change the configuration of a solution."""
        self.config[solution] += 1

    # What the service answers

    def list_export(self, dataset: str) -> list[Object]:
        """Return the objects of an export; S3 is consistent."""
        return list(self.exports[dataset])

    def list_imports(self, dataset: str | None = None) -> list[tuple[ImportJob, str]]:
        """Return import jobs with their statuses, newest first, perhaps of 90 seconds ago."""
        when = self.as_of()
        found = [
            (job, job.status(when))
            for job in self.jobs
            if job.created <= when and dataset in (None, job.dataset)
        ]
        return sorted(found, key=lambda pair: -pair[0].created)

    def list_versions(self, solution: str) -> list[tuple[Version, str]]:
        """Return the versions of a solution with their statuses, newest first, perhaps old."""
        when = self.as_of()
        found = [
            (version, version.status(when))
            for version in self.versions
            if version.created <= when and version.solution == solution
        ]
        return sorted(found, key=lambda pair: -pair[0].created)

    def describe(self, job: ImportJob | Version) -> str:
        """Return the status of one job, as it is now."""
        return job.status(self.now)

    def tag(self, job: ImportJob | Version, **tags: object) -> None:
        """Write tags."""
        job.tags.update(tags)

    def create_import(self, name: str, dataset: str, tags: dict[str, object]) -> ImportJob:
        """Start an import; the name of an import job is unique."""
        if any(job.name == name for job in self.jobs):
            raise RequestFailedError("the name is taken")
        return self._start_import(name, dataset, tags)

    def import_named(self, name: str) -> ImportJob | None:
        """Describe an import job by its ARN, which its name decides."""
        return next((job for job in self.jobs if job.name == name), None)

    def create_version(self, name: str, solution: str, tags: dict[str, object]) -> Version:
        """Start a training; names are not unique."""
        return self._start_training(name, solution, tags)

    def _start_import(
        self, name: str, dataset: str, tags: dict[str, object], *, foreign: bool = False
    ) -> ImportJob:
        lasts = self.random.choice([600, 1200, 2400])
        fails = self.random.random() < 0.1
        job = ImportJob(name, dataset, self.now, self.now + lasts, fails, dict(tags))
        self.jobs.append(job)
        for place in (0, 1):

            def read(place: int = place) -> None:
                content = -1 if foreign else self.exports[dataset][place].content
                job.read.append(content)

            self.at(self.now + self.random.randint(0, lasts), read)
        return job

    def _start_training(self, name: str, solution: str, tags: dict[str, object]) -> Version:
        lasts = self.random.choice([2400, 7200])
        fails = self.random.random() < 0.1
        version = Version(
            name, solution, self.now, self.now + lasts, fails, dict(tags), self.config[solution]
        )
        self.versions.append(version)
        for dataset in DATASETS:

            def learn(dataset: str = dataset) -> None:
                version.learned[dataset] = self.content(dataset)

            self.at(self.now + self.random.randint(0, lasts), learn)
        return version

    def content(self, dataset: str) -> ImportJob | None:
        """Return the import job whose data a dataset holds now."""
        done = [
            job for job in self.jobs if job.dataset == dataset and job.status(self.now) == "ACTIVE"
        ]
        return max(done, key=lambda job: job.ended, default=None)
