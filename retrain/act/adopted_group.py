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
    from collections.abc import Collection, Iterable, Iterator

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
    """Turn a dataset group into a pipeline's config. Raise OperatorError if it can't have one."""
    is_domain = _check_group(client, group_arn)
    notes: list[str] = []
    if is_domain:
        notes.append("Personalize retrains the recommenders of a Domain dataset group itself")

    import_jobs = _read_last_imports(client, group_arn, notes)
    pages = client.get_paginator("list_solutions").paginate(datasetGroupArn=group_arn)
    listed = [solution for page in pages for solution in page["solutions"]]
    solution_arns = _list_active_arns(listed, "solutionArn", notes)

    # A Domain dataset group need not have solutions, because recommenders don't use them.
    if not solution_arns and not is_domain:
        raise _lack_error(group_arn, "ACTIVE solution", notes)
    if not import_jobs:
        raise _lack_error(group_arn, "dataset that was imported from S3", notes)

    ids = _read_ids(s3, [job["dataSource"]["dataLocation"] for job in import_jobs.values()])
    config: Config = {
        "datasets": {key: _adopt_dataset(key, job, notes) for key, job in import_jobs.items()},
        "solutions": [_adopt_solution(client, arn, ids, notes) for arn in solution_arns],
        **_find_import_role(client, import_jobs.values()),
        "retrainingRate": "cron(0 3 ? * MON *)",
        "timezone": "UTC",
        "notifications": {"emails": []},
    }
    return Adopted(config, notes)


def _check_group(client: PersonalizeClient, group_arn: str) -> bool:
    """Reject a dataset group that is missing or isn't ready. Return True for a Domain group."""
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
    return "domain" in group


def _lack_error(group_arn: str, what: str, notes: Iterable[str]) -> OperatorError:
    return OperatorError("; ".join([f"{group_arn} has no {what}; create one first", *notes]))


def _find_import_role(
    client: PersonalizeClient, import_jobs: Iterable[DatasetImportJobTypeDef]
) -> Config:
    """Find the role with which all imports have read the exports, if there's a single one."""
    roles = set()
    for job in import_jobs:
        # A role that only runs have used may go when its stack is destroyed.
        if RUN_TAG not in read_tags(client, job["datasetImportJobArn"]):
            roles.add(job["roleArn"])

    if len(roles) != 1:
        return {}
    return {"importRoleArn": roles.pop()}


def _list_active_arns(listed: Iterable[Any], arn_key: str, notes: list[str]) -> list[str]:
    """List the ARNs of the ACTIVE resources, sorted, with a note for each resource left out."""
    kind = arn_key.removesuffix("Arn")
    active_arns = []
    for resource in sorted(listed, key=itemgetter(arn_key)):
        arn = resource[arn_key]
        if is_active(resource["status"]):
            active_arns.append(arn)
        else:
            notes.append(f"{kind} {short_name(arn)} is left out: it is {resource['status']}")

    return active_arns


def _read_last_imports(
    client: PersonalizeClient, group_arn: str, notes: list[str]
) -> dict[str, DatasetImportJobTypeDef]:
    """Read the newest ACTIVE import job of each dataset, by the dataset's key in the config."""
    pages = client.get_paginator("list_datasets").paginate(datasetGroupArn=group_arn)
    dataset_arns = [dataset["datasetArn"] for page in pages for dataset in page["datasets"]]

    import_jobs = {}
    for key in list_config_keys(DatasetsArgs):
        for dataset_arn in dataset_arns:
            if not dataset_arn.endswith(f"/{to_dataset_type(key)}"):
                continue

            job = _read_last_import(client, dataset_arn)
            if job is None:
                notes.append(
                    f"datasets.{key} is left out: nothing was ever imported into it from S3, so "
                    "its location is not known"
                )
            else:
                import_jobs[key] = job
    return import_jobs


def _read_last_import(
    client: PersonalizeClient, dataset_arn: str
) -> DatasetImportJobTypeDef | None:
    jobs = [job for job in list_import_jobs(client, dataset_arn) if is_active(job["status"])]
    if not jobs:
        return None

    # The list has neither the location nor the role of a job.
    newest_arn = max(jobs, key=itemgetter("lastUpdatedDateTime"))["datasetImportJobArn"]
    response = client.describe_dataset_import_job(datasetImportJobArn=newest_arn)
    return response["datasetImportJob"]


def _adopt_dataset(key: str, job: DatasetImportJobTypeDef, notes: list[str]) -> Config:
    """Configure a dataset with the location and the mode of its last import."""
    location = job["dataSource"]["dataLocation"]
    if DAY.search(location):
        notes.append(
            f"datasets.{key}.dataLocation contains a date; if every export has its own, write them "
            f"to {DAY.sub(DATE_PLACEHOLDER, location)}, which becomes a day like 2026-11-29"
        )
    mode = job.get("importMode", "FULL")
    return {"datasetArn": job["datasetArn"], "dataLocation": location, "importMode": mode}


def _adopt_solution(
    client: PersonalizeClient, solution_arn: str, ids: Ids, notes: list[str]
) -> Config:
    """Configure a solution with its campaigns, and a gate for a metric that it has."""
    solution = client.describe_solution(solutionArn=solution_arn)["solution"]
    notes += _warn_of_automatic_training(solution)
    recipe = find_recipe(short_name(solution.get("recipeArn", "")))

    config: Config = {"solutionArn": solution_arn}
    gate = _choose_gate(client, solution, recipe, notes)
    campaigns = _adopt_campaigns(client, solution, _choose_probe(recipe, ids), notes)
    if campaigns:
        config["campaigns"] = campaigns
    return {**config, **gate}


def _warn_of_automatic_training(solution: SolutionTypeDef) -> Iterator[str]:
    """Yield a note for a solution that Personalize trains, too, because both are paid for."""
    if not solution.get("performAutoTraining"):
        return

    # Without a schedule in its configuration, it trains every 7 days:
    # https://docs.aws.amazon.com/personalize/latest/dg/solution-config-auto-training.html
    schedule = solution.get("solutionConfig", {}).get("autoTrainingConfig", {})
    rate = schedule.get("schedulingExpression", "rate(7 days)")
    recipe_name = short_name(solution.get("recipeArn", ""))
    yield (
        f"solution {solution['name']} also trains automatically, {rate}, which is paid for twice; "
        f"{advise_on_automatic_training(recipe_name)}: `aws personalize update-solution "
        f"--solution-arn {solution['solutionArn']} --no-perform-auto-training`"
    )


def _choose_gate(
    client: PersonalizeClient, solution: SolutionTypeDef, recipe: Recipe | None, notes: list[str]
) -> Config:
    """Choose the metric of the quality gate: the best one that the newest version has."""
    metrics: Collection[str] = ()
    if recipe is not None and recipe.metrics is not None:
        metrics = recipe.metrics
    # The versions are sorted, newest first.
    for version in list_versions(client, solution["solutionArn"]):
        if is_active(version["status"]):
            metrics = read_metrics(client, version["solutionVersionArn"])
            break

    for metric in GATE_METRICS:
        if metric in metrics:
            return {"qualityGate": [{"metric": metric, "maxDrop": DEFAULT_GATE[0].max_drop}]}

    notes.append(
        f"solution {solution['name']} has no quality gate, because its newest version has none of "
        f"the usual metrics; it has {', '.join(sorted(metrics)) or 'none'}"
    )
    return {"qualityGateEnabled": False}


def _adopt_campaigns(
    client: PersonalizeClient,
    solution: SolutionTypeDef,
    probe: Config | None,
    notes: list[str],
) -> list[Config]:
    """Configure the campaigns of a solution, with the same probe for each of them."""
    pages = client.get_paginator("list_campaigns").paginate(solutionArn=solution["solutionArn"])
    listed = [campaign for page in pages for campaign in page["campaigns"]]
    campaign_arns = _list_active_arns(listed, "campaignArn", notes)

    if probe is not None:
        return [{"campaignArn": arn, "probe": probe} for arn in campaign_arns]
    if campaign_arns:
        notes.append(
            f"the campaigns of {solution['name']} have no probe, because no export could be read, "
            "or their recipe answers none"
        )
    return [{"campaignArn": arn} for arn in campaign_arns]


def _read_ids(s3: S3Client, locations: Iterable[str]) -> Ids:
    """Read the ids in the samples of the exports, as far as we may read them.

    The location of the interactions comes first, so users and items with interactions are found.
    """
    ids: Ids = {"USER_ID": [], "ITEM_ID": []}
    for location in locations:
        for sample in read_export(s3, location).samples:
            for column in ids.keys() & set(sample.header):
                position = sample.header.index(column)
                ids[column] += filter(None, (row.values[position] for row in sample.rows))
    return ids


def _choose_probe(recipe: Recipe | None, ids: Ids) -> Config | None:
    """Choose the request of a probe: ids for the keys that the recipe takes.

    Return None if there are no ids for one of them.
    """
    if recipe is None or recipe.operation == "GetActionRecommendations":
        return None

    item_ids = list(dict.fromkeys(ids["ITEM_ID"]))
    samples: Config = {"inputList": item_ids[:RANKED_ITEMS]}
    if ids["USER_ID"]:
        samples["userId"] = ids["USER_ID"][0]
    if item_ids:
        samples["itemId"] = item_ids[0]

    probe = {key: samples.get(key) for key in recipe.required_keys or recipe.optional_keys}
    return probe if all(probe.values()) else None
