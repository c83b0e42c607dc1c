"""Makes everything in the emulator that a stack's settings name: a service with a first model."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import boto3

from emulator.sample_data import DAYS, sample_data, schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_personalize import PersonalizeClient

    from components.args import RetrainingPipelineArgs
    from emulator.process import Emulator

Say = Callable[[str], None]

TYPES = {
    "interactions": "INTERACTIONS",
    "items": "ITEMS",
    "users": "USERS",
    "actions": "ACTIONS",
    "actionInteractions": "ACTION_INTERACTIONS",
}
PARTS = 3
"""Files below a location that is a prefix."""
RECIPE = "arn:aws:personalize:::recipe/aws-user-personalization-v2"
UPDATE_RECIPE = "arn:aws:personalize:::recipe/aws-user-personalization"
"""The one that knows trainingMode UPDATE."""
POLL_SECONDS = 0.2
PATIENCE_SECONDS = 120
PERSONALIZE = "personalize.amazonaws.com"


class Export(NamedTuple):
    """Where one dataset's data lies."""

    dataset_type: str
    dataset_arn: str
    location: str


def prepare(emulator: Emulator, args: RetrainingPipelineArgs, say: Say) -> None:
    """Make the group with its datasets and solutions, a first version each, and its campaigns.

    A group without interactions cannot be trained on; where the settings name none, they are
    imported all the same, from a location of the rehearsal's own.
    """
    personalize = boto3.client("personalize", **emulator.connection)
    exports = _exports(args)
    say("putting sample data into S3")
    put_exports(emulator, args)
    role_arn = _import_role(emulator, args)
    _boundary(emulator, args)
    say("making the dataset group and its datasets")
    group_arn = _group(personalize, exports)
    say("importing the datasets for the first time")
    _import(personalize, exports, role_arn)
    say("training the first solution versions")
    versions = _train(personalize, args, group_arn)
    say("making the campaigns")
    _make_campaigns(personalize, args, versions)


def put_exports(emulator: Emulator, args: RetrainingPipelineArgs, *, days: int = DAYS) -> None:
    """Put the sample data, as exported after so many days, where the settings say."""
    s3 = boto3.client("s3", **emulator.connection)
    data = sample_data(days)
    existing = {each["Name"] for each in s3.list_buckets()["Buckets"]}
    for export in _exports(args):
        bucket, key = export.location.removeprefix("s3://").split("/", 1)
        if bucket not in existing:
            _make_bucket(emulator, bucket)
            existing.add(bucket)
        for name, content in _files(key, data[export.dataset_type]):
            s3.put_object(Bucket=bucket, Key=name, Body=content)


def _exports(args: RetrainingPipelineArgs) -> list[Export]:
    found = [
        Export(TYPES[key], str(dataset.dataset_arn), str(dataset.data_location))
        for key, dataset in args.datasets.configured()
    ]
    if all(each.dataset_type != "INTERACTIONS" for each in found):
        group = found[0].dataset_arn.rpartition("/")[0]
        location = "s3://rehearsal-interactions/interactions.csv"
        found.append(Export("INTERACTIONS", f"{group}/INTERACTIONS", location))
    return found


def _files(key: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    if not key.endswith("/"):
        yield key, content
        return
    header, *rows = content.splitlines(keepends=True)
    for part in range(PARTS):
        yield f"{key}part-{part}.csv", b"".join([header, *rows[part::PARTS]])


def _make_bucket(emulator: Emulator, bucket: str) -> None:
    """Make a bucket whose policy lets Personalize read, as the README's does."""
    s3 = boto3.client("s3", **emulator.connection)
    s3.create_bucket(
        Bucket=bucket,
        CreateBucketConfiguration={"LocationConstraint": emulator.region},  # type: ignore[typeddict-item]
    )
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": PERSONALIZE},
                "Action": ["s3:GetObject", "s3:ListBucket"],
                "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
                "Condition": {"StringEquals": {"aws:SourceAccount": emulator.account}},
            }
        ],
    }
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))


def _import_role(emulator: Emulator, args: RetrainingPipelineArgs) -> str:
    """Make the role that imports: the one that the settings name, or one of the rehearsal's own."""
    iam = boto3.client("iam", **emulator.connection)
    name = str(args.import_role_arn or "role/rehearsal-import").rpartition("/")[2]
    trust = _statement(Principal={"Service": PERSONALIZE}, Action="sts:AssumeRole")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)
    buckets = {each.location.removeprefix("s3://").split("/")[0] for each in _exports(args)}
    iam.put_role_policy(
        RoleName=name,
        PolicyName="read-exports",
        PolicyDocument=_statement(
            Action=["s3:GetObject", "s3:ListBucket"],
            Resource=[
                f"arn:aws:s3:::{bucket}{what}" for bucket in sorted(buckets) for what in ("", "/*")
            ],
        ),
    )
    return role["Role"]["Arn"]


def _boundary(emulator: Emulator, args: RetrainingPipelineArgs) -> None:
    """Make the permissions boundary that the settings name; it allows everything."""
    if args.permissions_boundary_arn:
        boto3.client("iam", **emulator.connection).create_policy(
            PolicyName=str(args.permissions_boundary_arn).rpartition("/")[2],
            PolicyDocument=_statement(Action="*", Resource="*"),
        )


def _statement(**fields: object) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **fields}]})


def _group(personalize: PersonalizeClient, exports: list[Export]) -> str:
    name = exports[0].dataset_arn.split("/")[1]
    arn = personalize.create_dataset_group(name=name)["datasetGroupArn"]
    _until_active(personalize.describe_dataset_group, "datasetGroup", datasetGroupArn=arn)
    for export in exports:
        made = f"{name[:40]}-{export.dataset_type.lower().replace('_', '-')}"
        dataset_schema = personalize.create_schema(name=made, schema=schema(export.dataset_type))
        personalize.create_dataset(
            name=made,
            schemaArn=dataset_schema["schemaArn"],
            datasetGroupArn=arn,
            datasetType=export.dataset_type.title(),
        )
    for export in exports:
        _until_active(personalize.describe_dataset, "dataset", datasetArn=export.dataset_arn)
    return arn


def _import(personalize: PersonalizeClient, exports: list[Export], role_arn: str) -> None:
    jobs = [
        personalize.create_dataset_import_job(
            jobName=f"first-{export.dataset_type.lower().replace('_', '-')}",
            datasetArn=export.dataset_arn,
            dataSource={"dataLocation": export.location},
            roleArn=role_arn,
        )["datasetImportJobArn"]
        for export in exports
    ]
    for job in jobs:
        _until_active(
            personalize.describe_dataset_import_job, "datasetImportJob", datasetImportJobArn=job
        )


def _train(
    personalize: PersonalizeClient, args: RetrainingPipelineArgs, group_arn: str
) -> dict[str, str]:
    """Make each solution and train it once; give the versions' ARNs by solution."""
    for solution in args.solutions:
        arn = str(solution.solution_arn)
        personalize.create_solution(
            name=arn.rpartition("/")[2],
            datasetGroupArn=group_arn,
            recipeArn=UPDATE_RECIPE if solution.training_mode == "UPDATE" else RECIPE,
            performAutoTraining=False,
        )
        _until_active(personalize.describe_solution, "solution", solutionArn=arn)
    versions = {
        str(solution.solution_arn): personalize.create_solution_version(
            solutionArn=str(solution.solution_arn)
        )["solutionVersionArn"]
        for solution in args.solutions
    }
    for version in versions.values():
        _until_active(
            personalize.describe_solution_version, "solutionVersion", solutionVersionArn=version
        )
    return versions


def _make_campaigns(
    personalize: PersonalizeClient, args: RetrainingPipelineArgs, versions: dict[str, str]
) -> None:
    arns = [
        personalize.create_campaign(
            name=str(campaign.campaign_arn).rpartition("/")[2],
            solutionVersionArn=versions[str(solution.solution_arn)],
            minProvisionedTPS=1,
        )["campaignArn"]
        for solution in args.solutions
        for campaign in solution.campaigns
    ]
    for arn in arns:
        _until_active(personalize.describe_campaign, "campaign", campaignArn=arn)


def _until_active(describe: Callable[..., Mapping[str, Any]], key: str, **arn: str) -> None:
    """Wait for a resource; raises RuntimeError when it fails or takes minutes."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    while (found := describe(**arn)[key])["status"] != "ACTIVE":
        if found["status"].endswith("FAILED") or time.monotonic() > give_up:
            raise RuntimeError(f"{arn}: {found['status']}: {found.get('failureReason')}")
        time.sleep(POLL_SECONDS)
