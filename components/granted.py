"""What the functions are granted something on: the ARNs behind the words of `steps.Resource`."""

from collections.abc import Mapping, Sequence

import pulumi

from . import policies
from .args import RetrainingPipelineArgs
from .arns import Home
from .steps import Resource


def resources(
    args: RetrainingPipelineArgs,
    home: pulumi.Output[Home],
    job_prefixes: Sequence[pulumi.Input[str]],
    import_role_arn: pulumi.Output[str],
    group_arn: pulumi.Output[str],
) -> Mapping[Resource, pulumi.Input[Sequence[str]]]:
    """Give the ARNs of each kind that exists before the state machine; a kind may have none."""
    configured = [dataset for _, dataset in args.datasets.configured()]
    datasets = pulumi.Output.all(*(dataset.dataset_arn for dataset in configured))
    locations = [dataset.data_location for dataset in configured]
    markers = [dataset.ready_marker for dataset in configured if dataset.ready_marker is not None]
    solutions = pulumi.Output.all(*(solution.solution_arn for solution in args.solutions))
    return {
        "any": ["*"],
        "dataset groups": datasets.apply(policies.dataset_groups),
        "datasets": datasets,
        "schemas": home.apply(lambda known: [policies.schemas(known)]),
        "import jobs": pulumi.Output.all(home, *job_prefixes).apply(
            lambda known: [policies.import_jobs(Home(*known[0]), each) for each in known[1:]]
        ),
        "all import jobs": home.apply(lambda known: [policies.all_import_jobs(known)]),
        "import role": pulumi.Output.all(import_role_arn),
        "solutions": solutions,
        "solution versions": solutions.apply(
            lambda arns: [policies.solution_versions(arn) for arn in arns]
        ),
        "campaigns": pulumi.Output.all(
            *(each.campaign_arn for solution in args.solutions for each in solution.campaigns)
        ),
        "schedule": group_arn.apply(lambda arn: [policies.schedules(arn)]),
        "exports": pulumi.Output.all(home.partition, locations).apply(
            lambda known: policies.exports(*known)
        ),
        # A ready marker is looked for in the list of its bucket, never read.
        "export buckets": pulumi.Output.all(home.partition, [*locations, *markers]).apply(
            lambda known: policies.export_buckets(*known)
        ),
        "data key": pulumi.Output.all(
            *([args.data_kms_key_arn] if args.data_kms_key_arn is not None else [])
        ),
    }
