"""What the caller of each command may do: one table, and the IAM policy that follows from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

from components import iam
from components.state_machine.steps import STEPS
from functions.contract import pipeline_name

if TYPE_CHECKING:
    from retrain.check.examined_pipeline import ExaminedPipeline

Kind: TypeAlias = Literal[
    "any",
    "state machine",
    "executions",
    "dataset groups",
    "datasets",
    "schemas",
    "all import jobs",
    "solutions",
    "solution versions",
    "campaigns",
    "schedules",
    "alarms",
    "topic",
    "exports",
    "export buckets",
    "KMS keys",
    "checked keys",
    "IAM principals",
]
Grants: TypeAlias = Mapping[Kind, Sequence[str]]
"""Kind of resource to the IAM actions on it, as in `components/state_machine/steps.py`."""

WRITES = ("personalize:TagResource",)
"""The only actions of the plan function that change something. A plan on a terminal leaves them
out."""
FIND: Grants = {"state machine": ("states:DescribeStateMachine", "states:ListExecutions")}
"""What every command needs to find the deployed pipeline and its runs."""
READ_RUNS: Grants = {"executions": ("states:DescribeExecution", "states:GetExecutionHistory")}


def _of_step(name: str) -> Grants:
    """Return the grants of a function, without those that change something."""
    return {
        cast("Kind", RENAMED.get(kind, kind)): [
            action for action in actions if action not in WRITES
        ]
        for kind, actions in STEPS[name].grants.items()
    }


RENAMED: Mapping[str, Kind] = {"data key": "KMS keys", "schedule": "schedules"}
"""Kind of resource in `steps.py` -> the kind in this module, if its ARNs differ."""


def merged(*grants: Grants) -> dict[Kind, list[str]]:
    """Return all grants together, sorted by the names of the actions."""
    actions: dict[Kind, set[str]] = {}
    for row in grants:
        for kind, names in row.items():
            actions.setdefault(kind, set()).update(names)
    return {kind: sorted(names) for kind, names in actions.items() if names}


PLAN = merged(FIND, _of_step("plan_retraining"))
COMMANDS: Mapping[str, Grants] = {
    "adopt": {
        "any": (
            *("personalize:ListCampaigns", "personalize:ListDatasetImportJobs"),
            *("personalize:ListDatasets", "personalize:ListSolutionVersions"),
            "personalize:ListSolutions",
        ),
        "dataset groups": ("personalize:DescribeDatasetGroup",),
        "all import jobs": (
            "personalize:DescribeDatasetImportJob",
            "personalize:ListTagsForResource",
        ),
        "solutions": ("personalize:DescribeSolution",),
        "solution versions": ("personalize:GetSolutionMetrics",),
        "campaigns": ("personalize:DescribeCampaign",),
        "exports": ("s3:GetObject",),
        "export buckets": ("s3:ListBucket",),
    },
    "doctor": merged(
        PLAN,
        READ_RUNS,
        {
            "any": (
                *("cloudwatch:DescribeAlarms", "personalize:ListCampaigns"),
                *("personalize:ListSolutions", "scheduler:ListSchedules"),
                "servicequotas:ListServiceQuotas",
            ),
            "topic": ("sns:ListSubscriptionsByTopic",),
            "schedules": ("scheduler:GetSchedule",),
            "export buckets": (
                *("s3:GetBucketNotification", "s3:GetBucketPolicy"),
                "s3:GetBucketRequestPayment",
            ),
            "checked keys": ("kms:DescribeKey", "kms:GetKeyPolicy"),
            "IAM principals": ("iam:GetRole", "iam:SimulatePrincipalPolicy"),
        },
    ),
    "plan": PLAN,
    "start": merged(FIND, READ_RUNS, {"state machine": ("states:StartExecution",)}),
    "stop": merged(
        FIND,
        READ_RUNS,
        {
            "executions": ("states:StopExecution",),
            "any": ("personalize:ListSolutionVersions",),
            "solution versions": (
                "personalize:DescribeSolutionVersion",
                "personalize:ListTagsForResource",
                "personalize:StopSolutionVersionCreation",
            ),
        },
    ),
    "watch": merged(FIND, READ_RUNS),
    "history": merged(
        FIND,
        READ_RUNS,
        {
            "any": (
                "personalize:ListCampaigns",
                "personalize:ListDatasetImportJobs",
                "personalize:ListDatasets",
                "personalize:ListSolutionVersions",
            ),
            "all import jobs": (
                "personalize:DescribeDatasetImportJob",
                "personalize:ListTagsForResource",
            ),
            "solution versions": (
                "personalize:DescribeSolutionVersion",
                "personalize:GetSolutionMetrics",
                "personalize:ListTagsForResource",
            ),
            "campaigns": ("personalize:DescribeCampaign", "personalize:ListTagsForResource"),
        },
    ),
    "rollback": merged(
        FIND,
        {
            "any": ("personalize:ListSolutionVersions",),
            "campaigns": (
                "personalize:DescribeCampaign",
                "personalize:ListTagsForResource",
                "personalize:TagResource",
                "personalize:UpdateCampaign",
            ),
        },
    ),
    "approve": merged(
        FIND,
        {
            "state machine": ("states:StartExecution",),
            "any": ("personalize:ListSolutionVersions",),
            "solution versions": (
                "personalize:DescribeSolutionVersion",
                "personalize:GetSolutionMetrics",
                "personalize:ListTagsForResource",
                "personalize:TagResource",
            ),
            "campaigns": ("personalize:DescribeCampaign", "personalize:ListTagsForResource"),
        },
    ),
    "test-alarm": merged(
        FIND,
        {
            "any": ("cloudwatch:DescribeAlarms",),
            "alarms": ("cloudwatch:DescribeAlarmHistory", "cloudwatch:SetAlarmState"),
            "topic": ("sns:ListSubscriptionsByTopic",),
        },
    ),
}
"""Command to what its caller has to be allowed. `retrain doctor --policy` prints all together."""


def policy_of(pipeline: ExaminedPipeline, grants: Grants | None = None) -> dict[str, object]:
    """Return the IAM policy that allows these grants, or those of all commands, on a pipeline."""
    arns = resource_arns(pipeline)
    chosen = merged(*COMMANDS.values()) if grants is None else grants
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": list(actions), "Resource": arns[kind]}
            for kind, actions in chosen.items()
            if arns[kind]
        ],
    }


def resource_arns(pipeline: ExaminedPipeline) -> dict[Kind, list[str]]:
    """Return the ARNs of each kind of resource of a pipeline.

    The names of a pipeline that is not deployed are patterns: Pulumi adds characters to them.
    """
    home, args = pipeline.home, pipeline.args
    name = _name_of(pipeline)
    machine = pipeline.target.state_machine_arn if pipeline.target else f"{name}-*"
    data_key, log_key = (args.data_kms_key_arn, args.kms_key_arn) if args else (None, None)
    arns = iam.resource_arns(
        cast("Mapping[str, Any]", pipeline.settings),
        home,
        unique_name=machine.rpartition(":")[2],
        kms_key_arn=None,
        data_kms_key_arn=None if data_key is None else str(data_key),
    )
    topic_arn = topic_arn_of(pipeline) or iam.resource_arn(home, "sns", f"{name}-*")
    return {
        **{cast("Kind", RENAMED.get(kind, kind)): values for kind, values in arns.items()},
        "topic": [topic_arn],
        "alarms": [iam.resource_arn(home, "cloudwatch", f"alarm:{name}-*")],
        "checked keys": sorted({str(key) for key in (data_key, log_key) if key is not None}),
        "IAM principals": [
            f"arn:{home.partition}:iam::{home.account}:{kind}/*" for kind in ("role", "user")
        ],
    }


def topic_arn_of(pipeline: ExaminedPipeline) -> str | None:
    """Return the topic of the messages, or None if it is not known before the deployment."""
    notifications = pipeline.target.settings.get("notifications") if pipeline.target else None
    if notifications is not None:
        return notifications["topicArn"]
    topic_arn = pipeline.args.notifications.topic_arn if pipeline.args else None
    return str(topic_arn) if topic_arn is not None else None


def _name_of(pipeline: ExaminedPipeline) -> str:
    """Return the name of the pipeline, with which the names of its resources begin."""
    if pipeline.target:
        return pipeline_name(pipeline.target.settings)
    return f"retraining-{pipeline.stack}"
