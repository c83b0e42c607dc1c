"""Exports, FULL imports and trainings, in a service whose lists may be 90 seconds old."""

from dataclasses import dataclass, field
from itertools import count

from simulation import Job, RequestFailedError, World

DATASETS = "interactions", "items"
SOLUTIONS = "taste", "similar"


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
    def foreign(self) -> bool:
        """Return True if the pipeline did not create the job."""
        return "run" not in self.tags


@dataclass(eq=False)
class ImportJob(TaggedJob):
    """One dataset import job. `read` has the content that it imported of each object."""

    dataset: str
    read: list[int] = field(default_factory=list)


@dataclass(eq=False)
class Version(TaggedJob):
    """One solution version. `learned` has the import job of each dataset that it was trained on."""

    solution: str
    config: int
    learned: dict[str, ImportJob | None] = field(default_factory=dict)


@dataclass
class DataWorld(World):
    """S3 and Personalize."""

    exports: dict[str, list[Object]] = field(default_factory=dict)
    jobs: list[ImportJob] = field(default_factory=list)
    versions: list[Version] = field(default_factory=list)
    config: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SOLUTIONS, 0))
    numbers: count = field(default_factory=lambda: count(1))
    uploading: dict[str, bool] = field(default_factory=lambda: dict.fromkeys(DATASETS, False))

    def __post_init__(self) -> None:
        for dataset in DATASETS:
            content = next(self.numbers)
            self.exports[dataset] = [Object(content, self.now), Object(content, self.now)]

    # What people and other programs do

    def upload(self, dataset: str) -> None:
        """Replace the objects of an export, one after the other."""
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
        """Return the objects of an export. S3 is consistent."""
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

    def describe(self, job: TaggedJob) -> str:
        """Return the status of one job, as it is now."""
        return job.status(self.now)

    def tag(self, job: TaggedJob, **tags: object) -> None:
        """Write tags."""
        job.tags.update(tags)

    def create_import(self, name: str, dataset: str, tags: dict[str, object]) -> ImportJob:
        """Start an import. The name of an import job is unique."""
        if any(job.name == name for job in self.jobs):
            raise RequestFailedError("the name is taken")
        return self._start_import(name, dataset, tags)

    def import_named(self, name: str) -> ImportJob | None:
        """Return an import job by its name, which is part of its ARN, or None."""
        return next((job for job in self.jobs if job.name == name), None)

    def create_version(self, name: str, solution: str, tags: dict[str, object]) -> Version:
        """Start a training. The name of a version need not be unique."""
        return self._start_training(name, solution, tags)

    def _start_import(
        self, name: str, dataset: str, tags: dict[str, object], *, foreign: bool = False
    ) -> ImportJob:
        lasts = self.random.choice([600, 1200, 2400])
        fails = self.random.random() < 0.1
        job = ImportJob(self.now, self.now + lasts, fails, name, dict(tags), dataset)
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
        config = self.config[solution]
        version = Version(self.now, self.now + lasts, fails, name, dict(tags), solution, config)
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
