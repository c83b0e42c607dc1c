"""The IAM roles of a pipeline, their policies, and the ARNs that the policies name."""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

import pulumi
import pulumi_aws as aws

from .rules.arns import Home
from .rules.fields import DATE_PLACEHOLDER
from .shared import Shared, raise_if_any_problem
from .state_machine.steps import Resource

PolicyDocument: TypeAlias = dict[str, Any]
Grant: TypeAlias = tuple[Sequence[str], pulumi.Input[Sequence[pulumi.Input[str | None]]]]
"""IAM actions, and the ARNs of the resources on which they are allowed.

An ARN is None if the pipeline does not have the resource."""

FILE_ACTIONS = ("s3:GetObject", "s3:PutObject", "s3:ListBucket")
"""The actions of `file_arns`."""
MAX_POLICY_CHARACTERS = 10_240
"""The most characters of all inline policies of a role:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""

LOG_DELIVERY_ACTIONS = [
    *(f"logs:{verb}LogDelivery" for verb in ("Create", "Get", "Update", "Delete")),
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:DescribeResourcePolicies",
    "logs:DescribeLogGroups",
]
"""The actions that a state machine needs to write logs. AWS documents `*` as their resource:
https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html#cloudwatch-iam-policy."""


def create_role(
    shared: Shared,
    name: str,
    service: str,
    source: pulumi.Input[str] | None,
    grants: Sequence[Grant],
) -> pulumi.Output[str]:
    """Create a role and its policy, which are both called `name`, and return the role's ARN.

    The service may assume the role for the resources of the account whose ARNs end with `source`,
    which may be a pattern. Lambda documents no condition, and EventBridge Scheduler accepts only
    the ARN of a schedule group. Every resource with the returned ARN is created after the policy,
    and deleted before it.
    https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
    https://docs.aws.amazon.com/step-functions/latest/dg/procedure-create-iam-role.html
    https://docs.aws.amazon.com/personalize/latest/dg/cross-service-confused-deputy-prevention.html
    """
    trust = pulumi.Output.all(shared.home, source).apply(
        lambda both: _document([_service_statement(service, "sts:AssumeRole", *both)])
    )
    role = aws.iam.Role(
        name,
        assume_role_policy=pulumi.Output.json_dumps(trust),
        permissions_boundary=shared.args.permissions_boundary_arn,
        tags=shared.tags,
        opts=shared.child,
    )

    actions = [actions for actions, _ in grants]
    policy = pulumi.Output.all(*(resources for _, resources in grants)).apply(
        lambda resources: _role_policy(shared.name, name, actions, resources)
    )
    role_policy = aws.iam.RolePolicy(
        name,
        role=role.name,
        policy=pulumi.Output.json_dumps(policy),
        opts=shared.child,
    )

    # Whatever uses this ARN also depends on the policy, and so do its functions at run time.
    return pulumi.Output.all(role.arn, role_policy.id).apply(lambda values: str(values[0]))


def topic_policy(topic_arn: str) -> PolicyDocument:
    """Return the topic policy that lets alarms in the same account and region publish to it.

    The functions need no statement here: they are in the same account, so their roles are enough.
    https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-use-cases.html
    """
    _, partition, _, region, account, _ = topic_arn.split(":")
    home = Home(partition, region, account)
    statement = _service_statement("cloudwatch", "sns:Publish", home, "alarm:*")
    return _document([{"Sid": "Alarms", **statement, "Resource": topic_arn}])


def resource_arns(
    settings: Mapping[str, Any],
    home: Home,
    *,
    unique_name: str,
    kms_key_arn: str | None,
    data_kms_key_arn: str | None,
) -> dict[Resource, list[str]]:
    """Return the ARNs or ARN patterns of each kind of resource.

    `settings` are the settings of the state machine. `unique_name` is the name of both the state
    machine and the schedule group. If the pipeline has no resource of a kind, its list is empty.
    """
    arn = partial(resource_arn, home)
    datasets = settings["datasets"]
    solutions = settings["solutions"]
    # dataset/<group>/<type> is in dataset-group/<group>.
    groups = {dataset["datasetArn"].split("/")[1] for dataset in datasets}
    locations = [dataset["dataLocation"] for dataset in datasets]
    markers = [dataset["readyMarker"] for dataset in datasets if dataset["readyMarker"]]
    campaigns = [campaign for solution in solutions for campaign in solution["campaigns"]]
    batch_jobs = [job for solution in solutions for job in solution["batchJobs"]]
    inputs = [job["input"] for job in batch_jobs]
    outputs = [job["output"] for job in batch_jobs]
    probes = [campaign["probe"] for campaign in campaigns if campaign["probe"]]
    filtered = [*probes, *batch_jobs]

    def batch_arns(kind: str, name: str) -> list[str]:
        return [arn("personalize", f"batch-{kind}-job/{name}")] if batch_jobs else []

    return {
        "any": ["*"],
        "dataset groups": [arn("personalize", f"dataset-group/{name}") for name in sorted(groups)],
        "datasets": [dataset["datasetArn"] for dataset in datasets],
        # The schema of a dataset is known only at run time.
        "schemas": [arn("personalize", "schema/*")],
        "import jobs": [arn("personalize", f"dataset-import-job/{settings['prefix']}-*")],
        # A recreated stack has another prefix. Its runs read and confirm the earlier stack's import
        # jobs too.
        "all import jobs": [arn("personalize", "dataset-import-job/*")],
        "import role": [settings["importRoleArn"]],
        "inference jobs": batch_arns("inference", f"{settings['prefix']}-*"),
        "segment jobs": batch_arns("segment", f"{settings['prefix']}-*"),
        "all batch jobs": [*batch_arns("inference", "*"), *batch_arns("segment", "*")],
        "batch role": [settings["batchRoleArn"]] if batch_jobs else [],
        "batch inputs": export_arns(home.partition, inputs),
        "batch outputs": export_arns(home.partition, outputs),
        "filters": sorted({item["filterArn"] for item in filtered if item["filterArn"]}),
        "solutions": [solution["solutionArn"] for solution in solutions],
        "solution versions": [f"{solution['solutionArn']}/*" for solution in solutions],
        "campaigns": [campaign["campaignArn"] for campaign in campaigns],
        # With a narrower resource, CloudWatch returns no composite alarms:
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html
        "bake alarms": ["*"] if any(campaign["bake"] for campaign in campaigns) else [],
        "schedule": [arn("scheduler", f"schedule/{unique_name}/*")],
        "state machine": [arn("states", f"stateMachine:{unique_name}")],
        "executions": [arn("states", f"execution:{unique_name}:*")],
        "exports": export_arns(home.partition, locations),
        # The bucket of a ready marker is listed, but the marker itself is never read.
        "export buckets": bucket_arns(home.partition, [*locations, *markers, *inputs, *outputs]),
        "data key": [data_kms_key_arn] if data_kms_key_arn else [],
        "topic": [settings["notifications"]["topicArn"]],
        "topic key": [kms_key_arn] if kms_key_arn else [],
        "event bus": [arn("events", "event-bus/default")],
    }


def resource_arn(home: Home, service: str, resource: str) -> str:
    """Return the ARN of a resource in the pipeline's account and region."""
    return f"arn:{home.partition}:{service}:{home.region}:{home.account}:{resource}"


def file_arns(
    partition: str, reads: Iterable[str], writes: Iterable[str] = ()
) -> dict[str, list[str]]:
    """Return each action that Personalize needs for the files at these locations -> the ARNs.

    Both the role of its job and the policy of the bucket have to allow it. `retrain doctor` asks
    about the same ARNs. If it asked about more, a role of the pipeline would lack them for ever.
    """
    return {
        "s3:GetObject": export_arns(partition, reads),
        "s3:PutObject": export_arns(partition, writes),
        # As AWS documents it, the role may list the whole bucket. A narrower grant might break
        # imports of a single file, because no page says with which prefix Personalize lists:
        # https://docs.aws.amazon.com/personalize/latest/dg/granting-personalize-s3-access.html
        "s3:ListBucket": bucket_arns(partition, [*reads, *writes]),
    }


def export_arns(partition: str, locations: Iterable[str]) -> list[str]:
    """Return the sorted ARN patterns of the objects at these locations, with `*` for `{date}`."""
    arns = {f"arn:{partition}:s3:::{_s3_path(location)}" for location in locations}
    return sorted(f"{arn}*" if arn.endswith("/") else arn for arn in arns)


def bucket_arns(partition: str, locations: Iterable[str]) -> list[str]:
    """Return the sorted ARNs of the buckets that contain these locations."""
    buckets = {_s3_path(location).partition("/")[0] for location in locations}
    return [f"arn:{partition}:s3:::{bucket}" for bucket in sorted(buckets)]


def _s3_path(location: str) -> str:
    """Return `bucket/key` of a location, with a wildcard in place of the date."""
    return location.removeprefix("s3://").replace(DATE_PLACEHOLDER, "*")


def _role_policy(
    pipeline: str,
    role: str,
    actions: Sequence[Sequence[str]],
    resources: Sequence[Sequence[str | None]],
) -> PolicyDocument:
    """Return the only policy of a role. Raise InvalidPipelineError if it is too long for IAM.

    IAM would refuse it as well, but without saying what to shorten.
    """
    statements = [*filter(None, map(_grant_statement, actions, resources))]
    document = _document(statements)
    characters = policy_characters(document)

    if characters > MAX_POLICY_CHARACTERS:
        longest = sorted(statements, key=policy_characters, reverse=True)[:3]
        parts = (f"{len(item['Resource'])} ARNs for {item['Action'][0]}" for item in longest)
        problem = (
            f"the policy of the role {role} has {characters:,} characters, but IAM accepts "
            f"{MAX_POLICY_CHARACTERS:,}; most of them are {', '.join(parts)}; shorten the names or "
            "locations in these ARNs, use fewer of them, or move solutions to another stack"
        )
        raise_if_any_problem([problem], pipeline)
    return document


def policy_characters(policy: PolicyDocument) -> int:
    """Return the characters of a policy as IAM counts them, which is without white space."""
    return len("".join(json.dumps(policy).split()))


def _grant_statement(actions: Sequence[str], resources: Sequence[str | None]) -> PolicyDocument:
    """Return the statement for a grant, or {} without resources, because IAM refuses that."""
    arns = [arn for arn in resources if arn]
    if not arns:
        return {}

    # Without the condition, the function could let any service act with the role.
    passed_to = {"StringEquals": {"iam:PassedToService": "personalize.amazonaws.com"}}
    return {
        "Effect": "Allow",
        "Action": [*actions],
        "Resource": arns,
        **({"Condition": passed_to} if "iam:PassRole" in actions else {}),
    }


def _service_statement(service: str, action: str, home: Home, source: str | None) -> PolicyDocument:
    """Return a statement that lets a service act for resources whose ARNs end with `source`."""
    principal = {"Service": f"{service}.amazonaws.com"}
    statement: PolicyDocument = {"Effect": "Allow", "Principal": principal, "Action": action}

    if source is not None:
        statement["Condition"] = {
            "StringEquals": {"aws:SourceAccount": home.account},
            "ArnLike": {"aws:SourceArn": resource_arn(home, service, source)},
        }
    return statement


def _document(statements: Iterable[PolicyDocument]) -> PolicyDocument:
    """Return the policy document with these statements. Empty ones are left out."""
    return {"Version": "2012-10-17", "Statement": [*filter(None, statements)]}
