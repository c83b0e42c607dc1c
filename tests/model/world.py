"""S3 and Personalize: exports, imports, deletions of users, trainings and two campaigns.

The entries of a list may be 90 seconds old, and Describe may not show an update for a minute.
"""

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import count

from simulation import Clock, RequestFailedError, as_time

from functions.rules import batch_jobs as rules
from functions.rules.campaigns import DeploymentRecord
from functions.rules.imports import ExportState, Import
from functions.rules.trainings import Deletion
from functions.rules.versions import SolutionVersion

DATASETS = "interactions", "items"
SOLUTIONS = "taste", "similar"
DEPLOYED_SOLUTION = "taste"
"""The solution whose versions the campaigns serve."""
CAMPAIGNS = "home", "mail"
DAY = 24 * 3600
UNSEEN_SECONDS = 60
"""How long Describe may not show an update that was accepted."""


@dataclass(eq=False)
class Job:
    """Something that the service does from a time of its creation to the time of its end."""

    created: int
    ended: int
    fails: bool

    def status(self, now: int) -> str:
        """Return the status at a time."""
        if now < self.ended:
            return "IN_PROGRESS"
        return "FAILED" if self.fails else "ACTIVE"


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
            "is_spoiled": bool(self.tags.get("spoiled")),
        }
        return Import(**self.facts(when), **facts)


@dataclass(eq=False)
class DeletionJob(Job):
    """One data deletion job."""

    name: str

    def seen(self, when: int) -> Deletion:
        """Return the job as the rules see it at a time."""
        status = self.status(when)
        return Deletion(
            arn=self.name,
            is_running=status == "IN_PROGRESS",
            has_completed=status == "ACTIVE",
            created_at=as_time(self.created),
            ended_at=as_time(self.created if status == "IN_PROGRESS" else self.ended),
        )


@dataclass(eq=False)
class Version(TaggedJob):
    """One solution version. `learned` has the import jobs of each dataset that it learned."""

    solution: str
    config: int
    serves_well: bool
    sets_off_alarms: bool
    metric: int
    learned: dict[str, tuple[ImportJob, ...]] = field(default_factory=dict)
    answer: str | None = None
    """What a person has answered about the version: APPROVED, REFUSED, ASKED or nothing."""

    def seen(self, when: int) -> SolutionVersion:
        """Return the version as the rules see it at a time."""
        return SolutionVersion(**self.facts(when), digest=self.tags.get("digest"))


@dataclass(eq=False)
class BatchJob(TaggedJob):
    """One batch job. All write to the same output."""

    version: str

    def seen(self, when: int) -> rules.BatchJob:
        """Return the batch job as the rules see it at a time."""
        facts = {"version_arn": self.version, "content": self.tags["content"]}
        return rules.BatchJob(**self.facts(when), **facts)


@dataclass(eq=False)
class Update(Job):
    """One update of a campaign."""

    version: Version
    person: bool
    back: bool = False
    """It is a rollback."""
    older: bool = False
    """It moved the campaign to an older version, and was no rollback."""
    resize: bool = False
    """It changed another setting than the version."""


@dataclass(eq=False)
class Campaign:
    """One campaign. Its first update stands for its creation by a person."""

    name: str
    updates: list[Update]
    record: DeploymentRecord = field(default_factory=DeploymentRecord)
    """What its tags say."""
    passed: set[Version] = field(default_factory=set)
    """Versions that passed a probe here and really serve well."""
    rolled_back: set[Version] = field(default_factory=set)
    """Versions that a run has called bad here."""
    is_probed: bool = True
    """It has a probe."""
    is_baked: bool = False
    """It has a bake with an alarm."""
    alarms: dict[str, int] = field(default_factory=dict)
    """When its alarms in ALARM went off: one about its version, and one about something else."""
    rang_at: int = 0
    """When an alarm went off last."""
    unread: set[Version] = field(default_factory=set)
    """Versions during whose bakes the alarms could not be read."""
    pin: str | None = None
    """Who has pinned it."""

    def serves(self, now: int) -> Version:
        """Return the version that is served."""
        done = [update for update in self.updates if update.status(now) == "ACTIVE"]
        return max(done, key=lambda update: update.ended).version

    def moved_by_a_person(self, since: int) -> bool:
        """Return True if a person has updated the campaign since a time."""
        return any(update.person and update.created > since for update in self.updates)

    def choice_stands(self, version: Version, now: int) -> bool:
        """Return True if a person has moved the campaign after a version was created.

        That no longer stands if the pipeline has sent the version to the campaign since.
        """
        moves = [u for u in self.updates if u.status(now) == "ACTIVE" and not u.resize]
        choice = max(moves, key=lambda update: update.ended)
        sent = any(
            update.version is version and update.created > choice.created for update in self.updates
        )
        return choice.person and choice.created > version.created and not sent


@dataclass
class World(Clock):
    """S3 and Personalize.

    If `incremental` is true, each day brings new interactions, which are added to those of before.
    If `dated` is true, the items of each day have a folder of their own. It is not documented
    whether the name of a version is unique, and whether the service refuses other jobs while users
    are deleted, so both happen.
    """

    exports: dict[tuple[str, int], list[Object]] = field(default_factory=dict)
    jobs: list[ImportJob] = field(default_factory=list)
    deletions: list[DeletionJob] = field(default_factory=list)
    versions: list[Version] = field(default_factory=list)
    campaigns: list[Campaign] = field(default_factory=list)
    batch_jobs: list[BatchJob] = field(default_factory=list)
    batch_input: int = 0
    """What the input of the batch job contains."""
    config: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SOLUTIONS, 0))
    numbers: count = field(default_factory=lambda: count(1))
    uploading: set[tuple[str, int]] = field(default_factory=set)
    contents: dict[tuple[str, int], list[int]] = field(default_factory=dict)
    """What was written to each location."""
    calm: bool = False
    probe_is_at_fault: bool = False
    fault_changes: int = 0
    max_drop: float = 0.1
    """The share of a metric that a version may lose against the version in use."""

    def __post_init__(self) -> None:
        self.incremental = self.random.random() < 0.4
        self.dated = self.random.random() < 0.5
        self.names_are_unique = self.random.random() < 0.5
        self.needs_approval = self.random.random() < 0.3
        self.deletions_exclude_jobs = self.random.random() < 0.5
        self.writes_live = self.random.random() < 0.5
        first = Version(-1, -1, False, "first-version", {}, DEPLOYED_SOLUTION, 0, True, False, 50)
        self.versions.append(first)
        for name in CAMPAIGNS:
            created = Update(-1, -1, False, first, True)
            is_probed, is_baked = (self.random.random() < share for share in (0.8, 0.4))
            campaign = Campaign(name, [created], is_probed=is_probed, is_baked=is_baked)
            self.campaigns.append(campaign)
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

    def delete_users(self) -> None:
        """Start a data deletion job, unless the service refuses it."""
        if not (self._is_deleting() or (self.deletions_exclude_jobs and self._has_jobs())):
            ended = self.now + self.random.choice((600, 7200, 20 * 3600))
            fails = not self.calm and self.random.random() < 0.1
            job = DeletionJob(self.now, ended, fails, f"forget-{next(self.numbers)}")
            self.deletions.append(job)

    def _is_deleting(self) -> bool:
        return any(job.status(self.now) == "IN_PROGRESS" for job in self.deletions)

    def _has_jobs(self) -> bool:
        jobs = (*self.jobs, *self.versions)
        return any(job.status(self.now) == "IN_PROGRESS" for job in jobs)

    def _check_no_deletion(self) -> None:
        if self.deletions_exclude_jobs and self._is_deleting():
            raise RequestFailedError("ResourceInUse")

    def change_batch_input(self) -> None:
        """Write the input of the batch job again, sometimes as it was before."""
        self.batch_input = self.random.randint(0, 3)

    def change_config(self, solution: str) -> None:
        """Change the configuration of a solution."""
        self.config[solution] += 1

    def move_by_hand(self, campaign: Campaign) -> None:
        """Move a campaign to any version, as a person does. Automatic updates do the same."""
        before = campaign.serves(self.now)
        with suppress(RequestFailedError):
            self.update(campaign, self.random.choice(self.deployable()).name, person=True)
            campaign.updates[-1].resize = campaign.updates[-1].version is before

    def resize(self, campaign: Campaign) -> None:
        """Change a setting of a campaign, as minProvisionedTPS."""
        with suppress(RequestFailedError):
            self.update(campaign, campaign.serves(self.now).name, person=True)
            campaign.updates[-1].resize = True

    def toggle_pin(self, campaign: Campaign) -> None:
        """Pin a campaign, or end its pin."""
        campaign.pin = None if campaign.pin else "pinned by a person"

    def answer(self) -> None:
        """Answer about the newest version for which a run has asked."""
        asked = [version for version in self.versions if version.answer == "ASKED"]
        if asked:
            asked[-1].answer = self.random.choice(("APPROVED", "APPROVED", "REFUSED"))

    def toggle_fault(self) -> None:
        """Delete the user that the probe asks for, or create the user again."""
        self.probe_is_at_fault = not self.probe_is_at_fault
        self.fault_changes += 1

    def toggle_alarm(self, campaign: Campaign) -> None:
        """Set the alarm of a campaign off for a reason that is not its version, or end that."""
        self._set_alarm(campaign, "another", is_on="another" not in campaign.alarms)

    def _set_alarm(self, campaign: Campaign, name: str, *, is_on: bool) -> None:
        if not is_on:
            campaign.alarms.pop(name, None)
        elif name not in campaign.alarms:
            campaign.alarms[name] = campaign.rang_at = self.now

    def loosen(self) -> None:
        """Loosen the rules of the gate."""
        self.max_drop *= 2

    # What the service answers

    def list_export(
        self, dataset: str, folder: int, until: datetime | None = None
    ) -> ExportState | None:
        """Return an export as the rules see it, or None without one. S3 is consistent.

        With `until`, leave out what was written later.
        """
        objects = self.exports.get((dataset, folder))
        if objects is None:
            return None
        present = [item for item in objects if until is None or as_time(item.modified) <= until]
        contents = ".".join(str(item.content) for item in present)
        newest = max((as_time(item.modified) for item in present), default=None)
        return ExportState(f"{folder}-{contents}-x", 1, newest)

    def list_imports(self, dataset: str | None = None) -> list[Import]:
        """Return import jobs. Each may be as it was 90 seconds ago."""
        return self._listed(job for job in self.jobs if dataset in (None, job.dataset))

    def list_deletions(self) -> list[Deletion]:
        """Return the data deletion jobs. Each may be as it was 90 seconds ago."""
        return self._listed(self.deletions)

    def list_versions(self, solution: str) -> list[SolutionVersion]:
        """Return the versions of a solution, newest first. Each may be as it was 90 seconds ago."""
        return self._listed(
            version for version in reversed(self.versions) if version.solution == solution
        )

    def list_batch_jobs(self, version: str | None) -> list[rules.BatchJob]:
        """Return the newest ACTIVE batch job of a version and those after it, newest first."""
        jobs = [job for job in self.batch_jobs if version in (None, job.version)]
        listed = self._listed(reversed(jobs))
        active = next((index for index, job in enumerate(listed) if job.is_active), len(listed))
        return listed[: active + 1]

    def create_batch_job(self, name: str, version: str, tags: dict[str, object]) -> None:
        """Start a batch job, unless the name is taken or five others are running."""
        self._check_no_deletion()
        if any(job.name == name for job in self.batch_jobs):
            raise RequestFailedError("the name is taken")
        if not self.calm and self.random.random() < 0.1:
            raise RequestFailedError("LimitExceeded")
        ended = self.now + self.random.choice((600, 3600, 3 * 3600))
        fails = not self.calm and self.random.random() < 0.2
        self.batch_jobs.append(BatchJob(self.now, ended, fails, name, tags, version))

    def _listed(self, jobs):
        listed = [(job, self.as_of()) for job in jobs]
        return [job.seen(when) for job, when in listed if job.created <= when]

    def named(self, name: str) -> TaggedJob:
        """Return the job with a name, which is its ARN for the rules."""
        return next(job for job in (*self.jobs, *self.versions) if job.name == name)

    def confirm(self, name: str) -> None:
        """Write on an import job that it holds its export."""
        self.named(name).tags["confirmed"] = True

    def spoil(self, name: str) -> None:
        """Write on an import job that nobody may confirm it."""
        self.named(name).tags["spoiled"] = True

    def create_import(self, name: str, dataset: str, folder: int, tags: dict[str, object]) -> None:
        """Start an import, unless the name is taken."""
        self._check_no_deletion()
        if any(job.name == name for job in self.jobs):
            raise RequestFailedError("the name is taken")
        self._start_import(name, dataset, folder, tags, full=self.is_full(dataset))

    def create_version(self, name: str, solution: str, tags: dict[str, object]) -> None:
        """Start a training, unless the name is taken."""
        self._check_no_deletion()
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
        version = Version(
            self.now,
            self.now + lasts,
            fails,
            name,
            dict(tags),
            solution,
            self.config[solution],
            serves_well=self.random.random() < 0.6,
            sets_off_alarms=self.random.random() < 0.3,
            metric=self.random.randint(40, 60),
        )
        self.versions.append(version)

        def learn(dataset: str) -> None:
            version.learned[dataset] = self.content(dataset)

        for dataset in DATASETS:
            self.at(self.now + self.random.randint(0, lasts), partial(learn, dataset))

    def ask(self, name: str) -> None:
        """Write on a version that a run has asked for an approval."""
        version = self.named(name)
        version.answer = version.answer or "ASKED"

    def describe(self, campaign: Campaign) -> tuple[Version, Update]:
        """Return the version that is served, and the latest update.

        An update that was just accepted may not be shown yet.
        """
        late = self.random.random() < 0.5
        shown = [
            update
            for update in campaign.updates
            if not late or update.created <= self.now - UNSEEN_SECONDS or update.created < 0
        ]
        return campaign.serves(self.now), shown[-1]

    def update(
        self, campaign: Campaign, name: str, *, person: bool = False, back: bool = False
    ) -> None:
        """Start an update to a version. A campaign accepts one at a time."""
        version = self.named(name)
        if campaign.updates[-1].status(self.now) == "IN_PROGRESS":
            raise RequestFailedError("ResourceInUse")
        lasts = self.random.choice((300, 900, 5000))
        fails = self.random.random() < 0.1
        older = version.created < campaign.serves(self.now).created and not (person or back)
        campaign.updates.append(
            Update(self.now, self.now + lasts, fails, version, person, back, older)
        )

        def react() -> None:
            is_on = campaign.serves(self.now).sets_off_alarms
            self._set_alarm(campaign, "version", is_on=is_on)

        self.at(self.now + lasts + self.random.choice((1, 300, 1200)), react)

    def tag(self, campaign: Campaign, record: DeploymentRecord) -> None:
        """Write the tags of a campaign in one call."""
        campaign.record = record

    def answers_well(self, campaign: Campaign) -> bool:
        """Ask a campaign for recommendations."""
        return campaign.serves(self.now).serves_well and not self.probe_is_at_fault

    def deployable(self) -> list[Version]:
        """Return the versions that campaigns can serve, oldest first."""
        return [
            version
            for version in self.versions
            if version.solution == DEPLOYED_SOLUTION and version.status(self.now) == "ACTIVE"
        ]

    def content(self, dataset: str) -> tuple[ImportJob, ...]:
        """Return the import jobs whose data a dataset holds now: the newest FULL and later ones."""
        done = [
            job for job in self.jobs if job.dataset == dataset and job.status(self.now) == "ACTIVE"
        ]
        done.sort(key=lambda job: job.ended)
        full = max((number for number, job in enumerate(done) if job.full), default=len(done))
        return tuple(done[full:])
