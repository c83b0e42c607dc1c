"""Everything that planning needs to know, read once; no decisions."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, TypedDict, TypeVar

from botocore.exceptions import ClientError

from .. import aws, clock, executions, exports
from ..executions import scheduled_at
from ..personalize.imports import import_jobs
from ..personalize.statuses import phase_of
from ..personalize.tags import ADOPTED, RUN, VERDICT, recall
from ..personalize.versions import versions

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
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

Described = TypeVar("Described")

RESUMABLE = 10
"""How many of a solution's newest versions are described: a list shows no names."""
SEARCHED = 5
"""How many of a dataset's newest FULL imports are asked for their tags, because lists do not show
tags: docs/adr/0019-prefix-of-the-schedule-group.md."""


class SchemaField(TypedDict):
    """A field of a dataset's schema; `type` is an Avro type, or several of them."""

    name: str
    type: str | list[str]


@dataclass(frozen=True, kw_only=True)
class World:
    """The state of the services when the run was planned; lists are newest first.

    What does not exist is missing from its mapping.
    """

    now: datetime
    schedule_changed_at: datetime | None = None
    """When the schedule that started this run was created or last changed."""
    older_run: str | None = None
    """An execution of the same machine that was under way before this one."""
    groups: Mapping[str, DatasetGroupTypeDef] = field(default_factory=dict)
    event_trackers: Sequence[str] = ()
    """The ACTIVE ones of the dataset group."""
    datasets: Mapping[str, DatasetTypeDef] = field(default_factory=dict)
    schemas: Mapping[str, Sequence[SchemaField]] = field(default_factory=dict)
    """Dataset ARN -> the fields of its schema."""
    import_jobs: Mapping[str, Sequence[DatasetImportJobSummaryTypeDef]] = field(
        default_factory=dict
    )
    """Dataset ARN -> its import jobs."""
    import_slots_used: int = 0
    """Imports of this region, of whoever, that are pending or in progress."""
    last_import: Mapping[str, Tags] = field(default_factory=dict)
    """Dataset ARN -> the tags of its newest ACTIVE import, if a run of any stack created it."""
    last_full: Mapping[str, Tags] = field(default_factory=dict)
    """Dataset ARN -> the tags of the newest ACTIVE FULL import that a run of any stack created."""
    exports: Mapping[str, exports.Export] = field(default_factory=dict)
    """Dataset ARN -> what lies at its location; for those that are to be imported."""
    solutions: Mapping[str, SolutionTypeDef] = field(default_factory=dict)
    versions: Mapping[str, Sequence[SolutionVersionSummaryTypeDef]] = field(default_factory=dict)
    """Solution ARN -> its versions."""
    named_versions: Mapping[str, SolutionVersionTypeDef] = field(default_factory=dict)
    """Name -> version: those that may wait to be served, or that a resumed run has left."""
    trained_by_runs: Collection[str] = frozenset()
    """ARNs of the described versions that a run of any stack trained."""
    adopted: Mapping[str, SolutionVersionTypeDef] = field(default_factory=dict)
    """Solution ARN -> the newest foreign version that a run of any stack adopted. In a run that is
    resumed, the newest one that this run adopted."""
    verdicts: Mapping[str, str] = field(default_factory=dict)
    """Version ARN -> why it must not be deployed again; of the named and adopted versions."""
    campaigns: Mapping[str, CampaignTypeDef] = field(default_factory=dict)


def read(
    client: PersonalizeClient,
    settings: Settings,
    run: Run,
    *,
    datasets: Sequence[DatasetSettings],
    solutions: Sequence[SolutionSettings],
) -> World:
    """Read the world; `datasets` are those to be imported, `solutions` those to be trained."""
    dataset_arns = [each["datasetArn"] for each in settings["datasets"]]
    solution_arns = [each["solutionArn"] for each in solutions]
    found_datasets = _each(
        dataset_arns, lambda arn: client.describe_dataset(datasetArn=arn)["dataset"]
    )
    found_solutions = _each(
        solution_arns, lambda arn: client.describe_solution(solutionArn=arn)["solution"]
    )
    all_jobs = {arn: import_jobs(client, arn) for arn in found_datasets}
    all_versions = {arn: versions(client, arn) for arn in found_solutions}
    groups = _each(
        {each["datasetGroupArn"] for each in found_datasets.values()},
        lambda arn: client.describe_dataset_group(datasetGroupArn=arn)["datasetGroup"],
    )
    described = _described(client, run, all_versions)
    tags_of = cache(lambda arn: recall(client, arn))
    last_import, last_full = _last_imports(tags_of, all_jobs)
    version_tags = {
        version["solutionVersionArn"]: tags_of(version["solutionVersionArn"])
        for version in described
    }
    # A run that is resumed continues with the versions that it adopted. Other runs may deploy all.
    adopted_as = f"{settings['prefix']}-{run['id']}-" if "resume" in run["request"] else ""
    adopted = {
        arn
        for arn, tags in version_tags.items()
        if ADOPTED in tags and tags[ADOPTED].startswith(adopted_as)
    }
    return World(
        now=clock.now(),
        schedule_changed_at=_schedule_changed_at(run["request"]),
        older_run=executions.older_run(aws.stepfunctions(), run),
        groups=groups,
        event_trackers=[tracker for arn in groups for tracker in _trackers(client, arn)],
        datasets=found_datasets,
        schemas={
            arn: _schema(client, dataset["schemaArn"]) for arn, dataset in found_datasets.items()
        },
        import_jobs=all_jobs,
        import_slots_used=sum(
            phase_of(job["status"]) == "UNDER_WAY" for job in import_jobs(client)
        ),
        last_import=last_import,
        last_full=last_full,
        exports={
            each["datasetArn"]: exports.look(aws.s3(), each["dataLocation"], each["readyMarker"])
            for each in datasets
        },
        solutions=found_solutions,
        versions=all_versions,
        named_versions=_first_by("name", described),
        trained_by_runs={arn for arn, tags in version_tags.items() if RUN in tags},
        adopted=_first_by(
            "solutionArn", (each for each in described if each["solutionVersionArn"] in adopted)
        ),
        verdicts={arn: tags[VERDICT] for arn, tags in version_tags.items() if VERDICT in tags},
        campaigns=_each(
            [each["campaignArn"] for solution in solutions for each in solution["campaigns"]],
            lambda arn: client.describe_campaign(campaignArn=arn)["campaign"],
        ),
    )


def _each(arns: Iterable[str], describe: Callable[[str], Described]) -> dict[str, Described]:
    """Describe each; what does not exist is left out."""
    found = {}
    for arn in arns:
        with _if_it_exists():
            found[arn] = describe(arn)
    return found


@contextmanager
def _if_it_exists() -> Iterator[None]:
    """Pass over a resource that does not exist."""
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise


def _trackers(client: PersonalizeClient, group_arn: str) -> list[str]:
    pages = client.get_paginator("list_event_trackers").paginate(datasetGroupArn=group_arn)
    return [
        tracker["eventTrackerArn"]
        for page in pages
        for tracker in page["eventTrackers"]
        if tracker["status"] == "ACTIVE"
    ]


def _schema(client: PersonalizeClient, schema_arn: str) -> list[SchemaField]:
    schema = client.describe_schema(schemaArn=schema_arn)["schema"]["schema"]
    fields: list[SchemaField] = json.loads(schema)["fields"]
    return fields


def _schedule_changed_at(request: Request) -> datetime | None:
    arn = request.get("scheduleArn")
    if not arn or scheduled_at(request) is None:
        return None
    group, name = arn.split("/")[1:]
    schedule = aws.scheduler().get_schedule(GroupName=group, Name=name)
    return max(schedule["CreationDate"], schedule["LastModificationDate"])


def _last_imports(
    tags_of: Callable[[str], Tags],
    all_jobs: Mapping[str, Sequence[DatasetImportJobSummaryTypeDef]],
) -> tuple[dict[str, Tags], dict[str, Tags]]:
    """Return `last_import` and `last_full` of the World. `all_jobs` must be sorted, newest first.

    An import of a run is known by its tag, because a recreated stack has a new job prefix.
    """
    last: dict[str, Tags] = {}
    full: dict[str, Tags] = {}
    for arn, jobs in all_jobs.items():
        active = [job for job in jobs if job["status"] == "ACTIVE"]
        fulls = [job for job in active if job.get("importMode", "FULL") == "FULL"]
        for found, candidates in ((last, active[:1]), (full, fulls[:SEARCHED])):
            tags = (tags_of(job["datasetImportJobArn"]) for job in candidates)
            if known := next((each for each in tags if RUN in each), None):
                found[arn] = known
    return last, full


def _active(
    summaries: Sequence[SolutionVersionSummaryTypeDef],
) -> list[SolutionVersionSummaryTypeDef]:
    return [each for each in summaries if each["status"] == "ACTIVE"]


def _described(
    client: PersonalizeClient,
    run: Run,
    all_versions: Mapping[str, Sequence[SolutionVersionSummaryTypeDef]],
) -> list[SolutionVersionTypeDef]:
    """Describe the newest versions of each solution.

    Where none is looked for by name, the newest ACTIVE one is enough: it may wait to be served.
    """
    by_name = "resume" in run["request"] or run["request"].get("skipImport")
    return [
        client.describe_solution_version(solutionVersionArn=each["solutionVersionArn"])[
            "solutionVersion"
        ]
        for summaries in all_versions.values()
        for each in (summaries[:RESUMABLE] if by_name else _active(summaries)[:1])
    ]


def _first_by(
    key: str, found: Iterable[SolutionVersionTypeDef]
) -> dict[str, SolutionVersionTypeDef]:
    """Give the versions by a field of theirs; of two with one value, the first, which is newer."""
    first: dict[str, SolutionVersionTypeDef] = {}
    for version in found:
        if key in version:
            first.setdefault(version[key], version)  # type: ignore[literal-required]
    return first
