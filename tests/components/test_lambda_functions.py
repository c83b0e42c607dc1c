"""The functions: what is deployed for each step, and what its role may do."""

from typing import get_args

import pytest

from components import DatasetArgs, DatasetsArgs
from components.bundles import CODE, bundle
from components.lambda_functions import EXIST_LATER
from components.state_machine.steps import STEPS, Resource
from tests.components.conftest import deploy
from tests.components.documents import (
    ALL_IMPORT_JOBS,
    EXECUTIONS,
    FUNCTIONS_LOGS,
    GROUP,
    IMPORT_JOBS,
    MACHINE,
    allow,
    document,
    trust,
)
from tests.components.sample import (
    BOUNDARY,
    DATA_KEY,
    IMPORT_ROLE,
    KEY,
    NAME,
    PERSONALIZE,
    minimal,
)

FUNCTION = "aws:lambda/function:Function"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
ROLE = "aws:iam/role:Role"
ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy"
NAMES = {step: f"{NAME}-{step.replace('_', '-')}" for step in STEPS}

TAGS = {"team": "discovery", "retraining-pipeline": NAME}
SOLUTIONS = [f"{PERSONALIZE}:solution/for-you", f"{PERSONALIZE}:solution/similar"]
VERSIONS = [f"{arn}/*" for arn in SOLUTIONS]
CAMPAIGNS = [f"{PERSONALIZE}:campaign/for-you", f"{PERSONALIZE}:campaign/mail"]
DATASETS = [f"{PERSONALIZE}:dataset/movies/INTERACTIONS", f"{PERSONALIZE}:dataset/movies/ITEMS"]
BUCKETS = ["arn:aws:s3:::catalogue", "arn:aws:s3:::exports", "arn:aws:s3:::markers"]
"""Those of the locations, and the one of the ready marker, which lies elsewhere."""
MOVE = [
    "personalize:DescribeCampaign",
    "personalize:TagResource",
    "personalize:UpdateCampaign",
]
TAGS_OF = "personalize:ListTagsForResource"
CREATED_IMPORT_ROLE = f"arn:aws:iam::123456789012:role/{NAME}-import-1234567"
TO_PERSONALIZE = {"StringEquals": {"iam:PassedToService": "personalize.amazonaws.com"}}
RUNTIME = [
    allow(["logs:CreateLogStream", "logs:PutLogEvents"], [f"{FUNCTIONS_LOGS}:log-stream:*"]),
    allow(["xray:PutTraceSegments", "xray:PutTelemetryRecords"], ["*"]),
]

MAY = {
    "plan_retraining": [
        allow(
            [
                "personalize:ListDatasetImportJobs",
                "personalize:ListEventTrackers",
                "personalize:ListSolutionVersions",
            ],
            ["*"],
        ),
        allow(["personalize:DescribeDatasetGroup"], [f"{PERSONALIZE}:dataset-group/movies"]),
        allow(["personalize:DescribeDataset"], DATASETS),
        allow(["personalize:DescribeSchema"], [f"{PERSONALIZE}:schema/*"]),
        allow(["personalize:ListTagsForResource"], ALL_IMPORT_JOBS),
        allow(["personalize:DescribeSolution"], SOLUTIONS),
        allow(["personalize:DescribeSolutionVersion", "personalize:ListTagsForResource"], VERSIONS),
        allow(["personalize:DescribeCampaign"], CAMPAIGNS),
        allow(["s3:ListBucket"], BUCKETS),
        allow(
            ["s3:GetObject"],
            ["arn:aws:s3:::catalogue/items.csv", "arn:aws:s3:::exports/interactions/*"],
        ),
        allow(["kms:Decrypt"], [DATA_KEY]),
        allow(["scheduler:GetSchedule"], [GROUP.replace(":schedule-group/", ":schedule/") + "/*"]),
    ],
    "create_dataset_import_job": [
        allow(["personalize:CreateDatasetImportJob"], DATASETS),
        allow(
            [
                "personalize:CreateDatasetImportJob",
                "personalize:DescribeDatasetImportJob",
                "personalize:TagResource",
            ],
            IMPORT_JOBS,
        ),
        allow(["iam:PassRole"], [CREATED_IMPORT_ROLE], **TO_PERSONALIZE),
    ],
    "watch_dataset_import_job": [
        allow(["personalize:DescribeDatasetImportJob"], ALL_IMPORT_JOBS),
        allow(["s3:ListBucket"], BUCKETS),
    ],
    "create_solution_version": [
        allow(["personalize:ListSolutionVersions"], ["*"]),
        allow(["personalize:CreateSolutionVersion"], SOLUTIONS),
        allow(["personalize:DescribeSolutionVersion", "personalize:TagResource"], VERSIONS),
    ],
    "watch_solution_version": [allow(["personalize:DescribeSolutionVersion"], VERSIONS)],
    "stop_solution_version": [
        allow(
            ["personalize:DescribeSolutionVersion", "personalize:StopSolutionVersionCreation"],
            VERSIONS,
        ),
    ],
    "evaluate_solution_version": [
        allow(["personalize:DescribeCampaign"], CAMPAIGNS),
        allow(["personalize:GetSolutionMetrics", TAGS_OF, "personalize:TagResource"], VERSIONS),
    ],
    "update_campaign": [
        allow(sorted([*MOVE, TAGS_OF]), CAMPAIGNS),
        allow(["personalize:DescribeSolutionVersion", TAGS_OF], VERSIONS),
    ],
    "watch_campaign_update": [allow(["personalize:DescribeCampaign"], CAMPAIGNS)],
    "probe_campaign": [
        allow(["personalize:GetPersonalizedRanking", "personalize:GetRecommendations"], CAMPAIGNS),
    ],
    "roll_back_campaign": [
        allow(MOVE, CAMPAIGNS),
        allow(["personalize:TagResource"], VERSIONS),
    ],
    "report_outcome": [],
    "close_run": [
        allow(["personalize:ListDatasetImportJobs", "personalize:ListSolutionVersions"], ["*"]),
        allow(
            ["personalize:DescribeSolutionVersion", "personalize:StopSolutionVersionCreation"],
            VERSIONS,
        ),
    ],
}


LATER = {
    "plan_retraining": [allow(["states:ListExecutions"], [MACHINE])],
    "create_solution_version": [allow(["states:ListExecutions"], [MACHINE])],
    "close_run": [
        allow(["states:DescribeExecution", "states:GetExecutionHistory"], [EXECUTIONS]),
    ],
}
"""What is granted once there is a state machine."""


def test_there_is_one_function_one_role_and_one_policy_for_each_step(deployed):
    for type_ in (FUNCTION, ROLE, ROLE_POLICY):
        of_functions = [
            each.name
            for each in deployed.all_of(type_).values()
            if "LambdaFunctions$" in each.urn and not each.name.endswith("-executions")
        ]
        assert sorted(of_functions) == sorted(NAMES.values()), type_


@pytest.mark.parametrize("step", STEPS)
def test_a_function_is_deployed_with_exactly_these_inputs(deployed, step):
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


@pytest.mark.parametrize("step", STEPS)
def test_a_function_comes_after_its_role_may_write_its_logs(deployed, step):
    policy = deployed.one(ROLE_POLICY, NAMES[step])
    assert policy.urn in deployed.one(FUNCTION, NAMES[step]).dependencies


@pytest.mark.parametrize("step", STEPS)
def test_a_functions_role_may_do_exactly_this(deployed, step):
    assert deployed.policy(NAMES[step]) == document(*MAY[step], *RUNTIME)


@pytest.mark.parametrize("step", LATER)
def test_a_step_that_works_with_the_state_machine_is_let_once_there_is_one(deployed, step):
    policy = deployed.one(ROLE_POLICY, f"{NAMES[step]}-executions")
    assert deployed.policy(policy.name) == document(*LATER[step])
    assert policy.inputs["role"] == f"{NAMES[step]}-1234567"
    assert deployed.one("aws:sfn/stateMachine:StateMachine", NAME).urn in policy.dependencies


def test_no_other_step_works_with_the_state_machine(deployed):
    later = [name for name in deployed.all_of(ROLE_POLICY) if name.endswith("-executions")]
    assert sorted(later) == sorted(f"{NAMES[step]}-executions" for step in LATER)
    assert {step for step, row in STEPS.items() if EXIST_LATER & row.may.keys()} == set(LATER)


@pytest.mark.parametrize("step", STEPS)
def test_a_functions_role_is_for_lambda_alone_and_within_the_boundary(deployed, step):
    role = deployed.one(ROLE, NAMES[step])
    assert deployed.trust(NAMES[step]) == trust("lambda")
    assert (role.inputs["permissionsBoundary"], role.inputs["tags"]) == (BOUNDARY, TAGS)


@pytest.mark.parametrize("step", STEPS)
def test_a_policy_belongs_to_the_role_of_its_step(deployed, step):
    assert deployed.one(ROLE_POLICY, NAMES[step]).inputs["role"] == f"{NAMES[step]}-1234567"


def test_without_campaigns_no_statement_names_an_empty_list_which_iam_refuses(least):
    versions = allow(
        ["personalize:DescribeSolutionVersion", TAGS_OF], [f"{PERSONALIZE}:solution/movies/*"]
    )
    assert least.policy(NAMES["update_campaign"]) == document(versions, *RUNTIME)
    for step in ("watch_campaign_update", "probe_campaign"):
        assert least.policy(NAMES[step]) == document(*RUNTIME), step


def test_exports_that_no_key_encrypts_are_read_without_one(least):
    statements = least.policy(NAMES["plan_retraining"])["Statement"]
    assert [each for each in statements if each["Action"] == ["kms:Decrypt"]] == []
    read = [each for each in statements if each["Action"][0].startswith("s3:")]
    assert read == [
        allow(["s3:ListBucket"], ["arn:aws:s3:::exports"]),
        allow(["s3:GetObject"], ["arn:aws:s3:::exports/interactions.csv"]),
    ]


def test_a_date_in_a_location_or_a_marker_may_be_any_day():
    def dated():
        interactions = DatasetArgs(
            dataset_arn=f"{PERSONALIZE}:dataset/movies/INTERACTIONS",
            data_location="s3://exports/interactions/{date}/",
            ready_marker="s3://markers/{date}/_SUCCESS",
        )
        return minimal(datasets=DatasetsArgs(interactions=interactions))

    engine = deploy(dated)
    objects = allow(["s3:GetObject"], ["arn:aws:s3:::exports/interactions/*/*"])
    buckets = allow(["s3:ListBucket"], ["arn:aws:s3:::exports", "arn:aws:s3:::markers"])
    statements = engine.policy(NAMES["plan_retraining"])["Statement"]
    assert [each for each in statements if each["Action"][0].startswith("s3:")] == [
        buckets,
        objects,
    ]
    exports_alone = allow(["s3:ListBucket"], ["arn:aws:s3:::exports"])
    assert engine.policy(f"{NAME}-import") == document(objects, exports_alone)


def test_a_given_import_role_is_the_one_that_may_be_passed(with_import_role):
    statements = with_import_role.policy(NAMES["create_dataset_import_job"])["Statement"]
    assert [each for each in statements if each["Action"] == ["iam:PassRole"]] == [
        allow(["iam:PassRole"], [IMPORT_ROLE], **TO_PERSONALIZE)
    ]


def test_all_functions_write_to_one_log_group_with_retention_and_key(deployed):
    assert deployed.one(LOG_GROUP, f"{NAME}-functions").inputs == {
        "retentionInDays": 30,
        "kmsKeyId": KEY,
        "tags": TAGS,
    }


def test_without_a_key_the_log_group_has_none_and_keeps_its_records_for_90_days(least):
    assert least.one(LOG_GROUP, f"{NAME}-functions").inputs == {
        "retentionInDays": 90,
        "tags": {"retraining-pipeline": NAME},
    }


def test_every_kind_of_resource_that_a_step_names_is_granted_somewhere():
    named = {kind for row in STEPS.values() for kind in row.may}
    assert named == set(get_args(Resource)), "a step names an unknown kind, or none names one"


def test_every_step_has_its_module():
    modules = {path.stem for path in CODE.glob("*.py")}
    assert [step for step in STEPS if step not in modules] == []


def test_a_function_runs_the_bundle_of_its_own_step(deployed):
    for step in STEPS:
        code = deployed.one(FUNCTION, NAMES[step]).inputs["code"]
        assert paths(code) == paths(bundle(step)), step


def paths(code):
    return {key: asset.path for key, asset in code.assets.items()}
