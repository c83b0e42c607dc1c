"""Reads the state of the AWS services that planning needs. Nothing is decided here."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NotRequired, TypedDict, TypeVar

from botocore.exceptions import ClientError

from .. import aws, clock, exports
from ..executions import scheduled_at
from ..personalize.campaigns import Versions, live_version, read_notes
from ..personalize.imports import ImportReader, seen_export
from ..personalize.lists import active_event_trackers
from ..personalize.statuses import is_active
from ..personalize.tags import tags_of
from ..personalize.trainings import SolutionReader, versions
from ..rules import trainings
from ..rules.imports import newly_held
from .earlier_exports import earlier_exports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize.type_defs import (
        CampaignTypeDef,
        DatasetGroupTypeDef,
        DatasetTypeDef,
        SolutionTypeDef,
        SolutionVersionSummaryTypeDef,
    )

    from ..contract import Request, Run
    from ..exports import Export
    from ..rules.deployments import Version
    from ..rules.imports import Import
    from ..rules.trainings import SeenSolution
    from ..workflow_settings import Settings, SolutionSettings, Tags
    from .situation import DatasetOfRun

Resource = TypeVar("Resource")


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
    dataset_groups: Mapping[str, DatasetGroupTypeDef] = field(default_factory=dict)
    event_trackers: Sequence[str] = ()
    """The ARNs of the ACTIVE event trackers of the dataset group."""
    datasets: Mapping[str, DatasetTypeDef] = field(default_factory=dict)
    schemas: Mapping[str, Sequence[SchemaField]] = field(default_factory=dict)
    """Dataset ARN -> the fields of its schema."""
    imports: Mapping[str, Sequence[Import]] = field(default_factory=dict)
    """ARN of each dataset of the group, configured or not -> its imports. Those of the configured
    datasets have their tags. An import that holds its export, as reading has shown, says so."""
    found_held: Mapping[str, str] = field(default_factory=dict)
    """The ARN of each import job that holds its export, without a tag that says so -> the
    fingerprint."""
    exports: Mapping[str, Export] = field(default_factory=dict)
    """Dataset ARN -> the export at its location, for each dataset that the run imports."""
    earlier_exports: Mapping[str, Mapping[str, Export]] = field(default_factory=dict)
    """Dataset ARN -> day -> its INCREMENTAL export, if no import of its location has `held`."""
    solutions: Mapping[str, SolutionTypeDef] = field(default_factory=dict)
    versions: Mapping[str, Sequence[SolutionVersionSummaryTypeDef]] = field(default_factory=dict)
    """Solution ARN -> its versions."""
    seen_solutions: Mapping[str, SeenSolution] = field(default_factory=dict)
    """Solution ARN -> the solution with its versions, as the rules of a training see them."""
    version_tags: Mapping[str, Tags] = field(default_factory=dict)
    """The tags of the versions that the rules count."""
    version_facts: Mapping[str, Version] = field(default_factory=dict)
    """What the rules of deployments have to know about versions: of each solution the version that
    its campaigns may wait for, and the versions that they serve."""
    campaigns: Mapping[str, CampaignTypeDef] = field(default_factory=dict)
    campaign_tags: Mapping[str, Tags] = field(default_factory=dict)
    """Campaign ARN -> its tags, which say what the runs have found about its versions."""


def newest_active(
    newest_first: Iterable[SolutionVersionSummaryTypeDef],
) -> SolutionVersionSummaryTypeDef | None:
    """Return the newest ACTIVE version, or None. The versions must be sorted, newest first."""
    return next((version for version in newest_first if is_active(version["status"])), None)


def read_world(
    client: PersonalizeClient,
    settings: Settings,
    run: Run,
    *,
    datasets: Sequence[DatasetOfRun],
    solutions: Sequence[SolutionSettings],
) -> World:
    """Read the state of the services.

    Args:
        client: a client for reads.
        settings: the settings of the pipeline. All configured datasets are described.
        run: the run to plan.
        datasets: the datasets that the run imports. Their exports are read.
        solutions: the solutions that the run trains.
    """
    existing_solutions = _describe_existing(
        [solution["solutionArn"] for solution in solutions],
        lambda arn: client.describe_solution(solutionArn=arn)["solution"],
    )
    campaigns = _describe_existing(
        [campaign["campaignArn"] for solution in solutions for campaign in solution["campaigns"]],
        lambda arn: client.describe_campaign(campaignArn=arn)["campaign"],
    )
    dataset_arns = [dataset["datasetArn"] for dataset in settings["datasets"]]
    world, reader = read_data(client, dataset_arns, datasets), SolutionReader(client)
    world = replace(
        _with_versions(client, reader, world, existing_solutions),
        schedule_changed_at=_schedule_changed_at(run["request"]),
        version_tags=reader.tags,
        campaigns=campaigns,
        campaign_tags={arn: tags_of(client, arn) for arn in campaigns},
    )
    facts = {
        arn: Versions(client, solution)[arn]
        for solution in solutions
        for arn in _compared_versions(world, solution)
    }
    return replace(world, version_facts=facts)


def read_data(
    client: PersonalizeClient, dataset_arns: Sequence[str], imported: Sequence[DatasetOfRun]
) -> World:
    """Read the state of datasets, the imports of their group, and the exports to import.

    Args:
        client: a client for reads.
        dataset_arns: the datasets that are described.
        imported: the datasets whose exports are read.
    """
    datasets = _describe_existing(
        dataset_arns, lambda arn: client.describe_dataset(datasetArn=arn)["dataset"]
    )
    dataset_groups = _describe_existing(
        {dataset["datasetGroupArn"] for dataset in datasets.values()},
        lambda arn: client.describe_dataset_group(datasetGroupArn=arn)["datasetGroup"],
    )
    imports: dict[str, list[Import]] = {arn: [] for arn in datasets}
    for group_arn in dataset_groups:
        for job in ImportReader(client).of_group(group_arn, datasets):
            imports.setdefault(job.dataset, []).append(job)
    world = World(
        now=clock.now(),
        dataset_groups=dataset_groups,
        event_trackers=[
            tracker for arn in dataset_groups for tracker in active_event_trackers(client, arn)
        ],
        datasets=datasets,
        schemas={
            arn: _schema_fields(client, dataset["schemaArn"]) for arn, dataset in datasets.items()
        },
        imports=imports,
        exports=_read_exports(imported),
    )
    return _with_confirmed_imports(world, imported)


def _with_confirmed_imports(world: World, imported: Sequence[DatasetOfRun]) -> World:
    """Return the world in which each import says that it holds its export, if it does."""
    imports, earlier = dict(world.imports), {}
    found_held: dict[str, str] = {}
    for dataset in imported:
        arn, mode = dataset["datasetArn"], dataset["importMode"]
        if arn not in world.datasets:
            continue
        schema_arn = world.datasets[arn]["schemaArn"]
        earlier[arn] = earlier_exports(aws.s3(), dataset, imports[arn])
        seen = [
            seen_export(export, mode, schema_arn)
            for export in (world.exports[arn], *earlier[arn].values())
        ]
        held = newly_held(imports[arn], seen)
        found_held |= {job.arn: str(job.planned) for job in held}
        imports[arn] = [job._replace(is_held=job.is_held or job in held) for job in imports[arn]]
    return replace(world, imports=imports, earlier_exports=earlier, found_held=found_held)


def _with_versions(
    client: PersonalizeClient,
    reader: SolutionReader,
    world: World,
    solutions: Mapping[str, SolutionTypeDef],
) -> World:
    """Return the world with these solutions and what is known about their versions."""
    imports = [job for jobs in world.imports.values() for job in jobs]
    versions_of_solutions = {arn: versions(client, arn) for arn in solutions}
    return replace(
        world,
        solutions=solutions,
        versions=versions_of_solutions,
        seen_solutions={
            arn: reader.solution(solution, versions_of_solutions[arn], imports)
            for arn, solution in solutions.items()
        },
    )


def _compared_versions(world: World, solution: SolutionSettings) -> set[str]:
    """Return the version that the campaigns of a solution may wait for, and those they serve.

    If all campaigns serve the version and have found it good, there is nothing to compare.
    """
    solution_arn = solution["solutionArn"]
    seen = world.seen_solutions.get(solution_arn)
    version = trainings.newest_active(seen.trainings) if seen else None
    if version is None:
        return set()
    described = [
        (world.campaigns[arn], world.campaign_tags.get(arn, {}))
        for arn in (campaign["campaignArn"] for campaign in solution["campaigns"])
        if arn in world.campaigns
    ]
    states = {(live_version(row), read_notes(tags, solution_arn).good) for row, tags in described}
    if states <= {(version.arn, version.arn)}:
        return set()
    return {version.arn, *(live for live, _ in states if live)}


def _read_exports(imported: Sequence[DatasetOfRun]) -> dict[str, Export]:
    """Return dataset ARN -> the export at its location."""
    return {
        dataset["datasetArn"]: exports.read_export(
            aws.s3(), dataset["dataLocation"], dataset["readyMarker"]
        )
        for dataset in imported
    }


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
