"""Creates a pipeline's IAM roles, with policies that name exactly the resources they need."""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

import pulumi_aws as aws
from pulumi import Input, Output

from .constants import DATE_PLACEHOLDER
from .context import PipelineContext, when_known
from .errors import raise_if_any_problem
from .function_configs import ResourceKind
from .rules.arns import Environment, parse_arn

PolicyDocument: TypeAlias = dict[str, Any]
Grant: TypeAlias = tuple[Sequence[str], Any]
"""IAM actions, and the ARNs on which they're allowed.

The list of ARNs and its elements may be outputs. An ARN is None if the pipeline has no such
resource."""

MAX_POLICY_CHARACTERS = 10_240
"""The maximum total size of a role's inline policies:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""

LOG_DELIVERY_ACTIONS = [
    *(f"logs:{verb}LogDelivery" for verb in ("Create", "Get", "Update", "Delete")),
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:DescribeResourcePolicies",
    "logs:DescribeLogGroups",
]
"""The actions that let a state machine write logs. AWS documents `*` as their resource:
https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html#cloudwatch-iam-policy."""


def create_role(
    context: PipelineContext,
    name: str,
    service: str,
    source: Input[str] | None,
    grants: Input[Sequence[Grant]],
) -> Output[str]:
    """Create a role and its policy, both called `name`, and return the role's ARN.

    To prevent the confused deputy problem, the service may assume the role only on behalf of
    resources in this account whose ARNs end with `source`, which may be a pattern. For EventBridge
    Scheduler, `source` must be a schedule group. For Lambda, it's None, because AWS doesn't
    document such a condition.
    https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
    https://docs.aws.amazon.com/step-functions/latest/dg/procedure-create-iam-role.html
    https://docs.aws.amazon.com/personalize/latest/dg/cross-service-confused-deputy-prevention.html
    """
    trust = when_known(
        _trust_policy, service=service, environment=context.environment, source=source
    )
    role = aws.iam.Role(
        name,
        assume_role_policy=Output.json_dumps(trust),
        permissions_boundary=context.args.permissions_boundary_arn,
        tags=context.tags,
        opts=context.child_options,
    )

    policy = when_known(_role_policy, pipeline=context.name, role=name, grants=grants)
    role_policy = aws.iam.RolePolicy(
        name,
        role=role.name,
        policy=Output.json_dumps(policy),
        opts=context.child_options,
    )

    # Resources that use this ARN are created after the policy and deleted before it, so no function
    # ever runs without its permissions.
    return role_policy.id.apply(lambda _: role.arn)


def topic_policy(topic_arn: str) -> PolicyDocument:
    """Let alarms in the topic's account and region publish to it.

    Functions don't need a statement, because within an account, their roles are enough.
    https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-use-cases.html
    """
    topic = parse_arn(topic_arn)
    assert topic is not None, "it is the ARN of a topic"
    statement = _service_statement("cloudwatch", "sns:Publish", topic.environment, "alarm:*")
    return _document([{"Sid": "Alarms", **statement, "Resource": topic_arn}])


def resource_arns(
    settings: Mapping[str, Any],
    environment: Environment,
    *,
    unique_name: str,
    kms_key_arn: str | None,
    data_kms_key_arn: str | None,
) -> dict[ResourceKind, list[str]]:
    """Return the ARNs, or ARN patterns, of each kind of resource.

    The list is empty if the pipeline has no resource of that kind. `settings` are the state
    machine's. `unique_name` is the name of the state machine and the schedule group.
    """
    arn = partial(resource_arn, environment)
    personalize_arn = partial(arn, "personalize")

    datasets = settings["datasets"]
    # The dataset group of dataset/<group>/<type> is dataset-group/<group>.
    groups = {dataset["datasetArn"].split("/")[1] for dataset in datasets}
    locations = [dataset["dataLocation"] for dataset in datasets]
    markers = [dataset["readyMarker"] for dataset in datasets if dataset["readyMarker"]]

    solutions = settings["solutions"]
    campaigns = [campaign for solution in solutions for campaign in solution["campaigns"]]
    batch_jobs = [job for solution in solutions for job in solution["batchJobs"]]
    inputs = [job["input"] for job in batch_jobs]
    outputs = [job["output"] for job in batch_jobs]
    probes = [campaign["probe"] for campaign in campaigns if campaign["probe"]]
    filter_arns = {request["filterArn"] for request in [*probes, *batch_jobs]} - {None}

    def batch_arns(kind: str, name: str) -> list[str]:
        return [personalize_arn(f"batch-{kind}-job/{name}")] if batch_jobs else []

    return {
        "any": ["*"],
        "dataset groups": [personalize_arn(f"dataset-group/{name}") for name in sorted(groups)],
        "datasets": [dataset["datasetArn"] for dataset in datasets],
        # A dataset's schema isn't known until run time.
        "schemas": [personalize_arn("schema/*")],
        "import jobs": [personalize_arn(f"dataset-import-job/{settings['prefix']}-*")],
        # Runs of a recreated stack, which has another prefix, must read and confirm the previous
        # stack's import jobs, too.
        "all import jobs": [personalize_arn("dataset-import-job/*")],
        "import role": [settings["importRoleArn"]],
        "inference jobs": batch_arns("inference", f"{settings['prefix']}-*"),
        "segment jobs": batch_arns("segment", f"{settings['prefix']}-*"),
        "all batch jobs": [*batch_arns("inference", "*"), *batch_arns("segment", "*")],
        "batch role": [settings["batchRoleArn"]] if batch_jobs else [],
        "batch inputs": export_arns(environment.partition, inputs),
        "batch outputs": export_arns(environment.partition, outputs),
        "filters": sorted(filter_arns),
        "solutions": [solution["solutionArn"] for solution in solutions],
        "solution versions": [f"{solution['solutionArn']}/*" for solution in solutions],
        "campaigns": [campaign["campaignArn"] for campaign in campaigns],
        # With a narrower resource, CloudWatch returns no composite alarms:
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html
        "bake alarms": ["*"] if any(campaign["bake"] for campaign in campaigns) else [],
        "schedule": [arn("scheduler", f"schedule/{unique_name}/*")],
        "state machine": [arn("states", f"stateMachine:{unique_name}")],
        "executions": [arn("states", f"execution:{unique_name}:*")],
        "exports": export_arns(environment.partition, locations),
        # A ready marker is only listed, never read.
        "export buckets": bucket_arns(
            environment.partition, [*locations, *markers, *inputs, *outputs]
        ),
        "data key": [data_kms_key_arn] if data_kms_key_arn else [],
        "topic": [settings["notifications"]["topicArn"]],
        "topic key": [kms_key_arn] if kms_key_arn else [],
        "event bus": [arn("events", "event-bus/default")],
    }


def resource_arn(environment: Environment, service: str, resource: str) -> str:
    """Build the ARN of a resource in the pipeline's account and region."""
    region = environment.region
    return f"arn:{environment.partition}:{service}:{region}:{environment.account}:{resource}"


def file_arns(
    partition: str, reads: Iterable[str], writes: Iterable[str] = ()
) -> dict[str, list[str]]:
    """Map each action that Personalize needs to read and write these files to the ARNs.

    Both the job's role and the bucket's policy must allow the actions. `retrain doctor` checks
    exactly these ARNs, because it would always complain about the pipeline's own roles if it
    checked more.
    """
    return {
        "s3:GetObject": export_arns(partition, reads),
        "s3:PutObject": export_arns(partition, writes),
        # Personalize may list the whole bucket, as in AWS's example. A narrower grant might break
        # imports of a single file, because AWS doesn't document which prefix Personalize lists:
        # https://docs.aws.amazon.com/personalize/latest/dg/granting-personalize-s3-access.html
        "s3:ListBucket": bucket_arns(partition, [*reads, *writes]),
    }


def file_grants(
    partition: str, reads: Sequence[str], writes: Sequence[str], key_arn: str | None
) -> list[Grant]:
    """Grant Personalize access to these files, and to the key that encrypts them, if any."""
    key_actions = ["kms:Decrypt"]
    if writes:
        key_actions.append("kms:GenerateDataKey")

    grants = file_arns(partition, reads, writes).items()
    return [*(([action], arns) for action, arns in grants), (key_actions, [key_arn])]


def export_arns(partition: str, locations: Iterable[str]) -> list[str]:
    """Turn S3 locations into sorted ARN patterns for their objects."""
    arns = {f"arn:{partition}:s3:::{_s3_path(location)}" for location in locations}
    return sorted(f"{arn}*" if arn.endswith("/") else arn for arn in arns)


def bucket_arns(partition: str, locations: Iterable[str]) -> list[str]:
    """Turn S3 locations into the sorted ARNs of their buckets."""
    buckets = {_s3_path(location).partition("/")[0] for location in locations}
    return [f"arn:{partition}:s3:::{bucket}" for bucket in sorted(buckets)]


def _s3_path(location: str) -> str:
    """Turn an S3 location into `bucket/key`, with a wildcard for the date."""
    return location.removeprefix("s3://").replace(DATE_PLACEHOLDER, "*")


def _trust_policy(service: str, environment: Environment, source: str | None) -> PolicyDocument:
    """Let a service assume a role on behalf of resources whose ARNs end with `source`."""
    return _document([_service_statement(service, "sts:AssumeRole", environment, source)])


def _role_policy(pipeline: str, role: str, grants: Sequence[Grant]) -> PolicyDocument:
    """Build a role's only policy. Raise InvalidPipelineError if it's too long for IAM.

    IAM's own error wouldn't say what to shorten.
    """
    document = _document(_grant_statement(actions, arns) for actions, arns in grants)
    characters = policy_characters(document)

    if characters > MAX_POLICY_CHARACTERS:
        longest = sorted(document["Statement"], key=policy_characters, reverse=True)[:3]
        parts = (f"{len(part['Resource'])} ARNs for {part['Action'][0]}" for part in longest)
        message = (
            f"the policy of the role {role} has {characters:,} characters, but IAM accepts "
            f"{MAX_POLICY_CHARACTERS:,}; most of them are {', '.join(parts)}; shorten the names or "
            "locations in these ARNs, use fewer of them, or move solutions to another stack"
        )
        raise_if_any_problem([message], pipeline)
    return document


def policy_characters(policy: PolicyDocument) -> int:
    """Count a policy's characters the way IAM does, without white space."""
    return len("".join(json.dumps(policy).split()))


def _grant_statement(actions: Sequence[str], arns: Sequence[str | None]) -> PolicyDocument:
    """Turn a grant into a policy statement.

    Without resources, the statement is empty and later left out, because IAM would reject it.
    """
    known_arns = [arn for arn in arns if arn]
    if not known_arns:
        return {}

    statement: PolicyDocument = {"Effect": "Allow", "Action": [*actions], "Resource": known_arns}
    if "iam:PassRole" in actions:
        # Otherwise, the function could pass the role to any service.
        only_personalize = {"iam:PassedToService": "personalize.amazonaws.com"}
        statement["Condition"] = {"StringEquals": only_personalize}
    return statement


def _service_statement(
    service: str, action: str, environment: Environment, source: str | None
) -> PolicyDocument:
    """Allow a service an action, but only on behalf of our resources that `source` matches.

    `source` is how the ARN of such a resource ends, or None for no condition.
    """
    statement: PolicyDocument = {
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": action,
    }
    if source is not None:
        statement["Condition"] = {
            "StringEquals": {"aws:SourceAccount": environment.account},
            "ArnLike": {"aws:SourceArn": resource_arn(environment, service, source)},
        }
    return statement


def _document(statements: Iterable[PolicyDocument]) -> PolicyDocument:
    """Build a policy document from statements, without empty ones."""
    return {"Version": "2012-10-17", "Statement": [*filter(None, statements)]}
