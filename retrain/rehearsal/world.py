"""Creates what a stack's settings name but do not create: files, a dataset group, IAM's roles."""

from __future__ import annotations

import json
import time
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import boto3

from components.args import DatasetArgs, to_config
from components.rules.arns import to_dataset_type as type_of_key
from functions.constants import DATE_PLACEHOLDER
from functions.rules.recipes import FEATURES, RECIPES
from retrain.account.errors import OperatorError
from retrain.account.output import print_progress
from retrain.names import short_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_personalize import PersonalizeClient

    from components.args import RetrainingPipelineArgs, SolutionArgs
    from emulator import Emulator
    from retrain.rehearsal.data import Data, Spoiling, User

PERSONALIZE = "personalize.amazonaws.com"
FILE_ACTIONS = ("s3:GetObject", "s3:ListBucket", "s3:PutObject")
BATCH_USERS = 3
"""The lines in the input of a batch job."""
RECIPE_ARNS = "arn:aws:personalize:::recipe/"
POPULARITY = "aws-popularity-count"
RANKING = "aws-personalized-ranking-v2"
RELATED_ITEMS = "aws-similar-items"
REHEARSED = (
    *("aws-user-personalization-v2", "aws-user-personalization", RANKING, RELATED_ITEMS),
    *(POPULARITY, "aws-trending-now"),
)
"""The recipes of solutions in a rehearsal, the best first. A solution has the first that fits."""
IDS = {"userId", "itemId", "inputList"}
US_EAST_1 = "us-east-1"
"""The only region that CreateBucket does not accept as a LocationConstraint."""
MAX_NAME_LENGTH = 63
"""The longest name in Personalize."""
DEADLINE_SECONDS = 300
"""A resource becomes ACTIVE in less time."""
POLL_SECONDS = 0.1


class Location(NamedTuple):
    """A bucket, and the key of an object or of a folder, which ends in `/`."""

    bucket: str
    key: str

    @classmethod
    def of(cls, url: object, day: date) -> Location:
        """Return the location that `s3://bucket/key` names, with a day in place of `{date}`."""
        bucket, _, key = (
            str(url).replace(DATE_PLACEHOLDER, str(day)).removeprefix("s3://").partition("/")
        )
        return cls(bucket, key)


class World:
    """The resources around a stack in the emulator.

    Every method raises OperatorError if a resource fails, and ClientError if the emulator refuses a
    request.
    """

    def __init__(self, emulator: Emulator, args: RetrainingPipelineArgs, data: Data) -> None:
        self.emulator, self.args, self.data = emulator, args, data
        self.personalize: PersonalizeClient = boto3.client("personalize", **emulator.connection)
        self.iam = boto3.client("iam", **emulator.connection)
        self.s3 = boto3.client("s3", **emulator.connection)
        configured = args.datasets.configured()
        self.datasets = {type_of_key(key): dataset for key, dataset in configured.items()}
        """Type of each dataset -> its settings."""
        self.group = str(next(iter(self.datasets.values())).dataset_arn).split("/")[1]
        """The name of the dataset group, which is in the ARN of every dataset."""
        home = f"arn:aws:personalize:{emulator.region}:{emulator.account}"
        self.group_arn = f"{home}:dataset-group/{self.group}"
        if "INTERACTIONS" not in self.datasets:
            # Personalize cannot train without them. Only the rehearsal uses this location.
            self.datasets["INTERACTIONS"] = DatasetArgs(
                dataset_arn=f"{home}:dataset/{self.group}/INTERACTIONS",
                data_location="s3://rehearsal-interactions/interactions.csv",
            )
        self._written = 0
        """The number of newer exports that have been written."""

    def create(self) -> None:
        """Create everything, and train a first version of each solution."""
        print_progress("writing exports to S3")
        yesterday = datetime.now(UTC).date() - timedelta(days=1)
        self._write(yesterday, self.data.older)
        # The settings may name the roles. The default is named after the dataset group.
        default = f"role/rehearsal-import-{self.group}"[:MAX_NAME_LENGTH]
        role_arn = self._create_role(str(self.args.import_role_arn or default))
        if self.args.batch_role_arn not in (None, self.args.import_role_arn):
            self._create_role(str(self.args.batch_role_arn))
        boundary_arn = str(self.args.permissions_boundary_arn or "")
        if boundary_arn.startswith(f"arn:aws:iam::{self.emulator.account}:"):  # not AWS's own
            path, _, name = boundary_arn[boundary_arn.index("/") :].rpartition("/")
            policy = policy_document(Action="*", Resource="*")
            self.iam.create_policy(Path=f"{path}/", PolicyName=name, PolicyDocument=policy)
        print_progress("creating the dataset group and its datasets")
        self._create_dataset_group()
        print_progress("importing the datasets for the first time")
        self._import(yesterday, role_arn)
        if self.args.solutions:
            print_progress("training the first solution versions, and creating the campaigns")
            self._create_solutions()

    def write_newer_exports(self, day: date, spoiling: Spoiling = "none") -> None:
        """Write a newer export of each dataset to its location on a day.

        Each call writes other files. A dataset that is imported with INCREMENTAL gets only the new
        rows. Interactions may be spoiled.
        """
        contents = {
            dataset_type: self.data.export(
                dataset_type,
                is_increment=dataset.import_mode == "INCREMENTAL",
                number=self._written,
                spoiling=spoiling,
            )
            for dataset_type, dataset in self.datasets.items()
        }
        self._write(day, contents)
        self._written += 1

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

    def _write(self, day: date, contents: Mapping[str, bytes]) -> None:
        """Create the missing buckets. Write the batch jobs' inputs, the exports and the markers."""
        files = {
            Location.of(job.input, day): "".join(
                f"{json.dumps(query(user, recipe_of(solution)))}\n"
                for user in self.data.typical_users()[:BATCH_USERS]
            ).encode()
            for solution in self.args.solutions
            for job in solution.batch_jobs
        }
        for key, dataset in self.datasets.items():
            files[Location.of(dataset.data_location, day)] = contents[key]
        for marker in [item.ready_marker for item in self.datasets.values() if item.ready_marker]:
            files[Location.of(marker, day)] = b""
        jobs = [job for solution in self.args.solutions for job in solution.batch_jobs]
        places = (*files, *(Location.of(job.output, day) for job in jobs))
        existing = {bucket["Name"] for bucket in self.s3.list_buckets()["Buckets"]}
        for bucket in sorted({location.bucket for location in places} - existing):
            self._create_bucket(bucket)
        for (bucket, key), content in files.items():
            file = f"{key}part-0.csv" if key.endswith("/") else key
            self.s3.put_object(Bucket=bucket, Key=file, Body=content)

    def _create_bucket(self, bucket: str) -> None:
        """Create a bucket that Personalize may use. Its policy is the policy of the guide."""
        region = self.emulator.region
        place: Any = {"CreateBucketConfiguration": {"LocationConstraint": region}}
        self.s3.create_bucket(Bucket=bucket, **({} if region == US_EAST_1 else place))
        resources = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
        reader = {"Service": PERSONALIZE}
        policy = policy_document(Principal=reader, Action=FILE_ACTIONS, Resource=resources)
        self.s3.put_bucket_policy(Bucket=bucket, Policy=policy)

    def _create_role(self, arn: str) -> str:
        """Create a role with which Personalize may use every bucket. Return its ARN."""
        path, _, name = arn[arn.index("/") :].rpartition("/")
        trust = policy_document(Principal={"Service": PERSONALIZE}, Action="sts:AssumeRole")
        role = self.iam.create_role(Path=f"{path}/", RoleName=name, AssumeRolePolicyDocument=trust)
        # Each bucket's own policy says which files Personalize may use.
        policy = policy_document(Action=FILE_ACTIONS, Resource="*")
        self.iam.put_role_policy(RoleName=name, PolicyName="files", PolicyDocument=policy)
        return role["Role"]["Arn"]

    def _create_dataset_group(self) -> None:
        """Create the dataset group with its schemas and datasets."""
        personalize = self.personalize
        personalize.create_dataset_group(name=self.group)
        wait_until_active(personalize.describe_dataset_group, "datasetGroup", self.group_arn)
        for dataset_type in self.datasets:
            name, schema = self._name(dataset_type), self.data.schemas[dataset_type]
            personalize.create_dataset(
                name=name,
                schemaArn=personalize.create_schema(name=name, schema=schema)["schemaArn"],
                datasetGroupArn=self.group_arn,
                datasetType=dataset_type.title(),
            )
        arns = [str(dataset.dataset_arn) for dataset in self.datasets.values()]
        wait_until_active(personalize.describe_dataset, "dataset", *arns)

    def _import(self, day: date, role_arn: str) -> None:
        """Import the exports of a day, and wait until the import jobs are ACTIVE."""
        jobs = [
            self.personalize.create_dataset_import_job(
                jobName=self._name(f"first-{dataset_type}"),
                datasetArn=str(dataset.dataset_arn),
                dataSource={
                    "dataLocation": str(dataset.data_location).replace(DATE_PLACEHOLDER, str(day))
                },
                roleArn=role_arn,
                importMode="FULL",
            )["datasetImportJobArn"]
            for dataset_type, dataset in self.datasets.items()
        ]
        wait_until_active(self.personalize.describe_dataset_import_job, "datasetImportJob", *jobs)

    def _create_solutions(self) -> None:
        """Create each solution with a version, and the campaigns, which serve these versions."""
        personalize, solutions = self.personalize, self.args.solutions
        arns = [str(solution.solution_arn) for solution in solutions]
        rules = [rule for solution in solutions for rule in solution.quality_gate]
        baselines = {str(rule.relative_to) for rule in rules}
        for arn, solution in zip(arns, solutions, strict=True):
            personalize.create_solution(
                name=short_name(arn),
                datasetGroupArn=self.group_arn,
                recipeArn=f"{RECIPE_ARNS}{POPULARITY if arn in baselines else recipe_of(solution)}",
                performAutoTraining=False,
            )
        wait_until_active(personalize.describe_solution, "solution", *arns)
        create = partial(personalize.create_solution_version, trainingMode="FULL")
        versions = [create(solutionArn=arn)["solutionVersionArn"] for arn in arns]
        wait_until_active(personalize.describe_solution_version, "solutionVersion", *versions)
        campaigns = [
            personalize.create_campaign(
                name=short_name(str(campaign.campaign_arn)),
                solutionVersionArn=version,
                minProvisionedTPS=1,
            )["campaignArn"]
            for solution, version in zip(solutions, versions, strict=True)
            for campaign in solution.campaigns
        ]
        wait_until_active(personalize.describe_campaign, "campaign", *campaigns)

    def _name(self, prefix: str) -> str:
        """Return a name for a resource of the dataset group."""
        prefix = prefix.lower().replace("_", "-")
        return f"{prefix}-{self.group}"[:MAX_NAME_LENGTH]


def recipe_of(solution: SolutionArgs) -> str:
    """Return the name of a recipe that supports the settings of a solution, if there is one."""
    config = to_config(solution, keep_none=False)
    probes = [campaign["probe"] for campaign in config["campaigns"] if "probe" in campaign]
    settings = {key for job in config["batchJobs"] for key in job}
    settings.add(f"trainingMode {config['trainingMode']}")
    metrics = [rule["metric"] for rule in config["qualityGate"]]
    for name in REHEARSED:
        recipe = RECIPES[name]
        if (
            settings & FEATURES <= {*recipe.features}
            and (recipe.batch_line_keys or not config["batchJobs"])
            and all(recipe.accepts_request_keys(IDS & probe.keys()) for probe in probes)
            and not any(map(recipe.lacks_metric, metrics))
        ):
            return name
    return REHEARSED[0]


def query(user: User, recipe: str) -> dict[str, Any]:
    """Return what a recipe is asked about a user, as a line in the input of a batch job."""
    if recipe == RELATED_ITEMS:
        return {"itemId": user.item_ids[0]}
    ranked = {"itemList": user.item_ids} if recipe == RANKING else {}
    return {"userId": user.id, **ranked}


def wait_until_active(describe: Callable[..., Mapping[str, Any]], key: str, *arns: str) -> None:
    """Wait until resources of Personalize are ACTIVE.

    `describe` is the client's method that describes a resource, and `key` is the key of the
    resource in the response. Raises OperatorError if a resource fails or is not ACTIVE in time.
    """
    deadline = time.monotonic() + DEADLINE_SECONDS
    for arn in arns:
        while (resource := describe(**{f"{key}Arn": arn})[key])["status"] != "ACTIVE":
            status, late = resource["status"], f"not ACTIVE after {DEADLINE_SECONDS} seconds"
            if status.endswith("FAILED") or time.monotonic() > deadline:
                raise OperatorError(f"{arn}: {status}: {resource.get('failureReason', late)}")
            time.sleep(POLL_SECONDS)


def policy_document(**statement: object) -> str:
    """Return a policy in JSON that allows what the statement describes."""
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})
