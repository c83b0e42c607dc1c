"""Record what a Personalize emulator really did, whatever the tags and the reports say."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from unittest.mock import patch

from components.rules.fields import NDCG_AT_10
from emulator.personalize.resources import Campaign, Dataset, ImportJob, SolutionVersion
from functions.personalize.tags import BAD, RUN, TRIAL
from tests.workflow.clients import FUNCTIONS, OPERATOR
from tests.workflow.pipeline import Pipeline
from tests.world import dataset_arn

CHANGES = ("Create", "Stop", "Tag", "Update")
"""The first words of the operations that change something."""


class Update(NamedTuple):
    """An update of a campaign that Personalize accepted."""

    at: datetime
    campaign: str
    served: str
    target: str
    by_person: bool
    was_bad: bool
    """The tags of the campaign have called the target bad."""
    drop: float
    """The share of the served version's NDCG@10 that the target loses."""


class Training(NamedTuple):
    """A version, and what it learned."""

    arn: str
    solution: str
    run: str | None
    """The run of the pipeline that created the version, or None if it is foreign."""
    status: str
    created: datetime
    ended: datetime
    """The last moment of the version, which may be in the future."""
    learned: Mapping[str, tuple[str, ...]]
    newest_import: datetime
    """The creation of the newest import that it learned."""
    hashes: Mapping[str, str | None]
    """The hash of the file that each dataset held."""
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
    updates: list[Update] = field(default_factory=list)
    passed: set[tuple[str, str]] = field(default_factory=set)
    """The campaigns and versions where a probe got a good answer."""
    bad: set[tuple[str, str]] = field(default_factory=set)
    """The campaigns and versions of the tags that called a version bad."""
    uploads: list[tuple[datetime, str, str]] = field(default_factory=list)
    """When which dataset got an export with which hash."""
    changes: list[tuple[datetime, object, str]] = field(default_factory=list)
    """When a function of which execution has requested which change."""
    after: dict[str, list[Callable[[], object]]] = field(default_factory=lambda: defaultdict(list))
    """What happens as soon as the functions have sent the next request of an operation."""

    def __post_init__(self) -> None:
        self._newest_keys = {dataset: f"{dataset}.csv" for dataset in self.pipeline.group.datasets}
        for dataset, key in self._newest_keys.items():
            self._note_upload(dataset, self.pipeline.bucket.objects[key])

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record the requests inside the block."""
        call_service = self.pipeline.personalize.call
        record = {
            "UpdateCampaign": self._update,
            "GetRecommendations": self._answer,
            "TagResource": self._tag,
        }

        def call(operation, request, caller):
            def send():
                return call_service(operation, request, caller)

            try:
                return record[operation](request, caller, send) if operation in record else send()
            finally:
                if caller.arn == FUNCTIONS.arn:
                    if operation.startswith(CHANGES):
                        clock = self.pipeline.clock
                        self.changes.append((clock.now(), clock.running.group, operation))
                    for happen in self.after.pop(operation, ()):
                        happen()

        with patch.object(self.pipeline.personalize, "call", call):
            yield

    def _update(self, request, caller, send):
        campaign = request["campaignArn"]
        served, changes = self.served(campaign), self._campaign(campaign).changes
        before = len(changes)
        try:
            return send()
        finally:
            for change in changes[before:]:
                target = str(change.details["solutionVersionArn"])
                self.updates.append(
                    Update(
                        self.pipeline.clock.now(),
                        campaign,
                        served,
                        target,
                        by_person=caller.arn != FUNCTIONS.arn,
                        was_bad=(campaign, target) in self.bad,
                        drop=1 - self._ndcg(target) / self._ndcg(served),
                    )
                )

    def _answer(self, request, _caller, send):
        served = request["campaignArn"], self.served(request["campaignArn"])
        response = send()
        if response.get("itemList"):
            self.passed.add(served)
        return response

    def _tag(self, request, _caller, send):
        response = send()
        values = {tag["tagKey"]: tag["tagValue"] for tag in request["tags"]}
        self.bad.add((request["resourceArn"], values.get(BAD, "")))
        return response

    # What the emulator stores

    def is_bad(self, version: str) -> bool:
        """Return True if campaigns answer without items while they serve a version."""
        return not self._resources(SolutionVersion)[version].timeline.gives_results

    def served(self, campaign: str, at: datetime | None = None) -> str:
        """Return the version that a campaign serves at a time, by default now."""
        return self._campaign(campaign).served_version_arn(at or self.pipeline.clock.now())

    def on_trial(self, campaign: str) -> bool:
        """Return True if the tags say that the version that a campaign serves is on trial."""
        tag = self._campaign(campaign).tags.get(TRIAL, "")
        return tag.split(" ")[0] == self.served(campaign)

    def was_chosen(self, campaign: str) -> bool:
        """Return True if a person moved a campaign to its version, or created it so."""
        served = self.served(campaign)
        moves = [update for update in self.updates if update.campaign == campaign]
        by_person = any(move.by_person and move.target == served for move in moves)
        return by_person or not moves or moves[0].served == served

    def is_untried(self, campaign: str) -> bool:
        """Return True if a campaign serves a version that nobody chose, tried or has on trial."""
        return not (
            self.was_chosen(campaign)
            or (campaign, self.served(campaign)) in self.passed
            or self.on_trial(campaign)
            or campaign not in self.probed_campaigns()
        )

    def probed_campaigns(self) -> set[str]:
        """Return the campaigns of the pipeline that have a probe."""
        return {
            str(campaign.campaign_arn)
            for solution in self.pipeline.group.solutions
            for campaign in solution.campaigns
            if campaign.probe is not None
        }

    def is_daily(self, dataset: str) -> bool:
        """Return True if a dataset has an export of each day, which an import appends."""
        return "data_location" in self.pipeline.group.datasets[dataset]

    def newest_export(self, dataset: str) -> bytes:
        """Return the newest export of a dataset."""
        return self.pipeline.bucket.objects[self._newest_keys[dataset]]

    def upload(self, dataset: str, content: bytes) -> None:
        """Write the export of a dataset, for a daily dataset the one of this day."""
        day = self.pipeline.clock.now().date()
        key = f"{day}/{dataset}.csv" if self.is_daily(dataset) else f"{dataset}.csv"
        self.pipeline.bucket.put(key, content)
        self._newest_keys[dataset] = key
        self._note_upload(dataset, content)

    def _note_upload(self, dataset: str, content: bytes) -> None:
        digest = hashlib.sha256(content).hexdigest()
        self.uploads.append((self.pipeline.clock.now(), dataset, digest))

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

    def imports(self, dataset: str | None = None) -> list[Import]:
        """Return the successful imports of a dataset, or of all, in the order of their ends."""
        now = self.pipeline.clock.now()
        imports = [
            Import(
                job.timeline.created,
                job.timeline.moments[-1].time,
                str(job.details["importMode"]),
                job.details["dataSource"]["dataLocation"],
                next(iter(job.hashes.values())),
            )
            for job in self._resources(ImportJob).values()
            if job.is_active(now)
            and (dataset is None or job.details["datasetArn"] == dataset_arn(dataset))
        ]
        return sorted(imports, key=lambda item: item.ended)

    def jobs_of(self, run: str) -> set[str]:
        """Return the import jobs and the versions that a run has created."""
        jobs = {**self._resources(ImportJob), **self._resources(SolutionVersion)}
        return {arn for arn, job in jobs.items() if job.tags.get(RUN) == run}

    def trainings(self) -> list[Training]:
        """Return all versions, oldest first."""
        now, jobs = self.pipeline.clock.now(), self._resources(ImportJob)
        return [
            Training(
                version.arn,
                version.solution.arn,
                version.tags.get(RUN),
                version.status(now),
                version.timeline.created,
                version.timeline.moments[-1].time,
                version.learned,
                max(
                    (
                        jobs[job].timeline.created
                        for arns in version.learned.values()
                        for job in arns
                    ),
                    default=version.timeline.created,
                ),
                {
                    dataset: self._hash(version.learned.get(dataset_arn(dataset), ()))
                    for dataset in self.pipeline.group.datasets
                },
                str(version.details.get("solutionConfig")),
            )
            for version in self._resources(SolutionVersion).values()
        ]

    def _ndcg(self, version: str) -> float:
        return self._resources(SolutionVersion)[version].model.metrics[NDCG_AT_10]

    def _campaign(self, arn: str) -> Campaign:
        return self._resources(Campaign)[arn]

    def _resources(self, kind):
        return self.pipeline.personalize.resources(kind, OPERATOR)
