"""The functions: what is deployed for each step, and what its role may do."""

import io
import zipfile
from typing import get_args

import pytest

from components.lambda_functions import AFTER_THE_STATE_MACHINE, CODE, bundle
from components.steps import STEPS, Resource
from tests.components.documents import (
    FUNCTIONS_LOGS,
    GROUP,
    IMPORT_JOBS,
    allow,
    document,
    trust,
)
from tests.components.sample import BOUNDARY, IMPORT_ROLE, KEY, NAME, PERSONALIZE

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
CREATED_IMPORT_ROLE = f"arn:aws:iam::123456789012:role/{NAME}-import-1234567"
TO_PERSONALIZE = {"StringEquals": {"iam:PassedToService": "personalize.amazonaws.com"}}
RUNTIME = [
    allow(["logs:CreateLogStream", "logs:PutLogEvents"], [f"{FUNCTIONS_LOGS}:log-stream:*"]),
    allow(["xray:PutTraceSegments", "xray:PutTelemetryRecords"], ["*"]),
]

MAY = {
    "plan_retraining": [
        allow(["personalize:ListDatasetImportJobs", "personalize:ListSolutionVersions"], ["*"]),
        allow(["personalize:DescribeSolution"], SOLUTIONS),
        allow(["personalize:DescribeSolutionVersion"], VERSIONS),
        allow(["personalize:DescribeCampaign"], CAMPAIGNS),
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
            [IMPORT_JOBS],
        ),
        allow(["iam:PassRole"], [CREATED_IMPORT_ROLE], **TO_PERSONALIZE),
    ],
    "watch_dataset_import_job": [
        allow(["personalize:DescribeDatasetImportJob"], [IMPORT_JOBS]),
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
    "update_campaign": [
        allow(["personalize:DescribeCampaign", "personalize:UpdateCampaign"], CAMPAIGNS),
        allow(["personalize:DescribeSolutionVersion"], VERSIONS),
    ],
    "watch_campaign_update": [allow(["personalize:DescribeCampaign"], CAMPAIGNS)],
    "report_outcome": [],
    "close_run": [
        allow(["personalize:ListSolutionVersions"], ["*"]),
        allow(
            ["personalize:DescribeSolutionVersion", "personalize:StopSolutionVersionCreation"],
            VERSIONS,
        ),
    ],
}


def test_there_is_one_function_one_role_and_one_policy_for_each_step(deployed):
    for type_ in (FUNCTION, ROLE, ROLE_POLICY):
        of_functions = [
            each.name for each in deployed.all_of(type_).values() if "LambdaFunctions$" in each.urn
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


@pytest.mark.parametrize("step", STEPS)
def test_a_functions_role_is_for_lambda_alone_and_within_the_boundary(deployed, step):
    role = deployed.one(ROLE, NAMES[step])
    assert deployed.trust(NAMES[step]) == trust("lambda")
    assert (role.inputs["permissionsBoundary"], role.inputs["tags"]) == (BOUNDARY, TAGS)


@pytest.mark.parametrize("step", STEPS)
def test_a_policy_belongs_to_the_role_of_its_step(deployed, step):
    assert deployed.one(ROLE_POLICY, NAMES[step]).inputs["role"] == f"{NAMES[step]}-1234567"


def test_without_campaigns_no_statement_names_an_empty_list_which_iam_refuses(least):
    versions = allow(["personalize:DescribeSolutionVersion"], [f"{PERSONALIZE}:solution/movies/*"])
    assert least.policy(NAMES["update_campaign"]) == document(versions, *RUNTIME)
    assert least.policy(NAMES["watch_campaign_update"]) == document(*RUNTIME)


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
    assert named <= set(get_args(Resource)), "a step names an unknown kind"
    assert {step for step, row in STEPS.items() if AFTER_THE_STATE_MACHINE & row.may.keys()} == {
        "close_run"
    }, "monitoring.py grants these kinds to close_run alone"


def test_every_step_has_its_module():
    modules = {path.stem for path in CODE.glob("*.py")}
    assert [step for step in STEPS if step not in modules] == []


def test_the_bundle_is_the_modules_of_the_functions_and_nothing_else():
    assert list(bundle().assets) == [f"functions/{path.name}" for path in sorted(CODE.glob("*.py"))]


def test_every_function_runs_the_same_bundle(deployed):
    for step in STEPS:
        code = deployed.one(FUNCTION, NAMES[step]).inputs["code"]
        assert {key: asset.path for key, asset in code.assets.items()} == {
            key: asset.path for key, asset in bundle().assets.items()
        }, step


def test_the_zipped_bundle_is_under_40_kilobytes():
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, asset in bundle().assets.items():
            archive.write(asset.path, key)
    assert len(zipped.getvalue()) < 40_000, "a small bundle is read and unpacked at each cold start"
