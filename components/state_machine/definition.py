"""Defines the state machine, with states in execution order: plan, import, train, deploy, report.

`functions/contract.py` describes the document that is passed from state to state.
"""

import math
from collections.abc import Mapping
from datetime import timedelta

from pulumi import Input

from ..args import RetrainingPipelineArgs
from ..constants import (
    MAX_TRIAL_WITHOUT_BAKE,
    MAX_WAIT_FOR_DELETION,
    MAX_WAIT_FOR_OLDER_RUN,
    REPORTED_ERROR,
)
from .asl import (
    Definition,
    Retries,
    call,
    choose,
    end_with,
    for_each,
    loop,
    wait,
)

LONGEST_TRIAL_PAUSE = timedelta(minutes=30)
"""The longest pause before a killed `deploy_version` is retried. A retry adds 3 events to the
execution's history, which must have room for 50 campaigns (tests/workflow/test_sizes.py)."""
SPARE_TIME = timedelta(hours=2)
"""The time for everything except jobs and trials. Up to an hour of it is for stopping a training
(`functions/rules/trainings.py`)."""


def _copied_fields(*names: str) -> dict[str, str]:
    """Return parameters that copy these fields from the document."""
    return {f"{name}.$": f"$.{name}" for name in names}


# What each iteration of a Map starts with, and what it returns.
NEW_ITERATION = {**_copied_fields("settings", "run"), "status": None, "error": None}
DATASET_RESULT = _copied_fields("dataset", "status", "error")
CAMPAIGN_RESULT = _copied_fields("campaign", "status", "error")
DECIDED_CAMPAIGN = {**CAMPAIGN_RESULT, "outcome.$": "$.status.outcome"}
BATCH_RESULT = _copied_fields("batchJob", "status", "error")
SOLUTION_RESULT = {
    **_copied_fields("solution", "campaigns", "batchJobs", "error"),
    "version.$": "$.status",
}


def definition(
    functions: Mapping[str, Input[str]],
    settings: Mapping[str, object],
    args: RetrainingPipelineArgs,
) -> Definition:
    """Return the state machine's definition in ASL.

    `functions` maps each handler to its function's ARN. `settings` come from
    `components/workflow_settings.py`.
    """
    return {
        "Comment": "Retrain an Amazon Personalize dataset group.",
        "StartAt": "Configure run",
        "TimeoutSeconds": execution_timeout_seconds(args),
        "States": {
            "Configure run": {
                "Type": "Pass",
                "Parameters": {
                    "settings": settings,
                    "run": {
                        "request.$": "$$.Execution.Input",
                        "executionArn.$": "$$.Execution.Id",
                        "startedAt.$": "$$.Execution.StartTime",
                    },
                },
                "ResultPath": "$",
                "Next": "Plan retraining",
            },
            "Plan retraining": call(
                functions["plan_retraining"],
                # The result replaces the whole document. This drops the results of "Retrain
                # solutions", because the document must not grow too large.
                result_path="$",
                next_state="What is there to do?",
                on_error="Report outcome",
            ),
            "What is there to do?": choose(
                "$.plan.todo",
                {
                    "WAIT": "Wait to begin",
                    "TRIALS": "Retrain solutions",
                    "WORK": "Import datasets",
                },
                default="Report outcome",
            ),
            "Wait to begin": wait("$.plan.seconds", next_state="Plan retraining"),
            "Import datasets": for_each(
                "$.plan.imports",
                selector={**NEW_ITERATION, "dataset.$": "$$.Map.Item.Value"},
                states={
                    **loop(
                        "Import dataset",
                        "How is the import?",
                        function=functions["import_dataset"],
                        waits={
                            "IMPORTING": "Wait for the import",
                            "WAITING": "Wait to import",
                        },
                        outcomes={
                            "IMPORTED": "Dataset imported",
                            "FAILED": "Dataset not imported",
                        },
                        on_error="Dataset not imported",
                    ),
                    "Dataset imported": end_with({**DATASET_RESULT, "outcome": "IMPORTED"}),
                    "Dataset not imported": end_with({**DATASET_RESULT, "outcome": "FAILED"}),
                },
                result_selector={
                    "results.$": "$",
                    "anyFailed.$": "States.ArrayContains($[*].outcome, 'FAILED')",
                },
                result_path="$.imports",
                next_state="Were all datasets imported?",
                on_error="Report outcome",
            ),
            "Were all datasets imported?": {
                "Type": "Choice",
                "Choices": [
                    {
                        "Variable": "$.imports.anyFailed",
                        "BooleanEquals": True,
                        "Next": "Report outcome",
                    },
                ],
                "Default": "Retrain solutions",
            },
            "Retrain solutions": for_each(
                "$.plan.solutions",
                selector={
                    **NEW_ITERATION,
                    "todo.$": "$.plan.todo",
                    "solution.$": "$$.Map.Item.Value",
                    "campaigns": [],
                    "batchJobs": [],
                },
                states={
                    "Are there only trials?": choose(
                        "$.todo", {"TRIALS": "Update campaigns"}, default="Train solution"
                    ),
                    **loop(
                        "Train solution",
                        "How is the training?",
                        function=functions["train_solution"],
                        waits={
                            "TRAINING": "Wait for the training",
                            "STOPPING": "Wait for the training",
                            "WAITING": "Wait to train",
                        },
                        outcomes={
                            "TRAINED": "Update campaigns",
                            "SKIPPED": "Solution finished",
                            "FAILED": "Solution finished",
                        },
                        on_error="Solution finished",
                    ),
                    "Update campaigns": for_each(
                        "$.solution.campaigns",
                        selector={
                            **NEW_ITERATION,
                            "training.$": "$.status",
                            "campaign.$": "$$.Map.Item.Value",
                        },
                        states={
                            **loop(
                                "Deploy version",
                                "How is the campaign?",
                                function=functions["deploy_version"],
                                waits={
                                    "UPDATING": "Wait for the update",
                                    "ROLLING_BACK": "Wait for the rollback",
                                    "BAKING": "Wait for the bake",
                                },
                                outcomes={
                                    "DEPLOYED": "Campaign updated",
                                    "ROLLED_BACK": "Campaign rolled back",
                                    "REJECTED": "Campaign left as it is",
                                    "AWAITING_APPROVAL": "Campaign left as it is",
                                    "SKIPPED": "Campaign left as it is",
                                    "FAILED": "Campaign not updated",
                                },
                                on_error="Campaign not updated",
                                killed_retries=retries_during_trial(args),
                            ),
                            "Campaign updated": end_with(DECIDED_CAMPAIGN),
                            "Campaign rolled back": end_with(DECIDED_CAMPAIGN),
                            "Campaign left as it is": end_with(DECIDED_CAMPAIGN),
                            "Campaign not updated": end_with(
                                {**CAMPAIGN_RESULT, "outcome": "FAILED"}
                            ),
                        },
                        result_path="$.campaigns",
                        next_state="Run batch jobs",
                        on_error="Solution finished",
                    ),
                    "Run batch jobs": for_each(
                        "$.solution.batchJobs",
                        selector={
                            **NEW_ITERATION,
                            "solutionArn.$": "$.solution.solutionArn",
                            "recipe.$": "$.solution.recipe",
                            "training.$": "$.status",
                            "batchJob.$": "$$.Map.Item.Value",
                        },
                        states={
                            **loop(
                                "Run batch job",
                                "How is the batch job?",
                                function=functions["run_batch_job"],
                                waits=dict.fromkeys(
                                    ("WRITING", "WAITING"), "Wait for the batch job"
                                ),
                                outcomes=dict.fromkeys(
                                    ("WRITTEN", "SKIPPED", "FAILED"), "Batch job finished"
                                ),
                                on_error="Batch job finished",
                            ),
                            "Batch job finished": end_with(BATCH_RESULT),
                        },
                        result_path="$.batchJobs",
                        next_state="Solution finished",
                        on_error="Solution finished",
                    ),
                    "Solution finished": end_with(SOLUTION_RESULT),
                },
                result_path="$.solutions",
                next_state="Were these only trials?",
                on_error="Report outcome",
            ),
            "Were these only trials?": choose(
                "$.plan.todo", {"TRIALS": "Plan retraining"}, default="Report outcome"
            ),
            "Report outcome": call(
                functions["report_outcome"],
                result_path="$",
                next_state="Did the run succeed?",
                on_error="Report failed",
            ),
            "Did the run succeed?": choose(
                "$.report.outcome", {"FAILED": "Retraining failed"}, default="Retrained"
            ),
            "Retrained": {"Type": "Succeed"},
            "Retraining failed": {
                "Type": "Fail",
                "Error": REPORTED_ERROR,
                "CausePath": "$.text",
            },
            "Report failed": {
                "Type": "Fail",
                "Error": "ReportFailed",
                # This isn't a CausePath, because a timeout has no cause, and a path that doesn't
                # exist would end the execution with States.Runtime.
                "Cause": "the outcome could not be reported; see the history of this execution",
            },
        },
    }


def execution_timeout_seconds(args: RetrainingPipelineArgs) -> int:
    """Add up the longest times that all stages may take.

    The functions enforce their own deadlines. This timeout is only for a function that fails to.
    """
    limits = args.limits
    # A run waits for an older run and for a deletion at the same time. A training also waits for
    # imports that the run didn't start.
    waiting_time = max(MAX_WAIT_FOR_OLDER_RUN, MAX_WAIT_FOR_DELETION) + timedelta(
        hours=limits.max_import_hours
    )

    batch_jobs = [job for solution in args.solutions for job in solution.batch_jobs]
    deadlines = [
        limits.max_import_hours,
        limits.max_training_hours,
        limits.max_campaign_hours,
        max([job.max_hours for job in batch_jobs], default=0),
    ]
    # A job may first wait as long as its deadline allows, and then run as long.
    job_time = 2 * timedelta(hours=sum(deadlines))

    # A run may have to finish trials of earlier runs before it starts its own.
    trial_time = 2 * _longest_trial(args)
    return round((waiting_time + job_time + trial_time + SPARE_TIME).total_seconds())


def retries_during_trial(args: RetrainingPipelineArgs) -> Retries:
    """Return retries for a killed `deploy_version` that last as long as the longest trial.

    A killed function can't report whether a version is on trial. If the run gave up, it might go on
    with another solution for a day, and nobody would roll back a bad version in the meantime.
    """
    # The first three pauses are shorter, so there are three more.
    times = math.ceil(_longest_trial(args) / LONGEST_TRIAL_PAUSE) + 3
    return Retries(times, longest_pause=round(LONGEST_TRIAL_PAUSE.total_seconds()))


def _longest_trial(args: RetrainingPipelineArgs) -> timedelta:
    """Return how long a trial can last before a run gives up the version."""
    campaigns = [campaign for solution in args.solutions for campaign in solution.campaigns]
    bake_hours = [campaign.bake.hours for campaign in campaigns if campaign.bake]
    return MAX_TRIAL_WITHOUT_BAKE + timedelta(hours=max(bake_hours, default=0))
