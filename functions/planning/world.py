"""Reads what planning needs to know about Personalize and S3. Nothing is decided here."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
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
from ..personalize.campaigns import describe_campaign, read_version
from ..personalize.imports import ImportReader, location_digits, seen_export
from ..personalize.lists import active_event_trackers, list_deletions
from ..personalize.tags import tags_of
from ..personalize.trainings import SolutionReader
from ..rules.imports import (
    Import,
    confirmable_imports,
    effective_imports,
    import_of_location,
    settled_day,
    unchecked_imports,
)
from .datasets import DatasetOfRun, datasets_to_import

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

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
    from ..rules.gate import VersionFacts
    from ..rules.trainings import Deletion, SeenSolution

Resource = TypeVar("Resource")

SEARCHED_DAYS = 31
"""For how many days before the run INCREMENTAL exports are searched."""
GIVEN_UP = timedelta(hours=1)
"""After this time an import is given up that its run has not confirmed. Each run looks at its own
imports within minutes of their end, but a run of another stack may do so just now."""


class SchemaField(TypedDict):
    """A field of a dataset's schema. `type` is one Avro type, or a list of Avro types."""

    name: str
    type: str | list[str]
    textual: NotRequired[bool]
    """True if the field is a long text that models read. Personalize truncates it."""


@dataclass(frozen=True, kw_only=True)
class World:
    """The state of Personalize and S3 when the run was planned.

    Lists of jobs are sorted, newest first. The key of a mapping is the ARN of the resource, unless
    its docstring names another. A resource that does not exist is missing from its mapping.
    """

    now: datetime
    dataset_groups: Mapping[str, DatasetGroupTypeDef] = field(default_factory=dict)
    event_trackers: Sequence[str] = ()
    """The ARNs of the ACTIVE event trackers of the dataset group."""
    deletions: Sequence[Deletion] = ()
    """The data deletion jobs of the dataset group."""
    datasets: Mapping[str, DatasetTypeDef] = field(default_factory=dict)
    schemas: Mapping[str, Sequence[SchemaField]] = field(default_factory=dict)
    """Dataset ARN -> the fields of its schema."""
    imports: Mapping[str, Sequence[Import]] = field(default_factory=dict)
    """ARN of each dataset in the group, configured or not -> its imports. Only imports of the
    configured datasets have tags. Those in `newly_confirmed` are confirmed here already."""
    newly_confirmed: Sequence[Import] = ()
    """The imports that are confirmed, but not tagged yet."""
    broken: Sequence[Import] = ()
    """The last INCREMENTAL import of a dataset, if only a FULL import repairs it."""
    exports: Mapping[str, Export] = field(default_factory=dict)
    """Dataset ARN -> the export at its location, for each dataset that the run imports."""
    earlier_exports: Mapping[str, Mapping[str, Export]] = field(default_factory=dict)
    """Dataset ARN -> earlier day -> its INCREMENTAL export, if no import of it is confirmed."""
    solutions: Mapping[str, SolutionTypeDef] = field(default_factory=dict)
    seen_solutions: Mapping[str, SeenSolution] = field(default_factory=dict)
    """Solution ARN -> the solution with its versions, as the rules need them."""
    campaigns: Mapping[str, CampaignTypeDef] = field(default_factory=dict)
    campaign_tags: Mapping[str, Tags] = field(default_factory=dict)
    """Campaign ARN -> its tags, which say what runs have found out about its versions."""
    version_readers: Mapping[str, Callable[[str], VersionFacts]] = field(default_factory=dict)
    """Solution ARN -> reads one of its versions. Most plans need none, so none is read here yet."""
    batch_jobs: Mapping[str, Sequence[BatchJob]] = field(default_factory=dict)
    """Slot of a configured batch job -> its batch jobs, newest first (`list_batch_jobs`)."""
    batch_inputs: Mapping[str, Export] = field(default_factory=dict)
    """Location -> the input of batch jobs there."""
    batch_results: Mapping[str, Export] = field(default_factory=dict)
    """Slot of a configured batch job -> the files beside its last results."""
    filters: Mapping[str, FilterTypeDef] = field(default_factory=dict)


def read_world(client: PersonalizeClient, settings: Settings, run: Run) -> World:
    """Read all datasets, the exports that the run imports, and the solutions that it trains."""
    solutions = solutions_to_train(settings, run)
    campaigns = [
        campaign["campaignArn"] for solution in solutions for campaign in solution["campaigns"]
    ]
    world = read_data(client, settings, run)
    imports = [job for jobs in world.imports.values() for job in jobs]
    described = describe_existing(
        [solution["solutionArn"] for solution in solutions],
        lambda arn: client.describe_solution(solutionArn=arn)["solution"],
    )
    reader = SolutionReader(client)
    seen_solutions = {
        arn: reader.solution(solution, imports, world.deletions)
        for arn, solution in described.items()
    }
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
    return replace(
        world,
        batch_jobs=batch_jobs,
        batch_inputs=batch_inputs,
        batch_results=batch_results,
        filters=describe_existing(
            {arn for solution in solutions for arn in filter_arns(solution)},
            lambda arn: client.describe_filter(filterArn=arn)["filter"],
        ),
        solutions=described,
        seen_solutions=seen_solutions,
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


def read_data(client: PersonalizeClient, settings: Settings, run: Run) -> World:
    """Read all configured datasets, the jobs of their group, and the run's exports."""
    datasets = describe_existing(
        [dataset["datasetArn"] for dataset in settings["datasets"]],
        lambda arn: client.describe_dataset(datasetArn=arn)["dataset"],
    )
    groups = describe_existing(
        {dataset["datasetGroupArn"] for dataset in datasets.values()},
        lambda arn: client.describe_dataset_group(datasetGroupArn=arn)["datasetGroup"],
    )
    imports: dict[str, list[Import]] = {arn: [] for arn in datasets}
    for group_arn in groups:
        for job in ImportReader(client, settings["datasets"]).of_group(group_arn):
            imports.setdefault(job.dataset, []).append(job)
    schemas = {
        arn: client.describe_schema(schemaArn=dataset["schemaArn"])["schema"]["schema"]
        for arn, dataset in datasets.items()
    }
    world = World(
        now=clock.now(),
        dataset_groups=groups,
        event_trackers=[arn for group in groups for arn in active_event_trackers(client, group)],
        deletions=[job for group in groups for job in list_deletions(client, group)],
        datasets=datasets,
        schemas={arn: json.loads(schema)["fields"] for arn, schema in schemas.items()},
        imports=imports,
        exports={
            dataset["datasetArn"]: exports.read_export(
                aws.s3(),
                dataset["dataLocation"],
                dataset["readyMarker"],
                reads_all_rows=dataset["strictEvents"],
            )
            for dataset in datasets_to_import(settings, run)
        },
    )
    return _with_judged_imports(world, settings, run)


def _with_judged_imports(world: World, settings: Settings, run: Run) -> World:
    """Return the world in which every import whose export has not changed is confirmed.

    An import is compared with the export of the day that it imported, so that the import of a dead
    run is confirmed on a later day too. If that fails, the dataset is broken.
    """
    imports, earlier = dict(world.imports), {}
    newly_confirmed: list[Import] = []
    broken: list[Import] = []
    for dataset in datasets_to_import(settings, run):
        arn = dataset["datasetArn"]
        if arn not in world.datasets:
            continue

        earlier[arn] = earlier_exports(dataset, imports[arn])
        form = (dataset["importMode"], world.datasets[arn]["schemaArn"])
        present = [world.exports[arn], *earlier[arn].values()]
        unchanged = confirmable_imports(
            imports[arn], [seen_export(export, *form) for export in present]
        )
        newly_confirmed += unchanged
        imports[arn] = [
            job._replace(is_confirmed=job.is_confirmed or job in unchanged) for job in imports[arn]
        ]
        # An export that cannot be read now may be unchanged.
        if not world.exports[arn].read_error:
            broken += _broken_by(imports[arn], dataset["day"], world.now)
    return replace(
        world,
        imports=imports,
        earlier_exports=earlier,
        newly_confirmed=newly_confirmed,
        broken=broken,
    )


def _broken_by(imports: Sequence[Import], day: str | None, now: datetime) -> list[Import]:
    """Return the last import of a dataset if only a FULL import repairs it.

    A run for an earlier day has not seen the exports of later days, so it judges no later import.
    """
    return [
        job
        for job in unchecked_imports(imports)[-1:]
        if not job.is_full and (job.is_spoiled or job.ended_at < now - GIVEN_UP)
        if day is None or job.created_at.astimezone(UTC).date().isoformat() <= day
    ]


def earlier_exports(dataset: DatasetOfRun, imports: Sequence[Import]) -> dict[str, Export]:
    """Return each earlier day -> its INCREMENTAL export, if no import of it is confirmed.

    Only the days since the last FULL import are searched, because it contains all earlier data.
    """
    day, data = dataset["day"], effective_imports(imports)
    if dataset["importMode"] == "FULL" or not day:
        return {}
    found = {}
    for number in range(SEARCHED_DAYS, 0, -1):
        earlier = (date.fromisoformat(day) - timedelta(days=number)).isoformat()
        location = dataset["dataLocation"].replace(day, earlier)
        job = import_of_location(data, location_digits(location))
        is_settled = job.is_confirmed if job else earlier <= settled_day(data)
        if is_settled:
            continue
        if objects := exports.list_objects(aws.s3(), location):
            found[earlier] = exports.Export(location=location, objects=objects)
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
