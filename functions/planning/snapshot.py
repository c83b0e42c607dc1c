"""Reads everything that planning needs from Personalize and S3, without judging it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, NamedTuple, NotRequired, TypedDict, TypeVar

from botocore.exceptions import ClientError

from ..common import aws, clock
from ..contract import Run, Settings, SolutionSettings, Tags, list_filter_arns
from ..personalize.batch_jobs import (
    ResolvedBatchJobSettings,
    clear_hashes_if_results_are_missing,
    list_batch_jobs,
    read_results,
    resolve_batch_jobs,
)
from ..personalize.campaigns import describe_campaign
from ..personalize.imports import ImportReader
from ..personalize.lists import list_active_event_tracker_arns, list_deletions
from ..personalize.tags import read_tags
from ..personalize.trainings import SolutionReader, read_version
from ..rules.trainings import Deletion, SolutionState
from ..s3 import exports
from .export_search import ResolvedDatasetSettings, search_exports

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

    from ..rules.batch_jobs import BatchJob
    from ..rules.imports import Import
    from ..rules.versions import SolutionVersion
    from ..s3.exports import BatchInput, Export, S3Listing

Resource = TypeVar("Resource")


class SchemaField(TypedDict):
    """A field of a dataset's schema. `type` is an Avro type or a list of several."""

    name: str
    type: str | list[str]
    textual: NotRequired[bool]
    """True if models read the field as text. Personalize truncates long values."""


@dataclass(frozen=True, kw_only=True)
class DataSnapshot:
    """What planning read about the datasets, their imports and their exports.

    Lists of jobs are sorted, newest first. Mappings are keyed by the ARNs of their resources,
    unless a docstring says otherwise, and leave out resources that don't exist.
    """

    now: datetime
    dataset_groups: Mapping[str, DatasetGroupTypeDef]
    event_tracker_arns: Sequence[str]
    """The ARNs of the ACTIVE event trackers of the dataset group."""
    deletions: Sequence[Deletion]
    """The data deletion jobs of the dataset group."""
    chosen_datasets: Sequence[ResolvedDatasetSettings]
    """The settings of the datasets that the run may import."""
    datasets: Mapping[str, DatasetTypeDef]
    schemas: Mapping[str, Sequence[SchemaField]]
    """Dataset ARN -> the fields of its schema."""
    imports: Sequence[Import]
    """The imports of all datasets in the group. Tags are read only for datasets in the config."""
    newly_confirmed_imports: Sequence[Import]
    """The imports that this plan confirms. In `imports`, they already count as confirmed, but they
    aren't tagged yet."""
    exports: Mapping[str, Export]
    """Dataset ARN -> its export, for each dataset that the run may import."""
    skipped_days: Mapping[str, Sequence[str]]
    """Dataset ARN -> the earlier days whose INCREMENTAL exports were never imported."""


class BatchJobSnapshot(NamedTuple):
    """A batch job of the run, and what planning read about it."""

    settings: ResolvedBatchJobSettings
    input: BatchInput
    earlier_jobs: Sequence[BatchJob] = ()
    """Earlier runs' jobs with the same configured output, newest first."""
    results: S3Listing | None = None
    """All results in the folder of the last job, or None if the solution doesn't exist."""


@dataclass(frozen=True, kw_only=True)
class SolutionSnapshot:
    """What planning read about a solution and the resources that its settings refer to."""

    solution_settings: SolutionSettings
    description: SolutionTypeDef | None
    """None if the solution doesn't exist."""
    state: SolutionState
    """The solution and its versions, as input for the rules."""
    read_version: Callable[[str], SolutionVersion]
    """Reads a version of the solution on demand, because most plans don't need it."""
    campaigns: Mapping[str, CampaignTypeDef]
    campaign_tags: Mapping[str, Tags]
    """Campaign ARN -> its tags, where runs record what happened to its versions."""
    batch_jobs: Sequence[BatchJobSnapshot]
    filters: Mapping[str, FilterTypeDef]


def read_solution_snapshot(
    client: PersonalizeClient,
    settings: Settings,
    solution_settings: SolutionSettings,
    run: Run,
    data_snapshot: DataSnapshot,
) -> SolutionSnapshot:
    """Read a solution with its versions, campaigns, filters and batch jobs."""
    solution_arn = solution_settings["solutionArn"]
    campaign_arns = [campaign["campaignArn"] for campaign in solution_settings["campaigns"]]
    filters = read_existing(
        list_filter_arns(solution_settings),
        lambda arn: client.describe_filter(filterArn=arn)["filter"],
    )
    campaigns = read_existing(campaign_arns, partial(describe_campaign, client))
    campaign_tags = read_existing(campaign_arns, partial(read_tags, client))
    descriptions = read_existing(
        [solution_arn], lambda arn: client.describe_solution(solutionArn=arn)["solution"]
    )

    description = descriptions.get(solution_arn)
    batch_jobs = [
        _read_batch_job(client, batch_settings, description)
        for batch_settings in resolve_batch_jobs(solution_settings, run)
    ]
    state = SolutionState()
    if description is not None:
        state = SolutionReader(client, solution_settings["trainedBy"]).read_state(
            description, data_snapshot.imports, data_snapshot.deletions
        )

    import_reader = ImportReader(
        client, settings["datasets"], data_snapshot.newly_confirmed_imports
    )
    return SolutionSnapshot(
        solution_settings=solution_settings,
        description=description,
        state=state,
        # If several campaigns serve the same version, read it only once.
        read_version=cache(partial(read_version, client, solution_settings, import_reader)),
        campaigns=campaigns,
        campaign_tags=campaign_tags,
        filters=filters,
        batch_jobs=batch_jobs,
    )


def _read_batch_job(
    client: PersonalizeClient,
    batch_settings: ResolvedBatchJobSettings,
    solution_description: SolutionTypeDef | None,
) -> BatchJobSnapshot:
    """Read the input, the earlier jobs and the last results of a batch job."""
    batch_input = exports.read_batch_input(aws.s3(), batch_settings["input"])
    if solution_description is None:
        # The kind of batch job depends on the recipe, which is unknown without the solution.
        return BatchJobSnapshot(batch_settings, batch_input)

    jobs = list_batch_jobs(
        client, parse_recipe_name(solution_description), batch_settings["output_hash"]
    )
    results = read_results(batch_settings, jobs)
    earlier_jobs = clear_hashes_if_results_are_missing(jobs, batch_input, results)
    return BatchJobSnapshot(batch_settings, batch_input, earlier_jobs, results)


def parse_recipe_name(solution: SolutionTypeDef) -> str:
    """Extract the name of a solution's recipe from the recipe's ARN. With AutoML, it's empty."""
    return solution.get("recipeArn", "").rpartition("/")[2]


def read_data_snapshot(
    client: PersonalizeClient,
    settings: Settings,
    chosen_datasets: Sequence[ResolvedDatasetSettings],
    group_arn: str | None = None,
) -> DataSnapshot:
    """Read the configured datasets, their group's jobs, and the chosen datasets' exports.

    `group_arn` is only needed without datasets (`find_group_of_solutions()`).
    """
    datasets = read_existing(
        [dataset["datasetArn"] for dataset in settings["datasets"]],
        lambda arn: client.describe_dataset(datasetArn=arn)["dataset"],
    )
    group_arns = {dataset["datasetGroupArn"] for dataset in datasets.values()}
    if group_arn is not None:
        group_arns.add(group_arn)
    dataset_groups = read_existing(
        group_arns,
        lambda arn: client.describe_dataset_group(datasetGroupArn=arn)["datasetGroup"],
    )
    schemas = {arn: _read_schema_fields(client, dataset) for arn, dataset in datasets.items()}

    reader = ImportReader(client, settings["datasets"])
    found_imports = [
        job for group_arn in dataset_groups for job in reader.list_group_imports(group_arn)
    ]
    event_tracker_arns = [
        arn
        for group_arn in dataset_groups
        for arn in list_active_event_tracker_arns(client, group_arn)
    ]
    deletions = [job for group_arn in dataset_groups for job in list_deletions(client, group_arn)]

    searches = {
        dataset["datasetArn"]: search_exports(
            dataset, datasets.get(dataset["datasetArn"]), found_imports
        )
        for dataset in chosen_datasets
    }
    newly_confirmed_imports = [
        job for search in searches.values() for job in search.confirmable_imports
    ]
    # Planning treats these imports as confirmed, although their tags are written later.
    imports = [
        job._replace(is_confirmed=True) if job in newly_confirmed_imports else job
        for job in found_imports
    ]

    return DataSnapshot(
        now=clock.now(),
        dataset_groups=dataset_groups,
        event_tracker_arns=event_tracker_arns,
        deletions=deletions,
        chosen_datasets=chosen_datasets,
        datasets=datasets,
        schemas=schemas,
        imports=imports,
        newly_confirmed_imports=newly_confirmed_imports,
        exports={arn: search.export for arn, search in searches.items()},
        skipped_days={arn: search.skipped_days for arn, search in searches.items()},
    )


def find_group_of_solutions(client: PersonalizeClient, settings: Settings) -> str | None:
    """Find the dataset group of the first solution that exists.

    If another solution belongs to another group, a guard reports it.
    """
    solutions = read_existing(
        [solution["solutionArn"] for solution in settings["solutions"]],
        lambda arn: client.describe_solution(solutionArn=arn)["solution"],
    )
    group_arns = [solution["datasetGroupArn"] for solution in solutions.values()]
    return group_arns[0] if group_arns else None


def _read_schema_fields(client: PersonalizeClient, dataset: DatasetTypeDef) -> list[SchemaField]:
    """Read the fields of a dataset's Avro schema."""
    response = client.describe_schema(schemaArn=dataset["schemaArn"])
    fields: list[SchemaField] = json.loads(response["schema"]["schema"])["fields"]
    return fields


def read_existing(arns: Iterable[str], read: Callable[[str], Resource]) -> dict[str, Resource]:
    """Map each ARN to what `read` returns for it. Leave out resources that don't exist."""
    resources = {}
    for arn in arns:
        try:
            resources[arn] = read(arn)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise

    return resources
