"""Builds the settings that the first state of the state machine adds to every execution."""

from collections.abc import Callable, Mapping
from typing import Any

import pulumi

from .args import RetrainingPipelineArgs, as_config
from .rules.arns import alarm_name
from .rules.rates import shortest_seconds_between_runs


def workflow_settings(
    args: RetrainingPipelineArgs,
    *,
    job_prefix: pulumi.Input[str],
    import_role_arn: pulumi.Input[str],
    topic_arn: pulumi.Input[str],
    dashboard_url: pulumi.Input[str],
) -> dict[str, Any]:
    """Return the settings of the pipeline, which are `Settings` in `functions/contract.py`.

    Values may be outputs, so serialise the settings with `pulumi.Output.json_dumps`. The names of
    all import jobs begin with `job_prefix`. Reports go to the topic, and contain the dashboard's
    address.
    """
    config = as_config(args)
    for solution in config["solutions"]:
        if not solution.pop("qualityGateEnabled"):
            solution["qualityGate"] = []
        for campaign in solution["campaigns"]:
            if campaign["bake"]:
                campaign["bake"] = _bake(campaign, job_prefix)
    copied = ("solutions", "trainingHourPrice", "skipWhenUnchanged", "autoTraining", "tags")
    return {
        **{key: config[key] for key in copied},
        "prefix": job_prefix,
        "importRoleArn": import_role_arn,
        "datasets": [
            {"type": dataset_type, **dataset}
            for dataset_type, dataset in config["datasets"].items()
            if dataset is not None
        ],
        "limits": {
            **config["limits"],
            "maxTrainingsPerMonth": args.max_trainings_per_month,
            "maxModelAgeDays": args.max_model_age_days,
        },
        "notifications": {
            "topicArn": topic_arn,
            "on": args.notifications.on,
            "dashboardUrl": dashboard_url,
        },
        "triggerOnExport": args.trigger.on_export,
        "cadenceSeconds": shortest_seconds_between_runs(args.retraining_rate),
    }


def _bake(campaign: Mapping[str, Any], job_prefix: pulumi.Input[str]) -> dict[str, Any]:
    """Return the settings of a bake. The alarm that the component creates is the last one."""
    bake = campaign["bake"]
    names = [_mapped(alarm_name, arn) for arn in bake["alarms"]]
    if bake["createAlarm"]:
        names.append(_mapped(created_alarm_name, campaign["campaignArn"], job_prefix))
    return {"hours": bake["hours"], "alarms": names}


def created_alarm_name(campaign_arn: str, job_prefix: str) -> str:
    """Return the name of the alarm that the component creates for the bake of a campaign."""
    return f"bake-{campaign_arn.rpartition('/')[2]}-{job_prefix}"


def _mapped(function: Callable[..., str], *inputs: pulumi.Input[str]) -> pulumi.Input[str]:
    """Return the result of a function. It is an output if one of its arguments is."""
    if all(isinstance(value, str) for value in inputs):
        return function(*inputs)
    return pulumi.Output.all(*inputs).apply(lambda values: function(*values))
