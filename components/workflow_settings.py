"""Builds the settings that the first state of the workflow adds to every execution."""

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
) -> dict[str, object]:
    """Return the settings of the pipeline (`Settings` in functions/contract.py).

    The name of every import job begins with `job_prefix`. Values may be outputs, so serialise the
    settings with `pulumi.Output.json_dumps`.
    """
    return {
        "prefix": job_prefix,
        "importRoleArn": import_role_arn,
        "datasets": [
            {"type": key, **config_values(dataset)}
            for key, dataset in args.datasets.configured().items()
        ],
        "solutions": [_solution(solution) for solution in args.solutions],
        "limits": config_values(args.limits),
        "skipWhenUnchanged": args.skip_when_unchanged,
        "autoTraining": args.auto_training,
        "tags": dict(args.tags),
    }


def _solution(solution: SolutionArgs) -> dict[str, object]:
    rules = solution.quality_gate if solution.quality_gate_enabled else ()
    return {
        "solutionArn": solution.solution_arn,
        "trainingMode": solution.training_mode,
        **_full_every(solution),
        "qualityGate": [_set_fields(rule) for rule in rules],
        "campaigns": [
            {
                "campaignArn": campaign.campaign_arn,
                "probe": _set_fields(campaign.probe) if campaign.probe else None,
            }
            for campaign in solution.campaigns
        ],
    }


def _full_every(solution: SolutionArgs) -> dict[str, int]:
    if solution.training_mode != "UPDATE":
        return {}
    days = rates.number_of_days(solution.full_every or DEFAULT_FULL_EVERY)
    assert days is not None, "problems() has checked full_every"
    return {"fullEveryDays": days}


def _set_fields(args: "DataclassInstance") -> dict[str, object]:
    """Return the fields that are not None, and sequences as lists."""
    return {
        key: list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
        for key, value in config_values(args).items()
        if value is not None
    }
