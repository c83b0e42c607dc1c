"""IAM: the pipeline's policies as dicts, and the ARNs behind the words of `steps.Resource`."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

import pulumi

from .args import RetrainingPipelineArgs
from .rules.arns import Home
from .rules.values import DATE
from .state_machine.steps import Resource

Document: TypeAlias = dict[str, object]
Condition: TypeAlias = Mapping[str, Mapping[str, str | list[str]]]

TO_PERSONALIZE_ALONE: Condition = {
    "StringEquals": {"iam:PassedToService": "personalize.amazonaws.com"}
}

TRACE = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
"""Both know no resource but `*`:
https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsx-ray.html."""

SAMPLE = ["xray:GetSamplingRules", "xray:GetSamplingTargets"]
"""Beside TRACE, for a state machine; `*` as well (the same page)."""

DELIVER_LOGS = [
    "logs:CreateLogDelivery",
    "logs:GetLogDelivery",
    "logs:UpdateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:DescribeResourcePolicies",
    "logs:DescribeLogGroups",
]
"""What a state machine's logging needs, on `*`:
https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html#cloudwatch-iam-policy."""


def import_jobs(home: Home, job_prefix: str) -> str:
    """Every import job of one pipeline, also those to come: their names begin with its prefix."""
    return _arn(home, "personalize", f"dataset-import-job/{job_prefix}-*")


def all_import_jobs(home: Home) -> str:
    """Return the pattern of every import job. Only reading is allowed on it."""
    return _arn(home, "personalize", "dataset-import-job/*")


def dataset_groups(dataset_arns: Iterable[str]) -> list[str]:
    """The groups of datasets: `dataset/<group>/<type>` is in `dataset-group/<group>`."""
    return sorted(
        {arn.rpartition("/")[0].replace(":dataset/", ":dataset-group/", 1) for arn in dataset_arns}
    )


def schemas(home: Home) -> str:
    """Every schema: which one a dataset has is known only once the dataset is described."""
    return _arn(home, "personalize", "schema/*")


def solution_versions(solution_arn: str) -> str:
    """Every version of a solution, also those to come."""
    return f"{solution_arn}/*"


def schedules(group_arn: str) -> str:
    """Every schedule of a schedule group."""
    return group_arn.replace(":schedule-group/", ":schedule/", 1) + "/*"


def executions(state_machine_arn: str) -> str:
    """Every execution of a state machine."""
    return state_machine_arn.replace(":stateMachine:", ":execution:", 1) + ":*"


def exports(partition: str, locations: Iterable[str]) -> list[str]:
    """The objects at locations: `s3://bucket/key`, or `s3://bucket/prefix/` for all below it.

    `{date}` in a location stands for any day.
    """
    patterns = {f"{each}*" if each.endswith("/") else each for each in _any_day(locations)}
    return [_s3_arn(partition, each) for each in sorted(patterns)]


def export_buckets(partition: str, locations: Iterable[str]) -> list[str]:
    """The buckets of locations."""
    buckets = {each.partition("/")[0] for each in _any_day(locations)}
    return [_s3_arn(partition, each) for each in sorted(buckets)]


def lambda_trust() -> Document:
    """Let Lambda assume the role; it documents no condition for its functions' roles."""
    return _trust("lambda")


def states_trust(home: Home) -> Document:
    """Let Step Functions assume the role, for state machines of this account and region.

    https://docs.aws.amazon.com/step-functions/latest/dg/procedure-create-iam-role.html
    """
    return _trust(
        "states",
        {
            "StringEquals": {"aws:SourceAccount": home.account},
            "ArnLike": {"aws:SourceArn": _arn(home, "states", "stateMachine:*")},
        },
    )


def personalize_trust(home: Home) -> Document:
    """Let Personalize assume the role, for its resources of this account and region.

    https://docs.aws.amazon.com/personalize/latest/dg/cross-service-confused-deputy-prevention.html
    """
    return _trust(
        "personalize",
        {
            "StringEquals": {"aws:SourceAccount": home.account},
            "ArnLike": {"aws:SourceArn": _arn(home, "personalize", "*")},
        },
    )


def scheduler_trust(group_arn: str) -> Document:
    """Let EventBridge Scheduler assume the role, for one group: it refuses a schedule's own ARN.

    https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
    """
    return _trust(
        "scheduler",
        {
            "StringEquals": {
                "aws:SourceAccount": group_arn.split(":")[4],
                "aws:SourceArn": group_arn,
            }
        },
    )


def function_policy(
    may: Mapping[str, Sequence[str]], resources: Mapping[str, Sequence[str]], log_group_arn: str
) -> Document:
    """What one function may do: its row's actions, its log records and traces.

    `may` maps the words of `steps.Resource` to actions, `resources` to ARNs. A kind of which this
    pipeline has no resource gives no statement.
    """
    return _document(
        *_grants(may, resources),
        _allow(["logs:CreateLogStream", "logs:PutLogEvents"], [f"{log_group_arn}:log-stream:*"]),
        _allow(TRACE, ["*"]),
    )


def state_machine_access_policy(
    may: Mapping[str, Sequence[str]], state_machine_arn: str
) -> Document:
    """What one function may do with the state machine and its executions, as `function_policy`."""
    resources = {
        "state machine": [state_machine_arn],
        "executions": [executions(state_machine_arn)],
    }
    return _document(*_grants(may, resources))


def state_machine_policy(function_arns: Sequence[str]) -> Document:
    """What the state machine may do: call these functions, in any version, and write its logs."""
    return _document(
        _allow(["lambda:InvokeFunction"], [*function_arns, *(f"{arn}:*" for arn in function_arns)]),
        _allow(DELIVER_LOGS, ["*"]),
        _allow([*TRACE, *SAMPLE], ["*"]),
    )


def schedule_policy(
    state_machine_arn: str, queue_arn: str, kms_key_arn: str | None = None
) -> Document:
    """What the schedule may do: start the state machine, and put a start that failed in the queue.

    With a customer's key on the queue the sender needs the key too:
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
    """
    return _document(
        _allow(["states:StartExecution"], [state_machine_arn]),
        _allow(["sqs:SendMessage"], [queue_arn]),
        *([_allow(["kms:GenerateDataKey", "kms:Decrypt"], [kms_key_arn])] if kms_key_arn else []),
    )


def import_policy(
    partition: str, locations: Iterable[str], data_kms_key_arn: str | None = None
) -> Document:
    """What Personalize may read: the configured exports alone, and decrypt with their key.

    https://docs.aws.amazon.com/personalize/latest/dg/granting-personalize-s3-access.html
    """
    locations = list(locations)
    return _document(
        _allow(["s3:GetObject"], exports(partition, locations)),
        # The whole bucket's list, as on AWS's page above: nothing documents which prefix
        # Personalize lists with for a single file, and a list that is denied fails the import.
        _allow(["s3:ListBucket"], export_buckets(partition, locations)),
        *([_allow(["kms:Decrypt"], [data_kms_key_arn])] if data_kms_key_arn else []),
    )


def _trust(service: str, condition: Condition | None = None) -> Document:
    return _document(
        {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"Service": f"{service}.amazonaws.com"},
            **({"Condition": condition} if condition else {}),
        }
    )


def _grants(
    may: Mapping[str, Sequence[str]], resources: Mapping[str, Sequence[str]]
) -> Iterator[Document]:
    """One statement per kind of which there is a resource: IAM refuses an empty list."""
    for kind, actions in may.items():
        if resources[kind]:
            condition = TO_PERSONALIZE_ALONE if kind == "import role" else None
            yield _allow(actions, resources[kind], condition)


def _allow(
    actions: Sequence[str], resources: Sequence[str], condition: Condition | None = None
) -> Document:
    return {
        "Effect": "Allow",
        "Action": list(actions),
        "Resource": list(resources),
        **({"Condition": condition} if condition else {}),
    }


def _arn(home: Home, service: str, resource: str) -> str:
    return f"arn:{home.partition}:{service}:{home.region}:{home.account}:{resource}"


def _s3_arn(partition: str, path: str) -> str:
    return f"arn:{partition}:s3:::{path}"


def _any_day(locations: Iterable[str]) -> Iterator[str]:
    """Bucket and key of each location, with a wildcard in the date's place."""
    for location in locations:
        yield location.removeprefix("s3://").replace(DATE, "*")


def _document(*statements: Document) -> Document:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def resources(
    args: RetrainingPipelineArgs,
    home: pulumi.Output[Home],
    job_prefixes: Sequence[pulumi.Input[str]],
    import_role_arn: pulumi.Output[str],
    group_arn: pulumi.Output[str],
) -> Mapping[Resource, pulumi.Input[Sequence[str]]]:
    """Return the ARNs of each kind that exists before the state machine; a kind may have none."""
    configured = [dataset for _, dataset in args.datasets.configured()]
    datasets = pulumi.Output.all(*(dataset.dataset_arn for dataset in configured))
    locations = [dataset.data_location for dataset in configured]
    markers = [dataset.ready_marker for dataset in configured if dataset.ready_marker is not None]
    solutions = pulumi.Output.all(*(solution.solution_arn for solution in args.solutions))
    return {
        "any": ["*"],
        "dataset groups": datasets.apply(dataset_groups),
        "datasets": datasets,
        "schemas": home.apply(lambda known: [schemas(known)]),
        "import jobs": pulumi.Output.all(home, *job_prefixes).apply(
            lambda known: [import_jobs(Home(*known[0]), each) for each in known[1:]]
        ),
        "all import jobs": home.apply(lambda known: [all_import_jobs(known)]),
        "import role": pulumi.Output.all(import_role_arn),
        "solutions": solutions,
        "solution versions": solutions.apply(lambda arns: [solution_versions(arn) for arn in arns]),
        "campaigns": pulumi.Output.all(
            *(each.campaign_arn for solution in args.solutions for each in solution.campaigns)
        ),
        "schedule": group_arn.apply(lambda arn: [schedules(arn)]),
        "exports": pulumi.Output.all(home.partition, locations).apply(
            lambda known: exports(*known)
        ),
        # A ready marker is looked for in the list of its bucket, never read.
        "export buckets": pulumi.Output.all(home.partition, [*locations, *markers]).apply(
            lambda known: export_buckets(*known)
        ),
        "data key": pulumi.Output.all(
            *([args.data_kms_key_arn] if args.data_kms_key_arn is not None else [])
        ),
    }
