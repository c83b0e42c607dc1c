"""Makes everything in the emulator that a stack's settings name: a service with a first model."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import boto3

from emulator.server import slots
from retrain.rehearsal.data.data_sets import SampleData, increment, rows
from retrain.rehearsal.data.exports import Export, exports_of, make_boundary, make_import_role, put
from retrain.rehearsal.data.sample_data import to_csv
from retrain.rehearsal.data.spoiling import spoil

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mypy_boto3_personalize import PersonalizeClient

    from components.args import RetrainingPipelineArgs, SolutionArgs
    from emulator.process import Emulator
    from retrain.rehearsal.data.data_sets import DataSet
    from retrain.rehearsal.data.spoiling import Spoiling

Say = Callable[[str], None]

RECIPES = "arn:aws:personalize:::recipe/"
RANKING = "aws-personalized-ranking-v2"
RELATED_ITEMS = "aws-similar-items"
POLL_SECONDS = 0.1
PATIENCE_SECONDS = 300
FIRST_EVENT_SECONDS = 60
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
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
    exports = [each.on(yesterday) for each in exports_of(args)]
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
    emulator: Emulator,
    args: RetrainingPipelineArgs,
    data: DataSet,
    *,
    day: str,
    night: int = 0,
    how: Spoiling = "none",
) -> None:
    """Put newer data where the settings say; for an INCREMENTAL import, what is new in it.

    `day` (2026-11-29) is the one of the run that shall import them. Another `night` has the same
    rows in another order, so that its export is a new one. `how` is how it is spoiled.
    """

    def content(export: Export) -> bytes:
        newer = data.newer(export.dataset_type)
        if export.import_mode == "INCREMENTAL":
            newer = increment(data.older(export.dataset_type), newer)
        return spoil(how, export.dataset_type, _rotated(newer, night))

    put(emulator, [each.on(day) for each in exports_of(args)], content)


def _rotated(export: bytes, places: int) -> bytes:
    header, *lines = rows(export)
    places %= len(lines) or 1
    return to_csv(header, [*lines[places:], *lines[:places]]) if places else export


def await_first_event(emulator: Emulator, state_machine_arn: str) -> None:
    """Wait until the run that a rate starts when it is deployed has ended: it would skip others.

    Where none comes, the schedule cannot start any, which the next slot tells.
    """
    states = boto3.client("stepfunctions", **emulator.connection)
    give_up = time.monotonic() + FIRST_EVENT_SECONDS
    while time.monotonic() < give_up:
        runs = states.list_executions(stateMachineArn=state_machine_arn)["executions"]
        if runs and all(run["status"] != "RUNNING" for run in runs):
            return
        time.sleep(POLL_SECONDS)


def slot_to_fire(emulator: Emulator, schedule_arn: str, after: str | None = None) -> str | None:
    """Give the schedule's first slot that a deployment just now cannot have caused (ISO 8601).

    It comes after another slot, where that is given. None where the schedule is disabled. Raises
    RehearsalError where it has no slot left.
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
    over = datetime.now(UTC) + DEPLOYMENT_IS_OVER
    slot = slots.next_slot(timing, max(over, datetime.fromisoformat(after)) if after else over)
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
    for solution in args.solutions:
        personalize.create_solution(
            name=str(solution.solution_arn).rpartition("/")[2],
            datasetGroupArn=group_arn,
            recipeArn=f"{RECIPES}{recipe_of(solution)}",
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


def recipe_of(solution: SolutionArgs) -> str:
    """Give a recipe that does what the settings ask: UPDATE, or what its campaigns' probes do."""
    probes = [each.probe for each in solution.campaigns if each.probe]
    if any(probe.input_list for probe in probes):
        return RANKING
    if any(probe.item_id and not probe.user_id for probe in probes):
        return RELATED_ITEMS
    update = solution.training_mode == "UPDATE"
    return "aws-user-personalization" if update else "aws-user-personalization-v2"


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
