"""Builds the settings that the first state of the state machine adds to every execution."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pulumi

from .args import DEFAULT_FULL_EVERY, RetrainingPipelineArgs, SolutionArgs, config_values
from .rules import rates

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def workflow_settings(
    args: RetrainingPipelineArgs,
    *,
    job_prefix: pulumi.Input[str],
    import_role_arn: pulumi.Input[str],
    topic_arn: pulumi.Input[str],
    dashboard_url: pulumi.Input[str],
) -> dict[str, object]:
    """Return the settings of the pipeline, which are `Settings` in functions/workflow_settings.py.

    Values may be outputs, so serialise the settings with `pulumi.Output.json_dumps`.

    Args:
        args: the arguments of the pipeline.
        job_prefix: the beginning of the names of all import jobs.
        import_role_arn: the ARN of the role that Personalize assumes to read the exports.
        topic_arn: the ARN of the SNS topic to which reports are published.
        dashboard_url: the address of the dashboard, to which reports link.
    """
    return {
        "prefix": job_prefix,
        "importRoleArn": import_role_arn,
        "datasets": [
            {"type": dataset_type, **config_values(dataset)}
            for dataset_type, dataset in args.datasets.configured().items()
        ],
        "solutions": [_solution(solution) for solution in args.solutions],
        "limits": {
            **config_values(args.limits),
            "maxTrainingsPerMonth": args.max_trainings_per_month,
            "maxModelAgeDays": args.max_model_age_days,
        },
        "notifications": notification_settings(args, topic_arn, dashboard_url),
        "trainingHourPrice": args.training_hour_price,
        "triggerOnExport": args.trigger.on_export,
        "cadenceSeconds": args.cadence_seconds,
        "skipWhenUnchanged": args.skip_when_unchanged,
        "autoTraining": args.auto_training,
        "tags": dict(args.tags),
    }


def notification_settings(
    args: RetrainingPipelineArgs, topic_arn: pulumi.Input[str], dashboard_url: pulumi.Input[str]
) -> dict[str, object]:
    """Return the settings about the reports of runs, which are `NotificationSettings`."""
    return {"topicArn": topic_arn, "on": args.notifications.on, "dashboardUrl": dashboard_url}


def _solution(solution: SolutionArgs) -> dict[str, object]:
    """Return the settings of a solution. A gate that is not enabled has no rules."""
    rules = solution.quality_gate if solution.quality_gate_enabled else ()
    return {
        "solutionArn": solution.solution_arn,
        "trainingMode": solution.training_mode,
        **_full_every_days(solution),
        "qualityGate": [_fields_with_values(rule) for rule in rules],
        "approval": config_values(solution.approval) if solution.approval else None,
        "campaigns": [
            {
                "campaignArn": campaign.campaign_arn,
                "probe": _fields_with_values(campaign.probe) if campaign.probe else None,
            }
            for campaign in solution.campaigns
        ],
    }


def _full_every_days(solution: SolutionArgs) -> dict[str, int]:
    """Return the setting `fullEveryDays` of a solution, which only UPDATE trainings have."""
    if solution.training_mode != "UPDATE":
        return {}
    days = rates.number_of_days(solution.full_every or DEFAULT_FULL_EVERY)
    assert days is not None, "problems() has checked full_every"
    return {"fullEveryDays": days}


def _fields_with_values(args: "DataclassInstance") -> dict[str, object]:
    """Return the fields that are not None by their keys. Sequences become lists."""
    values = {key: value for key, value in config_values(args).items() if value is not None}
    for key, value in values.items():
        if isinstance(value, Sequence) and not isinstance(value, str):
            values[key] = list(value)
    return values
