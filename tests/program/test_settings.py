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
from tests.program.sample_stack import (
    CAMPAIGN,
    CONFIG,
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


def probe():
    """The sample's probe."""
    given = CONFIG["solutions"][0]["campaigns"][0]["probe"]
    return ProbeArgs(
        user_id=given["userId"], min_results=given["minResults"], minutes=given["minutes"]
    )


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
        ("cron(0 3 L-3 * ? *)", "cron(0 3 L-3 * ? *)"),
        ("cron(0 3 3W * ? *)", "cron(0 3 3W * ? *)"),
        ("cron(0 3 ? * FRIL *)", "cron(0 3 ? * FRIL *)"),
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
            "solutions[1]": {"solutionArn": 5.5, "campaign": []},
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
        f"  {PROJECT}:solutions[1].solutionArn: 5.5 is a number; expected text in quotes"
    )


def test_what_could_not_be_read_breaks_no_rule_as_well():
    assert refusal(changed({"datasets": {"users": "s3://bucket/users.csv"}})) == one_problem(
        "datasets.users: 's3://bucket/users.csv' is text; "
        "expected a mapping with datasetArn, dataLocation, importMode, minRelativeSize, "
        "readyMarker"
    ), "the only dataset is wrong, not missing"


def test_reading_leaves_the_given_config_as_it_is():
    config = changed({"solutions[0].solutionArn": 5, "tags.cost": 42, "zone": "UTC"})
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
