"""Derives a pipeline's config from the resources in an existing dataset group."""

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
from functions.rules.recipes import find_recipe
from functions.s3.exports import read_export
from retrain.account.errors import OperatorError
from retrain.names import short_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize.type_defs import DatasetImportJobTypeDef, SolutionTypeDef
    from mypy_boto3_s3 import S3Client

    from functions.rules.recipes import Recipe

Config = dict[str, Any]
DAY_PATTERN = re.compile(r"20[0-9]{2}([-/]?)[0-9]{2}\1[0-9]{2}(?![0-9])")
"""A date in an S3 location, such as 2026-11-29, 2026/11/29 or 20261129."""
PREFERRED_METRICS = (
    NDCG_AT_10,
    f"{MRR}_at_25",
    "precision_at_10",
    "average_rewards_at_k",
    "trend_prediction_accuracy",
    "coverage",
)
"""Metrics for a quality gate, in order of preference. A solution has only some of them."""
RANKED_ITEM_COUNT = 3
"""How many items a probe sends to a ranking campaign. The request needs at least one."""


class AdoptedGroup(NamedTuple):
    """A config that retrains the solutions of a dataset group, with notes for the operator."""

    config: Config
    notes: list[str]
    """What was left out or couldn't be determined, and what to change before the first run."""


class GroupConfigBuilder:
    """Builds a pipeline config for a dataset group.

    A method that leaves something out of the config also adds a note for the operator.
    """

    def __init__(self, client: PersonalizeClient, s3: S3Client, group_arn: str) -> None:
        self._client = client
        self._s3 = s3
        self._group_arn = group_arn
        self._notes: list[str] = []

    def build(self) -> AdoptedGroup:
        """Build the config, and return it with all notes.

        Raises OperatorError if the group doesn't exist, or if nothing was ever imported into it
        from S3, unless Personalize trains all solutions.
        """
        self._require_group()
        import_jobs = self._read_last_imports()
        solution_arns = self._choose_solutions()
        probe_values = self._read_probe_values(import_jobs.values())

        datasets = {key: self._build_dataset(key, job) for key, job in import_jobs.items()}
        solutions = [self._build_solution(arn, probe_values) for arn in solution_arns]
        if not datasets:
            self._require_automatic_training(solutions)

        config: Config = {
            **({"datasets": datasets} if datasets else {}),
            "solutions": solutions,
            **self._build_import_role(import_jobs.values()),
            "retrainingRate": "cron(0 3 ? * MON *)",
            "timezone": "UTC",
            "notifications": {"emails": []},
        }
        return AdoptedGroup(config, self._notes)

    def _require_group(self) -> None:
        """Raise OperatorError if the dataset group doesn't exist."""
        region, account = self._group_arn.split(":")[3:5]

        try:
            self._client.describe_dataset_group(datasetGroupArn=self._group_arn)
        except self._client.exceptions.ResourceNotFoundException as error:
            raise OperatorError(
                f"{self._group_arn} does not exist; `aws personalize list-dataset-groups --region "
                f"{region}` lists the groups of account {account} in {region}"
            ) from error

    def _read_last_imports(self) -> dict[str, DatasetImportJobTypeDef]:
        """Map the config key of each dataset to the dataset's last successful import job.

        Datasets without an import job are left out, because we don't know where their exports are.
        The keys are in the order of DatasetsArgs.
        """
        pages = self._client.get_paginator("list_datasets").paginate(
            datasetGroupArn=self._group_arn
        )
        # The ARN of a dataset ends with its type.
        arn_by_type = {
            dataset["datasetArn"].rpartition("/")[2]: dataset["datasetArn"]
            for page in pages
            for dataset in page["datasets"]
        }

        import_jobs = {}
        for key in list_config_keys(DatasetsArgs):
            dataset_arn = arn_by_type.get(to_dataset_type(key))
            if dataset_arn is None:
                continue

            job = self._read_last_import(dataset_arn)
            if job is not None:
                import_jobs[key] = job
            else:
                self._notes.append(
                    f"datasets.{key} is left out: nothing was ever imported into it from S3, so "
                    "its location is not known"
                )
        return import_jobs

    def _require_automatic_training(self, solutions: Sequence[Config]) -> None:
        """Raise OperatorError unless Personalize trains all solutions.

        Otherwise, runs would have to train, and we don't know from where to import the data.
        """
        trained_by = {solution.get("trainedBy") for solution in solutions}
        if trained_by != {"personalize"}:
            error = f"{self._group_arn} has no dataset that was imported from S3; import one first"
            raise OperatorError("; ".join([error, *self._notes]))

    def _read_last_import(self, dataset_arn: str) -> DatasetImportJobTypeDef | None:
        """Describe the last successful import job of a dataset, or return None if it has none."""
        jobs = list_import_jobs(self._client, dataset_arn)
        active_jobs = [job for job in jobs if is_active(job["status"])]
        if not active_jobs:
            return None

        # ListDatasetImportJobs returns neither the location nor the role.
        newest = max(active_jobs, key=itemgetter("lastUpdatedDateTime"))
        response = self._client.describe_dataset_import_job(
            datasetImportJobArn=newest["datasetImportJobArn"]
        )
        return response["datasetImportJob"]

    def _build_dataset(self, key: str, job: DatasetImportJobTypeDef) -> Config:
        """Build the settings of a dataset from its last import job.

        Add a note if the location contains a date, because the next export may have a new date.
        """
        location = job["dataSource"]["dataLocation"]
        if DAY_PATTERN.search(location):
            dated_location = DAY_PATTERN.sub(DATE_PLACEHOLDER, location)
            self._notes.append(
                f"datasets.{key}.dataLocation contains a date; if every export has its own, write "
                f"them to {dated_location}, which becomes a day like 2026-11-29"
            )

        mode = job.get("importMode", "FULL")
        return {"datasetArn": job["datasetArn"], "dataLocation": location, "importMode": mode}

    def _build_import_role(self, import_jobs: Iterable[DatasetImportJobTypeDef]) -> Config:
        """Build the import role setting if all jobs used the same role, or else return {}.

        Without this setting, the stack creates an import role itself.
        """
        # Ignore import jobs that a run created. Their role may belong to another stack, and be
        # deleted together with that stack.
        role_arns = {
            job["roleArn"]
            for job in import_jobs
            if RUN_TAG not in read_tags(self._client, job["datasetImportJobArn"])
        }
        if len(role_arns) != 1:
            return {}
        return {"importRoleArn": role_arns.pop()}

    def _choose_solutions(self) -> list[str]:
        """Choose all ACTIVE solutions, and return their ARNs. Add a note if there are none."""
        solution_arns = self._choose_active_arns("solution", datasetGroupArn=self._group_arn)

        if not solution_arns:
            self._notes.append(
                "there is no ACTIVE solution, so runs only import; Personalize itself retrains the "
                "recommenders of a Domain dataset group"
            )
        return solution_arns

    def _choose_active_arns(self, resource_type: str, **parent_arn: str) -> list[str]:
        """Return the ARNs of the ACTIVE solutions of a group, or campaigns of a solution, sorted.

        Add a note for each resource that isn't ACTIVE. `parent_arn` is the request's only field.
        """
        client: Any = self._client
        pages = client.get_paginator(f"list_{resource_type}s").paginate(**parent_arn)
        status_by_arn = {
            summary[f"{resource_type}Arn"]: summary["status"]
            for page in pages
            for summary in page[f"{resource_type}s"]
        }

        active_arns = []
        for arn, status in sorted(status_by_arn.items()):
            if is_active(status):
                active_arns.append(arn)
            else:
                self._notes.append(f"{resource_type} {short_name(arn)} is left out: it is {status}")
        return active_arns

    def _build_solution(self, solution_arn: str, probe_values: Config) -> Config:
        """Build the settings of a solution, with its campaigns, their probe, and a quality gate.

        Add a note if Personalize trains the solution automatically.
        """
        solution = self._client.describe_solution(solutionArn=solution_arn)["solution"]
        recipe = find_recipe(short_name(solution.get("recipeArn", "")))
        gate = self._build_gate(solution, recipe)
        campaigns = self._build_campaigns(solution, _choose_probe(recipe, probe_values))

        config: Config = {"solutionArn": solution_arn}
        if solution.get("performAutoTraining"):
            config["trainedBy"] = "personalize"
            self._notes.append(
                f"solution {solution['name']} has automatic training, so runs only judge and "
                "deploy what Personalize trains; to let runs train instead, remove trainedBy, and "
                "turn automatic training off with `aws personalize update-solution --solution-arn "
                f"{solution_arn} --no-perform-auto-training`"
            )
        if campaigns:
            config["campaigns"] = campaigns
        return {**config, **gate}

    def _build_gate(self, solution: SolutionTypeDef, recipe: Recipe | None) -> Config:
        """Build a quality gate for the first of PREFERRED_METRICS that the solution has.

        If the solution has none of these metrics, turn its quality gate off and add a note.
        """
        metrics = self._list_metrics(solution["solutionArn"], recipe)
        for metric in PREFERRED_METRICS:
            if metric in metrics:
                return {"qualityGate": [{"metric": metric, "maxDrop": DEFAULT_GATE[0].max_drop}]}

        self._notes.append(
            f"solution {solution['name']} has no quality gate, because its newest version has none "
            f"of the usual metrics; it has {', '.join(sorted(metrics)) or 'none'}"
        )
        return {"qualityGateEnabled": False}

    def _list_metrics(self, solution_arn: str, recipe: Recipe | None) -> Collection[str]:
        """List the newest ACTIVE version's metrics, or the recipe's if no version is ACTIVE."""
        # The versions are sorted, newest first.
        for version in list_versions(self._client, solution_arn):
            if is_active(version["status"]):
                return read_metrics(self._client, version["solutionVersionArn"])

        if recipe is None:
            return ()
        return recipe.metrics or ()

    def _build_campaigns(self, solution: SolutionTypeDef, probe: Config | None) -> list[Config]:
        """Build the settings of a solution's ACTIVE campaigns, all of them with the same probe.

        If `probe` is None, leave the probe out and add a note.
        """
        campaign_arns = self._choose_active_arns("campaign", solutionArn=solution["solutionArn"])
        if probe is not None:
            return [{"campaignArn": arn, "probe": probe} for arn in campaign_arns]

        if campaign_arns:
            self._notes.append(
                f"the campaigns of {solution['name']} have no probe, because no export could be "
                "read, or because no probe fits their recipe"
            )
        return [{"campaignArn": arn} for arn in campaign_arns]

    def _read_probe_values(self, import_jobs: Iterable[DatasetImportJobTypeDef]) -> Config:
        """Map each probe key to a value from the exports.

        If the exports can't be read, the values are empty.
        """
        user_ids: list[str] = []
        item_ids: list[str] = []
        # The interactions are read first, so the first user and the first item that we find are
        # ones with interactions.
        for job in import_jobs:
            export = read_export(self._s3, job["dataSource"]["dataLocation"])
            user_ids += export.count_values("USER_ID")
            item_ids += export.count_values("ITEM_ID")

        return {
            "userId": next(iter(user_ids), None),
            "itemId": next(iter(item_ids), None),
            "inputList": item_ids[:RANKED_ITEM_COUNT],
        }


def _choose_probe(recipe: Recipe | None, values: Config) -> Config | None:
    """Build a probe with the keys that a recipe requires, or with the optional keys if it has none.

    Returns None if a value is missing, or if we can't probe campaigns with this recipe.
    """
    if recipe is None or recipe.operation == "GetActionRecommendations":
        return None

    keys = recipe.required_keys or recipe.optional_keys
    probe = {key: values[key] for key in keys}
    if not all(probe.values()):
        return None
    return probe
