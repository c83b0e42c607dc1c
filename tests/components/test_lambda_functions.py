"""Proves the function of each step, and the permissions of its role."""

from typing import get_args

import pytest

from components import DatasetArgs, DatasetsArgs
from components.bundles import FUNCTIONS_FOLDER, bundle
from components.lambda_functions import CREATED_AFTER_FUNCTIONS
from components.state_machine.steps import STEPS, Resource
from tests.components.conftest import deploy
from tests.components.documents import (
    ALL_IMPORT_JOBS,
    EXECUTIONS,
    FUNCTION,
    FUNCTIONS_LOGS,
    GROUP,
    HOME,
    IMPORT_JOBS,
    LOG_GROUP,
    MACHINE,
    ROLE,
    ROLE_POLICY,
    STATE_MACHINE,
    TAGS,
    TOPIC,
    allow,
    document,
    trust,
)
from tests.components.sample import (
    DATA_KEY,
    IMPORT_ROLE,
    KEY,
    NAME,
    PERSONALIZE,
    STEPS_WITHOUT_TRIGGER,
    minimal,
)

NAMES = {step: f"{NAME}-{step.replace('_', '-')}" for step in STEPS_WITHOUT_TRIGGER}

SOLUTIONS = [f"{PERSONALIZE}:solution/for-you", f"{PERSONALIZE}:solution/similar"]
VERSIONS = [f"{arn}/*" for arn in SOLUTIONS]
CAMPAIGNS = [f"{PERSONALIZE}:campaign/for-you", f"{PERSONALIZE}:campaign/mail"]
DATASETS = [f"{PERSONALIZE}:dataset/movies/INTERACTIONS", f"{PERSONALIZE}:dataset/movies/ITEMS"]
BUCKETS = ["arn:aws:s3:::catalogue", "arn:aws:s3:::exports", "arn:aws:s3:::markers"]
"""The buckets of the locations and of the ready marker."""
UPDATE_CAMPAIGN = [
    "personalize:DescribeCampaign",
    "personalize:UpdateCampaign",
]
LIST_TAGS = "personalize:ListTagsForResource"
TAG_CAMPAIGN = ["personalize:DescribeCampaign", LIST_TAGS, "personalize:TagResource"]
CREATED_IMPORT_ROLE = f"arn:aws:iam::123456789012:role/{NAME}-import-1234567"
ONLY_TO_PERSONALIZE = {"StringEquals": {"iam:PassedToService": "personalize.amazonaws.com"}}
RUNTIME = [
    allow(["logs:CreateLogStream", "logs:PutLogEvents"], [f"{FUNCTIONS_LOGS}:log-stream:*"]),
    allow(["xray:PutTraceSegments", "xray:PutTelemetryRecords"], ["*"]),
]

SEND_REPORTS = [
    allow(["sns:Publish"], [TOPIC]),
    allow(["kms:GenerateDataKey", "kms:Decrypt"], [KEY]),
    allow(["events:PutEvents"], [f"arn:aws:events:{HOME}:event-bus/default"]),
]
TAGS_READ_AND_WRITTEN = ("personalize:ListTagsForResource", "personalize:TagResource")

PERMISSIONS = {
    "begin_run": [
        allow(["personalize:ListDatasetImportJobs"], ["*"]),
        allow(["personalize:DescribeDatasetImportJob"], ALL_IMPORT_JOBS),
    ],
    "find_trials": [allow([LIST_TAGS], CAMPAIGNS)],
    "plan_retraining": [
        allow(
            [
                "personalize:ListDatasetImportJobs",
                "personalize:ListDatasets",
                "personalize:ListEventTrackers",
                "personalize:ListSolutionVersions",
            ],
            ["*"],
        ),
        allow(["personalize:DescribeDatasetGroup"], [f"{PERSONALIZE}:dataset-group/movies"]),
        allow(["personalize:DescribeDataset", "personalize:TagResource"], DATASETS),
        allow(["personalize:DescribeSchema"], [f"{PERSONALIZE}:schema/*"]),
        allow(["personalize:DescribeDatasetImportJob", *TAGS_READ_AND_WRITTEN], ALL_IMPORT_JOBS),
        allow(["personalize:DescribeSolution", "personalize:TagResource"], SOLUTIONS),
        allow(["personalize:DescribeSolutionVersion", *TAGS_READ_AND_WRITTEN], VERSIONS),
        allow(TAG_CAMPAIGN, CAMPAIGNS),
        allow(["s3:ListBucket"], BUCKETS),
        allow(
            ["s3:GetObject"],
            ["arn:aws:s3:::catalogue/items.csv", "arn:aws:s3:::exports/interactions/*"],
        ),
        allow(["kms:Decrypt"], [DATA_KEY]),
        allow(["scheduler:GetSchedule"], [GROUP.replace(":schedule-group/", ":schedule/") + "/*"]),
    ],
    "create_dataset_import_job": [
        allow(
            [
                "personalize:ListDatasetImportJobs",
                "personalize:ListDatasets",
                "personalize:ListEventTrackers",
            ],
            ["*"],
        ),
        allow(["personalize:DescribeDatasetGroup"], [f"{PERSONALIZE}:dataset-group/movies"]),
        allow(["personalize:CreateDatasetImportJob", "personalize:DescribeDataset"], DATASETS),
        allow(["personalize:DescribeSchema"], [f"{PERSONALIZE}:schema/*"]),
        allow(["personalize:CreateDatasetImportJob", "personalize:TagResource"], IMPORT_JOBS),
        allow(["personalize:DescribeDatasetImportJob", LIST_TAGS], ALL_IMPORT_JOBS),
        allow(["iam:PassRole"], [CREATED_IMPORT_ROLE], **ONLY_TO_PERSONALIZE),
        allow(["s3:ListBucket"], BUCKETS),
        allow(
            ["s3:GetObject"],
            ["arn:aws:s3:::catalogue/items.csv", "arn:aws:s3:::exports/interactions/*"],
        ),
        allow(["kms:Decrypt"], [DATA_KEY]),
    ],
    "watch_dataset_import_job": [
        allow(["personalize:DescribeDatasetImportJob", *TAGS_READ_AND_WRITTEN], ALL_IMPORT_JOBS),
        allow(["s3:ListBucket"], BUCKETS),
    ],
    "create_solution_version": [
        allow(
            [
                "personalize:ListDatasetImportJobs",
                "personalize:ListDatasets",
                "personalize:ListSolutionVersions",
            ],
            ["*"],
        ),
        allow(["personalize:DescribeDatasetImportJob", LIST_TAGS], ALL_IMPORT_JOBS),
        allow(["personalize:CreateSolutionVersion", "personalize:DescribeSolution"], SOLUTIONS),
        allow(["personalize:DescribeSolutionVersion", *TAGS_READ_AND_WRITTEN], VERSIONS),
    ],
    "watch_solution_version": [
        allow(["personalize:ListDatasetImportJobs", "personalize:ListDatasets"], ["*"]),
        allow(["personalize:DescribeDatasetImportJob", LIST_TAGS], ALL_IMPORT_JOBS),
        allow(["personalize:DescribeSolution"], SOLUTIONS),
        allow(["personalize:DescribeSolutionVersion", *TAGS_READ_AND_WRITTEN], VERSIONS),
    ],
    "stop_solution_version": [
        allow(
            ["personalize:DescribeSolutionVersion", "personalize:StopSolutionVersionCreation"],
            VERSIONS,
        ),
    ],
    "evaluate_solution_version": [
        allow(TAG_CAMPAIGN, CAMPAIGNS),
        allow(["personalize:GetSolutionMetrics", *TAGS_READ_AND_WRITTEN], VERSIONS),
    ],
    "begin_trial": [
        allow(TAG_CAMPAIGN, CAMPAIGNS),
        allow(["personalize:DescribeSolutionVersion", LIST_TAGS], VERSIONS),
    ],
    "update_campaign": [allow(UPDATE_CAMPAIGN, CAMPAIGNS)],
    "watch_campaign_update": [allow(["personalize:DescribeCampaign"], CAMPAIGNS)],
    "probe_campaign": [
        allow(
            [
                "personalize:DescribeCampaign",
                "personalize:GetPersonalizedRanking",
                "personalize:GetRecommendations",
            ],
            CAMPAIGNS,
        ),
    ],
    "roll_back_campaign": [allow(UPDATE_CAMPAIGN, CAMPAIGNS)],
    "end_trial": [allow(["personalize:TagResource"], CAMPAIGNS)],
    "report_outcome": [
        allow(["personalize:DescribeCampaign", LIST_TAGS], CAMPAIGNS),
        *SEND_REPORTS,
    ],
    "close_run": [
        allow(["personalize:ListDatasetImportJobs", "personalize:ListSolutionVersions"], ["*"]),
        allow(["personalize:DescribeDatasetImportJob"], ALL_IMPORT_JOBS),
        allow(
            [
                "personalize:DescribeSolutionVersion",
                LIST_TAGS,
                "personalize:StopSolutionVersionCreation",
            ],
            VERSIONS,
        ),
        allow(["personalize:DescribeCampaign", LIST_TAGS], CAMPAIGNS),
        *SEND_REPORTS,
    ],
    "measure_model_age": [
        allow(
            [
                "personalize:ListDatasetImportJobs",
                "personalize:ListEventTrackers",
                "personalize:ListSolutionVersions",
            ],
            ["*"],
        ),
        allow([LIST_TAGS], DATASETS),
        allow([LIST_TAGS], SOLUTIONS),
        allow(["personalize:DescribeSolutionVersion"], VERSIONS),
        allow(["personalize:DescribeCampaign", LIST_TAGS], CAMPAIGNS),
    ],
}

EXECUTION_PERMISSIONS = {
    "begin_run": [
        allow(["states:ListExecutions"], [MACHINE]),
        allow(["states:GetExecutionHistory"], [EXECUTIONS]),
    ],
    "report_outcome": [allow(["states:StartExecution"], [MACHINE])],
    "close_run": [
        allow(["states:ListExecutions", "states:StartExecution"], [MACHINE]),
        allow(
            [
                "states:DescribeExecution",
                "states:DescribeStateMachineForExecution",
                "states:GetExecutionHistory",
            ],
            [EXECUTIONS],
        ),
    ],
    "measure_model_age": [
        allow(["states:DescribeStateMachine", "states:ListExecutions"], [MACHINE])
    ],
}
"""The permissions that are granted after the state machine exists."""


@pytest.mark.parametrize("type_", [FUNCTION, ROLE, ROLE_POLICY])
def test_each_step_has_one_resource_of_each_type(deployed, type_):
    names = [
        resource.name
        for resource in deployed.all_of(type_).values()
        if "LambdaFunctions$" in resource.urn and not resource.name.endswith("-executions")
    ]
    assert sorted(names) == sorted(NAMES.values())


@pytest.mark.parametrize("step", STEPS_WITHOUT_TRIGGER)
def test_a_function_has_exactly_these_inputs(deployed, step):
    function = deployed.one(FUNCTION, NAMES[step])
    inputs = {key: value for key, value in function.inputs.items() if key != "code"}
    assert inputs == {
        "role": f"arn:aws:iam::123456789012:role/{NAMES[step]}-1234567",
        "runtime": "python3.13",
        "architectures": ["arm64"],
        "handler": f"functions.{step}.handler",
        "timeout": STEPS[step].timeout_seconds,
        "memorySize": STEPS[step].memory_megabytes,
        "publish": True,
        "loggingConfig": {
            "logFormat": "JSON",
            "logGroup": f"{NAME}-functions-1234567",
            "applicationLogLevel": "INFO",
            "systemLogLevel": "INFO",
        },
        "tracingConfig": {"mode": "Active"},
        "tags": TAGS,
    }


@pytest.mark.parametrize("step", STEPS_WITHOUT_TRIGGER)
def test_a_function_is_created_after_the_policy_of_its_role(deployed, step):
    policy = deployed.one(ROLE_POLICY, NAMES[step])
    assert policy.urn in deployed.one(FUNCTION, NAMES[step]).dependencies


@pytest.mark.parametrize("step", STEPS_WITHOUT_TRIGGER)
def test_only_lambda_assumes_the_role_of_a_function(deployed, step):
    assert deployed.trust(NAMES[step]) == trust("lambda")


@pytest.mark.parametrize("step", STEPS_WITHOUT_TRIGGER)
def test_the_role_of_a_function_has_exactly_these_permissions(deployed, step):
    assert deployed.policy(NAMES[step]) == document(*PERMISSIONS.get(step, ()), *RUNTIME)


@pytest.mark.parametrize("step", EXECUTION_PERMISSIONS)
def test_permissions_on_the_state_machine_are_granted_after_it_exists(deployed, step):
    policy = deployed.one(ROLE_POLICY, f"{NAMES[step]}-executions")
    assert deployed.policy(policy.name) == document(*EXECUTION_PERMISSIONS[step])
    assert deployed.one(STATE_MACHINE, NAME).urn in policy.dependencies


def test_no_other_step_has_permissions_on_the_state_machine(deployed):
    steps = [
        step
        for step in STEPS_WITHOUT_TRIGGER
        if CREATED_AFTER_FUNCTIONS & STEPS[step].grants.keys()
    ]
    assert steps == list(EXECUTION_PERMISSIONS)
    policies = [name for name in deployed.all_of(ROLE_POLICY) if name.endswith("-executions")]
    assert sorted(policies) == sorted(f"{NAMES[step]}-executions" for step in steps)


def test_without_campaigns_no_statement_has_an_empty_list_which_iam_refuses(smallest):
    versions = allow(
        ["personalize:DescribeSolutionVersion", LIST_TAGS], [f"{PERSONALIZE}:solution/movies/*"]
    )
    assert smallest.policy(NAMES["begin_trial"]) == document(versions, *RUNTIME)
    for step in ("update_campaign", "watch_campaign_update", "probe_campaign", "end_trial"):
        assert smallest.policy(NAMES[step]) == document(*RUNTIME), step


def test_without_a_key_of_the_exports_no_function_may_decrypt(smallest):
    statements = smallest.policy(NAMES["plan_retraining"])["Statement"]
    assert [statement for statement in statements if statement["Action"] == ["kms:Decrypt"]] == []


def test_a_date_in_a_location_or_a_marker_is_a_wildcard_in_the_policies():
    def with_dates():
        interactions = DatasetArgs(
            dataset_arn=f"{PERSONALIZE}:dataset/movies/INTERACTIONS",
            data_location="s3://exports/interactions/{date}/",
            ready_marker="s3://markers/{date}/_SUCCESS",
        )
        return minimal(datasets=DatasetsArgs(interactions=interactions))

    engine = deploy(with_dates)
    objects = allow(["s3:GetObject"], ["arn:aws:s3:::exports/interactions/*/*"])
    statements = engine.policy(NAMES["plan_retraining"])["Statement"]
    assert [statement for statement in statements if statement["Action"][0].startswith("s3:")] == [
        allow(["s3:ListBucket"], ["arn:aws:s3:::exports", "arn:aws:s3:::markers"]),
        objects,
    ]
    assert engine.policy(f"{NAME}-import") == document(
        objects, allow(["s3:ListBucket"], ["arn:aws:s3:::exports"])
    )


def test_only_the_users_import_role_may_be_passed(with_import_role):
    statements = with_import_role.policy(NAMES["create_dataset_import_job"])["Statement"]
    assert [statement for statement in statements if statement["Action"] == ["iam:PassRole"]] == [
        allow(["iam:PassRole"], [IMPORT_ROLE], **ONLY_TO_PERSONALIZE)
    ]


def test_all_functions_write_to_one_log_group_with_retention_and_key(deployed):
    assert deployed.one(LOG_GROUP, f"{NAME}-functions").inputs == {
        "retentionInDays": 30,
        "kmsKeyId": KEY,
        "tags": TAGS,
    }


def test_by_default_the_log_group_has_no_key_and_keeps_records_for_90_days(smallest):
    assert smallest.one(LOG_GROUP, f"{NAME}-functions").inputs == {
        "retentionInDays": 90,
        "tags": {"retraining-pipeline": NAME},
    }


def test_the_steps_use_every_kind_of_resource():
    assert {kind for row in STEPS.values() for kind in row.grants} == set(get_args(Resource))


def test_every_step_has_a_module():
    modules = {path.stem for path in FUNCTIONS_FOLDER.glob("*.py")}
    assert [step for step in STEPS if step not in modules] == []


@pytest.mark.parametrize("step", STEPS_WITHOUT_TRIGGER)
def test_a_function_has_the_bundle_of_its_step(deployed, step):
    code = deployed.one(FUNCTION, NAMES[step]).inputs["code"]
    assert paths(code) == paths(bundle(step))


def paths(code):
    return {key: asset.path for key, asset in code.assets.items()}
