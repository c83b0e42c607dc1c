"""The pipeline's Lambda functions, a row each: what each may take and what it may call."""

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
    "any",
]
"""What a policy statement names: `policies.py` turns each word into ARNs.

`any` is `*`: only for actions that know no narrower resource, listed in the service authorization
reference (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonpersonalize.html).
"""


class Step(NamedTuple):
    """One function: `functions/<module>.py`, deployed as `{name}-<module with hyphens>`."""

    timeout_seconds: int
    may: Mapping[Resource, tuple[str, ...]]
    """Resource kind to the IAM actions allowed on it."""
    memory_megabytes: int = 128


QUICK = 60
"""Seconds for a function that makes a few calls; a cold start with boto3 takes some 5 of them."""
PLAN = 120
"""Seconds for plan and report, which page through lists."""
HOLDING = 420
"""Seconds for a watcher: it holds for 300 at most (`functions/personalize/pacing.py`)."""

STEPS: Mapping[str, Step] = {
    "plan_retraining": Step(
        timeout_seconds=PLAN,
        memory_megabytes=256,
        may={
            "any": (
                "personalize:ListDatasetImportJobs",
                "personalize:ListEventTrackers",
                "personalize:ListSolutionVersions",
            ),
            "dataset groups": ("personalize:DescribeDatasetGroup",),
            "datasets": ("personalize:DescribeDataset",),
            "schemas": ("personalize:DescribeSchema",),
            "all import jobs": ("personalize:ListTagsForResource",),
            "solutions": ("personalize:DescribeSolution",),
            "solution versions": (
                "personalize:DescribeSolutionVersion",
                "personalize:ListTagsForResource",
            ),
            "campaigns": ("personalize:DescribeCampaign",),
            "export buckets": ("s3:ListBucket",),
            "exports": ("s3:GetObject",),
            "data key": ("kms:Decrypt",),
            "schedule": ("scheduler:GetSchedule",),
            "state machine": ("states:ListExecutions",),
        },
    ),
    "create_dataset_import_job": Step(
        timeout_seconds=QUICK,
        may={
            "datasets": ("personalize:CreateDatasetImportJob",),
            "import jobs": (
                "personalize:CreateDatasetImportJob",
                "personalize:DescribeDatasetImportJob",
                "personalize:TagResource",
            ),
            "import role": ("iam:PassRole",),
        },
    ),
    "watch_dataset_import_job": Step(
        timeout_seconds=HOLDING,
        may={
            "all import jobs": ("personalize:DescribeDatasetImportJob",),
            "export buckets": ("s3:ListBucket",),
        },
    ),
    "create_solution_version": Step(
        timeout_seconds=QUICK,
        may={
            "any": ("personalize:ListSolutionVersions",),
            "solutions": ("personalize:CreateSolutionVersion",),
            "solution versions": ("personalize:DescribeSolutionVersion", "personalize:TagResource"),
            "state machine": ("states:ListExecutions",),
        },
    ),
    "watch_solution_version": Step(
        timeout_seconds=HOLDING,
        may={"solution versions": ("personalize:DescribeSolutionVersion",)},
    ),
    "stop_solution_version": Step(
        timeout_seconds=QUICK,
        may={
            "solution versions": (
                "personalize:DescribeSolutionVersion",
                "personalize:StopSolutionVersionCreation",
            ),
        },
    ),
    "evaluate_solution_version": Step(
        timeout_seconds=QUICK,
        may={
            "campaigns": ("personalize:DescribeCampaign",),
            "solution versions": (
                "personalize:GetSolutionMetrics",
                "personalize:ListTagsForResource",
                "personalize:TagResource",
            ),
        },
    ),
    "update_campaign": Step(
        timeout_seconds=QUICK,
        may={
            "campaigns": (
                "personalize:DescribeCampaign",
                "personalize:ListTagsForResource",
                "personalize:TagResource",
                "personalize:UpdateCampaign",
            ),
            "solution versions": (
                "personalize:DescribeSolutionVersion",
                "personalize:ListTagsForResource",
            ),
        },
    ),
    "watch_campaign_update": Step(
        timeout_seconds=HOLDING,
        may={"campaigns": ("personalize:DescribeCampaign",)},
    ),
    "probe_campaign": Step(
        timeout_seconds=HOLDING,
        may={
            "campaigns": (
                "personalize:GetPersonalizedRanking",
                "personalize:GetRecommendations",
            ),
        },
    ),
    "roll_back_campaign": Step(
        timeout_seconds=QUICK,
        may={
            "campaigns": (
                "personalize:DescribeCampaign",
                "personalize:TagResource",
                "personalize:UpdateCampaign",
            ),
            "solution versions": ("personalize:TagResource",),
        },
    ),
    "report_outcome": Step(timeout_seconds=PLAN, may={}),
    "close_run": Step(
        timeout_seconds=PLAN,
        may={
            "any": ("personalize:ListDatasetImportJobs", "personalize:ListSolutionVersions"),
            "solution versions": (
                "personalize:DescribeSolutionVersion",
                "personalize:StopSolutionVersionCreation",
            ),
            "executions": ("states:DescribeExecution", "states:GetExecutionHistory"),
        },
    ),
}
