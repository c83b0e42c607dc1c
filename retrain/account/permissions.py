"""What the caller of each command may do: one table, and the IAM policy that follows from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from components import iam
from components.function_configs import FUNCTION_CONFIGS
from functions.contract import pipeline_name

if TYPE_CHECKING:
    from components.rules.arns import Environment
    from retrain.check.examined_pipeline import ExaminedPipeline

Grants: TypeAlias = Mapping[str, Sequence[str]]
"""Kind of resource -> the IAM actions on it, as in `components/function_configs.py`."""

PLANNED: Grants = {
    # A plan on a terminal writes no tags.
    kind: [action for action in actions if action != "personalize:TagResource"]
    for kind, actions in FUNCTION_CONFIGS["plan_retraining"].permissions.items()
}
"""The grants of the function that plans a run, whose code `plan` and `doctor` run."""
RUNS = "status doctor plan start stop watch history rollback"
"""The commands that look for runs of the deployed pipeline."""
ROWS: Sequence[tuple[str, str, str]] = (
    (
        "state machine",
        "states:DescribeStateMachine",
        f"{RUNS} pin unpin pause resume approve test-alarm",
    ),
    ("state machine", "states:ListExecutions", f"{RUNS} approve"),
    ("state machine", "states:StartExecution", "start approve"),
    ("executions", "states:DescribeExecution", "status doctor plan start stop watch history"),
    (
        "executions",
        "states:GetExecutionHistory",
        "status start stop watch history rollback approve",
    ),
    ("executions", "states:StopExecution", "stop"),
    ("any", "personalize:ListSolutionVersions", "status adopt stop history rollback approve"),
    ("any", "personalize:ListDatasetImportJobs", "adopt history"),
    ("any", "personalize:ListDataDeletionJobs", "rollback approve"),
    ("any", "personalize:ListCampaigns personalize:ListDatasets", "adopt history"),
    ("any", "personalize:ListSolutions", "adopt"),
    ("any", "cloudwatch:DescribeAlarms", "status doctor test-alarm"),
    ("any", "events:ListRules events:ListTargetsByRule", "status doctor pause resume"),
    ("any", "logs:DescribeLogGroups logs:DescribeMetricFilters", "doctor"),
    ("any", "sns:GetSubscriptionAttributes", "doctor test-alarm"),
    ("any", "scheduler:ListSchedules", "status doctor pause resume"),
    ("dataset groups", "personalize:DescribeDatasetGroup", "adopt"),
    ("all import jobs", "personalize:DescribeDatasetImportJob", "adopt history"),
    ("all import jobs", "personalize:ListTagsForResource", "adopt history"),
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
    ("buckets of Personalize", "s3:GetBucketPolicy s3:ListBucket", "doctor"),
    ("schedule", "scheduler:GetSchedule", "status doctor pause resume"),
    ("schedule", "scheduler:UpdateSchedule", "pause resume"),
    ("schedule's role", "iam:PassRole", "pause resume"),
    ("event rules", "events:DisableRule", "pause"),
    ("event rules", "events:EnableRule", "resume"),
    ("functions", "lambda:GetFunctionConfiguration", "doctor"),
    ("queues", "sqs:GetQueueUrl", "doctor"),
    ("checked keys", "kms:DescribeKey kms:GetKeyPolicy", "doctor"),
    ("IAM principals", "iam:GetRole iam:SimulatePrincipalPolicy", "doctor"),
    ("IAM principals", "iam:ListRolePolicies iam:GetRolePolicy", "doctor"),
    ("IAM principals", "iam:ListAttachedRolePolicies", "doctor"),
    ("IAM policies", "iam:GetPolicy iam:GetPolicyVersion", "doctor"),
    ("alarms", "cloudwatch:DescribeAlarmHistory cloudwatch:SetAlarmState", "test-alarm"),
    ("topic", "sns:ListSubscriptionsByTopic", "doctor test-alarm"),
    ("topic", "sns:GetTopicAttributes", "doctor"),
)
"""Kind of resource, the actions on it, and the commands whose caller needs them."""


def merge_grants(*grants: Grants) -> dict[str, list[str]]:
    """Merge grants into one, sorted by the names of the actions."""
    actions_by_kind: dict[str, set[str]] = {}
    for grant in grants:
        for kind, actions in grant.items():
            actions_by_kind.setdefault(kind, set()).update(actions)
    return {kind: sorted(actions) for kind, actions in actions_by_kind.items() if actions}


def _list_grants(command: str) -> dict[str, list[str]]:
    """Collect what the caller of a command has to be allowed, from all rows."""
    grants: list[Grants] = [
        {kind: actions.split()} for kind, actions, users in ROWS if command in users.split()
    ]
    if command in ("plan", "doctor"):
        grants.append(PLANNED)
    return merge_grants(*grants)


COMMANDS: Mapping[str, Grants] = {
    command: _list_grants(command)
    for command in dict.fromkeys(" ".join(users for *_, users in ROWS).split())
}
"""Command -> what its caller has to be allowed. `retrain doctor --policy` prints all together."""


def build_operator_policy(pipeline: ExaminedPipeline) -> dict[str, object]:
    """Build the IAM policy that allows all commands on a pipeline."""
    return build_policy_document(merge_grants(*COMMANDS.values()), list_arns_by_kind(pipeline))


def build_policy_document(grants: Grants, arns: Mapping[str, Sequence[str]]) -> dict[str, object]:
    """Build the IAM policy that allows these grants on the ARNs of each kind."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": list(actions), "Resource": arns[kind]}
            for kind, actions in grants.items()
            if arns[kind]
        ],
    }


def list_file_arns(pipeline: ExaminedPipeline) -> dict[str, list[str]]:
    """List what Personalize needs to read and write for imports and batch jobs."""
    settings = pipeline.settings
    jobs = [job for solution in settings["solutions"] for job in solution["batchJobs"]]
    exports = [dataset["dataLocation"] for dataset in settings["datasets"]]

    reads = [*exports, *(job["input"] for job in jobs)]
    writes = [job["output"] for job in jobs]
    return iam.map_s3_actions_to_arns(pipeline.environment.partition, reads, writes)


def list_arns_by_kind(pipeline: ExaminedPipeline) -> dict[str, list[str]]:
    """List the ARNs of each kind of resource of a pipeline.

    The names of a pipeline that is not deployed are patterns, because Pulumi will add characters to
    them.
    """
    home = pipeline.environment
    name = f"retraining-{pipeline.stack}"
    machine_name = f"{name}-*"
    if pipeline.target is not None:
        name = pipeline_name(pipeline.target.settings)
        machine_name = pipeline.target.name

    arns = iam.list_resource_arns(
        cast("Mapping[str, Any]", pipeline.settings),
        home,
        unique_name=machine_name,
        kms_key_arn=None,
        data_kms_key_arn=pipeline.data_key_arn,
    )
    key_arns = {pipeline.data_key_arn, pipeline.log_key_arn}
    return {
        **cast("Mapping[str, list[str]]", arns),
        **_list_arns_by_name(home, name),
        "topic": [pipeline.topic_arn or iam.build_arn(home, "sns", f"{name}-*")],
        "buckets of Personalize": list_file_arns(pipeline)["s3:ListBucket"],
        "checked keys": sorted(filter(None, key_arns)),
    }


def _list_arns_by_name(home: Environment, pipeline_name: str) -> dict[str, list[str]]:
    """List patterns for the resources whose names begin with the pipeline's, and all of IAM's."""
    iam_prefix = f"arn:{home.partition}:iam"
    return {
        "alarms": [iam.build_arn(home, "cloudwatch", f"alarm:{pipeline_name}-*")],
        "functions": [iam.build_arn(home, "lambda", f"function:{pipeline_name}-*")],
        "queues": [iam.build_arn(home, "sqs", f"{pipeline_name}-*")],
        "event rules": [iam.build_arn(home, "events", f"rule/{pipeline_name}-*")],
        # UpdateSchedule passes the role of the schedule again.
        "schedule's role": [f"{iam_prefix}::{home.account}:role/{pipeline_name}-schedule-*"],
        "IAM policies": [f"{iam_prefix}::{owner}:policy/*" for owner in (home.account, "aws")],
        "IAM principals": [f"{iam_prefix}::{home.account}:{kind}/*" for kind in ("role", "user")],
    }
