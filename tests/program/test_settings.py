"""Proves that a config becomes the right arguments, and that all of its problems are reported."""

import json

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
    config_keys,
    config_values,
)
from tests.program.sample_stack import (
    CAMPAIGN,
    CONFIG,
    CONFIG_KEYS,
    PROJECT,
    PROJECT_FILE,
    ROOT,
    SOLUTION,
    STACK_CONFIG,
    USERS,
    changed,
    error_of,
    one_problem,
)

SMALLEST = {
    "datasets": {"users": {"datasetArn": USERS, "dataLocation": "s3://bucket/users.csv"}},
    "solutions": [{"solutionArn": SOLUTION}],
}


def dataset(key):
    config = CONFIG["datasets"][key]
    return DatasetArgs(dataset_arn=config["datasetArn"], data_location=config["dataLocation"])


def probe():
    config = CONFIG["solutions"][0]["campaigns"][0]["probe"]
    return ProbeArgs(
        user_id=config["userId"], min_results=config["minResults"], minutes=config["minutes"]
    )


def test_the_sample_stack_is_read():
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
                campaigns=(CampaignArgs(campaign_arn=CAMPAIGN, probe=probe()),),
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
    assert [key for key in CONFIG_KEYS if key not in text] == []


def test_the_project_file_declares_the_defaults_of_the_arguments():
    declared = {key: setting["default"] for key, setting in PROJECT_FILE["config"].items()}
    defaults = config_values(settings.parse(SMALLEST))
    assert declared == {key: defaults[key] for key in declared}
    assert all(
        set(setting) == {"description", "default"} for setting in PROJECT_FILE["config"].values()
    ), "the CLI refuses a value of a setting with a type before the program can explain it"


def test_a_key_that_is_left_out_has_its_default():
    assert settings.parse(SMALLEST) == RetrainingPipelineArgs(
        datasets=DatasetsArgs(
            users=DatasetArgs(dataset_arn=USERS, data_location="s3://bucket/users.csv")
        ),
        solutions=(SolutionArgs(solution_arn=SOLUTION),),
    )


@pytest.mark.parametrize(
    ("rate", "expression"),
    [
        ("7 days", "rate(7 days)"),
        ("1 day", "rate(1 day)"),
        ("60 minutes", "rate(60 minutes)"),
        ("rate(12 hours)", "rate(12 hours)"),
        *(
            (f"cron({fields})", f"cron({fields})")
            for fields in (
                "0 3 ? * MON-FRI *",
                "30 22-2 1,15 JAN/3 ? 2027-2030",
                "0 3 ? * MON#2 *",
                "0 3 L-3 * ? *",
                "0 3 3W * ? *",
                "0 3 ? * FRIL *",
            )
        ),
    ],
)
def test_a_rate_becomes_an_expression_of_scheduler(rate, expression):
    args = settings.parse(changed({"retrainingRate": rate}))
    assert args.schedule_expression == expression


def test_all_problems_are_reported_at_once():
    broken = changed(
        {
            "retrainigRate": "7 days",
            "solutions[0].solutionArn": f"{SOLUTION}/1a2b3c",
            "solutions[1]": {"solutionArn": 5.5, "campaign": []},
            "datasets.users": {"datasetArn": USERS},
            "paused": "no",
        }
    )
    assert error_of(broken, stack="prod") == (
        "6 problems in the configuration of stack prod:\n"
        f"  {PROJECT}:datasets.users.dataLocation: missing; "
        "the CSV to import, for example 's3://bucket/users.csv'\n"
        f"  {PROJECT}:paused: 'no' is text; expected true or false\n"
        f"  {PROJECT}:retrainigRate: unknown; did you mean retrainingRate?\n"
        f"  {PROJECT}:solutions[0].solutionArn: '{SOLUTION}/1a2b3c' is a solution version; "
        f"name the solution, '{SOLUTION}'\n"
        f"  {PROJECT}:solutions[1].campaign: unknown; did you mean campaigns?\n"
        f"  {PROJECT}:solutions[1].solutionArn: 5.5 is a number; expected text in quotes"
    )


def test_a_setting_that_cannot_be_read_is_not_reported_as_missing():
    assert error_of(changed({"datasets": {"users": "s3://bucket/users.csv"}})) == one_problem(
        "datasets.users: 's3://bucket/users.csv' is text; "
        f"expected a mapping with {', '.join(config_keys(DatasetArgs))}"
    )


def test_reading_does_not_change_the_config():
    config = changed({"solutions[0].solutionArn": 5, "tags.cost": 42, "zone": "UTC"})
    text = json.dumps(config)
    error_of(config)
    assert json.dumps(config) == text


def test_an_encrypted_setting_is_refused_and_not_shown():
    reason = (
        "is encrypted, but the state machine shows this setting to everyone who may read it; set "
        "it again with pulumi config set --plaintext -s <stack>"
    )
    assert error_of(
        changed({"solutions": "hush", "importRoleArn": "hush"}),
        secrets=["importRoleArn", "solutions"],
    ) == (
        "2 problems in the configuration of stack dev:\n"
        f"  {PROJECT}:importRoleArn: {reason}\n"
        f"  {PROJECT}:solutions: {reason}"
    )
