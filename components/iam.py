"""Creates a pipeline's IAM roles, with policies that name exactly the resources they need."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

import pulumi_aws as aws
from pulumi import Input, Output

from .constants import DATE_PLACEHOLDER
from .context import PipelineContext, call_when_known
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

BATCH_KEY_ACTIONS = ["kms:Decrypt", "kms:GenerateDataKey", "kms:DescribeKey", "kms:ListGrants"]
"""What the role of batch jobs needs on a KMS key, besides what its key policy allows Personalize:
https://docs.aws.amazon.com/personalize/latest/dg/granting-personalize-key-access.html"""


def create_role(
    context: PipelineContext,
    name: str,
    service: str,
    source_resource: Input[str] | None,
    grants: Input[Sequence[Grant]],
) -> Output[str]:
    """Create a role and its policy, both called `name`, and return the role's ARN.

    The service may assume the role only on behalf of certain resources in this account. Otherwise,
    resources in another account could use it, too (the confused deputy problem).

    `source_resource` is the last part of these resources' ARNs, and may be a pattern. EventBridge
    Scheduler requires a schedule group. For Lambda, it's None, because AWS doesn't document such a
    condition.
    https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
    https://docs.aws.amazon.com/step-functions/latest/dg/procedure-create-iam-role.html
    https://docs.aws.amazon.com/personalize/latest/dg/cross-service-confused-deputy-prevention.html
    """
    trust = call_when_known(
        _build_trust_policy,
        service=service,
        environment=context.environment,
        source_resource=source_resource,
    )
    role = aws.iam.Role(
        name,
        assume_role_policy=Output.json_dumps(trust),
        permissions_boundary=context.args.permissions_boundary_arn,
        tags=context.tags,
        opts=context.child_options,
    )

    policy = call_when_known(
        _build_role_policy, pipeline_name=context.name, role_name=name, grants=grants
    )
    role_policy = aws.iam.RolePolicy(
        name,
        role=role.name,
        policy=Output.json_dumps(policy),
        opts=context.child_options,
    )

    # Resources that use this ARN are created after the policy and deleted before it, so no function
    # ever runs without its permissions.
    return role_policy.id.apply(lambda _: role.arn)


def build_topic_policy(topic_arn: str) -> PolicyDocument:
    """Let alarms in the topic's account and region publish to it.

    Functions publish to it as well, but don't need a statement, because within an account, the
    permissions of their roles are enough.
    https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-use-cases.html
    """
    topic = parse_arn(topic_arn)
    assert topic is not None, "it is the ARN of a topic"
    statement = _build_service_statement("cloudwatch", "sns:Publish", topic.environment, "alarm:*")
    return _build_policy_document([{"Sid": "Alarms", **statement, "Resource": topic_arn}])


def list_resource_arns(
    settings: Mapping[str, Any],
    environment: Environment,
    *,
    unique_name: str,
    kms_key_arn: str | None,
    data_kms_key_arn: str | None,
) -> dict[ResourceKind, list[str]]:
    """List the ARNs, or ARN patterns, of each kind of resource in FUNCTION_CONFIGS.

    A list is empty if the pipeline has no resource of that kind. `settings` come from
    `workflow_settings.py`. The state machine and the schedule group share `unique_name`.
    """
    to_arn = partial(build_arn, environment)
    to_personalize_arn = partial(to_arn, "personalize")

    datasets = settings["datasets"]
    # The dataset group of dataset/<group>/<type> is dataset-group/<group>.
    groups = {dataset["datasetArn"].split("/")[1] for dataset in datasets}
    if not datasets:
        # The ARN of a solution doesn't contain its dataset group.
        groups = {"*"}
    exports = [dataset["dataLocation"] for dataset in datasets]
    markers = [dataset["readyMarker"] for dataset in datasets if dataset["readyMarker"]]

    solutions = settings["solutions"]
    campaigns = [campaign for solution in solutions for campaign in solution["campaigns"]]
    batch_jobs = [job for solution in solutions for job in solution["batchJobs"]]
    batch_inputs = [job["input"] for job in batch_jobs]
    batch_outputs = [job["output"] for job in batch_jobs]
    batch_key_arns = {job["kmsKeyArn"] for job in batch_jobs}
    probes = [campaign["probe"] for campaign in campaigns if campaign["probe"]]
    filter_arns = {request["filterArn"] for request in [*probes, *batch_jobs]} - {None}

    def to_batch_job_arns(kind: str, name: str) -> list[str]:
        if not batch_jobs:
            return []
        return [to_personalize_arn(f"batch-{kind}-job/{name}")]

    return {
        "any": ["*"],
        "dataset groups": [to_personalize_arn(f"dataset-group/{name}") for name in sorted(groups)],
        "datasets": [dataset["datasetArn"] for dataset in datasets],
        # A dataset's schema isn't known until run time.
        "schemas": [to_personalize_arn("schema/*")],
        "import jobs": [to_personalize_arn(f"dataset-import-job/{settings['prefix']}-*")],
        # Runs of a recreated stack, which has another prefix, must read and confirm the previous
        # stack's import jobs, too.
        "all import jobs": [to_personalize_arn("dataset-import-job/*")],
        "import role": [settings["importRoleArn"]] if datasets else [],
        "inference jobs": to_batch_job_arns("inference", f"{settings['prefix']}-*"),
        "segment jobs": to_batch_job_arns("segment", f"{settings['prefix']}-*"),
        "all batch jobs": [
            *to_batch_job_arns("inference", "*"),
            *to_batch_job_arns("segment", "*"),
        ],
        "batch role": [settings["batchRoleArn"]] if batch_jobs else [],
        "batch inputs": list_object_arns(environment.partition, batch_inputs),
        "batch outputs": list_object_arns(environment.partition, batch_outputs),
        "filters": sorted(filter_arns),
        # Recommenders are only read if the pipeline only imports. Nobody configures their names.
        "recommenders": [] if solutions else [to_personalize_arn("recommender/*")],
        "recommender list": [] if solutions else ["*"],
        "solutions": [solution["solutionArn"] for solution in solutions],
        "solution versions": [f"{solution['solutionArn']}/*" for solution in solutions],
        "campaigns": [campaign["campaignArn"] for campaign in campaigns],
        # With a narrower resource, CloudWatch returns no composite alarms:
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html
        "bake alarms": ["*"] if any(campaign["bake"] for campaign in campaigns) else [],
        "schedule": [to_arn("scheduler", f"schedule/{unique_name}/*")],
        "state machine": [to_arn("states", f"stateMachine:{unique_name}")],
        "executions": [to_arn("states", f"execution:{unique_name}:*")],
        "exports": list_object_arns(environment.partition, exports),
        # A ready marker is only listed, never read.
        "export buckets": list_bucket_arns(
            environment.partition, [*exports, *markers, *batch_inputs, *batch_outputs]
        ),
        "data keys": sorted({data_kms_key_arn, *batch_key_arns} - {None}),
        "topic": [settings["notifications"]["topicArn"]],
        "topic key": [kms_key_arn] if kms_key_arn else [],
        "event bus": [to_arn("events", "event-bus/default")],
    }


def build_arn(environment: Environment, service: str, resource: str) -> str:
    """Build the ARN of a resource in the pipeline's account and region."""
    region = environment.region
    return f"arn:{environment.partition}:{service}:{region}:{environment.account}:{resource}"


def map_s3_actions_to_arns(
    partition: str, read_locations: Collection[str], write_locations: Collection[str] = ()
) -> dict[str, list[str]]:
    """Map each S3 action that Personalize needs for a job to the ARNs of objects or buckets.

    The job's role must allow these actions, and so must the bucket's policy. `retrain doctor`
    checks exactly these ARNs. If it checked more, it would complain about the pipeline's own roles.
    """
    return {
        "s3:GetObject": list_object_arns(partition, read_locations),
        "s3:PutObject": list_object_arns(partition, write_locations),
        # Personalize may list the whole bucket, as in AWS's example. A narrower grant might break
        # imports of a single file, because AWS doesn't document which prefix Personalize lists:
        # https://docs.aws.amazon.com/personalize/latest/dg/granting-personalize-s3-access.html
        "s3:ListBucket": list_bucket_arns(partition, [*read_locations, *write_locations]),
    }


def build_s3_grants(
    partition: str,
    read_locations: Sequence[str],
    write_locations: Sequence[str],
    key_arns: Sequence[str | None],
) -> list[Grant]:
    """List what Personalize needs to access these files, and the keys that encrypt them, if any.

    https://docs.aws.amazon.com/personalize/latest/dg/granting-personalize-key-access.html
    """
    arns_by_action = map_s3_actions_to_arns(partition, read_locations, write_locations)
    grants: list[Grant] = [([action], arns) for action, arns in arns_by_action.items()]

    key_actions = BATCH_KEY_ACTIONS if write_locations else ["kms:Decrypt"]
    grants.append((key_actions, sorted({*key_arns} - {None})))
    return grants


def list_object_arns(partition: str, locations: Iterable[str]) -> list[str]:
    """Turn S3 locations into sorted ARN patterns for their objects."""
    arns = set()
    for location in locations:
        arn = f"arn:{partition}:s3:::{_build_s3_path(location)}"
        if location.endswith("/"):
            # It's a folder, so the pattern has to match everything in it.
            arn += "*"
        arns.add(arn)

    return sorted(arns)


def list_bucket_arns(partition: str, locations: Iterable[str]) -> list[str]:
    """Turn S3 locations into the sorted ARNs of their buckets."""
    buckets = {_build_s3_path(location).partition("/")[0] for location in locations}
    return [f"arn:{partition}:s3:::{bucket}" for bucket in sorted(buckets)]


def _build_s3_path(location: str) -> str:
    """Turn an S3 location into `bucket/key`, with a wildcard for the date."""
    return location.removeprefix("s3://").replace(DATE_PLACEHOLDER, "*")


def _build_trust_policy(
    service: str, environment: Environment, source_resource: str | None
) -> PolicyDocument:
    """Let a service assume a role on behalf of resources that match `source_resource`."""
    return _build_policy_document(
        [_build_service_statement(service, "sts:AssumeRole", environment, source_resource)]
    )


def _build_role_policy(
    pipeline_name: str, role_name: str, grants: Sequence[Grant]
) -> PolicyDocument:
    """Build a role's only policy. Raise InvalidPipelineError if it's too long for IAM."""
    policy = _build_policy_document(
        _build_grant_statement(actions, arns) for actions, arns in grants
    )
    raise_if_any_problem(_check_policy_length(role_name, policy), pipeline_name)
    return policy


def _check_policy_length(role_name: str, policy: PolicyDocument) -> Iterator[str]:
    """Say what to shorten in a policy that is too long, because IAM's own error wouldn't."""
    characters = count_policy_characters(policy)
    if characters <= MAX_POLICY_CHARACTERS:
        return

    statements = sorted(policy["Statement"], key=count_policy_characters, reverse=True)
    longest_parts = ", ".join(
        f"{len(statement['Resource'])} ARNs for {statement['Action'][0]}"
        for statement in statements[:3]
    )
    yield (
        f"the policy of the role {role_name} has {characters:,} characters, but IAM accepts "
        f"{MAX_POLICY_CHARACTERS:,}; most of them are {longest_parts}; shorten the names or "
        "locations in these ARNs, use fewer of them, or move solutions to another stack"
    )


def count_policy_characters(policy: PolicyDocument) -> int:
    """Count a policy's characters the way IAM does, without white space."""
    serialized = json.dumps(policy)
    without_space = "".join(serialized.split())
    return len(without_space)


def _build_grant_statement(actions: Sequence[str], arns: Sequence[str | None]) -> PolicyDocument:
    """Turn a grant into a policy statement, or into {} if the pipeline has no such resource.

    IAM rejects a statement without resources, so the policy leaves empty ones out.
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


def _build_service_statement(
    service: str, action: str, environment: Environment, source_resource: str | None
) -> PolicyDocument:
    """Allow a service an action, but only on behalf of matching resources in this account.

    `source_resource` is the last part of a matching ARN, or None for no condition.
    """
    statement: PolicyDocument = {
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": action,
    }
    if source_resource is not None:
        statement["Condition"] = {
            "StringEquals": {"aws:SourceAccount": environment.account},
            "ArnLike": {"aws:SourceArn": build_arn(environment, service, source_resource)},
        }
    return statement


def _build_policy_document(statements: Iterable[PolicyDocument]) -> PolicyDocument:
    """Build a policy document from statements, leaving out empty ones."""
    statements_with_resources = [statement for statement in statements if statement]
    return {"Version": "2012-10-17", "Statement": statements_with_resources}
