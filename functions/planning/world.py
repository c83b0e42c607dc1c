"""Reads the state of the services that planning needs. It decides nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, TypedDict, TypeVar

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

DESCRIBED_VERSIONS = 10
"""The number of newest versions of a solution that are described, because a list has no names."""
SEARCHED_IMPORTS = 5
"""The number of newest FULL imports of a dataset whose tags are read, because a list has no tags:
docs/adr/0019-prefix-of-the-schedule-group.md."""


class SchemaField(TypedDict):
    """A field of a dataset's schema. `type` is one Avro type, or a list of Avro types."""

    name: str
    type: str | list[str]


@dataclass(frozen=True, kw_only=True)
class World:
    """The state of the services when the run was planned. Lists are newest first.

    A resource that does not exist is missing from its mapping.
    """

    now: datetime
    schedule_changed_at: datetime | None = None
    """When the schedule that started this run was created or last changed."""
    older_run: str | None = None
    """A running execution of this state machine that started before this run."""
    dataset_groups: Mapping[str, DatasetGroupTypeDef] = field(default_factory=dict)
    event_trackers: Sequence[str] = ()
    """The ACTIVE event trackers of the dataset group."""
    datasets: Mapping[str, DatasetTypeDef] = field(default_factory=dict)
    schemas: Mapping[str, Sequence[SchemaField]] = field(default_factory=dict)
    """Dataset ARN -> the fields of its schema."""
    import_jobs: Mapping[str, Sequence[DatasetImportJobSummaryTypeDef]] = field(
        default_factory=dict
    )
    """Dataset ARN -> its import jobs."""
    import_slots_used: int = 0
    """The number of import jobs of the region that are running, of all dataset groups."""
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
    """Name -> the described version. It may be waiting, or belong to a run that is resumed."""
    trained_by_runs: Collection[str] = frozenset()
    """ARNs of the described versions that a run of any stack trained."""
    adopted_versions: Mapping[str, SolutionVersionTypeDef] = field(default_factory=dict)
    """Solution ARN -> the newest foreign version that a run of any stack adopted. If the run is
    resumed, it is the newest foreign version that this run adopted."""
    verdicts: Mapping[str, str] = field(default_factory=dict)
    """ARN of a described version -> the verdict because of which it must not be deployed."""
    campaigns: Mapping[str, CampaignTypeDef] = field(default_factory=dict)


class _KnownVersions(NamedTuple):
    """The fields of `World` about described versions."""

    named: Mapping[str, SolutionVersionTypeDef]
    trained_by_runs: Collection[str]
    adopted: Mapping[str, SolutionVersionTypeDef]
    verdicts: Mapping[str, str]


class _KnownImports(NamedTuple):
    """The fields of `World` about imports that a run created."""

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
    """Read the world. `datasets` are those that the run imports, `solutions` those it trains."""
    known_datasets = _existing(
        [dataset["datasetArn"] for dataset in settings["datasets"]],
        lambda arn: client.describe_dataset(datasetArn=arn)["dataset"],
    )
    known_solutions = _existing(
        [solution["solutionArn"] for solution in solutions],
        lambda arn: client.describe_solution(solutionArn=arn)["solution"],
    )
    groups = _existing(
        {dataset["datasetGroupArn"] for dataset in known_datasets.values()},
        lambda arn: client.describe_dataset_group(datasetGroupArn=arn)["datasetGroup"],
    )
    campaigns = _existing(
        [campaign["campaignArn"] for solution in solutions for campaign in solution["campaigns"]],
        lambda arn: client.describe_campaign(campaignArn=arn)["campaign"],
    )
    jobs = {arn: import_jobs(client, arn) for arn in known_datasets}
    known_imports = _known_imports(client, jobs)
    summaries = {arn: versions(client, arn) for arn in known_solutions}
    known_versions = _known_versions(client, settings, run, summaries)
    return World(
        now=clock.now(),
        schedule_changed_at=_schedule_changed_at(run["request"]),
        older_run=executions.older_run(aws.stepfunctions(), run),
        dataset_groups=groups,
        event_trackers=[tracker for arn in groups for tracker in _event_trackers(client, arn)],
        datasets=known_datasets,
        schemas={
            arn: _schema(client, dataset["schemaArn"]) for arn, dataset in known_datasets.items()
        },
        import_jobs=jobs,
        import_slots_used=sum(is_running(job["status"]) for job in import_jobs(client)),
        last_import_tags=known_imports.last,
        last_full_import_tags=known_imports.last_full,
        exports={
            dataset["datasetArn"]: exports.read_export(
                aws.s3(), dataset["dataLocation"], dataset["readyMarker"]
            )
            for dataset in datasets
        },
        solutions=known_solutions,
        versions=summaries,
        versions_by_name=known_versions.named,
        trained_by_runs=known_versions.trained_by_runs,
        adopted_versions=known_versions.adopted,
        verdicts=known_versions.verdicts,
        campaigns=campaigns,
    )


def _existing(arns: Iterable[str], describe: Callable[[str], Resource]) -> dict[str, Resource]:
    """Return ARN -> description of each resource that exists."""
    resources = {}
    for arn in arns:
        try:
            resources[arn] = describe(arn)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
    return resources


def _event_trackers(client: PersonalizeClient, group_arn: str) -> list[str]:
    """Return the ARNs of the ACTIVE event trackers of a dataset group."""
    pages = client.get_paginator("list_event_trackers").paginate(datasetGroupArn=group_arn)
    return [
        tracker["eventTrackerArn"]
        for page in pages
        for tracker in page["eventTrackers"]
        if is_active(tracker["status"])
    ]


def _schema(client: PersonalizeClient, schema_arn: str) -> list[SchemaField]:
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


def _known_imports(
    client: PersonalizeClient, jobs: Mapping[str, Sequence[DatasetImportJobSummaryTypeDef]]
) -> _KnownImports:
    """Read the tags of the newest imports. The jobs must be sorted, newest first."""
    read_tags = cache(lambda arn: tags_of(client, arn))
    last: dict[str, Tags] = {}
    last_full: dict[str, Tags] = {}
    for arn, dataset_jobs in jobs.items():
        active = [job for job in dataset_jobs if is_active(job["status"])]
        full = [job for job in active if import_mode_of(job) == "FULL"]
        if tags := _first_tags_of_a_run(active[:1], read_tags):
            last[arn] = tags
        if tags := _first_tags_of_a_run(full[:SEARCHED_IMPORTS], read_tags):
            last_full[arn] = tags
    return _KnownImports(last, last_full)


def _first_tags_of_a_run(
    jobs: Sequence[DatasetImportJobSummaryTypeDef], read_tags: Callable[[str], Tags]
) -> Tags | None:
    """Return the tags of the first job that a run created, or None. No further tags are read."""
    for job in jobs:
        tags = read_tags(job["datasetImportJobArn"])
        if created_by_any_run(tags):
            return tags
    return None


def _known_versions(
    client: PersonalizeClient,
    settings: Settings,
    run: Run,
    summaries: Mapping[str, Sequence[SolutionVersionSummaryTypeDef]],
) -> _KnownVersions:
    """Describe the versions that the run may use, and read their tags.

    A resumed run goes on with the foreign versions that this run adopted. Any other run may deploy
    a foreign version that any earlier run adopted.
    """
    described = _described_versions(client, run, summaries)
    tags = {
        version["solutionVersionArn"]: tags_of(client, version["solutionVersionArn"])
        for version in described
    }
    if is_resumed(run):
        adopted = {arn for arn in tags if adopted_by_run(tags[arn], settings, run)}
    else:
        adopted = {arn for arn in tags if adopted_by_any_run(tags[arn])}
    # The described versions are newest first. Of several with one key, the newest counts.
    oldest_first = described[::-1]
    return _KnownVersions(
        named={version["name"]: version for version in oldest_first if "name" in version},
        trained_by_runs={arn for arn in tags if created_by_any_run(tags[arn])},
        adopted={
            version["solutionArn"]: version
            for version in oldest_first
            if version["solutionVersionArn"] in adopted
        },
        verdicts={arn: tags[arn][VERDICT] for arn in tags if VERDICT in tags[arn]},
    )


def _described_versions(
    client: PersonalizeClient,
    run: Run,
    summaries: Mapping[str, Sequence[SolutionVersionSummaryTypeDef]],
) -> list[SolutionVersionTypeDef]:
    """Describe the versions that the run may use, for each solution newest first."""
    return [
        client.describe_solution_version(solutionVersionArn=summary["solutionVersionArn"])[
            "solutionVersion"
        ]
        for newest_first in summaries.values()
        for summary in _to_describe(run, newest_first)
    ]


def _to_describe(
    run: Run, newest_first: Sequence[SolutionVersionSummaryTypeDef]
) -> Sequence[SolutionVersionSummaryTypeDef]:
    """Return the versions of one solution that the run may use.

    A run that is resumed or imports nothing finds a version by its name, and a list has no names.
    Any other run can only use the newest ACTIVE version.
    """
    if is_resumed(run) or run["request"].get("skipImport"):
        return newest_first[:DESCRIBED_VERSIONS]
    return [summary for summary in newest_first if is_active(summary["status"])][:1]
