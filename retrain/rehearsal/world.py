"""Creates what a stack's settings name but do not create: files, a dataset group, IAM's roles."""

from __future__ import annotations

import json
import time
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3

from components.args import DatasetArgs, to_config
from components.rules.arns import to_dataset_type
from functions.constants import DATE_PLACEHOLDER
from functions.rules.recipes import FEATURES, RECIPES
from functions.s3.exports import split_location
from retrain.account.errors import OperatorError
from retrain.account.output import print_progress
from retrain.names import short_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mypy_boto3_personalize import PersonalizeClient

    from components.args import RetrainingPipelineArgs, SolutionArgs
    from emulator import Emulator
    from functions.rules.recipes import Recipe
    from functions.s3.exports import S3Location
    from retrain.rehearsal.data import Damage, RehearsalData, User

PERSONALIZE = "personalize.amazonaws.com"
FILE_ACTIONS = ("s3:GetObject", "s3:ListBucket", "s3:PutObject")
BATCH_USERS = 3
"""The lines in the input of a batch job."""
RECIPE_ARN_PREFIX = "arn:aws:personalize:::recipe/"
POPULARITY = "aws-popularity-count"
RANKING = "aws-personalized-ranking-v2"
RELATED_ITEMS = "aws-similar-items"
REHEARSED_RECIPES = (
    "aws-user-personalization-v2",
    "aws-user-personalization",
    RANKING,
    RELATED_ITEMS,
    POPULARITY,
    "aws-trending-now",
)
"""The recipes of solutions in a rehearsal, the best first. A solution has the first that fits."""
REQUEST_KEYS = {"userId", "itemId", "inputList"}
"""What a probe may ask about. Not every recipe knows each of them."""
US_EAST_1 = "us-east-1"
"""The only region that CreateBucket does not accept as a LocationConstraint."""
MAX_NAME_LENGTH = 63
"""The longest name in Personalize."""
DEADLINE_SECONDS = 300
"""A resource becomes ACTIVE in less time."""
POLL_SECONDS = 0.1


def find_location(url: object, day: date) -> S3Location:
    """Split the URL of a file or a folder, with a day in place of `{date}`."""
    return split_location(str(url).replace(DATE_PLACEHOLDER, str(day)))


class World:
    """The resources around a stack in the emulator.

    Every method raises OperatorError if a resource fails, and ClientError if the emulator refuses a
    request.
    """

    def __init__(
        self, emulator: Emulator, args: RetrainingPipelineArgs, data: RehearsalData
    ) -> None:
        self.emulator = emulator
        self.args = args
        self.data = data
        self.personalize: PersonalizeClient = boto3.client("personalize", **emulator.connection)
        self.iam = boto3.client("iam", **emulator.connection)
        self.s3 = boto3.client("s3", **emulator.connection)

        # The name of the dataset group is in the ARN of every dataset.
        self.group = args.first_dataset_arn.split("/")[1]
        arn_prefix = f"arn:aws:personalize:{emulator.region}:{emulator.account}"
        self.group_arn = f"{arn_prefix}:dataset-group/{self.group}"

        self.datasets = self._list_datasets(f"{arn_prefix}:dataset/{self.group}/INTERACTIONS")
        """Type of each dataset -> its settings."""
        self._upload_count = 0
        """The number of newer exports that have been written."""

    def _list_datasets(self, interactions_arn: str) -> dict[str, DatasetArgs]:
        """List the stack's datasets. Without interactions, Personalize could not train."""
        configured = self.args.datasets.configured()
        datasets = {to_dataset_type(key): dataset for key, dataset in configured.items()}

        if "INTERACTIONS" not in datasets:
            datasets["INTERACTIONS"] = DatasetArgs(
                dataset_arn=interactions_arn,
                # Only the rehearsal uses this location.
                data_location="s3://rehearsal-interactions/interactions.csv",
            )
        return datasets

    def create(self) -> None:
        """Create everything, and train a first version of each solution."""
        print_progress("writing exports to S3")
        yesterday = today() - timedelta(days=1)
        self._upload(yesterday, self.data.older)
        import_role_arn = self._create_roles()

        print_progress("creating the dataset group and its datasets")
        self._create_dataset_group()

        print_progress("importing the datasets for the first time")
        self._import(yesterday, import_role_arn)

        if self.args.solutions:
            print_progress("training the first solution versions, and creating the campaigns")
            self._create_solutions()

    def write_newer_exports(self, day: date, damage: Damage = "none") -> None:
        """Upload the next export of each dataset to where the stack expects it on a day.

        Each differs from the one before, because a run skips an export that has not changed.
        `damage` breaks the interactions in a way that the pipeline is supposed to notice.
        """
        exports = {
            dataset_type: self.data.build_export(
                dataset_type,
                # An INCREMENTAL import appends, so older rows would be in the dataset twice.
                only_new_rows=dataset.import_mode == "INCREMENTAL",
                # In another order, the same rows make another file.
                rotate_by=self._upload_count,
                damage=damage,
            )
            for dataset_type, dataset in self.datasets.items()
        }
        self._upload(day, exports)
        self._upload_count += 1

    def delete_user(self, user_id: str) -> None:
        """Start a data deletion job, which deletes a user from the dataset group."""
        name = "rehearsal-deletion"
        self._create_bucket(name)
        self.s3.put_object(Bucket=name, Key="users.csv", Body=f"USER_ID\n{user_id}\n".encode())
        self.personalize.create_data_deletion_job(
            jobName=name,
            datasetGroupArn=self.group_arn,
            dataSource={"dataLocation": f"s3://{name}/users.csv"},
            roleArn=self._create_role(f"/{name}"),
        )

    def _upload(self, day: date, exports: Mapping[str, bytes]) -> None:
        """Upload what a run reads on a day, to buckets that also have room for what it writes."""
        files = self._build_files(day, exports)
        jobs = [job for solution in self.args.solutions for job in solution.batch_jobs]
        outputs = [find_location(job.output, day) for job in jobs]
        self._create_missing_buckets([*files, *outputs])

        for (bucket, key), content in files.items():
            file_key = f"{key}part-0.csv" if key.endswith("/") else key
            self.s3.put_object(Bucket=bucket, Key=file_key, Body=content)

    def _build_files(self, day: date, exports: Mapping[str, bytes]) -> dict[S3Location, bytes]:
        """Build the inputs of batch jobs, the exports and their markers.

        The markers are last, because a marker says that its export is complete.
        """
        files = {}
        for solution in self.args.solutions:
            for job in solution.batch_jobs:
                files[find_location(job.input, day)] = self._build_batch_input(solution)

        for dataset_type, dataset in self.datasets.items():
            files[find_location(dataset.data_location, day)] = exports[dataset_type]

        for dataset in self.datasets.values():
            if dataset.ready_marker:
                files[find_location(dataset.ready_marker, day)] = b""
        return files

    def _build_batch_input(self, solution: SolutionArgs) -> bytes:
        """Build the input of a solution's batch jobs, with a line for each of a few users."""
        recipe = choose_recipe(solution)
        users = self.data.list_typical_users()[:BATCH_USERS]
        lines = [json.dumps(build_query(user, recipe)) for user in users]
        return "".join(f"{line}\n" for line in lines).encode()

    def _create_missing_buckets(self, locations: Iterable[S3Location]) -> None:
        existing = {bucket["Name"] for bucket in self.s3.list_buckets()["Buckets"]}
        needed = {location.bucket for location in locations}
        for bucket in sorted(needed - existing):
            self._create_bucket(bucket)

    def _create_bucket(self, bucket: str) -> None:
        """Create a bucket that Personalize may use. Its policy is the policy of the guide."""
        request: dict[str, Any] = {"Bucket": bucket}
        region = self.emulator.region
        if region != US_EAST_1:
            request["CreateBucketConfiguration"] = {"LocationConstraint": region}
        self.s3.create_bucket(**request)

        policy = build_policy(
            Principal={"Service": PERSONALIZE},
            Action=FILE_ACTIONS,
            Resource=[f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
        )
        self.s3.put_bucket_policy(Bucket=bucket, Policy=policy)

    def _create_roles(self) -> str:
        """Create the roles and the boundary that the settings name. Return the import role's ARN.

        Without a setting, the role is named after the dataset group.
        """
        default_role = f"role/rehearsal-import-{self.group}"[:MAX_NAME_LENGTH]
        import_role_arn = self._create_role(str(self.args.import_role_arn or default_role))

        if self.args.batch_role_arn not in (None, self.args.import_role_arn):
            self._create_role(str(self.args.batch_role_arn))

        # The policies of AWS itself have no account in their ARNs.
        boundary_arn = str(self.args.permissions_boundary_arn)
        if boundary_arn.startswith(f"arn:aws:iam::{self.emulator.account}:"):
            path, name = _split_iam_arn(boundary_arn)
            policy = build_policy(Action="*", Resource="*")
            self.iam.create_policy(Path=path, PolicyName=name, PolicyDocument=policy)

        return import_role_arn

    def _create_role(self, arn: str) -> str:
        """Create a role with which Personalize may use every bucket. Return its ARN."""
        path, name = _split_iam_arn(arn)
        trust_policy = build_policy(Principal={"Service": PERSONALIZE}, Action="sts:AssumeRole")
        role = self.iam.create_role(Path=path, RoleName=name, AssumeRolePolicyDocument=trust_policy)

        # Each bucket's own policy says which files Personalize may use.
        policy = build_policy(Action=FILE_ACTIONS, Resource="*")
        self.iam.put_role_policy(RoleName=name, PolicyName="files", PolicyDocument=policy)
        return role["Role"]["Arn"]

    def _create_dataset_group(self) -> None:
        """Create the dataset group with its schemas and datasets."""
        personalize = self.personalize
        personalize.create_dataset_group(name=self.group)
        wait_until_active(personalize.describe_dataset_group, "datasetGroup", self.group_arn)

        for dataset_type in self.datasets:
            name = self._build_name(dataset_type)
            schema = personalize.create_schema(name=name, schema=self.data.schemas[dataset_type])
            personalize.create_dataset(
                name=name,
                schemaArn=schema["schemaArn"],
                datasetGroupArn=self.group_arn,
                datasetType=dataset_type.title(),
            )
        dataset_arns = [str(dataset.dataset_arn) for dataset in self.datasets.values()]
        wait_until_active(personalize.describe_dataset, "dataset", *dataset_arns)

    def _import(self, day: date, role_arn: str) -> None:
        """Import the exports of a day, and wait until the import jobs are ACTIVE."""
        job_arns = []
        for dataset_type, dataset in self.datasets.items():
            location = str(dataset.data_location).replace(DATE_PLACEHOLDER, str(day))
            job = self.personalize.create_dataset_import_job(
                jobName=self._build_name(f"first-{dataset_type}"),
                datasetArn=str(dataset.dataset_arn),
                dataSource={"dataLocation": location},
                roleArn=role_arn,
                importMode="FULL",
            )
            job_arns.append(job["datasetImportJobArn"])

        describe = self.personalize.describe_dataset_import_job
        wait_until_active(describe, "datasetImportJob", *job_arns)

    def _create_solutions(self) -> None:
        """Create each solution with a version, and the campaigns, which serve these versions."""
        personalize = self.personalize
        recipes = self._choose_recipes()
        for solution_arn, recipe in recipes.items():
            personalize.create_solution(
                name=short_name(solution_arn),
                datasetGroupArn=self.group_arn,
                recipeArn=f"{RECIPE_ARN_PREFIX}{recipe}",
                performAutoTraining=False,
            )
        wait_until_active(personalize.describe_solution, "solution", *recipes)

        version_arns = {}
        for solution_arn in recipes:
            version = personalize.create_solution_version(
                solutionArn=solution_arn, trainingMode="FULL"
            )
            version_arns[solution_arn] = version["solutionVersionArn"]
        describe_version = personalize.describe_solution_version
        wait_until_active(describe_version, "solutionVersion", *version_arns.values())

        self._create_campaigns(version_arns)

    def _choose_recipes(self) -> dict[str, str]:
        """Choose the recipe of each solution. One that a gate compares with is a baseline."""
        solutions = self.args.solutions
        rules = [rule for solution in solutions for rule in solution.quality_gate]
        baseline_arns = {str(rule.relative_to) for rule in rules}

        recipes = {str(solution.solution_arn): choose_recipe(solution) for solution in solutions}
        return recipes | {arn: POPULARITY for arn in recipes if arn in baseline_arns}

    def _create_campaigns(self, version_arns: Mapping[str, str]) -> None:
        """Create the campaigns. `version_arns` has the version of each solution."""
        campaign_arns = []
        for solution in self.args.solutions:
            for campaign in solution.campaigns:
                response = self.personalize.create_campaign(
                    name=short_name(str(campaign.campaign_arn)),
                    solutionVersionArn=version_arns[str(solution.solution_arn)],
                    minProvisionedTPS=1,
                )
                campaign_arns.append(response["campaignArn"])

        wait_until_active(self.personalize.describe_campaign, "campaign", *campaign_arns)

    def _build_name(self, prefix: str) -> str:
        """Name a resource after the dataset group."""
        name_prefix = prefix.lower().replace("_", "-")
        return f"{name_prefix}-{self.group}"[:MAX_NAME_LENGTH]


def _split_iam_arn(arn: str) -> tuple[str, str]:
    """Split the ARN of a role or a policy into the path and the name with which to create it."""
    path, _, name = arn[arn.index("/") :].rpartition("/")
    return f"{path}/", name


def choose_recipe(solution: SolutionArgs) -> str:
    """Choose a recipe that supports the settings of a solution, if there is one.

    The settings only name the solution, which normally exists before the stack.
    """
    for recipe_name in REHEARSED_RECIPES:
        if _supports(RECIPES[recipe_name], solution):
            return recipe_name
    return REHEARSED_RECIPES[0]


def _supports(recipe: Recipe, solution: SolutionArgs) -> bool:
    """Return True if a recipe has the features, the requests and the metrics of a solution."""
    config = to_config(solution, keep_none=False)
    batch_jobs = config["batchJobs"]

    settings = {key for job in batch_jobs for key in job}
    settings.add(f"trainingMode {config['trainingMode']}")
    if not settings & FEATURES <= {*recipe.features}:
        return False
    if batch_jobs and not recipe.batch_line_keys:
        return False

    for campaign in config["campaigns"]:
        probe = campaign.get("probe")
        if probe and not recipe.accepts_request_keys(REQUEST_KEYS & probe.keys()):
            return False
    return not any(recipe.lacks_metric(rule["metric"]) for rule in config["qualityGate"])


def build_query(user: User, recipe: str) -> dict[str, Any]:
    """Build what a recipe is asked about a user, as a line in the input of a batch job."""
    if recipe == RELATED_ITEMS:
        return {"itemId": user.item_ids[0]}
    if recipe == RANKING:
        return {"userId": user.id, "itemList": user.item_ids}
    return {"userId": user.id}


def wait_until_active(describe: Callable[..., Mapping[str, Any]], key: str, *arns: str) -> None:
    """Wait until resources of Personalize are ACTIVE.

    `describe` is the client's method that describes a resource, and `key` is the key of the
    resource in the response. Raises OperatorError if a resource fails or is not ACTIVE in time.
    """
    deadline = time.monotonic() + DEADLINE_SECONDS
    for arn in arns:
        while not _is_active(describe(**{f"{key}Arn": arn})[key], arn, deadline):
            time.sleep(POLL_SECONDS)


def _is_active(resource: Mapping[str, Any], arn: str, deadline: float) -> bool:
    """Return True if a resource is ACTIVE. Raise OperatorError if it won't be, or not in time."""
    status = resource["status"]
    if status.endswith("FAILED") or (status != "ACTIVE" and time.monotonic() > deadline):
        late = f"not ACTIVE after {DEADLINE_SECONDS} seconds"
        raise OperatorError(f"{arn}: {status}: {resource.get('failureReason', late)}")
    return bool(status == "ACTIVE")


def build_policy(**statement: object) -> str:
    """Build a policy in JSON that allows what the statement describes."""
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})


def today() -> date:
    """Return the day in UTC."""
    return datetime.now(UTC).date()
