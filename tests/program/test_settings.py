"""Good configurations are read as they are meant, and whatever is wrong is told all at once."""

import json
from dataclasses import fields

import pytest

import settings
from components.args import (
    CampaignArgs,
    DatasetArgs,
    DatasetsArgs,
    LimitsArgs,
    ProbeArgs,
    QualityRuleArgs,
    RetrainingPipelineArgs,
    SolutionArgs,
    camel_case,
)
from components.metrics import NAMES
from components.values import DATE
from functions import planning
from tests.program.sample_stack import (
    ACCOUNT,
    CAMPAIGN,
    CONFIG,
    HOME,
    PARTITION,
    PROJECT,
    PROJECT_FILE,
    REGION,
    ROOT,
    SOLUTION,
    STACK_CONFIG,
    USERS,
    changed,
    one_problem,
)

SMALLEST = {
    "datasets": {"users": {"datasetArn": USERS, "dataLocation": "s3://bucket/users.csv"}},
    "solutions": [{"solutionArn": SOLUTION}],
}


def dataset(key):
    given = CONFIG["datasets"][key]
    return DatasetArgs(dataset_arn=given["datasetArn"], data_location=given["dataLocation"])


def refusal(config, **options):
    with pytest.raises(settings.SettingsError) as caught:
        settings.parse(config, **options)
    return str(caught.value)


def test_the_sample_stack_is_read_as_it_stands():
    assert settings.parse(CONFIG, region=STACK_CONFIG["aws:region"]) == RetrainingPipelineArgs(
        datasets=DatasetsArgs(
            interactions=dataset("interactions"), items=dataset("items"), users=dataset("users")
        ),
        solutions=(
            SolutionArgs(
                solution_arn=SOLUTION,
                quality_gate=(
                    QualityRuleArgs(
                        metric="normalized_discounted_cumulative_gain_at_10",
                        max_drop=CONFIG["solutions"][0]["qualityGate"][0]["maxDrop"],
                    ),
                ),
                campaigns=(CampaignArgs(campaign_arn=CAMPAIGN),),
            ),
        ),
        retraining_rate=CONFIG["retrainingRate"],
        timezone=CONFIG["timezone"],
        limits=LimitsArgs(
            max_import_hours=CONFIG["limits"]["maxImportHours"],
            max_training_hours=CONFIG["limits"]["maxTrainingHours"],
            max_campaign_hours=CONFIG["limits"]["maxCampaignHours"],
        ),
        tags=CONFIG["tags"],
    )


def test_the_sample_stack_shows_every_key():
    text = (ROOT / "Pulumi.dev.yaml").read_text()
    keys = {
        camel_case(each.name)
        for cls in (
            RetrainingPipelineArgs,
            DatasetsArgs,
            DatasetArgs,
            SolutionArgs,
            CampaignArgs,
            ProbeArgs,
            QualityRuleArgs,
            LimitsArgs,
        )
        for each in fields(cls)
    }
    assert {key for key in keys if key not in text} == set()


def test_the_project_declares_the_defaults_that_the_arguments_have():
    declared = {key: each["default"] for key, each in PROJECT_FILE["config"].items()}
    args = settings.parse(SMALLEST)
    assert declared == {
        camel_case(each.name): getattr(args, each.name)
        for each in fields(args)
        if camel_case(each.name) in declared
    }
    assert all(set(each) == {"description", "default"} for each in PROJECT_FILE["config"].values())


def test_what_is_left_out_has_its_default():
    assert settings.parse(SMALLEST) == RetrainingPipelineArgs(
        datasets=DatasetsArgs(
            users=DatasetArgs(dataset_arn=USERS, data_location="s3://bucket/users.csv")
        ),
        solutions=(SolutionArgs(solution_arn=SOLUTION),),
    )


def test_every_optional_key_is_read():
    args = settings.parse(
        changed(
            {
                "datasets.users.importMode": "INCREMENTAL",
                "datasets.users.dataLocation": "s3://bucket/users/{date}/",
                "datasets.users.minRelativeSize": 0,
                "datasets.users.readyMarker": "s3://bucket/users/{date}.ready",
                "datasets.actions": {
                    "datasetArn": USERS.replace("USERS", "ACTIONS"),
                    "dataLocation": "s3://bucket/actions/",
                },
                "datasets.actionInteractions": {
                    "datasetArn": USERS.replace("USERS", "ACTION_INTERACTIONS"),
                    "dataLocation": "s3://bucket/action.interactions/2026.csv",
                },
                "solutions[0].trainingMode": "UPDATE",
                "solutions[0].fullEvery": "14 days",
                "solutions[0].qualityGate": [
                    {"metric": "coverage", "minimum": 0.2},
                    {"metric": "recall_at_k", "maxDrop": 0, "minimum": 1},
                ],
                "solutions[0].campaigns[0].probe": {"itemId": "i1", "minResults": 500},
                "solutions[0].campaigns[1]": {
                    "campaignArn": f"{HOME}:campaign/other",
                    "probe": {
                        "userId": "u1",
                        "inputList": ["i1", "i2"],
                        "minResults": 2,
                        "minutes": 0.5,
                    },
                },
                "skipWhenUnchanged": False,
                "autoTraining": "refuse",
                "limits.maxTrainingsPerMonth": 1,
                "importRoleArn": f"arn:{PARTITION}:iam::{ACCOUNT}:role/path/import",
                "permissionsBoundaryArn": f"arn:{PARTITION}:iam::aws:policy/PowerUserAccess",
                "kmsKeyArn": f"arn:{PARTITION}:kms:{REGION}:{ACCOUNT}:key/mrk-1234",
                "dataKmsKeyArn": f"arn:{PARTITION}:kms:{REGION}:210987654321:key/1234",
                "paused": True,
                "logRetentionDays": 3653,
            }
        )
    )
    assert args.datasets.users == DatasetArgs(
        dataset_arn=USERS,
        data_location="s3://bucket/users/{date}/",
        import_mode="INCREMENTAL",
        min_relative_size=0,
        ready_marker="s3://bucket/users/{date}.ready",
    )
    assert [key for key, _ in args.datasets.configured()] == [
        "interactions",
        "items",
        "users",
        "actions",
        "actionInteractions",
    ]
    assert args.solutions == (
        SolutionArgs(
            solution_arn=SOLUTION,
            training_mode="UPDATE",
            full_every="14 days",
            quality_gate=(
                QualityRuleArgs(metric="coverage", minimum=0.2),
                QualityRuleArgs(metric="recall_at_k", max_drop=0, minimum=1),
            ),
            campaigns=(
                CampaignArgs(campaign_arn=CAMPAIGN, probe=ProbeArgs(item_id="i1", min_results=500)),
                CampaignArgs(
                    campaign_arn=f"{HOME}:campaign/other",
                    probe=ProbeArgs(
                        user_id="u1", input_list=("i1", "i2"), min_results=2, minutes=0.5
                    ),
                ),
            ),
        ),
    )
    assert args.import_role_arn == f"arn:{PARTITION}:iam::{ACCOUNT}:role/path/import"
    assert args.permissions_boundary_arn == f"arn:{PARTITION}:iam::aws:policy/PowerUserAccess"
    assert args.kms_key_arn == f"arn:{PARTITION}:kms:{REGION}:{ACCOUNT}:key/mrk-1234"
    assert args.data_kms_key_arn == f"arn:{PARTITION}:kms:{REGION}:210987654321:key/1234", (
        "another account's key may encrypt the exports"
    )
    assert args.paused is True
    assert args.skip_when_unchanged is False
    assert args.auto_training == "refuse"
    assert args.limits.max_trainings_per_month == 1
    assert args.log_retention_days == 3653


@pytest.mark.parametrize("off", [False, "false"])
def test_a_gate_is_turned_off_by_false(off):
    args = settings.parse(changed({"solutions[0].qualityGate": off}))
    assert args.solutions[0].quality_gate is False


def test_a_gate_that_is_left_out_has_one_rule():
    args = settings.parse(SMALLEST)
    assert args.solutions[0].quality_gate == (
        QualityRuleArgs(metric="normalized_discounted_cumulative_gain_at_10", max_drop=0.25),
    )


@pytest.mark.parametrize("metric", [*NAMES, "hit", "hit_at_k", "recall_at_25", "precision", "auc"])
def test_a_gate_takes_each_metric_that_some_recipe_has(metric):
    rule = {"metric": metric, "minimum": 0.1}
    args = settings.parse(changed({"solutions[0].qualityGate": [rule]}))
    assert args.solutions[0].quality_gate == (QualityRuleArgs(metric=metric, minimum=0.1),)


def test_the_date_that_a_location_may_hold_is_the_one_that_a_run_fills_in():
    assert planning.DATE == DATE


def test_a_location_is_as_long_as_it_is_with_the_date_filled_in():
    longest = f"s3://bucket/{'x' * (256 - len('s3://bucket/') - len('2026-11-29/') - 1)}/{{date}}/"
    args = settings.parse(changed({"datasets.users.dataLocation": longest}))
    assert args.datasets.users.data_location == longest


def test_numbers_and_booleans_may_be_text():
    args = settings.parse(
        changed(
            {
                "limits.maxImportHours": "0.25",
                "limits.maxTrainingHours": "12",
                "limits.maxTrainingsPerMonth": "4",
                "datasets.users.minRelativeSize": "0.9",
                "solutions[0].qualityGate[0].maxDrop": "0.1",
                "logRetentionDays": "30",
                "paused": "true",
                "skipWhenUnchanged": "false",
            }
        )
    )
    assert args.limits == LimitsArgs(
        max_import_hours=0.25, max_training_hours=12, max_trainings_per_month=4
    )
    assert args.datasets.users.min_relative_size == 0.9
    assert args.solutions[0].quality_gate[0].max_drop == 0.1
    assert args.skip_when_unchanged is False
    assert repr(args.limits.max_training_hours) == "12", "a whole number stays one"
    assert args.log_retention_days == 30
    assert args.paused is True
    assert settings.parse(changed({"paused": "false"})).paused is False


@pytest.mark.parametrize(
    ("rate", "expression"),
    [
        ("7 days", "rate(7 days)"),
        ("1 day", "rate(1 day)"),
        ("60 minutes", "rate(60 minutes)"),
        ("rate(12 hours)", "rate(12 hours)"),
        ("cron(0 3 ? * MON-FRI *)", "cron(0 3 ? * MON-FRI *)"),
        ("cron(30 22-2 1,15 JAN/3 ? 2027-2030)", "cron(30 22-2 1,15 JAN/3 ? 2027-2030)"),
        ("cron(0 3 ? * MON#2 *)", "cron(0 3 ? * MON#2 *)"),
        ("cron(0 3 LW * ? *)", "cron(0 3 LW * ? *)"),
    ],
)
def test_a_rate_is_given_as_scheduler_takes_it(rate, expression):
    args = settings.parse(changed({"retrainingRate": rate}))
    assert args.schedule_expression == expression


def test_all_problems_are_told_at_once():
    broken = changed(
        {
            "retrainigRate": "7 days",
            "solutions[0].solutionArn": f"{SOLUTION}/1a2b3c",
            "solutions[1]": {"solutionArn": 5, "campaign": []},
            "datasets.users": {"datasetArn": USERS},
            "paused": "no",
        }
    )
    assert refusal(broken, stack="prod") == (
        "6 problems in the configuration of stack prod:\n"
        f"  {PROJECT}:datasets.users.dataLocation: missing; "
        "the CSV to import, for example 's3://bucket/users.csv'\n"
        f"  {PROJECT}:paused: 'no' is text; expected true or false\n"
        f"  {PROJECT}:retrainigRate: unknown; did you mean retrainingRate?\n"
        f"  {PROJECT}:solutions[0].solutionArn: '{SOLUTION}/1a2b3c' is a solution version; "
        f"name the solution, '{SOLUTION}'\n"
        f"  {PROJECT}:solutions[1].campaign: unknown; did you mean campaigns?\n"
        f"  {PROJECT}:solutions[1].solutionArn: 5 is a number; expected text in quotes"
    )


def test_what_could_not_be_read_breaks_no_rule_as_well():
    assert refusal(changed({"datasets": {"users": "s3://bucket/users.csv"}})) == one_problem(
        "datasets.users: 's3://bucket/users.csv' is text; "
        "expected a mapping with datasetArn, dataLocation, importMode, minRelativeSize, "
        "readyMarker"
    ), "the only dataset is wrong, not missing"


def test_reading_leaves_the_given_config_as_it_is():
    config = changed({"solutions[0].solutionArn": 5, "zone": "UTC"})
    before = json.dumps(config)
    refusal(config)
    assert json.dumps(config) == before


def test_the_region_of_the_stack_is_that_of_the_arns():
    assert refusal(CONFIG, region="us-east-1") == one_problem(
        f"datasets.interactions.datasetArn: '{CONFIG['datasets']['interactions']['datasetArn']}' "
        f"is in region {REGION}, but the stack's aws:region is us-east-1; change one"
    )


def test_the_place_that_most_arns_share_is_taken_for_the_meant_one():
    elsewhere = {
        f"datasets.{key}.datasetArn": each["datasetArn"].replace(REGION, "us-east-1")
        for key, each in CONFIG["datasets"].items()
    }
    told = refusal(changed({**elsewhere, "solutions[0].campaigns": []}))
    assert told == one_problem(
        f"solutions[0].solutionArn: '{SOLUTION}' is in region {REGION}, "
        "but datasets.interactions.datasetArn is in us-east-1; all share one"
    )


def test_an_encrypted_setting_is_refused_and_not_shown():
    told = refusal(
        changed({"solutions": "hush", "importRoleArn": "hush"}),
        secrets=["importRoleArn", "solutions"],
    )
    reason = (
        "encrypted; these settings are no secrets, and the state machine shows them: "
        "set it again with --plaintext"
    )
    assert told == (
        "2 problems in the configuration of stack dev:\n"
        f"  {PROJECT}:importRoleArn: {reason}\n"
        f"  {PROJECT}:solutions: {reason}"
    )
