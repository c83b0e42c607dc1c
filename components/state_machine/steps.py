"""The Lambda functions of the pipeline, with the time, the memory and the permissions of each."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

Resource = Literal[
    "dataset groups",
    "datasets",
    "schemas",
    "import jobs",
    "all import jobs",
    "import role",
    "solutions",
    "solution versions",
    "campaigns",
    "schedule",
    "exports",
    "export buckets",
    "data key",
    "state machine",
    "executions",
    "topic",
    "topic key",
    "event bus",
    "any",
]
"""The kinds of resources in policies. `components/iam.py` turns each kind into ARNs.

`any` is `*`. Only actions that support no narrower resource are allowed on it, according to the
service authorization reference (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonpersonalize.html).
"""


class Step(NamedTuple):
    """The timeout, the memory and the permissions of one Lambda function."""

    timeout_seconds: int
    grants: Mapping[Resource, tuple[str, ...]]
    """Kind of resource to the IAM actions that the function may use on it."""
    memory_megabytes: int = 128


SHORT_SECONDS = 60
"""The timeout of a function that sends a few requests. A cold start with boto3 takes about 5 s."""
LONG_SECONDS = 120
"""The timeout of a function that reads lists of several pages."""
LOOP_SECONDS = 900
"""The timeout of a function that looks, decides and acts. It goes on for 14 minutes
(`functions/reconcile.py`)."""
POLLING_SECONDS = 420
"""The timeout of `start_on_export`, which repeats its work for at most 300 seconds."""

SEND_REPORTS: Mapping[Resource, tuple[str, ...]] = {
    "topic": ("sns:Publish",),
    "topic key": ("kms:GenerateDataKey", "kms:Decrypt"),
    "event bus": ("events:PutEvents",),
}
"""The grants of a function that sends the report of a run.

The publisher of a message to an encrypted topic needs the key of the topic:
https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html.
"""

REPORTING_SECONDS = 360
"""The timeout of a function that reads all campaigns, and then sends the report of a run. The reads
end after 60 seconds (`functions/personalize/standings.py`). If no service answers, the last of them
takes twice 70 seconds longer, the request for an execution that finishes trials takes 70, and the
message and the event 35 each (`functions/aws.py`)."""
WATCHING_SECONDS = 420
"""The timeout of a function that reads every campaign and the imports of every dataset. It begins
no read after 120 seconds (`functions/watch_pipeline.py`)."""

# The key is the name of a module of functions/. With hyphens it is the end of the function's name.
STEPS: Mapping[str, Step] = {
    "plan_retraining": Step(
        timeout_seconds=LONG_SECONDS,
        memory_megabytes=256,
        grants={
            "any": (
                "personalize:ListDatasetImportJobs",
                "personalize:ListDatasets",
                "personalize:ListEventTrackers",
                "personalize:ListSolutionVersions",
            ),
            "dataset groups": ("personalize:DescribeDatasetGroup",),
            "datasets": ("personalize:DescribeDataset", "personalize:TagResource"),
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
                "personalize:TagResource",
            ),
            "campaigns": (
                "personalize:DescribeCampaign",
                "personalize:ListTagsForResource",
                "personalize:TagResource",
            ),
            "export buckets": ("s3:ListBucket",),
            "exports": ("s3:GetObject",),
            "data key": ("kms:Decrypt",),
            "schedule": ("scheduler:GetSchedule",),
            "state machine": ("states:ListExecutions",),
        },
    ),
    "import_dataset": Step(
        timeout_seconds=LOOP_SECONDS,
        memory_megabytes=256,
        grants={
            "any": (
                "personalize:ListDatasetImportJobs",
                "personalize:ListDatasets",
                "personalize:ListEventTrackers",
            ),
            "dataset groups": ("personalize:DescribeDatasetGroup",),
            "datasets": ("personalize:CreateDatasetImportJob", "personalize:DescribeDataset"),
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
            "data key": ("kms:Decrypt",),
        },
    ),
    "train_solution": Step(
        timeout_seconds=LOOP_SECONDS,
        grants={
            "any": (
                "personalize:ListDatasetImportJobs",
                "personalize:ListDatasets",
                "personalize:ListSolutionVersions",
            ),
            "all import jobs": (
                "personalize:DescribeDatasetImportJob",
                "personalize:ListTagsForResource",
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
    "deploy_version": Step(
        timeout_seconds=LOOP_SECONDS,
        grants={
            "campaigns": (
                "personalize:DescribeCampaign",
                "personalize:GetPersonalizedRanking",
                "personalize:GetRecommendations",
                "personalize:ListTagsForResource",
                "personalize:TagResource",
                "personalize:UpdateCampaign",
            ),
            "solution versions": (
                "personalize:DescribeSolutionVersion",
                "personalize:GetSolutionMetrics",
                "personalize:ListTagsForResource",
                "personalize:TagResource",
            ),
        },
    ),
    "report_outcome": Step(
        timeout_seconds=REPORTING_SECONDS,
        grants={
            "campaigns": ("personalize:DescribeCampaign", "personalize:ListTagsForResource"),
            **SEND_REPORTS,
        },
    ),
    "start_on_export": Step(
        timeout_seconds=POLLING_SECONDS,
        grants={
            "export buckets": ("s3:ListBucket",),
            "state machine": ("states:DescribeStateMachine", "states:StartExecution"),
        },
    ),
    "close_run": Step(
        timeout_seconds=REPORTING_SECONDS,
        grants={
            "any": ("personalize:ListDatasetImportJobs", "personalize:ListSolutionVersions"),
            "solution versions": (
                "personalize:DescribeSolutionVersion",
                "personalize:ListTagsForResource",
            ),
            "campaigns": ("personalize:DescribeCampaign", "personalize:ListTagsForResource"),
            **SEND_REPORTS,
            "executions": (
                "states:DescribeExecution",
                "states:DescribeStateMachineForExecution",
                "states:GetExecutionHistory",
            ),
        },
    ),
    "watch_pipeline": Step(
        timeout_seconds=WATCHING_SECONDS,
        grants={
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
            "state machine": (
                "states:DescribeStateMachine",
                "states:ListExecutions",
                "states:StartExecution",
            ),
        },
    ),
}
