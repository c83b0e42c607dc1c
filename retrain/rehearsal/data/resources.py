"""Creates the resources that a stack's settings name in the emulator, with first models."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import boto3

from retrain.rehearsal.data.exports import (
    PERSONALIZE,
    READ_ACTIONS,
    exports_of,
    policy_document,
    write_older_exports,
)
from retrain.rehearsal.errors import RehearsalError
from retrain.rehearsal.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mypy_boto3_personalize import PersonalizeClient

    from components.args import ImportMode, RetrainingPipelineArgs, SolutionArgs, TrainingMode
    from emulator.process import Emulator
    from retrain.rehearsal.data.data_sets import DataSet
    from retrain.rehearsal.data.exports import Export

Report = Callable[[str], None]
"""Shows the user a line about the progress."""

RECIPES = "arn:aws:personalize:::recipe/"
RANKING = "aws-personalized-ranking-v2"
RELATED_ITEMS = "aws-similar-items"
DEADLINE_SECONDS = 300
"""A resource becomes ACTIVE in less time."""
MAX_NAME_LENGTH = 63
"""The longest name in Personalize."""


def create_resources(
    emulator: Emulator,
    args: RetrainingPipelineArgs,
    report: Report,
    data: DataSet,
) -> str:
    """Create everything that the settings name, but does not belong to the stack.

    Return the ARN of the dataset group.

    These are buckets with exports, a dataset group with its datasets, solutions and campaigns, and
    IAM's resources. `report` shows the progress. Each import mode and each training mode of the
    settings is used once, so that a run can estimate how long its jobs take.

    Raises RehearsalError if a resource fails, and ClientError if the emulator refuses a request.
    """
    personalize = boto3.client("personalize", **emulator.connection)
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
    exports = [export.of_day(yesterday) for export in exports_of(args)]
    report("writing exports to S3")
    write_older_exports(emulator, exports, data)
    role_arn = _create_import_role(emulator, exports, args)
    _create_permissions_boundary(emulator, args)
    report("creating the dataset group and its datasets")
    group_arn = _create_dataset_group(personalize, exports, data)
    report("importing the datasets for the first time")
    _import_datasets(personalize, "first", role_arn, [(export, "FULL") for export in exports])
    report("training the first solution versions, and creating the campaigns")
    _create_solutions(personalize, args, group_arn)
    versions = _train_solutions(personalize, args.solutions, "FULL")
    updated = [solution for solution in args.solutions if solution.training_mode == "UPDATE"]
    second_imports = [
        (export, export.import_mode)
        for export in exports
        # An UPDATE needs interactions that were imported after the last training.
        if export.import_mode == "INCREMENTAL"
        or (updated and export.dataset_type in ("INTERACTIONS", "ACTION_INTERACTIONS"))
    ]
    _import_datasets(personalize, "second", role_arn, second_imports)
    versions |= _train_solutions(personalize, updated, "UPDATE")
    _create_campaigns(personalize, args, versions)
    return group_arn


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
    RehearsalError if the resource fails or is not ACTIVE after DEADLINE_SECONDS.
    """

    def has_ended() -> bool:
        status: str = describe(**request)[key]["status"]
        return status == "ACTIVE" or status.endswith("FAILED")

    wait_until(has_ended, seconds=DEADLINE_SECONDS)
    resource = describe(**request)[key]
    if resource["status"] != "ACTIVE":
        (arn,) = request.values()
        reason = resource.get("failureReason", f"it is not ACTIVE after {DEADLINE_SECONDS} seconds")
        raise RehearsalError(f"{arn}: its status is {resource['status']}: {reason}")


def _create_import_role(
    emulator: Emulator, exports: Sequence[Export], args: RetrainingPipelineArgs
) -> str:
    """Create a role with which Personalize may read the exports. Return its ARN.

    The role has the name in the settings. Settings without an import role get a role that is named
    after the dataset group.
    """
    iam = boto3.client("iam", **emulator.connection)
    default_role = f"role/{_name_for_group('rehearsal-import', _group_name(exports))}"
    path, name = _parse_iam_arn(str(args.import_role_arn or default_role))
    trust = policy_document(Principal={"Service": PERSONALIZE}, Action="sts:AssumeRole")
    role = iam.create_role(Path=path, RoleName=name, AssumeRolePolicyDocument=trust)
    buckets = sorted({export.location.bucket for export in exports})
    resources = [f"arn:aws:s3:::{bucket}{suffix}" for bucket in buckets for suffix in ("", "/*")]
    iam.put_role_policy(
        RoleName=name,
        PolicyName="read-exports",
        PolicyDocument=policy_document(Action=READ_ACTIONS, Resource=resources),
    )
    return role["Role"]["Arn"]


def _create_permissions_boundary(emulator: Emulator, args: RetrainingPipelineArgs) -> None:
    """Create the permissions boundary that the settings name, if it is a policy of the account.

    The policy allows everything. The other policies belong to AWS and exist already.
    """
    arn = str(args.permissions_boundary_arn or "")
    if arn.startswith(f"arn:aws:iam::{emulator.account}:"):
        path, name = _parse_iam_arn(arn)
        boto3.client("iam", **emulator.connection).create_policy(
            Path=path, PolicyName=name, PolicyDocument=policy_document(Action="*", Resource="*")
        )


class _IamName(NamedTuple):
    """The name of a role or a policy in IAM, and the path before it."""

    path: str
    name: str


def _parse_iam_arn(arn: str) -> _IamName:
    """Return the path and the name in an ARN of IAM.

    They are `/team/` and `import` for `arn:aws:iam::123456789012:role/team/import`.
    """
    path, _, name = arn[arn.index("/") :].rpartition("/")
    return _IamName(f"{path}/", name)


def _create_dataset_group(
    personalize: PersonalizeClient, exports: Sequence[Export], data: DataSet
) -> str:
    """Create the dataset group with its schemas and datasets. Return the ARN of the group."""
    group = _group_name(exports)
    group_arn = personalize.create_dataset_group(name=group)["datasetGroupArn"]
    wait_until_active(personalize.describe_dataset_group, "datasetGroup", datasetGroupArn=group_arn)
    for export in exports:
        name = _name_for_group(export.dataset_type, group)
        schema = personalize.create_schema(name=name, schema=data.schema(export.dataset_type))
        personalize.create_dataset(
            name=name,
            schemaArn=schema["schemaArn"],
            datasetGroupArn=group_arn,
            datasetType=export.dataset_type.title(),
        )
    for export in exports:
        wait_until_active(personalize.describe_dataset, "dataset", datasetArn=export.dataset_arn)
    return group_arn


def _import_datasets(
    personalize: PersonalizeClient,
    job_prefix: str,
    role_arn: str,
    imports: Sequence[tuple[Export, ImportMode]],
) -> None:
    """Import each export with its mode, and wait until the import jobs are ACTIVE."""
    jobs = [
        personalize.create_dataset_import_job(
            jobName=_name_for_group(f"{job_prefix}-{export.dataset_type}", _group_name([export])),
            datasetArn=export.dataset_arn,
            dataSource={"dataLocation": export.data_location},
            roleArn=role_arn,
            importMode=mode,
        )["datasetImportJobArn"]
        for export, mode in imports
    ]
    for job in jobs:
        wait_until_active(
            personalize.describe_dataset_import_job, "datasetImportJob", datasetImportJobArn=job
        )


def _create_solutions(
    personalize: PersonalizeClient, args: RetrainingPipelineArgs, group_arn: str
) -> None:
    """Create the solutions, and wait until they are ACTIVE."""
    for solution in args.solutions:
        personalize.create_solution(
            name=str(solution.solution_arn).rpartition("/")[2],
            datasetGroupArn=group_arn,
            recipeArn=f"{RECIPES}{recipe_of(solution)}",
            performAutoTraining=False,
        )
    for solution in args.solutions:
        wait_until_active(
            personalize.describe_solution, "solution", solutionArn=str(solution.solution_arn)
        )


def _train_solutions(
    personalize: PersonalizeClient, solutions: Sequence[SolutionArgs], mode: TrainingMode
) -> dict[str, str]:
    """Train solutions with a mode, and wait until the versions are ACTIVE.

    Return the ARN of the new version of each solution, by the ARN of the solution.
    """
    versions = {
        str(solution.solution_arn): personalize.create_solution_version(
            solutionArn=str(solution.solution_arn), trainingMode=mode
        )["solutionVersionArn"]
        for solution in solutions
    }
    for arn in versions.values():
        wait_until_active(
            personalize.describe_solution_version, "solutionVersion", solutionVersionArn=arn
        )
    return versions


def _create_campaigns(
    personalize: PersonalizeClient, args: RetrainingPipelineArgs, versions: Mapping[str, str]
) -> None:
    """Create the campaigns, and wait until they are ACTIVE.

    `versions` has the ARN of the version that a campaign serves, by the ARN of its solution.
    """
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
        wait_until_active(personalize.describe_campaign, "campaign", campaignArn=arn)


def _group_name(exports: Sequence[Export]) -> str:
    """Return the name of the dataset group, which is in the ARN of every dataset."""
    return exports[0].dataset_arn.split("/")[1]


def _name_for_group(prefix: str, group: str) -> str:
    """Return a name that begins with a prefix and ends with the name of a dataset group.

    If it would be longer than MAX_NAME_LENGTH, the beginning of the group's name is cut off,
    because the names of two groups in a rehearsal differ at the end.
    """
    prefix = prefix.lower().replace("_", "-")
    group_length = MAX_NAME_LENGTH - len(prefix) - 1
    return f"{prefix}-{group[-group_length:]}"
