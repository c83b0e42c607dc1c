"""Builds the settings that the state machine's first state adds to every execution."""

from typing import Any

from pulumi import Input

from .args import RetrainingPipelineArgs, to_config
from .rules.run_times import find_shortest_interval_seconds


def build_workflow_settings(
    args: RetrainingPipelineArgs,
    *,
    job_prefix: Input[str],
    import_role_arn: Input[str | None],
    topic_arn: Input[str],
    dashboard_url: Input[str],
    batch_role_arn: Input[str] | None = None,
) -> dict[str, Any]:
    """Turn arguments into the settings of the functions (`Settings` in `functions/contract.py`).

    Some of the settings may be outputs, which `json.dumps` can't serialize, so use
    `pulumi.Output.json_dumps`.
    """
    config = to_config(args)
    for solution in config["solutions"]:
        is_gate_enabled = solution.pop("qualityGateEnabled")
        if not is_gate_enabled:
            # A gate without rules lets every version pass.
            solution["qualityGate"] = []

    datasets = [
        {"type": dataset_type, **dataset}
        for dataset_type, dataset in config["datasets"].items()
        if dataset is not None
    ]
    copied_keys = (
        "solutions",
        "trainingHourPrice",
        "skipWhenUnchanged",
        "autoTraining",
        "tags",
        "dataKmsKeyArn",
    )
    return {
        **{key: config[key] for key in copied_keys},
        "prefix": job_prefix,
        "importRoleArn": import_role_arn,
        "batchRoleArn": batch_role_arn,
        "datasets": datasets,
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
        "cadenceSeconds": find_shortest_interval_seconds(args.retraining_rate),
    }
