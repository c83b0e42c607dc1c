"""Exports, imports and trainings, in a service whose lists have entries that are 90 seconds old."""

from dataclasses import dataclass, field
from itertools import count

from simulation import Job, RequestFailedError, World

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
        """Return True if the pipeline created or adopted the job, also an earlier stack of it."""
        return "run" in self.tags


@dataclass(eq=False)
class ImportJob(TaggedJob):
    """One dataset import job. `read` has the content that it imported of each object."""

    dataset: str
    full: bool
    read: list[int] = field(default_factory=list)


@dataclass(eq=False)
class Version(TaggedJob):
    """One solution version. `learned` has the import jobs of each dataset that it was trained on.

    `person` says that the pipeline did not create it, whatever its tags say.
    """

    solution: str
    config: int
    person: bool
    learned: dict[str, tuple[ImportJob, ...]] = field(default_factory=dict)


@dataclass
class DataWorld(World):
    """S3 and Personalize.

    `incremental` says that each day brings new interactions, which are added to those of before.
    `dated` says that the items of each day have a folder of their own. `streamed` says that the
    datasets also receive records without any import.
    """

    exports: dict[tuple[str, int], list[Object]] = field(default_factory=dict)
    jobs: list[ImportJob] = field(default_factory=list)
    versions: list[Version] = field(default_factory=list)
    config: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SOLUTIONS, 0))
    numbers: count = field(default_factory=lambda: count(1))
    uploading: set[tuple[str, int]] = field(default_factory=set)
    denied_until: int = 0
    calm: bool = False
    undone: list[str] = field(default_factory=list)
    """Imports that replaced what somebody had brought back on purpose."""

    def __post_init__(self) -> None:
        self.incremental = self.random.random() < 0.4
        self.dated = self.random.random() < 0.5
        self.streamed = self.random.random() < 0.2
        if self.incremental:
            self.jobs.append(ImportJob(-1, -1, False, "foreign", {}, "interactions", True, [0, 0]))
        for dataset in DATASETS:
            content = next(self.numbers)
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
                self.at(
                    self.now + delay,
                    lambda dataset=dataset, folder=folder: self.upload(dataset, folder),
                )
        self.at(self.now + DAY, self._new_day)

    def upload(self, dataset: str, folder: int) -> None:
        """Write or replace the objects of an export, one after the other.

        Sometimes they are written again as they are.
        """
        place = dataset, folder
        if place in self.uploading:
            return
        content = next(self.numbers)
        if place in self.exports and self.random.random() < 0.1:
            content = self.exports[place][0].content
        self.uploading.add(place)
        rest = [Object(0, 0)] if place not in self.exports else self.exports[place][1:]
        self.exports[place] = [Object(content, self.now), *rest]

        def finish() -> None:
            self.exports[place] = [self.exports[place][0], Object(content, self.now)]
            self.uploading.remove(place)

        self.at(self.now + self.random.choice((1, 60, 600)), finish)

    def upload_again(self, dataset: str) -> None:
        """Replace the export of today or of the day before."""
        folder = self.folder(dataset, self.now // DAY) - self.random.choice((0, 0, 1))
        if (dataset, folder) in self.exports:
            self.upload(dataset, folder)

    def foreign_import(self, dataset: str) -> None:
        """Import something else into a dataset, or add it."""
        if not any(
            job.dataset == dataset and job.status(self.now) == "IN_PROGRESS" for job in self.jobs
        ):
            full = self.is_full(dataset) or self.random.random() < 0.5
            self._start_import(f"foreign-{next(self.numbers)}", dataset, None, {}, full=full)

    def foreign_training(self, solution: str) -> None:
        """Train a solution, as a person or the service's automatic training does."""
        self._start_training(f"foreign-{next(self.numbers)}", solution, {}, person=True)

    def change_config(self, solution: str) -> None:
        """Change the configuration of a solution."""
        self.config[solution] += 1

    def deny_tags(self) -> None:
        """Deny every tag for some time."""
        self.denied_until = self.now + self.random.choice((600, 7200))

    # What the service answers

    def list_export(self, dataset: str, folder: int) -> list[Object]:
        """Return the objects of an export. S3 is consistent."""
        return list(self.exports.get((dataset, folder), ()))

    def list_imports(self, dataset: str | None = None) -> list[tuple[ImportJob, str]]:
        """Return import jobs with their statuses. Each may be of 90 seconds ago."""
        return self._listed(job for job in self.jobs if dataset in (None, job.dataset))

    def list_versions(self, solution: str) -> list[tuple[Version, str]]:
        """Return the versions of a solution with their statuses. Each may be of 90 seconds ago."""
        return self._listed(version for version in self.versions if version.solution == solution)

    def _listed(self, jobs):
        seen = [(job, self.as_of()) for job in jobs]
        return [(job, job.status(when)) for job, when in seen if job.created <= when]

    def describe(self, job: TaggedJob) -> str:
        """Return the status of one job, as it is now."""
        return job.status(self.now)

    def tag(self, job: TaggedJob, **tags: object) -> None:
        """Write tags."""
        self._check_tags_are_allowed()
        job.tags.update(tags)

    def create_import(
        self, name: str, dataset: str, folder: int, tags: dict[str, object]
    ) -> ImportJob:
        """Start an import. The name of an import job is unique."""
        self._check_tags_are_allowed()
        if any(job.name == name for job in self.jobs):
            raise RequestFailedError("the name is taken")
        full = self.is_full(dataset)
        if full and not tags["asked"] and self.was_brought_back(dataset, folder):
            self.undone.append(f"{name} replaces an export that somebody asked for")
        return self._start_import(name, dataset, folder, tags, full=full)

    def import_named(self, name: str) -> ImportJob | None:
        """Return an import job by its name, which is part of its ARN, or None."""
        return next((job for job in self.jobs if job.name == name), None)

    def create_version(self, name: str, solution: str, tags: dict[str, object]) -> Version:
        """Start a training. The name of a version need not be unique."""
        self._check_tags_are_allowed()
        return self._start_training(name, solution, tags)

    def create_unique_version(self, name: str, solution: str, tags: dict[str, object]) -> Version:
        """Start a training, unless the name is taken."""
        if any(version.name == name for version in self.versions):
            raise RequestFailedError("the name is taken")
        return self.create_version(name, solution, tags)

    def version_named(self, name: str) -> Version:
        """Return the version with a name."""
        return next(version for version in self.versions if version.name == name)

    def calm_down(self) -> None:
        """Let nothing go wrong any more, and export what is missing of today."""
        self.calm, self.denied_until = True, 0
        for dataset in DATASETS:
            folder = self.folder(dataset, self.now // DAY)
            if (dataset, folder) not in self.exports:
                self.upload(dataset, folder)

    def _check_tags_are_allowed(self) -> None:
        if self.now < self.denied_until:
            raise RequestFailedError("AccessDenied")

    def was_brought_back(self, dataset: str, folder: int) -> bool:
        """Return True if a dataset holds an earlier export that somebody asked for.

        That stands as long as the export in this folder is one that the dataset held before.
        """
        held = self.content(dataset)
        tags = held[-1].tags if held else {}
        today = [item.content for item in self.list_export(dataset, folder)]
        before = any(
            job.dataset == dataset and job.status(self.now) == "ACTIVE" and job.read == today
            for job in self.jobs
        )
        return bool(tags.get("asked") and tags.get("confirmed")) and before

    def _start_import(
        self, name: str, dataset: str, folder: int | None, tags: dict[str, object], *, full: bool
    ) -> ImportJob:
        lasts = self.random.choice((600, 1200, 2400))
        fails = not self.calm and self.random.random() < 0.1
        job = ImportJob(self.now, self.now + lasts, fails, name, dict(tags), dataset, full)
        self.jobs.append(job)
        for place in (0, 1):

            def read(place: int = place) -> None:
                foreign = folder is None
                job.read.append(-1 if foreign else self.exports[dataset, folder][place].content)

            self.at(self.now + self.random.randint(0, lasts), read)
        return job

    def _start_training(
        self, name: str, solution: str, tags: dict[str, object], *, person: bool = False
    ) -> Version:
        lasts = self.random.choice((2400, 7200))
        fails = not self.calm and self.random.random() < 0.1
        config = self.config[solution]
        version = Version(
            self.now, self.now + lasts, fails, name, dict(tags), solution, config, person
        )
        self.versions.append(version)
        for dataset in DATASETS:

            def learn(dataset: str = dataset) -> None:
                version.learned[dataset] = self.content(dataset)

            self.at(self.now + self.random.randint(0, lasts), learn)
        return version

    def content(self, dataset: str) -> tuple[ImportJob, ...]:
        """Return the import jobs whose data a dataset holds now."""
        done = [
            job for job in self.jobs if job.dataset == dataset and job.status(self.now) == "ACTIVE"
        ]
        return newest_imports(done)


def newest_imports(done: list[ImportJob]) -> tuple[ImportJob, ...]:
    """Return the newest FULL import of these, and all that ended after it, in this order."""
    full = max((job for job in done if job.full), key=lambda job: job.ended, default=None)
    if full is None:
        return ()
    later = [job for job in done if job.ended > full.ended]
    return full, *sorted(later, key=lambda job: job.ended)
