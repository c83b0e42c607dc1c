"""Creates what a stack's settings name but do not create: exports, a dataset group, IAM's roles."""

from __future__ import annotations

import json
import time
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import boto3

from functions.executions import DATE
from retrain.account.errors import OperatorError
from retrain.rehearsal.data import TYPES, split_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_s3 import S3Client

    from components.args import ImportMode, RetrainingPipelineArgs, SolutionArgs
    from emulator import Emulator
    from retrain.rehearsal.data import Data, Spoiling

PERSONALIZE = "personalize.amazonaws.com"
READ_ACTIONS = ("s3:GetObject", "s3:ListBucket")
RECIPES = "arn:aws:personalize:::recipe/"
RANKING = "aws-personalized-ranking-v2"
RELATED_ITEMS = "aws-similar-items"
US_EAST_1 = "us-east-1"
"""The only region that CreateBucket does not accept as a LocationConstraint."""
MAX_NAME_LENGTH = 63
"""The longest name in Personalize."""
DEADLINE_SECONDS = 300
"""A resource becomes ACTIVE in less time."""
POLL_SECONDS = 0.1


class Export(NamedTuple):
    """A dataset, and the location from which the pipeline imports it."""

    dataset_type: str
    dataset_arn: str
    data_location: str
    import_mode: ImportMode
    ready_marker: str | None = None
    """The URL of an object that is written after the data. None if the settings name none."""

    def of_day(self, day: date) -> Export:
        """Return the export with `{date}` in its URLs replaced by a day."""
        return self._replace(
            data_location=self.data_location.replace(DATE, str(day)),
            ready_marker=self.ready_marker and self.ready_marker.replace(DATE, str(day)),
        )


class Location(NamedTuple):
    """A bucket, and the key of an object or of a folder, which ends in `/`."""

    bucket: str
    key: str


def parse_location(url: str) -> Location:
    """Return the bucket and the key of `s3://bucket/key`."""
    bucket, _, key = url.removeprefix("s3://").partition("/")
    return Location(bucket, key)


class World:
    """The resources around a stack in the emulator.

    `report` shows a line about the progress. Every method raises OperatorError if a resource
    fails, and ClientError if the emulator refuses a request.
    """

    def __init__(
        self,
        emulator: Emulator,
        args: RetrainingPipelineArgs,
        data: Data,
        report: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.emulator, self.args, self.data, self.report = emulator, args, data, report
        self.personalize: PersonalizeClient = boto3.client("personalize", **emulator.connection)
        self.s3: S3Client = boto3.client("s3", **emulator.connection)
        self._written = 0
        """The number of newer exports that have been written."""

    @cached_property
    def exports(self) -> list[Export]:
        """The exports that the settings name.

        Personalize cannot train without interactions. If the settings name none, the list ends with
        an export of interactions at a location that only the rehearsal uses.
        """
        exports = [
            Export(
                TYPES[key],
                str(dataset.dataset_arn),
                str(dataset.data_location),
                dataset.import_mode,
                None if dataset.ready_marker is None else str(dataset.ready_marker),
            )
            for key, dataset in self.args.datasets.configured().items()
        ]
        if all(export.dataset_type != "INTERACTIONS" for export in exports):
            dataset_arn = f"{exports[0].dataset_arn.rpartition('/')[0]}/INTERACTIONS"
            data_location = "s3://rehearsal-interactions/interactions.csv"
            exports.append(Export("INTERACTIONS", dataset_arn, data_location, "FULL"))
        return exports

    @property
    def group(self) -> str:
        """The name of the dataset group, which is in the ARN of every dataset."""
        return self.exports[0].dataset_arn.split("/")[1]

    def create(self) -> str:
        """Create everything, and train a first version of each solution.

        Return the ARN of the dataset group.
        """
        self.report("writing exports to S3")
        yesterday = datetime.now(UTC).date() - timedelta(days=1)
        exports = [export.of_day(yesterday) for export in self.exports]
        self._write(exports, lambda export: self.data.older[export.dataset_type])
        role_arn = self._create_import_role()
        self._create_permissions_boundary()
        self.report("creating the dataset group and its datasets")
        group_arn = self._create_dataset_group()
        self.report("importing the datasets for the first time")
        self._import(exports, role_arn)
        self.report("training the first solution versions, and creating the campaigns")
        self._create_solutions(group_arn)
        return group_arn

    def write_newer_exports(self, day: date, spoiling: Spoiling = "none") -> None:
        """Write a newer export of each dataset to its location on a day.

        Each call writes other files. A dataset that is imported with INCREMENTAL gets only the new
        rows. Interactions may be spoiled.
        """

        def content(export: Export) -> bytes:
            is_increment = export.import_mode == "INCREMENTAL"
            return self.data.export(
                export.dataset_type,
                is_increment=is_increment,
                number=self._written,
                spoiling=spoiling,
            )

        self._write([export.of_day(day) for export in self.exports], content)
        self._written += 1

    def _write(self, exports: list[Export], content: Callable[[Export], bytes]) -> None:
        """Create the missing buckets. Write the files of each export, then the ready markers."""
        markers = [parse_location(export.ready_marker) for export in exports if export.ready_marker]
        locations = [parse_location(export.data_location) for export in exports]
        existing = {bucket["Name"] for bucket in self.s3.list_buckets()["Buckets"]}
        for bucket in sorted({location.bucket for location in (*locations, *markers)} - existing):
            self._create_bucket(bucket)
        for export, location in zip(exports, locations, strict=True):
            for key, body in files_of(location.key, content(export), self.data.files):
                self.s3.put_object(Bucket=location.bucket, Key=key, Body=body)
        for marker in markers:
            self.s3.put_object(Bucket=marker.bucket, Key=marker.key, Body=b"")

    def _create_bucket(self, bucket: str) -> None:
        """Create a bucket that Personalize may read. Its policy is the policy of the README."""
        region = self.emulator.region
        place: Any = {"CreateBucketConfiguration": {"LocationConstraint": region}}
        self.s3.create_bucket(Bucket=bucket, **({} if region == US_EAST_1 else place))
        resources = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
        reader = {"Service": PERSONALIZE}
        policy = policy_document(Principal=reader, Action=READ_ACTIONS, Resource=resources)
        self.s3.put_bucket_policy(Bucket=bucket, Policy=policy)

    def _create_import_role(self) -> str:
        """Create the role with which Personalize may read the exports. Return its ARN.

        The settings may name it. Otherwise it is named after the dataset group.
        """
        iam = boto3.client("iam", **self.emulator.connection)
        default = f"role/rehearsal-import-{self.group}"[:MAX_NAME_LENGTH]
        path, name = _iam_name(str(self.args.import_role_arn or default))
        trust = policy_document(Principal={"Service": PERSONALIZE}, Action="sts:AssumeRole")
        role = iam.create_role(Path=path, RoleName=name, AssumeRolePolicyDocument=trust)
        buckets = sorted({parse_location(export.data_location).bucket for export in self.exports})
        files = [f"arn:aws:s3:::{bucket}{end}" for bucket in buckets for end in ("", "/*")]
        policy = policy_document(Action=READ_ACTIONS, Resource=files)
        iam.put_role_policy(RoleName=name, PolicyName="read-exports", PolicyDocument=policy)
        return role["Role"]["Arn"]

    def _create_permissions_boundary(self) -> None:
        """Create the permissions boundary that the settings name, if it is a policy of the account.

        The policy allows everything. The other policies belong to AWS and exist already.
        """
        arn = str(self.args.permissions_boundary_arn or "")
        if arn.startswith(f"arn:aws:iam::{self.emulator.account}:"):
            path, name = _iam_name(arn)
            policy = policy_document(Action="*", Resource="*")
            iam = boto3.client("iam", **self.emulator.connection)
            iam.create_policy(Path=path, PolicyName=name, PolicyDocument=policy)

    def _create_dataset_group(self) -> str:
        """Create the dataset group with its schemas and datasets. Return the ARN of the group."""
        personalize = self.personalize
        group_arn = personalize.create_dataset_group(name=self.group)["datasetGroupArn"]
        wait_until_active(
            personalize.describe_dataset_group, "datasetGroup", datasetGroupArn=group_arn
        )
        for export in self.exports:
            name = self._name(export.dataset_type)
            schema = self.data.schemas[export.dataset_type]
            personalize.create_dataset(
                name=name,
                schemaArn=personalize.create_schema(name=name, schema=schema)["schemaArn"],
                datasetGroupArn=group_arn,
                datasetType=export.dataset_type.title(),
            )
        for export in self.exports:
            arn = export.dataset_arn
            wait_until_active(personalize.describe_dataset, "dataset", datasetArn=arn)
        return group_arn

    def _import(self, exports: list[Export], role_arn: str) -> None:
        """Import each export, and wait until the import jobs are ACTIVE."""
        jobs = [
            self.personalize.create_dataset_import_job(
                jobName=self._name(f"first-{export.dataset_type}"),
                datasetArn=export.dataset_arn,
                dataSource={"dataLocation": export.data_location},
                roleArn=role_arn,
                importMode="FULL",
            )["datasetImportJobArn"]
            for export in exports
        ]
        describe = self.personalize.describe_dataset_import_job
        for job in jobs:
            wait_until_active(describe, "datasetImportJob", datasetImportJobArn=job)

    def _create_solutions(self, group_arn: str) -> None:
        """Create each solution with a version, and the campaigns, which serve these versions."""
        personalize, versions, campaigns = self.personalize, {}, []
        for solution in self.args.solutions:
            personalize.create_solution(
                name=str(solution.solution_arn).rpartition("/")[2],
                datasetGroupArn=group_arn,
                recipeArn=f"{RECIPES}{recipe_of(solution)}",
                performAutoTraining=False,
            )
        for arn in (str(solution.solution_arn) for solution in self.args.solutions):
            wait_until_active(personalize.describe_solution, "solution", solutionArn=arn)
            version = personalize.create_solution_version(solutionArn=arn, trainingMode="FULL")
            versions[arn] = version["solutionVersionArn"]
        for solution in self.args.solutions:
            version_arn = versions[str(solution.solution_arn)]
            wait_until_active(
                personalize.describe_solution_version,
                "solutionVersion",
                solutionVersionArn=version_arn,
            )
            for campaign in solution.campaigns:
                name = str(campaign.campaign_arn).rpartition("/")[2]
                personalize.create_campaign(
                    name=name, solutionVersionArn=version_arn, minProvisionedTPS=1
                )
                campaigns.append(str(campaign.campaign_arn))
        for arn in campaigns:
            wait_until_active(personalize.describe_campaign, "campaign", campaignArn=arn)

    def _name(self, prefix: str) -> str:
        """Return a name for a resource of the dataset group."""
        prefix = prefix.lower().replace("_", "-")
        return f"{prefix}-{self.group}"[:MAX_NAME_LENGTH]


def recipe_of(solution: SolutionArgs) -> str:
    """Return the name of a recipe that supports the training mode and the probes of a solution."""
    probes = [campaign.probe for campaign in solution.campaigns if campaign.probe]
    if any(probe.input_list for probe in probes):
        return RANKING
    if any(probe.item_id and not probe.user_id for probe in probes):
        return RELATED_ITEMS
    if solution.training_mode == "UPDATE":
        return "aws-user-personalization"
    return "aws-user-personalization-v2"


def wait_until_active(describe: Callable[..., Mapping[str, Any]], key: str, **request: str) -> None:
    """Wait until a resource of Personalize is ACTIVE.

    `describe` is the client's method that describes the resource, and `key` is the key of the
    resource in the response. `request` has the ARN of the resource as its only parameter. Raises
    OperatorError if the resource fails or is not ACTIVE after DEADLINE_SECONDS.
    """
    deadline = time.monotonic() + DEADLINE_SECONDS
    while (resource := describe(**request)[key])["status"] != "ACTIVE":
        if resource["status"].endswith("FAILED") or time.monotonic() > deadline:
            reason = resource.get("failureReason", f"not ACTIVE after {DEADLINE_SECONDS} seconds")
            raise OperatorError(f"{'; '.join(request.values())}: {resource['status']}: {reason}")
        time.sleep(POLL_SECONDS)


def files_of(key: str, content: bytes, parts: int) -> Iterator[tuple[str, bytes]]:
    """Yield the key and the content of each file of an export.

    If the key ends in `/`, the rows are divided among `parts` files below it.
    """
    if not key.endswith("/") or parts == 1:
        yield (f"{key}part-0.csv" if key.endswith("/") else key), content
        return
    header, *rows = split_lines(content)
    for part in range(parts):
        yield f"{key}part-{part}.csv", b"".join([header, *rows[part::parts]])


def policy_document(**statement: object) -> str:
    """Return a policy in JSON that allows what the statement describes."""
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})


class _IamName(NamedTuple):
    """The path and the name of a role or a policy: `/team/` and `import` for `role/team/import`."""

    path: str
    name: str


def _iam_name(arn: str) -> _IamName:
    """Return the path and the name in an ARN of IAM."""
    path, _, name = arn[arn.index("/") :].rpartition("/")
    return _IamName(f"{path}/", name)
