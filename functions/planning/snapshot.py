"""Reads everything that planning has to know from Personalize and S3. It judges nothing."""

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
    """A field of a dataset's schema. `type` is an Avro type or a list of several."""

    name: str
    type: str | list[str]
    textual: NotRequired[bool]
    """True if models read the field as a text. Personalize truncates long ones."""


@dataclass(frozen=True, kw_only=True)
class DataSnapshot:
    """What planning has read about the datasets, their imports and their exports.

    Lists of jobs are sorted, newest first. The keys of a mapping are the ARNs of its resources,
    unless its docstring says otherwise. A resource that doesn't exist is missing from its mapping.
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
    """The imports of all datasets in the group, among which those in `newly_confirmed` count as
    confirmed. Tags were read only for the datasets in the config."""
    newly_confirmed: Sequence[Import]
    """The imports that this plan has confirmed, but that aren't tagged yet."""
    exports: Mapping[str, Export]
    """Dataset ARN -> its export, for each dataset that the run may import."""
    skipped_days: Mapping[str, Sequence[str]]
    """Dataset ARN -> the earlier days whose INCREMENTAL exports were never imported."""


@dataclass(frozen=True, kw_only=True)
class Snapshot(DataSnapshot):
    """Everything that planning has read from Personalize and S3."""

    solutions: Mapping[str, SolutionTypeDef]
    solution_states: Mapping[str, SolutionState]
    """Solution ARN -> the solution and its versions in the form that the rules take."""
    campaigns: Mapping[str, CampaignTypeDef]
    campaign_tags: Mapping[str, Tags]
    """Campaign ARN -> its tags, in which runs have recorded what became of its versions."""
    version_readers: Mapping[str, Callable[[str], SolutionVersion]]
    """Solution ARN -> a function that reads one of its versions, because most plans need none."""
    batch_jobs: Mapping[str, Sequence[BatchJob]]
    """Slot of a batch job in the config -> the jobs in Personalize, newest first."""
    batch_inputs: Mapping[str, Export]
    """Location -> the input of batch jobs that is there."""
    batch_results: Mapping[str, Export]
    """Slot of a batch job in the config -> all results in the folder of its last ones."""
    filters: Mapping[str, FilterTypeDef]


def read_snapshot(client: PersonalizeClient, settings: Settings, run: Run) -> Snapshot:
    """Read the datasets, the exports to import, the solutions to train, and what they refer to."""
    solutions = solutions_to_train(settings, run)
    campaign_arns = [
        campaign["campaignArn"] for solution in solutions for campaign in solution["campaigns"]
    ]

    data = read_data(client, settings, run)
    described_solutions = describe_existing(
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
            slot = job["slot"]
            location = job["input"]
            batch_inputs[location] = exports.read_batch_input(aws.s3(), location)

            # The recipe says which kind of batch job to list.
            if arn in described_solutions:
                jobs = list_batch_jobs(client, recipe_name(described_solutions[arn]), slot)
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
        solutions=described_solutions,
        solution_states={
            arn: reader.solution(solution, data.imports, data.deletions)
            for arn, solution in described_solutions.items()
        },
        campaigns=describe_existing(campaign_arns, partial(describe_campaign, client)),
        campaign_tags=describe_existing(campaign_arns, partial(tags_of, client)),
        version_readers={
            # Several campaigns may serve the same version, which is read only once.
            solution["solutionArn"]: cache(partial(read_version, client, solution))
            for solution in solutions
        },
    )


def recipe_name(solution: SolutionTypeDef) -> str:
    """Derive the name of a solution's recipe from its ARN. It's empty without a recipe (AutoML)."""
    return solution.get("recipeArn", "").rpartition("/")[2]


def solutions_to_train(settings: Settings, run: Run) -> list[SolutionSettings]:
    """Select the solutions that the run may train: those in the request, or else all."""
    chosen_arns = run["request"].get("solutions")
    return [
        solution
        for solution in settings["solutions"]
        if chosen_arns is None or solution["solutionArn"] in chosen_arns
    ]


def read_data(client: PersonalizeClient, settings: Settings, run: Run) -> DataSnapshot:
    """Read the datasets in the config, the jobs of their dataset group, and the run's exports."""
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
            earlier_exports = read_earlier_exports(days_to_search(dataset, jobs))
            skipped_days[arn] = [
                searched.day for searched in earlier_exports if not searched.is_imported
            ]

            # Each import is compared with the export of its own day. Otherwise, nobody could
            # confirm the import of a dead run on a later day.
            mode = dataset["importMode"]
            schema_arn = datasets[arn]["schemaArn"]
            day_exports = [export, *earlier_exports.values()]
            states = [day_export.state(mode, schema_arn) for day_export in day_exports]
            newly_confirmed += confirmable_imports(jobs, states)

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
    """Read the fields in the Avro schema of a dataset."""
    response = client.describe_schema(schemaArn=dataset["schemaArn"])
    fields: list[SchemaField] = json.loads(response["schema"]["schema"])["fields"]
    return fields


def read_earlier_exports(days: Iterable[SearchedDay]) -> dict[SearchedDay, Export]:
    """List the files of the exports of these days. A day without an export is left out."""
    earlier_exports = {}
    for searched in days:
        if objects := exports.list_objects(aws.s3(), searched.location):
            earlier_exports[searched] = exports.Export(location=searched.location, objects=objects)
    return earlier_exports


def describe_existing(
    arns: Iterable[str], describe: Callable[[str], Resource]
) -> dict[str, Resource]:
    """Map each ARN to what `describe` returns for it, without resources that don't exist."""
    resources = {}
    for arn in arns:
        try:
            resources[arn] = describe(arn)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise

    return resources
