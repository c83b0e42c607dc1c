"""Makes everything in the emulator that a stack's settings name: a service with a first model."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import boto3

from emulator import slots
from emulator.data_sets import SampleData, increment
from emulator.exports import Export, exports_of, make_boundary, make_import_role, put

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mypy_boto3_personalize import PersonalizeClient

    from components.args import RetrainingPipelineArgs
    from emulator.data_sets import DataSet
    from emulator.process import Emulator

Say = Callable[[str], None]

RECIPE = "arn:aws:personalize:::recipe/aws-user-personalization-v2"
UPDATE_RECIPE = "arn:aws:personalize:::recipe/aws-user-personalization"
"""The one that knows trainingMode UPDATE."""
POLL_SECONDS = 0.1
PATIENCE_SECONDS = 300
DEPLOYMENT_IS_OVER = timedelta(minutes=11)
"""A slot sooner after a deployment than 10 minutes is skipped: that event is the deployment's."""


class RehearsalError(Exception):
    """The stack cannot be rehearsed; the message says why."""


def prepare(
    emulator: Emulator, args: RetrainingPipelineArgs, say: Say, data: DataSet | None = None
) -> None:
    """Make the group with its datasets and solutions, a first version each, and its campaigns.

    `data` are the sample data by default. Jobs of each kind that the settings ask for have been
    there before, so that a run knows how long they take. Raises RehearsalError, and botocore's
    ClientError for what the emulated service refuses.
    """
    data = data or SampleData()
    personalize = boto3.client("personalize", **emulator.connection)
    exports = exports_of(args)
    say("putting data into S3")
    put(emulator, exports, lambda each: data.older(each.dataset_type))
    role_arn = make_import_role(emulator, exports, args)
    make_boundary(emulator, args)
    say("making the dataset group and its datasets")
    group_arn = _make_group(personalize, exports, data)
    say("importing the datasets for the first time")
    _import(personalize, exports, role_arn)
    say("training the first solution versions")
    versions = _train(personalize, args, group_arn)
    if any(solution.campaigns for solution in args.solutions):
        say("making the campaigns")
    _make_campaigns(personalize, args, versions)


def put_newer_exports(
    emulator: Emulator, args: RetrainingPipelineArgs, data: DataSet | None = None
) -> None:
    """Put newer data where the settings say; for an INCREMENTAL import, what is new in it."""
    data = data or SampleData()

    def content(export: Export) -> bytes:
        newer = data.newer(export.dataset_type)
        if export.import_mode == "FULL":
            return newer
        return increment(data.older(export.dataset_type), newer)

    put(emulator, exports_of(args), content)


def slot_to_fire(emulator: Emulator, schedule_arn: str) -> str | None:
    """Give the schedule's first slot that a deployment just now cannot have caused (ISO 8601).

    None where the schedule is disabled. Raises RehearsalError where it has no slot left.
    """
    group, name = schedule_arn.split("/")[1:]
    scheduler = boto3.client("scheduler", **emulator.connection)
    schedule = scheduler.get_schedule(GroupName=group, Name=name)
    if schedule["State"] == "DISABLED":
        return None
    timing = cast(
        "slots.Timing",
        {**schedule, "LastModificationDate": schedule["LastModificationDate"].timestamp()},
    )
    slot = slots.next_slot(timing, datetime.now(UTC) + DEPLOYMENT_IS_OVER)
    if slot is None:
        raise RehearsalError(
            f"{schedule['ScheduleExpression']} never comes again; give retrainingRate a future"
        )
    return slot.isoformat()


def _make_group(personalize: PersonalizeClient, exports: Sequence[Export], data: DataSet) -> str:
    name = exports[0].dataset_arn.split("/")[1]
    arn = personalize.create_dataset_group(name=name)["datasetGroupArn"]
    _until_active(personalize.describe_dataset_group, "datasetGroup", datasetGroupArn=arn)
    for export in exports:
        made = f"{name[:40]}-{_hyphenated(export.dataset_type)}"
        dataset_schema = personalize.create_schema(
            name=made, schema=data.schema(export.dataset_type)
        )
        personalize.create_dataset(
            name=made,
            schemaArn=dataset_schema["schemaArn"],
            datasetGroupArn=arn,
            datasetType=export.dataset_type.title(),
        )
    for export in exports:
        _until_active(personalize.describe_dataset, "dataset", datasetArn=export.dataset_arn)
    return arn


def _import(personalize: PersonalizeClient, exports: Sequence[Export], role_arn: str) -> None:
    """Import everything; what the settings import INCREMENTAL, a second time in that mode.

    The group is in the jobs' names, since these are unique in the account and region.
    """
    group = exports[0].dataset_arn.split("/")[1][:30]
    for mode in ("FULL", "INCREMENTAL"):
        jobs = [
            personalize.create_dataset_import_job(
                jobName=f"{group}-first-{mode.lower()}-{_hyphenated(export.dataset_type)}",
                datasetArn=export.dataset_arn,
                dataSource={"dataLocation": export.location},
                roleArn=role_arn,
                importMode=mode,
            )["datasetImportJobArn"]
            for export in exports
            if mode in ("FULL", export.import_mode)
        ]
        for job in jobs:
            _until_active(
                personalize.describe_dataset_import_job, "datasetImportJob", datasetImportJobArn=job
            )


def _train(
    personalize: PersonalizeClient, args: RetrainingPipelineArgs, group_arn: str
) -> dict[str, str]:
    """Make each solution and train it; give the newest versions' ARNs by solution.

    What the settings train with UPDATE is trained with FULL, then with UPDATE.
    """
    modes = {str(each.solution_arn): each.training_mode for each in args.solutions}
    for arn, mode in modes.items():
        personalize.create_solution(
            name=arn.rpartition("/")[2],
            datasetGroupArn=group_arn,
            recipeArn=UPDATE_RECIPE if mode == "UPDATE" else RECIPE,
            performAutoTraining=False,
        )
    for arn in modes:
        _until_active(personalize.describe_solution, "solution", solutionArn=arn)
    versions: dict[str, str] = {}
    for mode in ("FULL", "UPDATE"):
        trained = {
            arn: personalize.create_solution_version(solutionArn=arn, trainingMode=mode)[
                "solutionVersionArn"
            ]
            for arn in modes
            if mode in ("FULL", modes[arn])
        }
        for version in trained.values():
            _until_active(
                personalize.describe_solution_version, "solutionVersion", solutionVersionArn=version
            )
        versions |= trained
    return versions


def _make_campaigns(
    personalize: PersonalizeClient, args: RetrainingPipelineArgs, versions: Mapping[str, str]
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
    """Wait for a resource; raises RehearsalError when it fails or takes minutes."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    while (found := describe(**arn)[key])["status"] != "ACTIVE":
        if found["status"].endswith("FAILED") or time.monotonic() > give_up:
            reason = found.get("failureReason", f"after {PATIENCE_SECONDS} seconds")
            raise RehearsalError(f"{next(iter(arn.values()))}: {found['status']}: {reason}")
        time.sleep(POLL_SECONDS)


def _hyphenated(dataset_type: str) -> str:
    return dataset_type.lower().replace("_", "-")
