"""Every setting that may be left out is read as it is meant, and has its default otherwise."""

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
from components.rules.metrics import NAMES
from components.rules.values import DATE
from functions.planning import situation
from tests.program.sample_stack import (
    ACCOUNT,
    CAMPAIGN,
    HOME,
    LEFT_OUT,
    PARTITION,
    REGION,
    SOLUTION,
    USERS,
    changed,
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
    assert list(args.datasets.configured()) == [
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
def test_a_gate_is_turned_off_by_its_switch_with_or_without_rules(off):
    for rules in ([{"metric": "coverage", "minimum": 0.1}], LEFT_OUT, []):
        changes = {"solutions[0].qualityGate": rules, "solutions[0].qualityGateEnabled": off}
        args = settings.parse(changed(changes))
        assert args.solutions[0].quality_gate_enabled is False


def test_a_gate_that_is_left_out_has_one_rule():
    args = settings.parse(changed({"solutions[0].qualityGate": LEFT_OUT}))
    assert args.solutions[0].quality_gate == (
        QualityRuleArgs(metric="normalized_discounted_cumulative_gain_at_10", max_drop=0.25),
    )


@pytest.mark.parametrize("metric", [*NAMES, "hit", "hit_at_k", "recall_at_25", "precision", "auc"])
def test_a_gate_takes_each_metric_that_some_recipe_has(metric):
    rule = {"metric": metric, "minimum": 0.1}
    args = settings.parse(changed({"solutions[0].qualityGate": [rule]}))
    assert args.solutions[0].quality_gate == (QualityRuleArgs(metric=metric, minimum=0.1),)


def test_the_date_that_a_location_may_hold_is_the_one_that_a_run_fills_in():
    assert situation.DATE == DATE


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
