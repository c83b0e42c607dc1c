"""Disturbs an execution of a deployed stack while it is running.

Each function returns the ARNs of the executions that follow from the disturbance. If the execution
ends before the moment of the disturbance, the function does nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias

from functions.personalize.campaigns import NONE
from functions.personalize.statuses import is_running
from functions.personalize.tags import TRIAL, tags_of
from retrain.rehearsal.data.exports import exports_of
from retrain.rehearsal.jobs import started_jobs
from retrain.rehearsal.waiting import wait_until

if TYPE_CHECKING:
    from retrain.rehearsal.deployed_stack import DeployedStack

JOB_SECONDS = 120
"""A run in the emulator starts each of its jobs in less time."""
TRIAL_SECONDS = 240
"""The watcher, which is called all the time here, waits for half of the age of the trial."""
TRIAL_PREFIX = "trial-"
"""The beginning of the names of executions that only finish trials."""

Disturbance: TypeAlias = Callable[["DeployedStack", str], list[str]]
"""Takes a deployed stack and the ARN of its execution."""


def no_disturbance(_deployed: DeployedStack, _execution_arn: str) -> list[str]:
    """Do nothing."""
    return []


def stop_during_update(deployed: DeployedStack, execution_arn: str) -> list[str]:
    """Stop an execution as soon as it sends the update of a campaign.

    Return the ARN of the execution that finishes the trial, or nothing if none starts.
    """
    if not _wait_for_trial(deployed, execution_arn):
        return []
    deployed.report("stopping the execution while it updates a campaign, and calling the watcher")
    stopped_at = datetime.now(UTC)
    deployed.step_functions.stop_execution(executionArn=execution_arn)
    trials: list[str] = []

    def has_started() -> bool:
        deployed.watch()
        trials[:] = deployed.executions_since(stopped_at, TRIAL_PREFIX)
        return bool(trials)

    wait_until(has_started, seconds=TRIAL_SECONDS)
    return trials


def import_during_training(deployed: DeployedStack, execution_arn: str) -> list[str]:
    """Import into a dataset of the stack as somebody else would, while the execution trains."""
    if not _wait_for_training(deployed, execution_arn):
        return []
    configured = len(deployed.stack.args.datasets.configured())
    export = next(
        export
        for export in exports_of(deployed.stack.args)[:configured]
        if export.import_mode == "FULL"
    ).of_day(deployed.export_day)
    deployed.report(f"importing {export.data_location} by hand, while the execution trains")
    deployed.personalize.create_dataset_import_job(
        jobName=f"by-hand-{execution_arn.rpartition(':')[2]}"[:63],
        datasetArn=export.dataset_arn,
        dataSource={"dataLocation": export.data_location},
        roleArn=deployed.output("import_role_arn"),
        importMode="FULL",
    )
    return []


def rewrite_exports_during_imports(deployed: DeployedStack, execution_arn: str) -> list[str]:
    """Write all exports again as soon as the execution imports each of them."""
    count = len(deployed.stack.args.datasets.configured())

    def are_running() -> bool:
        pages = deployed.personalize.get_paginator("list_dataset_import_jobs").paginate()
        jobs = [job for page in pages for job in page["datasetImportJobs"]]
        return sum(is_running(job["status"]) for job in jobs) >= count

    if _wait_for(deployed, execution_arn, are_running):
        deployed.report("writing the exports again, while they are imported")
        deployed.rewrite_exports()
    return []


def _wait_for_training(deployed: DeployedStack, execution_arn: str) -> bool:
    """Wait until an execution has started a training. Return False if it ends without one."""

    def has_started() -> bool:
        jobs = started_jobs(deployed.step_functions, execution_arn)
        return any(job.kind == "train" for job in jobs)

    return _wait_for(deployed, execution_arn, has_started)


def _wait_for_trial(deployed: DeployedStack, execution_arn: str) -> bool:
    """Wait until a version is on trial. Return False if the execution ends without a trial."""
    solutions = deployed.stack.args.solutions
    arns = [str(row.campaign_arn) for solution in solutions for row in solution.campaigns]

    def is_on_trial() -> bool:
        return any(tags_of(deployed.personalize, arn).get(TRIAL, NONE) != NONE for arn in arns)

    return _wait_for(deployed, execution_arn, is_on_trial)


def _wait_for(deployed: DeployedStack, execution_arn: str, holds: Callable[[], bool]) -> bool:
    """Wait until something holds. Return False if the execution ends before."""
    is_true = False

    def is_true_or_too_late() -> bool:
        nonlocal is_true
        # The status is read first, so that nothing is missed when the execution ends.
        execution = deployed.step_functions.describe_execution(executionArn=execution_arn)
        is_true = holds()
        return is_true or execution["status"] != "RUNNING"

    wait_until(is_true_or_too_late, seconds=JOB_SECONDS)
    return is_true
