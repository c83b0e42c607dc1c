"""Reads the state of the AWS services that planning needs. Nothing is decided here."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, NotRequired, TypedDict, TypeVar

from botocore.exceptions import ClientError

from .. import aws, clock, executions, exports
from ..executions import is_resumed, scheduled_at
from ..personalize.imports import import_jobs
from ..personalize.jobs import import_mode_of
from ..personalize.ownership import adopted_by_any_run, adopted_by_run, created_by_any_run
from ..personalize.statuses import is_active, is_running
from ..personalize.tags import VERDICT, tags_of
from ..personalize.versions import versions

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize.type_defs import (
        CampaignTypeDef,
        DatasetGroupTypeDef,
        DatasetImportJobSummaryTypeDef,
        DatasetTypeDef,
        SolutionTypeDef,
        SolutionVersionSummaryTypeDef,
        SolutionVersionTypeDef,
    )

    from ..contract import DatasetSettings, Request, Run, Settings, SolutionSettings, Tags

Resource = TypeVar("Resource")
Summary = TypeVar("Summary", "DatasetImportJobSummaryTypeDef", "SolutionVersionSummaryTypeDef")

DESCRIBED_VERSIONS = 10
"""The number of versions of a solution that are described, newest first.

Only the description of a version contains its name.
"""
SEARCHED_IMPORTS = 5
"""The number of FULL imports of a dataset whose tags are read, newest first.

The tags show whether a run created the import: docs/adr/0019-prefix-of-the-schedule-group.md.
"""


class SchemaField(TypedDict):
    """A field of a dataset's schema. `type` is one Avro type, or a list of Avro types."""

    name: str
    type: str | list[str]
    textual: NotRequired[bool]
    """True if the field is a long text that models read. Personalize cuts it off."""


@dataclass(frozen=True, kw_only=True)
class World:
    """The state of Personalize, S3, Scheduler and Step Functions when the run was planned.

    Lists of jobs are sorted, newest first. A mapping has the ARN of the resource as its key, if its
    docstring names no other key. A resource that does not exist is missing from its mapping.
    """

    now: datetime
    schedule_changed_at: datetime | None = None
    """When the schedule that started this run was created or last changed."""
    older_run: str | None = None
    """The ARN of a running execution of this state machine that started before this run."""
    dataset_groups: Mapping[str, DatasetGroupTypeDef] = field(default_factory=dict)
    event_trackers: Sequence[str] = ()
    """The ARNs of the ACTIVE event trackers of the dataset group."""
    datasets: Mapping[str, DatasetTypeDef] = field(default_factory=dict)
    schemas: Mapping[str, Sequence[SchemaField]] = field(default_factory=dict)
    """Dataset ARN -> the fields of its schema."""
    import_jobs: Mapping[str, Sequence[DatasetImportJobSummaryTypeDef]] = field(
        default_factory=dict
    )
    """Dataset ARN -> its import jobs."""
    import_slots_used: int = 0
    """The number of running import jobs in the region, for all dataset groups together."""
    last_import_tags: Mapping[str, Tags] = field(default_factory=dict)
    """Dataset ARN -> the tags of its newest ACTIVE import, if a run of any stack created it."""
    last_full_import_tags: Mapping[str, Tags] = field(default_factory=dict)
    """Dataset ARN -> the tags of the newest ACTIVE FULL import that a run of any stack created."""
    exports: Mapping[str, exports.Export] = field(default_factory=dict)
    """Dataset ARN -> the export at its location, for each dataset that the run imports."""
    solutions: Mapping[str, SolutionTypeDef] = field(default_factory=dict)
    versions: Mapping[str, Sequence[SolutionVersionSummaryTypeDef]] = field(default_factory=dict)
    """Solution ARN -> its versions."""
    versions_by_name: Mapping[str, SolutionVersionTypeDef] = field(default_factory=dict)
    """Name -> the newest described version that has this name. Not every version is described: see
    `_candidates`."""
    trained_by_runs: Collection[str] = frozenset()
    """ARNs of the described versions that a run of any stack trained."""
    adopted_versions: Mapping[str, SolutionVersionTypeDef] = field(default_factory=dict)
    """Solution ARN -> the newest foreign version that a run of any stack adopted. A resumed run
    finds here only the versions that this run adopted."""
    verdicts: Mapping[str, str] = field(default_factory=dict)
    """ARN of a described version -> the verdict that an earlier release has written as its tag."""
    campaigns: Mapping[str, CampaignTypeDef] = field(default_factory=dict)
    campaign_tags: Mapping[str, Tags] = field(default_factory=dict)
    """Campaign ARN -> its tags, which say what the runs have found about its versions."""

    @property
    def data_as_of(self) -> datetime | None:
        """When the last successful import of any dataset ended, or None if there is none."""
        ended = (
            job["lastUpdatedDateTime"]
            for jobs in self.import_jobs.values()
            for job in jobs
            if is_active(job["status"])
        )
        return max(ended, default=None)


def newest_active(newest_first: Iterable[Summary]) -> Summary | None:
    """Return the newest ACTIVE job, or None. The jobs must be sorted, newest first."""
    return next((job for job in newest_first if is_active(job["status"])), None)


class _DescribedVersions(NamedTuple):
    """The fields of `World` that need the description and the tags of versions."""

    versions_by_name: Mapping[str, SolutionVersionTypeDef]
    trained_by_runs: Collection[str]
    adopted_versions: Mapping[str, SolutionVersionTypeDef]
    verdicts: Mapping[str, str]


class _ImportTags(NamedTuple):
    """The fields of `World` that need the tags of import jobs."""

    last: Mapping[str, Tags]
    last_full: Mapping[str, Tags]


def read_world(
    client: PersonalizeClient,
    settings: Settings,
    run: Run,
    *,
    datasets: Sequence[DatasetSettings],
    solutions: Sequence[SolutionSettings],
) -> World:
    """Read the state of the services.

    Args:
        client: a client for reads.
        settings: the settings of the pipeline. All their datasets are described.
        run: the run to plan.
        datasets: the datasets that the run imports. Their exports are read.
        solutions: the solutions that the run trains.
    """
    existing_datasets = _describe_existing(
        [dataset["datasetArn"] for dataset in settings["datasets"]],
        lambda arn: client.describe_dataset(datasetArn=arn)["dataset"],
    )
    existing_solutions = _describe_existing(
        [solution["solutionArn"] for solution in solutions],
        lambda arn: client.describe_solution(solutionArn=arn)["solution"],
    )
    dataset_groups = _describe_existing(
        {dataset["datasetGroupArn"] for dataset in existing_datasets.values()},
        lambda arn: client.describe_dataset_group(datasetGroupArn=arn)["datasetGroup"],
    )
    campaigns = _describe_existing(
        [campaign["campaignArn"] for solution in solutions for campaign in solution["campaigns"]],
        lambda arn: client.describe_campaign(campaignArn=arn)["campaign"],
    )
    jobs_of_datasets = {arn: import_jobs(client, arn) for arn in existing_datasets}
    import_tags = _read_import_tags(client, jobs_of_datasets)
    versions_of_solutions = {arn: versions(client, arn) for arn in existing_solutions}
    described_versions = _describe_versions(client, settings, run, versions_of_solutions)
    return World(
        now=clock.now(),
        schedule_changed_at=_schedule_changed_at(run["request"]),
        older_run=executions.older_run(aws.stepfunctions(), run),
        dataset_groups=dataset_groups,
        event_trackers=[
            tracker for arn in dataset_groups for tracker in _active_event_trackers(client, arn)
        ],
        datasets=existing_datasets,
        schemas={
            arn: _schema_fields(client, dataset["schemaArn"])
            for arn, dataset in existing_datasets.items()
        },
        import_jobs=jobs_of_datasets,
        import_slots_used=sum(is_running(job["status"]) for job in import_jobs(client)),
        last_import_tags=import_tags.last,
        last_full_import_tags=import_tags.last_full,
        exports={
            dataset["datasetArn"]: exports.read_export(
                aws.s3(), dataset["dataLocation"], dataset["readyMarker"]
            )
            for dataset in datasets
        },
        solutions=existing_solutions,
        versions=versions_of_solutions,
        versions_by_name=described_versions.versions_by_name,
        trained_by_runs=described_versions.trained_by_runs,
        adopted_versions=described_versions.adopted_versions,
        verdicts=described_versions.verdicts,
        campaigns=campaigns,
        campaign_tags={arn: tags_of(client, arn) for arn in campaigns},
    )


def _describe_existing(
    arns: Iterable[str], describe: Callable[[str], Resource]
) -> dict[str, Resource]:
    """Return ARN -> description of each resource that exists."""
    resources = {}
    for arn in arns:
        try:
            resources[arn] = describe(arn)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
    return resources


def _active_event_trackers(client: PersonalizeClient, group_arn: str) -> list[str]:
    """Return the ARNs of the ACTIVE event trackers of a dataset group."""
    pages = client.get_paginator("list_event_trackers").paginate(datasetGroupArn=group_arn)
    return [
        tracker["eventTrackerArn"]
        for page in pages
        for tracker in page["eventTrackers"]
        if is_active(tracker["status"])
    ]


def _schema_fields(client: PersonalizeClient, schema_arn: str) -> list[SchemaField]:
    """Return the fields of a schema. Personalize stores a schema as a JSON string."""
    schema = client.describe_schema(schemaArn=schema_arn)["schema"]["schema"]
    fields: list[SchemaField] = json.loads(schema)["fields"]
    return fields


def _schedule_changed_at(request: Request) -> datetime | None:
    """Return when the schedule was created or last changed. None if a person started the run."""
    arn = request.get("scheduleArn")
    if not arn or scheduled_at(request) is None:
        return None
    group, name = arn.split("/")[1:]
    schedule = aws.scheduler().get_schedule(GroupName=group, Name=name)
    return max(schedule["CreationDate"], schedule["LastModificationDate"])


def _read_import_tags(
    client: PersonalizeClient,
    jobs_of_datasets: Mapping[str, Sequence[DatasetImportJobSummaryTypeDef]],
) -> _ImportTags:
    """Read the tags of the newest imports. The jobs of a dataset must be sorted, newest first."""

    @cache
    def read_tags(job_arn: str) -> Tags:
        return tags_of(client, job_arn)

    last: dict[str, Tags] = {}
    last_full: dict[str, Tags] = {}
    for dataset_arn, jobs in jobs_of_datasets.items():
        active = [job for job in jobs if is_active(job["status"])]
        full = [job for job in active if import_mode_of(job) == "FULL"]
        if tags := _first_tags_of_a_run(active[:1], read_tags):
            last[dataset_arn] = tags
        if tags := _first_tags_of_a_run(full[:SEARCHED_IMPORTS], read_tags):
            last_full[dataset_arn] = tags
    return _ImportTags(last, last_full)


def _first_tags_of_a_run(
    jobs: Sequence[DatasetImportJobSummaryTypeDef], read_tags: Callable[[str], Tags]
) -> Tags | None:
    """Return the tags of the first job that a run created, or None if no run created a job.

    The tags of the jobs after it are not read.
    """
    for job in jobs:
        tags = read_tags(job["datasetImportJobArn"])
        if created_by_any_run(tags):
            return tags
    return None


def _describe_versions(
    client: PersonalizeClient,
    settings: Settings,
    run: Run,
    versions_of_solutions: Mapping[str, Sequence[SolutionVersionSummaryTypeDef]],
) -> _DescribedVersions:
    """Describe the versions that the run may use instead of training one, and read their tags.

    The versions of a solution must be sorted, newest first.
    """
    described = [
        client.describe_solution_version(solutionVersionArn=summary["solutionVersionArn"])
        for newest_first in versions_of_solutions.values()
        for summary in _candidates(run, newest_first)
    ]
    versions_by_name: dict[str, SolutionVersionTypeDef] = {}
    adopted_versions: dict[str, SolutionVersionTypeDef] = {}
    trained_by_runs, verdicts = set(), {}
    for version in (response["solutionVersion"] for response in described):
        arn = version["solutionVersionArn"]
        tags = tags_of(client, arn)
        # The newest version comes first, and setdefault keeps the first.
        if "name" in version:
            versions_by_name.setdefault(version["name"], version)
        if _is_adopted(tags, settings, run):
            adopted_versions.setdefault(version["solutionArn"], version)
        if created_by_any_run(tags):
            trained_by_runs.add(arn)
        if VERDICT in tags:
            verdicts[arn] = tags[VERDICT]
    return _DescribedVersions(versions_by_name, trained_by_runs, adopted_versions, verdicts)


def _candidates(
    run: Run, newest_first: Sequence[SolutionVersionSummaryTypeDef]
) -> Sequence[SolutionVersionSummaryTypeDef]:
    """Return the versions of one solution that the run may use instead of training one.

    A run that is resumed or imports nothing finds a version by its name, which only the description
    contains. Any other run can only use the newest ACTIVE version.
    """
    if is_resumed(run) or run["request"].get("skipImport"):
        return newest_first[:DESCRIBED_VERSIONS]
    return [summary for summary in newest_first if is_active(summary["status"])][:1]


def _is_adopted(tags: Tags, settings: Settings, run: Run) -> bool:
    """Return True if the tags show that a foreign version was adopted so that the run may use it.

    A resumed run goes on with the versions that this run adopted. Any other run may deploy a
    version that any earlier run adopted.
    """
    return adopted_by_run(tags, settings, run) if is_resumed(run) else adopted_by_any_run(tags)
