"""The state machine as one literal in running order: begin, plan, import, train, update, report.

`functions/contract.py` describes the document that travels between the states.
"""

from collections.abc import Mapping

import pulumi

from ..args import RetrainingPipelineArgs
from .asl import (
    Definition,
    States,
    call,
    choose,
    end_with,
    for_each,
    loop,
    wait,
)
from .longest_run import execution_timeout_seconds

REPORTED_ERROR = "RetrainingFailed"
"""The error of a failed execution that has sent its report. `close_run` does nothing after it."""

REPORT_ATTEMPTS = 15
"""The further retries of the report while Lambda does not start it, in 45 minutes at most. If it
failed, a run that has done its work would count as failed, so it is tried for longer than any other
step. A report that was started may have sent its message, so it is not retried more often."""


def _copied_fields(*names: str) -> dict[str, str]:
    """Return parameters that copy these fields of the document under their names."""
    return {f"{name}.$": f"$.{name}" for name in names}


# The fields that each iteration of a Map needs, and the fields that it returns.
RUN_FIELDS = _copied_fields("settings", "run")
DATASET_RESULT = _copied_fields("dataset", "item", "error")
CAMPAIGN_RESULT = _copied_fields("campaign", "item", "error")
SOLUTION_RESULT = {**_copied_fields("solution", "campaigns", "error"), "version.$": "$.item"}


def definition(
    functions: Mapping[str, pulumi.Input[str]],
    settings: Mapping[str, object],
    args: RetrainingPipelineArgs,
) -> Definition:
    """Return the state machine that retrains a dataset group.

    `functions` maps each step to the ARN of its function. `settings` come from
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
                    "request.$": "$$.Execution.Input",
                    "executionArn.$": "$$.Execution.Id",
                    "startedAt.$": "$$.Execution.StartTime",
                },
                "ResultPath": "$",
                "Next": "Begin run",
            },
            "Begin run": call(
                functions["begin_run"],
                result_path="$",
                next_state="May the run begin?",
                on_error="Report outcome",
            ),
            "May the run begin?": choose(
                "$.begin.phase",
                {"GO": "Find trials", "WAIT": "Wait to begin"},
                default="Report outcome",
            ),
            "Wait to begin": wait("$.begin.seconds", next_state="Begin run"),
            "Find trials": call(
                functions["find_trials"],
                result_path="$.unfinished",
                next_state="Finish trials",
                on_error="Report outcome",
            ),
            "Finish trials": for_each(
                "$.unfinished.campaigns",
                selector={
                    **RUN_FIELDS,
                    "versionArn": None,
                    "campaign.$": "$$.Map.Item.Value",
                    "item": None,
                    "error": None,
                },
                states=_deploy(functions["deploy_version"], " on trial"),
                result_path="$.trials",
                next_state="Is there more than trials?",
                on_error="Report outcome",
            ),
            "Is there more than trials?": choose(
                "$.run.trigger", {"trial": "Report outcome"}, default="Plan retraining"
            ),
            "Plan retraining": call(
                functions["plan_retraining"],
                # The result leaves out the results of the trials, because the plan has a line
                # about each of them, and the document must not grow too large.
                result_path="$",
                next_state="Is there anything to do?",
                on_error="Report outcome",
            ),
            "Is there anything to do?": {
                "Type": "Choice",
                "Choices": [
                    {"Variable": "$.plan.skipped", "IsNull": True, "Next": "Import datasets"},
                ],
                "Default": "Report outcome",
            },
            "Import datasets": for_each(
                "$.plan.imports",
                selector={
                    **RUN_FIELDS,
                    "dataset.$": "$$.Map.Item.Value",
                    "item": None,
                    "error": None,
                },
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
                    **RUN_FIELDS,
                    "solution.$": "$$.Map.Item.Value",
                    "item": None,
                    "campaigns": [],
                    "error": None,
                },
                states={
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
                            **RUN_FIELDS,
                            "versionArn.$": "$.item.arn",
                            "campaign.$": "$$.Map.Item.Value",
                            "item": None,
                            "error": None,
                        },
                        states=_deploy(functions["deploy_version"]),
                        result_path="$.campaigns",
                        next_state="Solution finished",
                        on_error="Solution finished",
                    ),
                    "Solution finished": end_with(SOLUTION_RESULT),
                },
                result_path="$.solutions",
                next_state="Report outcome",
                on_error="Report outcome",
            ),
            "Report outcome": call(
                functions["report_outcome"],
                result_path="$",
                next_state="Did the run succeed?",
                on_error="Report failed",
                more_attempts=REPORT_ATTEMPTS,
            ),
            "Did the run succeed?": choose(
                "$.outcome.status", {"FAILED": "Retraining failed"}, default="Retrained"
            ),
            "Retrained": {"Type": "Succeed"},
            "Retraining failed": {
                "Type": "Fail",
                "Error": REPORTED_ERROR,
                "CausePath": "$.outcome.text",
            },
            "Report failed": {
                "Type": "Fail",
                "Error": "ReportFailed",
                # A fixed text, because a timeout has no cause, and a path that does not exist
                # would end the execution with States.Runtime.
                "Cause": "the outcome could not be reported; see the history of this execution",
            },
        },
    }


def _deploy(function: pulumi.Input[str], on_trial: str = "") -> States:
    """Return the states that bring a version to a campaign, or that end the trial of a version.

    Names are unique in a state machine, so the states that only end a trial have another ending.
    """
    result = {**CAMPAIGN_RESULT, "outcome.$": "$.item.outcome"}
    updated, rolled_back = f"Campaign updated{on_trial}", f"Campaign rolled back{on_trial}"
    kept, not_updated = f"Campaign left as it is{on_trial}", f"Campaign not updated{on_trial}"
    return {
        **loop(
            f"Deploy version{on_trial}",
            f"How is the campaign{on_trial}?",
            function=function,
            waits={
                "UPDATING": f"Wait for the update{on_trial}",
                "GOING_BACK": f"Wait for the rollback{on_trial}",
            },
            outcomes={
                "DEPLOYED": updated,
                "ROLLED_BACK": rolled_back,
                **dict.fromkeys(("REJECTED", "AWAITING_APPROVAL", "SKIPPED"), kept),
                "FAILED": not_updated,
            },
            on_error=not_updated,
        ),
        updated: end_with(result),
        rolled_back: end_with(result),
        kept: end_with(result),
        not_updated: end_with({**CAMPAIGN_RESULT, "outcome": "FAILED"}),
    }
