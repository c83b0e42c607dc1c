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
    RetryPolicy,
    build_choice,
    build_final_pass,
    build_map,
    build_polling_loop,
    build_task,
    build_wait,
)

MAX_PAUSE_DURING_TRIAL = timedelta(minutes=30)
"""The longest pause before `deploy_version` is retried after PLATFORM_ERRORS.

Each retry adds 3 events to the execution's history, which must have room for 50 campaigns
(tests/workflow/test_sizes.py)."""
RESERVE_TIME = timedelta(hours=2)
"""The time for everything except jobs and trials. Stopping a training takes up to an hour of it
(`functions/rules/trainings.py`)."""


def _copy_fields(*names: str) -> dict[str, str]:
    """Return the parameters of a Pass or a Map that copy these fields from the document."""
    return {f"{name}.$": f"$.{name}" for name in names}


# What each iteration of a Map starts with.
ITERATION_INPUT = {**_copy_fields("settings", "run"), "status": None, "error": None}
# What an iteration returns.
DATASET_RESULT = _copy_fields("dataset", "status", "error")
CAMPAIGN_RESULT = _copy_fields("campaign", "status", "error")
CAMPAIGN_RESULT_AND_OUTCOME = {**CAMPAIGN_RESULT, "outcome.$": "$.status.outcome"}
BATCH_RESULT = _copy_fields("batchJob", "status", "error")
SOLUTION_RESULT = {
    **_copy_fields("solution", "campaigns", "batchJobs", "error"),
    "version.$": "$.status",
}


def build_definition(
    function_arns: Mapping[str, Input[str]],
    settings: Mapping[str, object],
    args: RetrainingPipelineArgs,
) -> Definition:
    """Return the state machine in the Amazon States Language.

    `function_arns` maps each handler in `functions/` to its function's ARN. `settings` come from
    `components/workflow_settings.py`, and go into the document of every execution.
    """
    return {
        "Comment": "Retrain an Amazon Personalize dataset group.",
        "StartAt": "Configure run",
        "TimeoutSeconds": compute_execution_timeout_seconds(args),
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
            "Plan retraining": build_task(
                function_arns["plan_retraining"],
                # The result replaces the whole document. This drops the results of "Retrain
                # solutions", because the document must not grow too large.
                result_path="$",
                next_state="What is there to do?",
                on_error="Report outcome",
            ),
            "What is there to do?": build_choice(
                "$.plan.todo",
                {
                    "WAIT": "Wait to begin",
                    "TRIALS": "Retrain solutions",
                    "WORK": "Import datasets",
                },
                default="Report outcome",
            ),
            "Wait to begin": build_wait("$.plan.seconds", next_state="Plan retraining"),
            "Import datasets": build_map(
                "$.plan.imports",
                item_selector={**ITERATION_INPUT, "dataset.$": "$$.Map.Item.Value"},
                states={
                    **build_polling_loop(
                        "Import dataset",
                        "How is the import?",
                        function_arn=function_arns["import_dataset"],
                        wait_by_phase={
                            "IMPORTING": "Wait for the import",
                            "WAITING": "Wait to import",
                        },
                        next_by_outcome={
                            "IMPORTED": "Dataset imported",
                            "FAILED": "Dataset not imported",
                        },
                        on_error="Dataset not imported",
                    ),
                    "Dataset imported": build_final_pass({**DATASET_RESULT, "outcome": "IMPORTED"}),
                    "Dataset not imported": build_final_pass(
                        {**DATASET_RESULT, "outcome": "FAILED"}
                    ),
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
            "Retrain solutions": build_map(
                "$.plan.solutions",
                item_selector={
                    **ITERATION_INPUT,
                    "todo.$": "$.plan.todo",
                    "solution.$": "$$.Map.Item.Value",
                    "campaigns": [],
                    "batchJobs": [],
                },
                states={
                    "Are there only trials?": build_choice(
                        "$.todo", {"TRIALS": "Update campaigns"}, default="Train solution"
                    ),
                    **build_polling_loop(
                        "Train solution",
                        "How is the training?",
                        function_arn=function_arns["train_solution"],
                        wait_by_phase={
                            "TRAINING": "Wait for the training",
                            "STOPPING": "Wait for the training",
                            "WAITING": "Wait to train",
                        },
                        next_by_outcome={
                            "TRAINED": "Update campaigns",
                            "SKIPPED": "Solution finished",
                            "FAILED": "Solution finished",
                        },
                        on_error="Solution finished",
                    ),
                    "Update campaigns": build_map(
                        "$.solution.campaigns",
                        item_selector={
                            **ITERATION_INPUT,
                            "training.$": "$.status",
                            "campaign.$": "$$.Map.Item.Value",
                        },
                        states={
                            **build_polling_loop(
                                "Deploy version",
                                "How is the campaign?",
                                function_arn=function_arns["deploy_version"],
                                wait_by_phase={
                                    "UPDATING": "Wait for the update",
                                    "ROLLING_BACK": "Wait for the rollback",
                                    "BAKING": "Wait for the bake",
                                },
                                next_by_outcome={
                                    "DEPLOYED": "Campaign updated",
                                    "ROLLED_BACK": "Campaign rolled back",
                                    "REJECTED": "Campaign left as it is",
                                    "AWAITING_APPROVAL": "Campaign left as it is",
                                    "SKIPPED": "Campaign left as it is",
                                    "FAILED": "Campaign not updated",
                                },
                                on_error="Campaign not updated",
                                platform_error_policy=build_trial_retry_policy(args),
                            ),
                            "Campaign updated": build_final_pass(CAMPAIGN_RESULT_AND_OUTCOME),
                            "Campaign rolled back": build_final_pass(CAMPAIGN_RESULT_AND_OUTCOME),
                            "Campaign left as it is": build_final_pass(CAMPAIGN_RESULT_AND_OUTCOME),
                            "Campaign not updated": build_final_pass(
                                {**CAMPAIGN_RESULT, "outcome": "FAILED"}
                            ),
                        },
                        result_path="$.campaigns",
                        next_state="Run batch jobs",
                        on_error="Solution finished",
                    ),
                    "Run batch jobs": build_map(
                        "$.solution.batchJobs",
                        item_selector={
                            **ITERATION_INPUT,
                            "solutionArn.$": "$.solution.solutionArn",
                            "recipe.$": "$.solution.recipe",
                            "training.$": "$.status",
                            "batchJob.$": "$$.Map.Item.Value",
                        },
                        states={
                            **build_polling_loop(
                                "Run batch job",
                                "How is the batch job?",
                                function_arn=function_arns["run_batch_job"],
                                wait_by_phase=dict.fromkeys(
                                    ("WRITING", "WAITING"), "Wait for the batch job"
                                ),
                                next_by_outcome=dict.fromkeys(
                                    ("WRITTEN", "SKIPPED", "FAILED"), "Batch job finished"
                                ),
                                on_error="Batch job finished",
                            ),
                            "Batch job finished": build_final_pass(BATCH_RESULT),
                        },
                        result_path="$.batchJobs",
                        next_state="Solution finished",
                        on_error="Solution finished",
                    ),
                    "Solution finished": build_final_pass(SOLUTION_RESULT),
                },
                result_path="$.solutions",
                next_state="Were these only trials?",
                on_error="Report outcome",
            ),
            "Were these only trials?": build_choice(
                "$.plan.todo", {"TRIALS": "Plan retraining"}, default="Report outcome"
            ),
            "Report outcome": build_task(
                function_arns["report_outcome"],
                result_path="$",
                next_state="Did the run succeed?",
                on_error="Report failed",
            ),
            "Did the run succeed?": build_choice(
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


def compute_execution_timeout_seconds(args: RetrainingPipelineArgs) -> int:
    """Add up how long each stage of a run may take at most.

    Each function gives up on its job at a deadline, so an execution only reaches this timeout if a
    function fails to do so.
    """
    limits = args.limits
    # A run waits for an older run and for a deletion at the same time. A training also waits for
    # imports that the run didn't start.
    waiting_time = max(MAX_WAIT_FOR_OLDER_RUN, MAX_WAIT_FOR_DELETION) + timedelta(
        hours=limits.max_import_hours
    )

    batch_jobs = [job for solution in args.solutions for job in solution.batch_jobs]
    stage_limits = [
        limits.max_import_hours,
        limits.max_training_hours,
        limits.max_campaign_hours,
        max([job.max_hours for job in batch_jobs], default=0),
    ]
    # Each function may spend these hours twice: waiting for another job to end, and on its own job.
    job_time = 2 * timedelta(hours=sum(stage_limits))

    # A run may have to finish trials of earlier runs before it starts its own.
    trial_time = 2 * _compute_longest_trial(args)
    timeout = waiting_time + job_time + trial_time + RESERVE_TIME
    return round(timeout.total_seconds())


def build_trial_retry_policy(args: RetrainingPipelineArgs) -> RetryPolicy:
    """Return how often to retry `deploy_version` after it was killed: for as long as a trial lasts.

    If the run gave up earlier, nobody would roll back a bad version that is on trial.
    """
    longest_pauses = math.ceil(_compute_longest_trial(args) / MAX_PAUSE_DURING_TRIAL)
    return RetryPolicy(
        # The first three pauses, of 4, 8 and 16 minutes, are shorter, so they come on top.
        max_attempts=3 + longest_pauses,
        max_pause_seconds=round(MAX_PAUSE_DURING_TRIAL.total_seconds()),
    )


def _compute_longest_trial(args: RetrainingPipelineArgs) -> timedelta:
    """Return after how long a run gives up on a trial: a fixed time plus the longest bake."""
    campaigns = [campaign for solution in args.solutions for campaign in solution.campaigns]
    bake_hours = [campaign.bake.hours for campaign in campaigns if campaign.bake]
    return MAX_TRIAL_WITHOUT_BAKE + timedelta(hours=max(bake_hours, default=0))
