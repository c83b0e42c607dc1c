"""Builds the settings of a pipeline as every execution of its workflow gets them."""

from dataclasses import fields

import pulumi

from .args import (
    FULL_EVERY,
    ProbeArgs,
    QualityRuleArgs,
    RetrainingPipelineArgs,
    SolutionArgs,
    camel_case,
)
from .rules import rates


def document(
    args: RetrainingPipelineArgs,
    *,
    job_prefix: pulumi.Input[str],
    import_role_arn: pulumi.Input[str],
) -> dict[str, object]:
    """Return the settings in the first state of the workflow (`Settings` of the functions).

    The name of every job begins with `job_prefix`. Values may be outputs, so serialise the settings
    with `pulumi.Output.json_dumps`.
    """
    return {
        "prefix": job_prefix,
        "importRoleArn": import_role_arn,
        "datasets": [
            {
                "type": key,
                "datasetArn": dataset.dataset_arn,
                "dataLocation": dataset.data_location,
                "importMode": dataset.import_mode,
                "minRelativeSize": dataset.min_relative_size,
                "readyMarker": dataset.ready_marker,
            }
            for key, dataset in args.datasets.configured()
        ],
        "solutions": [
            {
                "solutionArn": solution.solution_arn,
                "trainingMode": solution.training_mode,
                **_full_every(solution),
                "qualityGate": (
                    [_given(rule) for rule in solution.quality_gate]
                    if solution.quality_gate_enabled
                    else []
                ),
                "campaigns": [
                    {
                        "campaignArn": each.campaign_arn,
                        "probe": _given(each.probe) if each.probe else None,
                    }
                    for each in solution.campaigns
                ],
            }
            for solution in args.solutions
        ],
        "limits": {
            camel_case(each.name): getattr(args.limits, each.name) for each in fields(args.limits)
        },
        "skipWhenUnchanged": args.skip_when_unchanged,
        "autoTraining": args.auto_training,
        "tags": dict(args.tags),
    }


def _given(part: QualityRuleArgs | ProbeArgs) -> dict[str, object]:
    """Return the fields that are set, under the keys of the config."""
    found = {camel_case(each.name): getattr(part, each.name) for each in fields(part)}
    return {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in found.items()
        if value is not None
    }


def _full_every(solution: SolutionArgs) -> dict[str, int]:
    if solution.training_mode != "UPDATE":
        return {}
    days = rates.number_of_days(solution.full_every or FULL_EVERY)
    assert days is not None, "problems() has found nothing wrong with it"
    return {"fullEveryDays": days}
