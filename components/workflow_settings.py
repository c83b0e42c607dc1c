"""Builds the settings that the first state of the state machine adds to every execution."""

from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any

import pulumi

from .args import RetrainingPipelineArgs, config_values


def workflow_settings(
    args: RetrainingPipelineArgs,
    *,
    job_prefix: pulumi.Input[str],
    import_role_arn: pulumi.Input[str],
    topic_arn: pulumi.Input[str],
    dashboard_url: pulumi.Input[str],
) -> dict[str, Any]:
    """Return the settings of the pipeline, which are `Settings` in functions/workflow_settings.py.

    Values may be outputs, so serialise the settings with `pulumi.Output.json_dumps`. The names of
    all import jobs begin with `job_prefix`. Reports are published to the topic, and link to the
    dashboard.
    """
    config = _document(args)
    for solution in config["solutions"]:
        if not solution.pop("qualityGateEnabled"):
            solution["qualityGate"] = []
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
        "cadenceSeconds": args.cadence_seconds,
    }


def _document(value: Any) -> Any:  # noqa: ANN401  # JSON
    """Return arguments as JSON has them, with their keys in the config. Outputs stay outputs."""
    if is_dataclass(value) and not isinstance(value, type):
        return {key: _document(field) for key, field in config_values(value).items()}
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, list | tuple):
        return [_document(element) for element in value]
    return value
