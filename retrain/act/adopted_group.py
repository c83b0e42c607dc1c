"""Makes a pipeline's config of what Personalize knows about a dataset group."""

from __future__ import annotations

import re
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from components.args import DEFAULT_GATE, DatasetsArgs, list_config_keys
from components.rules.arns import to_dataset_type
from components.rules.single_settings import NDCG_AT_10
from functions.constants import DATE_PLACEHOLDER, MRR
from functions.personalize.imports import list_import_jobs
from functions.personalize.statuses import is_active
from functions.personalize.tags import RUN_TAG, read_tags
from functions.personalize.trainings import list_versions, read_metrics
from functions.rules.recipes import advise_on_automatic_training, find_recipe
from functions.s3.exports import read_export
from retrain.account.errors import OperatorError
from retrain.names import short_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize.type_defs import DatasetImportJobTypeDef, SolutionTypeDef
    from mypy_boto3_s3 import S3Client

    from functions.rules.recipes import Recipe

Config = dict[str, Any]
Ids = dict[str, list[str]]
"""Column -> the users or the items of the exports, with which a probe asks for recommendations."""
DAY = re.compile(r"20[0-9]{2}([-/]?)[0-9]{2}\1[0-9]{2}(?![0-9])")
"""A date in a location, in the form of `{date}` or in another one."""
GATE_METRICS = (
    *(NDCG_AT_10, f"{MRR}_at_25", "precision_at_10"),
    *("average_rewards_at_k", "trend_prediction_accuracy", "coverage"),
)
"""The metrics for a quality gate, the best first. A solution has some of them."""
RANKED_ITEMS = 3
"""The number of items that a probe of a ranking sends. A probe needs at least one."""


class Adopted(NamedTuple):
    """A config that retrains what is in a dataset group."""

    config: Config
    notes: list[str]
    """What was left out or not found out, and what should be changed before the first run."""


def adopt_group(client: PersonalizeClient, s3: S3Client, group_arn: str) -> Adopted:
    """Return a pipeline's config for a dataset group. Raise OperatorError if it cannot have one."""
    region, account = group_arn.split(":")[3:5]
    try:
        group = client.describe_dataset_group(datasetGroupArn=group_arn)["datasetGroup"]
    except client.exceptions.ResourceNotFoundException as error:
        raise OperatorError(
            f"{group_arn} does not exist; `aws personalize list-dataset-groups --region {region}` "
            f"lists the groups of account {account} in {region}"
        ) from error
    if not is_active(group["status"]):
        raise OperatorError(f"{group_arn} is {group['status']}; name a group that is ACTIVE")
    is_domain = "domain" in group
    own = "Personalize retrains the recommenders of a Domain dataset group itself"
    notes = [own] if is_domain else []
    imports = _last_imports(client, group_arn, notes)
    pages = client.get_paginator("list_solutions").paginate(datasetGroupArn=group_arn)
    listed = [solution for page in pages for solution in page["solutions"]]
    arns = _active_arns(listed, "solutionArn", notes)
    if not (arns or is_domain) or not imports:
        lacks = "dataset that was imported from S3" if arns or is_domain else "ACTIVE solution"
        reasons = [f"{group_arn} has no {lacks}; create one first", *notes]
        raise OperatorError("; ".join(reasons))
    ids = _ids(s3, [job["dataSource"]["dataLocation"] for job in imports.values()])
    solutions = [client.describe_solution(solutionArn=arn)["solution"] for arn in arns]
    roles = {
        job["roleArn"]
        for job in imports.values()
        if RUN_TAG not in read_tags(client, job["datasetImportJobArn"])
    }
    return Adopted(
        {
            "datasets": {key: _dataset(key, job, notes) for key, job in imports.items()},
            "solutions": [_solution(client, solution, ids, notes) for solution in solutions],
            # A role that only runs have used may go when its stack is destroyed.
            **({"importRoleArn": roles.pop()} if len(roles) == 1 else {}),
            "retrainingRate": "cron(0 3 ? * MON *)",
            "timezone": "UTC",
            "notifications": {"emails": []},
        },
        notes,
    )


def _active_arns(listed: Iterable[Any], key: str, notes: list[str]) -> list[str]:
    """Return the ARNs of the ACTIVE resources in a list, sorted. Add a note for each other one."""
    resources = sorted(listed, key=itemgetter(key))
    notes += [
        f"{key.removesuffix('Arn')} {short_name(item[key])} is left out: it is {item['status']}"
        for item in resources
        if not is_active(item["status"])
    ]
    return [item[key] for item in resources if is_active(item["status"])]


def _last_imports(
    client: PersonalizeClient, group_arn: str, notes: list[str]
) -> dict[str, DatasetImportJobTypeDef]:
    """Return the newest ACTIVE import job of each dataset, by the dataset's key in the config."""
    pages = client.get_paginator("list_datasets").paginate(datasetGroupArn=group_arn)
    arns = [dataset["datasetArn"] for page in pages for dataset in page["datasets"]]
    imports = {}
    for key in list_config_keys(DatasetsArgs):
        for dataset in (arn for arn in arns if arn.endswith(f"/{to_dataset_type(key)}")):
            jobs = [job for job in list_import_jobs(client, dataset) if is_active(job["status"])]
            if not jobs:
                notes.append(
                    f"datasets.{key} is left out: nothing was ever imported into it from S3, so "
                    "its location is not known"
                )
                continue
            newest = max(jobs, key=itemgetter("lastUpdatedDateTime"))["datasetImportJobArn"]
            described = client.describe_dataset_import_job(datasetImportJobArn=newest)
            imports[key] = described["datasetImportJob"]
    return imports


def _dataset(key: str, job: DatasetImportJobTypeDef, notes: list[str]) -> Config:
    """Return the config of a dataset, with the location and the mode of its last import."""
    location = job["dataSource"]["dataLocation"]
    if DAY.search(location):
        notes.append(
            f"datasets.{key}.dataLocation contains a date; if every export has its own, write them "
            f"to {DAY.sub(DATE_PLACEHOLDER, location)}, which becomes a day like 2026-11-29"
        )
    mode = job.get("importMode", "FULL")
    return {"datasetArn": job["datasetArn"], "dataLocation": location, "importMode": mode}


def _solution(
    client: PersonalizeClient, solution: SolutionTypeDef, ids: Ids, notes: list[str]
) -> Config:
    """Return the config of a solution with its campaigns, and a gate for a metric that it has."""
    arn, name = solution["solutionArn"], solution["name"]
    recipe_name = short_name(solution.get("recipeArn", ""))
    if solution.get("performAutoTraining"):
        # Without a schedule in its configuration, it trains every 7 days:
        # https://docs.aws.amazon.com/personalize/latest/dg/solution-config-auto-training.html
        schedule = solution.get("solutionConfig", {}).get("autoTrainingConfig", {})
        rate = schedule.get("schedulingExpression", "rate(7 days)")
        notes.append(
            f"solution {name} also trains automatically, {rate}, which is paid for twice; "
            f"{advise_on_automatic_training(recipe_name)}: "
            f"`aws personalize update-solution --solution-arn {arn} --no-perform-auto-training`"
        )
    active = (version for version in list_versions(client, arn) if is_active(version["status"]))
    newest = next((version["solutionVersionArn"] for version in active), None)
    recipe = find_recipe(recipe_name)
    metrics: Collection[str] = (recipe and recipe.metrics) or ()
    if newest:
        metrics = read_metrics(client, newest)
    metric = next((known for known in GATE_METRICS if known in metrics), None)
    if metric is None:
        notes.append(
            f"solution {name} has no quality gate, because its newest version has none of the "
            f"usual metrics; it has {', '.join(sorted(metrics)) or 'none'}"
        )
    pages = client.get_paginator("list_campaigns").paginate(solutionArn=arn)
    listed = [campaign for page in pages for campaign in page["campaigns"]]
    campaigns: list[Config] = [
        {"campaignArn": campaign} for campaign in _active_arns(listed, "campaignArn", notes)
    ]
    if probe := _probe(recipe, ids):
        campaigns = [{**campaign, "probe": probe} for campaign in campaigns]
    elif campaigns:
        notes.append(
            f"the campaigns of {name} have no probe, because no export could be read, or their "
            "recipe answers none"
        )
    gate = [{"metric": metric, "maxDrop": DEFAULT_GATE[0].max_drop}]
    return {
        "solutionArn": arn,
        **({"campaigns": campaigns} if campaigns else {}),
        **({"qualityGate": gate} if metric else {"qualityGateEnabled": False}),
    }


def _ids(s3: S3Client, locations: Iterable[str]) -> Ids:
    """Return the ids in the samples of the exports, as far as they can be read.

    The location of the interactions comes first, so users and items with interactions are found.
    """
    ids: Ids = {"USER_ID": [], "ITEM_ID": []}
    for sample in (sample for place in locations for sample in read_export(s3, place).samples):
        for column in ids.keys() & set(sample.header):
            position = sample.header.index(column)
            ids[column] += filter(None, (row.values[position] for row in sample.rows))
    return ids


def _probe(recipe: Recipe | None, ids: Ids) -> Config | None:
    """Return a probe with the keys that the recipe takes, or None if there are no ids for it."""
    if recipe is None or recipe.operation == "GetActionRecommendations":
        return None

    users, items = ids["USER_ID"][:1], list(dict.fromkeys(ids["ITEM_ID"]))[:RANKED_ITEMS]
    samples: Config = {"inputList": items}
    samples |= {key: found[0] for key, found in (("userId", users), ("itemId", items)) if found}
    probe = {key: samples.get(key) for key in recipe.required_keys or recipe.optional_keys}
    return probe if all(probe.values()) else None
