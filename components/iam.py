"""The IAM roles of a pipeline, their policies as dicts, and the ARNs that the policies name."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import pulumi
import pulumi_aws as aws

from .args import RetrainingPipelineArgs
from .rules.arns import Home
from .rules.values import DATE_PLACEHOLDER
from .state_machine.steps import Resource

PolicyDocument: TypeAlias = dict[str, object]
Condition: TypeAlias = Mapping[str, Mapping[str, str | list[str]]]
Grants: TypeAlias = Mapping[Resource, Sequence[str]]
"""Kind of resource to the IAM actions that a function may use on it, as in `steps.Step.grants`."""

ONLY_TO_PERSONALIZE: Condition = {
    "StringEquals": {"iam:PassedToService": "personalize.amazonaws.com"}
}
"""The condition with which a function may pass the import role."""

TRACING_ACTIONS = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
"""The actions that send traces. They support no resource but `*`:
https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsx-ray.html."""

SAMPLING_ACTIONS = ["xray:GetSamplingRules", "xray:GetSamplingTargets"]
"""More actions that a state machine needs for traces. They support no resource but `*` either."""

LOG_DELIVERY_ACTIONS = [
    "logs:CreateLogDelivery",
    "logs:GetLogDelivery",
    "logs:UpdateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:DescribeResourcePolicies",
    "logs:DescribeLogGroups",
]
"""The actions that a state machine needs to write logs. AWS documents `*` as their resource:
https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html#cloudwatch-iam-policy."""


class RoleWithPolicy(NamedTuple):
    """A role and its only policy."""

    role: aws.iam.Role
    policy: aws.iam.RolePolicy


def role_with_policy(
    name: str,
    *,
    trust: pulumi.Input[PolicyDocument],
    policy: pulumi.Input[PolicyDocument],
    args: RetrainingPipelineArgs,
    tags: pulumi.Input[Mapping[str, str]],
    parent: pulumi.Resource,
) -> RoleWithPolicy:
    """Create a role and its policy as Pulumi resources, which are both called `name`.

    `trust` is the trust policy. The permissions boundary of `args` applies to the role.
    """
    role = aws.iam.Role(
        name,
        assume_role_policy=pulumi.Output.json_dumps(trust),
        permissions_boundary=args.permissions_boundary_arn,
        tags=tags,
        opts=pulumi.ResourceOptions(parent=parent),
    )
    return RoleWithPolicy(role, role_policy(name, role, policy, parent=parent))


def role_policy(
    name: str, role: aws.iam.Role, policy: pulumi.Input[PolicyDocument], *, parent: pulumi.Resource
) -> aws.iam.RolePolicy:
    """Create a policy of a role. `name` is the name of the Pulumi resource."""
    return aws.iam.RolePolicy(
        name,
        role=role.name,
        policy=pulumi.Output.json_dumps(policy),
        opts=pulumi.ResourceOptions(parent=parent),
    )


def lambda_trust() -> PolicyDocument:
    """Return the trust policy of a function's role. Lambda documents no condition for it."""
    return _trust_policy("lambda")


def states_trust(home: Home) -> PolicyDocument:
    """Return the trust policy for the state machines of this account and region.

    https://docs.aws.amazon.com/step-functions/latest/dg/procedure-create-iam-role.html
    """
    return _trust_policy(
        "states",
        {
            "StringEquals": {"aws:SourceAccount": home.account},
            "ArnLike": {"aws:SourceArn": _resource_arn(home, "states", "stateMachine:*")},
        },
    )


def personalize_trust(home: Home) -> PolicyDocument:
    """Return the trust policy for the Personalize resources of this account and region.

    https://docs.aws.amazon.com/personalize/latest/dg/cross-service-confused-deputy-prevention.html
    """
    return _trust_policy(
        "personalize",
        {
            "StringEquals": {"aws:SourceAccount": home.account},
            "ArnLike": {"aws:SourceArn": _resource_arn(home, "personalize", "*")},
        },
    )


def scheduler_trust(group_arn: str) -> PolicyDocument:
    """Return the trust policy for the schedules of a group.

    EventBridge Scheduler does not accept the ARN of a schedule in the condition:
    https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
    """
    return _trust_policy(
        "scheduler",
        {
            "StringEquals": {
                "aws:SourceAccount": group_arn.split(":")[4],
                "aws:SourceArn": group_arn,
            }
        },
    )


def function_policy(
    grants: Grants, resource_arns: Mapping[Resource, Sequence[str]], log_group_arn: str
) -> PolicyDocument:
    """Return the policy of a function: it may use its grants, write logs and send traces."""
    return _policy_document(
        *_grant_statements(grants, resource_arns),
        _allow(["logs:CreateLogStream", "logs:PutLogEvents"], [f"{log_group_arn}:log-stream:*"]),
        _allow(TRACING_ACTIONS, ["*"]),
    )


def executions_policy(grants: Grants, state_machine_arn: str) -> PolicyDocument:
    """Return the second policy of a function that reads the state machine or its executions.

    `grants` are its grants on both kinds of resources.
    """
    resource_arns: Mapping[Resource, Sequence[str]] = {
        "state machine": [state_machine_arn],
        "executions": [executions_pattern(state_machine_arn)],
    }
    return _policy_document(*_grant_statements(grants, resource_arns))


def state_machine_policy(function_arns: Sequence[str]) -> PolicyDocument:
    """Return the policy of the state machine: it may call every version of these functions."""
    return _policy_document(
        _allow(["lambda:InvokeFunction"], [*function_arns, *(f"{arn}:*" for arn in function_arns)]),
        _allow(LOG_DELIVERY_ACTIONS, ["*"]),
        _allow([*TRACING_ACTIONS, *SAMPLING_ACTIONS], ["*"]),
    )


def schedule_policy(
    state_machine_arn: str, queue_arn: str, kms_key_arn: str | None = None
) -> PolicyDocument:
    """Return the policy of the schedule: it may start executions and send failed starts.

    If a customer's key encrypts the queue, the schedule needs the key to send messages:
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
    """
    statements = [
        _allow(["states:StartExecution"], [state_machine_arn]),
        _allow(["sqs:SendMessage"], [queue_arn]),
    ]
    if kms_key_arn:
        statements.append(_allow(["kms:GenerateDataKey", "kms:Decrypt"], [kms_key_arn]))
    return _policy_document(*statements)


def invocation_policy(function_arn: str) -> PolicyDocument:
    """Return the policy of a schedule that invokes a function."""
    return _policy_document(_allow(["lambda:InvokeFunction"], [function_arn]))


def topic_policy(topic_arn: str) -> PolicyDocument:
    """Return the policy of the topic: the alarms of its account and region may publish to it.

    The functions of the pipeline are in the same account, so their roles allow it.
    https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-use-cases.html
    """
    arn = topic_arn.split(":")
    home = Home(partition=arn[1], region=arn[3], account=arn[4])
    return _policy_document(
        {
            "Sid": "Alarms",
            "Effect": "Allow",
            "Principal": {"Service": "cloudwatch.amazonaws.com"},
            "Action": "sns:Publish",
            "Resource": topic_arn,
            "Condition": {
                "StringEquals": {"aws:SourceAccount": home.account},
                "ArnLike": {"aws:SourceArn": _resource_arn(home, "cloudwatch", "alarm:*")},
            },
        }
    )


def import_policy(
    partition: str, locations: Iterable[str], data_kms_key_arn: str | None = None
) -> PolicyDocument:
    """Return the policy of the import role: it may read the configured exports and use their key.

    https://docs.aws.amazon.com/personalize/latest/dg/granting-personalize-s3-access.html
    """
    locations = list(locations)
    statements = [
        _allow(["s3:GetObject"], export_arns(partition, locations)),
        # As on the page above, the whole bucket may be listed. No page says with which prefix
        # Personalize lists a single file, and an import fails if it may not list.
        _allow(["s3:ListBucket"], bucket_arns(partition, locations)),
    ]
    if data_kms_key_arn:
        statements.append(_allow(["kms:Decrypt"], [data_kms_key_arn]))
    return _policy_document(*statements)


def resource_arns(
    args: RetrainingPipelineArgs,
    home: Home,
    *,
    job_prefix: str,
    import_role_arn: str,
    group_arn: str,
    topic_arn: str,
) -> Mapping[Resource, Sequence[str]]:
    """Return the ARNs of each kind of resource except the state machine and its executions.

    All inputs of `args` must be known. The list of a kind is empty if the pipeline has no resource
    of this kind.
    """
    # The inputs are known, so they are texts.
    datasets = args.datasets.configured().values()
    dataset_arns = [str(dataset.dataset_arn) for dataset in datasets]
    locations = [str(dataset.data_location) for dataset in datasets]
    markers = [
        str(dataset.ready_marker) for dataset in datasets if dataset.ready_marker is not None
    ]
    solution_arns = [str(solution.solution_arn) for solution in args.solutions]
    campaigns = [campaign for solution in args.solutions for campaign in solution.campaigns]
    return {
        "any": ["*"],
        "dataset groups": dataset_group_arns(dataset_arns),
        "datasets": dataset_arns,
        "schemas": [schemas_pattern(home)],
        "import jobs": [import_jobs_pattern(home, job_prefix)],
        "all import jobs": [all_import_jobs_pattern(home)],
        "import role": [import_role_arn],
        "solutions": solution_arns,
        "solution versions": [solution_versions_pattern(arn) for arn in solution_arns],
        "campaigns": [str(campaign.campaign_arn) for campaign in campaigns],
        "schedule": [schedules_pattern(group_arn)],
        "exports": export_arns(home.partition, locations),
        # A ready marker is never read. It only has to be in the list of its bucket.
        "export buckets": bucket_arns(home.partition, [*locations, *markers]),
        "data key": [str(args.data_kms_key_arn)] if args.data_kms_key_arn is not None else [],
        "topic": [topic_arn],
        "topic key": [str(args.kms_key_arn)] if args.kms_key_arn is not None else [],
        "event bus": [event_bus_arn(home)],
    }


def import_jobs_pattern(home: Home, job_prefix: str) -> str:
    """Return the pattern of the import jobs whose names begin with a pipeline's prefix."""
    return _resource_arn(home, "personalize", f"dataset-import-job/{job_prefix}-*")


def all_import_jobs_pattern(home: Home) -> str:
    """Return the pattern of every import job. No grant on it may change a job."""
    return _resource_arn(home, "personalize", "dataset-import-job/*")


def dataset_group_arns(dataset_arns: Iterable[str]) -> list[str]:
    """Return the sorted ARNs of the groups that contain these datasets.

    `dataset/<group>/<type>` is in `dataset-group/<group>`.
    """
    return sorted(
        {arn.rpartition("/")[0].replace(":dataset/", ":dataset-group/", 1) for arn in dataset_arns}
    )


def schemas_pattern(home: Home) -> str:
    """Return the pattern of every schema. The schema of a dataset is known only at run time."""
    return _resource_arn(home, "personalize", "schema/*")


def solution_versions_pattern(solution_arn: str) -> str:
    """Return the pattern of every version of a solution."""
    return f"{solution_arn}/*"


def schedules_pattern(group_arn: str) -> str:
    """Return the pattern of every schedule of a schedule group."""
    return group_arn.replace(":schedule-group/", ":schedule/", 1) + "/*"


def executions_pattern(state_machine_arn: str) -> str:
    """Return the pattern of every execution of a state machine."""
    return state_machine_arn.replace(":stateMachine:", ":execution:", 1) + ":*"


def event_bus_arn(home: Home) -> str:
    """Return the ARN of the event bus that every account has."""
    return _resource_arn(home, "events", "event-bus/default")


def export_arns(partition: str, locations: Iterable[str]) -> list[str]:
    """Return the sorted ARN patterns of the objects that these locations stand for.

    A location is `s3://bucket/key`, or `s3://bucket/prefix/` for every object below the prefix.
    `{date}` in it stands for any day.
    """
    paths = {f"{path}*" if path.endswith("/") else path for path in _s3_paths(locations)}
    return [_s3_arn(partition, path) for path in sorted(paths)]


def bucket_arns(partition: str, locations: Iterable[str]) -> list[str]:
    """Return the sorted ARNs of the buckets that contain these locations."""
    buckets = {path.partition("/")[0] for path in _s3_paths(locations)}
    return [_s3_arn(partition, bucket) for bucket in sorted(buckets)]


def _s3_paths(locations: Iterable[str]) -> Iterator[str]:
    """Yield `bucket/key` for each location, with a wildcard in place of the date."""
    for location in locations:
        yield location.removeprefix("s3://").replace(DATE_PLACEHOLDER, "*")


def _resource_arn(home: Home, service: str, resource: str) -> str:
    return f"arn:{home.partition}:{service}:{home.region}:{home.account}:{resource}"


def _s3_arn(partition: str, path: str) -> str:
    return f"arn:{partition}:s3:::{path}"


def _trust_policy(service: str, condition: Condition | None = None) -> PolicyDocument:
    return _policy_document(
        {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"Service": f"{service}.amazonaws.com"},
            **({"Condition": condition} if condition else {}),
        }
    )


def _grant_statements(
    grants: Grants, resource_arns: Mapping[Resource, Sequence[str]]
) -> Iterator[PolicyDocument]:
    """Yield a statement for each kind of resource that the pipeline has.

    IAM refuses a statement without resources.
    """
    for kind, actions in grants.items():
        if resource_arns[kind]:
            condition = ONLY_TO_PERSONALIZE if kind == "import role" else None
            yield _allow(actions, resource_arns[kind], condition)


def _allow(
    actions: Sequence[str], resources: Sequence[str], condition: Condition | None = None
) -> PolicyDocument:
    return {
        "Effect": "Allow",
        "Action": list(actions),
        "Resource": list(resources),
        **({"Condition": condition} if condition else {}),
    }


def _policy_document(*statements: PolicyDocument) -> PolicyDocument:
    return {"Version": "2012-10-17", "Statement": list(statements)}
