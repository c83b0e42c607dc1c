"""Reads what planning needs to know about Personalize and S3. What it means, the rules decide."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, NotRequired, TypedDict, TypeVar

from botocore.exceptions import ClientError

from .. import aws, clock, exports
from ..contract import Run, Settings, SolutionSettings, Tags, filter_arns
from ..personalize.batch_jobs import (
    batch_jobs_of,
    list_batch_jobs,
    read_results,
    with_present_results,
)
from ..personalize.campaigns import describe_campaign
from ..personalize.imports import ImportReader
from ..personalize.lists import active_event_trackers, list_deletions
from ..personalize.tags import tags_of
from ..personalize.trainings import SolutionReader, read_version
from ..rules.imports import Import, confirmable_imports
from .datasets import SearchedDay, datasets_to_import, days_to_search

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize.type_defs import (
        CampaignTypeDef,
        DatasetGroupTypeDef,
        DatasetTypeDef,
        FilterTypeDef,
        SolutionTypeDef,
    )

    from ..exports import Export
    from ..rules.batch_jobs import BatchJob
    from ..rules.trainings import Deletion, SolutionState
    from ..rules.versions import SolutionVersion

Resource = TypeVar("Resource")


class SchemaField(TypedDict):
    """A field of a dataset's schema. `type` is one Avro type, or a list of Avro types."""

    name: str
    type: str | list[str]
    textual: NotRequired[bool]
    """True if the field is a long text that models read. Personalize truncates it."""


@dataclass(frozen=True, kw_only=True)
class DataSnapshot:
    """The datasets, their imports and their exports when the run was planned.

    Lists of jobs are sorted, newest first. The key of a mapping is the ARN of the resource, unless
    its docstring names another. A resource that does not exist is missing from its mapping.
    """

    now: datetime
    dataset_groups: Mapping[str, DatasetGroupTypeDef]
    event_trackers: Sequence[str]
    """The ARNs of the ACTIVE event trackers of the dataset group."""
    deletions: Sequence[Deletion]
    """The data deletion jobs of the dataset group."""
    datasets: Mapping[str, DatasetTypeDef]
    schemas: Mapping[str, Sequence[SchemaField]]
    """Dataset ARN -> the fields of its schema."""
    imports: Sequence[Import]
    """The imports of all datasets in the group. Only those of configured datasets have tags. Those
    in `newly_confirmed` are confirmed here already."""
    newly_confirmed: Sequence[Import]
    """The imports that are confirmed, but not tagged yet."""
    exports: Mapping[str, Export]
    """Dataset ARN -> the export at its location, for each dataset that the run imports."""
    skipped_days: Mapping[str, Sequence[str]]
    """Dataset ARN -> earlier days whose INCREMENTAL exports no import has brought."""


@dataclass(frozen=True, kw_only=True)
class Snapshot(DataSnapshot):
    """The state of Personalize and S3 when the run was planned."""

    solutions: Mapping[str, SolutionTypeDef]
    solution_states: Mapping[str, SolutionState]
    """Solution ARN -> the solution with its versions, as the rules need them."""
    campaigns: Mapping[str, CampaignTypeDef]
    campaign_tags: Mapping[str, Tags]
    """Campaign ARN -> its tags, which say what runs have found out about its versions."""
    version_readers: Mapping[str, Callable[[str], SolutionVersion]]
    """Solution ARN -> reads one of its versions. Most plans need none, so none is read here yet."""
    batch_jobs: Mapping[str, Sequence[BatchJob]]
    """Slot of a configured batch job -> its batch jobs, newest first (`list_batch_jobs`)."""
    batch_inputs: Mapping[str, Export]
    """Location -> the input of batch jobs there."""
    batch_results: Mapping[str, Export]
    """Slot of a configured batch job -> the files beside its last results."""
    filters: Mapping[str, FilterTypeDef]


def read_snapshot(client: PersonalizeClient, settings: Settings, run: Run) -> Snapshot:
    """Read all datasets, the exports that the run imports, and the solutions that it trains."""
    solutions = solutions_to_train(settings, run)
    campaigns = [
        campaign["campaignArn"] for solution in solutions for campaign in solution["campaigns"]
    ]
    data = read_data(client, settings, run)
    described = describe_existing(
        [solution["solutionArn"] for solution in solutions],
        lambda arn: client.describe_solution(solutionArn=arn)["solution"],
    )
    reader = SolutionReader(client)
    batch_jobs: dict[str, Sequence[BatchJob]] = {}
    batch_inputs: dict[str, Export] = {}
    batch_results: dict[str, Export] = {}
    for solution in solutions:
        arn = solution["solutionArn"]
        for job in batch_jobs_of(solution, run):
            slot, location = job["slot"], job["input"]
            batch_inputs[location] = exports.read_batch_input(aws.s3(), location)
            if arn in described:
                jobs = list_batch_jobs(client, recipe_name(described[arn]), slot)
                results = batch_results[slot] = read_results(job, jobs)
                batch_jobs[slot] = with_present_results(jobs, batch_inputs[location], results)
    return Snapshot(
        **vars(data),
        batch_jobs=batch_jobs,
        batch_inputs=batch_inputs,
        batch_results=batch_results,
        filters=describe_existing(
            {arn for solution in solutions for arn in filter_arns(solution)},
            lambda arn: client.describe_filter(filterArn=arn)["filter"],
        ),
        solutions=described,
        solution_states={
            arn: reader.solution(solution, data.imports, data.deletions)
            for arn, solution in described.items()
        },
        campaigns=describe_existing(campaigns, partial(describe_campaign, client)),
        campaign_tags=describe_existing(campaigns, partial(tags_of, client)),
        version_readers={
            # Several campaigns may serve the same version, so each is read once.
            solution["solutionArn"]: cache(partial(read_version, client, solution))
            for solution in solutions
        },
    )


def recipe_name(solution: SolutionTypeDef) -> str:
    """Return the name of a solution's recipe, or "" without one."""
    return solution.get("recipeArn", "").rpartition("/")[2]


def solutions_to_train(settings: Settings, run: Run) -> list[SolutionSettings]:
    """Return the solutions that the run trains: those in the request, or else all."""
    chosen_arns = run["request"].get("solutions")
    return [
        solution
        for solution in settings["solutions"]
        if chosen_arns is None or solution["solutionArn"] in chosen_arns
    ]


def read_data(client: PersonalizeClient, settings: Settings, run: Run) -> DataSnapshot:
    """Read all configured datasets, the jobs of their group, and the run's exports.

    An import is compared with the export of the day that it imported, so that the import of a dead
    run is confirmed on a later day too.
    """
    datasets = describe_existing(
        [dataset["datasetArn"] for dataset in settings["datasets"]],
        lambda arn: client.describe_dataset(datasetArn=arn)["dataset"],
    )
    groups = describe_existing(
        {dataset["datasetGroupArn"] for dataset in datasets.values()},
        lambda arn: client.describe_dataset_group(datasetGroupArn=arn)["datasetGroup"],
    )
    reader = ImportReader(client, settings["datasets"])
    imports = [job for group in groups for job in reader.of_group(group)]

    present_exports: dict[str, Export] = {}
    skipped_days: dict[str, list[str]] = {}
    newly_confirmed: list[Import] = []
    for dataset in datasets_to_import(settings, run):
        arn = dataset["datasetArn"]
        export = present_exports[arn] = exports.read_export(
            aws.s3(),
            dataset["dataLocation"],
            dataset["readyMarker"],
            reads_all_rows=dataset["strictEvents"],
        )
        if arn in datasets:
            jobs = [job for job in imports if job.dataset == arn]
            earlier = read_earlier_exports(days_to_search(dataset, jobs))
            skipped_days[arn] = [searched.day for searched in earlier if not searched.is_imported]
            form = (dataset["importMode"], datasets[arn]["schemaArn"])
            exports_of_days = [export, *earlier.values()]
            newly_confirmed += confirmable_imports(
                jobs, [known.state(*form) for known in exports_of_days]
            )

    return DataSnapshot(
        now=clock.now(),
        dataset_groups=groups,
        event_trackers=[arn for group in groups for arn in active_event_trackers(client, group)],
        deletions=[job for group in groups for job in list_deletions(client, group)],
        datasets=datasets,
        schemas={arn: _schema_fields(client, dataset) for arn, dataset in datasets.items()},
        imports=[
            job._replace(is_confirmed=job.is_confirmed or job in newly_confirmed) for job in imports
        ],
        newly_confirmed=newly_confirmed,
        exports=present_exports,
        skipped_days=skipped_days,
    )


def _schema_fields(client: PersonalizeClient, dataset: DatasetTypeDef) -> list[SchemaField]:
    response = client.describe_schema(schemaArn=dataset["schemaArn"])
    fields: list[SchemaField] = json.loads(response["schema"]["schema"])["fields"]
    return fields


def read_earlier_exports(days: Iterable[SearchedDay]) -> dict[SearchedDay, Export]:
    """Return each of these days that has an export -> the export."""
    found = {}
    for searched in days:
        if objects := exports.list_objects(aws.s3(), searched.location):
            found[searched] = exports.Export(location=searched.location, objects=objects)
    return found


def describe_existing(
    arns: Iterable[str], describe: Callable[[str], Resource]
) -> dict[str, Resource]:
    """Return the ARN of each resource that exists -> what `describe` returns for it."""
    resources = {}
    for arn in arns:
        try:
            resources[arn] = describe(arn)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
    return resources
