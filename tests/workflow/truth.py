"""Record what a Personalize emulator really did, whatever the tags and the reports say."""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from unittest.mock import patch

from emulator.personalize.resources import (
    Campaign,
    Dataset,
    EventTracker,
    ImportJob,
    SolutionVersion,
)
from tests.workflow.clients import FUNCTIONS, OPERATOR
from tests.workflow.pipeline import Pipeline
from tests.world import dataset_arn

TRIAL = "retraining-trial"
BAD_VERSIONS = 0.2
"""The share of the versions whose campaign answers without items."""


class Update(NamedTuple):
    """An update of a campaign that Personalize accepted."""

    at: datetime
    campaign: str
    served: str
    target: str
    person: bool
    was_good: bool
    """The served version was not on trial, and the last answer of the campaign was good."""


class Training(NamedTuple):
    """A version, and what it learned."""

    arn: str
    solution: str
    status: str
    created: datetime
    ended: datetime
    learned: Mapping[str, tuple[str, ...]]
    newest_import: datetime
    """The creation of the newest import that it learned."""
    hashes: Mapping[str, str | None]
    """The hash of the file that each dataset held."""
    mode: str
    config: str
    """The configuration of the solution."""


class Import(NamedTuple):
    """A successful import."""

    created: datetime
    ended: datetime
    mode: str
    location: str
    digest: str
    """The hash of the imported file."""

    @property
    def day(self) -> str | None:
        """Return the day of an export at a location of its own day, for example 2026-11-29."""
        folder = self.location.split("/")[3]
        return folder if folder[:2] == "20" else None


@dataclass
class Truth:
    """What happened in the Personalize of a pipeline since the recording began."""

    pipeline: Pipeline
    seed: int
    foreign: set[str] = field(default_factory=set)
    """The versions that the pipeline did not train."""
    updates: list[Update] = field(default_factory=list)
    passed: set[tuple[str, str]] = field(default_factory=set)
    """The campaigns and versions where a probe got a good answer."""
    answering: set[tuple[str, str]] = field(default_factory=set)
    """The campaigns and versions where the last answer was good."""
    uploads: list[tuple[datetime, str, str]] = field(default_factory=list)
    """When which dataset got an export with which hash."""
    brought_back: list[tuple[datetime, str]] = field(default_factory=list)
    """When a person started a run for the exports of which day."""
    probe_faults: dict[str, datetime] = field(default_factory=dict)
    """The end of the time in which the user of a campaign's probe is unknown."""

    def __post_init__(self) -> None:
        self.foreign |= {training.arn for training in self.trainings()}
        for dataset in self.pipeline.group.datasets:
            content = self.pipeline.bucket.objects[f"{dataset}.csv"]
            digest = hashlib.sha256(content).hexdigest()
            self.uploads.append((self.pipeline.clock.now(), dataset, digest))
        self._newest_keys = {dataset: f"{dataset}.csv" for dataset in self.pipeline.group.datasets}

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record the requests inside the block, and answer for the bad versions."""
        call_service = self.pipeline.personalize.call

        def call(operation, request, caller):
            if operation == "UpdateCampaign":
                return self._update(call_service, request, caller)
            if operation == "GetRecommendations":
                return self._answer(call_service, request, caller)
            return call_service(operation, request, caller)

        with patch.object(self.pipeline.personalize, "call", call):
            yield

    def _update(self, call_service, request, caller):
        campaign = request["campaignArn"]
        served, before = self.served(campaign), len(self._campaign(campaign).changes)
        was_good = (campaign, served) in self.answering and not self.on_trial(campaign)
        try:
            return call_service("UpdateCampaign", request, caller)
        finally:
            if len(self._campaign(campaign).changes) > before:
                target = str(self._campaign(campaign).changes[-1].details["solutionVersionArn"])
                now, person = self.pipeline.clock.now(), caller.arn != FUNCTIONS.arn
                self.updates.append(Update(now, campaign, served, target, person, was_good))

    def _answer(self, call_service, request, caller):
        campaign = request["campaignArn"]
        served = self.served(campaign)
        self.answering.discard((campaign, served))
        response = call_service("GetRecommendations", request, caller)
        now = self.pipeline.clock.now()
        if self.is_bad(served) or self.probe_faults.get(campaign, now) > now:
            return {**response, "itemList": []}
        if response.get("itemList"):
            self.passed.add((campaign, served))
            self.answering.add((campaign, served))
        return response

    # What the emulator stores

    def is_bad(self, version: str) -> bool:
        """Return True if campaigns answer without items while they serve a version."""
        number = hashlib.sha256(f"{self.seed} {version}".encode()).digest()[0]
        return version not in self.foreign and number < 256 * BAD_VERSIONS

    def served(self, campaign: str, at: datetime | None = None) -> str:
        """Return the version that a campaign serves at a time, by default now."""
        return self._campaign(campaign).served_version_arn(at or self.pipeline.clock.now())

    def is_changing(self, campaign: str) -> bool:
        """Return True if an update of a campaign is running."""
        return self._campaign(campaign).is_changing(self.pipeline.clock.now())

    def on_trial(self, campaign: str) -> bool:
        """Return True if the tags say that the version that a campaign serves is on trial."""
        tag = self._campaign(campaign).tags.get(TRIAL, "")
        return tag.split(" ")[0] == self.served(campaign)

    def was_chosen(self, campaign: str) -> bool:
        """Return True if a person moved a campaign to its version, or created it so.

        A person who lets a campaign follow the newest version chooses every newest version.
        """
        served = self.served(campaign)
        if self.follows_latest(campaign):
            return True
        moves = [update for update in self.updates if update.campaign == campaign]
        by_person = any(move.person and move.target == served for move in moves)
        first = not moves or moves[0].served == served
        return by_person or first

    def is_untried(self, campaign: str) -> bool:
        """Return True if a campaign serves a version that nobody chose, tried or has on trial."""
        return not (
            self.was_chosen(campaign)
            or (campaign, self.served(campaign)) in self.passed
            or self.on_trial(campaign)
            or not self.has_probe(campaign)
        )

    def follows_latest(self, campaign: str) -> bool:
        """Return True if a campaign deploys each new version by itself."""
        config = self._campaign(campaign).settings(self.pipeline.clock.now())["campaignConfig"]
        return bool(config.get("syncWithLatestSolutionVersion"))

    def was_served(self, campaign: str, version: str, before: datetime) -> bool:
        """Return True if a campaign has served a version before a time."""
        resource = self._campaign(campaign)
        deployed = [
            resource.details,
            *(c.details for c in resource.changes if c.timeline.is_active(before)),
        ]
        return any(details["solutionVersionArn"] == version for details in deployed)

    def has_probe(self, campaign: str) -> bool:
        """Return True if a campaign of the pipeline has a probe."""
        return any(
            item.probe is not None
            for solution in self.pipeline.group.solutions
            for item in solution.campaigns
            if item.campaign_arn == campaign
        )

    def receives_events(self) -> bool:
        """Return True if data reach the dataset group that no import brings."""
        is_streamed = any(item.get("streamed") for item in self.pipeline.group.datasets.values())
        return is_streamed or bool(self._resources(EventTracker))

    def is_daily(self, dataset: str) -> bool:
        """Return True if a dataset has an export of each day."""
        return "data_location" in self.pipeline.group.datasets[dataset]

    def daily_datasets(self) -> list[str]:
        """Return the datasets that have an export of each day."""
        return [dataset for dataset in self.pipeline.group.datasets if self.is_daily(dataset)]

    def incremental_datasets(self) -> list[str]:
        """Return the datasets whose exports are appended."""
        datasets = self.pipeline.group.datasets.items()
        return [name for name, item in datasets if item.get("import_mode") == "INCREMENTAL"]

    def uploads_between(self, dataset: str, since: datetime, until: datetime) -> bool:
        """Return True if an export of a dataset was written between two times."""
        return any(name == dataset and since <= at <= until for at, name, _ in self.uploads)

    def newest_export(self, dataset: str) -> bytes:
        """Return the newest export of a dataset."""
        return self.pipeline.bucket.objects[self._newest_keys[dataset]]

    def upload(self, dataset: str, content: bytes) -> None:
        """Write the export of a dataset, for a daily dataset the one of this day."""
        now = self.pipeline.clock.now()
        key = f"{now:%Y-%m-%d}/{dataset}.csv" if self.is_daily(dataset) else f"{dataset}.csv"
        self.pipeline.bucket.put(key, content)
        self._newest_keys[dataset] = key
        self.uploads.append((now, dataset, hashlib.sha256(content).hexdigest()))

    def bring_back(self, day: str) -> None:
        """Note that a person starts a run for the exports of a day."""
        self.brought_back.append((self.pipeline.clock.now(), day))

    def held(self, dataset: str) -> str | None:
        """Return the hash of the file that a dataset holds, or None if it holds none."""
        return self._hash(self._resources(Dataset)[dataset_arn(dataset)].imports)

    def _hash(self, imports: Sequence[str]) -> str | None:
        jobs = self._resources(ImportJob)
        return next(iter(jobs[imports[-1]].hashes.values())) if imports else None

    def exports(self, dataset: str, since: datetime, until: datetime) -> set[str]:
        """Return the hashes of the exports that a dataset had between two times."""
        uploads = [(at, digest) for at, name, digest in self.uploads if name == dataset]
        before = [digest for at, digest in uploads if at <= since]
        return {*before[-1:], *(digest for at, digest in uploads if since < at <= until)}

    def exports_of_days(self, dataset: str, days: Collection[str]) -> set[str]:
        """Return the hashes of the exports that were written for a dataset on these days."""
        return {
            digest
            for at, name, digest in self.uploads
            if name == dataset and at.date().isoformat() in days
        }

    def imports(self, dataset: str) -> list[Import]:
        """Return the successful imports of a dataset, in the order of their ends."""
        now, arn = self.pipeline.clock.now(), dataset_arn(dataset)
        imports = [
            Import(
                job.timeline.created,
                job.timeline.moments[-1].time,
                str(job.details["importMode"]),
                job.details["dataSource"]["dataLocation"],
                next(iter(job.hashes.values())),
            )
            for job in self._resources(ImportJob).values()
            if job.details["datasetArn"] == arn and job.is_active(now)
        ]
        return sorted(imports, key=lambda item: item.ended)

    def import_ends(self) -> list[datetime]:
        """Return the times at which imports succeeded."""
        now = self.pipeline.clock.now()
        jobs = self._resources(ImportJob).values()
        return [job.timeline.moments[-1].time for job in jobs if job.is_active(now)]

    def trainings(self) -> list[Training]:
        """Return all versions, oldest first."""
        now, jobs = self.pipeline.clock.now(), self._resources(ImportJob)
        return [
            Training(
                version.arn,
                version.solution.arn,
                version.status(now),
                version.timeline.created,
                version.timeline.moments[-1].time,
                version.learned,
                max(
                    (
                        jobs[arn].timeline.created
                        for arns in version.learned.values()
                        for arn in arns
                    ),
                    default=version.timeline.created,
                ),
                {
                    dataset: self._hash(version.learned.get(dataset_arn(dataset), ()))
                    for dataset in self.pipeline.group.datasets
                },
                str(version.details["trainingMode"]),
                str(version.details.get("solutionConfig")),
            )
            for version in self._resources(SolutionVersion).values()
        ]

    def _campaign(self, arn: str) -> Campaign:
        return self._resources(Campaign)[arn]

    def _resources(self, kind):
        return self.pipeline.personalize.resources(kind, OPERATOR)
