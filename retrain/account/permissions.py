"""The IAM permissions that each command needs, and the operator policy built from them.

Each permission applies to a *kind of resource*, such as `campaigns`. For a given pipeline,
`list_arns_by_kind` lists the ARNs of each kind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from components import iam
from components.function_configs import FUNCTION_CONFIGS
from functions.contract import pipeline_name

if TYPE_CHECKING:
    from components.rules.arns import Environment
    from retrain.check.examined_pipeline import ExaminedPipeline

Grants: TypeAlias = Mapping[str, Sequence[str]]
"""Kind of resource -> the allowed IAM actions, as in `components/function_configs.py`."""

PLANNING_GRANTS: Grants = {
    # Unlike the function, a command that plans a run writes no tags.
    kind: [action for action in actions if action != "personalize:TagResource"]
    for kind, actions in FUNCTION_CONFIGS["plan_retraining"].permissions.items()
}
"""What `plan` and `doctor` need, because they run the code of the function that plans a run."""
RUN_COMMANDS = "status doctor plan start stop watch history rollback"
"""The commands that list the pipeline's runs."""
PERMISSION_TABLE: Sequence[tuple[str, str, str]] = (
    (
        "state machine",
        "states:DescribeStateMachine",
        f"{RUN_COMMANDS} pin unpin pause resume approve test-alarm",
    ),
    ("state machine", "states:ListExecutions", f"{RUN_COMMANDS} approve"),
    ("state machine", "states:StartExecution", "start approve"),
    (
        "executions",
        "states:DescribeExecution",
        "status doctor plan start stop watch history rollback",
    ),
    (
        "executions",
        "states:GetExecutionHistory",
        "status start stop watch history rollback approve",
    ),
    ("executions", "states:StopExecution", "stop"),
    ("any", "personalize:ListSolutionVersions", "status adopt stop history rollback approve"),
    ("any", "personalize:ListDataDeletionJobs", "rollback approve"),
    ("any", "personalize:ListCampaigns", "adopt history"),
    (
        "any",
        "personalize:ListDatasets personalize:ListDatasetImportJobs",
        "adopt history approve",
    ),
    ("any", "personalize:ListSolutions", "adopt"),
    ("recommender list", "personalize:ListRecommenders", "status"),
    ("any", "cloudwatch:DescribeAlarms", "status doctor test-alarm"),
    ("any", "events:ListRules events:ListTargetsByRule", "status doctor pause resume"),
    ("any", "logs:DescribeLogGroups logs:DescribeMetricFilters", "doctor"),
    ("any", "sns:GetSubscriptionAttributes", "doctor test-alarm"),
    ("any", "scheduler:ListSchedules", "status doctor pause resume"),
    ("dataset groups", "personalize:DescribeDatasetGroup", "adopt"),
    (
        "all import jobs",
        "personalize:DescribeDatasetImportJob personalize:ListTagsForResource",
        "adopt history approve",
    ),
    ("datasets", "personalize:ListTagsForResource", "approve"),
    ("solutions", "personalize:DescribeSolution", "adopt"),
    ("solution versions", "personalize:DescribeSolutionVersion", "stop history rollback approve"),
    (
        "solution versions",
        "personalize:GetSolutionMetrics",
        "status adopt history approve rollback",
    ),
    ("solution versions", "personalize:ListTagsForResource", "status stop history approve"),
    ("solution versions", "personalize:StopSolutionVersionCreation", "stop"),
    ("solution versions", "personalize:TagResource", "approve"),
    ("campaigns", "personalize:DescribeCampaign", "status history rollback approve"),
    ("campaigns", "personalize:ListTagsForResource", "status history rollback pin unpin approve"),
    ("campaigns", "personalize:TagResource", "rollback pin unpin"),
    ("campaigns", "personalize:UpdateCampaign", "rollback"),
    ("exports", "s3:GetObject", "adopt"),
    ("export buckets", "s3:ListBucket", "adopt"),
    ("export buckets", "s3:GetBucketNotification", "doctor"),
    ("Personalize buckets", "s3:GetBucketPolicy s3:ListBucket", "doctor"),
    ("schedule", "scheduler:GetSchedule", "status doctor pause resume"),
    ("schedule", "scheduler:UpdateSchedule", "pause resume"),
    ("schedule's role", "iam:PassRole", "pause resume"),
    ("event rules", "events:DisableRule", "pause"),
    ("event rules", "events:EnableRule", "resume"),
    ("functions", "lambda:GetFunctionConfiguration", "doctor"),
    ("queues", "sqs:GetQueueUrl", "doctor"),
    ("checked keys", "kms:DescribeKey kms:GetKeyPolicy", "doctor"),
    ("IAM principals", "iam:GetRole iam:SimulatePrincipalPolicy", "doctor"),
    (
        "IAM principals",
        "iam:ListRolePolicies iam:GetRolePolicy iam:ListAttachedRolePolicies",
        "doctor",
    ),
    ("IAM policies", "iam:GetPolicy iam:GetPolicyVersion", "doctor"),
    ("alarms", "cloudwatch:DescribeAlarmHistory cloudwatch:SetAlarmState", "test-alarm"),
    ("topic", "sns:ListSubscriptionsByTopic", "doctor test-alarm"),
    ("topic", "sns:GetTopicAttributes", "doctor"),
)
"""In each row: a kind of resource, actions on it, and the commands that need these actions."""


def merge_grants(*all_grants: Grants) -> dict[str, list[str]]:
    """Merge grants, sort the actions of each kind of resource, and drop kinds without actions."""
    actions_by_kind: dict[str, set[str]] = {}
    for grants in all_grants:
        for kind, actions in grants.items():
            actions_by_kind.setdefault(kind, set()).update(actions)
    return {kind: sorted(actions) for kind, actions in actions_by_kind.items() if actions}


def _collect_grants(command: str) -> dict[str, list[str]]:
    """Collect the grants that a command needs, most of which are in PERMISSION_TABLE."""
    grants: list[Grants] = [
        {kind: actions.split()}
        for kind, actions, commands in PERMISSION_TABLE
        if command in commands.split()
    ]
    if command in ("plan", "doctor"):
        grants.append(PLANNING_GRANTS)

    return merge_grants(*grants)


GRANTS_BY_COMMAND: Mapping[str, Grants] = {
    command: _collect_grants(command)
    for command in dict.fromkeys(" ".join(commands for *_, commands in PERMISSION_TABLE).split())
}
"""Command -> the permissions it needs. `retrain doctor --policy` prints them for all commands."""


def build_operator_policy(pipeline: ExaminedPipeline) -> dict[str, object]:
    """Build the IAM policy that lets an operator run all commands on a pipeline."""
    all_grants = merge_grants(*GRANTS_BY_COMMAND.values())
    return build_policy_document(all_grants, list_arns_by_kind(pipeline))


def build_policy_document(
    grants: Grants, arns_by_kind: Mapping[str, Sequence[str]]
) -> dict[str, object]:
    """Build an IAM policy from grants. A kind of resource without ARNs gets no statement."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": list(actions), "Resource": arns_by_kind[kind]}
            for kind, actions in grants.items()
            if arns_by_kind[kind]
        ],
    }


def map_s3_actions_to_arns(pipeline: ExaminedPipeline) -> dict[str, list[str]]:
    """Map each S3 action to the ARNs on which Personalize needs it, for imports and batch jobs."""
    settings = pipeline.settings
    exports = [dataset["dataLocation"] for dataset in settings["datasets"]]
    batch_jobs = [job for solution in settings["solutions"] for job in solution["batchJobs"]]
    batch_inputs = [job["input"] for job in batch_jobs]
    batch_outputs = [job["output"] for job in batch_jobs]

    partition = pipeline.environment.partition
    return iam.map_s3_actions_to_arns(partition, [*exports, *batch_inputs], batch_outputs)


def list_arns_by_kind(pipeline: ExaminedPipeline) -> dict[str, list[str]]:
    """List a pipeline's ARNs by kind of resource.

    Before the first deployment, the names of new resources end with a wildcard, because we don't
    know yet which random characters Pulumi will append to them.
    """
    if pipeline.target is None:
        name_prefix = f"retraining-{pipeline.stack}"
        machine_name = f"{name_prefix}-*"
    else:
        name_prefix = pipeline_name(pipeline.target.settings)
        machine_name = pipeline.target.name

    settings: Any = pipeline.settings
    arns_in_settings: Any = iam.list_resource_arns(
        settings,
        pipeline.environment,
        unique_name=machine_name,
        kms_key_arn=None,
        data_kms_key_arn=pipeline.data_key_arn,
    )
    arn_patterns = _build_arn_patterns(pipeline.environment, name_prefix)
    return {
        **arns_in_settings,
        **arn_patterns,
        "topic": [pipeline.topic_arn or arn_patterns["topic"][0]],
        "Personalize buckets": map_s3_actions_to_arns(pipeline)["s3:ListBucket"],
        "checked keys": pipeline.key_arns,
    }


def _build_arn_patterns(environment: Environment, name_prefix: str) -> dict[str, list[str]]:
    """Build ARN patterns for resources named after the pipeline, and for the account's IAM.

    The patterns for policies, roles and users match any name, because `doctor` also examines roles
    that the settings name, such as the import role.
    """
    build_arn = partial(iam.build_arn, environment)
    iam_arn = f"arn:{environment.partition}:iam::"
    account = environment.account
    return {
        "alarms": [build_arn("cloudwatch", f"alarm:{name_prefix}-*")],
        "functions": [build_arn("lambda", f"function:{name_prefix}-*")],
        "queues": [build_arn("sqs", f"{name_prefix}-*")],
        "topic": [build_arn("sns", f"{name_prefix}-*")],
        "event rules": [build_arn("events", f"rule/{name_prefix}-*")],
        # UpdateSchedule passes the schedule's role again, so it needs iam:PassRole.
        "schedule's role": [f"{iam_arn}{account}:role/{name_prefix}-schedule-*"],
        "IAM policies": [f"{iam_arn}{account}:policy/*", f"{iam_arn}aws:policy/*"],
        "IAM principals": [f"{iam_arn}{account}:role/*", f"{iam_arn}{account}:user/*"],
    }
