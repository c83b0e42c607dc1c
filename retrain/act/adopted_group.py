"""Makes a pipeline's config of what Personalize knows about a dataset group."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from components.args import DEFAULT_GATE, DatasetsArgs, config_keys
from components.rules.arns import dataset_type
from components.rules.fields import MAX_ID_CHARACTERS, MRR, NDCG_AT_10, location_error
from functions.executions import DATE
from functions.exports import read_export
from functions.personalize.campaigns import describe_campaign, follows_newest, metrics_of
from functions.personalize.imports import list_imports
from functions.personalize.statuses import is_active
from functions.personalize.tags import RUN, tags_of
from functions.personalize.trainings import list_versions
from functions.planning.resource_guards import PROBE_KEYS
from retrain.account.errors import OperatorError, code_of
from retrain.names import short_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize.type_defs import (
        DatasetGroupTypeDef,
        DatasetImportJobTypeDef,
        SolutionTypeDef,
    )
    from mypy_boto3_s3 import S3Client

Config = dict[str, Any]
DAY = re.compile(r"20[0-9]{2}([-/]?)[0-9]{2}\1[0-9]{2}(?![0-9])")
"""A date in a location, in the form of `{date}` or in another one."""
GATE_METRICS = (
    NDCG_AT_10,
    f"{MRR}_at_25",
    "precision_at_10",
    "average_rewards_at_k",
    "trend_prediction_accuracy",
    "coverage",
)
"""The metrics for a quality gate, the best first. A solution has some of them."""
RANKED_ITEMS = 3
"""The number of items that a probe of a ranking sends. A probe needs at least one."""


class Adopted(NamedTuple):
    """A config that retrains what is in a dataset group."""

    config: Config
    notes: list[str]
    """What was left out or not found out, and what should be changed before the first run."""


class Ids(NamedTuple):
    """Users and items of the exports, with which a probe asks for recommendations."""

    users: list[str]
    items: list[str]


def adopt_group(client: PersonalizeClient, s3: S3Client, group_arn: str) -> Adopted:
    """Return the config of a pipeline for an ACTIVE dataset group.

    Raises OperatorError if the group does not exist, is not ACTIVE, or has nothing to retrain.
    """
    group, notes = _active_group(client, group_arn), list[str]()
    imports = _last_imports(client, group_arn, notes)
    pages = client.get_paginator("list_solutions").paginate(datasetGroupArn=group_arn)
    solutions = [
        client.describe_solution(solutionArn=arn)["solution"]
        for arn in sorted(row["solutionArn"] for page in pages for row in page["solutions"])
    ]
    usable = [solution for solution in solutions if is_active(solution["status"])]
    notes += [
        f"solution {solution['name']} is left out: it is {solution['status']}, not ACTIVE"
        for solution in solutions
        if solution not in usable
    ]
    if group.get("domain"):
        notes.append("Personalize retrains the recommenders of a Domain dataset group itself")
    if not usable or not imports:
        lacks = "dataset that was imported from S3" if usable else "ACTIVE solution"
        reasons = [f"{group_arn} has no {lacks}; create one first", *notes]
        raise OperatorError("; ".join(reasons))
    ids = _ids(s3, [job["dataSource"]["dataLocation"] for job in imports.values()])
    return Adopted(
        {
            "datasets": {key: _dataset(key, job, notes) for key, job in imports.items()},
            "solutions": [_solution(client, solution, ids, notes) for solution in usable],
            **_import_role(client, imports.values(), notes),
            "retrainingRate": "cron(0 3 ? * MON *)",
            "timezone": "UTC",
            "notifications": {"emails": []},
        },
        notes,
    )


def _active_group(client: PersonalizeClient, group_arn: str) -> DatasetGroupTypeDef:
    """Return the description of an ACTIVE dataset group, or raise OperatorError."""
    region, account = group_arn.split(":")[3:5]
    try:
        group = client.describe_dataset_group(datasetGroupArn=group_arn)["datasetGroup"]
    except ClientError as error:
        if code_of(error) != "ResourceNotFoundException":
            raise
        raise OperatorError(
            f"{group_arn} does not exist; `aws personalize list-dataset-groups --region {region}` "
            f"lists the groups of account {account} in {region}"
        ) from error
    if not is_active(group["status"]):
        raise OperatorError(
            f"{group_arn} is {group['status']}, not ACTIVE; wait until it is ACTIVE, or name "
            "another group"
        )
    return group


def _last_imports(
    client: PersonalizeClient, group_arn: str, notes: list[str]
) -> dict[str, DatasetImportJobTypeDef]:
    """Return the newest ACTIVE import job of each dataset, by the dataset's key in the config.

    Datasets that were never imported from S3 are left out.
    """
    pages = client.get_paginator("list_datasets").paginate(datasetGroupArn=group_arn)
    arns = [dataset["datasetArn"] for page in pages for dataset in page["datasets"]]
    imports = {}
    for key in config_keys(DatasetsArgs):
        for arn in (arn for arn in arns if arn.endswith(f"/{dataset_type(key)}")):
            jobs = [job for job in list_imports(client, arn) if is_active(job["status"])]
            if not jobs:
                notes.append(
                    f"datasets.{key} is left out: nothing was ever imported into it from S3, so "
                    "its location is not known"
                )
                continue
            newest = max(jobs, key=lambda job: job["lastUpdatedDateTime"])["datasetImportJobArn"]
            described = client.describe_dataset_import_job(datasetImportJobArn=newest)
            job = described["datasetImportJob"]
            if error := location_error(job["dataSource"].get("dataLocation", "")):
                notes.append(f"datasets.{key} is left out: the location of its last import {error}")
            else:
                imports[key] = job
    return imports


def _dataset(key: str, job: DatasetImportJobTypeDef, notes: list[str]) -> Config:
    """Return the config of a dataset, with the location and the mode of its last import."""
    location = job["dataSource"]["dataLocation"]
    if day := DAY.search(location):
        dated = DAY.sub(DATE, location)
        form = "" if day[1] == "-" else f", which becomes 2026-11-29 and not {day[0]}"
        notes.append(
            f"datasets.{key}.dataLocation contains a date; if every export has its own date, use "
            f"{dated}{form}"
        )
    mode = job.get("importMode", "FULL")
    return {"datasetArn": job["datasetArn"], "dataLocation": location, "importMode": mode}


def _import_role(
    client: PersonalizeClient, jobs: Iterable[DatasetImportJobTypeDef], notes: list[str]
) -> Config:
    """Return the role that the last imports have used, or nothing.

    A role that only runs have used is left out, because it may go when its stack is destroyed.
    """
    roles = {
        job["roleArn"] for job in jobs if RUN not in tags_of(client, job["datasetImportJobArn"])
    }
    if len(roles) > 1:
        notes.append(
            f"the last imports used several roles ({', '.join(sorted(roles))}); the pipeline "
            "creates one, unless importRoleArn names a role that may read all locations"
        )
    return {"importRoleArn": roles.pop()} if len(roles) == 1 else {}


def _solution(
    client: PersonalizeClient, solution: SolutionTypeDef, ids: Ids, notes: list[str]
) -> Config:
    """Return the config of a solution with its campaigns, and a gate for a metric that it has."""
    arn, name = solution["solutionArn"], solution["name"]
    if solution.get("performAutoTraining"):
        # Without a schedule in its configuration, it trains every 7 days:
        # https://docs.aws.amazon.com/personalize/latest/dg/solution-config-auto-training.html
        schedule = solution.get("solutionConfig", {}).get("autoTrainingConfig", {})
        notes.append(
            f"solution {name} also trains automatically, "
            f"{schedule.get('schedulingExpression', 'rate(7 days)')}, which is paid for twice; "
            f"turn that off with `aws personalize update-solution --solution-arn {arn} "
            "--no-perform-auto-training`"
        )
    versions = list_versions(client, arn)
    newest = next((row["solutionVersionArn"] for row in versions if is_active(row["status"])), None)
    metrics = metrics_of(client, newest) if newest else {NDCG_AT_10: 0}
    metric = next((known for known in GATE_METRICS if known in metrics), None)
    if metric is None:
        notes.append(
            f"solution {name} has no quality gate, because its newest version has none of the "
            f"usual metrics; it has {', '.join(sorted(metrics)) or 'none'}"
        )
    pages = client.get_paginator("list_campaigns").paginate(solutionArn=arn)
    campaigns = sorted(row["campaignArn"] for page in pages for row in page["campaigns"])
    probe = _probe(solution.get("recipeArn", "").rpartition("/")[2], ids)
    usable = [campaign for campaign in campaigns if _is_usable(client, campaign, notes)]
    if usable and probe is None:
        notes.append(
            f"the campaigns of {name} have no probe, because no export could be read, or their "
            "recipe answers none"
        )
    gate = [{"metric": metric, "maxDrop": DEFAULT_GATE[0].max_drop}]
    config: Config = {"solutionArn": arn}
    config |= {"qualityGate": gate} if metric else {"qualityGateEnabled": False}
    if usable:
        config["campaigns"] = [
            {"campaignArn": campaign, **({"probe": probe} if probe else {})} for campaign in usable
        ]
    return config


def _is_usable(client: PersonalizeClient, arn: str, notes: list[str]) -> bool:
    """Return True if a campaign is ACTIVE. Add a note if not, or if it updates itself."""
    campaign, name = describe_campaign(client, arn), short_name(arn)
    if not is_active(campaign["status"]):
        notes.append(f"campaign {name} is left out: it is {campaign['status']}, not ACTIVE")
        return False
    if follows_newest(campaign):
        notes.append(
            f"campaign {name}: syncWithLatestSolutionVersion deploys all versions past the quality "
            "gate and the probe, so runs are refused; `retrain doctor` prints how to turn it off"
        )
    return True


def _ids(s3: S3Client, locations: Iterable[str]) -> Ids:
    """Return the ids in the samples of the exports, as far as they can be read.

    The location of the interactions comes first, so users and items with interactions are found.
    """
    ids = Ids([], [])
    for location in locations:
        with suppress(ClientError, BotoCoreError):
            for sample in read_export(s3, location).samples:
                for column, values in (("USER_ID", ids.users), ("ITEM_ID", ids.items)):
                    if column in sample.header:
                        position = sample.header.index(column)
                        found = (row.values[position] for row in sample.rows)
                        values += [value for value in found if 0 < len(value) <= MAX_ID_CHARACTERS]
    return ids


def _probe(recipe: str, ids: Ids) -> Config | None:
    """Return a probe with the key that the recipe needs, or None if there are no ids for it."""
    users, items = ids.users[:1], list(dict.fromkeys(ids.items))[:RANKED_ITEMS]
    match PROBE_KEYS.get(recipe, "userId"):
        case "userId" if users:
            return {"userId": users[0]}
        case "itemId" if items:
            return {"itemId": items[0]}
        case "inputList" if users and items:
            return {"userId": users[0], "inputList": items}
    return None
