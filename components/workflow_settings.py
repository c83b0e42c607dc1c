"""Builds the settings that the first state of the state machine adds to every execution."""

from typing import Any

import pulumi

from .args import RetrainingPipelineArgs, as_config
from .rules.rates import shortest_seconds_between_runs


def workflow_settings(
    args: RetrainingPipelineArgs,
    *,
    job_prefix: pulumi.Input[str],
    import_role_arn: pulumi.Input[str],
    topic_arn: pulumi.Input[str],
    dashboard_url: pulumi.Input[str],
    batch_role_arn: pulumi.Input[str] | None = None,
) -> dict[str, Any]:
    """Return the settings of the pipeline, which are `Settings` in `functions/contract.py`.

    Values may be outputs, so serialise the settings with `pulumi.Output.json_dumps`. The names of
    all import jobs and batch jobs begin with `job_prefix`.
    """
    config = as_config(args)
    for solution in config["solutions"]:
        if not solution.pop("qualityGateEnabled"):
            solution["qualityGate"] = []

    copied = ("solutions", "trainingHourPrice", "skipWhenUnchanged", "autoTraining", "tags")
    return {
        **{key: config[key] for key in copied},
        "prefix": job_prefix,
        "importRoleArn": import_role_arn,
        "batchRoleArn": batch_role_arn,
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
