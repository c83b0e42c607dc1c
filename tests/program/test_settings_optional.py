"""Proves that every optional setting is read, and which values it accepts."""

import pytest

import settings
from components.args import (
    CampaignArgs,
    DatasetArgs,
    LimitsArgs,
    ProbeArgs,
    QualityRuleArgs,
    SolutionArgs,
)
from components.rules.metrics import METRIC_NAMES
from components.rules.values import DATE_PLACEHOLDER
from functions import executions
from tests.program.sample_stack import (
    ACCOUNT,
    CAMPAIGN,
    GATE,
    HOME,
    LEFT_OUT,
    PARTITION,
    PROBE,
    REGION,
    SOLUTION,
    USERS,
    changed,
)

ARNS = {
    "import_role_arn": f"arn:{PARTITION}:iam::{ACCOUNT}:role/path/import",
    "permissions_boundary_arn": f"arn:{PARTITION}:iam::aws:policy/PowerUserAccess",
    "kms_key_arn": f"arn:{PARTITION}:kms:{REGION}:{ACCOUNT}:key/mrk-1234",
    # The key of the exports may be in another account.
    "data_kms_key_arn": f"arn:{PARTITION}:kms:{REGION}:210987654321:key/1234",
}


def parsed(changes):
    return settings.parse(changed(changes))


def test_every_option_of_a_dataset_is_read():
    changes = {
        "importMode": "INCREMENTAL",
        "dataLocation": "s3://bucket/users/{date}/",
        "minRelativeSize": 0,
        "readyMarker": "s3://bucket/users/{date}.ready",
    }
    args = parsed({f"datasets.users.{key}": value for key, value in changes.items()})
    assert args.datasets.users == DatasetArgs(
        dataset_arn=USERS,
        data_location="s3://bucket/users/{date}/",
        import_mode="INCREMENTAL",
        min_relative_size=0,
        ready_marker="s3://bucket/users/{date}.ready",
    )


def test_the_datasets_have_a_fixed_order():
    args = parsed(
        {
            "datasets.actionInteractions": {
                "datasetArn": USERS.replace("USERS", "ACTION_INTERACTIONS"),
                "dataLocation": "s3://bucket/action.interactions/2026.csv",
            },
            "datasets.actions": {
                "datasetArn": USERS.replace("USERS", "ACTIONS"),
                "dataLocation": "s3://bucket/actions/",
            },
        }
    )
    assert list(args.datasets.configured()) == [
        "interactions",
        "items",
        "users",
        "actions",
        "actionInteractions",
    ]


def test_every_option_of_a_solution_is_read():
    args = parsed(
        {
            "solutions[0].trainingMode": "UPDATE",
            "solutions[0].fullEvery": "14 days",
            GATE: [
                {"metric": "coverage", "minimum": 0.2},
                {"metric": "recall_at_k", "maxDrop": 0, "minimum": 1},
            ],
            PROBE: {"itemId": "i1", "minResults": 500},
            "solutions[0].campaigns[1]": {
                "campaignArn": f"{HOME}:campaign/other",
                "probe": {
                    "userId": "u1",
                    "inputList": ["i1", "i2"],
                    "minResults": 2,
                    "minutes": 0.5,
                },
            },
        }
    )
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


def test_every_option_of_the_pipeline_is_read():
    args = parsed(
        {
            "skipWhenUnchanged": False,
            "autoTraining": "refuse",
            "limits.maxTrainingsPerMonth": 1,
            "importRoleArn": ARNS["import_role_arn"],
            "permissionsBoundaryArn": ARNS["permissions_boundary_arn"],
            "kmsKeyArn": ARNS["kms_key_arn"],
            "dataKmsKeyArn": ARNS["data_kms_key_arn"],
            "paused": True,
            "logRetentionDays": 3653,
        }
    )
    assert {name: getattr(args, name) for name in ARNS} == ARNS
    assert args.paused is True
    assert args.skip_when_unchanged is False
    assert args.auto_training == "refuse"
    assert args.limits.max_trainings_per_month == 1
    assert args.log_retention_days == 3653


@pytest.mark.parametrize("off", [False, "false"])
@pytest.mark.parametrize("rules", [[{"metric": "coverage", "minimum": 0.1}], LEFT_OUT, []])
def test_a_gate_is_switched_off_with_or_without_rules(rules, off):
    args = parsed({GATE: rules, "solutions[0].qualityGateEnabled": off})
    assert args.solutions[0].quality_gate_enabled is False


def test_the_default_gate_has_one_rule():
    args = parsed({GATE: LEFT_OUT})
    assert args.solutions[0].quality_gate == (
        QualityRuleArgs(metric="normalized_discounted_cumulative_gain_at_10", max_drop=0.25),
    )


@pytest.mark.parametrize(
    "metric", [*METRIC_NAMES, "hit", "hit_at_k", "recall_at_25", "precision", "auc"]
)
def test_a_gate_accepts_the_metrics_of_every_recipe(metric):
    args = parsed({GATE: [{"metric": metric, "minimum": 0.1}]})
    assert args.solutions[0].quality_gate == (QualityRuleArgs(metric=metric, minimum=0.1),)


def test_the_placeholder_of_a_location_is_the_one_that_a_run_replaces():
    assert executions.DATE == DATE_PLACEHOLDER


def test_the_length_of_a_location_is_checked_with_its_date():
    longest = f"s3://bucket/{'x' * (256 - len('s3://bucket/') - len('2026-11-29/') - 1)}/{{date}}/"
    args = parsed({"datasets.users.dataLocation": longest})
    assert args.datasets.users.data_location == longest


def test_numbers_and_booleans_may_be_text():
    args = parsed(
        {
            "limits.maxImportHours": "0.25",
            "limits.maxTrainingHours": "12",
            "limits.maxTrainingsPerMonth": "4",
            "datasets.users.minRelativeSize": "0.9",
            f"{GATE}[0].maxDrop": "0.1",
            "logRetentionDays": "30",
            "paused": "true",
            "skipWhenUnchanged": "false",
        }
    )
    assert args.limits == LimitsArgs(
        max_import_hours=0.25, max_training_hours=12, max_trainings_per_month=4
    )
    assert repr(args.limits.max_training_hours) == "12", "a whole number stays whole"
    assert args.datasets.users.min_relative_size == 0.9
    assert args.solutions[0].quality_gate[0].max_drop == 0.1
    assert args.log_retention_days == 30
    assert args.paused is True
    assert args.skip_when_unchanged is False
