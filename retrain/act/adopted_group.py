"""Reads what Personalize knows about a dataset group: its datasets, solutions and campaigns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from botocore.exceptions import ClientError

from components.rules.arns import DATASET_GROUP, dataset_type, parse_arn
from functions.personalize.campaigns import follows_newest
from functions.personalize.imports import list_imports
from functions.personalize.statuses import is_active
from functions.personalize.tags import RUN, tags_of
from functions.personalize.trainings import list_versions
from retrain.account.errors import DENIED_CODES, OperatorError, code_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize.type_defs import (
        DatasetGroupTypeDef,
        DatasetImportJobTypeDef,
        SolutionTypeDef,
    )

    from components.rules.arns import Arn

DATASET_KEYS = ("interactions", "items", "users", "actions", "actionInteractions")
"""The keys of the datasets in a stack's config, in their order."""
LIST_COMMAND = "aws personalize list-dataset-groups"
NOT_FOUND = "ResourceNotFoundException"


class LastImport(NamedTuple):
    """The newest import job of a dataset that succeeded."""

    location: str
    role_arn: str
    """Its role, or "" if only runs of a pipeline have used the role."""
    mode: str
    ended_at: datetime


class AdoptedDataset(NamedTuple):
    """A dataset of the group. `last_import` is None if nothing was ever imported into it."""

    key: str
    """Its key in a stack's config, for example `actionInteractions`."""
    arn: str
    last_import: LastImport | None


class AdoptedCampaign(NamedTuple):
    """A campaign of a solution."""

    arn: str
    status: str
    follows_newest: bool
    """True if every new version of the solution is deployed to it without a check."""
    served_version_arn: str


class AdoptedSolution(NamedTuple):
    """A solution of the group, with its campaigns."""

    arn: str
    recipe: str
    """The name of the recipe, or "" if the solution has none."""
    status: str
    automatic_training: str | None
    """How often the solution trains automatically, or None if it does not."""
    metrics: Mapping[str, float]
    """The offline metrics of the newest version. They are empty without a version."""
    training_hours: float | None
    """The training hours of the newest version, or None if Personalize does not return them."""
    campaigns: Sequence[AdoptedCampaign]


@dataclass(frozen=True, kw_only=True)
class AdoptedGroup:
    """A dataset group, and everything in it that a pipeline could retrain."""

    arn: Arn
    domain: str | None
    """The domain of a domain dataset group, or None."""
    kms_key_arn: str | None
    """The key that encrypts the group, or None. It says nothing about the key of the exports."""
    datasets: Sequence[AdoptedDataset]
    solutions: Sequence[AdoptedSolution]
    recommenders: Sequence[str]
    """The names of the recommenders, which Personalize retrains itself."""
    receives_events: bool
    """True if an ACTIVE event tracker streams interactions into the group."""


def read_group(client: PersonalizeClient, group_arn: str) -> AdoptedGroup:
    """Return what Personalize knows about a dataset group.

    Raises OperatorError if the group does not exist or is not ACTIVE.
    """
    group = _described_group(client, group_arn)
    arn = parse_arn(group_arn)
    assert arn is not None, "the ARN was checked"
    trackers = client.get_paginator("list_event_trackers").paginate(datasetGroupArn=group_arn)
    return AdoptedGroup(
        arn=arn,
        domain=group.get("domain"),
        kms_key_arn=group.get("kmsKeyArn"),
        datasets=_read_datasets(client, group_arn),
        solutions=_read_solutions(client, group_arn),
        recommenders=_read_recommenders(client, group_arn) if group.get("domain") else (),
        receives_events=any(
            is_active(tracker["status"]) for page in trackers for tracker in page["eventTrackers"]
        ),
    )


def check_group_arn(group_arn: str) -> Arn:
    """Return the parts of the ARN of a dataset group. Raise OperatorError for any other text."""
    if error := DATASET_GROUP(group_arn):
        raise OperatorError(
            f"--dataset-group-arn {group_arn!r} {error}; `{LIST_COMMAND}` lists the groups"
        )
    arn = parse_arn(group_arn)
    assert arn is not None, "the ARN fits the pattern of its kind"
    return arn


def _described_group(client: PersonalizeClient, group_arn: str) -> DatasetGroupTypeDef:
    """Return the description of an ACTIVE dataset group, or raise OperatorError."""
    try:
        group = client.describe_dataset_group(datasetGroupArn=group_arn)["datasetGroup"]
    except ClientError as error:
        if code_of(error) != NOT_FOUND:
            raise
        region, account = group_arn.split(":")[3:5]
        raise OperatorError(
            f"{group_arn} does not exist; `{LIST_COMMAND} --region {region}` lists the groups of "
            f"account {account} in {region}"
        ) from error
    if not is_active(group["status"]):
        raise OperatorError(
            f"{group_arn} is {group['status']}, not ACTIVE; wait until it is ACTIVE, or name "
            "another group"
        )
    return group


def _read_datasets(client: PersonalizeClient, group_arn: str) -> list[AdoptedDataset]:
    """Return the datasets of a group in the order of the config's keys."""
    pages = client.get_paginator("list_datasets").paginate(datasetGroupArn=group_arn)
    arns = [dataset["datasetArn"] for page in pages for dataset in page["datasets"]]
    keys = {
        arn: key for key in DATASET_KEYS for arn in arns if arn.endswith(f"/{dataset_type(key)}")
    }
    imports = {arn: _first_and_last_import(client, arn) for arn in keys}
    roles = _roles_of_people(client, [job for jobs in imports.values() for job in jobs])
    return [
        AdoptedDataset(key, arn, _last_import(imports[arn][-1], roles) if imports[arn] else None)
        for arn, key in keys.items()
    ]


def _first_and_last_import(
    client: PersonalizeClient, dataset_arn: str
) -> list[DatasetImportJobTypeDef]:
    """Return the oldest and the newest import job of a dataset that succeeded, if there are any."""
    jobs = [job for job in list_imports(client, dataset_arn) if is_active(job["status"])]
    jobs.sort(key=lambda job: job["lastUpdatedDateTime"])
    return [
        client.describe_dataset_import_job(datasetImportJobArn=job["datasetImportJobArn"])[
            "datasetImportJob"
        ]
        for job in (*jobs[:1], *jobs[-1:])
    ]


def _roles_of_people(
    client: PersonalizeClient, jobs: Iterable[DatasetImportJobTypeDef]
) -> Collection[str]:
    """Return the roles of the import jobs that no run of a pipeline has created.

    A pipeline may have created the role of its import jobs, which goes when its stack does.
    """
    return {
        job["roleArn"]
        for job in jobs
        if "roleArn" in job and RUN not in tags_of(client, job["datasetImportJobArn"])
    }


def _last_import(job: DatasetImportJobTypeDef, roles: Collection[str]) -> LastImport:
    """Return what the next import can take over from an import job, with one of these roles."""
    role_arn = job.get("roleArn", "")
    return LastImport(
        location=job["dataSource"].get("dataLocation", ""),
        role_arn=role_arn if role_arn in roles else "",
        mode=job.get("importMode", "FULL"),
        ended_at=job["lastUpdatedDateTime"],
    )


def _read_solutions(client: PersonalizeClient, group_arn: str) -> list[AdoptedSolution]:
    """Return the solutions of a group by their names."""
    pages = client.get_paginator("list_solutions").paginate(datasetGroupArn=group_arn)
    arns = sorted(solution["solutionArn"] for page in pages for solution in page["solutions"])
    return [_read_solution(client, arn) for arn in arns]


def _read_solution(client: PersonalizeClient, arn: str) -> AdoptedSolution:
    """Return a solution with the metrics of its newest version."""
    solution = client.describe_solution(solutionArn=arn)["solution"]
    newest = next((item for item in list_versions(client, arn) if is_active(item["status"])), None)
    metrics: Mapping[str, float] = {}
    training_hours = None
    if newest:
        version_arn = newest["solutionVersionArn"]
        metrics = client.get_solution_metrics(solutionVersionArn=version_arn)["metrics"]
        version = client.describe_solution_version(solutionVersionArn=version_arn)
        training_hours = version["solutionVersion"].get("trainingHours")
    return AdoptedSolution(
        arn=arn,
        recipe=solution.get("recipeArn", "").rpartition("/")[2],
        status=solution["status"],
        automatic_training=_automatic_training(solution),
        metrics=metrics,
        training_hours=training_hours,
        campaigns=_read_campaigns(client, arn),
    )


def _automatic_training(solution: SolutionTypeDef) -> str | None:
    """Return how often a solution trains automatically, or None if it does not.

    Without a schedule in its configuration it is every 7 days:
    https://docs.aws.amazon.com/personalize/latest/dg/solution-config-auto-training.html.
    """
    if not solution.get("performAutoTraining"):
        return None
    config = solution.get("solutionConfig", {}).get("autoTrainingConfig", {})
    return config.get("schedulingExpression", "rate(7 days)")


def _read_campaigns(client: PersonalizeClient, solution_arn: str) -> list[AdoptedCampaign]:
    """Return the campaigns of a solution by their names."""
    pages = client.get_paginator("list_campaigns").paginate(solutionArn=solution_arn)
    arns = sorted(campaign["campaignArn"] for page in pages for campaign in page["campaigns"])
    campaigns = []
    for arn in arns:
        campaign = client.describe_campaign(campaignArn=arn)["campaign"]
        campaigns.append(
            AdoptedCampaign(
                arn=arn,
                status=campaign["status"],
                follows_newest=follows_newest(campaign),
                served_version_arn=campaign.get("solutionVersionArn", ""),
            )
        )
    return campaigns


def _read_recommenders(client: PersonalizeClient, group_arn: str) -> list[str]:
    """Return the names of the recommenders of a group. Without the permission there are none."""
    try:
        pages = client.get_paginator("list_recommenders").paginate(datasetGroupArn=group_arn)
        return sorted(
            str(recommender["name"]) for page in pages for recommender in page["recommenders"]
        )
    except ClientError as error:
        if code_of(error) in DENIED_CODES:
            return []
        raise
