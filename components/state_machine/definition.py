"""The state machine: import, train, update, report, as one literal in running order.

What travels between the states is described in `functions/contract.py`.
"""

from collections.abc import Mapping

import pulumi

from ..args import RetrainingPipelineArgs
from .asl import Definition, call, choose, end_with, for_each, wait, watch

REPORTED = "RetrainingFailed"
"""The error of an execution that failed and has reported; `close_run` leaves it alone."""


def definition(
    functions: Mapping[str, pulumi.Input[str]],
    settings: Mapping[str, object],
    args: RetrainingPipelineArgs,
) -> Definition:
    """Give the definition: `functions` maps each step to its ARN, `settings` is what plan reads."""
    return {
        "Comment": "Retrain an Amazon Personalize dataset group.",
        "StartAt": "Configure run",
        "TimeoutSeconds": args.backstop_seconds,
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
                "Next": "Plan retraining",
            },
            "Plan retraining": call(
                functions["plan_retraining"],
                result_path="$",
                then="Is there anything to do?",
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
                    "run.$": "$.run",
                    "dataset.$": "$$.Map.Item.Value",
                    "job": None,
                    "error": None,
                },
                states={
                    "Create dataset import job": call(
                        functions["create_dataset_import_job"],
                        result_path="$.job",
                        then="Has the dataset import job ended?",
                        on_error="Dataset not imported",
                    ),
                    **watch(
                        "dataset import job",
                        function=functions["watch_dataset_import_job"],
                        job="$.job",
                        then="Dataset imported",
                        ended="Dataset not imported",
                        also={
                            "AGAIN": "Wait for a free import slot",
                            "OVERDUE": "Dataset not imported",
                        },
                    ),
                    "Wait for a free import slot": wait(
                        "$.job.seconds", then="Create dataset import job"
                    ),
                    "Dataset imported": end_with({**DATASET_RESULT, "outcome": "IMPORTED"}),
                    "Dataset not imported": end_with({**DATASET_RESULT, "outcome": "FAILED"}),
                },
                result_selector={
                    "results.$": "$",
                    "anyFailed.$": "States.ArrayContains($[*].outcome, 'FAILED')",
                },
                result_path="$.imports",
                then="Were all datasets imported?",
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
                    "run.$": "$.run",
                    "imports.$": "$.imports.results",
                    "solution.$": "$$.Map.Item.Value",
                    "version": None,
                    "campaigns": [],
                    "error": None,
                },
                states={
                    "Create solution version": call(
                        functions["create_solution_version"],
                        result_path="$.version",
                        then="Has the solution version ended?",
                        on_error="Solution finished",
                    ),
                    **watch(
                        "solution version",
                        function=functions["watch_solution_version"],
                        job="$.version",
                        then="Update campaigns",
                        ended="Solution finished",
                        also={
                            "OVERDUE": "Stop solution version",
                            "SKIPPED": "Solution finished",
                        },
                    ),
                    "Stop solution version": call(
                        functions["stop_solution_version"],
                        result_path="$.version",
                        then="Has the solution version ended?",
                        on_error="Solution finished",
                    ),
                    "Update campaigns": for_each(
                        "$.solution.campaigns",
                        selector={
                            "run.$": "$.run",
                            "version.$": "$.version",
                            "qualityGate.$": "$.solution.qualityGate",
                            "campaign.$": "$$.Map.Item.Value",
                            "evaluation": None,
                            "update": None,
                            "probing": None,
                            "rollback": None,
                            "error": None,
                        },
                        states={
                            "Evaluate solution version": call(
                                functions["evaluate_solution_version"],
                                result_path="$.evaluation",
                                then="Is the solution version good enough?",
                                on_error="Campaign not updated",
                            ),
                            "Is the solution version good enough?": choose(
                                "$.evaluation.verdict",
                                {"ACCEPTED": "Update campaign"},
                                otherwise="Solution version rejected",
                            ),
                            "Update campaign": call(
                                functions["update_campaign"],
                                result_path="$.update",
                                then="Has the campaign update ended?",
                                on_error="Campaign not updated",
                            ),
                            **watch(
                                "campaign update",
                                function=functions["watch_campaign_update"],
                                job="$.update",
                                then="Is there a probe?",
                                ended="Campaign not updated",
                                also={
                                    "AGAIN": "Wait for the campaign to be free",
                                    "CHANGED": "Wait to ask the gate again",
                                    "SUPERSEDED": "Campaign serves a newer version",
                                    "OVERDUE": "Campaign not updated",
                                },
                            ),
                            "Wait for the campaign to be free": wait(
                                "$.update.seconds", then="Update campaign"
                            ),
                            "Wait to ask the gate again": wait(
                                "$.update.seconds", then="Evaluate solution version"
                            ),
                            "Is there a probe?": {
                                "Type": "Choice",
                                "Choices": [
                                    {
                                        "And": [
                                            {"Variable": "$.campaign.probe", "IsNull": False},
                                            {
                                                "Variable": "$.update.previousVersionArn",
                                                "IsPresent": True,
                                            },
                                            {
                                                "Variable": "$.update.previousVersionArn",
                                                "IsNull": False,
                                            },
                                        ],
                                        "Next": "Probe campaign",
                                    }
                                ],
                                "Default": "Campaign updated",
                            },
                            "Probe campaign": call(
                                functions["probe_campaign"],
                                result_path="$.probing",
                                then="Does the campaign serve well?",
                                on_error="Campaign not updated",
                            ),
                            "Does the campaign serve well?": choose(
                                "$.probing.phase",
                                {"PASSED": "Campaign updated", "NEAR": "Probe campaign"},
                                otherwise="Roll back campaign",
                            ),
                            "Roll back campaign": call(
                                functions["roll_back_campaign"],
                                result_path="$.rollback",
                                then="Has the rollback ended?",
                                on_error="Campaign not updated",
                            ),
                            **watch(
                                "rollback",
                                function=functions["watch_campaign_update"],
                                job="$.rollback",
                                then="Campaign rolled back",
                                ended="Campaign not updated",
                                also={
                                    "AGAIN": "Wait to roll back",
                                    "OVERDUE": "Campaign not updated",
                                },
                            ),
                            "Wait to roll back": wait(
                                "$.rollback.seconds", then="Roll back campaign"
                            ),
                            "Campaign updated": end_with(
                                {**CAMPAIGN_RESULT, "outcome": "DEPLOYED"}
                            ),
                            "Solution version rejected": end_with(
                                {**CAMPAIGN_RESULT, "outcome": "REJECTED"}
                            ),
                            "Campaign rolled back": end_with(
                                {**CAMPAIGN_RESULT, "outcome": "ROLLED_BACK"}
                            ),
                            "Campaign serves a newer version": end_with(
                                {**CAMPAIGN_RESULT, "outcome": "SKIPPED"}
                            ),
                            "Campaign not updated": end_with(
                                {**CAMPAIGN_RESULT, "outcome": "FAILED"}
                            ),
                        },
                        result_path="$.campaigns",
                        then="Solution finished",
                        on_error="Solution finished",
                    ),
                    "Solution finished": end_with(SOLUTION_RESULT),
                },
                result_path="$.solutions",
                then="Report outcome",
                on_error="Report outcome",
            ),
            "Report outcome": call(
                functions["report_outcome"],
                result_path="$.outcome",
                then="Did the run succeed?",
                on_error="Report failed",
            ),
            "Did the run succeed?": choose(
                "$.outcome.status", {"FAILED": "Retraining failed"}, otherwise="Retrained"
            ),
            "Retrained": {"Type": "Succeed"},
            "Retraining failed": {
                "Type": "Fail",
                "Error": REPORTED,
                "CausePath": "$.outcome.text",
            },
            "Report failed": {
                "Type": "Fail",
                "Error": "ReportFailed",
                # Not the error's own: a time-out has none, and a missing path would end the run
                # with States.Runtime.
                "Cause": "the outcome could not be reported; this execution's history tells why",
            },
        },
    }


def _just(*fields: str) -> dict[str, str]:
    """Select these fields of the document, each under its own name."""
    return {f"{field}.$": f"$.{field}" for field in fields}


DATASET_RESULT = _just("dataset", "job", "error")
CAMPAIGN_RESULT = _just("campaign", "evaluation", "update", "probing", "rollback", "error")
SOLUTION_RESULT = _just("solution", "version", "campaigns", "error")
