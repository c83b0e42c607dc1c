"""Lists the Lambda functions, each with its memory and exactly the permissions that it needs."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

ResourceKind = Literal[
    "dataset groups",
    "datasets",
    "schemas",
    "import jobs",
    "all import jobs",
    "import role",
    "inference jobs",
    "segment jobs",
    "all batch jobs",
    "batch role",
    "batch inputs",
    "batch outputs",
    "filters",
    "recommenders",
    "recommender list",
    "solutions",
    "solution versions",
    "campaigns",
    "bake alarms",
    "schedule",
    "exports",
    "export buckets",
    "data keys",
    "state machine",
    "executions",
    "topic",
    "topic key",
    "event bus",
    "any",
]
"""The kinds of resources that a function may use. `components/iam.py` turns each kind into ARNs.

`any` is `*`, for actions that don't support a narrower resource:
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonpersonalize.html
"""


class FunctionConfig(NamedTuple):
    """What one Lambda function needs, apart from writing its log."""

    permissions: Mapping[ResourceKind, tuple[str, ...]]
    """Kind of resource -> the IAM actions that are allowed on it."""
    memory_megabytes: int = 128


FUNCTION_TIMEOUT_SECONDS = 900
"""The timeout of each function, which is Lambda's maximum. Functions that poll for changes use up
to 14 minutes of it (`functions/reconcile.py`). The others take seconds, or some minutes if a
service doesn't respond (`functions/common/aws.py`)."""

REPORT_PERMISSIONS: Mapping[ResourceKind, tuple[str, ...]] = {
    "campaigns": ("personalize:DescribeCampaign", "personalize:ListTagsForResource"),
    "recommenders": ("personalize:DescribeRecommender",),
    "recommender list": ("personalize:ListRecommenders",),
    "topic": ("sns:Publish",),
    "topic key": ("kms:GenerateDataKey", "kms:Decrypt"),
    "event bus": ("events:PutEvents",),
}
"""The permissions to send a run's report.

Publishing to an encrypted topic requires its key, too:
https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
"""

LIST_BATCH_JOBS = ("personalize:ListBatchInferenceJobs", "personalize:ListBatchSegmentJobs")
"""Whether a solution has inference or segment jobs depends on its recipe, which is only known at
run time. So a function may list both."""

READ_IMPORTS: Mapping[ResourceKind, tuple[str, ...]] = {
    "any": ("personalize:ListDatasetImportJobs", "personalize:ListDatasets"),
    "datasets": ("personalize:ListTagsForResource",),
    "all import jobs": ("personalize:DescribeDatasetImportJob", "personalize:ListTagsForResource"),
}
"""The permissions to find out which imports a version was trained on."""

FUNCTION_CONFIGS: Mapping[str, FunctionConfig] = {
    "plan_retraining": FunctionConfig(
        memory_megabytes=256,
        permissions={
            "any": (
                "personalize:ListDataDeletionJobs",
                *LIST_BATCH_JOBS,
                "personalize:ListDatasetImportJobs",
                "personalize:ListDatasets",
                "personalize:ListEventTrackers",
                "personalize:ListSolutionVersions",
            ),
            "all batch jobs": ("personalize:ListTagsForResource",),
            "filters": ("personalize:DescribeFilter",),
            "batch inputs": ("s3:GetObject",),
            "dataset groups": ("personalize:DescribeDatasetGroup",),
            "datasets": (
                "personalize:DescribeDataset",
                "personalize:ListTagsForResource",
                "personalize:TagResource",
            ),
            "schemas": ("personalize:DescribeSchema",),
            "all import jobs": (
                "personalize:DescribeDatasetImportJob",
                "personalize:ListTagsForResource",
                "personalize:TagResource",
            ),
            "solutions": ("personalize:DescribeSolution", "personalize:TagResource"),
            "solution versions": (
                "personalize:DescribeSolutionVersion",
                "personalize:GetSolutionMetrics",
                "personalize:ListTagsForResource",
            ),
            "campaigns": (
                "personalize:DescribeCampaign",
                "personalize:ListTagsForResource",
                "personalize:TagResource",
            ),
            "export buckets": ("s3:ListBucket",),
            "exports": ("s3:GetObject",),
            "data keys": ("kms:Decrypt",),
            "schedule": ("scheduler:GetSchedule",),
            "state machine": ("states:ListExecutions",),
        },
    ),
    "import_dataset": FunctionConfig(
        memory_megabytes=256,
        permissions={
            "any": (
                "personalize:ListDataDeletionJobs",
                "personalize:ListDatasetImportJobs",
                "personalize:ListDatasets",
                "personalize:ListEventTrackers",
            ),
            "dataset groups": ("personalize:DescribeDatasetGroup",),
            "datasets": (
                "personalize:CreateDatasetImportJob",
                "personalize:DescribeDataset",
                "personalize:ListTagsForResource",
                "personalize:TagResource",
            ),
            "schemas": ("personalize:DescribeSchema",),
            "import jobs": ("personalize:CreateDatasetImportJob",),
            "all import jobs": (
                "personalize:DescribeDatasetImportJob",
                "personalize:ListTagsForResource",
                "personalize:TagResource",
            ),
            "import role": ("iam:PassRole",),
            "export buckets": ("s3:ListBucket",),
            "exports": ("s3:GetObject",),
            "data keys": ("kms:Decrypt",),
        },
    ),
    "train_solution": FunctionConfig(
        permissions={
            **READ_IMPORTS,
            "any": (
                *READ_IMPORTS["any"],
                "personalize:ListDataDeletionJobs",
                "personalize:ListSolutionVersions",
            ),
            "solutions": ("personalize:CreateSolutionVersion", "personalize:DescribeSolution"),
            "solution versions": (
                "personalize:DescribeSolutionVersion",
                "personalize:ListTagsForResource",
                "personalize:StopSolutionVersionCreation",
                "personalize:TagResource",
            ),
        },
    ),
    "deploy_version": FunctionConfig(
        permissions={
            **READ_IMPORTS,
            "any": (*READ_IMPORTS["any"], "personalize:ListSolutionVersions"),
            "campaigns": (
                "personalize:DescribeCampaign",
                "personalize:GetPersonalizedRanking",
                "personalize:GetRecommendations",
                "personalize:ListTagsForResource",
                "personalize:TagResource",
                "personalize:UpdateCampaign",
            ),
            "bake alarms": ("cloudwatch:DescribeAlarms",),
            "solution versions": (
                "personalize:DescribeSolutionVersion",
                "personalize:GetSolutionMetrics",
                "personalize:ListTagsForResource",
                "personalize:TagResource",
            ),
        },
    ),
    "run_batch_job": FunctionConfig(
        permissions={
            **READ_IMPORTS,
            "any": (
                *READ_IMPORTS["any"],
                *LIST_BATCH_JOBS,
                "personalize:ListDataDeletionJobs",
                "personalize:ListSolutionVersions",
            ),
            "inference jobs": ("personalize:CreateBatchInferenceJob", "personalize:TagResource"),
            "segment jobs": ("personalize:CreateBatchSegmentJob", "personalize:TagResource"),
            "all batch jobs": ("personalize:ListTagsForResource",),
            # CreateBatchInferenceJob is authorized on both the job and its solution.
            "solutions": ("personalize:CreateBatchInferenceJob",),
            "solution versions": (
                "personalize:CreateBatchInferenceJob",
                "personalize:DescribeSolutionVersion",
                "personalize:GetSolutionMetrics",
                "personalize:ListTagsForResource",
            ),
            "campaigns": ("personalize:DescribeCampaign", "personalize:ListTagsForResource"),
            "batch role": ("iam:PassRole",),
            "filters": ("personalize:DescribeFilter",),
            "export buckets": ("s3:ListBucket",),
            "batch outputs": ("s3:GetObject",),
            "data keys": ("kms:Decrypt",),
        },
    ),
    "report_outcome": FunctionConfig(
        permissions={
            **REPORT_PERMISSIONS,
            "campaigns": (*REPORT_PERMISSIONS["campaigns"], "personalize:TagResource"),
        }
    ),
    "start_on_export": FunctionConfig(
        permissions={
            "export buckets": ("s3:ListBucket",),
            "state machine": ("states:DescribeStateMachine", "states:StartExecution"),
        },
    ),
    "close_run": FunctionConfig(
        permissions={
            **REPORT_PERMISSIONS,
            "executions": ("states:DescribeExecution", "states:GetExecutionHistory"),
        },
    ),
    "watch_pipeline": FunctionConfig(
        permissions={
            "any": (
                "personalize:ListDatasetImportJobs",
                "personalize:ListEventTrackers",
                "personalize:ListSolutionVersions",
            ),
            "datasets": ("personalize:ListTagsForResource",),
            "solutions": ("personalize:ListTagsForResource",),
            "solution versions": (
                "personalize:DescribeSolutionVersion",
                "personalize:ListTagsForResource",
                "personalize:StopSolutionVersionCreation",
            ),
            "campaigns": ("personalize:DescribeCampaign", "personalize:ListTagsForResource"),
            "recommender list": ("personalize:ListRecommenders",),
            "state machine": (
                "states:DescribeStateMachine",
                "states:ListExecutions",
                "states:StartExecution",
            ),
        },
    ),
}
"""Module in `functions/` -> what its Lambda function needs."""
